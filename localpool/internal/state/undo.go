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
	changed := s.pools
	s.pools = pools
	if err := s.prepare(); err != nil {
		s.pools = changed
		return err
	}
	for _, p := range pools {
		if i := slices.IndexFunc(s.kept, func(old *Pool) bool { return old.ID == p.ID }); i >= 0 {
			p.keepUnsaved(s.kept[i])
		}
	}
	s.outbox = slices.DeleteFunc(slices.Clone(s.outbox), func(m Message) bool { return m.ID > max(s.keptMessage, s.delivered) })
	s.keep()
	return nil
}

// keep notes what a change that is not saved goes back to, besides what is in the file. The
// caller holds the lock.
func (s *State) keep() {
	s.kept, s.keptMessage = slices.Clone(s.pools), s.lastMessage
	if len(s.outbox) > keptMessages {
		s.outbox = slices.Clone(s.outbox[len(s.outbox)-keptMessages:])
	}
}

// keepUnsaved takes over what is in no file.
func (p *Pool) keepUnsaved(old *Pool) {
	p.KeepEmail, p.history = old.KeepEmail, old.history
	for _, u := range p.Users {
		if was := old.index.subs[u.Sub()]; was != nil {
			u.keepRefusals(was)
		}
	}
}

// keepRefusals has what the user may not try any more stay so: wrong passwords and codes are
// counted in memory too, and whoever fails a save, of whatever change, must not get further
// guesses by it.
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
