package codegrant_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/replica"
)

// book is a replica whose one account others change, as Django does.
type book struct {
	replica.Store
	mu    sync.Mutex
	user  *replica.User // nil: deleted
	next  int64
	fault error
	looks int
	apply error
}

func (b *book) WrittenByOthers() bool { return true }

func (b *book) Apply(_ context.Context, s replica.Snapshot) (replica.Change, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.apply != nil {
		return replica.Change{}, b.apply
	}
	if b.user == nil {
		b.next++
		b.user = &replica.User{ID: b.next, Enabled: true}
	}
	b.user.Issuer, b.user.Subject = s.Issuer, s.Subject
	return replica.Change{User: *b.user}, nil
}

func (b *book) User(ctx context.Context, id int64) (replica.User, error) {
	return b.UserBySubject(ctx, "", "")
}

func (b *book) UserBySubject(context.Context, string, string) (replica.User, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.looks++
	if b.fault != nil {
		return replica.User{}, b.fault
	}
	if b.user == nil {
		return replica.User{}, replica.ErrNotFound
	}
	return *b.user, nil
}

func (b *book) change(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

// TestS282_AccountsAreLookedAtAgain: what an application does to an account is seen
// within UserMaxAge, in every way to keep a sign-in.
func TestS282_AccountsAreLookedAtAgain(t *testing.T) {
	ways := map[string]func(*codegrant.Config){
		"stored": func(*codegrant.Config) {}, "sealed": func(c *codegrant.Config) { c.CookieSessions = true }, "shared": sharing,
	}
	for way, keep := range ways {
		start := func(t *testing.T) (*platform, *book, *codegranttest.Browser) {
			p, users := newPlatform(t), new(book)
			p.backend("a.example.test", func(c *codegrant.Config) { c.Replica = users; keep(c) })
			browser := p.browser()
			if page := browser.SignIn("https://a.example.test/", "alice@example.com", codegranttest.Password); page.Status != 200 {
				t.Fatalf("sign-in: %d at %s", page.Status, page.URL)
			}
			return p, users, browser
		}
		status := func(t *testing.T, b *codegranttest.Browser) int {
			return get(t, b.Client, "https://a.example.test/").StatusCode
		}
		t.Run(way+"/turned off", func(t *testing.T) {
			p, users, browser := start(t)
			users.change(func() { users.user.Enabled = false })
			p.now.Advance(31 * time.Second)
			if got := status(t, browser); got != http.StatusUnauthorized {
				t.Errorf("31 s after: %d, want 401", got)
			}
		})
		t.Run(way+"/deleted", func(t *testing.T) {
			p, users, browser := start(t)
			users.change(func() { users.user = nil })
			p.now.Advance(31 * time.Second)
			if got := status(t, browser); got != http.StatusUnauthorized {
				t.Errorf("31 s after: %d, want 401", got)
			}
		})
		t.Run(way+"/made anew", func(t *testing.T) {
			p, users, browser := start(t)
			users.change(func() { users.user.ID = 99 })
			p.now.Advance(31 * time.Second)
			if body := browser.Open("https://a.example.test/").Body; !strings.Contains(body, " 99 ") {
				t.Errorf("a UserID that is gone was handed out: %q", body)
			}
		})
		t.Run(way+"/no answer", func(t *testing.T) {
			p, users, browser := start(t)
			users.change(func() { users.fault = replica.ErrUnavailable })
			if got := status(t, browser); got != 200 {
				t.Errorf("at once: %d", got)
			}
			p.now.Advance(31 * time.Second)
			if got := status(t, browser); got != http.StatusServiceUnavailable {
				t.Errorf("31 s after: %d, want 503", got)
			}
			users.change(func() { users.fault = nil })
			if got := status(t, browser); got != 200 {
				t.Errorf("it is back, and the sign-in is lost: %d", got)
			}
		})
		t.Run(way+"/one look in a while", func(t *testing.T) {
			p, users, browser := start(t)
			users.change(func() { users.looks = 0 })
			for range 20 {
				status(t, browser)
				p.now.Advance(2 * time.Second)
			}
			if users.looks > 1 {
				t.Errorf("%d look-ups in 40 s", users.looks)
			}
		})
	}
}

func TestGroupsOfTheReplica(t *testing.T) {
	in := func(name string, pool, local bool) replica.Membership {
		return replica.Membership{Group: replica.Group{Name: name, Origin: replica.OriginPool}, Pool: pool, Local: local}
	}
	for source, want := range map[codegrant.GroupSource]string{
		codegrant.GroupsOfToken: "[admins analysts]", codegrant.GroupsOfBoth: "[admins analysts given]", codegrant.GroupsOfReplica: "[admins given]",
	} {
		users := &book{user: &replica.User{ID: 1, Enabled: true, Groups: []replica.Membership{in("admins", true, false), in("given", false, true)}}}
		p := newPlatform(t)
		p.backend("a.example.test", func(c *codegrant.Config) { c.Replica, c.Groups = users, source })
		browser := p.browser()
		if body := browser.SignIn("https://a.example.test/", "alice@example.com", codegranttest.Password).Body; !strings.Contains(body, want) {
			t.Errorf("%q: %q, want %s", source, body, want)
		}
		users.change(func() { users.user.Groups = nil })
		p.now.Advance(31 * time.Second)
		if body := browser.Open("https://a.example.test/").Body; strings.Contains(body, "given") {
			t.Errorf("%q: %q, taken away 31 s ago", source, body)
		}
	}
	pool := codegranttest.NewPool(t, nil).Register("http://localhost:8080")
	for _, c := range []codegrant.Config{{Groups: "django"}, {Groups: codegrant.GroupsOfBoth}, {Groups: codegrant.GroupsOfReplica, Replica: new(book), UserMaxAge: -1}} {
		c.Pool = pool
		if _, err := codegrant.New(c); err == nil || !strings.Contains(err.Error(), "Groups") {
			t.Errorf("New(Groups %q) = %v", c.Groups, err)
		}
	}
}

// TestS283_AccountsInTheWay: where a person has to decide which account is whose, the
// sign-in is refused with a sentence, and not "try again" for ever.
func TestS283_AccountsInTheWay(t *testing.T) {
	for name, tt := range map[string]struct {
		err    error
		status int
		says   string
	}{
		"two accounts":     {fmt.Errorf("%w: users 1 and 2", replica.ErrConflict), 400, "cannot tell which account"},
		"not verified":     {fmt.Errorf("%w: user 1", replica.ErrEmailNotVerified), 400, "not confirmed"},
		"no answer":        {replica.ErrUnavailable, 503, "try again"},
		"lost a conflict":  {fmt.Errorf("%w: %w", replica.ErrUnavailable, replica.ErrConflict), 503, "try again"},
		"of another kind":  {fmt.Errorf("something else"), 503, "try again"},
		"shared: conflict": {fmt.Errorf("%w: users 1 and 2", replica.ErrConflict), 400, "cannot tell which account"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlatform(t)
			p.backend("a.example.test", func(c *codegrant.Config) {
				c.Replica = &book{apply: tt.err}
				if strings.HasPrefix(name, "shared") {
					sharing(c)
				}
			})
			page := p.browser().SignIn("https://a.example.test/", "alice@example.com", codegranttest.Password)
			if page.Status != tt.status || !strings.Contains(page.Body, tt.says) {
				t.Errorf("%d: %s; want %d and %q", page.Status, page.Body, tt.status, tt.says)
			}
			if strings.Contains(page.Body, "users 1 and 2") {
				t.Error("the person reads what is for operators")
			}
			if !strings.Contains(p.log.String(), "reason=") {
				t.Error("the log does not say why")
			}
		})
	}
}
