package codegrant_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
)

// A shutdown whose time is up closes while requests still come and go.
func TestS163_CloseWhileRequestsRun(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	cookie := sessionOf(t, browser, a.url)
	ctx, cancel := context.WithCancel(t.Context())
	var closers, requests sync.WaitGroup
	for range 4 {
		closers.Go(func() {
			for ctx.Err() == nil {
				_ = a.auth.Close(ctx)
			}
		})
	}
	for range 30 {
		a.now.Advance(61 * time.Minute)
		for range 4 {
			requests.Go(func() {
				if r := withCookies(t, a.url+"/auth/user", cookie); r.StatusCode != http.StatusOK {
					t.Errorf("status %d", r.StatusCode)
				}
			})
		}
		requests.Wait()
	}
	cancel()
	closers.Wait()
}

// panicking is a network that panics where a path is asked for.
type panicking struct {
	http.RoundTripper
	path string
}

func (p panicking) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, p.path) {
		panic("out of order")
	}
	return p.RoundTripper.RoundTrip(r)
}

// Work behind a request runs code that is not ours: clients, loggers. A panic in it
// must not take the process along.
func TestS164_PanicsBehindARequest(t *testing.T) {
	a := newApp(t, func(c *codegrant.Config) {
		c.HTTPClient = &http.Client{Transport: panicking{http.DefaultTransport, "/oauth2/revoke"}}
	})
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	if r := send(t, browser.Client, "POST", a.url+"/auth/logout"); r.StatusCode != http.StatusSeeOther {
		t.Errorf("status %d", r.StatusCode)
	}
	if err := a.auth.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if log := a.log.String(); !strings.Contains(log, "out of order") {
		t.Errorf("the log does not tell of the panic:\n%s", log)
	}
	if n := a.Calls(localpool.Revoke); n != 0 {
		t.Errorf("revoked %d times", n)
	}
}
