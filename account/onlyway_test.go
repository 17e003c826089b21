package account_test

import (
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/account"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica"
)

const oldIssuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_OldPool00"

// moved makes an identity one of a row at another pool, as a move does.
func (l *linking) moved(u replica.User) (old int64) {
	l.t.Helper()
	c, err := l.users.Apply(l.t.Context(), replica.Snapshot{Issuer: oldIssuer, Subject: "old-1", Username: u.Username, Email: u.Email, EmailVerified: true, At: time.Now()})
	if err == nil {
		_, err = l.users.Merge(l.t.Context(), u.ID, c.User.ID, "sign-in")
	}
	if err != nil {
		l.t.Fatal(err)
	}
	l.ahead.advance(2 * time.Second)
	return c.User.ID
}

// TestS677_TheOnlyWayIn: whoever moved from another pool has one identity of this one, and
// cannot separate it, by a form of before either.
func TestS677_TheOnlyWayIn(t *testing.T) {
	w := onSQLite(t, nil)
	hers := w.row(w.signIn(alice))
	googles := w.row(w.signInByGoogle("g-17", "alice@gmail.example"))
	old := w.moved(hers)
	b := w.signIn(alice)
	if _, err := w.users.Merge(t.Context(), googles.ID, old, "an operator"); err != nil {
		t.Fatal(err)
	}
	page := b.Open(w.separate(hers.ID))
	w.says(page, 200, "Separate this way to sign in?")
	if _, err := w.users.Unlink(t.Context(), googles.ID); err != nil {
		t.Fatal(err)
	}
	w.says(w.choose(b, page, "separate", nil), 422, "the only one with which you can sign in")
	w.linkedTo(hers.ID, old)
	page = b.Open(w.separate(hers.ID))
	if strings.Contains(page.Body, "Separate") {
		t.Errorf("it is offered: %s", plain(page.Body))
	}
	if status, id, _ := w.user(b); status != 200 || id != old {
		t.Errorf("%d, row %d", status, id)
	}
}

// TestS677_WhoMovedIsLinked: the row of the pool that they moved from is no other way to
// sign in, and comes along while that pool is known. Deleted rows do, too.
func TestS677_WhoMovedIsLinked(t *testing.T) {
	for name, known := range map[string]bool{"during the move": true, "after the move": false} {
		t.Run(name, func(t *testing.T) {
			w := onSQLite(t, func(_ *localpool.Seed, c *codegrant.Config, _ *account.Config) {
				if known {
					c.OldPool = &cognito.Pool{ID: "eu-west-1_OldPool00", Issuer: oldIssuer, Domain: "https://old.example.com", ClientID: "old"}
				}
			})
			hers := w.row(w.signIn(alice))
			old := w.moved(hers)
			b := w.signIn(bob)
			mine := w.row(b)
			page := w.prove(b, w.begin(b), alice)
			if !known {
				w.says(page, 200, "several ways to sign in")
				return
			}
			w.says(page, 200, "Link this account?")
			w.says(w.choose(b, page, "confirm", nil), 200, "It is linked.")
			w.linkedTo(hers.ID, mine.ID)
			w.linkedTo(old, mine.ID)
			w.ahead.advance(2 * time.Second)
			if _, id, _ := w.user(w.signIn(alice)); id != mine.ID {
				t.Errorf("row %d, want %d", id, mine.ID)
			}
		})
	}
}
