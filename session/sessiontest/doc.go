// Package sessiontest is the suite that every session store passes.
//
// It owns what the comments of [session.Store] promise, as tests with a reason
// for each. It refuses to know how a store works: what it sees is the contract.
//
//	func TestStore(t *testing.T) {
//		sessiontest.Run(t, func(t *testing.T) sessiontest.Harness { … })
//	}
package sessiontest
