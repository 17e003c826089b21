// Package restoring is codegrant restore: people whom a pool has lost, made again as they
// were. It owns flags and words; package restore does it.
package restoring
