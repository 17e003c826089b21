package restoring

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/directory/recovery"
)

// shop is a pool whose clock a test moves, with a configuration and a database.
type shop struct {
	*testing.T
	behind  atomic.Int64
	pool    *codegranttest.Pool
	api     *cip.Client
	config  string
	opened  *parts.Opened
	journal *directory.SQLJournal
	to      time.Time // before the mistake: bob was deleted, and mallory made
}

func (s *shop) now() time.Time { return time.Now().Add(-time.Duration(s.behind.Load())) }

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{T: t}
	s.behind.Store(int64(2 * time.Hour))
	s.pool = codegranttest.NewPool(t, s.now)
	client := s.pool.Clients()[0]
	dir := t.TempDir()
	s.config = filepath.Join(dir, "codegrant.yaml")
	s.ok(os.WriteFile(s.config, []byte(fmt.Sprintf(`
base_url: http://localhost
sessions: database
database: sqlite:%s
replica: {history: 24h}
pools: [{id: %q, issuer: %q, domain: %q, client_id: %q, client_secret: %q}]
`, filepath.Join(dir, "app.db"), s.pool.PoolID, client.Issuer, s.pool.URL, client.ID, client.Secret)), 0o600))
	var err error
	s.opened, err = parts.Inspection{Config: s.config}.Open()
	s.ok(err)
	t.Cleanup(s.opened.Close)
	s.ok(s.opened.Users.Migrate(t.Context()))
	s.ok(s.opened.InDatabase.Migrate(t.Context()))
	s.api, _, err = parts.PoolClient(t.Context(), s.opened.Issuer, "", slog.New(slog.DiscardHandler))
	s.ok(err)
	s.journal, err = directory.NewSQLJournal(s.opened.DB.DB, s.opened.DB.Dialect)
	s.ok(err)
	s.ok(s.journal.Migrate(t.Context()))
	// Of whole seconds, as the command asks for it.
	s.behind.Add(-int64(2 * time.Second))
	s.to = s.now().UTC().Truncate(time.Second)
	s.behind.Add(-int64(2 * time.Second))
	s.ok(s.pool.DeleteUser(s.pool.PoolID, "bob"))
	s.pool.AddUser("mallory", "mallory@example.com")
	s.behind.Store(0)
	return s
}

func (s *shop) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *shop) run(want int, args ...string) (stdout, stderr string) {
	s.Helper()
	args = append([]string{"restore", "--config", s.config, "--whole-pool"}, args...)
	stdout, stderr, status := commandtest.Say(s.T, new(commands), args...)
	if status != want {
		s.Fatalf("%v: status %d, want %d\n%s%s", args, status, want, stdout, stderr)
	}
	return stdout, stderr
}

func (s *shop) has(name string) bool {
	s.Helper()
	found, err := s.api.ListUsers(s.Context(), &cip.ListUsersInput{UserPoolId: &s.pool.PoolID})
	s.ok(err)
	for _, u := range found.Users {
		if *u.Username == name {
			return true
		}
	}
	return false
}

func (s *shop) noted() directory.Recovery {
	s.Helper()
	r, err := directory.ReadRecovery(s.Context(), s.journal, s.opened.Issuer)
	s.ok(err)
	return r
}

// writes reports whether the pool takes changes.
func (s *shop) writes() bool {
	s.Helper()
	name := fmt.Sprint("n", time.Now().UnixNano())
	_, err := s.api.AdminCreateUser(s.Context(), &cip.AdminCreateUserInput{UserPoolId: &s.pool.PoolID, Username: &name})
	if err != nil {
		return false
	}
	_, err = s.api.AdminDeleteUser(s.Context(), &cip.AdminDeleteUserInput{UserPoolId: &s.pool.PoolID, Username: &name})
	s.ok(err)
	return true
}

// TestS688_WholePool: the pool is asked for nothing until the operator says so; what it
// counted is cancelled, so that it takes changes again; and it goes back with --yes alone.
// The sync hears of each step.
func TestS688_WholePool(t *testing.T) {
	s := newShop(t)
	asOf := []string{"--as-of", s.to.Format(time.RFC3339)}
	out, _ := s.run(0, asOf...)
	if !strings.Contains(out, "offers its own recovery") || !strings.Contains(out, "--yes") || s.noted().ID != "" {
		t.Errorf("the plan: %s, noted %+v", out, s.noted())
	}
	out, _ = s.run(0, append(asOf, "--preview")...)
	if !strings.Contains(out, "Nothing is changed") || !strings.Contains(out, "Users: delete") {
		t.Errorf("the preview: %s", out)
	}
	if noted := s.noted(); noted.Status != directory.RecoveryCancelled || *noted.Deletes != 1 || !noted.To.Equal(s.to) || !s.writes() || s.has("bob") || !s.has("mallory") {
		t.Errorf("after the preview: %+v", noted)
	}
	out, _ = s.run(0, append(asOf, "--preview", "--json")...)
	var told struct {
		Status  string
		Preview []struct {
			Entity                 string
			Create, Update, Delete int
		}
	}
	if err := json.Unmarshal([]byte(out), &told); err != nil || len(told.Preview) != 4 || told.Preview[0].Create != 1 || told.Preview[0].Delete != 1 {
		t.Errorf("as JSON: %s, %v", out, err)
	}
	out, _ = s.run(0, append(asOf, "--yes")...)
	if !strings.Contains(out, "is as it was at "+s.to.Format(time.RFC3339)) || !strings.Contains(out, "sync --full") {
		t.Errorf("done: %s", out)
	}
	if noted := s.noted(); noted.Status != directory.RecoveryCompleted || *noted.Deletes != 1 || !s.has("bob") || s.has("mallory") || !s.writes() {
		t.Errorf("after it: %+v", noted)
	}
}

// TestS688_WhereThePoolDoesNotOfferIt: then it is the restore of everybody, which says why.
func TestS688_WhereThePoolDoesNotOfferIt(t *testing.T) {
	s := newShop(t)
	now := time.Now().UTC()
	for _, row := range []struct {
		asOf time.Time
		why  string
	}{{now.Add(-25 * time.Hour), "24 hours at most"}, {now.Add(-14 * time.Minute), "15 minutes at least"}} {
		out, stderr := s.run(0, "--as-of", row.asOf.Format(time.RFC3339))
		if !strings.Contains(stderr, row.why) || !strings.Contains(out, "would be made again: 0") || s.noted().ID != "" {
			t.Errorf("%s: %s%s", row.why, out, stderr)
		}
	}
	_, err := s.api.UpdateUserPool(t.Context(), &cip.UpdateUserPoolInput{UserPoolId: &s.pool.PoolID, UserPoolTier: "LITE"})
	s.ok(err)
	if out, stderr := s.run(0, "--as-of", s.to.Format(time.RFC3339), "--yes"); !strings.Contains(stderr, "does not offer it") || !strings.Contains(out, "made again: 0") || s.has("bob") || !s.has("mallory") {
		t.Errorf("in Lite: %s%s", out, stderr)
	}
	_, err = s.api.UpdateUserPool(t.Context(), &cip.UpdateUserPoolInput{UserPoolId: &s.pool.PoolID, UserPoolTier: "PLUS"})
	s.ok(err)
	if _, stderr := s.run(1, "--as-of", now.Add(-25*time.Hour).Format(time.RFC3339), "--yes"); strings.Contains(stderr, "is not used") || !strings.Contains(stderr, "creation of the user pool") {
		t.Errorf("in Plus: %s", stderr)
	}
	if _, stderr := s.run(0, "--as-of", now.Add(-15*24*time.Hour).Format(time.RFC3339)); !strings.Contains(stderr, "336 hours at most") {
		t.Errorf("in Plus, too long ago: %s", stderr)
	}
	for _, args := range [][]string{
		{"--as-of", "2h", "--everybody"}, {"--as-of", "2h", "--preview", "--yes"}, {"--lost-since", "2h"}, {}, {"--as-of", "2h", "--user", "bob"},
	} {
		if _, _, status := commandtest.Say(t, new(commands), append([]string{"restore", "--config", s.config, "--whole-pool"}, args...)...); status == 0 {
			t.Errorf("%v is taken", args)
		}
	}
}

// TestS688_AnEarlierRunsPreview: what a run that was killed has left is told of, and taken up
// by one that asks for the same.
func TestS688_AnEarlierRunsPreview(t *testing.T) {
	s := newShop(t)
	own, err := recovery.New(t.Context(), s.api, s.pool.PoolID)
	s.ok(err)
	left, err := own.Initiate(t.Context(), s.to)
	s.ok(err)
	s.ok(directory.NoteRecovery(t.Context(), s.journal, s.opened.Issuer, left.Recovery))
	_, stderr := s.run(1, "--as-of", s.to.Add(time.Minute).Format(time.RFC3339), "--yes")
	if !strings.Contains(stderr, "--as-of "+s.to.Format(time.RFC3339)) || !strings.Contains(stderr, "cancel-point-in-time-recovery --user-pool-id "+s.pool.PoolID+" --restore-id "+left.ID) || s.has("bob") {
		t.Errorf("another time: %s", stderr)
	}
	s.run(0, "--as-of", s.to.Format(time.RFC3339), "--yes")
	if noted := s.noted(); noted.ID != left.ID || noted.Status != directory.RecoveryCompleted || !s.has("bob") {
		t.Errorf("the same: %+v", noted)
	}
}

// TestS688_StatesOfARecovery: the command waits while the pool counts and while it goes back;
// a count that fails, or that somebody interrupts, leaves no pool that refuses changes; and
// what cannot be stopped is said.
func TestS688_StatesOfARecovery(t *testing.T) {
	restoring := `"RestoreStatus":"RESTORING"`
	for _, row := range []struct {
		name      string
		statuses  []string // of Describe, one after the other
		interrupt int      // the pause in which the command is interrupted; 0: none
		cancelled bool
		started   bool
		want      string // of the error
	}{
		{"done", []string{"PREVIEW_GENERATING", "PREVIEW_GENERATED", "RESTORING", "RESTORING", "RESTORE_COMPLETED"}, 0, false, true, ""},
		{"the count fails", []string{"PREVIEW_GENERATING", "PREVIEW_GENERATION_FAILED"}, 0, false, false, "PREVIEW_GENERATION_FAILED; nothing is changed"},
		{"interrupted while it counts", []string{"PREVIEW_GENERATING"}, 2, true, false, context.Canceled.Error()},
		{"interrupted while it goes back", []string{"PREVIEW_GENERATED", "RESTORING"}, 3, false, true, "cannot be stopped"},
		{"support has to act", []string{"PREVIEW_GENERATED", "RESTORING", "TEMPORARY_INTERNAL_ERROR_SEE_SUPPORT_CASE"}, 0, false, true, "until AWS support has acted"},
		{"aborted", []string{"PREVIEW_GENERATED", "AWS_ABORTED"}, 0, false, true, "AWS_ABORTED"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newShop(t)
			behind, err := url.Parse(s.pool.URL)
			s.ok(err)
			proxy := httputil.NewSingleHostReverseProxy(behind)
			asked, cancelled, started := 0, false, false
			answer := func(w http.ResponseWriter, status string) {
				fmt.Fprintf(w, `{"Restoration":{"RestoreId":"r1","RestoreStatus":%q,"RestoreTimestamp":%d,"TriggerTimestamp":%d}}`, status, s.to.Unix(), time.Now().Unix())
			}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
				switch operation {
				case "InitiatePointInTimeRecovery":
					answer(w, "PREVIEW_GENERATING")
				case "DescribePointInTimeRecovery":
					answer(w, row.statuses[min(asked, len(row.statuses)-1)])
					asked++
				case "CancelPointInTimeRecovery":
					cancelled = true
					answer(w, "PREVIEW_CANCELLED")
				case "StartPointInTimeRecovery":
					started = true
					fmt.Fprintf(w, `{"Restoration":{"RestoreId":"r1",%s}}`, restoring)
				default:
					proxy.ServeHTTP(w, r)
				}
			}))
			defer server.Close()
			api := cip.New(s.api.Options(), func(o *cip.Options) { o.BaseEndpoint = &server.URL })
			own, err := recovery.New(t.Context(), api, s.pool.PoolID)
			s.ok(err)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			pauses := 0
			w := &wholePool{
				Command: Command{Yes: true}, out: &terminal.Streams{Stdout: io.Discard, Stderr: io.Discard}, api: api, own: own, journal: s.journal,
				issuer: s.opened.Issuer, poolID: s.pool.PoolID, to: s.to, now: time.Now(),
				pause: func(ctx context.Context) error {
					if pauses++; pauses == row.interrupt {
						stop()
					}
					return ctx.Err()
				},
			}
			r, err := w.preview(ctx)
			if err == nil {
				var begun recovery.Restoration
				if begun, err = own.Start(ctx, r.ID); err == nil {
					err = w.finish(ctx, begun, nil)
				}
			}
			if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) || cancelled != row.cancelled || started != row.started {
				t.Errorf("%v; cancelled %t, started %t", err, cancelled, started)
			}
			noted := s.noted()
			want := directory.RecoveryStatus(row.statuses[len(row.statuses)-1])
			switch {
			case row.cancelled:
				want = directory.RecoveryCancelled
			case !row.started:
				want = noted.Status // a count that failed stops nothing
			}
			if noted.ID != "r1" || noted.Status != want || !noted.To.Equal(s.to) {
				t.Errorf("noted %+v; want %s", noted, want)
			}
		})
	}
}

// TestS688_OneIsRunning: while a recovery runs the command starts no other one, and with --yes
// waits for it.
func TestS688_OneIsRunning(t *testing.T) {
	s := newShop(t)
	behind, err := url.Parse(s.pool.URL)
	s.ok(err)
	proxy := httputil.NewSingleHostReverseProxy(behind)
	left := 6
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one := `{"RestoreId":"r1","RestoreStatus":"RESTORING","RestoreTimestamp":1.7e9,"TriggerTimestamp":1.8e9}`
		switch _, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); operation {
		case "ListPointInTimeRecoveries":
			fmt.Fprintf(w, `{"Restorations":[%s]}`, one)
		case "DescribePointInTimeRecovery":
			if left--; left <= 0 {
				one = strings.ReplaceAll(one, "RESTORING", "RESTORE_COMPLETED")
			}
			fmt.Fprintf(w, `{"Restoration":%s}`, one)
		case "InitiatePointInTimeRecovery", "StartPointInTimeRecovery", "CancelPointInTimeRecovery":
			t.Errorf("%s is called", operation)
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	defer server.Close()
	api := cip.New(s.api.Options(), func(o *cip.Options) { o.BaseEndpoint = &server.URL })
	own, err := recovery.New(t.Context(), api, s.pool.PoolID)
	s.ok(err)
	var out strings.Builder
	w := &wholePool{
		out: &terminal.Streams{Stdout: &out, Stderr: io.Discard}, api: api, own: own, journal: s.journal, issuer: s.opened.Issuer, poolID: s.pool.PoolID, to: s.to, now: time.Now(),
		pause: func(ctx context.Context) error { return ctx.Err() },
	}
	if err := w.run(t.Context(), nil); err != nil || !strings.Contains(out.String(), "is running") {
		t.Errorf("without --yes: %v, %s", err, out.String())
	}
	if !w.paused(t.Context()) {
		t.Error("nobody would wait for it")
	}
	w.Yes = true
	if err := w.run(t.Context(), nil); err != nil || s.noted().Status != directory.RecoveryCompleted {
		t.Errorf("with --yes: %v, noted %+v", err, s.noted())
	}
}
