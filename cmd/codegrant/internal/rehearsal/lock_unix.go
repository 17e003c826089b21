//go:build unix

package rehearsal

import (
	"os"
	"syscall"
)

// lock has a file for this process alone, until it is closed.
func lock(f *os.File) error {
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil { // #nosec G115 -- a descriptor is small
		return errInUse
	}
	return nil
}
