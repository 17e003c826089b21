// Package doctor is codegrant doctor: it looks at settings, pool and database from outside,
// and says what is wrong and how to fix it.
//
// It refuses to fix anything.
package doctor
