// Package notbefore owns the marks of people whose tokens of before count no longer:
// who was disabled, deleted or signed out everywhere, and when. A token that verifies
// says nothing of that; it is good until it expires, unless somebody remembers.
//
// Marks are on a shelf of a [cupboard.Store] (SQL, Redis), where every process reads
// them, beside requests, twice a second. Requests are answered from memory. Without a
// store they hold in the process that leaves them, and end with it.
//
// It refuses to verify tokens, to end sessions, and to decide who is to be marked.
package notbefore
