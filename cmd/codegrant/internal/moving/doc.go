// Package moving is codegrant move: the operator's side of a move from one user pool to
// another.
//
// It refuses to do anything to a pool by itself: package move does.
package moving
