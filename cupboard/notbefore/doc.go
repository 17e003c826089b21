// Package notbefore owns the marks of people who were disabled, deleted or signed out
// everywhere. A mark has a time, and earlier tokens of the person no longer count. A
// token itself does not show that: without a mark, it is valid until it expires.
//
// Marks are on a shelf of a [cupboard.Store] (SQL, Redis), where every process reads
// them, beside requests, twice a second. Requests are answered from memory. Without a
// store they hold in the process that leaves them, and end with it.
//
// It refuses to verify tokens, to end sessions, and to decide who gets a mark.
package notbefore
