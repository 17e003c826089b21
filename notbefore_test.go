package codegrant_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/internal/fault"
)

// access mints an access token of a person who signed in ago.
func (a *app) access(t *testing.T, subject string, ago time.Duration, change map[string]any) string {
	t.Helper()
	pool, now := a.Clients()[0], a.now.Now()
	claims := map[string]any{
		"iss": pool.Issuer, "sub": subject, "client_id": pool.ID, "token_use": "access", "scope": "openid", "username": subject,
		"iat": now.Unix(), "auth_time": now.Add(-ago).Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	for name, value := range change {
		if claims[name] = value; value == nil {
			delete(claims, name)
		}
	}
	token, err := a.MintToken(a.PoolID, claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestS583_TokensOfBeforeAMarkAreRefused(t *testing.T) {
	a := newApp(t, func(c *codegrant.Config) { c.BearerIDTokens = true })
	const alice, bob = "11111111-alice", "22222222-bob"
	old, others := a.access(t, alice, time.Minute, nil), a.access(t, bob, time.Minute, nil)
	refreshed := func() string { return a.access(t, alice, time.Hour, nil) } // later, of the same sign-in
	withoutTime := a.access(t, alice, 0, map[string]any{"auth_time": nil, "iat": a.now.Now().Add(-time.Minute).Unix()})
	ask := func(token string) *http.Response {
		return get(t, http.DefaultClient, a.url+"/x", "Authorization", "Bearer "+token)
	}
	for name, token := range map[string]string{"old": old, "another's": others, "without auth_time": withoutTime} {
		if r := ask(token); r.StatusCode != 200 {
			t.Fatalf("%s: %d before the mark", name, r.StatusCode)
		}
	}
	if err := a.auth.NotBefore(t.Context(), alice, a.now.Now()); err != nil {
		t.Fatal(err)
	}
	for name, token := range map[string]string{
		"old": old, "refreshed": refreshed(), "without auth_time": withoutTime,
		"of the same second": a.access(t, alice, 0, map[string]any{"auth_time": time.Now().Unix()}),
	} {
		r := ask(token)
		var problem struct{ Type string }
		if err := json.NewDecoder(r.Body).Decode(&problem); r.StatusCode != 401 || err != nil || !strings.HasSuffix(problem.Type, "#revoked") {
			t.Errorf("%s: %d %v %v", name, r.StatusCode, problem, err)
		}
		if c := r.Header.Get("WWW-Authenticate"); !strings.Contains(c, `error="invalid_token"`) || !strings.Contains(c, "revoked") {
			t.Errorf("%s: challenge %s", name, c)
		}
		id, err := a.auth.Bearer(t.Context(), token) // as for gRPC
		if id != nil || !errors.Is(err, fault.Revoked) || !errors.Is(err, codegrant.ErrInvalid) || errors.Is(err, codegrant.ErrUnavailable) {
			t.Errorf("%s: Bearer = %v, %v", name, id, err)
		}
		request, _ := http.NewRequest(http.MethodGet, a.url+"/x", nil) // a stream that was let through before
		request.Header.Set("Authorization", "Bearer "+token)
		if err := a.auth.Recheck(request); !errors.Is(err, fault.Revoked) {
			t.Errorf("%s: Recheck = %v", name, err)
		}
	}
	if r := ask(others); r.StatusCode != 200 {
		t.Errorf("another person: %d", r.StatusCode)
	}
	// What was not checked is not said.
	r := ask(a.access(t, alice, 0, map[string]any{"exp": a.now.Now().Add(-time.Minute).Unix()}))
	if c := r.Header.Get("WWW-Authenticate"); r.StatusCode != 401 || strings.Contains(c, "revoked") {
		t.Errorf("an expired token: %d %s", r.StatusCode, c)
	}
	a.now.Advance(2 * time.Second)
	if r := ask(a.access(t, alice, 0, nil)); r.StatusCode != 200 {
		t.Errorf("a new sign-in: %d", r.StatusCode)
	}
	if log := a.log.String(); !strings.Contains(log, "signed out everywhere, disabled or deleted after that sign-in") || strings.Contains(log, old) {
		t.Errorf("the log does not say why, or too much:\n%s", log)
	}
}

// The mark is one for all processes that share a cupboard, and the log says so where
// there is none.
func TestS580_AnotherProcessRefuses(t *testing.T) {
	shelves := cupboard.NewMemory(nil)
	a := newApp(t, func(c *codegrant.Config) { c.Cupboard = shelves })
	pool := a.Register("https://other.example.test")
	log := new(logs)
	other, err := codegrant.New(codegrant.Config{Pool: pool, BaseURL: "https://other.example.test", Cupboard: shelves, Logger: logger(log)})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close(context.Background())
	token := a.access(t, "alice", time.Minute, nil)
	if r := get(t, http.DefaultClient, a.url+"/x", "Authorization", "Bearer "+token); r.StatusCode != 200 {
		t.Fatalf("before: %d", r.StatusCode)
	}
	if err := other.NotBefore(t.Context(), "alice", time.Now()); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		return get(t, http.DefaultClient, a.url+"/x", "Authorization", "Bearer "+token).StatusCode == 401
	})
	const said = "only this process refuses tokens"
	if strings.Contains(log.String(), said) {
		t.Error("the log says that marks are not shared")
	}
	if alone := newApp(t, nil); !strings.Contains(alone.log.String(), said) {
		t.Error("the log does not say that marks hold in this process alone")
	}
}

// A cupboard that never answered leaves open whether a token counts: 503, not 401.
func TestS581_MarksThatNobodyCanRead(t *testing.T) {
	a := newApp(t, func(c *codegrant.Config) { c.Cupboard = brokenCupboard{} })
	r := get(t, http.DefaultClient, a.url+"/x", "Authorization", "Bearer "+a.access(t, "alice", time.Minute, nil))
	if r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("a token: %d", r.StatusCode)
	}
	// A session in a store that answers goes on: its end is its row's.
	browser := codegranttest.NewBrowser(t)
	if page := browser.SignIn(a.url+"/x", "alice@example.com", codegranttest.Password); page.Status != 200 {
		t.Errorf("sign-in: %d", page.Status)
	}
	if err := a.auth.NotBefore(t.Context(), "alice", time.Now()); !errors.Is(err, codegrant.ErrUnavailable) {
		t.Errorf("a mark that nobody else sees: %v", err)
	}
}

func logger(to *logs) *slog.Logger {
	return slog.New(slog.NewTextHandler(to, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func eventually(t *testing.T, true func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !true(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never came to be")
		}
	}
}

type brokenCupboard struct{ cupboard.Store }

func (brokenCupboard) Watch(context.Context, cupboard.Kind, int64, int) ([]cupboard.Change, error) {
	return nil, cupboard.ErrUnavailable
}

func (brokenCupboard) Put(context.Context, cupboard.Kind, cupboard.Record) error {
	return cupboard.ErrUnavailable
}

// A sign-in from before the mark ends however it is kept, its refresh token is revoked,
// and the pool is made to ask who it is at the next one.
func TestS584_SignInsOfBeforeAMarkEndInEveryWay(t *testing.T) {
	inEveryWay(t, func(t *testing.T, w *way) {
		auth, held := w.auths["a.example.test"], w.held(w.browser)
		var user struct{ Sub string }
		if err := json.NewDecoder(w.ask("GET", "/auth/user", held).Body).Decode(&user); err != nil || user.Sub == "" {
			t.Fatal(err)
		}
		w.now.Advance(2 * time.Second)
		if err := auth.NotBefore(t.Context(), user.Sub, w.now.Now()); err != nil {
			t.Fatal(err)
		}
		w.now.Advance(2 * time.Second)
		if err := w.recheck(held); !errors.Is(err, codegrant.ErrInvalid) || errors.Is(err, codegrant.ErrUnavailable) {
			t.Errorf("a stream goes on: %v", err)
		}
		if who := w.who(held); who == "alice" {
			t.Error("the browser is still alice")
		}
		w.settled()
		// The pool's own session is from before: it is asked to ask.
		page := w.browser.Open("https://a.example.test/")
		if _, ok := page.Form("password"); !ok {
			t.Fatalf("the pool did not ask for the password: %d %s", page.Status, page.Body)
		}
		page = w.browser.SignIn("https://a.example.test/", "alice@example.com", codegranttest.Password)
		if page.Status != 200 || w.who(w.held(w.browser)) != "alice" {
			t.Errorf("after a new sign-in: %d %s", page.Status, page.Body)
		}
	})
}

// Tokens that somebody hands over open no session where the person was marked since.
func TestS583_HandedOverTokensOfBeforeAMark(t *testing.T) {
	p := newPlatform(t)
	p.backend("shared.example.test", sharing)
	p.backend("own.example.test", func(c *codegrant.Config) { c.AcceptTokens = true })
	tokens := tokensOf(t, p, "alice@example.com")
	id, err := p.auths["shared.example.test"].Bearer(t.Context(), tokens["access_token"])
	if err != nil {
		t.Fatal(err)
	}
	if err := p.auths["own.example.test"].NotBefore(t.Context(), id.Subject, p.now.Now()); err != nil {
		t.Fatal(err)
	}
	r := handOver(t, p.browser().Client, "https://own.example.test/auth/session", asJSON(t, tokens))
	if r.StatusCode != 401 || len(r.Cookies()) != 0 {
		t.Errorf("status %d, %d cookies", r.StatusCode, len(r.Cookies()))
	}
}
