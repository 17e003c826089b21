package syncing

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/directory/sqsqueue/sqstest"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/session"
)

// twoPools is a configuration of two pools, one of them with two app clients, and
// their people.
type twoPools struct {
	*testing.T
	*localpool.Server
	url, config string
	down        atomic.Bool // nobody knows of the pools
	ops         string      // of the sync that was started last
}

func newTwoPools(t *testing.T, events string) *twoPools {
	t.Helper()
	w := &twoPools{T: t}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if w.down.Load() {
			http.Error(rw, `{"__type": "ResourceNotFoundException", "message": "there is no such pool"}`, http.StatusBadRequest) // nobody tries again at once
			return
		}
		w.ServeHTTP(rw, r)
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	client := func(id string) localpool.ClientSeed {
		return localpool.ClientSeed{ID: id, Name: id, CallbackURLs: []string{"http://localhost:8080/auth/callback"}}
	}
	people := func(names ...string) (all []localpool.UserSeed) {
		for _, name := range names {
			all = append(all, localpool.UserSeed{Username: name, Email: name + "@example.com", Password: "Passw0rd!"})
		}
		return all
	}
	var err error
	w.Server, err = localpool.New(localpool.Config{BaseURL: server.URL, Logger: slog.New(slog.DiscardHandler), Seed: localpool.Seed{Pools: []localpool.PoolSeed{
		{ID: "local_Shop1", Name: "shop", Clients: []localpool.ClientSeed{client("1shop2web"), client("1shop2app")}, Groups: []localpool.GroupSeed{{Name: "admins"}}, Users: people("alice", "bob")},
		{ID: "local_Staff1", Name: "staff", Clients: []localpool.ClientSeed{client("1staff2web")}, Users: people("carol", "dave")},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	w.config = filepath.Join(dir, "codegrant.yaml")
	pool := func(name, id, client string) string {
		return fmt.Sprintf("{name: %s, hosts: %s.localhost, base_url: 'http://%s.localhost:8080', code_grant_url: %s/oauth2/token, jwks_url: %s/%s/.well-known/jwks.json, client_id: %s}", name, name, name, w.url, w.url, id, client)
	}
	if err := os.WriteFile(w.config, fmt.Appendf(nil, `
base_url: http://localhost:8080
keys: ["hxXwLHjJ2Xl4yjKb1o0pQ0b3Kc9yq6C3i8nV5tZr7sE="]
sessions: database
database: sqlite:%s
replica: true
%s
pools:
  - %s
  - %s
  - %s
`, filepath.Join(dir, "app.db"), events, pool("shop", "local_Shop1", "1shop2web"), pool("app", "local_Shop1", "1shop2app"), pool("staff", "local_Staff1", "1staff2web")), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *twoPools) open(pool string) *parts.Opened {
	w.Helper()
	o, err := parts.Inspection{Config: w.config, Pool: pool}.Open()
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { o.Close() })
	return o
}

// signIn opens a session of somebody at an app client.
func (w *twoPools) signIn(pool, who string) (sub string, state func() string) {
	w.Helper()
	o := w.open(pool)
	u, err := o.Find(w.Context(), who)
	if err != nil {
		w.Fatal(err)
	}
	id, now := session.NewHandle().RecordID(), time.Now()
	if err := o.Sessions.Create(w.Context(), session.Record{ID: id, Pool: o.Bound, Subject: u.Subject, Created: now, LastSeen: now, Expires: now.Add(time.Hour), Sealed: []byte("x")}); err != nil {
		w.Fatal(err)
	}
	return u.Subject, func() string {
		record, err := o.Sessions.Get(w.Context(), id)
		switch {
		case err != nil:
			return "ended"
		case record.Stale:
			return "stale"
		}
		return "live"
	}
}

func (w *twoPools) sync(status int, args ...string) (stdout, stderr string) {
	w.Helper()
	stdout, stderr, got := say(w.T, append([]string{"sync", "--config", w.config, "--endpoint", w.url}, args...)...)
	if got != status {
		w.Fatalf("sync %v: status %d, want %d: %s", args, got, status, stderr)
	}
	return stdout, stderr
}

func (w *twoPools) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// TestSync_Pools: all pools of a configuration are read, or one, and whoever is
// disabled loses the sessions at every app client of the pool.
func TestSync_Pools(t *testing.T) {
	w := newTwoPools(t, "")
	if got, _ := w.sync(0, "--full"); !strings.Contains(got, "shop: 1 group, 2 users read: 2 new") || !strings.Contains(got, "staff: 0 groups, 2 users read: 2 new") || strings.Contains(got, "app:") {
		t.Errorf("all pools: %s", got)
	}
	_, web := w.signIn("shop", "alice")
	_, app := w.signIn("app", "alice")
	w.ok(w.DisableUser("local_Shop1", "alice"))
	got, _ := w.sync(0, "--pool", "app", "--json")
	var report passed
	if err := json.Unmarshal([]byte(got), &report); err != nil || !report.Done || report.Disabled != 1 || report.SessionsEnded != 2 {
		t.Errorf("one pool: %v %s", err, got)
	}
	if web() != "ended" || app() != "ended" {
		t.Errorf("sessions: %s, %s", web(), app())
	}

	// Who may not be removed, and who makes a pass at this time.
	w.ok(w.DeleteUser("local_Staff1", "carol"))
	w.ok(w.DeleteUser("local_Staff1", "dave"))
	if _, stderr := w.sync(exitTooMany); !strings.Contains(stderr, "pool staff") || !strings.Contains(stderr, "--max-share") {
		t.Errorf("too many: %s", stderr)
	}
	w.sync(0, "--max-share", "1", "--by-subject")
	o := w.open("staff")
	journal, err := directory.NewSQLJournal(o.DB.DB, o.DB.Dialect)
	w.ok(err)
	_, _, err = journal.Acquire(t.Context(), "pass "+o.Issuer, "somebody", time.Minute)
	w.ok(err)
	if _, stderr := w.sync(exitRunning, "--pool", "staff"); !strings.Contains(stderr, "another process is making a pass") {
		t.Errorf("another process: %s", stderr)
	}
	w.sync(0, "--pool", "shop")
}

// TestSync_OnePerson looks people up, in all pools, by whatever they are called.
func TestSync_OnePerson(t *testing.T) {
	w := newTwoPools(t, "")
	w.sync(0, "--full")
	sub, here := w.signIn("shop", "alice")
	w.ok(w.DisableUser("local_Shop1", "alice"))
	w.ok(w.SetAttributes("local_Staff1", "carol", map[string]string{"name": "Carol"}))
	if got, _ := w.sync(0, "--user", "alice@example.com", "--user", "carol", "--user", "dave"); !strings.Contains(got, "alice ("+sub+", disabled): may no longer sign in") ||
		!strings.Contains(got, "enabled): another name") || !strings.Contains(got, "dave") || !strings.Contains(got, "as it was") {
		t.Errorf("looked up: %s", got)
	}
	if here() != "ended" {
		t.Errorf("the session is %s", here())
	}
	w.ok(w.EnableUser("local_Shop1", "alice"))
	w.ok(w.AddToGroup("local_Shop1", "alice", "admins"))
	got, _ := w.sync(0, "--user", sub, "--full", "--json")
	var found []lookedUp
	if err := json.Unmarshal([]byte(got), &found); err != nil || len(found) != 1 || found[0].Pool != "shop" || fmt.Sprint(found[0].Changes) != "[may sign in again in group admins]" {
		t.Errorf("with groups: %v %s", err, got)
	}
	if stdout, stderr := w.sync(1, "--user", "nobody", "--user", "bob"); !strings.Contains(stderr, "the replica has nobody") || !strings.Contains(stdout, "bob") {
		t.Errorf("nobody: %s %s", stdout, stderr)
	}
	if _, stderr := w.sync(1, "--pool", "shop", "--user", "00000000-0000-0000-0000-000000000000"); !strings.Contains(stderr, "nor the replica has a person with the sub") {
		t.Errorf("nobody's sub: %s", stderr)
	}
}

func cloudTrail(pool, name, sub, group string) string {
	return fmt.Sprintf(`{"version":"0","detail-type":"AWS API Call via CloudTrail","source":"aws.cognito-idp","detail":{"eventName":%q,"eventSource":"cognito-idp.amazonaws.com",`+
		`"eventTime":%q,"requestParameters":{"userPoolId":%q,"groupName":%q},"additionalEventData":{"sub":%q}}}`, name, time.Now().UTC().Format(time.RFC3339), pool, group, sub)
}

// following runs codegrant sync --follow until the test ends it. The pools are on this
// machine, and are asked there without being named.
func (w *twoPools) following(args ...string) (address string, end func() int) {
	w.Helper()
	ctx, cancel := context.WithCancel(w.Context())
	read, write := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, append([]string{"sync", "--follow", "--config", w.config}, args...), w.Output(), write)
		write.Close()
	}()
	ready, told := make(chan string, 1), make(chan struct{})
	w.Cleanup(func() { cancel(); <-told })
	go func() {
		defer close(told) // nothing more goes to the test's output
		listen, passes := "", 0
		for lines := bufio.NewScanner(read); lines.Scan(); {
			fmt.Fprintln(w.Output(), lines.Text())
			if m := regexp.MustCompile(`listen=(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
				listen = "http://" + m[1]
			}
			if m := regexp.MustCompile(`serving operations" at=(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
				w.ops = "http://" + m[1] // before anybody is told that it is ready
			}
			if strings.Contains(lines.Text(), `"pass is done"`) || strings.Contains(lines.Text(), "stands by") {
				if passes++; passes == 2 {
					ready <- listen
				}
			}
		}
		close(ready)
	}()
	select {
	case address = <-ready:
		if len(ended) > 0 {
			w.Fatal("it has ended")
		}
	case <-time.After(time.Minute):
		w.Fatal("no passes within a minute")
	}
	stop := func() int {
		cancel()
		select {
		case status := <-ended:
			return status
		case <-time.After(time.Minute):
			w.Fatal("it does not end within a minute")
			return -1
		}
	}
	return address, stop
}

func (w *twoPools) until(what string, f func() bool) {
	w.Helper()
	for deadline := time.After(time.Minute); !f(); {
		select {
		case <-deadline:
			w.Fatalf("not within a minute: %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// TestSync_FollowLocalPool: who is disabled in a local pool that posts its events, as the
// documentation sets the two up, has no session a moment later.
func TestSync_FollowLocalPool(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	w := newTwoPools(t, "events: {listen: '127.0.0.1:0', secret: "+secret+"}")
	address, end := w.following("--full")
	t.Cleanup(func() { _ = w.Close() })
	w.ok(w.SendEvents(localpool.EventsSeed{URL: address + "/events", Secret: secret}))
	_, alice := w.signIn("shop", "alice")
	_, bob := w.signIn("app", "bob")
	_, carol := w.signIn("staff", "carol")

	// As an administrator's tools do it, through the pool's JSON API.
	post := func(operation, body string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url, strings.NewReader(body))
		w.ok(err)
		r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		response, err := http.DefaultClient.Do(r)
		w.ok(err)
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Fatalf("%s: status %d", operation, response.StatusCode)
		}
	}
	post("AdminDisableUser", `{"UserPoolId": "local_Shop1", "Username": "alice"}`)
	w.until("alice's session ends", func() bool { return alice() == "ended" })
	post("AdminAddUserToGroup", `{"UserPoolId": "local_Shop1", "Username": "bob", "GroupName": "admins"}`)
	w.until("bob's session is to be refreshed", func() bool { return bob() == "stale" })
	post("AdminDeleteUser", `{"UserPoolId": "local_Staff1", "Username": "carol"}`)
	w.until("carol's session ends", func() bool { return carol() == "ended" })
	if status := end(); status != 0 {
		t.Errorf("status %d", status)
	}
}

// TestSync_Follow: events from a queue and over HTTP end sessions in either pool, and
// a second process follows too, and leaves the passes to the first.
func TestSync_Follow(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	w := newTwoPools(t, "events: {listen: '127.0.0.1:0', secret: "+secret+"}")
	queue := sqstest.New(1)
	behind := httptest.NewServer(queue)
	t.Cleanup(behind.Close)
	address, end := w.following("--queue", behind.URL+sqstest.Path, "--queue-endpoint", behind.URL)
	_, endSecond := w.following("--queue", behind.URL+sqstest.Path, "--queue-endpoint", behind.URL)

	post := func(secret, body string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address+"/events", strings.NewReader(body))
		w.ok(err)
		r.Header.Set(directory.SecretHeader, secret)
		response, err := http.DefaultClient.Do(r)
		w.ok(err)
		response.Body.Close()
		return response.StatusCode
	}
	alice, aliceHere := w.signIn("app", "alice")
	bob, bobHere := w.signIn("shop", "bob")
	carol, carolHere := w.signIn("staff", "carol")

	w.ok(w.DisableUser("local_Shop1", "alice"))
	if code := post("wrong", cloudTrail("local_Shop1", "AdminDisableUser", alice, "")); code != 401 || aliceHere() != "live" {
		t.Errorf("a wrong secret: %d, and the session is %s", code, aliceHere())
	}
	if code := post(secret, cloudTrail("local_Shop1", "AdminDisableUser", alice, "")); code != 204 || aliceHere() != "ended" {
		t.Errorf("posted: %d, and the session is %s", code, aliceHere())
	}
	w.ok(w.AddToGroup("local_Shop1", "bob", "admins"))
	queue.Send(cloudTrail("local_Shop1", "AdminAddUserToGroup", bob, "admins"))
	w.until("bob's session is stale", func() bool { return bobHere() == "stale" })
	w.ok(w.DeleteUser("local_Staff1", "carol"))
	queue.Send(cloudTrail("local_Staff1", "AdminDeleteUser", carol, ""))
	w.until("carol's session ends", func() bool { return carolHere() == "ended" })
	w.until("the queue is empty", func() bool { return queue.Len() == 0 })

	response, err := http.Get(address + "/healthz")
	w.ok(err)
	response.Body.Close()
	if response.StatusCode != 200 {
		t.Errorf("/healthz: %d", response.StatusCode)
	}
	if a, b := end(), endSecond(); a != 0 || b != 0 {
		t.Errorf("statuses %d and %d after a signal, want 0", a, b)
	}

	// What happened while nobody followed, the pass at the start finds out.
	dave, daveHere := w.signIn("staff", "dave")
	w.ok(w.DisableUser("local_Staff1", "dave"))
	_, end = w.following()
	if daveHere() != "ended" {
		t.Errorf("after the first pass the session of %s is %s", dave, daveHere())
	}
	end()
}

// TestSync_FollowRefuses: a queue that cannot be used is said at the start.
func TestSync_FollowRefuses(t *testing.T) {
	w := newTwoPools(t, "")
	queue := sqstest.New(1)
	behind := httptest.NewServer(queue)
	t.Cleanup(behind.Close)
	if _, stderr := w.sync(1, "--follow", "--queue", behind.URL+"/000000000000/nothing", "--queue-endpoint", behind.URL); !strings.Contains(stderr, "there is no such queue") {
		t.Errorf("no queue: %s", stderr)
	}
	queue.Set(sqstest.Faults{Refuse: func(string) (int, string) { return 403, "AccessDeniedException" }})
	if _, stderr := w.sync(1, "--follow", "--queue", behind.URL+sqstest.Path, "--queue-endpoint", behind.URL); !strings.Contains(stderr, "allow sqs:ReceiveMessage") {
		t.Errorf("no permission: %s", stderr)
	}
}
