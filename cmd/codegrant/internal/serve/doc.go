// Package serve is codegrant serve: the gateway as a process. It owns what outlives a
// configuration (connections, limits, logs, metrics, readiness, the end), and how a new
// configuration takes the place of another.
//
// It refuses to decide whom to let pass: package gateway does.
package serve
