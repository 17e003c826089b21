package account_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/account"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/session"
)

// shaky is a replica that does not answer for one subject.
type shaky struct {
	*sqlreplica.Store
	fails atomic.Pointer[string]
}

func (s *shaky) UserBySubject(ctx context.Context, issuer, subject string) (replica.User, error) {
	if f := s.fails.Load(); f != nil && *f == subject {
		return replica.User{}, errors.Join(replica.ErrUnavailable, errors.New("connection refused"))
	}
	return s.Store.UserBySubject(ctx, issuer, subject)
}

// TestS677_WhatDoesNotAnswer: a replica that is away is told as that, and costs nobody their
// proof. Whom it does not know signs in again.
func TestS677_WhatDoesNotAnswer(t *testing.T) {
	var s *shaky
	w := onSQLite(t, func(_ *localpool.Seed, c *codegrant.Config, own *account.Config) {
		s = &shaky{Store: own.Replica.(*sqlreplica.Store)}
		c.Replica, own.Replica = s, s
	})
	hers := w.row(w.signIn(alice))
	b := w.signIn(bob)
	mine := w.row(b)
	page := w.prove(b, w.begin(b), alice)
	s.fails.Store(&hers.Subject)
	if answer := w.choose(b, page, "confirm", nil); answer.Status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", answer.Status, plain(answer.Body))
	}
	s.fails.Store(nil)
	w.says(w.choose(b, page, "confirm", nil), 200, "It is linked.")
	w.linkedTo(hers.ID, mine.ID)

	if _, err := w.users.Erase(t.Context(), mine.ID, sqlreplica.EraseOptions{}); err != nil {
		t.Fatal(err)
	}
	w.says(w.at(b, "/identities"), 403, "does not know your account yet")
}

// failing ends no session, and failingCupboard keeps nothing, while they are off.
type failing struct {
	session.Store
	off *atomic.Bool
}

func (f failing) DeleteBySubject(ctx context.Context, pool, subject string) (int, error) {
	if f.off.Load() {
		return 0, errors.New("connection refused")
	}
	return f.Store.DeleteBySubject(ctx, pool, subject)
}

type failingCupboard struct {
	cupboard.Store
	off *atomic.Bool
}

func (f failingCupboard) Put(ctx context.Context, k cupboard.Kind, r cupboard.Record) error {
	if f.off.Load() {
		return errors.Join(cupboard.ErrUnavailable, errors.New("connection refused"))
	}
	return f.Store.Put(ctx, k, r)
}

// TestS678_SessionsThatMayGoOn: where neither sessions nor marks can be written, the page
// says what that means.
func TestS678_SessionsThatMayGoOn(t *testing.T) {
	off := new(atomic.Bool)
	w := onSQLite(t, func(_ *localpool.Seed, c *codegrant.Config, _ *account.Config) {
		c.Sessions = failing{session.NewMemoryStore(session.MemoryConfig{}), off}
		c.Cupboard = failingCupboard{cupboard.NewMemory(nil), off}
	})
	hers := w.row(w.signIn(alice))
	b := w.signIn(bob)
	page := w.prove(b, w.begin(b), alice)
	off.Store(true)
	w.says(w.choose(b, page, "confirm", nil), 200, "It is linked. You can now sign in with it, too. Where it was signed in before")
	w.ahead.advance(2 * time.Second)
	w.says(w.choose(b, b.Open(w.separate(hers.ID)), "separate", nil), 200, "It has an account of its own now. Where it was signed in before")
	off.Store(false)
}

// TestS678_TheEndIsTold: the log has the line of which webhooks make a message.
func TestS678_TheEndIsTold(t *testing.T) {
	w := onSQLite(t, nil)
	hers := w.row(w.signIn(alice))
	b := w.signIn(bob)
	page := w.prove(b, w.begin(b), alice)
	line := `msg="sessions ended" sub=` + hers.Subject + " issuer=" + hers.Issuer
	if strings.Contains(w.log.String(), line) {
		t.Fatal("told too early")
	}
	w.says(w.choose(b, page, "confirm", nil), 200, "It is linked.")
	if !strings.Contains(w.log.String(), line) {
		t.Error("the log does not say whose sessions ended")
	}
	w.ahead.advance(2 * time.Second)
	w.says(w.choose(b, b.Open(w.separate(hers.ID)), "separate", nil), 200, "It is separated.")
	if strings.Count(w.log.String(), line) != 2 {
		t.Error("the log does not say whose sessions ended when it was separated")
	}
}
