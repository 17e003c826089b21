// Package wycheproof has no code: its module names the test vectors, and so that tools
// that go over every module find a package here.
package wycheproof

import _ "github.com/c2sp/wycheproof" // go mod tidy keeps what is imported
