// Package inspect is codegrant users, groups, sessions and grants: what is in the stores of a
// configuration, and the few changes that operators make there.
//
// It refuses to change people: the pool is the one place where that is done.
package inspect
