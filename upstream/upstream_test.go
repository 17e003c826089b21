package upstream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/upstream"
)

// site is a pool, two processes of an application, and the server of somebody else, which
// agrees to everything.
type site struct {
	*codegranttest.Pool
	t     testing.TB
	url   string
	app   http.Handler
	ups   []*upstream.Upstream // one of each process
	ahead atomic.Int64
	turn  atomic.Int64

	other  *httptest.Server
	mu     sync.Mutex
	asked  []url.Values // of the token endpoint, and revocations
	codes  map[string]string
	events sync.Map // how often each was heard of
	fails  int      // status of the token endpoint; 0: it answers
	says   string
	last   url.Values      // of the authorization request
	live   map[string]bool // refresh tokens: one that comes twice ends all (RFC 9700, section 4.14.2)
	keeps  bool            // refresh tokens stay as they are
	lock   sync.Mutex
	log    bytes.Buffer
}

func (s *site) Write(b []byte) (int, error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	return s.log.Write(b)
}

func (s *site) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

// ServeHTTP is the other server.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.URL.Path {
	case "/authorize":
		s.last = r.URL.Query()
		code := fmt.Sprintf("code-%d", len(s.codes))
		s.codes[code] = s.last.Get("code_challenge")
		back := url.Values{"code": {code}, "state": {s.last.Get("state")}}
		http.Redirect(w, r, s.last.Get("redirect_uri")+"?"+back.Encode(), http.StatusFound)
	case "/token", "/revoke":
		_ = r.ParseForm()
		r.PostForm.Set("path", r.URL.Path)
		s.asked = append(s.asked, r.PostForm)
		id, secret, _ := r.BasicAuth()
		if id != "c1" || secret != "a-secret-of-ours" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":"invalid_client"}`)
			return
		}
		if r.URL.Path == "/revoke" {
			return
		}
		if s.fails != 0 {
			w.WriteHeader(s.fails)
			_, _ = io.WriteString(w, s.says)
			return
		}
		n := len(s.asked)
		next := fmt.Sprintf("refresh-%d", n)
		if r.PostForm.Get("grant_type") == "refresh_token" {
			used := r.PostForm.Get("refresh_token")
			if !s.live[used] {
				clear(s.live)
				w.WriteHeader(http.StatusBadRequest)
				_, _ = io.WriteString(w, `{"error":"invalid_grant"}`)
				return
			}
			if s.keeps {
				next = used
			}
			delete(s.live, used)
		}
		s.live[next] = true
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": fmt.Sprintf("theirs-%d", n), "refresh_token": next, "token_type": "bearer", "expires_in": 3600})
	}
}

// tokens are the requests of the token endpoint, and of revocation.
func (s *site) requests(path string) (all []url.Values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.asked {
		if a.Get("path") == path {
			all = append(all, a)
		}
	}
	return all
}

func (s *site) failing(status int, says string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fails, s.says = status, says
}

func newSite(t testing.TB, change func(*upstream.Config)) *site {
	s := &site{Pool: codegranttest.NewPool(t, nil), t: t, codes: make(map[string]string), live: make(map[string]bool)}
	s.other = httptest.NewServer(s)
	t.Cleanup(s.other.Close)
	store, keys, shelf := session.NewMemoryStore(session.MemoryConfig{}), session.RandomKeyring(), newShelf(t, s.now)
	s.url = s.App(func(config codegrant.Config) http.Handler {
		config.Sessions, config.Keys, config.Logger = store, keys, slog.New(slog.DiscardHandler)
		var muxes []*http.ServeMux
		for range 2 {
			auth, err := codegrant.New(config)
			if err != nil {
				t.Fatal(err)
			}
			mux := http.NewServeMux()
			auth.Mount(mux, "/auth")
			for _, name := range []string{"github", "other"} {
				c := upstream.Config{
					Name: name, Auth: auth, AuthorizeURL: s.other.URL + "/authorize?prompt=consent", TokenURL: s.other.URL + "/token", RevokeURL: s.other.URL + "/revoke",
					ClientID: "c1", ClientSecret: "a-secret-of-ours", Scopes: []string{"repo", "user"}, Keys: keys, Cupboard: shelf, Logger: slog.New(slog.NewTextHandler(s, nil)), Now: s.now,
				}
				c.OnEvent = func(_ context.Context, e upstream.Event) {
					if !slices.Contains(e.Kind.Outcomes(), e.Outcome) || (e.Took > 0) != (e.Kind == upstream.TokenRenewed) {
						t.Errorf("an event that nobody expects: %+v", e)
					}
					n, _ := s.events.LoadOrStore(string(e.Kind)+" "+e.Outcome, new(atomic.Int64))
					n.(*atomic.Int64).Add(1)
				}
				if change != nil {
					change(&c)
				}
				u, err := upstream.New(c)
				if err != nil {
					t.Fatal(err)
				}
				for path, h := range u.Handlers() {
					mux.Handle(path, h)
				}
				if name == "github" {
					s.ups = append(s.ups, u)
					mux.Handle("/repos/", auth.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						id, _ := codegrant.From(r.Context())
						token, err := u.Token(r.Context(), id)
						var answers http.Handler
						if errors.As(err, &answers) {
							answers.ServeHTTP(w, r)
							return
						}
						if err != nil {
							auth.Refuse(w, r, id, err)
							return
						}
						_, _ = io.WriteString(w, "token "+token)
					})))
				}
			}
			mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "home") })
			muxes = append(muxes, mux)
		}
		s.app = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { muxes[s.turn.Add(1)%2].ServeHTTP(w, r) })
		return s.app
	})
	return s
}

// get asks as a program with the person's cookies.
func (s *site) get(b *codegranttest.Browser, path string) (int, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	c := &http.Client{Jar: b.Client.Jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := c.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body)
}

func (s *site) person(email string) *codegranttest.Browser {
	b := codegranttest.NewBrowser(s.t)
	b.SignIn(s.url+"/auth/login?redirect_uri=/", email, codegranttest.Password)
	return b
}

// TestS708_Journey: a person agrees once, comes back to where they were, and the token is
// theirs, in every process, renewed once however many ask, until they sign out.
func TestS708_Journey(t *testing.T) {
	s := newSite(t, nil)
	alice, bob := s.person("alice@example.com"), s.person("bob@example.com")
	if status, body := s.get(alice, "/repos/x"); status != 403 || !strings.Contains(body, `"connect_url":"`+s.url+`/upstream/github/connect"`) {
		t.Errorf("before: %d %s", status, body)
	}
	page := alice.Open(s.url + "/repos/x?y=1")
	if page.Status != 200 || page.Body != "token theirs-1" || !strings.HasSuffix(page.URL.String(), "/repos/x?y=1") {
		t.Fatalf("%d %s at %s\n%s", page.Status, page.Body, page.URL, s.log.String())
	}
	if s.last.Get("prompt") != "consent" || s.last.Get("scope") != "repo user" || s.last.Get("code_challenge_method") != "S256" || s.last.Get("redirect_uri") != s.url+"/upstream/github/callback" {
		t.Errorf("asked for %v", s.last)
	}
	if status, body := s.get(bob, "/repos/x"); status != 403 {
		t.Errorf("Bob: %d %s", status, body)
	}
	s.ahead.Store(int64(2 * time.Hour))
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if status, body := s.get(alice, "/repos/x"); status != 200 || body != "token theirs-2" {
				t.Errorf("renewed: %d %s", status, body)
			}
		})
	}
	wg.Wait()
	if all := s.requests("/token"); len(all) != 2 || all[1].Get("refresh_token") != "refresh-1" || all[0].Get("code_verifier") == "" {
		t.Errorf("%d requests: %v", len(all), all)
	}
	for _, u := range s.ups {
		if err := u.Sweep(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if all := s.requests("/revoke"); len(all) != 0 {
		t.Errorf("revoked too early: %v", all)
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/auth/logout", nil)
	r.Header.Set("Sec-Fetch-Site", "none")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	if answer, err := alice.Client.Do(r); err != nil {
		t.Error(err)
	} else {
		answer.Body.Close()
	}
	for _, u := range s.ups {
		if err := u.Sweep(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if all := s.requests("/revoke"); len(all) != 1 || all[0].Get("token") != "refresh-2" {
		t.Errorf("revoked: %v", all)
	}
	for _, event := range []string{"consent asked", "consent given", "refresh refreshed", "revocation revoked"} {
		if n, ok := s.events.Load(event); !ok || n.(*atomic.Int64).Load() != 1 {
			t.Errorf("S-672: %s is not counted once: %+v", event, n)
		}
	}
	s.ahead.Add(int64(time.Second)) // what was found a moment ago counts no longer
	if status, body := s.get(s.person("alice@example.com"), "/repos/x"); status != 403 {
		t.Errorf("the next session: %d %s", status, body)
	}
	if log := s.log.String(); strings.Contains(log, "theirs-") || strings.Contains(log, "refresh-") || strings.Contains(log, "a-secret-of-ours") {
		t.Error(log)
	}
}

// TestS709_AnswersAreOfWhoAsked: state of another session or server, answers twice, and what
// the other server never says lead nowhere; and nobody is sent anywhere else.
func TestS709_AnswersAreOfWhoAsked(t *testing.T) {
	s := newSite(t, func(c *upstream.Config) { c.Issuer = "https://id.example.com" })
	alice, bob := s.person("alice@example.com"), s.person("bob@example.com")
	location := func(b *codegranttest.Browser, path string) *url.URL {
		t.Helper()
		c := &http.Client{Jar: b.Client.Jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		answer, err := c.Get(s.url + path)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		u, err := answer.Location()
		if err != nil {
			t.Fatalf("%s: %d %v", path, answer.StatusCode, err)
		}
		return u
	}
	state := func(b *codegranttest.Browser, name, back string) string {
		t.Helper()
		return location(b, "/upstream/"+name+"/connect?return="+url.QueryEscape(back)).Query().Get("state")
	}
	answer := func(values url.Values) string { return "/upstream/github/callback?" + values.Encode() }
	good := state(alice, "github", "/repos/x")
	iss := "https://id.example.com"
	for name, path := range map[string]string{
		"code injection: a state of another session": answer(url.Values{"code": {"x"}, "state": {state(bob, "github", "/")}, "iss": {iss}}),
		"mix-up: a state of another server":          answer(url.Values{"code": {"x"}, "state": {state(alice, "other", "/")}, "iss": {iss}}),
		"mix-up: an answer of another issuer":        answer(url.Values{"code": {"x"}, "state": {good}, "iss": {"https://evil.example"}}),
		"mix-up: an answer of nobody":                answer(url.Values{"code": {"x"}, "state": {good}}),
		"no state":                                   answer(url.Values{"code": {"x"}, "iss": {iss}}),
		"a state that was changed":                   answer(url.Values{"code": {"x"}, "state": {good[:len(good)-4] + "AAAA"}, "iss": {iss}}),
		"code and error":                             answer(url.Values{"code": {"x"}, "error": {"y"}, "state": {good}, "iss": {iss}}),
		"neither":                                    answer(url.Values{"state": {good}, "iss": {iss}}),
		"a code twice":                               answer(url.Values{"code": {"x", "y"}, "state": {good}, "iss": {iss}}),
		"a huge one":                                 answer(url.Values{"code": {strings.Repeat("x", 40<<10)}, "state": {good}, "iss": {iss}}),
	} {
		if status, body := s.get(alice, path); status != 400 || len(s.requests("/token")) != 0 {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	s.ahead.Store(int64(11 * time.Minute))
	if status, _ := s.get(alice, answer(url.Values{"code": {"x"}, "state": {good}, "iss": {iss}})); status != 400 {
		t.Errorf("too late: %d", status)
	}
	s.ahead.Store(0)
	if to := location(alice, answer(url.Values{"code": {"x"}, "state": {good}, "iss": {iss}})); to.String() != s.url+"/repos/x" || len(s.requests("/token")) != 1 {
		t.Errorf("as it should be: %s", to)
	}
	if status, _ := s.get(alice, answer(url.Values{"code": {"y"}, "state": {good}, "iss": {iss}})); status != 400 || len(s.requests("/token")) != 1 {
		t.Errorf("the same answer again: %d", status)
	}
	for _, back := range []string{"https://evil.example/", "//evil.example/", `/\evil.example`, "/%2f/evil.example", "javascript:alert(1)", ""} {
		if to := location(alice, answer(url.Values{"code": {"x"}, "state": {state(alice, "github", back)}, "iss": {iss}})); to.String() != s.url+"/" {
			t.Errorf("open redirect: %q leads to %s", back, to)
		}
	}
	// A bearer token agrees to nothing.
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/upstream/github/connect", nil)
	r.Header.Set("Authorization", "Bearer x.y.z")
	if answer, err := http.DefaultClient.Do(r); err != nil || answer.StatusCode == 303 {
		t.Errorf("%v, %v", answer, err)
	}
}

// TestFaultsOfTheOtherServer: what it cannot answer costs nobody what they agreed to, and
// what it has refused is asked for again.
func TestFaultsOfTheOtherServer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		says   string
		want   int
	}{
		{"down", 503, "", 503}, {"a page", 200, "<html>", 503}, {"too many", 429, "{}", 503}, {"the client is unknown", 401, `{"error":"invalid_client"}`, 503},
		{"no token", 200, "{}", 503}, {"one that ends a header", 200, `{"access_token":"a\r\nb","token_type":"bearer"}`, 503}, {"of another type", 200, `{"access_token":"a","token_type":"mac"}`, 503},
		{"refused", 400, `{"error":"invalid_grant"}`, 403}, {"refused, with 200", 200, `{"error":"bad_refresh_token"}`, 403},
	} {
		s := newSite(t, nil)
		alice := s.person("alice@example.com")
		alice.Open(s.url + "/repos/x")
		s.ahead.Store(int64(2 * time.Hour))
		s.failing(tt.status, tt.says)
		for range 2 {
			if status, body := s.get(alice, "/repos/x"); status != tt.want {
				t.Errorf("%s: %d %s", tt.name, status, body)
			}
		}
		s.failing(0, "")
		s.ahead.Add(int64(time.Second))
		if status, _ := s.get(alice, "/repos/x"); (status == 200) != (tt.want == 503) {
			t.Errorf("%s, later: %d", tt.name, status)
		}
	}
}

// TestConsentForPrograms: a client of the Model Context Protocol is told what it knows to do.
func TestConsentForPrograms(t *testing.T) {
	e := &upstream.ConsentError{Name: "github", URL: "https://app.example.com/upstream/github/connect"}
	for body, want := range map[string]string{
		`{"jsonrpc":"2.0","id":7,"method":"tools/call"}`:       `"id":7`,
		`{"jsonrpc":"2.0","id":"a","method":"tools/call"}`:     `"id":"a"`,
		`{"jsonrpc":"2.0","method":"notifications/cancelled"}`: `"connect_url"`,
		`{"id":{}}`: `"connect_url"`,
		`[]`:        `"connect_url"`,
	} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "/mcp", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		e.ServeHTTP(w, r)
		if !strings.Contains(w.Body.String(), want) || !strings.Contains(w.Body.String(), e.URL) || strings.Contains(want, "id\"") != (w.Code == 200 && strings.Contains(w.Body.String(), "-32042")) {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
	if _, err := new(upstream.Upstream).Token(context.Background(), nil); !errors.Is(err, codegrant.ErrForbidden) {
		t.Errorf("%v", err)
	}
}
