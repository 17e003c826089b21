package broker_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
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
	"github.com/codegrant/codegrant/broker"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/session"
)

// site is a pool, and two processes of an application with a broker, which share what they
// keep. Requests go to them in turn.
type site struct {
	*codegranttest.Pool
	t        testing.TB
	url      string
	resource string
	auths    []*codegrant.Auth
	brokers  []*broker.Broker
	turn     atomic.Int64
	ahead    atomic.Int64 // of the clock of brokers
	log      *logs
	callback string // of a client on this machine
	arrived  chan url.Values
	browser  *codegranttest.Browser
	sessions session.Store
	pool     string // that sessions are bound to
	shelf    cupboard.Store
	events   sync.Map // those that were heard of
}

const password = codegranttest.Password

func newBrowser(t testing.TB) *codegranttest.Browser { return codegranttest.NewBrowser(t) }

// records are all that brokers keep.
func (s *site) records() (n int) {
	s.t.Helper()
	for _, name := range []string{"broker-client", "broker-grant"} {
		m, err := s.shelf.Len(s.t.Context(), cupboard.Kind{Name: name, MaxRecords: 1, MaxOfPerson: 1, MaxBytes: 1})
		if err != nil {
			s.t.Fatal(err)
		}
		n += m
	}
	return n
}

type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (s *site) now() time.Time { return time.Now().Add(time.Duration(s.ahead.Load())) }

func newSite(t testing.TB, change func(*broker.Config)) *site {
	t.Helper()
	return newSiteOf(t, func(*codegrant.Config) {}, change)
}

// newSiteOf is newSite with something else about how people sign in.
func newSiteOf(t testing.TB, people func(*codegrant.Config), change func(*broker.Config)) *site {
	t.Helper()
	s := &site{Pool: codegranttest.NewPool(t, nil), t: t, log: new(logs), arrived: make(chan url.Values, 1), browser: codegranttest.NewBrowser(t)}
	client := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { s.arrived <- r.URL.Query() }))
	t.Cleanup(client.Close)
	s.callback = client.URL + "/callback"
	store, keys, shelf := session.NewMemoryStore(session.MemoryConfig{}), session.RandomKeyring(), newShelf(t, s.now)
	s.sessions, s.shelf = store, shelf
	s.url = s.App(func(config codegrant.Config) http.Handler {
		s.pool, _ = codegrant.SessionPool(config.Pool)
		config.Sessions, config.Keys, config.Cupboard, config.Logger = store, keys, shelf, slog.New(slog.NewTextHandler(s.log, nil))
		people(&config)
		s.resource = config.BaseURL + "/mcp"
		var muxes []*http.ServeMux
		for range 2 {
			auth, err := codegrant.New(config)
			if err != nil {
				t.Fatal(err)
			}
			c := broker.Config{
				Auth: auth, Keys: keys, Cupboard: shelf, Logger: config.Logger, Now: s.now, Algorithm: "ES256",
				Resources: []broker.Resource{{URL: s.resource, Name: "Documents", Scopes: []string{"docs/read", "docs/write"}, Default: []string{"docs/read"}}},
				Clients: []broker.Client{
					{ID: "fixed", Name: "Fixed", RedirectURIs: []string{s.callback}}, {ID: "other", RedirectURIs: []string{s.callback, "https://other.example.com/cb"}},
				},
				RedirectHosts: []string{"claude.ai", "*.example.com"},
				Wait:          func(*http.Request) time.Duration { return 0 },
				OnEvent: func(_ context.Context, e broker.Event) {
					if !slices.Contains(e.Kind.Outcomes(), e.Outcome) {
						t.Errorf("an event that nobody expects: %+v", e)
					}
					s.events.Store(string(e.Kind)+" "+e.Outcome, true)
				},
			}
			if change != nil {
				change(&c)
			}
			b, err := broker.New(c)
			if err != nil {
				t.Fatal(err)
			}
			mux := http.NewServeMux()
			auth.Mount(mux, "/auth")
			b.Mount(mux)
			mux.HandleFunc("/mcp", func(w http.ResponseWriter, r *http.Request) {
				id, err := auth.Token(r, codegrant.TokenRules{Resource: s.resource, Issued: b.Issued(s.resource)})
				if err != nil {
					http.Error(w, err.Error(), map[bool]int{true: 503, false: 401}[strings.Contains(err.Error(), "unavailable")])
					return
				}
				_ = json.NewEncoder(w).Encode(id)
			})
			mux.HandleFunc("/{$}", func(http.ResponseWriter, *http.Request) {})
			s.auths, s.brokers, muxes = append(s.auths, auth), append(s.brokers, b), append(muxes, mux)
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { muxes[s.turn.Add(1)%2].ServeHTTP(w, r) })
	})
	return s
}

// verifier of every test, and what it makes.
var (
	verifier  = strings.Repeat("v", 43)
	digest    = sha256.Sum256([]byte(verifier))
	challenge = base64.RawURLEncoding.EncodeToString(digest[:])
)

// request is an authorization request of a client, with some of it changed.
func (s *site) request(client string, change url.Values) string {
	values := url.Values{
		"response_type": {"code"}, "client_id": {client}, "redirect_uri": {s.callback}, "state": {"s t"}, "scope": {"docs/read"},
		"resource": {s.resource}, "code_challenge": {challenge}, "code_challenge_method": {"S256"},
	}
	for name, list := range change {
		if values[name] = list; list == nil {
			delete(values, name)
		}
	}
	return s.url + "/oauth/authorize?" + values.Encode()
}

// open goes to a URL, and signs in where that is asked for.
func (s *site) open(target string) *codegranttest.Page {
	page := s.browser.Open(target)
	if form, ok := page.Form("password"); ok {
		page = s.browser.Submit(page, form, map[string]string{"username": "bob@example.com", "password": codegranttest.Password})
	}
	return page
}

// answer says yes or no on the consent page, and returns what the client is told.
func (s *site) answer(page *codegranttest.Page, answer string) url.Values {
	s.t.Helper()
	form, ok := page.Form("question")
	if !ok {
		s.t.Fatalf("nobody is asked at %s: %d %s\n%s", page.URL, page.Status, page.Body, s.log)
	}
	if page = s.browser.Submit(page, form, map[string]string{"answer": answer}); page.Status != 200 {
		s.t.Fatalf("%s: %d %s", page.URL, page.Status, page.Body)
	}
	return s.told()
}

func (s *site) told() url.Values {
	s.t.Helper()
	select {
	case values := <-s.arrived:
		if values.Get("iss") != s.url {
			s.t.Errorf("iss is %q", values.Get("iss"))
		}
		return values
	default:
		s.t.Fatal("the client was told nothing")
		return nil
	}
}

func (s *site) code(client string) string {
	s.t.Helper()
	values := s.answer(s.open(s.request(client, nil)), "allow")
	if values.Get("code") == "" || values.Get("state") != "s t" {
		s.t.Fatalf("%v", values)
	}
	return values.Get("code")
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Scope   string `json:"scope"`
	Error   string `json:"error"`
	Expires int    `json:"expires_in"`
}

// post sends a form to an endpoint.
func (s *site) post(endpoint string, form url.Values) (int, tokens) {
	s.t.Helper()
	r, err := http.PostForm(s.url+"/oauth/"+endpoint, form)
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	body, _ := io.ReadAll(r.Body)
	var got tokens
	if len(body) > 0 {
		if err := json.Unmarshal(body, &got); err != nil {
			s.t.Fatalf("%s: %v: %s", endpoint, err, body)
		}
	}
	if r.Header.Get("Cache-Control") != "no-store" {
		s.t.Errorf("%s may be cached", endpoint)
	}
	return r.StatusCode, got
}

// redemption of a code, with some of it changed.
func (s *site) redeem(code, client string, change url.Values) (int, tokens) {
	s.t.Helper()
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "client_id": {client}, "redirect_uri": {s.callback}, "code_verifier": {verifier}, "resource": {s.resource},
	}
	for name, list := range change {
		if form[name] = list; list == nil {
			delete(form, name)
		}
	}
	return s.post("token", form)
}

func (s *site) refresh(token, client string, change url.Values) (int, tokens) {
	s.t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {client}}
	for name, list := range change {
		form[name] = list
	}
	return s.post("token", form)
}

// tokens are those of a client that somebody has just agreed to.
func (s *site) tokens(client string) tokens {
	s.t.Helper()
	status, got := s.redeem(s.code(client), client, nil)
	if status != 200 || got.Access == "" || got.Refresh == "" {
		s.t.Fatalf("%d %+v\n%s", status, got, s.log)
	}
	return got
}

// call uses a token on both processes, and returns the worse answer.
func (s *site) call(token string) (int, codegrant.Identity) {
	s.t.Helper()
	var id codegrant.Identity
	worst := 0
	for range 2 {
		r, err := http.NewRequestWithContext(s.t.Context(), "POST", s.resource, nil)
		if err != nil {
			s.t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			s.t.Fatal(err)
		}
		_ = json.NewDecoder(answer.Body).Decode(&id)
		_ = answer.Body.Close()
		worst = max(worst, answer.StatusCode)
	}
	return worst, id
}

// later is when nothing of a moment ago is taken for granted any more.
func (s *site) later(d time.Duration) { s.ahead.Add(int64(d)) }

// register has a client register itself.
func (s *site) register(metadata string) (int, map[string]any) {
	s.t.Helper()
	r, err := http.Post(s.url+"/oauth/register", "application/json", strings.NewReader(metadata))
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	var got map[string]any
	if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
		s.t.Fatal(err)
	}
	return r.StatusCode, got
}

func (s *site) registered() string {
	s.t.Helper()
	status, got := s.register(`{"redirect_uris":["http://127.0.0.1/callback"],"client_name":"<b>Agent\u202e\n</b>","token_endpoint_auth_method":"client_secret_post","scope":"x"}`)
	id, _ := got["client_id"].(string)
	if status != 201 || id == "" || got["token_endpoint_auth_method"] != "none" || got["client_secret"] != nil {
		s.t.Fatalf("%d %v", status, got)
	}
	return id
}
