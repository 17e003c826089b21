// Package tools pins the programs that check and package this repository, in a module of
// its own, so that no user of the library depends on them. It has no code: go.mod is the
// list, and image is the one tool that is written here.
package tools
