package codegrant_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/verify"
)

// told is a replica that says what it hears of who somebody was.
type told struct {
	replica.Store
	mu  sync.Mutex
	of  []*replica.Of
	all int
}

func (r *told) Apply(ctx context.Context, s replica.Snapshot) (replica.Change, error) {
	r.mu.Lock()
	r.of, r.all = append(r.of, s.Of), r.all+1
	r.mu.Unlock()
	return r.Store.Apply(ctx, s)
}

// TestS774_WhoSomebodyWas: the application says at a sign-in whom the person is; what it
// refuses or cannot find out lets nobody in as somebody new.
func TestS774_WhoSomebodyWas(t *testing.T) {
	for _, tt := range []struct {
		name, issuer, subject string
		err                   error
		status                int
	}{
		{name: "nobody", status: 200},
		{name: "somebody", issuer: "https://old.example.com", subject: "her-old-sub", status: 200},
		{name: "what cannot be true", err: errors.New("canary"), status: 400},
		{name: "not known now", err: fmt.Errorf("%w: canary", codegrant.ErrUnavailable), status: 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			users := &told{Store: new(accounts)}
			a := newApp(t, func(c *codegrant.Config) {
				c.Replica = users
				c.SamePerson = func(_ context.Context, claims *verify.Claims) (string, string, error) {
					if claims.Email != "alice@example.com" {
						t.Errorf("asked about %+v", claims)
					}
					return tt.issuer, tt.subject, tt.err
				}
			})
			page := codegranttest.NewBrowser(t).SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
			if page.Status != tt.status || strings.Contains(page.Body, "canary") {
				t.Errorf("status %d, want %d: %s", page.Status, tt.status, page.Body)
			}
			switch {
			case tt.err != nil && users.all != 0:
				t.Errorf("the replica heard of her %d times", users.all)
			case tt.err == nil && (users.all == 0 || (users.of[0] != nil) != (tt.subject != "")):
				t.Errorf("the replica heard of %+v", users.of)
			case tt.subject != "" && *users.of[0] != (replica.Of{Issuer: tt.issuer, Subject: tt.subject, By: "sign-in"}):
				t.Errorf("the replica heard of %+v", *users.of[0])
			}
		})
	}
}

// TestS770_EveryWayToComeIn: whoever comes in by a sign-in that a sibling has made is who
// they were, too, and so is whoever comes in again after the replica was turned on.
func TestS770_EveryWayToComeIn(t *testing.T) {
	users := &told{Store: new(accounts)}
	p := newPlatform(t)
	p.backend("a.example.test", sharing)
	p.backend("b.example.test", func(c *codegrant.Config) {
		sharing(c)
		c.Replica = users
		c.SamePerson = func(context.Context, *verify.Claims) (string, string, error) {
			return "https://old.example.com", "her-old-sub", nil
		}
	})
	p.backend("c.example.test", func(c *codegrant.Config) {
		sharing(c)
		c.Replica = users
		c.SamePerson = func(context.Context, *verify.Claims) (string, string, error) {
			return "", "", fmt.Errorf("%w: canary", codegrant.ErrUnavailable)
		}
	})
	browser := p.browser()
	browser.SignIn("https://a.example.test/", "alice@example.com", codegranttest.Password)
	if r := get(t, browser.Client, "https://c.example.test/"); r.StatusCode != 503 || users.all != 0 {
		t.Errorf("who she was cannot be found out: %d, and the replica heard of %d", r.StatusCode, users.all)
	}
	if r := get(t, browser.Client, "https://b.example.test/"); r.StatusCode != 200 {
		t.Errorf("%d", r.StatusCode)
	}
	if len(users.of) != 1 || users.of[0] == nil || *users.of[0] != (replica.Of{Issuer: "https://old.example.com", Subject: "her-old-sub", By: "sign-in"}) {
		t.Errorf("the replica heard of %+v", users.of)
	}
}
