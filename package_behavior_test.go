package codegrant_test

import (
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"database/sql"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cloudfront"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// moved is a backend that was moved here from the Python package: its settings in
// the environment, its users in Django's tables.
type moved struct {
	*platform
	db *sql.DB
}

const (
	movedHost = "api.example.test"
	movedURL  = "https://" + movedHost
)

// move starts one with further settings.
func move(t *testing.T, settings map[string]string) *moved {
	t.Helper()
	m := &moved{platform: newPlatform(t)}
	client := m.Clients()[0]
	for name, value := range map[string]string{
		"AUTH_COGNITO_CLIENT_ID": client.ID, "AUTH_COGNITO_CODE_GRANT_URL": m.URL + "/oauth2/token",
		"AUTH_COGNITO_JWKS_URL": client.Issuer + "/.well-known/jwks.json", "CODEGRANT_CLIENT_SECRET": client.Secret,
		"SITE_LOGIN_URL": movedURL + "/auth/login/", "AUTH_COGNITO_REDIRECT_URL": movedURL + "/home", "LOGIN_FORM_VIEW_URL": movedURL + "/sign-in",
	} {
		t.Setenv(name, value)
	}
	for name, value := range settings {
		t.Setenv(name, value)
	}
	m.db = djangoDatabase(t)
	m.addBackend(movedHost, nil)
	if err := m.RegisterURLs(client.ID, movedURL+"/auth/login/", movedURL+"/home"); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *moved) addBackend(host string, change func(*codegrant.Config)) {
	m.t.Helper()
	users, err := sqlreplica.New(m.db, sqlreplica.Config{Dialect: sqlreplica.SQLite, Django: &sqlreplica.Django{AdoptVerifiedEmail: true}})
	if err != nil {
		m.t.Fatal(err)
	}
	if err := users.Migrate(m.t.Context()); err != nil {
		m.t.Fatal(err)
	}
	m.backend(host, func(c *codegrant.Config) {
		read, err := codegrant.ConfigFromEnv()
		if err != nil {
			m.t.Fatal(err)
		}
		read.Now, read.Logger, read.Replica = c.Now, c.Logger, users
		if host != movedHost {
			read.CallbackURL, read.BaseURL = "", "https://"+host
			read.AllowedReturnOrigins = append(read.AllowedReturnOrigins, movedURL)
		}
		*c = read
		if change != nil {
			change(c)
		}
	})
	mux := m.hosts[host].(*http.ServeMux)
	mux.Handle("/home", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "home") }))
	mux.Handle("/sign-in", m.auths[host].Identify(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		message, _ := codegrant.Flash(r)
		fmt.Fprint(w, message.Message)
	})))
}

// djangoDatabase has the tables that django.contrib.auth makes.
func djangoDatabase(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "django.db")+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, statement := range []string{
		`CREATE TABLE auth_group (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, name varchar(150) NOT NULL UNIQUE)`,
		`CREATE TABLE auth_user (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, password varchar(128) NOT NULL, last_login datetime NULL, is_superuser bool NOT NULL, username varchar(150) NOT NULL UNIQUE, last_name varchar(150) NOT NULL, email varchar(254) NOT NULL, is_staff bool NOT NULL, is_active bool NOT NULL, date_joined datetime NOT NULL, first_name varchar(150) NOT NULL)`,
		`CREATE TABLE auth_user_groups (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, user_id integer NOT NULL REFERENCES auth_user (id), group_id integer NOT NULL REFERENCES auth_group (id), UNIQUE (user_id, group_id))`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func (m *moved) row(t *testing.T, query string, into ...any) {
	t.Helper()
	if err := m.db.QueryRowContext(t.Context(), query).Scan(into...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func (m *moved) groupsOf(t *testing.T, email string) string {
	t.Helper()
	var names sql.NullString
	m.row(t, `SELECT group_concat(name, ' ') FROM (SELECT g.name FROM auth_group g JOIN auth_user_groups m ON m.group_id = g.id
		JOIN auth_user u ON u.id = m.user_id WHERE u.email = '`+email+`' ORDER BY g.name)`, &names)
	return names.String
}

func (m *moved) signedIn(t *testing.T, email string) *codegranttest.Browser {
	t.Helper()
	browser := m.browser()
	if page := browser.SignIn(movedURL+"/", email, codegranttest.Password); page.Status != http.StatusOK || page.URL.Path != "/" {
		t.Fatalf("sign-in of %s ended at %s with %d: %s", email, page.URL, page.Status, page.Body)
	}
	return browser
}

// status asks as a program with the browser's cookies.
func (m *moved) status(t *testing.T, browser *codegranttest.Browser) int {
	t.Helper()
	return get(t, browser.Client, movedURL+"/").StatusCode
}

var sharedSettings = map[string]string{"SHARED_TOKENS": "True", "SHARED_TOKENS_DOMAIN": ".example.test"}

const (
	released = "released, and the fork" // see docs/migrating-from-cognito-code-grant.md
	fork     = "the fork"
)

// TestInPlaceOfThePythonPackage has a row for everything that the programs called
// cognito_code_grant do, and what this package does in its place. mended says what is
// different here, and why. What the released one does itself is shown in e2e, by running
// it: TestBehaviorsOfThePythonPackage.
func TestInPlaceOfThePythonPackage(t *testing.T) {
	for _, tt := range []struct {
		name, of string // of which program; empty: released
		mended   string
		settings map[string]string
		show     func(t *testing.T, m *moved)
	}{
		{name: "tokens are taken from the server session", show: func(t *testing.T, m *moved) {
			browser := m.signedIn(t, "alice@example.com")
			if m.status(t, browser) != http.StatusOK {
				t.Error("not signed in by the session")
			}
		}},
		{name: "SHARED_TOKENS off: cookies of those names are not looked at", show: func(t *testing.T, m *moved) {
			m.backend("shared.example.test", sharing)
			browser := m.browser()
			u, _ := url.Parse(movedURL)
			for name, value := range tokensOf(t, m.platform, "alice@example.com") {
				browser.Client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value}})
			}
			if m.status(t, browser) != http.StatusUnauthorized {
				t.Error("signed in by cookies of siblings that nobody asked for")
			}
		}},
		{name: "SHARED_TOKENS on: a sibling signs the person in from the cookies", settings: sharedSettings, show: func(t *testing.T, m *moved) {
			m.addBackend("boards.example.test", nil)
			browser := m.signedIn(t, "alice@example.com")
			if page := browser.Open("https://boards.example.test/"); !strings.HasPrefix(page.Body, "alice@example.com [admins analysts] 1 ") {
				t.Errorf("at the sibling: %d %s", page.Status, page.Body)
			}
		}},
		{
			name:     "the session wins over the cookies",
			mended:   "with shared tokens the cookies alone count: a session beside them would outlive a sign-out at a sibling",
			settings: sharedSettings,
			show: func(t *testing.T, m *moved) {
				browser := m.signedIn(t, "alice@example.com")
				u, _ := url.Parse(movedURL)
				for _, name := range []string{"access_token", "id_token", "refresh_token"} { // what a sibling's sign-out does
					browser.Client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Domain: "example.test", Path: "/", MaxAge: -1}})
				}
				if m.status(t, browser) != http.StatusUnauthorized {
					t.Error("still signed in after a sign-out at a sibling")
				}
			},
		},
		{name: "an access token that no longer verifies is refreshed, and the new tokens are kept", show: func(t *testing.T, m *moved) {
			browser := m.signedIn(t, "alice@example.com")
			calls := m.Calls("token")
			m.now.Advance(2 * time.Hour)
			for range 3 {
				if m.status(t, browser) != http.StatusOK {
					t.Fatal("not refreshed")
				}
			}
			if m.Calls("token") != calls+1 {
				t.Errorf("%d refreshes of 1", m.Calls("token")-calls)
			}
		}},
		{name: "401 when no new tokens come", of: fork, show: func(t *testing.T, m *moved) {
			browser := m.signedIn(t, "alice@example.com")
			m.now.Advance(2 * time.Hour)
			if err := m.DisableUser(m.PoolID, "alice@example.com"); err != nil {
				t.Fatal(err)
			}
			if m.status(t, browser) != http.StatusUnauthorized {
				t.Error("no 401")
			}
		}},
		{
			name: "401 when Cognito does not answer", of: fork,
			mended: "503, and the session is kept: the person is no less signed in because a server is down",
			show: func(t *testing.T, m *moved) {
				browser := m.signedIn(t, "alice@example.com")
				m.now.Advance(2 * time.Hour)
				m.Fault("token", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
				if got := m.status(t, browser); got != http.StatusServiceUnavailable {
					t.Errorf("%d", got)
				}
				m.Fault("token", nil)
				m.now.Advance(time.Minute)
				if got := m.status(t, browser); got != http.StatusOK {
					t.Errorf("when it is back: %d", got)
				}
			},
		},
		{name: "the ID token is verified too", settings: sharedSettings, show: func(t *testing.T, m *moved) {
			browser := m.signedIn(t, "alice@example.com")
			u, _ := url.Parse(movedURL)
			browser.Client.Jar.SetCookies(u, []*http.Cookie{
				{Name: "id_token", Value: "e30.e30.e30", Domain: "example.test", Path: "/"},
				{Name: "refresh_token", Domain: "example.test", Path: "/", MaxAge: -1},
			})
			if m.status(t, browser) != http.StatusUnauthorized {
				t.Error("a forged ID token was believed")
			}
		}},
		{
			name:   "the user is the one whose e-mail address matches, in whatever case",
			mended: "once, and by a verified address; from then on it is issuer and sub, because addresses are given to others",
			show: func(t *testing.T, m *moved) {
				if _, err := m.db.Exec(`INSERT INTO auth_user (id, password, is_superuser, username, last_name, email, is_staff, is_active, date_joined, first_name)
					VALUES (41, 'x', 0, 'old', '', 'Alice@Example.COM', 0, 1, '2020-01-01 00:00:00', '')`); err != nil {
					t.Fatal(err)
				}
				browser := m.signedIn(t, "alice@example.com")
				if page := browser.Open(movedURL + "/"); !strings.Contains(page.Body, " 41 ") {
					t.Errorf("another user: %s", page.Body)
				}
				if err := m.SetAttributes(m.PoolID, "alice@example.com", map[string]string{"email": "a.smith@example.com", "email_verified": "true"}); err != nil {
					t.Fatal(err)
				}
				if page := m.signedIn(t, "a.smith@example.com").Open(movedURL + "/"); !strings.Contains(page.Body, " 41 ") {
					t.Errorf("after a change of address: %s", page.Body)
				}
			},
		},
		{name: "a new user has the lower-cased e-mail as username, the name as first name, and no usable password", of: fork, show: func(t *testing.T, m *moved) {
			if err := m.CreateUser(m.PoolID, localpool.UserSeed{Username: "Carol", Email: "Carol@Example.com", Password: codegranttest.Password, Attributes: map[string]string{"name": "Carol Jones"}}); err != nil {
				t.Fatal(err)
			}
			m.signedIn(t, "Carol@Example.com")
			var username, first, password string
			m.row(t, `SELECT username, first_name, password FROM auth_user`, &username, &first, &password)
			if username != "carol@example.com" || first != "Carol Jones" || !strings.HasPrefix(password, "!") {
				t.Errorf("username %q, first name %q, password %q", username, first, password)
			}
		}},
		{name: "missing groups are made and given", show: func(t *testing.T, m *moved) {
			m.signedIn(t, "alice@example.com")
			if got := m.groupsOf(t, "alice@example.com"); got != "admins analysts" {
				t.Errorf("groups %q", got)
			}
		}},
		{
			name:   "groups are never removed",
			mended: "a group that the pool has taken away is taken away here: otherwise nobody ever loses a right",
			show: func(t *testing.T, m *moved) {
				m.signedIn(t, "alice@example.com")
				if err := m.RemoveFromGroup(m.PoolID, "alice@example.com", "admins"); err != nil {
					t.Fatal(err)
				}
				m.now.Advance(time.Minute)
				m.signedIn(t, "alice@example.com")
				if got := m.groupsOf(t, "alice@example.com"); got != "analysts" {
					t.Errorf("groups %q", got)
				}
			},
		},
		{name: "a concurrent request that makes the same user first is not a fault", show: func(t *testing.T, m *moved) {
			browsers := make([]*codegranttest.Browser, 8)
			for i := range browsers {
				browsers[i] = m.browser()
			}
			var wg sync.WaitGroup
			for _, b := range browsers {
				wg.Go(func() { b.SignIn(movedURL+"/", "bob@example.com", codegranttest.Password) })
			}
			wg.Wait()
			var users int
			m.row(t, `SELECT count(*) FROM auth_user`, &users)
			if users != 1 {
				t.Errorf("%d users of 1", users)
			}
		}},
		{name: "GET login/ with a code exchanges it with SITE_LOGIN_URL as redirect_uri", of: fork, show: func(t *testing.T, m *moved) {
			var form url.Values
			inner := m.hosts[movedHost]
			m.hosts[movedHost] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/auth/login/" && r.URL.Query().Has("code") {
					form = r.URL.Query()
				}
				inner.ServeHTTP(w, r)
			})
			m.signedIn(t, "alice@example.com") // the pool refuses another redirect_uri than the one of the code
			if form.Get("code") == "" {
				t.Error("the code did not come to login/")
			}
		}},
		{
			name: "GET login/ with three tokens signs in", of: fork,
			mended:   "POST /auth/session: tokens in URLs are in histories, logs and Referer headers, and anybody can make a link of theirs",
			settings: map[string]string{"CODEGRANT_ACCEPT_TOKENS": "true"},
			show: func(t *testing.T, m *moved) {
				m.backend("shared.example.test", sharing)
				held := tokensOf(t, m.platform, "alice@example.com")
				browser := m.browser()
				if r := handOver(t, browser.Client, movedURL+"/auth/session", asJSON(t, held)); r.StatusCode != http.StatusCreated {
					t.Fatalf("%d", r.StatusCode)
				}
				if m.status(t, browser) != http.StatusOK {
					t.Error("not signed in")
				}
			},
		},
		{
			name:   "after sign-in the browser goes to state",
			mended: "state is random and belongs to this browser; where to go is sealed beside it and checked",
			show: func(t *testing.T, m *moved) {
				page := m.browser().Open(movedURL + "/auth/login/?code=x&state=" + url.QueryEscape("https://evil.example/"))
				if strings.Contains(page.URL.Host, "evil") || page.Status == http.StatusOK && page.URL.Path != "/sign-in" {
					t.Errorf("ended at %s", page.URL)
				}
			},
		},
		{name: "after sign-in the browser goes to redirect_uri", of: fork, show: func(t *testing.T, m *moved) {
			page := m.browser().SignIn(movedURL+"/auth/login/?redirect_uri="+url.QueryEscape(movedURL+"/boards?id=7"), "alice@example.com", codegranttest.Password)
			if page.URL.String() != movedURL+"/boards?id=7" {
				t.Errorf("ended at %s", page.URL)
			}
		}},
		{name: "after sign-in the browser goes to AUTH_COGNITO_REDIRECT_URL", of: fork, show: func(t *testing.T, m *moved) {
			if page := m.browser().SignIn(movedURL+"/auth/login/", "alice@example.com", codegranttest.Password); page.Body != "home" {
				t.Errorf("ended at %s", page.URL)
			}
		}},
		{name: "a message of a trigger is shown at LOGIN_FORM_VIEW_URL", of: fork, show: func(t *testing.T, m *moved) {
			if got := m.refused(t, `"Use your work address."`, ""); got != "Use your work address." {
				t.Errorf("shown: %q", got)
			}
		}},
		{name: "a message of a trigger is in the language of the request", of: fork, show: func(t *testing.T, m *moved) {
			if got := m.refused(t, `{"en":"Use your work address.","de":"Nutzen Sie Ihre Dienstadresse."}`, "fr;q=0.9, en;q=0.3, de-AT;q=0.7"); got != "Nutzen Sie Ihre Dienstadresse." {
				t.Errorf("shown: %q", got)
			}
		}},
		{name: "shared cookies are set at login and removed at logout", settings: sharedSettings, show: func(t *testing.T, m *moved) {
			browser := m.signedIn(t, "alice@example.com")
			if held := jarOf(t, browser, "https://other.example.test/"); len(held) != 3 {
				t.Errorf("after login: %v", held)
			}
			browser.Open(movedURL + "/auth/logout/")
			if held := jarOf(t, browser, movedURL+"/"); len(held) != 0 {
				t.Errorf("after logout: %v", held)
			}
		}},
		{
			name:   "GET logout/ ends the session",
			mended: "the refresh token is revoked and Cognito's own session ended, too; a GET that another site caused asks first",
			show: func(t *testing.T, m *moved) {
				browser := m.signedIn(t, "alice@example.com")
				if r := get(t, browser.Client, movedURL+"/auth/logout/", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"); r.StatusCode != http.StatusOK || m.status(t, browser) != http.StatusOK {
					t.Errorf("another site signed the person out: %d", r.StatusCode)
				}
				browser.Open(movedURL + "/auth/logout/")
				if m.status(t, browser) != http.StatusUnauthorized || m.Calls("revoke") != 1 {
					t.Errorf("after logout: revoked %d times", m.Calls("revoke"))
				}
			},
		},
		{name: "logout goes to AUTH_COGNITO_REDIRECT_URL", of: fork, show: func(t *testing.T, m *moved) {
			if page := m.signedIn(t, "alice@example.com").Open(movedURL + "/auth/logout/"); page.Body != "home" {
				t.Errorf("ended at %s", page.URL)
			}
		}},
		{
			name: "logout goes to redirect_uri", of: fork,
			mended:   "only to registered sign-out URLs: Cognito takes no other, and an open redirect serves phishing",
			settings: map[string]string{"CODEGRANT_SIGN_OUT_URLS": movedURL + "/home," + movedURL + "/bye"},
			show: func(t *testing.T, m *moved) {
				if err := m.RegisterURLs(m.ClientID, movedURL+"/auth/login/", movedURL+"/bye"); err != nil {
					t.Fatal(err)
				}
				m.hosts[movedHost].(*http.ServeMux).HandleFunc("/bye", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "bye") })
				for target, want := range map[string]string{movedURL + "/bye": "bye", "https://evil.example/": "home"} {
					page := m.signedIn(t, "alice@example.com").Open(movedURL + "/auth/logout/?redirect_uri=" + url.QueryEscape(target))
					if page.Body != want {
						t.Errorf("%s: ended at %s", target, page.URL)
					}
				}
			},
		},
		{name: "CloudFront cookies for signed-in users on the registrable domain", settings: cloudFrontSettings(t, ""), show: func(t *testing.T, m *moved) {
			showCloudFront(t, m, "example.test")
		}},
		{name: "CloudFront cookies on a configured domain", of: fork, settings: cloudFrontSettings(t, movedHost), show: func(t *testing.T, m *moved) {
			held := m.signedIn(t, "alice@example.com")
			if got := jarOf(t, held, "https://assets.example.test/"); len(got) != 0 {
				t.Errorf("on another host: %v", got)
			}
			if got := jarOf(t, held, "https://x."+movedHost+"/"); got["CloudFront-Policy"] == "" {
				t.Errorf("below the configured domain: %v", got)
			}
		}},
		{name: "authenticators in a chain with HTTP Basic; not attempted asks the next, failed ends in 401", show: func(t *testing.T, m *moved) {
			m.addBackend("chain.example.test", func(c *codegrant.Config) {
				c.Authenticators = []codegrant.Authenticator{codegrant.BasicAuth("robots", func(_ context.Context, name, password string) (*codegrant.Identity, error) {
					if name == "robot" && password == "beep" {
						return &codegrant.Identity{Subject: "robot", Email: "robot@example.com"}, nil
					}
					return nil, nil
				})}
			})
			basic := func(name, password string) string {
				return "Basic " + base64.StdEncoding.EncodeToString([]byte(name+":"+password))
			}
			for _, c := range []struct {
				header, challenge string
				status            int
			}{
				{"", "Bearer", 401}, {basic("robot", "beep"), "", 200}, {basic("robot", "boop"), "Basic", 401}, {"Bearer e30.e30.e30", "Bearer", 401}, {"Digest x", "Bearer", 401},
			} {
				var header []string
				if c.header != "" {
					header = []string{"Authorization", c.header}
				}
				r := get(t, m.browser().Client, "https://chain.example.test/", header...)
				if r.StatusCode != c.status || !strings.HasPrefix(r.Header.Get("WWW-Authenticate"), c.challenge) {
					t.Errorf("%q: %d, %q", c.header, r.StatusCode, r.Header.Get("WWW-Authenticate"))
				}
			}
		}},
		{name: "permission classes: 401 for nobody, 403 for somebody else, reading for all", show: func(t *testing.T, m *moved) {
			mux, auth := m.hosts[movedHost].(*http.ServeMux), m.auths[movedHost]
			ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
			mux.Handle("/editors", auth.Require(codegrant.Any(codegrant.InGroup("editors"), codegrant.ReadOnly()))(ok))
			alice, bob := m.signedIn(t, "alice@example.com"), m.signedIn(t, "bob@example.com")
			for _, c := range []struct {
				browser *codegranttest.Browser
				method  string
				status  int
			}{{m.browser(), "GET", 401}, {alice, "GET", 200}, {alice, "POST", 403}, {bob, "POST", 200}} {
				if r := send(t, c.browser.Client, c.method, movedURL+"/editors"); r.StatusCode != c.status {
					t.Errorf("%s: %d, want %d", c.method, r.StatusCode, c.status)
				}
			}
		}},
	} {
		t.Run(strings.ReplaceAll(tt.name, "/", ""), func(t *testing.T) {
			t.Logf("a behavior of: %s", cmp.Or(tt.of, released))
			if tt.mended != "" {
				t.Logf("mended: %s", tt.mended)
			}
			tt.show(t, move(t, tt.settings))
		})
	}
}

// refused ends a sign-in with what a trigger said, and returns what the person is
// shown.
func (m *moved) refused(t *testing.T, said, language string) string {
	t.Helper()
	browser := m.browser()
	r := get(t, browser.Client, movedURL+"/auth/login/", "Accept", "text/html", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "none")
	target, err := url.Parse(r.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	query := url.Values{
		"error": {"invalid_request"}, "state": {target.Query().Get("state")},
		"error_description": {"PreSignUp failed with error no@" + base64.StdEncoding.EncodeToString([]byte(said)) + ". "},
	}
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, movedURL+"/auth/login/?"+query.Encode(), nil)
	request.Header.Set("Accept", "text/html")
	request.Header.Set("Accept-Language", language)
	response, err := browser.Client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.Request.URL.Path != "/sign-in" {
		t.Fatalf("ended at %s, %v", response.Request.URL, err)
	}
	return string(body)
}

func cloudFrontSettings(t *testing.T, domain string) map[string]string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	resource := "assets.example.test/private/*"
	if domain != "" {
		resource = "assets." + domain + "/*"
	}
	return map[string]string{
		"CLOUDFRONT_SIGNED_COOKIES": "True", "CLOUDFRONT_SIGNED_COOKIES_KEY_PAIR_ID": "K2JCJMDEHXQW5F",
		"CLOUDFRONT_SIGNED_COOKIES_PRIVATE_KEY": strings.ReplaceAll(string(text), "\n", `\n`),
		"CLOUDFRONT_SIGNED_COOKIES_RESOURCE":    resource, "CLOUDFRONT_SIGNED_COOKIES_DOMAIN": domain,
	}
}

// showCloudFront follows the cookies from sign-in to sign-out.
func showCloudFront(t *testing.T, m *moved, domain string) {
	if got := jarOf(t, m.browser(), "https://assets."+domain+"/private/a.png"); len(got) != 0 {
		t.Errorf("nobody holds %v", got)
	}
	browser := m.signedIn(t, "alice@example.com")
	held := jarOf(t, browser, "https://assets."+domain+"/private/a.png")
	policy, err := cloudfront.ParsePolicy(held["CloudFront-Policy"])
	if err != nil || policy.Resource != "https://assets."+domain+"/private/*" {
		t.Fatalf("policy %+v: %v", policy, err)
	}
	if left := time.Until(policy.Expires); left < 29*time.Minute || left > 31*time.Minute {
		t.Errorf("the policy ends in %v", left)
	}
	if held["CloudFront-Signature"] == "" || held["CloudFront-Key-Pair-Id"] != "K2JCJMDEHXQW5F" {
		t.Errorf("cookies %v", held)
	}
	again := get(t, browser.Client, movedURL+"/")
	if slices.ContainsFunc(again.Header["Set-Cookie"], func(line string) bool { return strings.HasPrefix(line, "CloudFront") }) {
		t.Error("signed again for a browser that holds cookies")
	}
	m.now.Advance(20 * time.Minute)
	if get(t, browser.Client, movedURL+"/"); jarOf(t, browser, "https://assets."+domain+"/private/")["CloudFront-Policy"] == held["CloudFront-Policy"] {
		t.Error("not renewed after more than half of their life")
	}
	browser.Open(movedURL + "/auth/logout/")
	if got := jarOf(t, browser, "https://assets."+domain+"/private/a.png"); len(got) != 0 {
		t.Errorf("after sign-out: %v", got)
	}
}

func TestCloudFrontSettings(t *testing.T) {
	pool := codegranttest.NewPool(t, nil).Register("https://app.example.com")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := cloudfront.NewKey("K2JCJMDEHXQW5F", key)
	if err != nil {
		t.Fatal(err)
	}
	good := cloudfront.Config{Keys: []cloudfront.Key{signer}, Resources: []cloudfront.Resource{{URL: "https://assets.example.com/*"}}}
	for _, tt := range []struct {
		name, base, want string
		change           func(*cloudfront.Config)
	}{
		{"good", "https://app.example.com", "", func(*cloudfront.Config) {}},
		{"no key", "https://app.example.com", "Keys", func(c *cloudfront.Config) { c.Keys = nil }},
		{"no domain follows", "http://localhost:8080", "Domain", func(*cloudfront.Config) {}},
		{"SignedIn is ours", "https://app.example.com", "SignedIn", func(c *cloudfront.Config) {
			c.SignedIn = func(*http.Request) (string, time.Time, bool) { return "", time.Time{}, true }
		}},
	} {
		config := good
		tt.change(&config)
		_, err := codegrant.New(codegrant.Config{Pool: pool, BaseURL: tt.base, CloudFront: &config})
		if (err == nil) != (tt.want == "") || (err != nil && !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// A store that fails must not cost the cookies, and a bearer token gets none.
func TestCloudFrontCookiesAreForBrowsers(t *testing.T) {
	m := move(t, cloudFrontSettings(t, ""))
	m.backend("shared.example.test", sharing)
	token := tokensOf(t, m.platform, "alice@example.com")["access_token"]
	r := get(t, m.browser().Client, movedURL+"/", "Authorization", "Bearer "+token)
	if r.StatusCode != http.StatusOK || len(r.Header["Set-Cookie"]) != 0 {
		t.Errorf("%d with cookies %v", r.StatusCode, r.Header["Set-Cookie"])
	}
}
