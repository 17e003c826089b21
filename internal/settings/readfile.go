package settings

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
)

// readFile reads a file that a key names, and remembers it.
func (r *reader) readFile(key, path string, secret bool) []byte {
	path = r.beside(path)
	r.files = append(r.files, path)
	content, err := readLimited(path)
	if err != nil {
		r.fault(key, "%w", plain(err))
		return nil
	}
	r.content = fmt.Appendf(r.content, "\x00%s\x00%d\x00%s", key, len(content), content)
	// Windows says who may read what in another way.
	if info, err := os.Stat(path); secret && err == nil && info.Mode().Perm()&0o004 != 0 && runtime.GOOS != "windows" {
		r.warnings = append(r.warnings, Fault{r.path, r.line(key), key, fmt.Errorf("everybody on this machine may read %s; chmod o-r it", path)})
	}
	return content
}

func readLimited(path string) ([]byte, error) {
	// Not after it was opened: a pipe would wait for somebody to write to it.
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("it is not a regular file")}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("it has more than %d bytes", maxFile)}
	}
	return content, err
}

// plain says what is the matter with a file without the call that found out.
func plain(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("%s: %w", path.Path, path.Err)
	}
	return err
}
