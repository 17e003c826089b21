package directory

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// leftMarks keeps marks for tests.
type leftMarks struct {
	mu    sync.Mutex
	at    map[string]time.Time
	fault error
}

func (m *leftMarks) Leave(_ context.Context, issuer, subject string, at time.Time, _ string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fault != nil {
		return m.fault
	}
	if m.at == nil {
		m.at = make(map[string]time.Time)
	}
	m.at[issuer+" "+subject] = at
	return nil
}

func (m *leftMarks) of(s *Sync, subject string) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.at[s.Issuer+" "+subject]
}

// TestS583_MarksOfTheDirectory: who is disabled, deleted or signed out everywhere in the
// pool is marked, by passes and by events, also where no sessions are kept.
func TestS583_MarksOfTheDirectory(t *testing.T) {
	for name, withSessions := range map[string]bool{"with sessions": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			marks := new(leftMarks)
			s := r.sync(patient, func(c *Config) {
				c.Marks = marks
				if !withSessions {
					c.Sessions, c.SessionPools = nil, nil
				}
			})
			alice, bob, carol, dave := r.user("alice"), r.user("bob"), r.user("carol"), r.user("dave")
			_, err := s.Run(t.Context(), Options{Full: true})
			r.ok(err)
			if len(marks.at) != 0 {
				t.Fatalf("nothing has happened, and %v are marked", marks.at)
			}
			r.disable("alice")
			r.lookWith(s, event("AdminDisableUser", alice, ""))
			r.disable("bob")
			r.remove("carol")
			_, err = s.Run(t.Context(), Options{Full: true})
			r.ok(err)
			before := time.Now()
			r.lookWith(s, event("AdminUserGlobalSignOut", dave, ""))
			for name, subject := range map[string]string{"alice": alice, "bob": bob, "carol": carol} {
				if marks.of(s, subject).IsZero() {
					t.Errorf("%s is not marked", name)
				}
			}
			if at := marks.of(s, dave); at.IsZero() || at.After(before.Add(time.Minute)) {
				t.Errorf("dave is marked at %v", at)
			}
		})
	}
}

// A mark that cannot be left is a fault, and keeps no session alive.
func TestMarksThatCannotBeLeft(t *testing.T) {
	r := newRig(t)
	away := errors.New("away")
	s := r.sync(patient, func(c *Config) { c.Marks = &leftMarks{fault: away} })
	alice := r.user("alice")
	_, err := s.Run(t.Context(), Options{Full: true})
	r.ok(err)
	here := r.signIn(alice)
	r.disable("alice")
	found, err := ParseEvents([]byte(event("AdminDisableUser", alice, "")), poolID)
	r.ok(err)
	if err := s.Look(t.Context(), found); !errors.Is(err, away) || r.session(here) != "ended" {
		t.Errorf("%v, session %s", err, r.session(here))
	}
}
