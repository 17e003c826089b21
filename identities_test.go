package codegrant_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/verify"
)

// peopleIn is a replica that links identities.
func peopleIn(t *testing.T) *sqlreplica.Store {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "people.db")+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	users, err := sqlreplica.New(db, sqlreplica.Config{Dialect: sqlreplica.SQLite})
	if err == nil {
		err = users.Migrate(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return users
}

// listless is a replica that cannot say which identities a person has.
type listless struct{ replica.Store }

// away is one that does not answer that.
type away struct{ replica.Store }

func (away) Identities(context.Context, int64) ([]replica.User, error) {
	return nil, errors.New("the database is away")
}

// movedPerson is one person with a phone that is signed in at the old pool, and a desk at
// the new one, where the local pool calls them bob: it gives alice one sub in both.
func movedPerson(t *testing.T, way func(*codegrant.Config), then func(*codegrant.Config)) (s *switched, phone, desk *codegranttest.Browser) {
	t.Helper()
	users := peopleIn(t)
	s = newSwitched(t, func(c *codegrant.Config) { c.Replica = users; way(c) })
	const url = "https://" + movingHost + "/"
	phone = s.browser()
	phone.SignIn(url, "alice@example.com", codegranttest.Password)
	old := s.auths[movingHost].Endpoints().Issuer
	page, err := users.Users(t.Context(), replica.UserQuery{Issuer: old})
	if err != nil || len(page.Users) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	s.change(func(c *codegrant.Config) {
		c.SamePerson = func(_ context.Context, claims *verify.Claims) (string, string, error) {
			if claims.Email != "bob@example.com" {
				return "", "", nil
			}
			return old, page.Users[0].Subject, nil
		}
		if then != nil {
			then(c)
		}
	})
	desk = s.browser()
	desk.SignIn(url, "bob@example.com", codegranttest.Password)
	for name, b := range map[string]*codegranttest.Browser{"phone": phone, "desk": desk} {
		if r := get(t, b.Client, url); r.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d", name, r.StatusCode)
		}
	}
	return s, phone, desk
}

// TestS771_EveryIdentityIsSignedOut: whoever has a session of the old pool and one of the
// new sees, and ends, both from either.
func TestS771_EveryIdentityIsSignedOut(t *testing.T) {
	const url = "https://" + movingHost
	store, keys := session.NewMemoryStore(session.MemoryConfig{}), session.RandomKeyring()
	for name, way := range map[string]func(*codegrant.Config){
		"in a store":    func(c *codegrant.Config) { c.Sessions, c.Keys = store, keys },
		"in cookies":    func(c *codegrant.Config) { c.CookieSessions, c.Keys = true, keys },
		"shared tokens": func(c *codegrant.Config) { sharing(c); c.Keys = keys },
	} {
		for _, from := range []string{"desk", "phone"} {
			for _, what := range []string{"everywhere", "others", "one", "by the application"} {
				if name != "in a store" && (what == "others" || what == "one") {
					continue // each browser ends its own
				}
				t.Run(name+"/"+what+" from the "+from, func(t *testing.T) {
					store = session.NewMemoryStore(session.MemoryConfig{})
					s, phone, desk := movedPerson(t, way, nil)
					this, other, stranger := desk, phone, s.browser()
					if from == "phone" {
						this, other = phone, desk
					} else { // at the new pool, who has the sub of the phone's identity at the old one
						stranger.SignIn(url+"/", "alice@example.com", codegranttest.Password)
					}
					if name == "in a store" {
						if list := mine(t, url, this); len(list.Sessions) != 2 || !list.Complete {
							t.Fatalf("sees %+v", list)
						}
					}
					switch what {
					case "one":
						list := mine(t, url, this)
						i := slices.IndexFunc(list.Sessions, func(s ownSession) bool { return !s.Current })
						what = list.Sessions[i].ID
						fallthrough
					default:
						if r := endMine(t, url, this, what, "same-origin"); r.StatusCode != http.StatusOK {
							t.Fatalf("%d", r.StatusCode)
						}
					case "by the application":
						var user struct{ Sub, Username string }
						if err := json.NewDecoder(get(t, this.Client, url+"/auth/user").Body).Decode(&user); err != nil {
							t.Fatal(err)
						}
						auth := s.auths[movingHost]
						list, _, err := auth.Sessions(t.Context(), user.Sub)
						if name == "in a store" && (err != nil || len(list) != 2) {
							t.Errorf("sees %+v, %v", list, err)
						}
						report, err := auth.SignOutEverywhere(t.Context(), user.Sub, user.Username)
						if err != nil || name == "in a store" && report.Sessions != 2 {
							t.Errorf("%+v, %v", report, err)
						}
					}
					if r := get(t, other.Client, url+"/"); r.StatusCode != http.StatusUnauthorized {
						t.Errorf("the other one is still signed in: %d", r.StatusCode)
					}
					if r := get(t, stranger.Client, url+"/"); from == "desk" && r.StatusCode != http.StatusOK {
						t.Errorf("somebody else: %d", r.StatusCode)
					}
				})
			}
		}
	}
}

// TestS771_IdentitiesNotKnown: where the replica cannot list identities, the answers say
// that there may be more. What is known ends.
func TestS771_IdentitiesNotKnown(t *testing.T) {
	const url = "https://" + movingHost
	for name, wrap := range map[string]func(replica.Store) replica.Store{
		"it cannot":   func(s replica.Store) replica.Store { return listless{s} },
		"it is away":  func(s replica.Store) replica.Store { return away{s} },
		"it can":      func(s replica.Store) replica.Store { return s },
		"there is no": func(replica.Store) replica.Store { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			known := strings.HasSuffix(name, "can") || strings.HasSuffix(name, "no")
			store, keys := session.NewMemoryStore(session.MemoryConfig{}), session.RandomKeyring()
			_, _, desk := movedPerson(t, func(c *codegrant.Config) { c.Sessions, c.Keys = store, keys }, func(c *codegrant.Config) {
				if c.Replica = wrap(c.Replica); c.Replica == nil {
					c.SamePerson = nil
				}
			})
			if list := mine(t, url, desk); list.Complete != known {
				t.Errorf("sees %+v", list)
			}
			for _, what := range []string{"others", "everywhere"} {
				var report struct {
					NotDone []codegrant.NotDone `json:"not_done"`
				}
				r := endMine(t, url, desk, what, "same-origin")
				if err := json.NewDecoder(r.Body).Decode(&report); err != nil || r.StatusCode != http.StatusOK {
					t.Fatalf("%s: %d, %v", what, r.StatusCode, err)
				}
				if slices.ContainsFunc(report.NotDone, func(n codegrant.NotDone) bool { return n.What == "other_identities" }) == known {
					t.Errorf("%s: %+v", what, report)
				}
			}
			if r := get(t, desk.Client, url+"/"); r.StatusCode != http.StatusUnauthorized {
				t.Errorf("this session: %d", r.StatusCode)
			}
		})
	}
}

// TestS771_ThePoolIsToldOfEveryIdentity: of those that it has.
func TestS771_ThePoolIsToldOfEveryIdentity(t *testing.T) {
	users := peopleIn(t)
	var told []string
	fails := ""
	a := newApp(t, func(c *codegrant.Config) {
		c.Replica = users
		c.Own.GlobalSignOut = func(_ context.Context, username string) error {
			told = append(told, username)
			if username == fails {
				return errors.New("no")
			}
			return nil
		}
	})
	desk, phone := signedIn(t, a.url, "alice@example.com"), signedIn(t, a.url, "bob@example.com")
	page, err := users.Users(t.Context(), replica.UserQuery{Issuer: a.auth.Endpoints().Issuer})
	if err != nil || len(page.Users) != 2 {
		t.Fatalf("%+v, %v", page, err)
	}
	one, other := page.Users[0], page.Users[1]
	if _, err := users.Merge(t.Context(), other.ID, one.ID, "test"); err != nil {
		t.Fatal(err)
	}
	for _, fails = range []string{"", one.Username, other.Username} {
		told = nil
		report, err := a.auth.SignOutEverywhere(t.Context(), one.Subject, one.Username)
		if err != nil || !slices.Equal(told, []string{one.Username, other.Username}) {
			t.Errorf("told of %q, %v", told, err)
		}
		if goOn := slices.ContainsFunc(report.NotDone, func(n codegrant.NotDone) bool { return n.What == "refresh_tokens" }); goOn != (fails != "") {
			t.Errorf("where %q fails: %+v", fails, report)
		}
	}
	for _, b := range []*codegranttest.Browser{desk, phone} {
		if r := get(t, b.Client, a.url+"/auth/user"); r.StatusCode != http.StatusUnauthorized {
			t.Errorf("%d", r.StatusCode)
		}
	}
}

// TestS791_SessionsPerPersonCountEveryIdentity: whoever has two identities has no more
// sessions than whoever has one.
func TestS791_SessionsPerPersonCountEveryIdentity(t *testing.T) {
	for name, refuse := range map[string]bool{"the oldest ends": false, "the new one is refused": true} {
		t.Run(name, func(t *testing.T) {
			users := peopleIn(t)
			var issuer string
			a := newApp(t, func(c *codegrant.Config) {
				c.Replica, c.Own.PerPerson, c.Own.RefuseFurther, issuer = users, 2, refuse, c.Pool.Issuer
			})
			first := signedIn(t, a.url, "alice@example.com")
			other := signedIn(t, a.url, "bob@example.com")
			endMine(t, a.url, other, mine(t, a.url, other).Sessions[0].ID, "same-origin")
			page, err := users.Users(t.Context(), replica.UserQuery{Issuer: issuer})
			if err != nil || len(page.Users) != 2 {
				t.Fatalf("%+v, %v", page, err)
			}
			if _, err := users.Merge(t.Context(), page.Users[1].ID, page.Users[0].ID, "an operator"); err != nil {
				t.Fatal(err)
			}
			second := signedIn(t, a.url, "bob@example.com")
			third := codegranttest.NewBrowser(t)
			third.SignIn(a.url+"/x", "alice@example.com", codegranttest.Password)
			want := map[bool][3]int{false: {401, 200, 200}, true: {200, 200, 401}}[refuse]
			for i, b := range []*codegranttest.Browser{first, second, third} {
				if r := get(t, b.Client, a.url+"/auth/user"); r.StatusCode != want[i] {
					t.Errorf("browser %d: %d, want %d", i, r.StatusCode, want[i])
				}
			}
		})
	}
}
