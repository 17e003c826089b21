// Package people owns the application's say about a person whom the pool has let in:
// whether it admits them, and what its replica says of them. It refuses to keep a
// sign-in: see package keep, which is the only one to ask.
package people
