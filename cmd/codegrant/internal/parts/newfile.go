package parts

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Name gives a finished file its name, unless a file of that name has come meanwhile: that
// one stays, and the finished one keeps the name that it has.
func Name(part, path string) error {
	err := os.Link(part, path)
	if err == nil {
		return os.Remove(part)
	}
	if !errors.Is(err, fs.ErrExist) {
		// Some file systems have no links. An empty file holds the name there.
		var f *os.File
		if f, err = os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil {
			if err = errors.Join(f.Close(), os.Rename(part, path)); err != nil {
				_ = os.Remove(path)
			}
			return err
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s has come meanwhile: name another file", path)
	}
	return err
}
