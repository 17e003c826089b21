// Package place is where the pools of a server are reached: their issuers, their
// domains, and the base of the URLs that a browser is sent to.
//
// It owns the two ways there are: under the server's own address, or by the names that
// Amazon has for pools. It refuses to listen or to answer.
package place
