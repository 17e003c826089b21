// Package peopletest makes people for tests: at random, from a seed, and with all that a
// user pool's quotas allow.
//
// It owns what a pool could hold, and refuses to know what anything does with it: a test
// compares what comes out with what went in.
package peopletest
