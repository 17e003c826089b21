package state

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Snapshot returns all that is kept, as the state file has it.
func (s *State) Snapshot() ([]byte, error) {
	s.mu.Lock()
	err := s.allKeys()
	copied := make([]*Pool, len(s.pools))
	for i, p := range s.pools {
		copied[i] = p.snapshot()
	}
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return encode(copied)
}

// Restore replaces all that is kept by what a snapshot has. Codes and sessions under
// way end. One that cannot be read changes nothing.
func (s *State) Restore(snapshot []byte) error {
	var f file
	if err := json.Unmarshal(snapshot, &f); err != nil {
		return fmt.Errorf("the snapshot cannot be read: %w", err)
	}
	if f.Version != fileVersion {
		return fmt.Errorf("the snapshot has version %d and this program reads %d", f.Version, fileVersion)
	}
	seen := make(map[string]bool)
	for _, p := range f.Pools {
		if what := p.hollow(); what != "" {
			return fmt.Errorf("the snapshot is damaged: %s", what)
		}
		if seen[p.ID] {
			return fmt.Errorf("the snapshot has pool %s twice", p.ID)
		}
		seen[p.ID] = true
	}
	if len(f.Pools) == 0 {
		return errors.New("the snapshot has no pool")
	}
	return s.replace(f.Pools)
}

// Reset replaces all that is kept by what a new state has, but for the keys of pools of
// the same id, which those who verify tokens have.
func (s *State) Reset(pools []*Pool, begin func(*State) error) error {
	fresh := &State{now: s.now, logger: s.logger, codes: make(map[string]Code), sessions: make(map[string]Session), pools: pools}
	s.mu.Lock()
	for _, p := range pools {
		if old, err := s.pool(p.ID); err == nil {
			p.Keys = old.Keys
		}
	}
	s.mu.Unlock()
	if err := fresh.prepare(); err != nil {
		return err
	}
	if begin != nil {
		if err := begin(fresh); err != nil {
			return err
		}
	}
	return s.replace(fresh.pools)
}

func (s *State) replace(pools []*Pool) error {
	fresh := &State{now: s.now, pools: pools}
	if err := fresh.prepare(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pools = pools
	err := s.saveLocked()
	if err == nil || s.saver.missed { // the change is made, if only in memory
		s.outbox = nil
		clear(s.codes)
		clear(s.sessions)
	}
	return err
}
