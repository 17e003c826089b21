package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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
		if what := p.hollow(); what != "" {
			return false, fmt.Errorf("read state from %s: the file is damaged (%s); move it away to begin anew", s.path, what)
		}
	}
	s.pools = f.Pools
	return true, nil
}

// hollow names what is missing from a pool that was read, if anything is.
func (p *Pool) hollow() string {
	switch {
	case p == nil || p.ID == "":
		return "a pool without id"
	case p.Keys == nil || p.Keys.parse() != nil:
		return "a pool without keys"
	case slices.ContainsFunc(p.Clients, func(c *Client) bool { return c == nil || c.ID == "" }):
		return "a client without id"
	case slices.ContainsFunc(p.Users, func(u *User) bool { return u == nil || u.Username == "" || u.Sub() == "" }):
		return "a user without name or sub"
	case slices.Contains(p.Groups, nil), slices.Contains(p.Grants, nil):
		return "an empty entry"
	}
	return ""
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
