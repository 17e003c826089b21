package codegrant_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
)

const loa = "urn:cognito:loa:"

// says has the pool's tokens say more, or something else, of each sign-in: what a pool
// does is for its own tests, and what it may do differs between pools.
func says(t *testing.T, pool *codegranttest.Pool, claims func() map[string]any) {
	t.Helper()
	var mu sync.Mutex
	var handler http.HandlerFunc
	handler = func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		pool.Fault(localpool.Token, nil)
		answer := httptest.NewRecorder()
		pool.Server.ServeHTTP(answer, r)
		pool.Fault(localpool.Token, handler)
		var set map[string]any
		if answer.Code == http.StatusOK && json.Unmarshal(answer.Body.Bytes(), &set) == nil {
			for _, name := range []string{"id_token", "access_token"} {
				set[name] = mintedAnew(t, pool, set[name].(string), claims())
			}
			answer.Body.Reset()
			_ = json.NewEncoder(answer.Body).Encode(set)
			answer.Header().Del("Content-Length")
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}
	pool.Fault(localpool.Token, handler)
}

// mintedAnew is a token of the pool with some claims changed; nil takes one away.
func mintedAnew(t *testing.T, pool *codegranttest.Pool, token string, change map[string]any) string {
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	claims := make(map[string]any)
	if err == nil {
		decoder := json.NewDecoder(strings.NewReader(string(payload)))
		decoder.UseNumber()
		err = decoder.Decode(&claims)
	}
	if err != nil {
		t.Error(err)
	}
	delete(claims, "at_hash") // of the other access token
	for name, value := range change {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	token, err = pool.MintToken(pool.PoolID, claims)
	if err != nil {
		t.Error(err)
	}
	return token
}

// stepApp is an application with a page for people who have signed in at level 3 or
// higher in the last five minutes, and a pool that says what it is told to.
type stepApp struct {
	*app
	mu   sync.Mutex
	says map[string]any
}

func (s *stepApp) say(claims map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.says = claims
}

func newStepApp(t *testing.T, change func(*codegrant.Config)) *stepApp {
	t.Helper()
	s := &stepApp{}
	s.app = newApp(t, change)
	says(t, s.Pool, func() map[string]any {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.says
	})
	s.say(map[string]any{"acr": loa + "1", "amr": []string{"pwd"}})
	return s
}

// TestS550_TheClaimCounts signs in again at a pool that does what it is asked to.
func TestS550_S553_TheClaimCounts(t *testing.T) {
	s := newStepApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(s.url+"/", "alice@example.com", codegranttest.Password)
	before := jarOf(t, browser, s.url)["codegrant"]

	// Where the browser is sent: to sign in, with what is needed, and back to the page.
	answer := send(t, browser.Client, "GET", s.url+"/payments/7?x=1", "Accept", "text/html", "Sec-Fetch-Mode", "navigate")
	login, err := url.Parse(answer.Header.Get("Location"))
	if err != nil || answer.StatusCode != http.StatusFound || login.Path != "/auth/login" || login.Query().Get("redirect_uri") != "/payments/7?x=1" {
		t.Fatalf("sent with %d to %v, %v", answer.StatusCode, login, err)
	}
	answer = send(t, browser.Client, "GET", s.url+login.String(), "Accept", "text/html", "Sec-Fetch-Mode", "navigate")
	authorize, err := url.Parse(answer.Header.Get("Location"))
	if err != nil || authorize.Query().Get("acr_values") != loa+"3 "+loa+"4" || authorize.Query().Get("max_age") != "300" {
		t.Fatalf("the pool is asked for %v, %v", authorize, err)
	}

	s.say(map[string]any{"acr": loa + "4", "amr": []string{"pwd", "otp", "mfa"}})
	page := browser.Open(s.url + "/payments/7?x=1")
	if page.Status != 200 || page.Body != "alice at /payments/7?x=1" || page.URL.RequestURI() != "/payments/7?x=1" {
		t.Fatalf("came back to %v: %d %s", page.URL, page.Status, page.Body)
	}
	var user struct {
		ACR string   `json:"acr"`
		AMR []string `json:"amr"`
	}
	if err := json.NewDecoder(get(t, browser.Client, s.url+"/auth/user").Body).Decode(&user); err != nil || user.ACR != loa+"4" || !slices.Equal(user.AMR, []string{"pwd", "otp", "mfa"}) {
		t.Errorf("the user is at %q by %q, %v", user.ACR, user.AMR, err)
	}
	after := jarOf(t, browser, s.url)["codegrant"]
	if after == before || before == "" {
		t.Error("the session has the name that it had before")
	}
	if old := get(t, http.DefaultClient, s.url+"/auth/user", "Cookie", "codegrant="+before); old.StatusCode != http.StatusUnauthorized {
		t.Errorf("the session of before is answered with %d", old.StatusCode)
	}
	if err := s.auth.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(s.log.String(), "refresh token revoked") {
		t.Error("the refresh token of before was not revoked")
	}

	// Later, the level is as high as before, and the sign-in too long ago.
	s.now.Advance(6 * time.Minute)
	answer = send(t, browser.Client, "GET", s.url+"/payments/", "Accept", "text/html", "Sec-Fetch-Mode", "navigate")
	if location := answer.Header.Get("Location"); answer.StatusCode != http.StatusFound || !strings.Contains(location, "max_age=300") {
		t.Errorf("six minutes later: %d to %s", answer.StatusCode, location)
	}
}

// TestS551_OneRound signs in again at pools that ignore what they are asked for.
func TestS551_OneRound(t *testing.T) {
	for name, tt := range map[string]struct {
		claims map[string]any
		want   []string
	}{
		"the same level":   {map[string]any{"acr": loa + "1"}, []string{"asks for the level " + loa + "3 or a higher one", "at the level " + loa + "1"}},
		"no level":         {map[string]any{"acr": nil, "amr": nil}, []string{"did not say at which level"}},
		"an unknown level": {map[string]any{"acr": "zzz:loa:9"}, []string{"at the level zzz:loa:9"}},
		"an old sign-in":   {map[string]any{"acr": loa + "4", "auth_time": time.Now().Add(-time.Hour).Unix()}, []string{"within the last 5\u00a0min"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStepApp(t, nil)
			browser := codegranttest.NewBrowser(t)
			s.say(tt.claims)
			browser.SignIn(s.url+"/", "alice@example.com", codegranttest.Password)
			for range 2 { // the second time, the person has asked for it
				before := s.Calls(localpool.Authorize)
				page := browser.Open(s.url + "/payments/")
				if n := s.Calls(localpool.Authorize) - before; n != 1 {
					t.Errorf("the pool was asked %d times", n)
				}
				if page.Status != http.StatusForbidden || page.URL.Path != "/auth/callback" || !strings.Contains(page.Body, "Signing in again was not enough") {
					t.Fatalf("ended at %s with %d: %s", page.URL, page.Status, page.Body)
				}
				for _, want := range tt.want {
					if !strings.Contains(page.Body, want) {
						t.Errorf("the page does not say %q: %s", want, page.Body)
					}
				}
				again := browser.Open(page.URL.String())
				if again.Status != http.StatusForbidden || !strings.Contains(again.Body, "Signing in again was not enough") {
					t.Errorf("a reload is answered with %d at %s", again.Status, again.URL)
				}
			}
			if page := browser.Open(s.url + "/"); page.Status != 200 {
				t.Errorf("other pages are answered with %d", page.Status)
			}
			if !strings.Contains(s.log.String(), "step-up without effect") {
				t.Error("the log says nothing")
			}
		})
	}
}

// TestS554_ARefreshIsNoSignIn renews tokens in every way to keep a sign-in.
func TestS554_ARefreshIsNoSignIn(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w *way) {
		strong := w.auths["a.example.test"].Require(codegrant.MinimumLevel(loa+"3"), codegrant.SignedInWithin(3*time.Hour))
		inner := w.hosts["a.example.test"]
		w.hosts["a.example.test"] = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/strong" {
				strong(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					id, _ := codegrant.From(r.Context())
					fmt.Fprint(rw, id.ACR, id.AMR, id.AuthTime.Unix())
				})).ServeHTTP(rw, r)
				return
			}
			inner.ServeHTTP(rw, r)
		})
		claims := map[string]any{"acr": loa + "3", "amr": []string{"hwk"}}
		says(t, w.Pool, func() map[string]any { return claims })
		w.browser = w.platform.browser()
		w.browser.SignIn("https://a.example.test/", "alice@example.com", codegranttest.Password)
		held := w.held(w.browser)
		first := w.ask("GET", "/strong", held)
		said := text(t, first)
		if first.StatusCode != 200 || !strings.HasPrefix(said, loa+"3[hwk]") {
			t.Fatalf("signed in: %d %s", first.StatusCode, said)
		}
		held = keep(held, first)
		claims = map[string]any{"acr": nil, "amr": nil} // a pool may say it at the sign-in alone
		w.now.Advance(2 * time.Hour)
		second := w.ask("GET", "/strong", held)
		if got := text(t, second); second.StatusCode != 200 || got != said {
			t.Errorf("after a refresh: %d %s, want %s", second.StatusCode, got, said)
		}
		held = keep(held, second)
		w.now.Advance(2 * time.Hour)
		if third := w.ask("GET", "/strong", held); third.StatusCode != http.StatusUnauthorized || !strings.Contains(third.Header.Get("WWW-Authenticate"), "insufficient_user_authentication") {
			t.Errorf("when the sign-in is too old: %d %s", third.StatusCode, text(t, third))
		}
	})
}

// TestS555_WhatAFormHasSent: a POST is never repeated by a sign-in, and nobody is left to
// believe that it was done.
func TestS555_WhatAFormHasSent(t *testing.T) {
	s := newStepApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(s.url+"/", "alice@example.com", codegranttest.Password)
	answer := send(t, browser.Client, "POST", s.url+"/payments/", "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "same-origin",
		"Origin", s.url, "Referer", s.url+"/form?of=7")
	body, back := html.UnescapeString(text(t, answer)), "acr_values="+url.QueryEscape(loa+"3 "+loa+"4")+"&max_age=300&redirect_uri="+url.QueryEscape(s.url+"/form?of=7")
	if answer.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "Nothing has been changed") || !strings.Contains(body, back) {
		t.Errorf("answered with %d: %s", answer.StatusCode, body)
	}
	shown, err := url.Parse(answer.Header.Get("X-Auth-Redirect"))
	if err != nil || shown.Path != "/auth/step-up" {
		t.Fatalf("proxies are sent to %v, %v", shown, err)
	}
	page := browser.Open(shown.String())
	if body := html.UnescapeString(page.Body); page.Status != 200 || !strings.Contains(body, "Nothing has been changed") || !strings.Contains(body, back) {
		t.Errorf("there: %d %s", page.Status, page.Body)
	}
	if elsewhere := browser.Open(s.url + "/auth/step-up?redirect_uri=https%3A%2F%2Fevil.example%2F"); strings.Contains(elsewhere.Body, "evil") {
		t.Errorf("a link to the page leads elsewhere: %s", elsewhere.Body)
	}
}

// TestStepUpOfPrograms: RFC 9470, for sessions of scripts and for bearer tokens.
func TestStepUpOfPrograms(t *testing.T) {
	s := newStepApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(s.url+"/", "alice@example.com", codegranttest.Password)
	const want = `Bearer realm="codegrant", error="insufficient_user_authentication", error_description="a higher level of authentication is needed, and a more recent one", acr_values="urn:cognito:loa:3 urn:cognito:loa:4", max_age="300"`
	now := time.Now()
	token := func(claims map[string]any) string {
		all := map[string]any{
			"iss": s.Clients()[0].Issuer, "sub": "5c9b2c9e-0001-7000-8000-000000000001", "username": "robin", "client_id": s.ClientID, "token_use": "access",
			"scope": "openid", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "auth_time": now.Unix(),
		}
		maps.Copy(all, claims)
		token, err := s.MintToken(s.PoolID, all)
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + token
	}
	for name, tt := range map[string]struct {
		client *http.Client
		header []string
		status int
	}{
		"a script's session":        {browser.Client, nil, 401},
		"a token without a level":   {http.DefaultClient, []string{"Authorization", token(nil)}, 401},
		"a token of a lower level":  {http.DefaultClient, []string{"Authorization", token(map[string]any{"acr": loa + "2"})}, 401},
		"a token of another order":  {http.DefaultClient, []string{"Authorization", token(map[string]any{"acr": loa + "9"})}, 401},
		"a token of an old sign-in": {http.DefaultClient, []string{"Authorization", token(map[string]any{"acr": loa + "4", "auth_time": now.Add(-6 * time.Minute).Unix()})}, 401},
		"a token without a time":    {http.DefaultClient, []string{"Authorization", token(map[string]any{"acr": loa + "4", "auth_time": 0})}, 401},
		"the level":                 {http.DefaultClient, []string{"Authorization", token(map[string]any{"acr": loa + "3"})}, 200},
		"a higher level":            {http.DefaultClient, []string{"Authorization", token(map[string]any{"acr": loa + "4"})}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			answer := get(t, tt.client, s.url+"/payments/", append([]string{"Accept", "application/json"}, tt.header...)...)
			if answer.StatusCode != tt.status {
				t.Fatalf("answered with %d %s, want %d", answer.StatusCode, text(t, answer), tt.status)
			}
			if tt.status == 200 {
				return
			}
			if got := answer.Header.Get("WWW-Authenticate"); got != want {
				t.Errorf("challenge %s, want %s", got, want)
			}
			var problem struct {
				Type, Title string
				LoginURL    string   `json:"login_url"`
				ACRValues   []string `json:"acr_values"`
				MaxAge      int      `json:"max_age"`
			}
			if err := json.NewDecoder(answer.Body).Decode(&problem); err != nil || !strings.HasSuffix(problem.Type, "#step-up") ||
				!slices.Equal(problem.ACRValues, []string{loa + "3", loa + "4"}) || problem.MaxAge != 300 ||
				problem.LoginURL != s.url+"/auth/login?acr_values=urn%3Acognito%3Aloa%3A3+urn%3Acognito%3Aloa%3A4&max_age=300" {
				t.Errorf("problem %+v, %v", problem, err)
			}
		})
	}
}

// TestS552_LevelsAreAnOrder: by configuration, and never by their text.
func TestS552_LevelsAreAnOrder(t *testing.T) {
	auth, err := codegrant.New(codegrant.Config{Pool: codegranttest.NewPool(t, nil).Register("http://localhost:8080"), Levels: []string{"low", "gold", "better-than-gold"}})
	if err != nil {
		t.Fatal(err)
	}
	var again *codegrant.StepUpError
	for _, tt := range []struct {
		acr, least string
		want       error
		levels     []string
	}{
		{"low", "low", nil, nil},
		{"low", "gold", codegrant.ErrForbidden, []string{"gold", "better-than-gold"}},
		{"better-than-gold", "gold", nil, nil},
		{"gold", "better-than-gold", codegrant.ErrForbidden, []string{"better-than-gold"}},
		{"zinc", "low", codegrant.ErrForbidden, []string{"low", "gold", "better-than-gold"}},
		{"", "low", codegrant.ErrForbidden, []string{"low", "gold", "better-than-gold"}},
		{"Gold", "gold", codegrant.ErrForbidden, []string{"gold", "better-than-gold"}},
		{loa + "4", loa + "4", codegrant.ErrUnavailable, nil},
	} {
		err := auth.Authorize(t.Context(), &codegrant.Identity{Subject: "alice", ACR: tt.acr}, httptest.NewRequest("GET", "/", nil), codegrant.MinimumLevel(tt.least))
		if !errors.Is(err, tt.want) {
			t.Errorf("%q, at least %q: %v, want %v", tt.acr, tt.least, err, tt.want)
		}
		if again = nil; tt.levels != nil && (!errors.As(err, &again) || !slices.Equal(again.Levels, tt.levels)) {
			t.Errorf("%q, at least %q: %v, want levels %v", tt.acr, tt.least, err, tt.levels)
		}
	}
	for _, levels := range [][]string{{"a", "a"}, {"a b"}, {""}, {`a"`}, {strings.Repeat("a", 65)}} {
		if _, err := codegrant.New(codegrant.Config{Pool: codegranttest.NewPool(t, nil).Register("http://localhost:8080"), Levels: levels}); err == nil || !strings.Contains(err.Error(), "Levels: ") {
			t.Errorf("Levels %q: %v", levels, err)
		}
	}
}

// TestStepUpHelps: nobody is sent to sign in again for nothing.
func TestStepUpHelps(t *testing.T) {
	auth, err := codegrant.New(codegrant.Config{Pool: codegranttest.NewPool(t, nil).Register("http://localhost:8080")})
	if err != nil {
		t.Fatal(err)
	}
	level, recent, group := codegrant.MinimumLevel(loa+"3"), codegrant.SignedInWithin(time.Minute), codegrant.InGroup("admins")
	for _, tt := range []struct {
		permission codegrant.Permission
		method     string
		levels     int
		maxAge     time.Duration
	}{
		{level, "GET", 2, 0},
		{codegrant.All(level, recent), "GET", 2, time.Minute},
		{codegrant.All(level, codegrant.MinimumLevel(loa+"4"), codegrant.SignedInWithin(time.Hour), recent), "GET", 1, time.Minute},
		{codegrant.All(codegrant.MinimumLevel(loa+"1"), recent), "GET", 4, time.Minute}, // the level that there is stays needed
		{codegrant.All(codegrant.All(level), codegrant.All(recent)), "GET", 2, time.Minute},
		{codegrant.All(level, group), "GET", 0, 0},
		{codegrant.All(group, level), "GET", 0, 0},
		{codegrant.Any(group, level), "GET", 2, 0},
		{codegrant.Any(codegrant.All(group, recent), level), "GET", 2, 0},
		{codegrant.All(level, codegrant.ReadOnly()), "POST", 0, 0},
		{codegrant.All(level, codegrant.Any(group, codegrant.ReadOnly())), "GET", 2, 0},
		{codegrant.Not(codegrant.MinimumLevel(loa + "1")), "GET", 0, 0},
	} {
		id := &codegrant.Identity{Subject: "alice", ACR: loa + "1", AuthTime: time.Now().Add(-time.Hour)}
		err := auth.Authorize(t.Context(), id, httptest.NewRequest(tt.method, "/", nil), tt.permission)
		var again *codegrant.StepUpError
		if errors.As(err, &again) != (tt.levels > 0 || tt.maxAge > 0) || !errors.Is(err, codegrant.ErrForbidden) {
			t.Errorf("%s: %v", tt.permission, err)
		} else if again != nil && (len(again.Levels) != tt.levels || again.MaxAge != tt.maxAge) {
			t.Errorf("%s: %v, %v, want %d levels and %v", tt.permission, again.Levels, again.MaxAge, tt.levels, tt.maxAge)
		}
	}
}

// TestStepUpThatThePoolRefuses: whoever comes back with nothing is signed in as before.
func TestStepUpThatThePoolRefuses(t *testing.T) {
	s := newStepApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(s.url+"/", "alice@example.com", codegranttest.Password)
	s.Fault(localpool.Authorize, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		back := r.URL.Query().Get("redirect_uri") + "?" + url.Values{"error": {"access_denied"}, "error_description": {"no factor"}, "state": {r.URL.Query().Get("state")}}.Encode()
		http.Redirect(w, r, back, http.StatusFound)
	}))
	page := browser.Open(s.url + "/payments/")
	if page.Status != http.StatusForbidden || !strings.Contains(page.Body, "at the level "+loa+"1") {
		t.Errorf("ended at %s with %d: %s", page.URL, page.Status, page.Body)
	}
	if page := browser.Open(s.url + "/"); page.Status != 200 {
		t.Errorf("other pages are answered with %d at %s", page.Status, page.URL)
	}
}

// TestStepUpFromAnotherHost: who comes by another name of the service, and is signed in,
// is sent to the pool all the same.
func TestStepUpFromAnotherHost(t *testing.T) {
	s := newStepApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(s.url+"/", "alice@example.com", codegranttest.Password)
	answer := send(t, browser.Client, "GET", s.url+"/auth/login?begun_at=other&acr_values="+url.QueryEscape(loa+"4"), "Accept", "text/html", "Sec-Fetch-Mode", "navigate")
	if location := answer.Header.Get("Location"); !strings.HasPrefix(location, s.Pool.URL) {
		t.Errorf("sent to %s", location)
	}
}
