package codegrant_test

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
)

// inBothCarriers runs a test with tokens in shared cookies, and in sealed ones.
func inBothCarriers(t *testing.T, test func(*testing.T, *platform, *codegranttest.Browser)) {
	for name, change := range map[string]func(*codegrant.Config){"shared tokens": sharing, "cookie sessions": inCookies} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t)
			p.backend("a.example.test", change)
			browser := p.browser()
			if page := browser.SignIn("https://a.example.test/", "alice@example.com", codegranttest.Password); page.Status != 200 {
				t.Fatalf("%d %s", page.Status, page.Body)
			}
			test(t, p, browser)
		})
	}
}

func TestS076_OnlyAnInvalidGrantEndsTokensInCookies(t *testing.T) {
	inBothCarriers(t, func(t *testing.T, p *platform, browser *codegranttest.Browser) {
		p.now.Advance(61 * time.Minute)
		p.Fault(localpool.Token, answers(403, map[string]string{"error": "Forbidden"}))
		if page := browser.Open("https://a.example.test/auth/user"); page.Status != 503 {
			t.Errorf("status %d, want 503", page.Status)
		}
		p.Fault(localpool.Token, nil)
		p.now.Advance(20 * time.Second)
		if page := browser.Open("https://a.example.test/auth/user"); page.Status != 200 {
			t.Errorf("once the pool answers: status %d", page.Status)
		}
	})
}

// A refresh token that was rotated has no other place than the browser, also where
// the tokens beside it cannot be verified yet.
func TestS075_ARotatedTokenReachesTheBrowser(t *testing.T) {
	inBothCarriers(t, func(t *testing.T, p *platform, browser *codegranttest.Browser) {
		if err := p.SetRotation(p.ClientID, true, 0); err != nil {
			t.Fatal(err)
		}
		p.Fault(localpool.JWKS, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
		if err := p.RotateKeys(p.PoolID); err != nil {
			t.Fatal(err)
		}
		p.now.Advance(61 * time.Minute)
		if page := browser.Open("https://a.example.test/auth/user"); page.Status != 503 {
			t.Errorf("without keys: status %d", page.Status)
		}
		p.Fault(localpool.JWKS, nil)
		p.now.Advance(20 * time.Second)
		if page := browser.Open("https://a.example.test/auth/user"); page.Status != 200 {
			t.Errorf("with keys: status %d: the rotated token is lost", page.Status)
		}
	})
}

// Anybody can send refresh tokens that never were to a sign-out.
func TestS147_SignOutsOfNobodyLeaveRoomForRefreshes(t *testing.T) {
	p, browser := twoSharing(t)
	p.now.Advance(61 * time.Minute)
	release := make(chan struct{})
	p.Fault(localpool.Revoke, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { <-release }))
	const strangers = 70
	var wg sync.WaitGroup
	var answered atomic.Int32
	client := p.browser().Client
	client.Jar = nil
	for i := range strangers {
		wg.Go(func() {
			send(t, client, "POST", "https://a.example.test/auth/logout", "Cookie", fmt.Sprintf("refresh_token=invented-%d", i))
			answered.Add(1)
		})
	}
	wg.Wait() // none waits for the pool for long
	if page := browser.Open("https://a.example.test/auth/user"); page.Status != 200 {
		t.Errorf("somebody who is signed in: status %d", page.Status)
	}
	close(release)
}
