package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"
)

// regional is a pool in one Region: it can be away, and it can lack users that were
// made since.
type regional struct {
	Source
	away  atomic.Bool
	lacks atomic.Pointer[string]
	asked atomic.Int64
}

func (r *regional) fault() error {
	r.asked.Add(1)
	if r.away.Load() {
		return fmt.Errorf("%w: connection refused", ErrUnavailable)
	}
	return nil
}

func (r *regional) Users(ctx context.Context, q UserQuery) (UserPage, error) {
	if err := r.fault(); err != nil {
		return UserPage{}, err
	}
	page, err := r.Source.Users(ctx, q)
	if lacks := r.lacks.Load(); lacks != nil {
		page.Users = slices.DeleteFunc(page.Users, func(u User) bool { return u.Subject() == *lacks })
	}
	return page, err
}

func (r *regional) Groups(ctx context.Context, after string) (GroupPage, error) {
	if err := r.fault(); err != nil {
		return GroupPage{}, err
	}
	return r.Source.Groups(ctx, after)
}

func (r *regional) Members(ctx context.Context, group, after string) (MemberPage, error) {
	if err := r.fault(); err != nil {
		return MemberPage{}, err
	}
	return r.Source.Members(ctx, group, after)
}

func (r *regional) User(ctx context.Context, subject string) (User, error) {
	if err := r.fault(); err != nil {
		return User{}, err
	}
	if lacks := r.lacks.Load(); lacks != nil && *lacks == subject {
		return User{}, ErrNotFound
	}
	return r.Source.User(ctx, subject)
}

// TestReplicated_PrimaryAway: the replica follows the pool through its secondary
// Region, people stay the rows that they are, and nobody is removed whom the secondary
// does not know yet.
func TestReplicated_PrimaryAway(t *testing.T) {
	rig := newRig(t)
	primary, secondary := &regional{Source: rig.source()}, &regional{Source: rig.source()}
	source, err := NewReplicated(ReplicatedConfig{Primary: primary, Secondary: secondary, Lag: time.Millisecond, Recheck: time.Nanosecond})
	rig.ok(err)
	alice, bob := rig.user("alice"), rig.user("bob")
	sync := rig.sync(func(c *Config) { c.Source = source })
	pass := func() Report {
		t.Helper()
		report, err := sync.Run(t.Context(), Options{Full: true})
		rig.ok(err)
		return report
	}
	pass()
	if n := secondary.asked.Load(); n != 0 {
		t.Errorf("the secondary was asked %d times while the primary was there", n)
	}
	before := rig.known(alice)

	primary.away.Store(true)
	rig.disable("alice")
	secondary.lacks.Store(&bob)
	time.Sleep(2 * time.Millisecond) // the time by which the secondary's word is older
	if report := pass(); report.Removed != 0 || report.Disabled != 1 {
		t.Errorf("pass in the secondary Region: %+v, want one disabled and nobody removed", report)
	}
	if after := rig.known(alice); after.ID != before.ID || after.Enabled {
		t.Errorf("alice is %+v, was %+v: want the same row, disabled", after, before)
	}
	if rig.known(bob).ID == 0 {
		t.Error("bob was removed")
	}
	if _, err := source.User(t.Context(), bob); !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNotFound) {
		t.Errorf("lookup of somebody whom the secondary lacks = %v, want unavailable", err)
	}
	if u, err := source.User(t.Context(), alice); err != nil || u.Enabled {
		t.Errorf("lookup of alice = %+v, %v", u, err)
	}

	primary.away.Store(false)
	rig.remove("bob")
	if report := pass(); report.Removed != 1 {
		t.Errorf("pass in the primary Region again: %+v, want one removed", report)
	}
}

// TestReplicated_FailsInBetween: a pass whose Region fails ends, and the next one reads
// the other from the start.
func TestReplicated_FailsInBetween(t *testing.T) {
	rig := newRig(t)
	primary, secondary := &regional{Source: rig.source()}, &regional{Source: rig.source()}
	source, err := NewReplicated(ReplicatedConfig{Primary: primary, Secondary: secondary, Lag: time.Millisecond})
	rig.ok(err)
	rig.group("editors", nil)
	alice := rig.user("alice", "editors")
	sync := rig.sync(func(c *Config) { c.Source = source })
	_, err = sync.Run(t.Context(), Options{Full: true, Progress: func(r Report) {
		if r.Phase == phaseUsers {
			primary.away.Store(true)
		}
	}})
	if !errors.Is(err, ErrUnavailable) {
		t.Fatalf("Run() = %v, want unavailable", err)
	}
	report, err := sync.Run(t.Context(), Options{Full: true})
	rig.ok(err)
	if report.Resumed != 0 || report.Users != 1 || rig.known(alice).Username != "alice" {
		t.Errorf("pass after it = %+v", report)
	}
	if _, err := cursorOf("secondary x", false); !errors.Is(err, ErrStaleCursor) {
		t.Errorf("cursor of the other Region = %v", err)
	}
}

// TestReplicated_RefusalsStay: what the primary refuses the secondary is not asked.
func TestReplicated_RefusalsStay(t *testing.T) {
	rig := newRig(t)
	secondary := &regional{Source: rig.source()}
	source, err := NewReplicated(ReplicatedConfig{Primary: rig.source(), Secondary: secondary})
	rig.ok(err)
	if _, err := source.User(t.Context(), "nobody"); !errors.Is(err, ErrNotFound) || secondary.asked.Load() != 0 {
		t.Errorf("lookup of nobody = %v, after %d calls of the secondary", err, secondary.asked.Load())
	}
}
