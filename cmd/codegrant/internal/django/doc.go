// Package django finds the accounts of a Django project that are in people's way: several
// with one address, and people of the pool who would not find theirs.
//
// It refuses to change any, and to read a database or a pool: both come from its callers.
package django
