package replicatest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// Harness is how the suite gets at the stores that it tests.
type Harness struct {
	// New returns an empty store that is ready for use and shares nothing with
	// any other. It registers its clean-up with t.Cleanup.
	New func(t *testing.T, o Options) replica.Store

	// Writes returns how many times the store has begun to write anything so far.
	// Nil: the suite judges by what can be read.
	Writes func(s replica.Store) int64

	// NoOnChange says that the store has no hook that joins its transactions,
	// and that Options.OnChange has no effect.
	NoOnChange bool

	// NoBatch says that the store is no [replica.BatchStore].
	NoBatch bool

	// Except names cases that the store cannot pass, and why. Naming one that
	// does not exist is a failure.
	Except map[string]string
}

// Options are what a store is made with.
type Options struct {
	Policy replica.Policy

	// Now is the clock for the times of rows. Never nil.
	Now func() time.Time

	// OnChange is called within the transaction of a change, before it is
	// committed. Nil: nothing is called.
	OnChange func(ctx context.Context, change replica.Change) error
}

// Run tests that the stores of a harness keep the contract of [replica.Store]. A
// case that fails says why it is there.
func Run(t *testing.T, h Harness) {
	cases := slices.Concat(applyCases, orderCases, groupCases, localCases, equalityCases, lookupCases, listCases, concurrencyCases, contextCases)
	if !h.NoOnChange {
		cases = append(cases, hookCases...)
	}
	if !h.NoBatch {
		cases = append(cases, slices.Concat(batchCases, sweepCases)...)
	}
	known := make(map[string]bool)
	for _, c := range cases {
		known[c.name] = true
		if reason, ok := h.Except[c.name]; ok {
			t.Logf("%s is left out: %s", c.name, reason)
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("why this matters: %s", c.why)
				}
			})
			c.run(&test{T: t, harness: h})
		})
	}
	for name := range h.Except {
		if !known[name] {
			t.Errorf("Harness.Except names %q, which is not a case", name)
		}
	}
}

// testCase is one promise of the contract.
type testCase struct {
	name, why string
	run       func(t *test)
}

// test is a running case, with the vocabulary of the suite.
type test struct {
	*testing.T
	harness Harness
}

const (
	issuer      = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"
	otherIssuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Zz99Zz99Z"
)

// Times of the suite: the pool speaks around stated, the rows are written at clock.
var (
	stated = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	clock  = time.Date(2026, 3, 1, 13, 0, 0, 123456000, time.UTC)
)

func at(seconds int) time.Time { return stated.Add(time.Duration(seconds) * time.Second) }

func (t *test) store(edits ...func(*Options)) replica.Store {
	t.Helper()
	o := Options{Now: func() time.Time { return clock }}
	for _, edit := range edits {
		edit(&o)
	}
	return t.harness.New(t.T, o)
}

// person returns a snapshot of the person with that number, stated some seconds
// after the first.
func person(number, seconds int, edits ...func(*replica.Snapshot)) replica.Snapshot {
	s := replica.Snapshot{
		Issuer: issuer, Subject: fmt.Sprintf("11111111-2222-3333-4444-%012d", number),
		Username: fmt.Sprintf("user-%d", number), Email: fmt.Sprintf("user-%d@example.com", number), EmailVerified: true,
		Name: fmt.Sprintf("Person %d Family-%d", number, number), GivenName: fmt.Sprintf("Person %d", number), FamilyName: fmt.Sprintf("Family-%d", number),
		GroupsKnown: true, At: at(seconds),
	}
	for _, edit := range edits {
		edit(&s)
	}
	return s
}

// in returns an edit that puts a person into groups.
func in(names ...string) func(*replica.Snapshot) {
	return func(s *replica.Snapshot) {
		s.Groups, s.GroupsKnown = nil, true
		for _, name := range names {
			s.Groups = append(s.Groups, replica.GroupRef{Name: name})
		}
	}
}

func (t *test) apply(s replica.Store, snapshot replica.Snapshot) replica.Change {
	t.Helper()
	c, err := s.Apply(t.Context(), snapshot)
	if err != nil {
		t.Fatalf("Apply of %s as of %v: %v", snapshot.Subject, snapshot.At, err)
	}
	return c
}

func (t *test) user(s replica.Store, id int64) replica.User {
	t.Helper()
	u, err := s.User(t.Context(), id)
	if err != nil {
		t.Fatalf("User(%d): %v", id, err)
	}
	return u
}

func (t *test) bySubject(s replica.Store, snapshot replica.Snapshot) replica.User {
	t.Helper()
	u, err := s.UserBySubject(t.Context(), snapshot.Issuer, snapshot.Subject)
	if err != nil {
		t.Fatalf("UserBySubject(%q): %v", snapshot.Subject, err)
	}
	return u
}

// all walks through every page.
func (t *test) all(s replica.Store, q replica.UserQuery) []replica.User {
	t.Helper()
	var users []replica.User
	for range 1000 {
		page, err := s.Users(t.Context(), q)
		if err != nil {
			t.Fatalf("Users(%+v): %v", q, err)
		}
		users = append(users, page.Users...)
		if page.Next == "" {
			return users
		}
		q.After = page.Next
	}
	t.Fatalf("Users(%+v) has no last page", q)
	return nil
}

func (t *test) allGroups(s replica.Store, issuer string) []replica.Group {
	t.Helper()
	page, err := s.Groups(t.Context(), replica.GroupQuery{Issuer: issuer, Limit: replica.MaxPage})
	if err != nil || page.Next != "" {
		t.Fatalf("Groups: next %q, %v", page.Next, err)
	}
	return page.Groups
}

// groups writes memberships as "admins(p) locals(l)", by who states them.
func groups(u replica.User) string {
	var parts []string
	for _, m := range u.Groups {
		part := m.Name + "("
		if m.Pool {
			part += "p"
		}
		if m.Local {
			part += "l"
		}
		parts = append(parts, part+")")
	}
	return strings.Join(parts, " ")
}

// expectGroups compares memberships in the form of groups.
func (t *test) expectGroups(u replica.User, want string) {
	t.Helper()
	if got := groups(u); got != want {
		t.Errorf("groups of %s = %q, want %q", u.Username, got, want)
	}
}

func subjects(users []replica.User) []string {
	var subjects []string
	for _, u := range users {
		subjects = append(subjects, u.Subject)
	}
	return subjects
}

// sameUser compares two users in every field.
func (t *test) sameUser(what string, got, want replica.User) {
	t.Helper()
	if g, w := show(got), show(want); g != w {
		t.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}

// show writes a user out, so that times are compared as instants and pointers by
// what they point to.
func show(u replica.User) string {
	var b strings.Builder
	instant := func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
	fmt.Fprintf(&b, "%d %q %q %q %q/%t %q %q %q %q/%t %q %q enabled=%t %q\n\tfirst %s last %s created %s updated %s as of %s groups %s",
		u.ID, u.Issuer, u.Subject, u.Username, u.Email, u.EmailVerified, u.Name, u.GivenName, u.FamilyName,
		u.PhoneNumber, u.PhoneNumberVerified, u.Locale, u.Custom, u.Enabled, u.Status,
		instant(u.FirstSignIn), instant(u.LastSignIn), instant(u.Created), instant(u.Updated), instant(u.AsOf), instant(u.GroupsAsOf))
	for _, m := range u.Groups {
		precedence := "none"
		if m.Precedence != nil {
			precedence = fmt.Sprint(*m.Precedence)
		}
		fmt.Fprintf(&b, "\n\tgroup %d %q %q %s precedence %s as of %s, pool %t, local %t",
			m.ID, m.Issuer, m.Name, m.Origin, precedence, instant(m.AsOf), m.Pool, m.Local)
	}
	return b.String()
}

// changesNothing checks that f tells of no change, that nothing of the user is
// different but the times of the newest statement, and that it writes nothing when
// it is repeated.
func (t *test) changesNothing(s replica.Store, id int64, f func() replica.Change) {
	t.Helper()
	before := t.user(s, id)
	change := f()
	if !change.Empty() {
		t.Errorf("a change of nothing reports %q", change.Fields)
	}
	after := t.user(s, id)
	t.sameUser("user of the empty change", change.User, after)
	if after.AsOf.Before(before.AsOf) || after.GroupsAsOf.Before(before.GroupsAsOf) {
		t.Errorf("a change of nothing moved the times of the newest statement back: %s", show(after))
	}
	before.AsOf, before.GroupsAsOf = after.AsOf, after.GroupsAsOf
	for i := range min(len(before.Groups), len(after.Groups)) {
		before.Groups[i].AsOf = after.Groups[i].AsOf
	}
	t.sameUser("user after a change of nothing", after, before)
	t.writesNothing(s, id, f)
}

// writesNothing checks that f neither changes the user nor begins to write.
func (t *test) writesNothing(s replica.Store, id int64, f func() replica.Change) {
	t.Helper()
	before := t.user(s, id)
	var writes int64
	if t.harness.Writes != nil {
		writes = t.harness.Writes(s)
	}
	change := f()
	if t.harness.Writes != nil {
		if n := t.harness.Writes(s) - writes; n != 0 {
			t.Errorf("a change of nothing began to write %d times", n)
		}
	}
	if !change.Empty() {
		t.Errorf("a change of nothing reports %q", change.Fields)
	}
	t.sameUser("user after a change of nothing", t.user(s, id), before)
	t.sameUser("user of the empty change", change.User, before)
}

func ptr[T any](v T) *T { return &v }
