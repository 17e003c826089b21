package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// Look looks up what events name, and updates the replica and the sessions with the pool's
// current data. Events may come any number of times, in any order, and from any number of
// processes. Events that a recovery of the pool has undone are left out. While one runs, the
// error is [ErrRecovering], and the same events are to come again.
func (s *Sync) Look(ctx context.Context, events []Event) error {
	if len(events) == 0 {
		return nil
	}
	events, wait, err := s.sift(ctx, events)
	if err != nil {
		return fmt.Errorf("look into events: %w", err)
	}
	if len(events) == 0 {
		return named("look into events", wait)
	}
	l := newLook(events)
	var e effects
	// Attributes first: whether somebody may sign in does not wait for groups.
	doubtful, err := s.lookAtUsers(ctx, slices.Sorted(maps.Keys(l.users)), l, &e)
	if err == nil {
		err = s.lookAtMembers(ctx, l, &e)
	}
	if err == nil && len(doubtful) > 0 && s.Recheck > 0 {
		// The pool's lists can be a moment old. If an event says something that the pool does
		// not, look again.
		if err = sleep(ctx, s.Recheck); err == nil {
			_, err = s.lookAtUsers(ctx, doubtful, l, &e)
		}
	}
	if err != nil { // who asked for it hears why
		return fmt.Errorf("look into events: %w", err)
	}
	s.log.Info("events looked into", slog.Int("events", len(events)), slog.Duration("age", age(events)), slog.Int("created", e.created),
		slog.Int("changed", e.changed), slog.Int("disabled", e.disabled), slog.Int("regrouped", e.regrouped),
		slog.Int("sessions_ended", e.sessionsEnded), slog.Int("sessions_stale", e.sessionsStale))
	return named("look into events", wait)
}

// age is how long ago the oldest of the events happened, by the clock of whoever
// sent it: how far behind the sessions were. Zero where no sender says.
func age(events []Event) time.Duration {
	var oldest time.Time
	for _, e := range events {
		if !e.Time.IsZero() && (oldest.IsZero() || e.Time.Before(oldest)) {
			oldest = e.Time
		}
	}
	if oldest.IsZero() {
		return 0
	}
	return max(time.Since(oldest), 0).Round(time.Millisecond)
}

// User looks up one user, updates the replica and returns its data. Memberships stay as
// they are, because no listing shows the groups of one person. It returns [ErrNotFound] if
// neither side has the person.
func (s *Sync) User(ctx context.Context, subject string) (replica.User, error) {
	if err := s.Look(ctx, []Event{{Name: "User", Subject: subject, kind: aboutUser}}); err != nil {
		return replica.User{}, err
	}
	u, err := s.Replica.UserBySubject(ctx, s.Issuer, subject)
	if errors.Is(err, replica.ErrNotFound) {
		err = fmt.Errorf("user %.64q: %w", subject, ErrNotFound)
	}
	return u, err
}

// UserAndGroups is [Sync.User], and also updates the memberships. It reads each group until
// it finds the user, or completely. This can take as long as a full pass over the groups.
func (s *Sync) UserAndGroups(ctx context.Context, subject string) (replica.User, error) {
	groups, err := s.listed.read(ctx, s.Source, true)
	if errors.Is(err, ErrNoGroups) {
		return s.User(ctx, subject)
	}
	if err != nil {
		return replica.User{}, fmt.Errorf("look for groups: %w", err)
	}
	names := make(map[string]bool)
	for name := range groups {
		names[name] = true
	}
	if u, err := s.Replica.UserBySubject(ctx, s.Issuer, subject); err == nil {
		for _, g := range u.Groups {
			if g.Origin != replica.OriginLocal {
				names[g.Name] = true
			}
		}
	}
	// First, so that the groups are those of somebody whom the replica knows.
	if u, err := s.User(ctx, subject); err != nil || !u.Enabled {
		return u, err
	}
	var events []Event
	for name := range names {
		events = append(events, Event{Name: "User", Subject: subject, Group: name, kind: aboutMember})
	}
	if err := s.Look(ctx, events); err != nil {
		return replica.User{}, err
	}
	return s.Replica.UserBySubject(ctx, s.Issuer, subject)
}

// look is what to look at, for some events together.
type look struct {
	users     map[string][]kind          // by subject
	signedOut map[string]time.Time       // everywhere, by subject: when, as the sender says
	members   map[string]map[string]bool // subjects by group
	groups    map[string]bool            // wholly
}

func newLook(events []Event) *look {
	l := &look{users: make(map[string][]kind), members: make(map[string]map[string]bool), groups: make(map[string]bool), signedOut: make(map[string]time.Time)}
	for _, e := range events {
		if at := l.signedOut[e.Subject]; e.kind == signedOut && e.Time.After(at) {
			l.signedOut[e.Subject] = e.Time
		}
		if e.Subject != "" {
			l.users[e.Subject] = append(l.users[e.Subject], e.kind)
		}
		switch {
		case e.kind == aboutGroup:
			l.groups[e.Group] = true
		case e.kind == aboutMember && e.Group != "":
			if l.members[e.Group] == nil {
				l.members[e.Group] = make(map[string]bool)
			}
			l.members[e.Group][e.Subject] = true
		}
	}
	return l
}

// lookAtUsers looks users up, and returns those of whom the pool says otherwise
// than the events.
func (s *Sync) lookAtUsers(ctx context.Context, subjects []string, l *look, e *effects) ([]string, error) {
	var mu sync.Mutex // guards the variables below
	var snapshots []replica.Snapshot
	var doubtful []string
	err := parallel(ctx, s.Concurrency, subjects, func(ctx context.Context, subject string) error {
		if !slices.ContainsFunc(l.users[subject], func(k kind) bool { return k != aboutMember && k != signedOut }) {
			_, err := s.Replica.UserBySubject(ctx, s.Issuer, subject)
			if !errors.Is(err, replica.ErrNotFound) { // who is known need not be looked up for that
				return err
			}
		}
		at := s.now()
		u, err := s.Source.User(ctx, subject)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			snapshots = append(snapshots, s.snapshot(u))
		} else {
			snapshots = append(snapshots, s.goneSnapshot(subject, at))
		}
		if doubted(l.users[subject], u, err == nil) {
			doubtful = append(doubtful, subject)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	snapshots, err = s.withoutStrangers(ctx, snapshots)
	if err != nil {
		return nil, err
	}
	changes, _, err := s.applyAll(ctx, snapshots)
	for _, c := range changes {
		e.count(c)
	}
	// The next steps do not depend on the change: the process that made it may have ended
	// before it could do them.
	for _, subject := range subjects {
		u, unknown := s.Replica.UserBySubject(ctx, s.Issuer, subject)
		switch {
		case errors.Is(unknown, replica.ErrNotFound):
			err = errors.Join(err, s.endUnknown(ctx, subject, l.users[subject], e))
		case unknown != nil:
			err = errors.Join(err, unknown)
		case !u.Enabled || !u.Deleted.IsZero():
			err = errors.Join(err, s.endSessions(ctx, subject, e))
		case !l.signedOut[subject].IsZero():
			at := l.signedOut[subject]
			if now := s.now(); at.After(now) {
				at = now // a sender's clock refuses nobody in days to come
			}
			err = errors.Join(err, s.mark(ctx, subject, at), s.staleSessions(ctx, subject, e))
		case slices.Contains(l.users[subject], signedOut) || slices.Contains(l.users[subject], aboutMember):
			err = errors.Join(err, s.staleSessions(ctx, subject, e))
		}
	}
	slices.Sort(doubtful)
	return doubtful, err
}

// endUnknown sees to the sessions of somebody whom the replica does not know, and
// the pool no longer either, if an event says that they were deleted.
func (s *Sync) endUnknown(ctx context.Context, subject string, kinds []kind, e *effects) error {
	if slices.Contains(kinds, deleted) {
		return s.endSessions(ctx, subject, e)
	}
	return nil
}

// doubted reports whether what the pool says of a user is not what events had one
// expect.
func doubted(kinds []kind, u User, found bool) bool {
	return slices.ContainsFunc(kinds, func(k kind) bool {
		switch k {
		case disabled:
			return found && u.Enabled
		case enabled:
			return found && !u.Enabled
		case deleted:
			return found
		}
		return !found
	})
}

// goneSnapshot says of somebody whom the pool does not have that they may not sign
// in and are in no group. That they are deleted is for a pass to say, which has
// read everybody.
func (s *Sync) goneSnapshot(subject string, at time.Time) replica.Snapshot {
	enabled := false
	return replica.Snapshot{Issuer: s.Issuer, Subject: subject, Enabled: &enabled, GroupsKnown: true, At: at}
}

// withoutStrangers takes out those who are gone and whom the replica does not know,
// or has as deleted: nothing is to be said of them, and an event could name anybody.
func (s *Sync) withoutStrangers(ctx context.Context, snapshots []replica.Snapshot) ([]replica.Snapshot, error) {
	var kept []replica.Snapshot
	for _, snapshot := range snapshots {
		if !snapshot.Complete {
			u, err := s.Replica.UserBySubject(ctx, s.Issuer, snapshot.Subject)
			if errors.Is(err, replica.ErrNotFound) || err == nil && !u.Deleted.IsZero() {
				continue
			}
			if err != nil {
				return nil, err
			}
		}
		kept = append(kept, snapshot)
	}
	return kept, nil
}

// lookAtMembers reads groups: those that events are about wholly, and of the others
// as much as it takes to find the people whom they name.
func (s *Sync) lookAtMembers(ctx context.Context, l *look, e *effects) error {
	if len(l.groups)+len(l.members) == 0 {
		return nil
	}
	groups, err := s.listed.read(ctx, s.Source, len(l.groups) > 0)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(l.groups)) {
		changed, err := s.regroupAll(ctx, name, groups[name])
		e.add(changed)
		if err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.members)) {
		if l.groups[name] {
			continue
		}
		if err := s.regroupSome(ctx, name, groups[name], l.members[name], e); err != nil {
			return err
		}
	}
	return nil
}

// groupList is a listing of the groups. Events about members want it for the order
// of the groups alone, and may come many times a second.
type groupList struct {
	mu     sync.Mutex // guards the fields below, and is held while the list is read
	groups map[string]Group
	at     time.Time
}

// groupListAge is how old a listing may be for that.
const groupListAge = 10 * time.Second

func (l *groupList) read(ctx context.Context, source Source, fresh bool) (map[string]Group, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !fresh && l.groups != nil && time.Since(l.at) < groupListAge {
		return l.groups, nil
	}
	begun := time.Now()
	groups, err := allGroups(ctx, source)
	if err != nil {
		return nil, err
	}
	l.groups, l.at = groups, begun
	return groups, nil
}

// regroupSome brings the memberships of some people in one group in line.
func (s *Sync) regroupSome(ctx context.Context, name string, g Group, wanted map[string]bool, e *effects) error {
	err := s.underGroupsLease(ctx, func(ctx context.Context) error {
		at := s.now()
		var in []string
		if err := s.readGroup(ctx, name, func(subject string) bool {
			if wanted[subject] && !slices.Contains(in, subject) {
				in = append(in, subject)
			}
			return len(in) < len(wanted)
		}); err != nil {
			return err
		}
		var out []string
		for subject := range wanted {
			if !slices.Contains(in, subject) {
				out = append(out, subject)
			}
		}
		if err := s.restate(ctx, replica.GroupRef{Name: name, Precedence: g.Precedence}, in, true, at, e); err != nil {
			return err
		}
		return s.restate(ctx, replica.GroupRef{Name: name}, out, false, at, e)
	})
	return named(fmt.Sprintf("look for members of group %.64q", name), err)
}
