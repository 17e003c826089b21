package codegrant_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	"github.com/codegrant/codegrant/session"
)

// way is an application that keeps sign-ins in one of the three ways, a pool that
// rotates refresh tokens without grace, and a browser on which Alice is signed in.
type way struct {
	*platform
	browser *codegranttest.Browser
}

func inEveryWay(t *testing.T, test func(*testing.T, *way)) {
	for name, change := range map[string]func(*codegrant.Config){
		"store":         func(c *codegrant.Config) { c.Sessions = session.NewMemoryStore(session.MemoryConfig{Now: c.Now}) },
		"cookies":       inCookies,
		"shared tokens": sharing,
	} {
		t.Run(name, func(t *testing.T) {
			w := &way{platform: newPlatform(t)}
			w.backend("a.example.test", change)
			w.browser = w.platform.browser()
			if page := w.browser.SignIn("https://a.example.test/", "alice@example.com", codegranttest.Password); page.Status != 200 {
				t.Fatalf("%d %s", page.Status, page.Body)
			}
			if err := w.SetRotation(w.ClientID, true, 0); err != nil {
				t.Fatal(err)
			}
			test(t, w)
		})
	}
}

// held are the cookies that a browser would send.
func (w *way) held(of *codegranttest.Browser) map[string]string {
	w.t.Helper()
	return jarOf(w.t, of, "https://a.example.test/")
}

func (w *way) ask(method, path string, cookies map[string]string, before ...*http.Cookie) *http.Response {
	w.t.Helper()
	r := httptest.NewRequest(method, "https://a.example.test"+path, nil)
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range before {
		r.AddCookie(c)
	}
	for name, value := range cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	recorder := httptest.NewRecorder()
	w.hosts["a.example.test"].ServeHTTP(recorder, r)
	return recorder.Result()
}

// keep is what a browser holds after an answer.
func keep(cookies map[string]string, answer *http.Response) map[string]string {
	kept := maps.Clone(cookies)
	for _, c := range answer.Cookies() {
		if delete(kept, c.Name); c.MaxAge >= 0 && c.Value != "" {
			kept[c.Name] = c.Value
		}
	}
	return kept
}

// who says who the pool's user is that cookies are of, or what was answered.
func (w *way) who(cookies map[string]string) string {
	w.t.Helper()
	answer := w.ask("GET", "/auth/user", cookies)
	var user struct{ Username string }
	if answer.StatusCode != 200 || json.NewDecoder(answer.Body).Decode(&user) != nil {
		return answer.Status
	}
	return user.Username
}

// refreshing has the pool grant new tokens, and calls meanwhile before they are sent.
// It remembers the refresh tokens that were granted.
func (w *way) refreshing(meanwhile func()) (granted *[]string) {
	granted = new([]string)
	var mu sync.Mutex
	w.Fault(localpool.Token, http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.Fault(localpool.Token, nil)
		answer := httptest.NewRecorder()
		w.Pool.Server.ServeHTTP(answer, r)
		var tokens struct {
			Refresh string `json:"refresh_token"`
		}
		if err := json.Unmarshal(answer.Body.Bytes(), &tokens); err != nil || tokens.Refresh == "" {
			w.t.Errorf("the pool granted %d %s", answer.Code, answer.Body)
		}
		mu.Lock()
		*granted = append(*granted, tokens.Refresh)
		mu.Unlock()
		meanwhile()
		maps.Copy(out.Header(), answer.Header())
		out.WriteHeader(answer.Code)
		_, _ = out.Write(answer.Body.Bytes())
	}))
	return granted
}

// good reports whether the pool still takes a refresh token.
func (w *way) good(token string) bool {
	w.t.Helper()
	for _, client := range w.Clients() {
		if client.ID != w.ClientID {
			continue
		}
		form := url.Values{"grant_type": {"refresh_token"}, "client_id": {client.ID}, "refresh_token": {token}}
		r := httptest.NewRequest("POST", w.Pool.URL+"/oauth2/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if client.Secret != "" {
			r.SetBasicAuth(client.ID, client.Secret)
		}
		answer := httptest.NewRecorder()
		w.Pool.Server.ServeHTTP(answer, r)
		return answer.Code == 200
	}
	w.t.Fatal("no such app client")
	return false
}

// settled waits until nothing goes on beside requests.
func (w *way) settled() {
	w.t.Helper()
	if err := w.auths["a.example.test"].Close(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func TestS083_SignOutDuringARefreshWinsInEveryWay(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w *way) {
		old := w.held(w.browser)
		w.now.Advance(61 * time.Minute)
		granted := w.refreshing(func() { w.ask("POST", "/auth/logout", old) })
		late := w.ask("GET", "/auth/user", old)
		w.settled()
		if late.StatusCode != 401 {
			t.Errorf("the answer after the sign-out: %d", late.StatusCode)
		}
		for name, cookies := range map[string]map[string]string{"from before": old, "from the late answer": keep(old, late)} {
			if who := w.who(cookies); who == "alice" {
				t.Errorf("cookies %s are good after the sign-out", name)
			}
		}
		if len(*granted) != 1 || w.good((*granted)[0]) {
			t.Errorf("of %d refresh tokens granted meanwhile, one is good", len(*granted))
		}
	})
}

func TestS012_S013_ARefreshOfAnotherSignInInEveryWay(t *testing.T) {
	for name, change := range map[string]map[string]any{
		"another person": {"sub": "mallory"}, "another sign-in": {"auth_time": int64(1)}, "another nonce": {"nonce": "x"},
	} {
		t.Run(name, func(t *testing.T) {
			inEveryWay(t, func(t *testing.T, w *way) {
				held := w.held(w.browser)
				answer := w.mint(held, change)
				w.now.Advance(61 * time.Minute)
				w.Fault(localpool.Token, answers(200, answer))
				for range 2 {
					if got := w.ask("GET", "/auth/user", held); got.StatusCode != 401 {
						t.Errorf("status %d", got.StatusCode)
					}
				}
				w.settled()
				if n := w.Calls(localpool.Revoke); n != 1 {
					t.Errorf("what came was revoked %d times", n)
				}
			})
		})
	}
}

// mint makes the answer to a refresh in two hours, with some claims changed.
func (w *way) mint(held map[string]string, change map[string]any) map[string]any {
	w.t.Helper()
	var user struct {
		Sub      string `json:"sub"`
		AuthTime int64  `json:"auth_time"`
	}
	if err := json.NewDecoder(w.ask("GET", "/auth/user", held).Body).Decode(&user); err != nil {
		w.t.Fatal(err)
	}
	issuer, now := "", w.now.Now()
	for _, client := range w.Clients() {
		if client.ID == w.ClientID {
			issuer = client.Issuer
		}
	}
	answer := map[string]any{"expires_in": 3600, "token_type": "Bearer", "refresh_token": "another"}
	for use, more := range map[string]map[string]any{
		"id_token":     {"token_use": "id", "aud": w.ClientID, "cognito:username": "alice"},
		"access_token": {"token_use": "access", "client_id": w.ClientID, "username": "alice", "scope": "openid"},
	} {
		claims := map[string]any{"iss": issuer, "sub": user.Sub, "iat": now.Unix(), "exp": now.Add(3 * time.Hour).Unix(), "auth_time": user.AuthTime}
		maps.Copy(claims, more)
		maps.Copy(claims, change)
		token, err := w.MintToken(w.PoolID, claims)
		if err != nil {
			w.t.Fatal(err)
		}
		answer[use] = token
	}
	return answer
}

func TestS013_APlantedRefreshTokenMakesNobodyAnother(t *testing.T) {
	p, browser := twoSharing(t)
	w := &way{platform: p, browser: browser}
	bobs := p.browser()
	bobs.SignIn("https://a.example.test/", "bob@example.com", codegranttest.Password)
	planted := w.held(browser)
	planted["refresh_token"] = w.held(bobs)["refresh_token"]
	w.now.Advance(61 * time.Minute)
	calls := w.Calls(localpool.Token)
	if who := w.who(planted); who == "bob" || who == "alice" {
		t.Errorf("with another person's refresh token she is %s", who)
	}
	// Without an ID token nobody can say whose it would have to be.
	delete(planted, "id_token")
	if who := w.who(planted); who == "bob" || who == "alice" {
		t.Errorf("without an ID token she is %s", who)
	}
	if n := w.Calls(localpool.Token) - calls; n != 1 {
		t.Errorf("the pool was asked %d times", n)
	}
}

func TestS032_S033_SigningInEndsWhoWasSignedInBefore(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w *way) {
		alice := w.held(w.browser)
		granted := w.held(w.browser)["refresh_token"] // where the browser has it to show
		if page := w.browser.SignIn("https://a.example.test/auth/login?prompt=login", "bob@example.com", codegranttest.Password); page.Status != 200 {
			t.Fatalf("%d %s", page.Status, page.Body)
		}
		w.settled()
		if who := w.who(w.held(w.browser)); who != "bob" {
			t.Errorf("the browser is %s", who)
		}
		if who := w.who(alice); who == "alice" {
			t.Error("the sign-in of before is good")
		}
		w.now.Advance(61 * time.Minute)
		if who := w.who(alice); who == "alice" {
			t.Error("the sign-in of before refreshes")
		}
		if n := w.Calls(localpool.Revoke); n != 1 || granted != "" && w.good(granted) {
			t.Errorf("its refresh token was revoked %d times", n)
		}
	})
}

func TestS075_AnAnswerThatNobodyReadsLosesNothing(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w *way) {
		old := w.held(w.browser)
		for range 3 {
			w.now.Advance(61 * time.Minute)
			if who := w.who(old); who != "alice" { // and its cookies are thrown away
				t.Fatalf("refreshed: %s", who)
			}
		}
		answer := w.ask("GET", "/auth/user", old)
		now := keep(old, answer)
		w.now.Advance(61 * time.Minute)
		if who := w.who(now); answer.StatusCode != 200 || who != "alice" {
			t.Errorf("status %d, and with what it handed out %s", answer.StatusCode, who)
		}
	})
}

func TestS082_JunkHidesNoSessionFromASignOut(t *testing.T) {
	for _, n := range []int{4, 14, 40} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			inEveryWay(t, func(t *testing.T, w *way) {
				held := w.held(w.browser)
				var junk []*http.Cookie
				for name := range held {
					for i := range n {
						junk = append(junk, &http.Cookie{Name: name, Value: fmt.Sprintf("junk-%d", i)})
					}
				}
				answer := w.ask("POST", "/auth/logout", held, junk...)
				w.settled()
				if who := w.who(held); who == "alice" {
					t.Errorf("signed out with status %d, and the session lives", answer.StatusCode)
				}
				if token := held["refresh_token"]; answer.StatusCode < 300 && token != "" && w.good(token) {
					t.Error("signed out, and the refresh token is good")
				}
			})
		})
	}
}

// readStore lets a test step in after a record was read.
type readStore struct {
	session.Store
	mu    sync.Mutex
	after func()
}

func (s *readStore) set(after func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = after
}

func (s *readStore) Get(ctx context.Context, id string) (session.Record, error) {
	record, err := s.Store.Get(ctx, id)
	s.mu.Lock()
	after := s.after
	s.after = nil
	s.mu.Unlock()
	if after != nil {
		after()
	}
	return record, err
}

func TestS082_ASignOutBesideARefreshInAnotherProcess(t *testing.T) {
	memory := session.NewMemoryStore(session.MemoryConfig{})
	store := &readStore{Store: memory}
	a := newApp(t, func(c *codegrant.Config) { c.Sessions = store })
	if err := a.SetRotation(a.ClientID, true, 0); err != nil {
		t.Fatal(err)
	}
	other := a.second(t, memory, session.RandomKeyring())
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	cookie := sessionOf(t, browser, a.url)
	a.now.Advance(61 * time.Minute)
	w := &way{platform: &platform{Pool: a.Pool, t: t}}
	granted := w.refreshing(func() {})
	var revoked []string
	a.Fault(localpool.Revoke, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		revoked = append(revoked, r.PostFormValue("token"))
	}))
	store.set(func() {
		if r := withCookies(t, other+"/auth/user", cookie); r.StatusCode != 200 {
			t.Errorf("the other process: status %d", r.StatusCode)
		}
	})
	if r := send(t, http.DefaultClient, "POST", a.url+"/auth/logout", "Cookie", cookie.Name+"="+cookie.Value); r.StatusCode != 303 {
		t.Errorf("signed out with status %d", r.StatusCode)
	}
	if err := a.auth.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(*granted) != 1 || !slices.Contains(revoked, (*granted)[0]) {
		t.Errorf("%d refresh tokens were granted, and what was revoked is not the last", len(*granted))
	}
}

func TestS026_ConcurrentCallbacksOfTwoProcesses(t *testing.T) {
	keys, store := session.RandomKeyring(), session.NewMemoryStore(session.MemoryConfig{})
	a := newApp(t, func(c *codegrant.Config) { c.Keys, c.Sessions = keys, store })
	other := a.second(t, store, keys)
	browser := codegranttest.NewBrowser(t)
	callback, err := url.Parse(callbackOf(t, a, browser, "/reports/"))
	if err != nil {
		t.Fatal(err)
	}
	cookies, before := cookiesOf(t, browser, a.url), a.Calls(localpool.Token)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			target := a.url
			if i%2 == 0 {
				target = other
			}
			withCookies(t, target+"/auth/callback?"+callback.RawQuery, cookies...)
		})
	}
	wg.Wait()
	if n := a.Calls(localpool.Token) - before; n != 1 {
		t.Errorf("the code was redeemed %d times", n)
	}
	if records, err := store.List(t.Context(), session.Query{}); err != nil || len(records) != 1 {
		t.Errorf("%d sessions, %v", len(records), err)
	}
}

// recheck asks again about a request with cookies that has lasted.
func (w *way) recheck(cookies map[string]string, permissions ...codegrant.Permission) error {
	r := httptest.NewRequest("GET", "https://a.example.test/", nil)
	for name, value := range cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	return w.auths["a.example.test"].Recheck(r, permissions...)
}

// A request that lasts has nobody to be handed new tokens: with a store they are in the
// row, and without one it ends with its own.
func TestS075_S330_ALongRequestAndItsTokens(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w *way) {
		old := w.held(w.browser)
		if err := w.recheck(old); err != nil {
			t.Fatalf("at once: %v", err)
		}
		w.now.Advance(61 * time.Minute)
		calls := w.Calls(localpool.Token)
		stored := strings.HasSuffix(t.Name(), "/store")
		err := w.recheck(old)
		if stored && err != nil {
			t.Errorf("with a store: %v", err)
		}
		if n := w.Calls(localpool.Token) - calls; stored == (n != 1) || !stored && n != 0 {
			t.Errorf("the pool was asked %d times", n)
		}
		if !stored && !errors.Is(err, codegrant.ErrInvalid) {
			t.Errorf("beyond its tokens: %v", err)
		}
		// Another request of the browser renews the sign-in, and the long one goes on.
		if who := w.who(old); who != "alice" {
			t.Errorf("the browser is %s", who)
		}
		if err := w.recheck(old); err != nil {
			t.Errorf("renewed by another request: %v", err)
		}
		if err := w.recheck(old, codegrant.InGroup("editors")); !errors.Is(err, codegrant.ErrForbidden) {
			t.Errorf("without the permission: %v", err)
		}
		w.ask("POST", "/auth/logout", old)
		if err := w.recheck(old); !errors.Is(err, codegrant.ErrInvalid) || errors.Is(err, codegrant.ErrUnavailable) {
			t.Errorf("after the sign-out: %v", err)
		}
	})
}

func TestS055_ALongRequestIsNoUse(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w *way) {
		old := w.held(w.browser)
		for range 13 * 6 { // the idle lifetime is 12 hours
			w.now.Advance(10 * time.Minute)
			if err := w.recheck(old); err != nil {
				if errors.Is(err, codegrant.ErrUnavailable) {
					t.Fatal(err)
				}
				return
			}
		}
		t.Error("a request that lasts keeps the session alive")
	})
}
