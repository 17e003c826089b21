//go:build !linux

package serve

import "net"

// Other systems do not say who waits: a time in which nobody came has to do.
func refuseNew(net.Listener)      {}
func waiting(net.Listener) uint32 { return 0 }
func nothingToRead(net.Conn) bool { return true }
func openFiles() int              { return usualFiles }
