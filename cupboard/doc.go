// Package cupboard owns small records that outlive a process: what is to be done
// later, what was done once, what somebody was given. Each is on a shelf of its [Kind],
// under a key, belongs to a person (or to nobody), and ends by itself.
//
// It is a contract, and its implementation in memory. Those in a SQL database and in
// Redis belong to the stores that are connected there: [sqlstore.Store.Cupboard] and
// [redisstore.Store.Cupboard]. Suite: [cupboardtest].
//
// What needs such a record declares a Kind, with the limits of its shelf, and a type
// for what the value holds: no table, no migration and no interface of its own. Who
// fills one shelf takes nothing from another.
//
// It refuses to know what a value says. Values are sealed by whoever puts them, keys
// are hashes ([Key]), and so who reads a cupboard reads no secret. It refuses joins,
// too: the person is an index. Sessions are not in here: every request reads one, and
// their store has a lease and copies for that ([session.Store]).
//
// [sqlstore.Store.Cupboard]: https://pkg.go.dev/github.com/codegrant/codegrant/session/sqlstore#Store.Cupboard
// [redisstore.Store.Cupboard]: https://pkg.go.dev/github.com/codegrant/codegrant/session/redisstore#Store.Cupboard
// [session.Store]: https://pkg.go.dev/github.com/codegrant/codegrant/session#Store
// [cupboardtest]: https://pkg.go.dev/github.com/codegrant/codegrant/cupboard/cupboardtest
package cupboard
