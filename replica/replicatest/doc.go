// Package replicatest holds stores of package replica to its contract. It owns one
// suite, [Run], that every store passes, each case with the reason why it is
// there; it refuses to know how a store works.
package replicatest
