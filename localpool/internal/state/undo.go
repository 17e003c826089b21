package state

import "slices"

// undoLocked has the pools be what the file says, which could not be written: who made the
// change hears of an error, so that it must not be there when they try again. The caller
// holds the lock.
func (s *State) undoLocked() error {
	pools, _, err := readFile(s.path)
	if err != nil {
		return err
	}
	for _, p := range pools {
		if old, err := s.pool(p.ID); err == nil { // what is in no file
			p.KeepEmail, p.history = old.KeepEmail, old.history
		}
	}
	changed := s.pools
	s.pools = pools
	if err := s.prepare(); err != nil {
		s.pools = changed
		return err
	}
	keepRefusals(changed, pools)
	return nil
}

// keepRefusals has what users may not try any more stay so: wrong passwords and codes are
// counted in memory too, and whoever fails a save, of whatever change, must not get further
// guesses by it.
func keepRefusals(from, to []*Pool) {
	for _, p := range to {
		i := slices.IndexFunc(from, func(old *Pool) bool { return old.ID == p.ID })
		if i < 0 {
			continue
		}
		for _, u := range p.Users {
			if old := from[i].index.subs[u.Sub()]; old != nil {
				u.keepRefusals(old)
			}
		}
	}
}

func (u *User) keepRefusals(old *User) {
	u.Failures = max(u.Failures, old.Failures)
	if old.LockedUntil.After(u.LockedUntil) {
		u.LockedUntil = old.LockedUntil
	}
	if u.Token != nil && old.Token != nil {
		u.Token.Failures = max(u.Token.Failures, old.Token.Failures)
	}
	for purpose, code := range u.Pending {
		if was, ok := old.Pending[purpose]; ok && was.Code == code.Code {
			code.Tries = max(code.Tries, was.Tries)
			u.Pending[purpose] = code
		}
	}
}
