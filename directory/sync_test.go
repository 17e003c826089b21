package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/session"
)

const binding = "issuer 1shop2client"

// rig is a pool, a replica, sessions, and what keeps them together.
type rig struct {
	*pool
	replica  *sqlreplica.Store
	sessions session.Store
	journal  *MemoryJournal
}

func newRig(t *testing.T) *rig {
	t.Helper()
	return &rig{pool: newPool(t), replica: newReplica(t, sqlreplica.Config{}), sessions: session.NewMemoryStore(session.MemoryConfig{}), journal: NewMemoryJournal()}
}

func sqliteDSN(t *testing.T, name string) string {
	return "file:" + filepath.Join(t.TempDir(), name) +
		"?_txlock=immediate&_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(off)"
}

func newReplica(t *testing.T, config sqlreplica.Config) *sqlreplica.Store {
	t.Helper()
	db, err := sql.Open("sqlite", sqliteDSN(t, "replica.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	config.Dialect = sqlreplica.SQLite
	store, err := sqlreplica.New(db, config)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return store
}

func (r *rig) config() Config {
	return Config{
		Source: r.source(), Issuer: r.issuer, Replica: r.replica, Journal: r.journal,
		Sessions: r.sessions, SessionPools: []string{binding},
	}
}

func (r *rig) sync(edit ...func(*Config)) *Sync {
	r.Helper()
	config := r.config()
	for _, f := range edit {
		f(&config)
	}
	s, err := New(config)
	r.ok(err)
	return s
}

// full makes a full pass that has to succeed.
func (r *rig) full(edit ...func(*Config)) Report {
	r.Helper()
	report, err := r.sync(edit...).Run(r.Context(), Options{Full: true})
	r.ok(err)
	return report
}

func (r *rig) signIn(subject string) string {
	r.Helper()
	id := fmt.Sprintf("session of %s %d", subject, time.Now().UnixNano())
	r.ok(r.sessions.Create(r.Context(), session.Record{
		ID: id, Pool: binding, Subject: subject, Created: time.Now(), LastSeen: time.Now(), Expires: time.Now().Add(time.Hour), Sealed: []byte("x"),
	}))
	return id
}

// session returns "live", "stale" or "ended".
func (r *rig) session(id string) string {
	r.Helper()
	record, err := r.sessions.Get(r.Context(), id)
	switch {
	case errors.Is(err, session.ErrNotFound):
		return "ended"
	case err != nil:
		r.Fatal(err)
	case record.Stale:
		return "stale"
	}
	return "live"
}

func (r *rig) known(subject string) replica.User {
	r.Helper()
	u, err := r.replica.UserBySubject(r.Context(), r.issuer, subject)
	r.ok(err)
	return u
}

// row is a user as the pool and the replica both can show them.
func row(username string, enabled bool, status, email string, verified bool, name, custom string, groups []string) string {
	return fmt.Sprintf("%s enabled=%t %s <%s> %t %q %s %v", username, enabled, status, email, verified, name, custom, groups)
}

// poolRows reads the pool as an administrator does, user by user.
func (r *rig) poolRows() map[string]string {
	r.Helper()
	rows := make(map[string]string)
	pages := cip.NewListUsersPaginator(r.admin(), &cip.ListUsersInput{UserPoolId: aws.String(poolID)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(r.Context())
		r.ok(err)
		for _, u := range page.Users {
			a := make(map[string]string)
			for _, attribute := range u.Attributes {
				a[*attribute.Name] = *attribute.Value
			}
			var groups []string
			of := cip.NewAdminListGroupsForUserPaginator(r.admin(), &cip.AdminListGroupsForUserInput{UserPoolId: aws.String(poolID), Username: u.Username})
			for of.HasMorePages() {
				page, err := of.NextPage(r.Context())
				r.ok(err)
				for _, g := range page.Groups {
					groups = append(groups, group(*g.GroupName, g.Precedence))
				}
			}
			slices.Sort(groups)
			rows[a["sub"]] = row(*u.Username, u.Enabled, string(u.UserStatus), a["email"], a["email_verified"] == "true", a["name"], a["custom:team"], groups)
		}
	}
	return rows
}

func group(name string, precedence *int32) string {
	if precedence == nil {
		return name
	}
	return name + "/" + strconv.Itoa(int(*precedence))
}

func (r *rig) replicaRows() map[string]string {
	r.Helper()
	rows := make(map[string]string)
	for q := (replica.UserQuery{Issuer: r.issuer, Limit: replica.MaxPage}); ; {
		page, err := r.replica.Users(r.Context(), q)
		r.ok(err)
		for _, u := range page.Users {
			var groups []string
			for _, m := range u.Groups {
				if m.Precedence != nil {
					groups = append(groups, group(m.Name, aws.Int32(int32(*m.Precedence))))
				} else {
					groups = append(groups, m.Name)
				}
			}
			slices.Sort(groups)
			rows[u.Subject] = row(u.Username, u.Enabled, u.Status, u.Email, u.EmailVerified, u.Name, u.Custom["custom:team"], groups)
		}
		if q.After = page.Next; q.After == "" {
			return rows
		}
	}
}

// equal compares the replica with the pool, row by row.
func (r *rig) equal() {
	r.Helper()
	want, got := r.poolRows(), r.replicaRows()
	if maps.Equal(want, got) {
		return
	}
	differences := 0
	for subject, row := range want {
		if got[subject] != row {
			if differences++; differences < 10 {
				r.Errorf("%s\n   pool    %s\n   replica %s", subject, row, got[subject])
			}
		}
	}
	for subject, row := range got {
		if _, ok := want[subject]; !ok {
			if differences++; differences < 10 {
				r.Errorf("%s\n   is not in the pool\n   replica %s", subject, row)
			}
		}
	}
	r.Errorf("%d differences", differences)
}

func TestSync_Full(t *testing.T) {
	r := newRig(t)
	r.group("admins", aws.Int32(1))
	r.group("editors", nil)
	r.group(poolID+"_Google", nil)
	alice := r.user("alice", "admins", "editors")
	bob := r.user("bob", "editors")
	carol := r.user("carol", poolID+"_Google")
	for i := range 150 {
		r.user(fmt.Sprintf("user%d", i), "editors")
	}
	report := r.full()
	r.equal()
	if report.Phase != phaseDone || report.Users != 153 || report.Groups != 3 || report.Members != 154 || report.Created != 153 || report.Changed != 0 || report.Finished.IsZero() {
		t.Errorf("report = %+v", report)
	}
	google := r.known(carol).Groups
	if len(google) != 1 || google[0].Origin != replica.OriginProvider || r.known(carol).InGroup(poolID+"_Google") {
		t.Errorf("carol's groups = %+v, want the provider's, marked", google)
	}

	aliceHere, bobHere, carolHere := r.signIn(alice), r.signIn(bob), r.signIn(carol)
	r.leave("alice", "admins")
	r.disable("bob")
	r.remove("carol")
	r.set("user3", "name", "Three")
	report = r.full()
	r.equal()
	if r.session(aliceHere) != "stale" || r.session(bobHere) != "ended" || r.session(carolHere) != "ended" {
		t.Errorf("sessions: alice %s, bob %s, carol %s", r.session(aliceHere), r.session(bobHere), r.session(carolHere))
	}
	if report.Created != 0 || report.Changed != 3 || report.Disabled != 1 || report.Regrouped != 1 || report.Removed != 1 || report.SessionsEnded != 2 || report.SessionsStale != 1 {
		t.Errorf("report = %+v", report)
	}
	if u := r.known(carol); u.Deleted.IsZero() || u.Enabled || len(u.Groups) != 0 {
		t.Errorf("carol = %+v, want her deleted", u)
	}

	r.enable("bob")
	report = r.full()
	r.equal()
	if report.Changed != 1 || report.Removed != 0 {
		t.Errorf("report = %+v", report)
	}
	if report = r.full(); report.Changed != 0 {
		t.Errorf("a pass over the same changed %d users", report.Changed)
	}
}

func TestSync_SameNameIsAnotherPerson(t *testing.T) {
	r := newRig(t)
	r.group("admins", nil)
	was := r.user("alice", "admins")
	r.user("bob")
	r.full()
	here := r.signIn(was)
	r.remove("alice")
	is := r.user("alice")
	r.full()
	r.equal()
	if is == was || r.known(is).ID == r.known(was).ID || r.known(was).Deleted.IsZero() || len(r.known(is).Groups) != 0 || r.session(here) != "ended" {
		t.Errorf("was %+v, is %+v, session %s", r.known(was), r.known(is), r.session(here))
	}
}

// TestS118_BadListings: whatever a listing leaves out, nobody is removed, disabled
// or loses a session who is in the pool.
func TestS118_BadListings(t *testing.T) {
	const nobody = `{"Users":[]}`
	for _, tt := range []struct {
		name   string
		inject func(w http.ResponseWriter, op string, in request) bool
		want   error // nil: the pass succeeds
	}{
		{"the first page is empty", func(w http.ResponseWriter, op string, in request) bool {
			if op != "ListUsers" || in.Filter != "" {
				return false
			}
			answer(w, nobody)
			return true
		}, ErrTooManyRemovals},
		{"the second page is empty and the last", func(w http.ResponseWriter, op string, in request) bool {
			if op != "ListUsers" || in.PaginationToken == "" {
				return false
			}
			answer(w, nobody)
			return true
		}, ErrTooManyRemovals},
		{"the second page fails", func(w http.ResponseWriter, op string, in request) bool {
			if op != "ListUsers" || in.PaginationToken == "" {
				return false
			}
			refuse(w, 500, "InternalErrorException")
			return true
		}, ErrUnavailable},
		{"no permission any more", func(w http.ResponseWriter, op string, _ request) bool {
			refuse(w, 400, "AccessDeniedException")
			return true
		}, ErrRefused},
		{"the pool is gone", func(w http.ResponseWriter, op string, _ request) bool {
			refuse(w, 400, "ResourceNotFoundException")
			return true
		}, ErrRefused},
		{"the groups cannot be read", func(w http.ResponseWriter, op string, _ request) bool {
			if op == "ListGroups" {
				refuse(w, 500, "InternalErrorException")
			}
			return op == "ListGroups"
		}, ErrUnavailable},
		{"the groups are not listed", func(w http.ResponseWriter, op string, _ request) bool {
			if op == "ListGroups" {
				answer(w, `{"Groups":[]}`)
			}
			return op == "ListGroups"
		}, nil},
		{"the members cannot be read", func(w http.ResponseWriter, op string, _ request) bool {
			if op == "ListUsersInGroup" {
				refuse(w, 500, "InternalErrorException")
			}
			return op == "ListUsersInGroup"
		}, ErrUnavailable},
		{"half of an answer", func(w http.ResponseWriter, op string, in request) bool {
			if op == "ListUsers" {
				answer(w, `{"Users":[{"Username":"user1","Attributes":[{"Name":"sub","Value":"x"}]}]}`)
			}
			return op == "ListUsers"
		}, ErrUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.group("editors", nil)
			var here []string
			for i := range 75 { // two pages, the second with more than may be removed
				here = append(here, r.signIn(r.user(fmt.Sprintf("user%d", i), "editors")))
			}
			r.full()
			r.injecting(tt.inject)
			report, err := r.sync().Run(t.Context(), Options{Full: true})
			if !errors.Is(err, tt.want) {
				t.Errorf("error = %v, want %v", err, tt.want)
			}
			if report.Removed != 0 || report.Disabled != 0 || report.SessionsEnded != 0 {
				t.Errorf("report = %+v", report)
			}
			r.equal()
			for _, id := range here {
				if r.session(id) != "live" {
					t.Fatalf("a session is %s", r.session(id))
				}
			}
			r.injecting(nil)
			r.full() // and it goes on as if nothing had been
			r.equal()
		})
	}
}

// TestS118_ShortListing: a few whom the listing left out are looked up, and stay.
func TestS118_ShortListing(t *testing.T) {
	r := newRig(t)
	var subjects []string
	for i := range 130 {
		subjects = append(subjects, r.user(fmt.Sprintf("user%d", i)))
	}
	r.full()
	here := r.signIn(subjects[7])
	r.remove("user9")
	source := &without{Source: r.source(), hidden: subjects[5:9]}
	report := r.full(func(c *Config) { c.Source = source })
	if report.Removed != 1 || report.Kept != 4 || r.session(here) != "live" {
		t.Errorf("report = %+v, session %s, want one removed and four kept", report, r.session(here))
	}
	r.equal()
}

// without is a source whose listings leave people out.
type without struct {
	Source
	hidden []string
}

func (w *without) Users(ctx context.Context, q UserQuery) (UserPage, error) {
	page, err := w.Source.Users(ctx, q)
	page.Users = slices.DeleteFunc(page.Users, func(u User) bool { return slices.Contains(w.hidden, u.Subject()) })
	return page, err
}

func TestSync_RefusesManyRemovals(t *testing.T) {
	r := newRig(t)
	var subjects []string
	for i := range 40 {
		subjects = append(subjects, r.user(fmt.Sprintf("user%d", i)))
	}
	r.full()
	here := r.signIn(subjects[0])
	for i := range 11 {
		r.remove(fmt.Sprintf("user%d", i))
	}
	r.set("user20", "name", "Twenty")
	report, err := r.sync().Run(t.Context(), Options{Full: true})
	if !errors.Is(err, ErrTooManyRemovals) || !errors.Is(err, replica.ErrSweepTooLarge) || report.Removed != 0 || r.session(here) != "live" {
		t.Errorf("report = %+v, %v, session %s", report, err, r.session(here))
	}
	if r.known(subjects[20]).Name != "Twenty" {
		t.Error("and what can be done was not")
	}
	report, err = r.sync().Run(t.Context(), Options{Full: true, MaxShare: 0.5})
	if err != nil || report.Removed != 11 || r.session(here) != "ended" {
		t.Errorf("report = %+v, %v, session %s", report, err, r.session(here))
	}
	r.equal()
}

func TestAllowedRemovals(t *testing.T) {
	for _, tt := range []struct {
		known int
		share float64
		want  int
	}{
		{0, 0.1, 0}, {1, 0.1, 0}, {2, 0.1, 1}, {5, 0.1, 2}, {20, 0.1, 10}, {100, 0.1, 10}, {1000, 0.1, 100}, {3, 1, 3}, {1, 1, 1},
	} {
		if got := allowedRemovals(tt.known, tt.share); got != tt.want {
			t.Errorf("allowedRemovals(%d, %v) = %d, want %d", tt.known, tt.share, got, tt.want)
		}
	}
}
