// Package redisstore keeps sessions in Redis or Valkey: a single server, one behind
// Sentinel, or a cluster.
//
// It owns every key that begins with its prefix. It refuses to keep anything there
// that is not a session: what must outlive a server that loses its last second, such
// as who may not sign in again, belongs into a database.
//
// # Keys
//
// With the default prefix, codegrant:s:ID is a session, one packed value that Redis
// deletes by itself when it has expired, and codegrant:u:HASH is the index of a
// person, a sorted set of session IDs. Each session is changed by a script on its one
// key, so that it does not matter where in a cluster it is. The index names a session
// before it exists, and for longer than it lives. A reader of the index asks the
// session which person it belongs to.
//
// # Copies
//
// [Store.Get] answers from a copy in this process where it has one. Redis keeps track
// of what each connection has read (CLIENT TRACKING) and says when it changes, also
// because it was deleted elsewhere: that takes milliseconds. When a connection is
// lost, all copies go at once, before it is made again. When the network swallows
// everything without a sign, a connection is given up after two seconds and
// Config.Timeout at most, and no copy is ever used for longer than Config.CacheFor.
// Writes through the same Store are always seen at once.
//
// This takes Redis 6 or newer, or Valkey, and nothing in between that does not know
// RESP3. Config.DisableCache does without.
//
// # Room
//
// A session takes some 600 bytes of Redis's memory beside its content, the index of
// a person included, and what its allocator rounds up: a session of 4 KB, 5.5 KB in
// all. Each process that has a copy adds some 170 bytes for as long as Redis keeps
// track of it.
//
// # Setting Redis up
//
// Without a password, anybody who reaches Redis on another machine controls it. A user
// of its access control list needs only this:
//
//	ACL SETUSER codegrant on >PASSWORD resetkeys ~codegrant:* resetchannels -@all
//	  +hello +auth +ping +select +role +client|setname +client|tracking
//	  +cluster|slots +cluster|shards +cluster|nodes +asking
//	  +eval +get +getrange +set +setrange +del +scan
//	  +zadd +zrem +zscore +zrange +zremrangebyscore +pexpire
//
// Set maxmemory-policy to noeviction. With any other value, Redis makes room by
// signing people out; or it drops an index, and with it the knowledge of which
// sessions are whose, which ending all sessions of a person needs.
//
// A fail-over may undo the last second: a session that was ended can be back, until
// it expires or is ended again. Redis acknowledges a write before its replicas have
// it. Where that is not acceptable, keep sessions in SQL.
package redisstore
