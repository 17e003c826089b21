package e2e

import (
	"bufio"
	"context"
	"crypto/tls"
	"database/sql"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

const (
	goURL     = "https://go.example.test"
	djangoURL = "https://django.example.test"
	parent    = "example.test"
)

// siblings is a Django project and a Go backend on one database and one cookie
// domain.
type siblings struct {
	t    *testing.T
	pool *codegranttest.Pool
	tls  *httptest.Server
}

// person is what either backend says about who is asking.
type person struct {
	ID     int64    `json:"id"`
	Email  string   `json:"email"`
	Groups []string `json:"groups"`
}

func startSiblings(t *testing.T, dialect sqlreplica.Dialect, db *sql.DB, database map[string]any) *siblings {
	t.Helper()
	s := &siblings{t: t, pool: codegranttest.NewPool(t, nil)}
	client := s.pool.Clients()[0]
	for _, base := range []string{goURL, djangoURL} {
		if err := s.pool.RegisterURLs(client.ID, base+"/auth/login/", base+"/"); err != nil {
			t.Fatal(err)
		}
	}
	settings, err := json.Marshal(map[string]any{
		"database": database, "domain": "." + parent, "client_id": client.ID, "client_secret": client.Secret,
		"token_url": s.pool.URL + "/oauth2/token", "authorize_url": s.pool.URL + "/oauth2/authorize",
		"jwks_url": client.Issuer + "/.well-known/jwks.json", "login_url": djangoURL + "/auth/login/", "after": djangoURL + "/api/me",
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "settings.json")
	if err := os.WriteFile(file, settings, 0o600); err != nil {
		t.Fatal(err)
	}
	python := testenv.Django(t)
	migrate := exec.CommandContext(t.Context(), python, "django/site.py", file, "migrate")
	migrate.Stdout, migrate.Stderr = t.Output(), t.Output()
	if err := migrate.Run(); err != nil {
		t.Fatalf("migrate Django's tables: %v", err)
	}
	hosts := map[string]http.Handler{
		"go.example.test":     goBackend(t, s.pool, dialect, db),
		"django.example.test": httputil.NewSingleHostReverseProxy(serveDjango(t, python, file)),
	}
	s.tls = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { hosts[r.Host].ServeHTTP(w, r) }))
	t.Cleanup(s.tls.Close)
	return s
}

func serveDjango(t *testing.T, python, settings string) *url.URL {
	t.Helper()
	serve := exec.Command(python, "django/site.py", settings, "serve")
	serve.Stderr = t.Output()
	stdin, err := serve.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := serve.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stdin.Close()
		_ = serve.Wait()
	})
	port, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("Django did not say where it listens: %v", err)
	}
	return &url.URL{Scheme: "http", Host: net.JoinHostPort("127.0.0.1", strings.TrimSpace(port))}
}

// goBackend is configured as a backend that was moved would be: by the names of
// the Python package.
func goBackend(t *testing.T, pool *codegranttest.Pool, dialect sqlreplica.Dialect, db *sql.DB) http.Handler {
	t.Helper()
	client := pool.Clients()[0]
	for name, value := range map[string]string{
		"AUTH_COGNITO_CLIENT_ID": client.ID, "AUTH_COGNITO_CODE_GRANT_URL": pool.URL + "/oauth2/token",
		"AUTH_COGNITO_JWKS_URL": client.Issuer + "/.well-known/jwks.json", "CODEGRANT_CLIENT_SECRET": client.Secret,
		"SITE_LOGIN_URL": goURL + "/auth/login/", "SHARED_TOKENS": "True", "SHARED_TOKENS_DOMAIN": "." + parent,
	} {
		t.Setenv(name, value)
	}
	config, err := codegrant.ConfigFromEnv()
	if err != nil {
		t.Fatal(err)
	}
	users, err := sqlreplica.New(db, sqlreplica.Config{Dialect: dialect, Django: &sqlreplica.Django{AdoptVerifiedEmail: true}})
	if err != nil {
		t.Fatal(err)
	}
	if err := users.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	config.Replica, config.Logger = users, slog.New(slog.NewTextHandler(t.Output(), nil))
	auth, err := codegrant.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = auth.Close(context.Background()) })
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	mux.Handle("/api/me", auth.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		groups := slices.Sorted(slices.Values(id.Groups))
		_ = json.NewEncoder(w).Encode(person{id.UserID, id.Email, groups})
	})))
	mux.HandleFunc("/", func(http.ResponseWriter, *http.Request) {})
	return mux
}

func (s *siblings) browser() *codegranttest.Browser {
	b := codegranttest.NewBrowser(s.t)
	b.Client.Transport = &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if strings.Contains(address, parent) {
				address = s.tls.Listener.Addr().String()
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	s.t.Cleanup(b.Client.CloseIdleConnections)
	return b
}

// me asks a backend who is signed in, as a script does.
func (s *siblings) me(b *codegranttest.Browser, base string) (person, int) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, base+"/api/me", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	response, err := b.Client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var p person
	if response.StatusCode == http.StatusOK {
		if err := json.NewDecoder(response.Body).Decode(&p); err != nil {
			s.t.Fatal(err)
		}
	}
	return p, response.StatusCode
}

func (s *siblings) both(b *codegranttest.Browser, what, email string, groups ...string) person {
	s.t.Helper()
	here, hereStatus := s.me(b, goURL)
	there, thereStatus := s.me(b, djangoURL)
	if hereStatus != http.StatusOK || thereStatus != http.StatusOK {
		s.t.Fatalf("%s: Go answers %d, Django %d", what, hereStatus, thereStatus)
	}
	if here.ID != there.ID || here.ID == 0 || here.Email != email || there.Email != email || !slices.Equal(here.Groups, groups) || !slices.Equal(there.Groups, groups) {
		s.t.Errorf("%s: Go says %+v, Django %+v", what, here, there)
	}
	return here
}

func (s *siblings) neither(b *codegranttest.Browser, what string) {
	s.t.Helper()
	_, here := s.me(b, goURL)
	_, there := s.me(b, djangoURL)
	// Django REST framework answers 403 where no authenticator has attempted and
	// the first one has no challenge; this one has.
	if here != http.StatusUnauthorized || there != http.StatusUnauthorized {
		s.t.Errorf("%s: Go answers %d, Django %d", what, here, there)
	}
}

func (s *siblings) spoil(b *codegranttest.Browser) {
	u, _ := url.Parse(goURL)
	b.Client.Jar.SetCookies(u, []*http.Cookie{{Name: "access_token", Value: "expired", Domain: parent, Path: "/", Secure: true}})
}

func (s *siblings) token(b *codegranttest.Browser) string {
	u, _ := url.Parse(goURL)
	for _, c := range b.Client.Jar.Cookies(u) {
		if c.Name == "access_token" {
			return c.Value
		}
	}
	return ""
}

// TestBesideTheFork has a Go backend and a Django backend with the fork be one platform.
func TestBesideTheFork(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "platform.db")
		db, err := sql.Open("sqlite", "file:"+file+"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		testBesideDjango(t, startSiblings(t, sqlreplica.SQLite, db, map[string]any{
			"ENGINE": "django.db.backends.sqlite3", "NAME": file, "OPTIONS": map[string]any{"timeout": 10},
		}))
	})
}

func testBesideDjango(t *testing.T, s *siblings) {
	alice := s.browser()
	alice.SignIn(goURL+"/api/me", "alice@example.com", codegranttest.Password)
	s.both(alice, "signed in at Go", "alice@example.com", "admins", "analysts")

	bob := s.browser()
	bob.SignIn(djangoURL+"/auth/start", "bob@example.com", codegranttest.Password)
	s.both(bob, "signed in at Django", "bob@example.com", "editors")

	// Whoever refreshes, the other one sees it.
	for _, base := range []string{goURL, djangoURL} {
		s.spoil(alice)
		if _, status := s.me(alice, base); status != http.StatusOK || s.token(alice) == "expired" {
			t.Errorf("%s did not refresh: %d", base, status)
		}
		fresh := s.token(alice)
		s.both(alice, "after a refresh by "+base, "alice@example.com", "admins", "analysts")
		if s.token(alice) != fresh {
			t.Errorf("the tokens that %s has refreshed were refreshed again", base)
		}
	}

	alice.Open(djangoURL + "/auth/logout/")
	s.neither(alice, "signed out at Django")
	bob.Open(goURL + "/auth/logout/")
	s.neither(bob, "signed out at Go")

	page := s.browser().Open(djangoURL + "/users")
	var users []struct {
		ID       int64  `json:"id"`
		Username string `json:"username"`
		Usable   bool   `json:"usable"`
	}
	if err := json.Unmarshal([]byte(page.Body), &users); err != nil {
		t.Fatal(err)
	}
	if len(users) != 2 || users[0].Username != "alice@example.com" || users[0].Usable || users[1].Username != "bob@example.com" {
		t.Errorf("users as Django sees them: %+v", users)
	}
}
