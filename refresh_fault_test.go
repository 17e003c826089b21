package codegrant_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
)

// tokensFor makes the answer of a token endpoint for a signed-in browser. nil
// among the changes removes a claim.
func tokensFor(t *testing.T, a *app, browser *codegranttest.Browser, changes map[string]any) map[string]any {
	t.Helper()
	var user struct {
		Sub      string `json:"sub"`
		AuthTime int64  `json:"auth_time"`
	}
	if err := json.NewDecoder(get(t, browser.Client, a.url+"/auth/user").Body).Decode(&user); err != nil {
		t.Fatal(err)
	}
	pool, now := a.Clients()[0], a.now.Now()
	base := map[string]any{"iss": pool.Issuer, "sub": user.Sub, "iat": now.Unix(), "exp": now.Add(3 * time.Hour).Unix(), "auth_time": user.AuthTime}
	answer := map[string]any{"expires_in": 3600, "token_type": "Bearer"}
	for use, more := range map[string]map[string]any{
		"id_token":     {"token_use": "id", "aud": pool.ID, "cognito:username": "alice"},
		"access_token": {"token_use": "access", "client_id": pool.ID, "username": "alice", "scope": "openid"},
	} {
		c := maps.Clone(base)
		maps.Copy(c, more)
		maps.Copy(c, changes)
		maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
		token, err := a.MintToken(a.PoolID, c)
		if err != nil {
			t.Fatal(err)
		}
		answer[use] = token
	}
	return answer
}

func answers(status int, body any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	})
}

// A refusal that does not say that the grant is over does not end it: firewalls
// and proxies answer in JSON too.
func TestS076_OnlyAnInvalidGrantEndsTheSession(t *testing.T) {
	for name, fault := range map[string]http.Handler{
		"a firewall":         answers(403, map[string]string{"error": "Forbidden"}),
		"a proxy":            answers(404, map[string]string{"error": "not_found"}),
		"throttled, as 400":  answers(400, map[string]string{"error": "TooManyRequestsException"}),
		"a trigger in ruins": answers(400, map[string]string{"error": "invalid_request", "error_description": "PreTokenGeneration failed with error null."}),
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, nil)
			browser := codegranttest.NewBrowser(t)
			browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
			a.now.Advance(61 * time.Minute)
			a.Fault(localpool.Token, fault)
			if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 503 || len(r.Cookies()) != 0 {
				t.Errorf("status %d, cookies %v; want 503 and the session kept", r.StatusCode, r.Cookies())
			}
			a.Fault(localpool.Token, nil)
			a.now.Advance(20 * time.Second)
			if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 {
				t.Errorf("once the pool answers: status %d", r.StatusCode)
			}
		})
	}
}

// Tokens that the pool has just made, and that do not verify because of the clock
// or the keys of this machine, say nothing about the person.
func TestS161_AWrongClockSignsNobodyOut(t *testing.T) {
	for name, tt := range map[string]struct {
		shift   time.Duration // of the pool's clock
		rotated string
	}{
		"slow":               {shift: 3 * time.Minute},
		"fast":               {shift: -4 * time.Hour},
		"slow, with rotated": {shift: 3 * time.Minute, rotated: "the-rotated-token"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, nil)
			browser := codegranttest.NewBrowser(t)
			browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
			good := answers(200, tokensFor(t, a, browser, nil))
			at := a.now.Now().Add(61 * time.Minute).Add(tt.shift)
			odd := tokensFor(t, a, browser, map[string]any{"iat": at.Unix(), "exp": at.Add(time.Hour).Unix()})
			if tt.rotated != "" {
				odd["refresh_token"] = tt.rotated
			}
			a.now.Advance(61 * time.Minute)
			a.Fault(localpool.Token, answers(200, odd))
			if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 503 || len(r.Cookies()) != 0 {
				t.Errorf("status %d, cookies %v; want 503 and the session kept", r.StatusCode, r.Cookies())
			}
			if n := a.Calls(localpool.Revoke); n != 0 {
				t.Errorf("the grant was revoked %d times", n)
			}
			var presented string
			a.Fault(localpool.Token, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				presented = r.PostFormValue("refresh_token")
				good.ServeHTTP(w, r)
			}))
			a.now.Advance(20 * time.Second) // past the back-off
			if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 {
				t.Errorf("once the clocks agree: status %d", r.StatusCode)
			}
			if tt.rotated != "" && presented != tt.rotated {
				t.Error("the rotated token was lost")
			}
		})
	}
}

// The pool signs with a new key before the cache in front of its key set knows.
func TestS149_AKeyThatIsNotKnownYetSignsNobodyOut(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	old := httptest.NewRecorder()
	r := httptest.NewRequest("GET", a.Clients()[0].Issuer+"/.well-known/jwks.json", nil)
	a.Pool.Server.ServeHTTP(old, r)
	if old.Code != 200 || old.Body.Len() == 0 {
		t.Fatalf("keys: status %d", old.Code)
	}
	a.Fault(localpool.JWKS, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(old.Body.Bytes()) }))
	if err := a.RotateKeys(a.PoolID); err != nil {
		t.Fatal(err)
	}
	a.now.Advance(61 * time.Minute)
	if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 503 || len(r.Cookies()) != 0 {
		t.Errorf("status %d, cookies %v; want 503 and the session kept", r.StatusCode, r.Cookies())
	}
	a.Fault(localpool.JWKS, nil)
	a.now.Advance(20 * time.Second)
	if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 {
		t.Errorf("once the new key is served: status %d", r.StatusCode)
	}
}

// auth_time is compared where a refreshed token has it (OpenID Connect Core, 12.2).
func TestS013_ARefreshedTokenWithoutAuthTime(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	without := answers(200, tokensFor(t, a, browser, map[string]any{"auth_time": nil}))
	before := text(t, get(t, browser.Client, a.url+"/auth/user"))
	a.now.Advance(61 * time.Minute)
	a.Fault(localpool.Token, without)
	r := get(t, browser.Client, a.url+"/auth/user")
	var was, is struct {
		AuthTime int64 `json:"auth_time"`
	}
	if err := errors.Join(json.Unmarshal([]byte(before), &was), json.Unmarshal([]byte(text(t, r)), &is)); err != nil || r.StatusCode != 200 {
		t.Fatalf("status %d, %v", r.StatusCode, err)
	}
	if was.AuthTime == 0 || is.AuthTime != was.AuthTime {
		t.Errorf("auth_time was %d and is %d", was.AuthTime, is.AuthTime)
	}
}

// A refresh ahead of time that cannot be finished takes nothing from a session
// whose access token still lives.
func TestS150_AnEarlyRefreshWithoutKeys(t *testing.T) {
	a := newApp(t, nil)
	if err := a.SetRotation(a.ClientID, true, 0); err != nil {
		t.Fatal(err)
	}
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	if err := a.RotateKeys(a.PoolID); err != nil {
		t.Fatal(err)
	}
	a.Fault(localpool.JWKS, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	a.now.Advance(59*time.Minute + 45*time.Second)
	for range 3 {
		if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 {
			t.Errorf("with a live access token: status %d", r.StatusCode)
		}
		if err := a.auth.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	a.Fault(localpool.JWKS, nil)
	a.now.Advance(time.Minute)
	if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 {
		t.Errorf("once the keys are back: status %d", r.StatusCode)
	}
}

// A pool that throttles is left alone for as long as it asks, and whoever waits is
// told the same; within reason.
func TestS150_ThePoolSaysWhenToComeAgain(t *testing.T) {
	for asked, want := range map[string]string{"7": "7", "3000": "60"} {
		t.Run(asked, func(t *testing.T) {
			a := newApp(t, nil)
			browser := codegranttest.NewBrowser(t)
			browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
			a.now.Advance(61 * time.Minute)
			throttle := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Retry-After", asked)
				w.WriteHeader(429)
			})
			a.Fault(localpool.Token, throttle)
			before := a.Calls(localpool.Token)
			wait, err := time.ParseDuration(want + "s")
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 503 || r.Header.Get("Retry-After") != want {
					t.Errorf("status %d, Retry-After %q, want %q", r.StatusCode, r.Header.Get("Retry-After"), want)
				}
				a.now.Advance(wait/3 - time.Millisecond)
			}
			if n := a.Calls(localpool.Token) - before; n != 1 {
				t.Errorf("asked %d times within what it asked for", n)
			}
			a.Fault(localpool.Token, nil)
			a.now.Advance(time.Second)
			if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 {
				t.Errorf("after that: status %d", r.StatusCode)
			}

			a.Fault(localpool.Token, throttle)
			page := codegranttest.NewBrowser(t).SignIn(a.url+"/reports/", "alice@example.com", codegranttest.Password)
			if page.Status != 503 || page.Header.Get("Retry-After") != want {
				t.Errorf("sign-in: status %d, Retry-After %q, want %q", page.Status, page.Header.Get("Retry-After"), want)
			}
		})
	}
}
