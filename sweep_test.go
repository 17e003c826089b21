package codegrant_test

import (
	"context"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/session"
)

// keepingStore lets go of nothing by itself, as a database does.
type keepingStore struct {
	session.Store
	expired int
	sweeps  int
}

func (k *keepingStore) DeleteExpired(_ context.Context, limit int) (int, error) {
	k.sweeps++
	n := min(limit, k.expired)
	k.expired -= n
	return n, nil
}

func TestS145_ExpiredSessionsLeaveTheStore(t *testing.T) {
	store := &keepingStore{Store: session.NewMemoryStore(session.MemoryConfig{}), expired: 2500}
	a := newApp(t, func(c *codegrant.Config) { c.Sessions = store })
	signIn := func() {
		t.Helper()
		codegranttest.NewBrowser(t).SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
		if err := a.auth.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	signIn()
	if store.expired != 0 {
		t.Errorf("%d expired sessions are kept", store.expired)
	}
	sweeps := store.sweeps
	for range 3 {
		signIn()
	}
	if store.sweeps != sweeps {
		t.Errorf("%d sweeps by three sign-ins in a row", store.sweeps-sweeps)
	}
	a.now.Advance(time.Hour)
	signIn()
	if store.sweeps == sweeps {
		t.Error("no sweep after an hour")
	}
}
