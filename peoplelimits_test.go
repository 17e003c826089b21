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
	"github.com/codegrant/codegrant/internal/quotas"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

// strictReplica takes what every replica takes, and refuses what every replica
// refuses.
type strictReplica struct {
	replica.Store
	mu    sync.Mutex
	users map[string]replica.User
}

func (r *strictReplica) Apply(_ context.Context, s replica.Snapshot) (replica.Change, error) {
	if err := s.Validate(); err != nil {
		return replica.Change{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var stored *replica.User
	if u, ok := r.users[s.Subject]; ok {
		stored = &u
	}
	c := replica.Decide(replica.Mirror, stored, s, time.Now())
	if c.User.ID == 0 {
		c.User.ID = int64(len(r.users) + 1)
	}
	r.users[s.Subject] = c.User
	return c, nil
}

func (r *strictReplica) UserBySubject(_ context.Context, _, subject string) (replica.User, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if u, ok := r.users[subject]; ok {
		return u, nil
	}
	return replica.User{}, replica.ErrNotFound
}

func (r *strictReplica) named(username string) replica.User {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, u := range r.users {
		if u.Username == username {
			return u
		}
	}
	return replica.User{}
}

// TestS263_NobodyIsKeptOutByACharacter: with a replica, people with any name sign in,
// and what changes of them arrives while their session runs.
func TestS263_NobodyIsKeptOutByACharacter(t *testing.T) {
	users := &strictReplica{users: make(map[string]replica.User)}
	a := newApp(t, func(c *codegrant.Config) { c.Replica, c.Scopes = users, []string{"openid"} })
	a.AddUser("carol", "carol@example.com", "analysts")
	set := func(attributes map[string]string) {
		t.Helper()
		if err := a.SetAttributes(a.PoolID, "carol", attributes); err != nil {
			t.Fatal(err)
		}
	}
	set(map[string]string{"name": "Zoë\n\tMüller\u0085", "locale": "\x00", "address": "1 Main Street\nTown", "custom:note": "a\nb\x01c"})
	browser := codegranttest.NewBrowser(t)
	if page := browser.SignIn(a.url+"/reports/", "carol@example.com", codegranttest.Password); page.Status != 200 {
		t.Fatalf("status %d: %s", page.Status, page.Body)
	}
	u := users.named("carol")
	if u.Name != "Zoë Müller" || u.Locale != "" || u.Custom["custom:note"] != "a\nb c" || u.Custom["address"] != "1 Main Street\nTown" || !u.InGroup("analysts") {
		t.Errorf("%+v", u)
	}
	set(map[string]string{"name": "Zoë\x7fMeier"})
	if err := a.AddToGroup(a.PoolID, "carol", "editors"); err != nil {
		t.Fatal(err)
	}
	a.now.Advance(61 * time.Minute)
	if r := get(t, browser.Client, a.url+"/orders/"); r.StatusCode != 200 {
		t.Errorf("after a refresh: status %d", r.StatusCode)
	}
	if u := users.named("carol"); u.Name != "Zoë Meier" || !u.InGroup("editors") {
		t.Errorf("after a refresh: %+v", u)
	}
}

// TestS261_TheLargestPersonSignsIn, and stays signed in, where sessions are in a store.
func TestS261_TheLargestPersonSignsIn(t *testing.T) {
	users := &strictReplica{users: make(map[string]replica.User)}
	a := newApp(t, func(c *codegrant.Config) { c.Replica, c.Scopes = users, []string{"openid"} })
	groups := a.largest("carol")
	browser := codegranttest.NewBrowser(t)
	if page := browser.SignIn(a.url+"/", "carol@example.com", codegranttest.Password); page.Status != 200 {
		t.Fatalf("status %d: %s\n%s", page.Status, page.Body, a.log)
	}
	for _, when := range []string{"signed in", "refreshed"} {
		r := get(t, browser.Client, a.url+"/auth/user")
		body := text(t, r)
		for _, g := range groups {
			if r.StatusCode != 200 || !strings.Contains(body, g) {
				t.Fatalf("%s: status %d, without %s: %.200s", when, r.StatusCode, g, body)
			}
		}
		a.now.Advance(61 * time.Minute)
	}
	if u := users.named("carol"); len(u.Groups) != quotas.GroupsPerUser || len(u.Custom) != quotas.CustomAttributes+1 || len(u.Custom["custom:"+strings.Repeat("x", 18)+"00"]) != quotas.AttributeBytes {
		t.Errorf("%d groups, %d attributes", len(u.Groups), len(u.Custom))
	}
}

// largest makes a user with as much as a pool allows, and returns the groups.
func (a *app) largest(username string) (groups []string) { return largest(a.Pool, username) }

func largest(p *codegranttest.Pool, username string) (groups []string) {
	for i := range quotas.GroupsPerUser {
		groups = append(groups, fmt.Sprintf("%03d", i)+strings.Repeat("組", quotas.GroupNameCharacters-3))
	}
	p.AddUser(username, username+"@example.com", groups...)
	attributes := map[string]string{"name": strings.Repeat("<", quotas.AttributeBytes), "given_name": strings.Repeat("é", quotas.AttributeBytes/2)}
	for _, name := range strings.Fields("middle_name family_name nickname profile picture website gender birthdate zoneinfo locale address") {
		attributes[name] = strings.Repeat("<", quotas.AttributeBytes) // six bytes each in JSON
	}
	for i := range quotas.CustomAttributes {
		attributes[fmt.Sprintf("custom:%s%02d", strings.Repeat("x", 18), i)] = strings.Repeat("&", quotas.AttributeBytes)
	}
	if err := p.SetAttributes(p.PoolID, username, attributes); err != nil {
		panic(err)
	}
	return groups
}

// TestS261_S262_CookiesSayWhatIsTooLarge: ways to keep sessions that have a limit name it, and
// the attribute that is in the way.
func TestS261_S262_CookiesSayWhatIsTooLarge(t *testing.T) {
	for way, set := range map[string]func(*codegrant.Config){
		"sealed cookies": inCookies,
		"shared tokens":  func(c *codegrant.Config) { c.InsecureSharedTokensDomain = "example.test" },
	} {
		t.Run(way, func(t *testing.T) {
			p := newPlatform(t)
			p.backend("a.example.test", func(c *codegrant.Config) { set(c); c.Scopes = []string{"openid"} })
			p.AddUser("carol", "carol@example.com")
			notes := map[string]string{}
			for i := range 8 {
				// What does not compress.
				for len(notes[fmt.Sprintf("custom:note%d", i)]) < 1900 {
					notes[fmt.Sprintf("custom:note%d", i)] += session.NewHandle().RecordID()
				}
			}
			if err := p.SetAttributes(p.PoolID, "carol", notes); err != nil {
				t.Fatal(err)
			}
			page := p.browser().SignIn("https://a.example.test/", "carol@example.com", codegranttest.Password)
			log := p.log.String()
			if page.Status != http.StatusBadRequest || !strings.Contains(log, "custom:note") || !strings.Contains(log, "leave those out") {
				t.Errorf("%d %s\n%s", page.Status, page.Body, log)
			}
		})
	}
}

// TestS262_CookiesThatUnfold: a session of many bytes that compress well is kept whole.
func TestS262_CookiesThatUnfold(t *testing.T) {
	p := newPlatform(t)
	p.backend("a.example.test", func(c *codegrant.Config) { inCookies(c); c.Scopes = []string{"openid"} })
	p.AddUser("carol", "carol@example.com")
	notes := map[string]string{}
	for i := range quotas.CustomAttributes {
		notes[fmt.Sprintf("custom:note%d", i)] = strings.Repeat("x", quotas.AttributeBytes)
	}
	if err := p.SetAttributes(p.PoolID, "carol", notes); err != nil {
		t.Fatal(err)
	}
	browser := p.browser()
	if page := browser.SignIn("https://a.example.test/", "carol@example.com", codegranttest.Password); page.Status != 200 {
		t.Fatalf("%d %s", page.Status, page.Body)
	}
	if page := browser.Open("https://a.example.test/"); page.Status != 200 || !strings.HasPrefix(page.Body, "carol@example.com") {
		t.Errorf("%d %s", page.Status, page.Body)
	}
}

// TestS515_APersonWhomTheReplicaCannotHold is refused with a word on whom to ask, as trying
// again is no help, and the log says what is too much.
func TestS515_APersonWhomTheReplicaCannotHold(t *testing.T) {
	users := &narrowReplica{strictReplica{users: make(map[string]replica.User)}}
	a := newApp(t, func(c *codegrant.Config) { c.Replica = users })
	a.AddUser("carol", "carol@example.com", strings.Repeat("g", 101))
	a.AddUser("dave", "dave@example.com", "admins")
	page := codegranttest.NewBrowser(t).SignIn(a.url+"/", "carol@example.com", codegranttest.Password)
	if page.Status/100 != 4 || !strings.Contains(page.Body, "contact support") || strings.Contains(page.Body, "in a moment") || !strings.Contains(a.log.String(), "101 characters") {
		t.Errorf("%d %s\n%s", page.Status, page.Body, a.log)
	}
	// Grown meanwhile, somebody stays signed in, as they were to the application.
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "dave@example.com", codegranttest.Password)
	if err := a.CreateGroup(a.PoolID, strings.Repeat("h", 101)); err != nil {
		t.Fatal(err)
	}
	if err := a.AddToGroup(a.PoolID, "dave", strings.Repeat("h", 101)); err != nil {
		t.Fatal(err)
	}
	a.now.Advance(61 * time.Minute)
	if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 || !strings.Contains(a.log.String(), "replica not updated") {
		t.Errorf("grown meanwhile: %d\n%s", r.StatusCode, a.log)
	}
}

// narrowReplica has room for names of 100 characters.
type narrowReplica struct{ strictReplica }

func (r *narrowReplica) Apply(ctx context.Context, s replica.Snapshot) (replica.Change, error) {
	for _, g := range s.Groups {
		if len(g.Name) > 100 {
			return replica.Change{}, fmt.Errorf("%w group: the name has %d characters", replica.ErrInvalid, len(g.Name))
		}
	}
	return r.strictReplica.Apply(ctx, s)
}
