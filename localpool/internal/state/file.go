package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// fileVersion is raised when the layout changes.
const fileVersion = 1

type file struct {
	Version int     `json:"version"`
	Pools   []*Pool `json:"pools"`
}

// load reads the file, if there is one. A file that it cannot read is left as it
// is.
func (s *State) load() (bool, error) {
	if s.path == "" {
		return false, nil
	}
	b, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read state: %w", err)
	}
	var f file
	if err := json.Unmarshal(b, &f); err != nil {
		return false, fmt.Errorf("read state from %s: the file is damaged (%w); move it away to begin anew", s.path, err)
	}
	if f.Version != fileVersion {
		return false, fmt.Errorf("read state from %s: it has version %d and this program reads %d; move it away to begin anew", s.path, f.Version, fileVersion)
	}
	for _, p := range f.Pools {
		if p == nil || p.ID == "" {
			return false, fmt.Errorf("read state from %s: the file is damaged (a pool without id); move it away to begin anew", s.path)
		}
	}
	s.pools = f.Pools
	return true, nil
}

// saveLocked writes the file as a whole or not at all. The caller holds the lock.
func (s *State) saveLocked() error {
	if s.path == "" {
		return nil
	}
	b, err := json.MarshalIndent(file{fileVersion, s.pools}, "", " ")
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+".*")
	if err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	defer os.Remove(temporary.Name())
	if _, err = temporary.Write(b); err == nil {
		err = temporary.Sync()
	}
	if closeErr := temporary.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temporary.Name(), s.path)
	}
	if err != nil {
		return fmt.Errorf("save state: %w; what is in %s is as it was", err, s.path)
	}
	return nil
}
