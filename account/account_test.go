package account_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/account"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/localpool"
)

const alice = "alice@example.com"

// world is a pool, an application with the pages, and what its log says.
type world struct {
	t     *testing.T
	pool  *localpool.Server
	id    string // of the pool
	url   string
	auth  *codegrant.Auth
	log   *lines
	ahead *ticks
}

// lines is a log that may be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// ticks is a clock that is moved by hand.
type ticks struct {
	mu sync.Mutex
	by time.Duration
}

func (c *ticks) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.by)
}

func (c *ticks) advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by += by
}

func newWorld(t *testing.T, change func(*localpool.Seed, *codegrant.Config, *account.Config)) *world {
	t.Helper()
	w := &world{t: t, log: new(lines), ahead: new(ticks)}
	mux := http.NewServeMux()
	app := httptest.NewServer(mux)
	t.Cleanup(app.Close)
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { handler.ServeHTTP(rw, r) }))
	t.Cleanup(server.Close)
	log := slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))

	seed := localpool.DefaultSeed(app.URL)
	seed.Pools[0].MFA = "OPTIONAL"
	seed.Pools[0].Clients[0].Scopes = []string{"openid", "email", "profile", "phone", account.Scope}
	config := codegrant.Config{BaseURL: app.URL, Logger: log, Now: w.ahead.now, Scopes: []string{"openid", "email", "profile", "phone", account.Scope}}
	own := account.Config{Logger: log, Now: w.ahead.now}
	if change != nil {
		change(&seed, &config, &own)
	}
	pool, err := localpool.New(localpool.Config{Seed: seed, BaseURL: server.URL, Now: w.ahead.now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	handler = pool
	client := pool.Clients()[0]
	w.pool, w.id, w.url = pool, client.PoolID, app.URL
	config.Pool = cognito.Pool{ID: client.PoolID, Domain: server.URL, Issuer: client.Issuer, ClientID: client.ID, ClientSecret: cognito.Secret(client.Secret)}
	own.Pool = config.Pool
	if w.auth, err = codegrant.New(config); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.auth.Close(t.Context()) })
	own.Auth = w.auth
	pages, err := account.New(own)
	if err != nil {
		t.Fatal(err)
	}
	w.auth.Mount(mux, "/auth")
	pages.Mount(mux)
	mux.Handle("/", w.auth.Require()(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		rw.Header().Set("X-Row", strconv.FormatInt(id.UserID, 10))
		rw.Header().Set("X-Sub", id.Subject)
		_, _ = rw.Write([]byte("Welcome, " + id.Name + ", " + id.Email))
	})))
	return w
}

// signIn is a browser of somebody who is signed in.
func (w *world) signIn(who string) *codegranttest.Browser {
	w.t.Helper()
	b := codegranttest.NewBrowser(w.t)
	if page := b.SignIn(w.url+"/", who, codegranttest.Password); !strings.Contains(page.Body, "Welcome") {
		w.t.Fatalf("%d %s", page.Status, page.Body)
	}
	return b
}

// at opens one of the pages.
func (w *world) at(b *codegranttest.Browser, path string) *codegranttest.Page {
	w.t.Helper()
	return b.Open(w.url + "/auth/account" + path)
}

// send fills in the form of a page that has a field, and looks at what the answer says.
func (w *world) send(b *codegranttest.Browser, page *codegranttest.Page, field string, values map[string]string, status int, says string) *codegranttest.Page {
	w.t.Helper()
	for _, form := range page.Forms {
		if form.Values.Has(field) && (values["do"] == "" || form.Values.Get("do") == values["do"]) {
			answer := b.Submit(page, form, values)
			if answer.Status != status || !strings.Contains(answer.Body, says) {
				w.t.Fatalf("%s %v: %d, want %d and %q:\n%s", page.URL.Path, values, answer.Status, status, says, plain(answer.Body))
			}
			return answer
		}
	}
	w.t.Fatalf("%s has no form with %s:\n%s", page.URL, field, page.Body)
	return nil
}

var style = regexp.MustCompile(`(?s)<head>.*?</head>|<[^>]*>|\n`)

// plain is a page without its tags.
func plain(body string) string { return style.ReplaceAllString(body, " ") }

func (w *world) code(to string) string {
	w.t.Helper()
	code, ok := w.pool.LastCode(to)
	if !ok {
		w.t.Fatalf("nothing was sent to %s", to)
	}
	return code
}

// wrong is a code that is not the one.
func wrong(code string) string {
	if code[0] == '9' {
		return "8" + code[1:]
	}
	return "9" + code[1:]
}

func TestS710_Profile(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn(alice)
	if page := w.at(b, ""); page.Status != 200 || !strings.Contains(page.Body, "Alice Archer") || !strings.Contains(page.Body, "Confirmed") || !strings.Contains(page.Body, "/auth/sessions") {
		t.Fatalf("%d %s", page.Status, page.Body)
	}
	page := w.at(b, "/profile")
	w.send(b, page, "name", map[string]string{"name": "Alice Baker", "website": "https://a.example"}, 200, "Your changes are saved.")
	// The session is renewed as it is used next: the application sees the new name.
	if page := b.Open(w.url + "/"); !strings.Contains(page.Body, "Alice Baker") {
		t.Errorf("the application sees %s", page.Body)
	}
	page = w.at(b, "/profile")
	w.send(b, page, "name", nil, 200, "You have changed nothing.")
	w.send(b, page, "birthdate", map[string]string{"birthdate": "yesterday", "nickname": `<b>`}, 422, "does not accept one of these values")
	if page = w.at(b, "/profile"); !strings.Contains(page.Body, "Alice Baker") || strings.Contains(page.Body, "yesterday") {
		t.Errorf("%s", page.Body)
	}
	// What is not offered is not written, whoever sends it.
	form, _ := page.Form("name")
	if answer := b.Submit(page, form, map[string]string{"email_verified": "true", "phone_number": "+4915112345678", "sub": "x"}); answer.Status != 200 || !strings.Contains(answer.Body, "You have changed nothing.") {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
}

func TestS711_EmailWithItsCode(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn(alice)
	page := w.at(b, "/email")
	w.send(b, page, "to", map[string]string{"to": "Alice <a@b.example>"}, 422, "Enter an e-mail address")
	page = w.send(b, page, "to", map[string]string{"to": "new@example.com"}, 200, "A code was sent.")
	code := w.code("new@example.com")
	page = w.send(b, page, "code", map[string]string{"do": "confirm", "code": wrong(code)}, 422, "The code is not correct.")
	page = w.send(b, page, "do", map[string]string{"do": "again"}, 200, "A code was sent.")
	w.send(b, page, "code", map[string]string{"do": "confirm", "code": w.code("new@example.com")}, 200, "It is confirmed.")
	if page := b.Open(w.url + "/"); !strings.Contains(page.Body, "new@example.com") {
		t.Errorf("the application sees %s", page.Body)
	}
	if strings.Contains(w.log.String(), code) {
		t.Error("the log has a code")
	}
	// Somebody else has it.
	w = newWorld(t, func(s *localpool.Seed, _ *codegrant.Config, _ *account.Config) { s.Pools[0].EmailAsUsername = true })
	b = w.signIn(alice)
	w.send(b, w.at(b, "/email"), "to", map[string]string{"to": "bob@example.com"}, 422, "Another account already uses this.")
}

func TestS712_Password(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn(alice)
	page := w.at(b, "/password")
	form := func(current, first, second string) map[string]string {
		return map[string]string{"current": current, "new": first, "again": second}
	}
	page = w.send(b, page, "new", form(codegranttest.Password, "Another0ne!", "Another0ne?"), 422, "not the same")
	page = w.send(b, page, "new", form("Wr0ng-one!", "Another0ne!", "Another0ne!"), 422, "The current password is not correct.")
	for _, current := range []string{"", "x", codegranttest.Password + " "} { // what the API does not take for a password
		page = w.send(b, page, "new", form(current, "Another0ne!", "Another0ne!"), 422, "The current password is not correct.")
	}
	page = w.send(b, page, "new", form(codegranttest.Password, "Sh0r!", "Sh0r!"), 422, "The new password is too short.")
	page = w.send(b, page, "new", form(codegranttest.Password, "another0ne!", "another0ne!"), 422, "needs a capital letter")
	if strings.Contains(page.Body, "another0ne!") || strings.Contains(page.Body, codegranttest.Password) {
		t.Error("the page repeats a password")
	}
	page = w.send(b, page, "new", form(codegranttest.Password, "Another0ne!", "Another0ne!"), 200, "Your password is changed.")
	if !strings.Contains(page.Body, `href="/auth/sessions"`) {
		t.Error("the page does not lead to the sessions")
	}
	if page := codegranttest.NewBrowser(t).SignIn(w.url+"/", alice, "Another0ne!"); !strings.Contains(page.Body, "Welcome") {
		t.Errorf("with the new one: %s", page.Body)
	}
	for _, secret := range []string{"Another0ne!", "another0ne!", "Wr0ng-one!", codegranttest.Password} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log has %s", secret)
		}
	}
}

// TestS713_StepUp: what matters asks for a sign-in of the last minutes, and comes back to
// the form.
func TestS713_StepUp(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn(alice)
	old := w.at(b, "/password")
	w.ahead.advance(11 * time.Minute)
	for _, path := range []string{"", "/profile"} {
		if page := w.at(b, path); page.Status != 200 || page.URL.Path != "/auth/account"+path {
			t.Errorf("%s: %d at %s", path, page.Status, page.URL)
		}
	}
	// A form that was open for too long changes nothing, and leads back.
	form, _ := old.Form("new")
	form.Values.Set("current", codegranttest.Password)
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, form.Action.String(), strings.NewReader(form.Values.Encode()+"&new=Another0ne!&again=Another0ne!"))
	r.Header = http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"text/html"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"navigate"}, "Referer": {w.url + "/auth/account/password"},
	}
	answer, err := b.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized || answer.Header.Get("X-Auth-Redirect") == "" || !strings.Contains(answer.Header.Get("X-Auth-Redirect"), url.QueryEscape("/auth/account/password")) {
		t.Errorf("%d %v", answer.StatusCode, answer.Header)
	}
	for path, form := range map[string]string{
		"/email": "do=change&email=new@example.com", "/password": "new=Another0ne!&again=Another0ne!",
		"/authenticator": "do=begin", "/passkeys": "credential=x", "/delete": "sure=yes",
	} {
		before := 0
		for _, operation := range []string{"UpdateUserAttributes", "ChangePassword", "AssociateSoftwareToken", "DeleteWebAuthnCredential", "DeleteUser"} {
			before += w.pool.Calls(operation)
		}
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/auth/account"+path, strings.NewReader(form))
		r.Header = http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Accept": {"text/html"}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"navigate"}}
		answer, err := b.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		for _, operation := range []string{"UpdateUserAttributes", "ChangePassword", "AssociateSoftwareToken", "DeleteWebAuthnCredential", "DeleteUser"} {
			before -= w.pool.Calls(operation)
		}
		if answer.StatusCode != http.StatusUnauthorized || before != 0 {
			t.Errorf("POST %s: %d, %d calls of the pool", path, answer.StatusCode, -before)
		}
	}
	for _, path := range []string{"/password", "/email", "/authenticator", "/passkeys", "/delete"} {
		page := w.at(b, path)
		login, ok := page.Form("password")
		if !ok || page.URL.Path == "/auth/account"+path {
			t.Fatalf("%s: nobody is asked to sign in: %d %s", path, page.Status, page.URL)
		}
		if path == "/password" {
			page = b.Submit(page, login, map[string]string{"username": alice, "password": codegranttest.Password})
			if page.Status != 200 || page.URL.Path != "/auth/account"+path {
				t.Fatalf("%d at %s", page.Status, page.URL)
			}
			w.ahead.advance(11 * time.Minute)
		}
	}
}

// TestS714_WhoMayNot: nobody, programs with a token, other sites, and sessions that were not
// asked for the scope.
func TestS714_WhoMayNot(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn(alice)
	token := ""
	{
		mux := http.NewServeMux()
		mux.Handle("/", w.auth.Require()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			id, _ := codegrant.From(r.Context())
			token = id.AccessToken().Reveal()
		})))
		rec := httptest.NewRecorder()
		r := httptest.NewRequest("GET", w.url+"/x", nil)
		at, _ := url.Parse(w.url)
		for _, c := range b.Client.Jar.Cookies(at) {
			r.AddCookie(c)
		}
		mux.ServeHTTP(rec, r)
	}
	if token == "" {
		t.Fatal("no token")
	}
	ask := func(method, path string, client *http.Client, header ...string) int {
		r, err := http.NewRequestWithContext(t.Context(), method, w.url+"/auth/account"+path, strings.NewReader("name=x"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	for _, path := range []string{"", "/profile", "/email", "/password"} {
		for _, method := range []string{"GET", "POST"} {
			if got := ask(method, path, http.DefaultClient); got != http.StatusUnauthorized {
				t.Errorf("%s %s by nobody: %d", method, path, got)
			}
			if got := ask(method, path, http.DefaultClient, "Authorization", "Bearer "+token); got != http.StatusForbidden {
				t.Errorf("%s %s with a token: %d", method, path, got)
			}
		}
		if got := ask("PUT", path, b.Client); got != http.StatusMethodNotAllowed {
			t.Errorf("PUT %s: %d", path, got)
		}
		if got := ask("POST", path, b.Client, "Sec-Fetch-Site", "cross-site"); got != http.StatusForbidden {
			t.Errorf("POST %s by another site: %d", path, got)
		}
		if got := ask("POST", path, b.Client, "Origin", "https://evil.example"); got != http.StatusForbidden {
			t.Errorf("POST %s by another origin: %d", path, got)
		}
	}
	if got := ask("GET", "/nothing", b.Client); got != http.StatusNotFound {
		t.Errorf("a page that is not there: %d", got)
	}

	unprotected := newWorld(t, func(_ *localpool.Seed, c *codegrant.Config, _ *account.Config) {
		c.InsecureNoCrossOriginProtection = true
	})
	w, b = unprotected, unprotected.signIn(alice)
	if got := ask("POST", "/profile", b.Client, "Sec-Fetch-Site", "cross-site"); got != http.StatusForbidden {
		t.Errorf("by another site, where handlers look after that: %d", got)
	}

	unasked := newWorld(t, func(_ *localpool.Seed, c *codegrant.Config, _ *account.Config) { c.Scopes = nil })
	b = unasked.signIn(alice)
	if page := unasked.at(b, ""); page.Status != http.StatusForbidden || !strings.Contains(page.Body, "does not have permission") || !strings.Contains(page.Body, "prompt=login") {
		t.Errorf("without the scope: %d %s", page.Status, page.Body)
	}
	if !strings.Contains(unasked.log.String(), account.Scope) {
		t.Error("the log does not say which scope is missing")
	}
}

// TestS715_InvalidIsNotUnavailable: what the pool refuses is a sentence, and that it does
// not answer is not; a token that it has revoked asks for a sign-in.
func TestS715_InvalidIsNotUnavailable(t *testing.T) {
	w := newWorld(t, nil)
	b := w.signIn(alice)
	page := w.at(b, "/password")
	form, _ := page.Form("new")
	fault := func(status int, code, message string) {
		w.pool.Fault("ChangePassword", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/x-amz-json-1.1")
			rw.Header().Set("X-Amzn-Errortype", code)
			rw.WriteHeader(status)
			_, _ = rw.Write([]byte(`{"__type":"` + code + `","message":"` + message + `"}`))
		}))
	}
	for _, tt := range []struct {
		status        int
		code, message string
		want          int
		says          string
	}{
		{400, "LimitExceededException", "Attempt limit exceeded", 422, "There were too many attempts"},
		{400, "PasswordHistoryPolicyViolationException", "x", 422, "You have used this password before."},
		{400, "InvalidPasswordException", "Password did not conform with policy: Password must have symbol characters", 422, "needs a special character"},
		{400, "NotAuthorizedException", "Access Token has been revoked", 403, "no longer accepts your sign-in"},
		{400, "PasswordResetRequiredException", "x", 403, "no longer accepts your sign-in"},
		{400, "InvalidUserPoolConfigurationException", "secret-of-the-pool", 422, "InvalidUserPoolConfigurationException"},
		{400, "TooManyRequestsException", "Rate exceeded", 503, "Temporarily unavailable"},
		{429, "Whatever", "x", 503, "Temporarily unavailable"},
		{500, "InternalErrorException", "x", 503, "Temporarily unavailable"},
		{502, "", "x", 503, "Temporarily unavailable"},
	} {
		fault(tt.status, tt.code, tt.message)
		answer := b.Submit(page, form, map[string]string{"current": "a", "new": "b", "again": "b"})
		if answer.Status != tt.want || !strings.Contains(answer.Body, tt.says) {
			t.Errorf("%s: %d, want %d and %q: %s", tt.code, answer.Status, tt.want, tt.says, plain(answer.Body))
		}
		if strings.Contains(answer.Body, "secret-of-the-pool") {
			t.Error("the page repeats what the pool says")
		}
	}
}

// TestS716_Attempts: one person guesses, and has codes sent, a few times in a quarter of an
// hour; nobody else is kept from it.
func TestS716_Attempts(t *testing.T) {
	w := newWorld(t, func(_ *localpool.Seed, _ *codegrant.Config, c *account.Config) { c.SignInWithin = time.Hour })
	b, bob := w.signIn(alice), w.signIn("bob@example.com")
	page := w.at(b, "/email")
	page = w.send(b, page, "to", map[string]string{"to": "new@example.com"}, 200, "A code was sent.")
	for range 4 {
		page = w.send(b, page, "do", map[string]string{"do": "again"}, 200, "A code was sent.")
	}
	answer := w.send(b, page, "do", map[string]string{"do": "again"}, 429, "You have tried this too often.")
	if answer.Header.Get("Retry-After") == "" || !strings.Contains(answer.Body, "15") {
		t.Errorf("%v %s", answer.Header, answer.Body)
	}
	w.send(b, w.at(b, "/email"), "to", map[string]string{"to": "other@example.com"}, 429, "You have tried this too often.")
	var last *codegranttest.Page
	form, _ := page.Form("code")
	for range 11 {
		last = b.Submit(page, form, map[string]string{"do": "confirm", "code": "x"})
	}
	if last.Status != 429 {
		t.Errorf("the eleventh guess: %d", last.Status)
	}
	if calls := w.pool.Calls("VerifyUserAttribute"); calls != 10 {
		t.Errorf("the pool was asked %d times", calls)
	}
	w.send(bob, w.at(bob, "/email"), "to", map[string]string{"to": "b@example.com"}, 200, "A code was sent.")
	w.ahead.advance(16 * time.Minute)
	w.send(b, w.at(b, "/email"), "do", map[string]string{"do": "again"}, 200, "A code was sent.")
}
