// Package pool is codegrant pool: package localpool, with an address to listen on.
//
// It refuses to listen where other machines reach it, unless a flag called insecure says so.
package pool
