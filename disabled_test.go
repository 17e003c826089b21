package codegrant_test

import (
	"context"
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

// accounts is a replica whose application can turn accounts off.
type accounts struct {
	replica.Store
	off    atomic.Bool
	linked atomic.Int64 // the person whose identity they are; 0: their own
	fault  error        // of looking somebody up
}

func (r *accounts) Apply(_ context.Context, s replica.Snapshot) (replica.Change, error) {
	return replica.Change{User: replica.User{ID: 7, LinkedTo: r.linked.Load(), Issuer: s.Issuer, Subject: s.Subject, Enabled: !r.off.Load()}}, nil
}

func (r *accounts) UserBySubject(_ context.Context, issuer, subject string) (replica.User, error) {
	if err := r.fault; err != nil {
		return replica.User{}, err
	}
	return replica.User{ID: 7, LinkedTo: r.linked.Load(), Issuer: issuer, Subject: subject, Enabled: !r.off.Load()}, nil
}

// lastMoment is a store of sessions in which somebody is disabled, and their sessions
// are ended, just before the one of their sign-in is there.
type lastMoment struct {
	session.Store
	disable func(session.Record)
}

func (s *lastMoment) Create(ctx context.Context, r session.Record) error {
	s.disable(r)
	return s.Store.Create(ctx, r)
}

// TestS117_DisabledDuringASignIn: no session is left of a sign-in during which the
// person was disabled, or which cannot be told.
func TestS117_DisabledDuringASignIn(t *testing.T) {
	for name, want := range map[string]int{"disabled": 400, "no answer": 503} {
		t.Run(name, func(t *testing.T) {
			users, store := new(accounts), &lastMoment{Store: session.NewMemoryStore(session.MemoryConfig{})}
			store.disable = func(r session.Record) {
				if want == 503 {
					users.fault = replica.ErrUnavailable
					return
				}
				users.off.Store(true)
				if _, err := store.DeleteBySubject(t.Context(), r.Pool, r.Subject); err != nil {
					t.Error(err)
				}
			}
			a := newApp(t, func(c *codegrant.Config) { c.Sessions, c.Replica = store, users })
			browser := codegranttest.NewBrowser(t)
			if page := browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password); page.Status != want {
				t.Errorf("sign-in: status %d at %s, want %d", page.Status, page.URL, want)
			}
			if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 401 {
				t.Errorf("a session came of it: status %d", r.StatusCode)
			}
			if records, err := store.List(t.Context(), session.Query{}); err != nil || len(records) != 0 {
				t.Errorf("sessions: %v, %v", records, err)
			}
			if n := a.Calls(localpool.Revoke); n != 1 {
				t.Errorf("the refresh token was revoked %d times", n)
			}
		})
	}
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

// TestS758_MergedWhileTheySignIn: a sign-in during which the person is merged leaves no
// session of whom they were; the next comes in as whom they are.
func TestS758_MergedWhileTheySignIn(t *testing.T) {
	users, store := new(accounts), &lastMoment{Store: session.NewMemoryStore(session.MemoryConfig{})}
	store.disable = func(r session.Record) {
		if r.Pool != session.OncePool { // the row of the sign-in: nobody's session was there to be ended
			users.linked.Store(4)
		}
	}
	a := newApp(t, func(c *codegrant.Config) { c.Sessions, c.Replica = store, users })
	browser := codegranttest.NewBrowser(t)
	if page := browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password); page.Status != 503 {
		t.Errorf("sign-in: status %d at %s", page.Status, page.URL)
	}
	if records, err := store.List(t.Context(), session.Query{}); err != nil || len(records) != 0 {
		t.Errorf("sessions: %v, %v", records, err)
	}
	browser = codegranttest.NewBrowser(t)
	if page := browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password); page.Status != 200 {
		t.Errorf("the next sign-in: status %d at %s", page.Status, page.URL)
	}
	var who struct{ ID int64 }
	r := get(t, browser.Client, a.url+"/auth/user")
	if err := json.NewDecoder(r.Body).Decode(&who); err != nil || who.ID != 4 {
		t.Errorf("the person is %d, %v", who.ID, err)
	}
}
