//go:build unix

package listen

import (
	"errors"
	"syscall"
)

// mask keeps rights from files that are made, until what it returns is called.
func mask(rights int) func() {
	before := syscall.Umask(rights)
	return func() { syscall.Umask(before) }
}

// refused reports whether nobody listens there.
func refused(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
