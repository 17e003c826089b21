package sqlreplica

import (
	"context"
	"database/sql"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// crowd is a few people and what many say of them at once.
type crowd struct {
	ids   []int64
	clock atomic.Int64
	calls atomic.Int64

	mu     sync.Mutex
	latest []fate
	local  []map[string]bool  // groups by our word
	told   map[string][]Entry // what came out of the outbox, by subject
}

// fate is the last that the pool has said of somebody.
type fate struct {
	at   int64
	gone bool
}

func moment(at int64) time.Time { return stated.Add(time.Duration(at) * time.Second) }

// said is what the pool says of a person at a moment, which settles all of it: one of
// three things, mostly what it was the moment before.
func said(person int, at int64) replica.Snapshot {
	h := fnv.New64a()
	fmt.Fprint(h, person, "is", at/8%3)
	x := h.Sum64()
	enabled := x&7 != 0
	s := replica.Snapshot{
		Issuer: testIssuer, Subject: fmt.Sprint("subject-", person), Username: fmt.Sprint("user-", person), Name: fmt.Sprint("name ", x>>3&1),
		Enabled: &enabled, GroupsKnown: true, At: moment(at),
	}
	for i, name := range []string{"a", "b", "c"} {
		if x>>(8+i)&1 != 0 {
			continue
		}
		g := replica.GroupRef{Name: name}
		if x>>(16+i)&7 == 0 {
			n := int(at % 3)
			g.Precedence = &n
		}
		s.Groups = append(s.Groups, g)
	}
	return s
}

func (c *crowd) counts(person int, f fate) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f.at >= c.latest[person].at {
		c.latest[person] = f
	}
}

// say has a store hear something of somebody, or of everybody.
func (c *crowd) say(ctx context.Context, s *Store) error {
	c.calls.Add(1)
	// Of two that speak of one moment, the one that the database hears last counts. So sweeps have
	// the odd moments to themselves: nobody here sees which of two came last.
	at := c.clock.Add(2)
	late := max(2, at-2*rand.Int64N(16)*rand.Int64N(2))
	switch rand.IntN(12) {
	case 0:
		batch := make([]replica.Snapshot, len(c.ids))
		for i := range batch {
			batch[i] = said(i, late)
			batch[i].Pass = fmt.Sprint("pass ", late)
		}
		if _, err := s.ApplyBatch(ctx, batch); err != nil {
			return err
		}
		for i := range batch {
			c.counts(i, fate{late, false})
		}
	case 1:
		at++
		swept, err := s.Sweep(ctx, testIssuer, fmt.Sprint("sweep ", at), replica.SweepOptions{Began: moment(at), MaxShare: 1})
		for _, change := range swept.Changes {
			n, _ := strconv.Atoi(strings.TrimPrefix(change.User.Subject, "subject-"))
			c.counts(n, fate{at, true})
		}
		return err
	default:
		i := rand.IntN(len(c.ids))
		snapshot := said(i, late)
		snapshot.SignIn = rand.IntN(4) == 0
		if _, err := s.Apply(ctx, snapshot); err != nil {
			return err
		}
		c.counts(i, fate{late, false})
	}
	return nil
}

// regroup has somebody put into a group by our word, or taken out again.
func (c *crowd) regroup(ctx context.Context, s *Store, i int) error {
	c.calls.Add(1)
	group := []string{"a", "b", "ours"}[rand.IntN(3)]
	to := s.GrantLocalGroup
	if c.local[i][group] {
		to = s.RevokeLocalGroup
	}
	_, err := to(ctx, c.ids[i], group)
	c.local[i][group] = c.local[i][group] == (err != nil)
	return err
}

func (c *crowd) take(ctx context.Context, s *Store) (int, error) {
	return s.Outbox(ctx, 50, func(_ context.Context, _ *sql.Tx, entries []Entry) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, e := range entries {
			c.told[e.Record.User.Subject] = append(c.told[e.Record.User.Subject], e)
		}
		return nil
	})
}

// TestCrowd has everything happen to a few people at once: statements, late ones too,
// batches, sweeps and grants, through stores with and without OnChange, over
// connections of every kind, while others take from the outbox. No fault comes out, in
// between everybody is as was said last, and what came out of the outbox says how they
// came to be so. CODEGRANT_TEST_CROWD has it go on for longer.
func TestCrowd(t *testing.T) {
	long := 2 * time.Second
	if v := os.Getenv("CODEGRANT_TEST_CROWD"); v != "" {
		var err error
		if long, err = time.ParseDuration(v); err != nil {
			t.Fatal(err)
		}
	}
	stores := storesInOneSchema(t)
	c := &crowd{told: make(map[string][]Entry), latest: make([]fate, 3), local: make([]map[string]bool, 3)}
	for i := range c.latest {
		c.ids, c.local[i] = append(c.ids, apply(t, stores[0], said(i, 0)).User.ID), make(map[string]bool)
	}
	rounds := 0
	for end := time.Now().Add(long); time.Now().Before(end) && !t.Failed(); rounds++ {
		c.round(t, stores)
	}
	t.Logf("%d rounds, %d calls", rounds, c.calls.Load())
}

// round has everybody call a few times at once, and then looks.
func (c *crowd) round(t *testing.T, stores []*Store) {
	var work sync.WaitGroup
	few := func(what string, f func(*Store) error) {
		work.Go(func() {
			for range 3 {
				if err := f(stores[rand.IntN(len(stores))]); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
	for range 8 {
		few("say", func(s *Store) error { return c.say(t.Context(), s) })
	}
	for i := range c.ids {
		few("regroup", func(s *Store) error { return c.regroup(t.Context(), s, i) })
	}
	for range 2 {
		few("take", func(s *Store) error { _, err := c.take(t.Context(), s); return err })
	}
	work.Wait()
	for {
		if n, err := c.take(t.Context(), stores[0]); err != nil {
			t.Fatal(err)
		} else if n == 0 {
			break
		}
	}
	for i, id := range c.ids {
		u, err := stores[0].User(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		c.check(t, i, u)
		replay(t, u, c.told[u.Subject])
	}
}

// check compares a person with what was said of them.
func (c *crowd) check(t *testing.T, i int, u replica.User) {
	t.Helper()
	f := c.latest[i]
	last := said(i, f.at)
	if u.Deleted.IsZero() == f.gone || !u.AsOf.Equal(last.At) || !u.GroupsAsOf.Equal(last.At) ||
		!f.gone && (u.Name != last.Name || u.Enabled != *last.Enabled) {
		t.Errorf("the last said was %+v,\n%+v,\nand they are\n%+v", f, last, u)
	}
	type word struct{ pool, local bool }
	want, got := make(map[string]word), make(map[string]word)
	if !f.gone {
		for _, g := range last.Groups {
			want[g.Name] = word{pool: true}
		}
	}
	for name, is := range c.local[i] {
		if is {
			want[name] = word{want[name].pool, true}
		}
	}
	for _, m := range u.Groups {
		got[m.Name] = word{m.Pool, m.Local}
		if m.Precedence != nil && int64(*m.Precedence) != int64(m.AsOf.Sub(stated)/time.Second)%3 {
			t.Errorf("%s has the precedence %d, which was not said at %v", m.Name, *m.Precedence, m.AsOf)
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("%s, last %+v: memberships %v, want %v", u.Subject, f, got, want)
	}
}

// replay follows what came out of the outbox, to how a person is.
func replay(t *testing.T, u replica.User, entries []Entry) {
	t.Helper()
	groups, previous := make(map[string]bool), int64(0)
	for _, e := range entries {
		if e.ID <= previous || e.Record.User.ID != u.ID {
			t.Errorf("%s: the entry %d, about %d, came after %d", u.Subject, e.ID, e.Record.User.ID, previous)
		}
		previous = e.ID
		for _, name := range e.Record.GroupsAdded {
			if groups[name] {
				t.Errorf("%s, entry %d: %s is added again", u.Subject, e.ID, name)
			}
			groups[name] = true
		}
		for _, name := range e.Record.GroupsRemoved {
			if !groups[name] {
				t.Errorf("%s, entry %d: %s is removed again", u.Subject, e.ID, name)
			}
			delete(groups, name)
		}
		recorded := make(map[string]bool)
		for _, g := range e.Record.User.Groups {
			recorded[g.Name] = true
		}
		if !maps.Equal(recorded, groups) {
			t.Errorf("%s, entry %d: the groups are %v, the changes until then make %v", u.Subject, e.ID, recorded, groups)
		}
	}
	for _, m := range u.Groups {
		if !groups[m.Name] {
			t.Errorf("%s: no entry has put them into %s", u.Subject, m.Name)
		}
	}
	if len(entries) == 0 || len(groups) != len(u.Groups) {
		t.Fatalf("%s: %d entries end with %v, stored %+v", u.Subject, len(entries), groups, u.Groups)
	}
	last := entries[len(entries)-1].Record.User
	if last.Name != u.Name || last.Enabled != u.Enabled || !last.Deleted.Equal(u.Deleted) || !last.LastSignIn.Equal(u.LastSignIn) {
		t.Errorf("the last entry has\n%+v,\nstored\n%+v", last, u)
	}
}

// storesInOneSchema returns stores of one replica, each with connections of another kind.
func storesInOneSchema(t *testing.T) []*Store {
	base, err := url.Parse(postgresSchema(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	var stores []*Store
	for i, way := range []struct{ mode, isolation string }{
		{"cache_statement", "read%20committed"}, {"simple_protocol", "read%20committed"}, {"exec", "read%20committed"},
		{"cache_statement", "repeatable%20read"}, {"simple_protocol", "serializable"},
	} {
		u := *base
		u.RawQuery += "&default_query_exec_mode=" + way.mode + "&default_transaction_isolation=" + way.isolation
		db, err := sql.Open("pgx", u.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		db.SetMaxOpenConns(8)
		db.SetMaxIdleConns(8)
		for _, onChange := range []func(context.Context, *sql.Tx, replica.Change) error{nil, joins} {
			s, err := New(db, Config{Dialect: PostgreSQL, Outbox: &Outbox{}, OnChange: onChange})
			if err != nil {
				t.Fatal(err)
			}
			if onChange == nil || i%2 == 0 {
				stores = append(stores, s)
			}
		}
	}
	if err := stores[0].Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return stores
}
