package codegrant_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica"
)

// accounts is a replica whose application can turn accounts off.
type accounts struct {
	replica.Store
	off atomic.Bool
}

func (r *accounts) Apply(_ context.Context, s replica.Snapshot) (replica.Change, error) {
	return replica.Change{User: replica.User{ID: 7, Issuer: s.Issuer, Subject: s.Subject, Enabled: !r.off.Load()}}, nil
}

func TestS117_AnAccountThatTheApplicationTurnedOff(t *testing.T) {
	users := new(accounts)
	a := newApp(t, func(c *codegrant.Config) { c.Replica = users })
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)

	// Signed in, and turned off: at the latest when her groups change.
	users.off.Store(true)
	if err := a.RemoveFromGroup(a.PoolID, "alice", "analysts"); err != nil {
		t.Fatal(err)
	}
	a.now.Advance(61 * time.Minute)
	if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 401 {
		t.Errorf("after a refresh: status %d, want 401", r.StatusCode)
	}
	if n := a.Calls(localpool.Revoke); n != 1 {
		t.Errorf("her refresh token was revoked %d times", n)
	}

	other := codegranttest.NewBrowser(t)
	page := other.SignIn(a.url+"/", "bob@example.com", codegranttest.Password)
	if page.Status != 400 || !strings.Contains(a.log.String(), "the user is disabled") {
		t.Errorf("sign-in: status %d at %s", page.Status, page.URL)
	}
	if r := get(t, other.Client, a.url+"/auth/user"); r.StatusCode != 401 {
		t.Errorf("a session came of it: status %d", r.StatusCode)
	}
}
