// Package device owns the words for a browser and its system, as people are shown them
// in the list of their sessions. What a browser calls itself is its own claim, and names
// are all that is made of it.
//
// It is a package of its own so that the library does not compile the parser's tables.
package device
