//go:build unix

package faults

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httputil"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/redisstore"
	"github.com/codegrant/codegrant/session/sqlstore"
)

// TestMain is also the process that tests kill.
func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		runChild()
		return
	}
	code := m.Run()
	if sharedPostgres.postgresServer != nil {
		sharedPostgres.end()
	}
	os.Exit(code)
}

// clock runs, and can be put forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) Now() time.Time          { return time.Now().Add(time.Duration(c.ahead.Load())) }
func (c *clock) advance(d time.Duration) { c.ahead.Add(int64(d)) }

// world is a pool, and an application that signs in with it.
type world struct {
	*codegranttest.Pool
	t      testing.TB
	clock  *clock
	url    string // of the application
	keys   []byte
	config codegrant.Config
	auth   *codegrant.Auth
	log    *logs

	stores stores                // of worlds with several processes
	reads  atomic.Int64          // of sessions, by the process of the test
	behind atomic.Pointer[child] // who is sent the callbacks of sign-ins; nil: nobody else
}

// newWorld starts both. edit may change the configuration.
func newWorld(t testing.TB, edit func(*codegrant.Config, *clock)) *world {
	t.Helper()
	bounded(t)
	w := &world{t: t, clock: &clock{}, keys: []byte("0123456789abcdefghijklmnopqrstuv"), log: &logs{}}
	w.Pool = codegranttest.NewPool(t, w.clock.Now)
	ring, err := session.NewKeyring(w.keys)
	if err != nil {
		t.Fatal(err)
	}
	w.url = w.App(func(config codegrant.Config) http.Handler {
		config.Keys, config.Now = ring, w.clock.Now
		config.Logger = slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		edit(&config, w.clock)
		w.config = config
		var handler http.Handler
		w.auth, handler = application(t, config)
		return w.balanced(handler)
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := w.auth.Close(ctx); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Log(w.log.tail())
		}
	})
	return w
}

// balanced is a load balancer: callbacks go to another process, if there is one.
func (w *world) balanced(own http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		c := w.behind.Load()
		if c == nil || r.URL.Path != "/auth/callback" {
			own.ServeHTTP(rw, r)
			return
		}
		to, err := url.Parse(c.url)
		if err != nil {
			panic(err)
		}
		(&httputil.ReverseProxy{
			Rewrite:      func(p *httputil.ProxyRequest) { p.SetURL(to); p.Out.Host = p.In.Host },
			ErrorHandler: func(rw http.ResponseWriter, _ *http.Request, _ error) { rw.WriteHeader(http.StatusBadGateway) },
		}).ServeHTTP(rw, r)
	})
}

type fataler interface{ Fatal(...any) }

// application is what a user of the library writes: it shows who is signed in.
func application(t fataler, config codegrant.Config) (*codegrant.Auth, http.Handler) {
	auth, err := codegrant.New(config)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	mux.Handle("/", auth.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		groups := slices.Sorted(slices.Values(id.Groups))
		_, _ = io.WriteString(w, id.Username+" in "+strings.Join(groups, ", "))
	})))
	return auth, mux
}

// bounded fails a test after which more is left running, or kept in memory, than
// before.
func bounded(t testing.TB) {
	const slack, slackBytes = 3, 48 << 20
	measure := func() (int, uint64) {
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return runtime.NumGoroutine(), m.HeapAlloc
	}
	goroutines, heap := measure()
	t.Cleanup(func() { // the last of all
		var n int
		var bytes uint64
		ok := until(30*time.Second, func() bool {
			n, bytes = measure()
			return n <= goroutines+slack && bytes <= heap+slackBytes
		})
		if !ok {
			b := make([]byte, 1<<20)
			t.Errorf("%d goroutines and %d bytes of %d and %d before\n%s", n, bytes, goroutines, heap, b[:runtime.Stack(b, true)])
		}
	})
}

// logs keeps the last of what is logged.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.b.Len() > 1<<20 {
		l.b.Reset()
	}
	return l.b.Write(p)
}

func (l *logs) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}

func (l *logs) tail() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.b.Bytes()
	return string(b[max(0, len(b)-8<<10):])
}

// person is a signed-in browser.
type person struct {
	w       *world
	browser *codegranttest.Browser
}

// signIn signs a user in; the page says who they are.
func (w *world) signIn(username string) *person {
	w.t.Helper()
	p := &person{w, codegranttest.NewBrowser(w.t)}
	if page := p.signIn(username); page.Status != 200 || !strings.HasPrefix(page.Body, username+" in ") {
		w.t.Fatalf("sign in as %s: status %d at %s: %s", username, page.Status, page.URL, page.Body)
	}
	return p
}

func (p *person) signIn(username string) *codegranttest.Page {
	p.w.t.Helper()
	return p.browser.SignIn(p.w.url+"/start", username+"@example.com", codegranttest.Password)
}

// trySignIn signs in where that may fail: it opens the page, fills in the form at the
// pool, and returns the last answer.
func (w *world) trySignIn(username string) *codegranttest.Page {
	w.t.Helper()
	return (&person{w, codegranttest.NewBrowser(w.t)}).signIn(username)
}

// answer is what a request got.
type answer struct {
	status     int
	body       string
	retryAfter string
	cookies    []*http.Cookie
	took       time.Duration
}

// ask requests a page as a program in the page does.
func (p *person) ask() answer { return p.askAt(p.w.url) }

func (p *person) askAt(origin string) answer {
	p.w.t.Helper()
	r, err := http.NewRequest(http.MethodGet, origin+"/page", nil)
	if err != nil {
		p.w.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	for _, c := range p.cookies() {
		r.AddCookie(c)
	}
	began := time.Now()
	response, err := client.Do(r)
	if err != nil {
		p.w.t.Errorf("no answer: %v", err)
		return answer{}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.w.t.Errorf("half an answer: %v", err)
	}
	return answer{response.StatusCode, string(body), response.Header.Get("Retry-After"), response.Cookies(), time.Since(began)}
}

// send requests a page of a process that may be killed meanwhile, and returns the
// status, 0 where there was no answer.
func (p *person) send(origin string) int {
	r, err := http.NewRequest(http.MethodGet, origin+"/page", nil)
	if err != nil {
		p.w.t.Error(err)
		return 0
	}
	r.Header.Set("Accept", "application/json")
	for _, c := range p.cookies() {
		r.AddCookie(c)
	}
	response, err := client.Do(r)
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// client keeps no cookies: a person's are sent with each request.
var client = &http.Client{Timeout: 60 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func (p *person) cookies() []*http.Cookie {
	u, err := url.Parse(p.w.url)
	if err != nil {
		p.w.t.Fatal(err)
	}
	return p.browser.Client.Jar.(*cookiejar.Jar).Cookies(u)
}

// want asks once, and wants a status.
func (p *person) want(status int) answer {
	p.w.t.Helper()
	a := p.ask()
	if a.status != status {
		p.w.t.Errorf("status %d, want %d: %s", a.status, status, a.body)
	}
	p.w.check(a)
	return a
}

// check holds an answer to what is promised of all: whoever gets 503 is told when to
// come again and keeps their cookie, and nobody is told that they are not signed in.
func (w *world) check(a answer) {
	w.t.Helper()
	switch a.status {
	case 200:
	case 503:
		if a.retryAfter == "" || len(a.cookies) > 0 {
			w.t.Errorf("503 with Retry-After %q and cookies %v", a.retryAfter, a.cookies)
		}
	default:
		w.t.Errorf("status %d: %s", a.status, a.body)
	}
}

// recovers waits until a request succeeds, and says how long that took.
func (p *person) recovers(limit time.Duration) time.Duration {
	p.w.t.Helper()
	began := time.Now()
	if !until(limit, func() bool { a := p.ask(); p.w.check(a); return a.status == 200 }) {
		p.w.t.Fatalf("not recovered after %v", time.Since(began))
	}
	return time.Since(began)
}

// tally is what the requests of a time got.
type tally struct {
	mu       sync.Mutex
	statuses map[int]int
	slowest  time.Duration
	most     int // goroutines
}

func (t *tally) add(a answer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.statuses[a.status]++
	t.slowest = max(t.slowest, a.took)
	t.most = max(t.most, runtime.NumGoroutine())
}

func (t *tally) String() string {
	var s strings.Builder
	for _, status := range slices.Sorted(maps.Keys(t.statuses)) {
		fmt.Fprintf(&s, "%d × %d, ", t.statuses[status], status)
	}
	fmt.Fprintf(&s, "slowest %v, at most %d goroutines", t.slowest.Round(time.Millisecond), t.most)
	return s.String()
}

// visitors is how many make requests at a time, where a test has many do so.
const visitors = 16

// traffic has people make requests until it is stopped, each as fast as they are
// answered. Every answer is held to what check says.
func (w *world) traffic(people ...*person) (stop func() *tally) {
	w.t.Helper()
	all, done := &tally{statuses: make(map[int]int)}, make(chan struct{})
	before := runtime.NumGoroutine()
	var wg sync.WaitGroup
	for i := range visitors {
		wg.Go(func() {
			for n := i; ; n++ {
				select {
				case <-done:
					return
				case <-time.After(2 * time.Millisecond):
				}
				a := people[n%len(people)].ask()
				w.check(a)
				all.add(a)
			}
		})
	}
	return sync.OnceValue(func() *tally {
		close(done)
		wg.Wait()
		w.t.Log(all)
		// Connections have a few on either side, stores and proxies theirs.
		if limit := before + 40*visitors; all.most > limit {
			w.t.Errorf("%d goroutines for %d visitors, and %d before", all.most, visitors, before)
		}
		return all
	})
}

// flood makes n requests, so many at a time, and wants each answered within a limit.
func (p *person) flood(n int, limit time.Duration, status int) *tally {
	p.w.t.Helper()
	all := &tally{statuses: make(map[int]int)}
	var wg sync.WaitGroup
	left := atomic.Int64{}
	left.Store(int64(n))
	for range visitors {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				a := p.ask()
				p.w.check(a)
				all.add(a)
			}
		})
	}
	wg.Wait()
	p.w.t.Log(all)
	if all.statuses[status] != n || all.slowest > limit {
		p.w.t.Errorf("want %d × %d within %v", n, status, limit)
	}
	return all
}

// whole wants a user to be in the replica as the pool has them, or as they were.
func (w *world) whole(username string, groups ...[]string) {
	t := w.t
	t.Helper()
	for _, u := range w.users() {
		if u.Username != username {
			continue
		}
		var names []string
		for _, g := range u.Groups {
			names = append(names, g.Name)
		}
		slices.Sort(names)
		if !slices.ContainsFunc(groups, func(want []string) bool { return slices.Equal(names, want) }) || u.Email != username+"@example.com" || !u.Enabled {
			t.Errorf("half a user: %+v", u)
		}
	}
}

func named(username string) func(replica.User) bool {
	return func(u replica.User) bool { return u.Username == username }
}

// users are those of the replica.
func (w *world) users() []replica.User {
	w.t.Helper()
	page, err := w.config.Replica.Users(w.t.Context(), replica.UserQuery{Issuer: w.config.Pool.Issuer, Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	return page.Users
}

// sessionsLeft counts the sessions in a store.
func (w *world) sessionsLeft() int {
	w.t.Helper()
	list, err := w.config.Sessions.List(w.t.Context(), session.Query{Limit: 10_000})
	if err != nil {
		w.t.Fatal(err)
	}
	return len(list)
}

// redisSessions opens a store.
func redisSessions(t fataler, config redisstore.Config) *redisstore.Store {
	store, err := redisstore.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// sqlSessions and sqlUsers put a store on a database, with its tables.
func sqlSessions(t testing.TB, db *sql.DB, config sqlstore.Config) *sqlstore.Store {
	t.Helper()
	store, err := sqlstore.New(db, config)
	if err == nil {
		err = store.Migrate(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func sqlUsers(t testing.TB, db *sql.DB, config sqlreplica.Config) *sqlreplica.Store {
	t.Helper()
	store, err := sqlreplica.New(db, config)
	if err == nil {
		err = store.Migrate(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func openDB(t testing.TB, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
