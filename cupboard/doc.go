// Package cupboard owns small records that outlive a process: work to do later, events
// that happened once, grants to a person. Each record is on a shelf of its [Kind], under
// a key. It belongs to a person (or to nobody), and expires.
//
// It is a contract, and its implementation in memory. Those in a SQL database and in
// Redis belong to the stores that are connected there: [sqlstore.Store.Cupboard] and
// [redisstore.Store.Cupboard]. Suite: [cupboardtest].
//
// A package that needs such a record declares a Kind, with the limits of its shelf, and a
// type for the value. It needs no table, no migration and no interface of its own. A full
// shelf takes no room from another shelf.
//
// It refuses to know the content of a value. The caller seals values, and keys are hashes
// ([Key]), so a person who reads a cupboard reads no secret. It refuses joins, too: the
// person is an index. Sessions are not in a cupboard: every request reads one, and their
// store has a lease and copies for that ([session.Store]).
//
// [sqlstore.Store.Cupboard]: https://pkg.go.dev/github.com/codegrant/codegrant/session/sqlstore#Store.Cupboard
// [redisstore.Store.Cupboard]: https://pkg.go.dev/github.com/codegrant/codegrant/session/redisstore#Store.Cupboard
// [session.Store]: https://pkg.go.dev/github.com/codegrant/codegrant/session#Store
// [cupboardtest]: https://pkg.go.dev/github.com/codegrant/codegrant/cupboard/cupboardtest
package cupboard
