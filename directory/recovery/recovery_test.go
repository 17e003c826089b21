package recovery

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/session"
)

const (
	poolID  = "local_Shop1"
	binding = "issuer 1shop2client"
)

// scene is a local pool whose clock a test moves, and the sync of a replica.
type scene struct {
	*testing.T
	ahead    atomic.Int64
	api      *cip.Client
	client   *Client
	issuer   string
	users    *sqlreplica.Store
	sessions session.Store
	journal  *directory.MemoryJournal
	sync     *directory.Sync
}

func sdk(url string) *cip.Client {
	return cip.New(cip.Options{Region: "local", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{T: t, sessions: session.NewMemoryStore(session.MemoryConfig{}), journal: directory.NewMemoryJournal()}
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	pool, err := localpool.New(localpool.Config{
		Seed: localpool.Seed{Pools: []localpool.PoolSeed{{
			ID: poolID, Name: "shop", Clients: []localpool.ClientSeed{{ID: "1shop2client", Name: "web", CallbackURLs: []string{"http://localhost:8080/auth/callback"}}},
		}}},
		BaseURL: server.URL, Logger: slog.New(slog.DiscardHandler), Now: s.now,
	})
	s.ok(err)
	t.Cleanup(func() { pool.Close() })
	handler = pool
	s.issuer, s.api = server.URL+"/"+poolID, sdk(server.URL)
	s.client, err = New(t.Context(), s.api, poolID)
	s.ok(err)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "app.db")+"?_txlock=immediate&_pragma=busy_timeout(20000)&_pragma=foreign_keys(1)")
	s.ok(err)
	t.Cleanup(func() { db.Close() })
	s.users, err = sqlreplica.New(db, sqlreplica.Config{Dialect: sqlreplica.SQLite})
	s.ok(err)
	s.ok(s.users.Migrate(t.Context()))
	source, err := directory.NewCognito(directory.CognitoConfig{Client: s.api, PoolID: poolID, Rate: 1e6, GroupRate: 1e6})
	s.ok(err)
	s.sync, err = directory.New(directory.Config{
		Source: source, Issuer: s.issuer, Replica: s.users, Journal: s.journal, Sessions: s.sessions, SessionPools: []string{binding}, Recoveries: s.client,
	})
	s.ok(err)
	return s
}

func (s *scene) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

func (s *scene) ok(errs ...error) {
	s.Helper()
	if err := errors.Join(errs...); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) create(name string) error {
	_, err := s.api.AdminCreateUser(s.Context(), &cip.AdminCreateUserInput{UserPoolId: aws.String(poolID), Username: &name, MessageAction: types.MessageActionTypeSuppress})
	return err
}

func (s *scene) group(name string, members ...string) {
	s.Helper()
	_, err := s.api.CreateGroup(s.Context(), &cip.CreateGroupInput{UserPoolId: aws.String(poolID), GroupName: &name})
	s.ok(err)
	for _, member := range members {
		_, err := s.api.AdminAddUserToGroup(s.Context(), &cip.AdminAddUserToGroupInput{UserPoolId: aws.String(poolID), GroupName: &name, Username: &member})
		s.ok(err)
	}
}

func (s *scene) remove(name string) {
	s.Helper()
	_, err := s.api.AdminDeleteUser(s.Context(), &cip.AdminDeleteUserInput{UserPoolId: aws.String(poolID), Username: &name})
	s.ok(err)
}

func (s *scene) pass() directory.Report {
	s.Helper()
	report, err := s.sync.Run(s.Context(), directory.Options{})
	s.ok(err)
	return report
}

func (s *scene) known(name string) replica.User {
	s.Helper()
	page, err := s.users.Users(s.Context(), replica.UserQuery{Issuer: s.issuer, Deleted: true, Limit: replica.MaxPage})
	s.ok(err)
	for _, u := range page.Users {
		if u.Username == name {
			return u
		}
	}
	s.Fatalf("the replica does not know %s", name)
	return replica.User{}
}

func (s *scene) signIn(name string) string {
	s.Helper()
	id := "session of " + name
	now := time.Now()
	s.ok(s.sessions.Create(s.Context(), session.Record{
		ID: id, Pool: binding, Subject: s.known(name).Subject, Created: now, LastSeen: now, Expires: now.Add(time.Hour), Sealed: []byte("x"),
	}))
	return id
}

func (s *scene) live(id string) bool {
	s.Helper()
	_, err := s.sessions.Get(s.Context(), id)
	if err != nil && !errors.Is(err, session.ErrNotFound) {
		s.Fatal(err)
	}
	return err == nil
}

// TestS687_RecoveryOfAPool: a pool goes back to before a mistake. Who was deleted is there
// again, as the same person here; who is gone by it loses every session; the pass is held
// against the preview, and a preview alone stops no pass.
func TestS687_RecoveryOfAPool(t *testing.T) {
	s := newScene(t)
	for _, name := range []string{"alice", "bob", "carol", "dave"} {
		s.ok(s.create(name))
	}
	s.group("staff", "carol")
	s.pass()
	alice, bob := s.known("alice"), s.known("bob")
	aliceHere := s.signIn("alice")
	s.ahead.Add(int64(30 * time.Minute))
	to := s.now().UTC().Truncate(time.Millisecond)
	s.ahead.Add(int64(time.Second))

	s.remove("bob")
	s.ok(s.create("mallory"))
	s.group("intruders", "mallory", "dave")
	s.pass()
	malloryHere := s.signIn("mallory")
	if s.known("bob").Deleted.IsZero() {
		t.Fatal("the mistake was not noticed")
	}
	s.ahead.Add(int64(time.Hour))

	if _, err := s.client.Latest(t.Context()); !errors.Is(err, directory.ErrNotFound) || errors.Is(err, ErrNotOffered) {
		t.Errorf("before any recovery: %v", err)
	}
	r, err := s.client.Initiate(t.Context(), to)
	s.ok(err)
	if r.Status != directory.RecoveryPreviewed || !r.To.Equal(to) || r.Deletes == nil || *r.Deletes != 1 || len(r.Preview) != 4 || r.Preview[0].Create != 1 {
		t.Errorf("the preview is %+v", r)
	}
	s.ok(directory.NoteRecovery(t.Context(), s.journal, s.issuer, r.Recovery))
	var stopped *types.UserNotFoundException
	if err := s.create("erin"); err == nil || errors.As(err, &stopped) || !strings.Contains(err.Error(), "OperationNotEnabledException") {
		t.Errorf("a change while the pool counts: %v", err)
	}
	if report := s.pass(); report.Full || report.Removed+report.Created != 0 {
		t.Errorf("a pass while the pool counts: %+v", report)
	}
	started, err := s.client.Start(t.Context(), r.ID)
	s.ok(err)
	s.ok(directory.NoteRecovery(t.Context(), s.journal, s.issuer, started.Recovery))

	report := s.pass()
	if !report.Full || report.Removed != 1 || report.SessionsEnded != 1 {
		t.Errorf("the pass after it: %+v", report)
	}
	if !s.live(aliceHere) || s.live(malloryHere) || s.known("mallory").Deleted.IsZero() {
		t.Error("alice has to stay, and mallory to go")
	}
	if back := s.known("bob"); back.ID != bob.ID || back.Subject != bob.Subject || !back.Enabled || !back.Deleted.IsZero() {
		t.Errorf("bob is %+v, was %+v", back, bob)
	}
	if s.known("alice").ID != alice.ID || !s.known("carol").InGroup("staff") || s.known("dave").InGroup("intruders") {
		t.Errorf("alice %+v, carol %+v, dave %+v", s.known("alice"), s.known("carol"), s.known("dave"))
	}
	status, err := directory.ReadStatus(t.Context(), s.journal, s.issuer)
	if err != nil || status.Unsettled || status.Recovery.ID != r.ID || status.Recovery.Status != directory.RecoveryCompleted || *status.Recovery.Deletes != 1 {
		t.Errorf("the status is %+v, %v", status, err)
	}
	if latest, err := s.client.Latest(t.Context()); err != nil || latest.ID != r.ID || !latest.To.Equal(to) || !latest.Asked.Equal(r.Asked) {
		t.Errorf("the latest is %+v, %v; want %+v", latest, err, r.Recovery)
	}
	if report := s.pass(); report.Full {
		t.Error("a second full pass")
	}
}

func TestCancel(t *testing.T) {
	s := newScene(t)
	s.ahead.Add(int64(time.Hour))
	r, err := s.client.Initiate(t.Context(), s.now().Add(-30*time.Minute))
	s.ok(err)
	if _, err := s.client.Initiate(t.Context(), s.now().Add(-30*time.Minute)); !errors.Is(err, directory.ErrRefused) {
		t.Errorf("a second one: %v", err)
	}
	r, err = s.client.Cancel(t.Context(), r.ID)
	if err != nil || r.Status != directory.RecoveryCancelled {
		t.Errorf("Cancel = %+v, %v", r, err)
	}
	s.ok(s.create("alice"))
	if _, err := s.client.Start(t.Context(), r.ID); !errors.Is(err, directory.ErrRefused) {
		t.Errorf("a start after it: %v", err)
	}
}

// TestRefusals: what the pool says against a call is not offered, refused or unavailable, and
// only a throttled call, or one that only reads, is made again.
func TestRefusals(t *testing.T) {
	for _, row := range []struct {
		status int
		body   string
		want   error
		calls  int
	}{
		{400, `{"__type":"FeatureUnavailableInTierException","message":"not in Lite"}`, ErrNotOffered, 1},
		{400, `{"__type":"com.amazonaws#OperationNotEnabledException"}`, ErrNotOffered, 1},
		{404, `{"__type":"UnknownOperationException"}`, ErrNotOffered, 1},
		{404, `not found`, ErrNotOffered, 1},
		{501, `{"__type":"InternalFailure"}`, ErrNotOffered, 1},
		{400, `{"__type":"AccessDeniedException","message":"not\u001b[1m allowed"}`, directory.ErrRefused, 1},
		{400, `{"__type":"ResourceNotFoundException"}`, directory.ErrRefused, 1},
		{400, `{"__type":"TooManyRequestsException"}`, directory.ErrThrottled, attempts},
		{429, ``, directory.ErrThrottled, attempts},
		{500, `{"__type":"InternalErrorException"}`, directory.ErrUnavailable, attempts},
		{400, `{"__type":"ExpiredTokenException"}`, directory.ErrUnavailable, attempts},
		{503, `<html>`, directory.ErrUnavailable, attempts},
		{200, `<html>`, directory.ErrUnavailable, attempts},
		{200, `{"Restorations":[{"RestoreId":"x"}]}`, directory.ErrUnavailable, 1},
		{200, `{}`, directory.ErrNotFound, 1},
	} {
		t.Run(fmt.Sprint(row.status, row.body), func(t *testing.T) {
			var calls atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				if body, _ := io.ReadAll(r.Body); !strings.Contains(string(body), poolID) || r.Header.Get("Authorization") == "" {
					t.Errorf("the request is %s", body)
				}
				w.WriteHeader(row.status)
				io.WriteString(w, row.body)
			}))
			defer server.Close()
			c, err := New(t.Context(), sdk(server.URL), poolID)
			if err != nil {
				t.Fatal(err)
			}
			c.pause = func(context.Context, int) error { return nil }
			_, err = c.Latest(t.Context())
			if !errors.Is(err, row.want) || strings.Contains(err.Error(), "\x1b") || int(calls.Load()) != row.calls {
				t.Errorf("%v after %d calls; want %v after %d", err, calls.Load(), row.want, row.calls)
			}
			calls.Store(0)
			if _, err := c.Start(t.Context(), "x"); row.status != 200 && !errors.Is(err, directory.ErrThrottled) && calls.Load() != 1 {
				t.Errorf("a start is made %d times: %v", calls.Load(), err)
			}
			if row.want == directory.ErrNotFound && errors.Is(err, ErrNotOffered) {
				t.Errorf("none is not the same as not offered: %v", err)
			}
		})
	}
}

// TestEndpoint: without an address of its own, the client asks the Region.
func TestEndpoint(t *testing.T) {
	for region, want := range map[string]string{"eu-west-1": "https://cognito-idp.eu-west-1.amazonaws.com/", "cn-north-1": "https://cognito-idp.cn-north-1.amazonaws.com.cn/"} {
		c, err := New(t.Context(), cip.New(cip.Options{Region: region, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}), "eu-west-1_Ab12Cd34E")
		if err != nil || c.url != want {
			t.Errorf("%s: %v, %v; want %s", region, c, err, want)
		}
	}
	if _, err := New(t.Context(), cip.New(cip.Options{Region: "eu-west-1"}), poolID); err == nil {
		t.Error("a client without credentials is taken")
	}
}

// FuzzRestoration: no answer breaks the reading of one, and what is read has an id.
func FuzzRestoration(f *testing.F) {
	f.Add([]byte(`{"Restorations":[{"RestoreId":"a","RestoreStatus":"RESTORING","RestoreTimestamp":1.5e9,"RestorePreview":[{"Entity":"Users","DeleteCount":3}]}]}`))
	f.Add([]byte(`{"Restorations":[{"RestoreId":"a","RestoreStatus":"b","RestoreTimestamp":1e300}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		server := roundTrip(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(string(body))), Header: http.Header{}}, nil
		})
		c, err := New(t.Context(), cip.New(cip.Options{Region: "eu-west-1", HTTPClient: server, Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}), poolID)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := c.Latest(t.Context()); err == nil && (r.ID == "" || r.Status == "") {
			t.Errorf("%q gives %+v", body, r)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) Do(r *http.Request) (*http.Response, error) { return f(r) }
