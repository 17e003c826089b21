//go:build unix

package faults

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/localpool"
)

// inMemory is a world whose sessions are in this process, with less patience with the
// pool than has an application.
func inMemory(t testing.TB) *world {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	return newWorld(t, func(c *codegrant.Config, _ *clock) {
		c.HTTPClient = &http.Client{Transport: transport, Timeout: 3 * time.Second}
	})
}

// hanging never answers.
func hanging(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // so that the end of the connection is noticed
	<-r.Context().Done()
}

// resetting ends the connection as a machine does that knows nothing of it.
func resetting(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_ = conn.(*net.TCPConn).SetLinger(0)
	conn.Close()
}

// half ends it within the answer.
func half(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "4000")
	_, _ = io.WriteString(w, `{"id_token":"`)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

func saying(status int, contentType, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

const page = "<!DOCTYPE html><title>Maintenance</title><p>Back soon."

// poolFaults are what a pool in trouble does.
var poolFaults = map[string]http.HandlerFunc{
	"hangs":                   hanging,
	"resets":                  resetting,
	"breaks off":              half,
	"answers HTML":            saying(200, "text/html", page),
	"answers HTML with 502":   saying(502, "text/html", page),
	"answers 500":             saying(500, "application/json", `{"error":"InternalErrorException"}`),
	"answers 503":             saying(503, "", ""),
	"throttles":               saying(429, "application/json", `{"error":"TooManyRequestsException"}`, "Retry-After", "7"),
	"answers without content": saying(200, "application/json", "{}"),
}

// TestPoolsTokenEndpointFails has each of them in turn: whose access token lives does
// not notice, whose has ended waits, and who signs in is told to try again.
func TestPoolsTokenEndpointFails(t *testing.T) {
	for name, fault := range poolFaults {
		t.Run(name, func(t *testing.T) {
			w := inMemory(t)
			if err := w.SetRotation(w.ClientID, true, time.Minute); err != nil {
				t.Fatal(err)
			}
			alice, bob := w.signIn("alice"), w.signIn("bob")
			w.Fault(localpool.Token, fault)
			alice.want(200)
			if page := w.trySignIn("bob"); page.Status != 503 || !strings.Contains(page.Body, "/auth/login") || page.Header.Get("Retry-After") == "" {
				t.Errorf("sign-in: status %d: %s", page.Status, page.Body)
			}

			w.clock.advance(59*time.Minute + 50*time.Second) // it is time to refresh
			for range 3 {
				alice.want(200)
				w.settle()
			}
			w.clock.advance(20 * time.Second) // and it was
			before := w.Calls(localpool.Token)
			alice.flood(5*visitors, 20*time.Second, 503)
			bob.want(503)
			w.settle()
			if n := w.Calls(localpool.Token) - before; n > 12 {
				t.Errorf("a pool in trouble was asked %d times for two sessions", n)
			}

			w.Fault(localpool.Token, nil)
			w.clock.advance(time.Minute) // past the back-off, and what the pool asked for
			alice.recovers(30 * time.Second)
			bob.recovers(30 * time.Second)
			w.signIn("alice")
		})
	}
}

// settle waits for what runs beside the requests.
func (w *world) settle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	if err := w.auth.Close(ctx); err != nil {
		w.t.Error(err)
	}
}

// A pool that throttles says for how long, and so do we.
func TestPoolSaysWhenToComeAgain(t *testing.T) {
	w := inMemory(t)
	alice := w.signIn("alice")
	w.clock.advance(61 * time.Minute)
	w.Fault(localpool.Token, saying(429, "application/json", `{"error":"TooManyRequestsException"}`, "Retry-After", "7"))
	for range 3 {
		if a := alice.want(503); a.retryAfter != "7" {
			t.Errorf("Retry-After %q, want 7", a.retryAfter)
		}
	}
}

// TestPoolsKeysAreOutOfReach: keys that are known go on working, and a token of a new
// key is nobody's fault.
func TestPoolsKeysAreOutOfReach(t *testing.T) {
	for _, name := range []string{"hangs", "resets", "answers HTML", "answers 500", "throttles"} {
		fault := poolFaults[name]
		t.Run(name, func(t *testing.T) {
			w := inMemory(t)
			alice := w.signIn("alice")
			w.Fault(localpool.JWKS, fault)
			w.clock.advance(61 * time.Minute)
			alice.want(200) // refreshed
			w.signIn("bob")

			if err := w.RotateKeys(w.PoolID); err != nil {
				t.Fatal(err)
			}
			w.clock.advance(61 * time.Minute)
			alice.want(503)
			if page := w.trySignIn("bob"); page.Status != 503 {
				t.Errorf("sign-in: status %d: %s", page.Status, page.Body)
			}
			w.Fault(localpool.JWKS, nil)
			w.clock.advance(time.Minute)
			alice.recovers(30 * time.Second)
			w.signIn("bob")
		})
	}
}

// A process that starts while the pool is down serves as soon as the pool does.
func TestPoolIsDownAtTheStart(t *testing.T) {
	w := inMemory(t)
	for _, endpoint := range []string{localpool.Token, localpool.JWKS, localpool.Discovery} {
		w.Fault(endpoint, http.HandlerFunc(resetting))
	}
	if page := w.trySignIn("alice"); page.Status != 503 {
		t.Errorf("sign-in: status %d: %s", page.Status, page.Body)
	}
	for _, endpoint := range []string{localpool.Token, localpool.JWKS, localpool.Discovery} {
		w.Fault(endpoint, nil)
	}
	w.clock.advance(time.Minute)
	w.signIn("alice")
}
