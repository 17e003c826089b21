package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
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
	sweep(s.path)
	began := time.Now()
	pools, size, err := readFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	s.pools = pools
	s.saver.size, s.saver.cost = size, time.Since(began) // to write it takes about as long
	return true, nil
}

func readFile(path string) (pools []*Pool, size int, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, 0, fmt.Errorf("read state: %w", err)
	}
	var f file
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, 0, fmt.Errorf("read state from %s: the file is damaged (%w); move it away to begin anew", path, err)
	}
	if f.Version != fileVersion {
		return nil, 0, fmt.Errorf("read state from %s: it has version %d and this program reads %d; move it away to begin anew", path, f.Version, fileVersion)
	}
	for _, p := range f.Pools {
		if what := p.hollow(); what != "" {
			return nil, 0, fmt.Errorf("read state from %s: the file is damaged (%s); move it away to begin anew", path, what)
		}
	}
	return f.Pools, len(b), nil
}

// The temporary file has a name that nobody gives a copy of the state file.
const (
	partBegins, partEnds = ".codegrant-", ".part"

	leftFor    = time.Minute
	leftDigits = "0123456789"
)

// sweep removes what processes have left beside the file that were killed while they wrote
// it, and nothing that one may write now.
func sweep(path string) {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return // the file is not there either
	}
	for _, e := range entries {
		end, ok := strings.CutPrefix(e.Name(), "."+filepath.Base(path)+partBegins)
		digits, part := strings.CutSuffix(end, partEnds)
		if !ok || !part || digits == "" || strings.Trim(digits, leftDigits) != "" {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > leftFor {
			_ = os.Remove(filepath.Join(filepath.Dir(path), e.Name()))
		}
	}
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

// saver decides when the file is written: at each change while it is small, and
// otherwise once for many changes, beside them.
type saver struct {
	small int // bytes that each change may write
	write func(path string, b []byte) error

	writing sync.Mutex // held while many changes are written; taken before the state's

	// The state's lock guards the fields below.
	size     int           // of the last write, in bytes
	cost     time.Duration // of the last write
	pending  *time.Timer   // writes what is changed; nil: nothing is, or it is being written
	dirty    bool
	missed   bool // a small file was neither written nor could be read again
	flushing bool
	closed   bool
}

const (
	smallFile = 1 << 20 // some two thousand users: a few milliseconds
	leastWait = 100 * time.Millisecond
	mostWait  = 10 * time.Second
	share     = 10 // a write is followed by a pause so many times as long
)

// saveLocked writes the file, or has it written soon. The caller holds the lock.
func (s *State) saveLocked() error {
	if s.path == "" {
		s.keep()
		return nil
	}
	if err := s.allKeys(); err != nil {
		return err
	}
	if !s.saver.flushing && !s.saver.dirty && (s.saver.closed || s.saver.size <= s.saver.small) {
		began := time.Now()
		b, err := encode(s.pools)
		if err == nil {
			err = s.saver.write(s.path, b)
		}
		if s.saver.missed = err != nil; err != nil {
			if undone := s.undoLocked(); undone != nil {
				s.keep()
				return fmt.Errorf("%w; the change stays in memory (%w)", err, undone)
			}
			s.saver.missed = false
			return err
		}
		s.saver.size, s.saver.cost = len(b), time.Since(began)
		s.keep()
		return nil
	}
	s.saver.dirty = true
	s.keep()
	s.scheduleLocked()
	return nil
}

func (s *State) scheduleLocked() {
	if s.saver.pending == nil && !s.saver.flushing && !s.saver.closed {
		s.saver.pending = time.AfterFunc(min(max(leastWait, share*s.saver.cost), mostWait), func() {
			if err := s.flush(); err != nil {
				s.logger.Error("changes are not saved yet", slog.Any("error", err))
			}
		})
	}
}

// flush writes what was changed since the file was written. The state is locked while
// it is copied, and no longer: to write it down takes ten times as long.
func (s *State) flush() error {
	s.saver.writing.Lock()
	defer s.saver.writing.Unlock()
	s.mu.Lock()
	if s.saver.pending != nil {
		s.saver.pending.Stop()
		s.saver.pending = nil
	}
	if !s.saver.dirty {
		s.mu.Unlock()
		return nil
	}
	s.saver.dirty, s.saver.flushing = false, true
	began := time.Now()
	copied := make([]*Pool, len(s.pools))
	for i, p := range s.pools {
		copied[i] = p.snapshot()
	}
	s.mu.Unlock()
	b, err := encode(copied)
	if err == nil {
		err = s.saver.write(s.path, b)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saver.flushing = false; err != nil {
		s.saver.dirty = true
	} else {
		s.saver.size, s.saver.cost = len(b), time.Since(began)
	}
	if s.saver.dirty {
		s.scheduleLocked()
	}
	return err
}

// Close writes what is not in the file yet. It may be called more than once.
func (s *State) Close() error {
	s.mu.Lock()
	if !s.saver.closed {
		s.saver.closed = true
		s.saver.dirty = s.saver.dirty || s.saver.missed
		s.spareKeys()
	}
	s.mu.Unlock()
	return s.flush()
}

// snapshot copies what may change of a pool, without its index.
func (p *Pool) snapshot() *Pool {
	c := *p
	c.index = nil
	c.Clients, c.Groups, c.Grants = copies(p.Clients), copies(p.Groups), copies(p.Grants)
	users := make([]User, len(p.Users))
	c.Users = make([]*User, len(p.Users))
	for i, u := range p.Users {
		users[i] = u.clone()
		c.Users[i] = &users[i]
	}
	return &c
}

// copies are of things that have nothing in them that changes.
func copies[T any](list []*T) []*T {
	values := make([]T, len(list))
	pointers := make([]*T, len(list))
	for i, v := range list {
		values[i] = *v
		pointers[i] = &values[i]
	}
	return pointers
}

// encode writes pools as the file has them.
func encode(pools []*Pool) ([]byte, error) {
	b, err := json.MarshalIndent(file{fileVersion, pools}, "", " ")
	if err != nil {
		return nil, fmt.Errorf("save state: %w", err)
	}
	return b, nil
}

// writeFile writes a file as a whole or not at all.
func writeFile(path string, b []byte) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+partBegins+"*"+partEnds)
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
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("save state: %w; %s is unchanged", err, path)
	}
	return nil
}
