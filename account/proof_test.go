package account_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/account"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/verify"
)

// linkedTo holds a row to the person whose it is, 0 for its own.
func (l *linking) linkedTo(row, person int64) {
	l.t.Helper()
	if u, err := l.users.User(l.t.Context(), row); err != nil || u.LinkedTo != person {
		l.t.Errorf("row %d is linked to %d, want %d, %v", row, u.LinkedTo, person, err)
	}
}

// separate is the page that asks whether to separate a row.
func (l *linking) separate(row int64) string {
	return l.url + "/auth/account/identities?separate=" + strconv.FormatInt(row, 10)
}

// TestS676_AProofEndsWithASignOutEverywhere: what somebody has proven of an identity counts
// no more after its person was signed out everywhere.
func TestS676_AProofEndsWithASignOutEverywhere(t *testing.T) {
	w := onSQLite(t, nil)
	hers := w.row(w.signIn(alice))
	b := w.signIn(bob)
	page := w.prove(b, w.begin(b), alice)
	w.says(page, 200, "Link this account?")
	w.ahead.advance(5 * time.Second)
	if _, err := w.auth.SignOutEverywhere(t.Context(), hers.Subject, hers.Username); err != nil {
		t.Fatal(err)
	}
	w.ahead.advance(5 * time.Second)
	w.says(w.choose(b, page, "confirm", nil), 422, "Sign in with the other account again.")
	w.linkedTo(hers.ID, 0)
}

// TestS676_AProofCountsOnce: the cookie of one that was used is worth nothing after the
// identity was separated.
func TestS676_AProofCountsOnce(t *testing.T) {
	w := onSQLite(t, nil)
	hers := w.row(w.signIn(alice))
	b := w.signIn(bob)
	mine := w.row(b)
	page := w.prove(b, w.begin(b), alice)
	home, _ := url.Parse(w.url)
	var kept []*http.Cookie
	for _, c := range b.Client.Jar.Cookies(home) {
		if strings.HasSuffix(c.Name, "-proven") {
			kept = append(kept, &http.Cookie{Name: c.Name, Value: c.Value, Path: "/"})
		}
	}
	w.says(w.choose(b, page, "confirm", nil), 200, "It is linked.")
	w.linkedTo(hers.ID, mine.ID)
	w.ahead.advance(2 * time.Second)
	phone := w.signIn(alice)
	w.choose(phone, phone.Open(w.separate(hers.ID)), "separate", nil) // and signs herself out
	w.linkedTo(hers.ID, 0)
	w.ahead.advance(2 * time.Second)
	b.Client.Jar.SetCookies(home, kept)
	w.says(w.at(b, "/identities"), 200, "Link another way to sign in")
	w.says(w.choose(b, page, "confirm", nil), 422, "Sign in with the other account again.")
	w.linkedTo(hers.ID, 0)
}

// unread is a cupboard whose marks cannot be read while it is off.
type unread struct {
	cupboard.Store
	off *atomic.Bool
}

func (u unread) Watch(ctx context.Context, kind cupboard.Kind, since int64, limit int) ([]cupboard.Change, error) {
	if u.off.Load() {
		return nil, errors.Join(cupboard.ErrUnavailable, errors.New("connection refused"))
	}
	return u.Store.Watch(ctx, kind, since, limit)
}

// TestS676_AProofWithoutMarks: while nobody knows who was signed out everywhere, no proof
// counts, and none is lost.
func TestS676_AProofWithoutMarks(t *testing.T) {
	off := new(atomic.Bool)
	off.Store(true)
	w := onSQLite(t, func(_ *localpool.Seed, c *codegrant.Config, _ *account.Config) {
		c.Cupboard = unread{cupboard.NewMemory(nil), off}
	})
	hers := w.row(w.signIn(alice))
	b := w.signIn(bob)
	mine := w.row(b)
	page := w.prove(b, w.begin(b), alice)
	if page.Status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", page.Status, plain(page.Body))
	}
	off.Store(false)
	for end := time.Now().Add(20 * time.Second); ; {
		page = w.at(b, "/identities")
		if page.Status == 200 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d %s", page.Status, plain(page.Body))
		}
		time.Sleep(50 * time.Millisecond)
	}
	off.Store(true) // what was read is known
	w.says(w.choose(b, page, "confirm", nil), 200, "It is linked.")
	w.linkedTo(hers.ID, mine.ID)
}

// TestS676_AProofAloneChangesNobody: before the person has confirmed, the replica has heard
// nothing, whatever the application says of who it is; then it has heard what a sign-in says.
func TestS676_AProofAloneChangesNobody(t *testing.T) {
	var issuer, same atomic.Pointer[string]
	w := onSQLite(t, func(_ *localpool.Seed, c *codegrant.Config, _ *account.Config) {
		c.SamePerson = func(_ context.Context, claims *verify.Claims) (string, string, error) {
			if claims.Email == "same@gmail.example" {
				return *issuer.Load(), *same.Load(), nil
			}
			return "", "", nil
		}
	})
	theirs := w.row(w.signIn(bob))
	b := w.signIn(alice)
	mine := w.row(b)
	stored := func(email string) (u replica.User) {
		t.Helper()
		page, err := w.users.Users(t.Context(), replica.UserQuery{Issuer: w.auth.Endpoints().Issuer})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range page.Users {
			if u.Email == email {
				return u
			}
		}
		return u
	}
	page := w.google(b, w.begin(b), "g-20", "new@gmail.example")
	w.says(page, 200, "new@gmail.example")
	w.says(page, 200, "Google")
	w.says(w.choose(b, page, "cancel", nil), 200, "You have changed nothing.")
	if u := stored("new@gmail.example"); u.ID != 0 {
		t.Errorf("cancelled, and the replica knows %+v", u)
	}
	page = w.google(b, w.begin(b), "g-20", "new@gmail.example")
	w.says(w.choose(b, page, "confirm", nil), 200, "It is linked.")
	if u := stored("new@gmail.example"); u.LinkedTo != mine.ID {
		t.Errorf("%+v", u)
	}
	w.ahead.advance(2 * time.Second)
	if _, id, _ := w.user(w.signInByGoogle("g-20", "new@gmail.example")); id != mine.ID {
		t.Errorf("row %d, want %d", id, mine.ID)
	}

	// The application says that it is the person's own, or somebody else's.
	issuer.Store(&mine.Issuer)
	same.Store(&mine.Subject)
	page = w.google(b, w.begin(b), "g-21", "same@gmail.example")
	w.says(page, 200, "Link this account?")
	w.linkedTo(theirs.ID, 0)
	if u := stored("same@gmail.example"); u.ID != 0 {
		t.Errorf("nobody has confirmed, and the replica knows %+v", u)
	}
	w.choose(b, page, "cancel", nil)
	same.Store(&theirs.Subject)
	w.says(w.google(b, w.begin(b), "g-21", "same@gmail.example"), 200, "several ways to sign in")
	if u := stored("same@gmail.example"); u.ID != 0 {
		t.Errorf("refused, and the replica knows %+v", u)
	}
	same.Store(&mine.Subject)
	page = w.google(b, w.begin(b), "g-21", "same@gmail.example")
	w.says(w.choose(b, page, "confirm", nil), 200, "It is linked.")
	if u := stored("same@gmail.example"); u.LinkedTo != mine.ID {
		t.Errorf("%+v", u)
	}
	if status, id, _ := w.user(b); status != 200 || id != mine.ID {
		t.Errorf("%d, row %d", status, id)
	}
}

// TestS719_WhatKeepsTheAccount: who deletes their account reads which of their identities
// keep it.
func TestS719_WhatKeepsTheAccount(t *testing.T) {
	w := onSQLite(t, nil)
	w.row(w.signIn(bob))
	googles := w.row(w.signInByGoogle("g-17", "old@gmail.example"))
	b := w.signIn(alice)
	mine := w.row(b)
	w.says(w.at(b, "/delete"), 200, "Your account is deleted at once")
	page := w.prove(b, w.begin(b), bob)
	w.says(w.choose(b, page, "confirm", nil), 200, "It is linked.")
	off := false
	if _, err := w.users.Merge(t.Context(), googles.ID, mine.ID, "an operator"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.users.Apply(t.Context(), replica.Snapshot{Issuer: googles.Issuer, Subject: googles.Subject, Enabled: &off, At: w.ahead.now().Add(time.Second)}); err != nil {
		t.Fatal(err)
	}
	page = w.at(b, "/delete")
	w.says(page, 200, "These other ways to sign in keep this account")
	w.says(page, 200, bob)
	if strings.Contains(page.Body, "old@gmail.example") {
		t.Errorf("a disabled one keeps it: %s", plain(page.Body))
	}
	i := slices.IndexFunc(page.Forms, func(f codegranttest.Form) bool { return f.Action.Path == "/auth/account/delete" })
	form := page.Forms[i]
	w.says(b.Submit(page, form, nil), 422, bob)
	w.says(b.Submit(page, form, map[string]string{"sure": "yes"}), 200, "Your account is deleted")
	w.ahead.advance(3 * time.Second)
	if _, id, _ := w.user(w.signIn(bob)); id != mine.ID {
		t.Errorf("row %d, want %d", id, mine.ID)
	}
}

// TestS833_NoOtherSiteBegins: a page of another site, and what nobody looks at, has nobody go to
// the pool.
func TestS833_NoOtherSiteBegins(t *testing.T) {
	w := onSQLite(t, nil)
	b := w.signIn(alice)
	here := *b.Client
	here.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, tt := range []struct{ site, referer, mode, method, purpose, to string }{
		{"same-origin", "", "navigate", http.MethodGet, "", "the pool"},
		{"none", "", "navigate", http.MethodGet, "", "the pool"},
		{"", w.url + "/auth/account/identities", "navigate", http.MethodGet, "", "the pool"},
		{"", w.url + "/", "", http.MethodGet, "", "the pool"},
		{"", "", "", http.MethodGet, "", ""},
		{"", "https://evil.example/page", "", http.MethodGet, "", ""},
		{"", w.url + ".evil.example/", "", http.MethodGet, "", ""},
		{"", "https://evil.example/" + w.url + "/", "", http.MethodGet, "", ""},
		{"", ":", "", http.MethodGet, "", ""},
		{"cross-site", w.url + "/", "navigate", http.MethodGet, "", ""},
		{"cross-site", "", "navigate", http.MethodGet, "", ""},
		{"same-site", "", "navigate", http.MethodGet, "", ""},
		{"same-origin", "", "no-cors", http.MethodGet, "", ""},
		{"same-origin", "", "navigate", http.MethodHead, "", ""},
		{"same-origin", "", "navigate", http.MethodGet, "prefetch", ""},
	} {
		r, _ := http.NewRequestWithContext(t.Context(), tt.method, w.url+"/auth/account/identities?do=begin", nil)
		r.Header.Set("Accept", "text/html")
		for name, value := range map[string]string{"Sec-Fetch-Site": tt.site, "Referer": tt.referer, "Sec-Fetch-Mode": tt.mode, "Sec-Purpose": tt.purpose} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		answer, err := here.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if away := strings.HasPrefix(answer.Header.Get("Location"), w.auth.Endpoints().Authorize); away != (tt.to != "") || !away && answer.StatusCode != http.StatusOK {
			t.Errorf("%+v: %d to %s", tt, answer.StatusCode, answer.Header.Get("Location"))
		}
	}
	r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/auth/account/identities", nil)
	r.Header.Set("Accept", "text/html")
	page, err := here.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	page.Body.Close()
	if got := page.Header.Get("Referrer-Policy"); got != "same-origin" {
		t.Errorf("the page with the link has Referrer-Policy: %s", got)
	}
}
