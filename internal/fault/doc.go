// Package fault owns the two answers that must never be mistaken for one another:
// invalid, which ends something, and unavailable, which never does. It holds the one
// list of faults that say nothing about the person, and says when to try again. It
// refuses to answer a request: see package answer.
package fault
