// Package sessiontest is the suite that every session store passes.
//
// It owns what the comments of [session.Store] promise, as tests with a reason
// for each. It refuses to know how a store works.
package sessiontest
