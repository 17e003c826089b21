// Package triggers calls what a pool has in the place of Lambda triggers: URLs that
// the trigger's event is posted to, and functions of the process itself.
//
// It owns the events, to the names of their members and sources, what is taken of
// an answer, and Cognito's words for a function that fails. It refuses to know
// flows and to change anything: who calls it says why, and applies what it returns.
package triggers
