package directory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

// world is a pool that changes all the time, people who sign in, and processes that
// are killed at any moment.
type world struct {
	*rig
	mu     sync.Mutex // one thing happens at a time
	random *rand.Rand
	quiet  bool              // nothing changes any more
	users  map[string]person // by username
	names  []string          // of theirs, and of some who are gone
	groups map[string]bool
	named  int

	signedIn map[string]signIn // by session
	ahead    time.Duration     // of the journal's clock
	changes  int
}

type person struct {
	subject string
	enabled bool
	groups  map[string]bool
}

type signIn struct {
	subject string
	groups  []string
}

func newWorld(t *testing.T, seed uint64, users int) *world {
	w := &world{
		rig: newRig(t), random: rand.New(rand.NewPCG(seed, 1)),
		users: make(map[string]person), groups: make(map[string]bool), signedIn: make(map[string]signIn),
	}
	w.journal.now = func() time.Time { return time.Now().Add(w.ahead) }
	for range size(t, "CODEGRANT_TEST_GROUPS", 6) {
		w.newGroup()
	}
	for range users {
		w.newUser()
	}
	return w
}

func (w *world) newGroup() {
	w.named++
	name := fmt.Sprintf("group%d", w.named)
	if w.random.IntN(4) == 0 {
		name = poolID + "_Provider" + strconv.Itoa(w.named)
	}
	var precedence *int32
	if w.random.IntN(2) == 0 {
		precedence = aws.Int32(w.random.Int32N(5))
	}
	w.rig.group(name, precedence)
	w.groups[name] = true
}

func (w *world) newUser() {
	w.named++
	name := fmt.Sprintf("user%d", w.random.IntN(w.named)) // sometimes a name that somebody had
	if _, ok := w.users[name]; ok {
		name = fmt.Sprintf("user%d", w.named)
	}
	subject := fmt.Sprintf("%08x-0000-4000-8000-%012x", w.random.Uint32(), w.named)
	w.ok(w.server.CreateUser(poolID, localpool.UserSeed{
		Username: name, Email: name + "@example.com", Status: "FORCE_CHANGE_PASSWORD", Attributes: map[string]string{"sub": subject},
	}))
	w.users[name] = person{subject, true, make(map[string]bool)}
	w.names = append(w.names, name)
	for range w.random.IntN(3) {
		w.joinSome(name)
	}
}

func (w *world) joinSome(name string) {
	group := w.pick(w.groups)
	w.ok(w.server.AddToGroup(poolID, name, group))
	w.users[name].groups[group] = true
}

func (w *world) pick(of map[string]bool) string {
	names := slices.Sorted(maps.Keys(of))
	return names[w.random.IntN(len(names))]
}

func (w *world) somebody() (string, person) {
	for {
		name := w.names[w.random.IntN(len(w.names))]
		if p, ok := w.users[name]; ok {
			return name, p
		}
	}
}

// happen changes something, or has somebody sign in.
func (w *world) happen() {
	w.changes++
	name, p := w.somebody()
	switch n := w.random.IntN(100); {
	case n < 8:
		w.newUser()
	case n < 14:
		w.ok(w.server.DeleteUser(poolID, name))
		delete(w.users, name)
	case n < 22:
		w.ok(w.server.DisableUser(poolID, name))
		p.enabled = false
		w.users[name] = p
	case n < 28:
		w.ok(w.server.EnableUser(poolID, name))
		p.enabled = true
		w.users[name] = p
	case n < 45:
		w.joinSome(name)
	case n < 60:
		if len(p.groups) > 0 {
			group := w.pick(p.groups)
			w.ok(w.server.RemoveFromGroup(poolID, name, group))
			delete(p.groups, group)
		}
	case n < 63:
		w.newGroup()
	case n < 66:
		if len(w.groups) > 4 {
			group := w.pick(w.groups)
			w.ok(w.server.DeleteGroup(poolID, group))
			delete(w.groups, group)
			for _, p := range w.users {
				delete(p.groups, group)
			}
		}
	case n < 69:
		group := w.pick(w.groups)
		_, err := w.admin().UpdateGroup(context.Background(), &cip.UpdateGroupInput{UserPoolId: aws.String(poolID), GroupName: &group, Precedence: aws.Int32(w.random.Int32N(9))})
		w.ok(err)
	case n < 85:
		w.ok(w.server.SetAttributes(poolID, name, map[string]string{
			"name": fmt.Sprintf("Name %d", w.random.IntN(50)), "email_verified": []string{"true", "false"}[w.random.IntN(2)],
		}))
	default:
		if p.enabled {
			w.signs(p)
		}
	}
}

// signs has somebody sign in, as the root package does it: the token is applied,
// and then there is a session.
func (w *world) signs(p person) {
	s := replica.Snapshot{Issuer: w.issuer, Subject: p.subject, GroupsKnown: true, Enabled: aws.Bool(true), SignIn: true, At: time.Now()}
	groups := slices.Sorted(maps.Keys(p.groups))
	for _, g := range groups {
		s.Groups = append(s.Groups, replica.GroupRef{Name: g})
	}
	c, err := w.replica.Apply(context.Background(), s)
	w.ok(err)
	if !c.User.Enabled {
		return
	}
	if regrouped(c) {
		_, err := w.sessions.MarkStale(context.Background(), binding, p.subject)
		w.ok(err)
	}
	id := fmt.Sprintf("session%d", len(w.signedIn))
	w.ok(w.sessions.Create(context.Background(), session.Record{
		ID: id, Pool: binding, Subject: p.subject, Created: time.Now(), LastSeen: time.Now(), Expires: time.Now().Add(time.Hour), Sealed: []byte("x"),
	}))
	w.signedIn[id] = signIn{p.subject, groups}
}

var errKilled = errors.New("the process was killed")

// process is what a process of our own does: so many things, and then nothing any
// more. What it was about when it was killed happened, or did not.
type process struct {
	*world
	left int // things to do
	dead bool
}

func do[T any](p *process, f func() (T, error)) (T, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var nothing T
	if p.dead {
		return nothing, errKilled
	}
	if !p.quiet && p.random.IntN(3) == 0 {
		p.happen()
	}
	p.left--
	if p.left == 0 {
		p.dead = true
		if p.random.IntN(2) == 0 {
			_, _ = f()
		}
		return nothing, errKilled
	}
	return f()
}

func act(p *process, f func() error) error {
	_, err := do(p, func() (struct{}, error) { return struct{}{}, f() })
	return err
}

func (p *process) sync(edit ...func(*Config)) *Sync {
	return p.rig.sync(append(edit, func(c *Config) {
		c.Source = processSource{c.Source, p}
		c.Replica = processReplica{c.Replica, p}
		c.Journal = processJournal{c.Journal, p}
		c.Sessions = processSessions{c.Sessions, p}
	})...)
}

type processSource struct {
	Source
	p *process
}

func (s processSource) Users(ctx context.Context, q UserQuery) (UserPage, error) {
	return do(s.p, func() (UserPage, error) { return s.Source.Users(ctx, q) })
}

func (s processSource) Groups(ctx context.Context, after string) (GroupPage, error) {
	return do(s.p, func() (GroupPage, error) { return s.Source.Groups(ctx, after) })
}

func (s processSource) Members(ctx context.Context, group, after string) (MemberPage, error) {
	return do(s.p, func() (MemberPage, error) { return s.Source.Members(ctx, group, after) })
}

func (s processSource) User(ctx context.Context, subject string) (User, error) {
	return do(s.p, func() (User, error) { return s.Source.User(ctx, subject) })
}

type processReplica struct {
	replica.BatchStore
	p *process
}

func (r processReplica) ApplyBatch(ctx context.Context, snapshots []replica.Snapshot) ([]replica.Change, error) {
	return do(r.p, func() ([]replica.Change, error) { return r.BatchStore.ApplyBatch(ctx, snapshots) })
}

func (r processReplica) Sweep(ctx context.Context, issuer, pass string, o replica.SweepOptions) (replica.SweepResult, error) {
	return do(r.p, func() (replica.SweepResult, error) { return r.BatchStore.Sweep(ctx, issuer, pass, o) })
}

func (r processReplica) UserBySubject(ctx context.Context, issuer, subject string) (replica.User, error) {
	return do(r.p, func() (replica.User, error) { return r.BatchStore.UserBySubject(ctx, issuer, subject) })
}

func (r processReplica) Users(ctx context.Context, q replica.UserQuery) (replica.UserPage, error) {
	return do(r.p, func() (replica.UserPage, error) { return r.BatchStore.Users(ctx, q) })
}

type processJournal struct {
	Journal
	p *process
}

func (j processJournal) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (term int64, state []byte, err error) {
	err = act(j.p, func() (err error) {
		term, state, err = j.Journal.Acquire(ctx, name, holder, ttl)
		return err
	})
	return term, state, err
}

func (j processJournal) Renew(ctx context.Context, name string, term int64, ttl time.Duration) error {
	return act(j.p, func() error { return j.Journal.Renew(ctx, name, term, ttl) })
}

func (j processJournal) Write(ctx context.Context, name string, term int64, ttl time.Duration, state []byte) error {
	return act(j.p, func() error { return j.Journal.Write(ctx, name, term, ttl, state) })
}

func (j processJournal) Release(ctx context.Context, name string, term int64) error {
	return act(j.p, func() error { return j.Journal.Release(ctx, name, term) })
}

func (j processJournal) AddMembers(ctx context.Context, pass, group string, subjects []string) error {
	return act(j.p, func() error { return j.Journal.AddMembers(ctx, pass, group, subjects) })
}

func (j processJournal) GroupsOf(ctx context.Context, pass string, subjects []string) (map[string][]string, error) {
	return do(j.p, func() (map[string][]string, error) { return j.Journal.GroupsOf(ctx, pass, subjects) })
}

func (j processJournal) Forget(ctx context.Context, pass string) error {
	return act(j.p, func() error { return j.Journal.Forget(ctx, pass) })
}

type processSessions struct {
	Sessions
	p *process
}

func (s processSessions) DeleteBySubject(ctx context.Context, pool, subject string) (int, error) {
	return do(s.p, func() (int, error) { return s.Sessions.DeleteBySubject(ctx, pool, subject) })
}

func (s processSessions) MarkStale(ctx context.Context, pool, subject string) (int, error) {
	return do(s.p, func() (int, error) { return s.Sessions.MarkStale(ctx, pool, subject) })
}

// runUntilDone makes passes, in one process after the other, each of which is
// killed after a while, until one is done that began after from. They live longer
// and longer, by a share: however large the pool is, one lives long enough.
func (w *world) runUntilDone(o Options, from time.Time, edit ...func(*Config)) (kills int) {
	w.Helper()
	for lifetime := 60; ; lifetime += lifetime / 12 {
		p := &process{world: w, left: 1 + w.random.IntN(lifetime)}
		report, err := p.sync(edit...).Run(w.Context(), o)
		w.ahead += 2 * time.Minute // the lease of a dead process runs out
		switch {
		case err == nil && !report.Began.Before(from):
			return kills
		case p.dead:
			kills++
		case err != nil:
			w.Fatalf("pass: %v", err)
		}
	}
}

// settled checks that no session is left that should not be.
func (w *world) settled() {
	w.Helper()
	for id, s := range w.signedIn {
		state, u := w.session(id), w.known(s.subject)
		var groups []string
		for _, m := range u.Groups {
			groups = append(groups, m.Name)
		}
		switch {
		case !u.Enabled && state != "ended":
			w.Errorf("%s of %s is %s, and the person may not sign in", id, s.subject, state)
		case u.Enabled && state == "live" && !slices.Equal(groups, s.groups):
			w.Errorf("%s of %s is live with groups %q, and they are %q", id, s.subject, s.groups, groups)
		}
	}
}

// size is how large a test is to be, which an environment variable can raise.
func size(t *testing.T, variable string, usual int) int {
	text := os.Getenv(variable)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestS162_KilledPasses changes the pool at random, kills passes at random, also
// between a write and its answer, and has the last pass killed as well: then the
// replica is the pool, row by row, and no session is left that should not be.
func TestS162_KilledPasses(t *testing.T) {
	rounds := size(t, "CODEGRANT_TEST_ROUNDS", 1)
	users := size(t, "CODEGRANT_TEST_USERS", 70)
	for round := range rounds {
		for _, bySubject := range []bool{false, true} {
			t.Run(fmt.Sprintf("round %d, by subject %t", round, bySubject), func(t *testing.T) {
				seed := rand.Uint64()
				t.Logf("seed %d", seed)
				w := newWorld(t, seed, users)
				edit := func(c *Config) { c.BySubject, c.MaxShare = bySubject, 1 }
				kills := 0
				for pass := range 4 {
					kills += w.runUntilDone(Options{Full: pass%2 == 0}, time.Time{}, edit)
				}
				w.quiet = true
				from := time.Now()
				kills += w.runUntilDone(Options{Full: true}, from, edit)
				t.Logf("%d changes, %d sign-ins, %d kills", w.changes, len(w.signedIn), kills)
				w.equal()
				w.settled()
				if kills < 5 {
					t.Errorf("only %d kills", kills)
				}
			})
		}
	}
}
