// Package repotest holds the rules that the source tree itself must keep: which
// package may import which, that every package says what it owns, that files stay
// readable in one sitting. It refuses to judge behavior; it has no code, only
// tests.
package repotest
