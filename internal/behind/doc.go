// Package behind owns work that goes on beside requests and outlives them: refreshes,
// revocations, sweeps. It counts them, so that a shutdown can wait, and keeps a panic
// in one from ending the process. It refuses to decide what work there is.
package behind
