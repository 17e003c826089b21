package codegrant_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/session"
)

// watchedCupboard knows what was put.
type watchedCupboard struct {
	*cupboard.Memory
	kind cupboard.Kind
	puts []cupboard.Record
}

func (c *watchedCupboard) Put(ctx context.Context, kind cupboard.Kind, r cupboard.Record) error {
	if strings.HasPrefix(kind.Name, "revocations.") { // and not what else is kept
		c.kind, c.puts = kind, append(c.puts, r)
	}
	return c.Memory.Put(ctx, kind, r)
}

// What the pool does not revoke is revoked later, also by another process, and not
// tried again and again.
func TestS314_S086_RevocationsOutliveTheProcess(t *testing.T) {
	shelf := &watchedCupboard{}
	var pool cognito.Pool
	key := []byte("0123456789abcdefghijklmnopqrstuv")
	a := newApp(t, func(c *codegrant.Config) {
		shelf.Memory = cupboard.NewMemory(c.Now)
		ring, err := session.NewKeyring(key)
		if err != nil {
			t.Fatal(err)
		}
		c.Cupboard, c.Keys, pool = shelf, ring, c.Pool
	})
	restarted := func(t *testing.T, key []byte) *codegrant.Auth {
		t.Helper()
		ring, err := session.NewKeyring(key)
		if err != nil {
			t.Fatal(err)
		}
		auth, err := codegrant.New(codegrant.Config{
			Pool: pool, BaseURL: a.url, Now: a.now.Now, Cupboard: shelf, Keys: ring, Logger: slog.New(slog.NewTextHandler(a.log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		return auth
	}
	var refused atomic.Int64
	down := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refused.Add(1)
		answers(400, map[string]string{"error": "invalid_client"}).ServeHTTP(w, r) // which the client does not repeat
	})
	signOut := func(t *testing.T) {
		t.Helper()
		browser := codegranttest.NewBrowser(t)
		browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
		if r := send(t, browser.Client, "POST", a.url+"/auth/logout"); r.StatusCode != http.StatusSeeOther {
			t.Fatalf("status %d", r.StatusCode)
		}
		if err := a.auth.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	left := func(t *testing.T, auth *codegrant.Auth, want int) {
		t.Helper()
		if n, err := auth.RevokeKept(t.Context()); n != want || err != nil {
			t.Errorf("%d are left, %v, want %d", n, err, want)
		}
	}

	signOut(t)
	if len(shelf.puts) != 0 {
		t.Error("one that was made is kept")
	}
	before := a.Calls(localpool.Revoke)
	a.Fault(localpool.Revoke, down)
	signOut(t)
	if len(shelf.puts) != 1 || !strings.Contains(a.log.String(), "refresh token not revoked") {
		t.Fatalf("%d are kept", len(shelf.puts))
	}
	if r := shelf.puts[0]; r.Person == "" || bytes.Contains(r.Value, []byte("token")) || len(r.Key) != 43 {
		t.Errorf("it is kept as %+v", r)
	}

	// While the pool is down, the tries come further and further apart.
	refused.Store(0)
	next := restarted(t, key)
	for range 600 { // an hour
		a.now.Advance(6 * time.Second)
		left(t, next, 1)
	}
	if n := refused.Load(); n < 4 || n > 12 {
		t.Errorf("%d tries in an hour", n)
	}
	left(t, restarted(t, []byte("vutsrqponmlkjihgfedcba9876543210")), 1) // of other keys

	a.Fault(localpool.Revoke, nil)
	made := a.Calls(localpool.Revoke)
	a.now.Advance(2 * time.Hour)
	left(t, next, 0)
	if n := a.Calls(localpool.Revoke) - made; n != 1 || made == before {
		t.Errorf("revoked %d times", n)
	}

	// It is given up when the token would be over.
	a.Fault(localpool.Revoke, down)
	signOut(t)
	a.now.Advance(29 * 24 * time.Hour)
	left(t, next, 1)
	a.now.Advance(24*time.Hour - 10*time.Second) // its last try
	left(t, next, 0)

	// A sign-in that the pool answers is a good moment to try.
	signOut(t)
	a.Fault(localpool.Revoke, nil)
	a.now.Advance(time.Minute)
	codegranttest.NewBrowser(t).SignIn(a.url+"/", "bob@example.com", codegranttest.Password)
	if err := a.auth.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := shelf.Len(t.Context(), shelf.kind); n != 0 || err != nil {
		t.Errorf("after a sign-in: %d are left, %v", n, err)
	}
}

func TestS314_WithoutKeysNothingIsKept(t *testing.T) {
	shelf := &watchedCupboard{Memory: cupboard.NewMemory(nil)}
	a := newApp(t, func(c *codegrant.Config) { c.Cupboard, c.Keys = shelf, nil })
	if !strings.Contains(a.log.String(), "are forgotten when this process stops") {
		t.Error("the log does not say so at the start")
	}
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	a.Fault(localpool.Revoke, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }))
	send(t, browser.Client, "POST", a.url+"/auth/logout")
	if err := a.auth.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, err := a.auth.RevokeKept(t.Context()); n != 0 || err != nil || len(shelf.puts) != 0 {
		t.Errorf("%d are kept, %v", n, err)
	}
}
