// Package syncing is codegrant sync: passes over the pools of a configuration, once or
// again and again, and the events that they follow.
//
// It refuses to know how a replica is brought in line: package directory does.
package syncing
