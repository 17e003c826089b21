// Package pages is the few small pages that the library itself shows to people.
//
// It owns their words, their look, and the headers that keep them harmless: no
// script, nothing from elsewhere, not in a frame, in no cache. A design has them look as
// an application does, within those bounds: it is tried with every page before it is used.
// It refuses to decide anything: what a page is told is escaped, and shown as it is.
package pages
