package listen

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"
)

// Here listens on an address, or on a Unix socket as unix:/path, to which those may
// connect whom the mode says: 0660 where it is zero.
func Here(key, address string, mode fs.FileMode) (net.Listener, error) {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return On(key, address)
	}
	if mode == 0 {
		mode = 0o660
	}
	// Remove the socket of a process that was killed. The socket of a live process stays, and
	// so does any other file.
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() == os.ModeSocket {
		if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
			_ = conn.Close()
			return nil, fmt.Errorf("listen on %s: another process does; choose another path with %s", path, key)
		} else if !refused(err) {
			return nil, fmt.Errorf("listen on %s: it cannot be seen whether another process does: %w", path, err)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("listen on %s: %w", path, err)
		}
	}
	// Nobody else may connect before the mode is set.
	unmask := mask(0o077)
	l, err := net.Listen("unix", path)
	unmask()
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w; choose another path with %s", path, errors.Unwrap(err), key)
	}
	if err := os.Chmod(path, mode); err != nil {
		_ = l.Close()
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return l, nil
}
