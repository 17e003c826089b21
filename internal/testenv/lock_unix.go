//go:build unix

package testenv

import (
	"os"
	"syscall"
)

// lock takes a file until it is closed, or the process ends. Where it may not wait, a file
// that somebody else has is an error.
func lock(f *os.File, wait bool) error {
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	return syscall.Flock(int(f.Fd()), how)
}
