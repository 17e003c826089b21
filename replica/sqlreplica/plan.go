package sqlreplica

import (
	"slices"

	"github.com/codegrant/codegrant/replica"
)

// plan is what is to become of one user.
type plan struct {
	before *row // as stored; nil for nobody
	change replica.Change
	pass   string      // that has seen the user; empty: none
	of     *replica.Of // whose person the user is to be; nil: nobody's

	refused bool // the account is turned off: nothing is written
}

// A decision says what is to become of a user, nil for nobody.
type decision func(stored *row) (*plan, error)

// decide judges a snapshot.
func (s *Store) decide(snapshot replica.Snapshot) decision {
	return func(stored *row) (*plan, error) {
		if stored == nil {
			if err := s.tables.admits(snapshot); err != nil {
				return nil, err
			}
			return &plan{change: replica.Decide(s.policy, nil, snapshot, s.now()), pass: snapshot.Pass, of: replica.FirstOf(nil, snapshot)}, nil
		}
		if err := expect(stored.User, snapshot.Issuer, snapshot.Subject); err != nil {
			return nil, err
		}
		if stored.inactive && !stored.deactivated && (snapshot.SignIn || snapshot.Entering) {
			// The application turned the account off: the person is refused, and what
			// they came with is nothing that happened.
			before := stored.User
			return &plan{before: stored, change: replica.Change{User: stored.User, Before: &before}, refused: true}, nil
		}
		change := replica.Decide(s.policy, &stored.User, snapshot, s.now())
		stored.claim(&change)
		return &plan{before: stored, change: change, pass: snapshot.Pass, of: replica.FirstOf(&stored.User, snapshot)}, nil
	}
}

// nothing reports whether there is nothing to write.
func (p *plan) nothing() bool {
	return p.change.Empty() && !p.change.Confirmed() && !p.tags()
}

// or returns the plan of an earlier attempt, nil for none, that nobody has answered and
// that was made all the same: which is why there is nothing left to do, and the row is
// from when that plan was. Otherwise it returns p.
func (p *plan) or(lost *plan) *plan {
	if lost == nil || lost.change.Empty() || !p.nothing() || !p.was().Updated.Equal(lost.change.User.Updated) {
		return p
	}
	made := *lost
	made.change.User = p.change.User
	return &made
}

// tags reports whether a pass has seen the user that is not on record yet.
func (p *plan) tags() bool {
	return p.pass != "" && p.pass != p.was().pass && p.pass != p.was().confirmedBy
}

// seenBy is the pass to put on record.
func (p *plan) seenBy() string {
	switch was := p.was(); {
	case p.pass != "":
		return p.pass
	case p.change.Empty():
		return was.confirmedBy
	default:
		return was.pass
	}
}

// was is the user as stored, empty for nobody.
func (p *plan) was() *row {
	if p.before == nil {
		return &row{}
	}
	return p.before
}

// seen is the change as everybody sees it: Enabled is the pool's word in what is
// stored, and that of both sides in what is told.
func (p *plan) seen() replica.Change {
	change := p.change
	if p.before == nil {
		return change
	}
	after := p.before.turned(change.User.Enabled)
	after.User = change.User
	change.User = after.user()
	if change.Before != nil {
		before := *p.before
		before.User = *change.Before
		seen := before.user()
		change.Before = &seen
	}
	return change
}

// row is a user as stored. Enabled is the pool's word alone.
type row struct {
	replica.User
	inactive    bool // the application has the account turned off
	deactivated bool // and it is turned off because the pool said so

	// The last passes that had something new to say of the user, and that
	// confirmed what was known. Empty: none.
	pass, confirmedBy string

	version string // of what is stored, where the engine knows

	// unclaimed are the groups, by name, that somebody else put the user into:
	// memberships of Django's that neither the pool has stated nor a grant made.
	unclaimed map[string]bool

	granted string // the one of unclaimed that a grant makes its own; empty: none
}

func (r *row) unclaim(group string) {
	if r.unclaimed == nil {
		r.unclaimed = make(map[string]bool)
	}
	r.unclaimed[group] = true
}

// claim makes memberships that were unclaimed the pool's alone, where the change
// has the pool state them: another backend may well have written them from the
// pool's word, and then nobody but the pool can end them.
func (r *row) claim(change *replica.Change) {
	if r == nil || len(r.unclaimed) == 0 || change.Empty() {
		return
	}
	change.User.Groups = slices.Clone(change.User.Groups)
	for i, m := range change.User.Groups {
		if m.Pool && r.unclaimed[m.Name] {
			change.User.Groups[i].Local = false
		}
	}
}

// user returns the user as everybody sees them.
func (r row) user() replica.User {
	u := r.User
	u.Enabled = u.Enabled && !r.inactive
	if slices.ContainsFunc(u.Groups, unstated) {
		u.Groups = slices.DeleteFunc(slices.Clone(u.Groups), unstated)
	}
	return u
}

// unstated reports whether a membership is there that nobody makes so: the pool took it
// away, and a backend that does not know yet wrote it again.
func unstated(m replica.Membership) bool { return !m.Pool && !m.Local }

// turned returns the row with the account turned off or on as the pool says. An
// account that the application turned off by itself stays off.
func (r row) turned(enabled bool) row {
	switch {
	case r.LinkedTo != 0: // its own account is off anyhow
	case !enabled && !r.inactive:
		r.inactive, r.deactivated = true, true
	case enabled && r.deactivated:
		r.inactive, r.deactivated = false, false
	}
	return r
}
