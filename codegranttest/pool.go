package codegranttest

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/localpool"
)

// Password is that of every user that a test makes without one of their own.
const Password = "Passw0rd!"

// Pool is a user pool in the test process, reachable over HTTP on this machine.
// It begins with the users alice@example.com (in admins and analysts) and
// bob@example.com (in editors) and an app client with a secret.
type Pool struct {
	*localpool.Server
	URL      string
	PoolID   string
	ClientID string

	issuer, secret string
	t              testing.TB
}

// NewPool starts a pool and stops it with the test. now is its clock; nil is the
// real one.
func NewPool(t testing.TB, now func() time.Time) *Pool {
	t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	pool, err := localpool.New(localpool.Config{
		Seed: localpool.DefaultSeed("http://localhost"), BaseURL: server.URL, Now: now,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatalf("codegranttest: start a pool: %v", err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	handler = pool
	client := pool.Clients()[0]
	return &Pool{
		Server: pool, URL: server.URL, PoolID: client.PoolID, ClientID: client.ID,
		issuer: client.Issuer, secret: client.Secret, t: t,
	}
}

// Register tells the pool about an application at baseURL with Codegrant mounted
// at /auth, as one would in the AWS console, and returns what the application has
// to know of the pool.
func (p *Pool) Register(baseURL string) cognito.Pool {
	p.t.Helper()
	base := strings.TrimSuffix(baseURL, "/")
	if err := p.RegisterURLs(p.ClientID, base+"/auth/callback", base+"/"); err != nil {
		p.t.Fatalf("codegranttest: register %s: %v", baseURL, err)
	}
	return cognito.Pool{ID: p.PoolID, Domain: p.URL, Issuer: p.issuer, ClientID: p.ClientID, ClientSecret: cognito.Secret(p.secret)}
}

// AddUser makes a user with a verified address, [Password], and groups, which are
// made where they are missing.
func (p *Pool) AddUser(username, email string, groups ...string) {
	p.t.Helper()
	for _, g := range groups {
		_ = p.CreateGroup(p.PoolID, g) // there already: fine
	}
	if err := p.CreateUser(p.PoolID, localpool.UserSeed{Username: username, Email: email, Password: Password, Groups: groups}); err != nil {
		p.t.Fatalf("codegranttest: add user %s: %v", username, err)
	}
}

// App serves an application in the test process: build is given the configuration
// that fits the pool, with BaseURL set, and returns the application's handler.
// It returns the application's URL.
func (p *Pool) App(build func(codegrant.Config) http.Handler) string {
	p.t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	p.t.Cleanup(server.Close)
	handler = build(codegrant.Config{Pool: p.Register(server.URL), BaseURL: server.URL})
	return server.URL
}
