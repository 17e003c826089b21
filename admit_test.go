package codegrant_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica"
)

// TestS120_TheApplicationAdmits: whom the pool lets in, the application may still
// turn away, and then nothing is kept of the sign-in.
func TestS120_TheApplicationAdmits(t *testing.T) {
	canary := errors.New("their contract of canary-4711 has ended")
	for _, tt := range []struct {
		name   string
		err    error
		status int
		log    string
		page   string
		retry  string
	}{
		{"refused", canary, 400, "the application does not admit the person", "may not use this service", ""},
		{"too soon", codegrant.TooManySignIns(90 * time.Second), 429, "too many sign-ins", "many times in a row", "90"},
		{"unknown", fmt.Errorf("%w: %w", codegrant.ErrUnavailable, canary), 503, "sign-in failed", "does not work right now", "5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			users := new(accounts)
			var applied atomic.Int32
			var asked codegrant.Identity
			a := newApp(t, func(c *codegrant.Config) {
				c.Replica = counted{users, &applied}
				c.Admit = func(_ context.Context, id *codegrant.Identity) error { asked = *id; return tt.err }
			})
			browser := codegranttest.NewBrowser(t)
			page := browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
			if page.Status != tt.status || !strings.Contains(page.Body, tt.page) {
				t.Errorf("status %d: %s", page.Status, page.Body)
			}
			if strings.Contains(page.Body, "canary") || !strings.Contains(a.log.String(), tt.log) {
				t.Errorf("the page tells the cause, or the log does not:\n%s", a.log)
			}
			if asked.Issuer == "" || asked.Subject == "" || asked.Email != "alice@example.com" || !asked.InGroup("admins") {
				t.Errorf("asked about %+v", asked)
			}
			if n := a.Calls(localpool.Revoke); n != 1 || applied.Load() != 0 {
				t.Errorf("revoked %d times, in the replica %d times", n, applied.Load())
			}
			if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 401 {
				t.Errorf("a session came of it: status %d", r.StatusCode)
			}
			if got := page.Header.Get("Retry-After"); got != tt.retry {
				t.Errorf("Retry-After %q, want %q", got, tt.retry)
			}
		})
	}
	t.Run("admitted", func(t *testing.T) {
		a := newApp(t, func(c *codegrant.Config) { c.Admit = func(context.Context, *codegrant.Identity) error { return nil } })
		if page := codegranttest.NewBrowser(t).SignIn(a.url+"/", "alice@example.com", codegranttest.Password); page.Status != 200 {
			t.Errorf("status %d", page.Status)
		}
	})
}

// counted counts what a replica is told.
type counted struct {
	replica.Store
	applied *atomic.Int32
}

func (c counted) Apply(ctx context.Context, s replica.Snapshot) (replica.Change, error) {
	c.applied.Add(1)
	return c.Store.Apply(ctx, s)
}

// TestS120_SessionsInCookies: whoever was admitted is not asked about again, however
// many others there are.
func TestS120_SessionsInCookies(t *testing.T) {
	var asked atomic.Int32
	a := newApp(t, func(c *codegrant.Config) {
		c.Sessions, c.CookieSessions = nil, true
		c.Admit = func(_ context.Context, id *codegrant.Identity) error {
			if asked.Add(1); id.Method != codegrant.MethodSession {
				return errors.New("a sign-in is another one")
			}
			return nil
		}
	})
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	for range 3 {
		if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 {
			t.Fatalf("status %d", r.StatusCode)
		}
		a.now.Advance(61 * time.Minute)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times about one sign-in", n)
	}
}

// TestS120_TheApplicationAdmitsWhoComesFromElsewhere: by handed-over tokens, and by
// cookies of a sibling.
func TestS120_TheApplicationAdmitsWhoComesFromElsewhere(t *testing.T) {
	p := newPlatform(t)
	notAlice := func(_ context.Context, id *codegrant.Identity) error {
		if id.Email == "alice@example.com" {
			return errors.New("not her")
		}
		return nil
	}
	p.backend("shared.example.test", sharing)
	p.backend("picky.example.test", func(c *codegrant.Config) {
		sharing(c)
		c.Admit = notAlice
	})
	p.backend("a.example.test", func(c *codegrant.Config) { c.AcceptTokens, c.Admit = true, notAlice })
	p.backend("b.example.test", func(c *codegrant.Config) {
		c.AcceptTokens = true
		c.Admit = func(context.Context, *codegrant.Identity) error { return codegrant.TooManySignIns(time.Minute) }
	})

	alice, bob := tokensOf(t, p, "alice@example.com"), tokensOf(t, p, "bob@example.com")
	client := p.browser().Client
	for _, tt := range []struct {
		target string
		tokens map[string]string
		status int
	}{
		{"https://a.example.test/auth/session", alice, http.StatusUnauthorized},
		{"https://a.example.test/auth/session", bob, http.StatusCreated},
		{"https://b.example.test/auth/session", bob, http.StatusTooManyRequests},
	} {
		r := handOver(t, client, tt.target, asJSON(t, tt.tokens), "Sec-Fetch-Site", "same-origin")
		if r.StatusCode != tt.status || tt.status == http.StatusTooManyRequests && r.Header.Get("Retry-After") != "60" {
			t.Errorf("%s: status %d, want %d", tt.target, r.StatusCode, tt.status)
		}
	}

	for email, want := range map[string]int{"alice@example.com": 401, "bob@example.com": 200} {
		browser := p.browser()
		browser.SignIn("https://shared.example.test/", email, codegranttest.Password)
		if r := get(t, browser.Client, "https://picky.example.test/auth/user"); r.StatusCode != want {
			t.Errorf("%s at the sibling: status %d, want %d", email, r.StatusCode, want)
		}
		if r := get(t, browser.Client, "https://shared.example.test/auth/user"); r.StatusCode != 200 {
			t.Errorf("%s where they signed in: status %d", email, r.StatusCode)
		}
	}
	if !strings.Contains(p.log.String(), `msg="request refused"`) {
		t.Errorf("the log does not say that somebody was refused: %s", p.log)
	}
}
