// Package pages is the few small pages that the library itself shows to people.
//
// It owns their look and the headers that keep them harmless: no script, nothing
// from elsewhere, not in a frame, in no cache. It refuses to decide anything: what
// a page says is given to it, and is escaped.
package pages
