package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

func TestSync_DryRun(t *testing.T) {
	r := newRig(t)
	r.group("admins", aws.Int32(1))
	r.group("editors", nil)
	alice := r.user("alice", "admins")
	for i := range 30 {
		r.user(fmt.Sprintf("user%d", i), "editors")
	}
	r.full()
	here := r.signIn(alice)
	r.leave("alice", "admins")
	r.remove("user1")
	r.disable("user2")
	r.user("carol", "admins")
	before := fmt.Sprint(r.replicaRows())

	differences := func(o Options) ([]string, Report, error) {
		var found []string
		o.DryRun, o.Difference = true, func(c replica.Change) {
			found = append(found, fmt.Sprintf("%s created=%t %v -%v", c.User.Username, c.Created, c.Fields, c.GroupsRemoved))
		}
		report, err := r.sync().Run(t.Context(), o)
		slices.Sort(found)
		return found, report, err
	}
	found, report, err := differences(Options{Full: true})
	want := []string{
		"alice created=false [groups] -[admins]",
		"carol created=true [email email_verified enabled groups status username] -[]",
		"user1 created=false [deleted enabled groups] -[editors]",
		"user2 created=false [enabled] -[]",
	}
	if err != nil || !slices.Equal(found, want) {
		t.Errorf("differences %s, %v\nwant %s", strings.Join(found, "\n"), err, strings.Join(want, "\n"))
	}
	if report.Created != 1 || report.Changed != 2 || report.Disabled != 1 || report.Regrouped != 1 || report.Removed != 1 || !report.DryRun || report.SessionsEnded+report.SessionsStale != 0 {
		t.Errorf("report = %+v", report)
	}
	if fmt.Sprint(r.replicaRows()) != before || r.session(here) != "live" {
		t.Error("a dry run changed something")
	}
	if found, _, err = differences(Options{}); err != nil || len(found) != 3 { // without groups
		t.Errorf("differences %q, %v", found, err)
	}
	for i := range 15 {
		r.remove(fmt.Sprintf("user%d", i+3))
	}
	if _, report, err = differences(Options{Full: true}); !errors.Is(err, ErrTooManyRemovals) || report.Removed != 16 {
		t.Errorf("report = %+v, %v, want it to say that a pass would refuse", report, err)
	}
	_, err = r.sync().Run(t.Context(), Options{Full: true, MaxShare: 1})
	r.ok(err)
	if found, _, err = differences(Options{Full: true}); err != nil || len(found) != 0 {
		t.Errorf("differences after the pass: %q, %v", found, err)
	}
}

func TestSync_Incremental(t *testing.T) {
	r := newRig(t)
	r.group("admins", nil)
	r.group("old", nil)
	alice, bob := r.user("alice", "admins", "old"), r.user("bob", "old")
	for i := range 200 {
		r.user(fmt.Sprintf("user%d", i), "admins")
	}
	r.full()
	aliceHere, bobHere := r.signIn(alice), r.signIn(bob)
	// As if the last full pass were long ago, and the groups older.
	s := r.sync(func(c *Config) { c.Now = func() time.Time { return time.Now().Add(time.Hour) } })
	_, err := s.Run(t.Context(), Options{Full: true})
	r.ok(err)
	before := r.calls("ListUsersInGroup")

	incremental := func() Report {
		t.Helper()
		s := r.sync(func(c *Config) { c.Now = func() time.Time { return time.Now().Add(2 * time.Hour) } })
		report, err := s.Run(t.Context(), Options{})
		r.ok(err)
		return report
	}
	r.disable("bob")
	r.set("alice", "name", "Alice")
	r.remove("user7")
	report := incremental()
	if n := r.calls("ListUsersInGroup") - before; n != 0 {
		t.Errorf("an incremental pass read the members of groups %d times", n)
	}
	if report.Changed != 2 || report.Removed != 1 || r.known(alice).Name != "Alice" || r.session(bobHere) != "ended" || r.session(aliceHere) != "live" {
		t.Errorf("report = %+v", report)
	}
	r.equal()

	// A group that is gone, and one whose order has changed.
	_, err = r.admin().DeleteGroup(t.Context(), &cip.DeleteGroupInput{UserPoolId: aws.String(poolID), GroupName: aws.String("old")})
	r.ok(err)
	_, err = r.admin().UpdateGroup(t.Context(), &cip.UpdateGroupInput{UserPoolId: aws.String(poolID), GroupName: aws.String("admins"), Precedence: aws.Int32(4)})
	r.ok(err)
	incremental()
	r.equal()
	if r.session(aliceHere) != "stale" {
		t.Errorf("alice's session is %s", r.session(aliceHere))
	}
}

// TestSync_SignInDuringAPass: what somebody's token says, who signed in between the
// reading of the groups and of the users, is not undone by what was read before.
func TestSync_SignInDuringAPass(t *testing.T) {
	r := newRig(t)
	r.group("admins", nil)
	alice := r.user("alice")
	r.full()
	source := &between{Source: r.source(), f: func() {
		r.join("alice", "admins")
		_, err := r.replica.Apply(context.Background(), replica.Snapshot{
			Issuer: r.issuer, Subject: alice, GroupsKnown: true, Groups: []replica.GroupRef{{Name: "admins"}}, At: time.Now(),
		})
		r.ok(err)
		r.disable("alice") // which the pass is the first to see
	}}
	report := r.full(func(c *Config) { c.Source = source })
	if u := r.known(alice); !u.InGroup("admins") || u.Enabled {
		t.Errorf("alice = %+v, report %+v", u, report)
	}
}

// between is a source of one group, during the reading of which something happens
// after its members are read.
type between struct {
	Source
	f func()
}

func (b *between) Members(ctx context.Context, group, after string) (MemberPage, error) {
	page, err := b.Source.Members(ctx, group, after)
	b.f()
	return page, err
}

func TestSync_OneAtATime(t *testing.T) {
	r := newRig(t)
	r.user("alice")
	entered, leave := make(chan struct{}), make(chan struct{})
	var once atomic.Bool
	r.injecting(func(http.ResponseWriter, string, request) bool {
		if once.CompareAndSwap(false, true) {
			close(entered)
			<-leave
		}
		return false
	})
	first := make(chan error)
	go func() {
		_, err := r.sync().Run(context.Background(), Options{Full: true})
		first <- err
	}()
	<-entered
	if _, err := r.sync().Run(t.Context(), Options{Full: true}); !errors.Is(err, ErrRunning) || !errors.Is(err, ErrHeld) {
		t.Errorf("a second pass: %v, want ErrRunning", err)
	}
	// A dry run is in nobody's way.
	if _, err := r.sync().Run(t.Context(), Options{DryRun: true}); err != nil {
		t.Errorf("a dry run meanwhile: %v", err)
	}
	close(leave)
	if err := <-first; err != nil {
		t.Error(err)
	}
	r.equal()
}

// TestS159_LostLease: a process that was held up for longer than its lease notices,
// and leaves the pass to the one that took it over.
func TestS159_LostLease(t *testing.T) {
	r := newRig(t)
	for i := range 130 {
		r.user(fmt.Sprintf("user%d", i))
	}
	var once atomic.Bool
	r.injecting(func(_ http.ResponseWriter, op string, in request) bool {
		if in.PaginationToken != "" && once.CompareAndSwap(false, true) {
			// Held up here; and meanwhile:
			r.journal.mu.Lock()
			r.journal.leases["pass "+r.issuer].until = time.Time{}
			r.journal.mu.Unlock()
			if report, err := r.sync().Run(context.Background(), Options{Full: true}); err != nil || report.Resumed != 1 {
				t.Errorf("the second process: %+v, %v", report, err)
			}
		}
		return false
	})
	_, err := r.sync(func(c *Config) { c.Lease = time.Hour }).Run(t.Context(), Options{Full: true})
	if !errors.Is(err, ErrLost) {
		t.Errorf("the first process: %v, want ErrLost", err)
	}
	r.equal()
}

// TestSync_LeaseIsKept: a pass that takes longer than the lease keeps it.
func TestSync_LeaseIsKept(t *testing.T) {
	r := newRig(t)
	r.user("alice")
	var once atomic.Bool
	r.injecting(func(http.ResponseWriter, string, request) bool {
		if once.CompareAndSwap(false, true) {
			begun := time.Now()
			until(t, "the lease has passed", func() bool { return time.Since(begun) > 2500*time.Millisecond })
		}
		return false
	})
	r.full(func(c *Config) { c.Lease = 2 * time.Second })
	r.equal()
}

// TestSync_SessionStoreFails: a pass whose consequences failed is not done, and the
// next sees to them, although the replica has changed already.
func TestSync_SessionStoreFails(t *testing.T) {
	r := newRig(t)
	alice, bob := r.user("alice"), r.user("bob")
	r.full()
	aliceHere, bobHere := r.signIn(alice), r.signIn(bob)
	r.disable("alice")
	r.remove("bob")
	for range 2 { // once for each of them
		failing := &failingSessions{Sessions: r.sessions, fail: 1}
		if _, err := r.sync(func(c *Config) { c.Sessions = failing }).Run(t.Context(), Options{Full: true}); !errors.Is(err, errFailing) {
			t.Errorf("error = %v", err)
		}
	}
	report := r.full()
	if r.session(aliceHere) != "ended" || r.session(bobHere) != "ended" || report.Resumed == 0 {
		t.Errorf("sessions: alice %s, bob %s, report %+v", r.session(aliceHere), r.session(bobHere), report)
	}
	r.equal()
}

// TestSync_RefusedUsers: somebody whom the replica cannot take as they are keeps
// nobody else, is taken as far as possible, and is not removed for it.
func TestSync_RefusedUsers(t *testing.T) {
	refusing := ""
	var errHook = errors.New("the application does not want that")
	store := newReplica(t, sqlreplica.Config{OnChange: func(_ context.Context, _ *sql.Tx, c replica.Change) error {
		if c.User.Username == refusing {
			return errHook
		}
		return nil
	}})
	user := func(name, more string) string {
		return fmt.Sprintf(`{"Username":%q,"Enabled":%t,"UserStatus":"CONFIRMED","Attributes":[{"Name":"sub","Value":%q}%s]}`, name, more != "disabled", name, strings.TrimPrefix(more, "disabled"))
	}
	pass := func(at time.Time, users ...string) Report {
		t.Helper()
		e, err := ReadJSON(strings.NewReader(strings.Join(users, "\n")), at)
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(Config{Source: e, Issuer: "issuer", Replica: store, Journal: NewMemoryJournal()})
		if err != nil {
			t.Fatal(err)
		}
		report, err := s.Run(t.Context(), Options{Full: true, MaxShare: 1})
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	known := func(subject string) replica.User {
		t.Helper()
		u, err := store.UserBySubject(t.Context(), "issuer", subject)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	const named = `,{"Name":"name","Value":"Good Name"}`
	report := pass(taken, user("a", named), user("b", named), user("c", ""))
	if report.Refused != 0 {
		t.Errorf("report = %+v", report)
	}
	bad := `,{"Name":"name","Value":"` + strings.Repeat("x", replica.MaxAttributeBytes+1) + `"},{"Name":"given_name","Value":"a\u0007b"},{"Name":"email","Value":"new@example.com"}`
	refusing = "b"
	report = pass(taken.Add(time.Minute), user("a", bad), user("b", `,{"Name":"name","Value":"New"}`), user("c", "disabled"))
	if report.Refused != 2 || report.Removed != 0 {
		t.Errorf("report = %+v", report)
	}
	if a := known("a"); a.Name != "Good Name" || a.GivenName != "a b" || a.Email != "new@example.com" {
		t.Errorf("a = %+v", a)
	}
	if b := known("b"); b.Name != "Good Name" || !b.Deleted.IsZero() {
		t.Errorf("b = %+v", b)
	}
	if known("c").Enabled {
		t.Error("c was to be disabled")
	}
	refusing = ""
	if report = pass(taken.Add(2*time.Minute), user("a", named), user("b", `,{"Name":"name","Value":"New"}`)); report.Removed != 1 || known("b").Name != "New" {
		t.Errorf("report = %+v, b = %+v", report, known("b"))
	}
}

// TestSync_NoGroups: a source that does not know of groups leaves memberships as
// they are.
func TestSync_NoGroups(t *testing.T) {
	r := newRig(t)
	r.group("admins", nil)
	alice := r.user("alice", "admins")
	r.full()
	e, err := ReadCSV(strings.NewReader("sub,username,enabled\n"+alice+",alice2,true\n"), time.Now())
	r.ok(err)
	r.full(func(c *Config) { c.Source = e })
	if u := r.known(alice); u.Username != "alice2" || !u.InGroup("admins") {
		t.Errorf("alice = %+v", u)
	}
}

// TestSync_StaleListing: a listing that Cognito has forgotten is begun again.
func TestSync_StaleListing(t *testing.T) {
	r := newRig(t)
	r.group("editors", nil)
	for i := range 130 {
		r.user(fmt.Sprintf("user%d", i), "editors")
	}
	var users, members atomic.Int32
	r.injecting(func(w http.ResponseWriter, op string, in request) bool {
		if in.PaginationToken != "" && users.Add(1) == 2 || in.NextToken != "" && op == "ListUsersInGroup" && members.Add(1) == 2 {
			refuse(w, 400, "InvalidParameterException")
			return true
		}
		return false
	})
	r.full()
	r.equal()
	// For ever is another matter.
	r.injecting(func(w http.ResponseWriter, op string, in request) bool {
		if in.PaginationToken != "" {
			refuse(w, 400, "InvalidParameterException")
		}
		return in.PaginationToken != ""
	})
	if _, err := r.sync().Run(t.Context(), Options{Full: true}); !errors.Is(err, ErrStaleCursor) {
		t.Errorf("error = %v", err)
	}
}

// laggard is a replica that takes nothing before a channel is closed.
type laggard struct {
	replica.BatchStore
	after <-chan struct{}
}

func (l laggard) ApplyBatch(ctx context.Context, s []replica.Snapshot) ([]replica.Change, error) {
	<-l.after
	return l.BatchStore.ApplyBatch(ctx, s)
}

// TestSync_Resumes: the reading that is done is not done again, and the report
// counts it.
func TestSync_Resumes(t *testing.T) {
	r := newRig(t)
	r.group("editors", nil)
	for i := range 400 { // seven pages
		r.user(fmt.Sprintf("user%d", i), "editors")
	}
	refused := make(chan struct{})
	var once sync.Once
	var asking sync.Mutex // guards asked
	asked := make(map[string]bool)
	r.injecting(func(w http.ResponseWriter, op string, in request) bool {
		asking.Lock()
		asked[in.PaginationToken] = true // a busy machine may have the SDK ask again
		pages := len(asked)
		asking.Unlock()
		if in.PaginationToken == "" || pages < 5 {
			return false
		}
		refuse(w, 400, "AccessDeniedException") // the fifth page
		w.(http.Flusher).Flush()
		once.Do(func() { close(refused) })
		return true
	})
	var phases []string
	// The replica takes its time: what was read before the refusal is not lost with it.
	slow := func(c *Config) { c.Replica = laggard{r.replica, refused} }
	_, err := r.sync(slow).Run(t.Context(), Options{Full: true, Progress: func(p Report) {
		if !slices.Contains(phases, p.Phase) {
			phases = append(phases, p.Phase)
		}
	}})
	if !errors.Is(err, ErrRefused) {
		t.Fatalf("error = %v", err)
	}
	// Each page by what it is asked for with: the SDK may repeat a call on a busy
	// machine, and that is not counted.
	var mu sync.Mutex // guards pages
	pages := make(map[string]bool)
	r.injecting(func(_ http.ResponseWriter, op string, in request) bool {
		mu.Lock()
		defer mu.Unlock()
		if op == "ListUsersInGroup" || op == "ListUsers" && in.Filter == "" {
			pages[op+" "+in.PaginationToken] = true
		}
		return false
	})
	report := r.full()
	if report.Resumed != 1 || report.Users != 400 || report.Members != 400 {
		t.Errorf("report = %+v", report)
	}
	if len(pages) != 3 || pages["ListUsers "] {
		t.Errorf("asked for pages %v, want the last three of the users", slices.Collect(maps.Keys(pages)))
	}
	r.injecting(nil)
	r.equal()
	if want := []string{phaseGroups, phaseMembers, phaseUsers}; !slices.Equal(phases, want) {
		t.Errorf("progress told of %q, want %q", phases, want)
	}
	// One that is too old, or not wanted, is not gone on with.
	for what, o := range map[string]struct {
		ahead time.Duration
		Options
	}{"old": {time.Hour, Options{Full: true}}, "fresh": {0, Options{Full: true, Fresh: true}}} {
		r.injecting(func(w http.ResponseWriter, op string, in request) bool {
			if in.PaginationToken != "" {
				refuse(w, 400, "AccessDeniedException")
			}
			return in.PaginationToken != ""
		})
		if _, err := r.sync().Run(t.Context(), Options{Full: true}); !errors.Is(err, ErrRefused) {
			t.Fatalf("error = %v", err)
		}
		r.injecting(nil)
		report, err := r.sync(func(c *Config) { c.Now = func() time.Time { return time.Now().Add(o.ahead) } }).Run(t.Context(), o.Options)
		if err != nil || report.Resumed != 0 {
			t.Errorf("%s: report %+v, %v", what, report, err)
		}
	}
}

// TestSync_BadState: what the journal holds may be of another version, or damaged.
func TestSync_BadState(t *testing.T) {
	r := newRig(t)
	r.user("alice")
	for _, state := range []string{"{", `{"Version":99}`, `[]`, `{"Version":1,"Report":{"Pass":"p","Phase":"dancing","Full":true},"Saved":"2026-01-01T00:00:00Z"}`} {
		term, _, err := r.journal.Acquire(t.Context(), "pass "+r.issuer, "test", time.Hour)
		r.ok(err)
		r.ok(r.journal.Write(t.Context(), "pass "+r.issuer, term, time.Hour, []byte(state)))
		r.ok(r.journal.Release(t.Context(), "pass "+r.issuer, term))
		r.full()
		r.equal()
	}
}

func TestNew_NamesEveryFault(t *testing.T) {
	_, err := New(Config{MaxShare: 2, Concurrency: -1, Lease: 1, Sessions: &failingSessions{}})
	for _, want := range []string{"Source", "Issuer", "Replica", "Journal", "SessionPools", "MaxShare", "Concurrency", "Lease"} {
		if err == nil || !strings.Contains(err.Error(), want+":") {
			t.Errorf("error = %v, want it to name %s", err, want)
		}
	}
	r := newRig(t)
	config := r.config()
	config.Issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other"
	if _, err := New(config); err == nil || !strings.Contains(err.Error(), poolID) {
		t.Errorf("the issuer of another pool: %v", err)
	}
	if _, err := r.sync().Run(t.Context(), Options{MaxShare: 3}); err == nil {
		t.Error("a share of three")
	}
}
