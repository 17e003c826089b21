package e2e

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/account"
	"github.com/codegrant/codegrant/broker"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/exchange"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/mcp"
	"github.com/codegrant/codegrant/organization"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/upstream"
)

// describedSite is a gateway with everything that has endpoints, and the people who use it.
type describedSite struct {
	*described
	url    string
	pool   *localpool.Server
	auth   *codegrant.Auth
	users  *sqlreplica.Store
	acting *organization.Store
	away   atomic.Bool  // the pool and the stores
	unsent atomic.Bool  // mail
	noUser atomic.Value // error of CreateUser
	often  atomic.Bool  // too many sign-ins
	mail   organization.Mail

	client, refresh string // of the authorization server

	person, stranger *http.Client // neither follows redirects
}

var errAway = errors.New("it is out of reach, as the test wants it")

// RoundTrip implements [http.RoundTripper], for what asks the pool and other servers.
func (s *describedSite) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.away.Load() {
		return nil, errAway
	}
	return http.DefaultTransport.RoundTrip(r)
}

// remote are sessions that can be out of reach.
type remote struct {
	session.Store
	*describedSite
}

func (r remote) Get(ctx context.Context, id string) (session.Record, error) {
	if r.away.Load() {
		return session.Record{}, errAway
	}
	return r.Store.Get(ctx, id)
}

func (r remote) Create(ctx context.Context, record session.Record) error {
	if r.away.Load() {
		return errAway
	}
	return r.Store.Create(ctx, record)
}

func (r remote) CompareAndSwap(ctx context.Context, record session.Record) (session.Record, error) {
	if r.away.Load() {
		return session.Record{}, errAway
	}
	return r.Store.CompareAndSwap(ctx, record)
}

func (r remote) Delete(ctx context.Context, id string) error {
	if r.away.Load() {
		return errAway
	}
	return r.Store.Delete(ctx, id)
}

// shelf are records that can be out of reach.
type shelf struct {
	cupboard.Store
	*describedSite
}

func (s shelf) Put(ctx context.Context, kind cupboard.Kind, r cupboard.Record) error {
	if s.away.Load() {
		return errAway
	}
	return s.Store.Put(ctx, kind, r)
}

func (s shelf) Get(ctx context.Context, kind cupboard.Kind, key string) (cupboard.Record, error) {
	if s.away.Load() {
		return cupboard.Record{}, errAway
	}
	return s.Store.Get(ctx, kind, key)
}

func newSite(t *testing.T, d *described) *describedSite {
	t.Helper()
	s := &describedSite{described: d}
	serve := func() (at string, set func(http.Handler)) {
		var handler http.Handler
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
		t.Cleanup(server.Close)
		return server.URL, func(h http.Handler) { handler = h }
	}
	at, setPool := serve()
	base, setSite := serve()
	other := httptest.NewServer(http.HandlerFunc(otherService))
	t.Cleanup(other.Close)
	s.url = base
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	d.ours[u.Host] = true

	seed := localpool.DefaultSeed(base)
	seed.Pools[0].Clients[0].Scopes = []string{"openid", "email", "profile", account.Scope}
	if s.pool, err = localpool.New(localpool.Config{Seed: seed, BaseURL: at, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.pool.Close() })
	setPool(s.pool)
	client := s.pool.Clients()[0]
	s.users, s.acting = organizations(t)
	outgoing, keys, records := &http.Client{Transport: s}, session.RandomKeyring(), shelf{cupboard.NewMemory(nil), s}
	pool := cognito.Pool{ID: client.PoolID, Domain: at, Issuer: client.Issuer, ClientID: client.ID, ClientSecret: cognito.Secret(client.Secret)}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s.auth, err = codegrant.New(codegrant.Config{
		Pool: pool, BaseURL: base, AcceptTokens: true, TrustedOrigins: []string{"https://www.example.com"}, HTTPClient: outgoing,
		Scopes: seed.Pools[0].Clients[0].Scopes, Sessions: remote{session.NewMemoryStore(session.MemoryConfig{}), s},
		Replica: s.users, Organization: s.acting.Active, Logger: slog.New(slog.DiscardHandler),
		Admit: func(context.Context, *codegrant.Identity) error {
			if s.often.Load() {
				return codegrant.TooManySignIns(time.Minute)
			}
			return nil
		},
	})
	must(err)
	pages, err := organization.NewPages(organization.PagesConfig{Auth: s.auth, Store: s.acting, People: s.users, Logger: slog.New(slog.DiscardHandler),
		CreateUser: func(context.Context, string) error {
			err, _ := s.noUser.Load().(error)
			return err
		},
		Send: func(_ context.Context, m organization.Mail) error {
			if s.unsent.Load() {
				return errAway
			}
			s.mail = m
			return nil
		}})
	must(err)
	accounts, err := account.New(account.Config{Auth: s.auth, Pool: pool, HTTPClient: outgoing, Logger: slog.New(slog.DiscardHandler)})
	must(err)

	routes := []gateway.Route{{Path: "/", Files: os.DirFS(t.TempDir())}}
	public := func(handlers map[string]http.Handler) {
		for path, h := range handlers {
			routes = append(routes, gateway.Route{Path: path, Exact: true, Public: true, Handler: h})
		}
	}
	issued, err := broker.New(broker.Config{
		Auth: s.auth, Keys: keys, Algorithm: "ES256", Cupboard: records, Logger: slog.New(slog.DiscardHandler),
		Resources: []broker.Resource{{URL: base + "/mcp", Name: "Documents", Scopes: []string{"docs/read", "docs/write"}}},
	})
	must(err)
	public(issued.Handlers())
	server, err := mcp.New(mcp.Config{URL: base + "/mcp", Endpoints: s.auth.Endpoints(), Scopes: []string{"docs/read"}, Name: "Documents"})
	must(err)
	public(map[string]http.Handler{server.MetadataPath(): server.Metadata(), mcp.RootMetadataPath: server.Metadata(), server.ServerMetadataPath(): server.ServerMetadata()})
	agents, err := mcp.New(mcp.Config{URL: base + "/agents", Endpoints: s.auth.Endpoints(), Scopes: []string{"docs/read"}, PoolClients: true, HTTPClient: outgoing, Logger: slog.New(slog.DiscardHandler)})
	must(err)
	public(map[string]http.Handler{agents.ServerMetadataPath(): agents.ServerMetadata()})
	issuer, err := exchange.NewIssuer(exchange.IssuerConfig{URL: base + "/exchange", Keys: keys, Algorithm: "ES256"})
	must(err)
	public(issuer.Handlers())
	github, err := upstream.New(upstream.Config{
		Auth: s.auth, Name: "github", AuthorizeURL: other.URL + "/authorize", TokenURL: other.URL + "/token", ClientID: "c1", ClientSecret: "of ours",
		Keys: keys, Cupboard: records, HTTPClient: outgoing, Logger: slog.New(slog.DiscardHandler),
	})
	must(err)
	public(github.Handlers())
	g, err := gateway.New(gateway.Config{
		Tenants:        []gateway.Tenant{{Name: "demo", Auth: s.auth, Organization: pages, Account: accounts}},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Routes: routes, Logger: slog.New(slog.DiscardHandler),
		Assertions: &gateway.Assertions{Issuer: base, Keys: []ed25519.PrivateKey{ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))}},
	})
	must(err)
	setSite(g)
	s.person, s.stranger = s.signIn("alice@example.com"), &http.Client{Transport: d, CheckRedirect: stay}
	return s
}

// stay follows no redirect.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// signIn has somebody sign in with a browser.
func (s *describedSite) signIn(address string) *http.Client {
	s.t.Helper()
	b := codegranttest.NewBrowser(s.t)
	b.Client.Transport = s.described
	b.SignIn(s.url+"/auth/login", address, codegranttest.Password)
	b.Client.CheckRedirect = stay
	return b.Client
}

// otherService is the server of somebody else, whose tokens people let the gateway have.
func otherService(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if r.PostFormValue("code") == "refused" {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
		return
	}
	_, _ = w.Write([]byte(`{"access_token":"gho_0123456789","token_type":"bearer","expires_in":3600}`))
}

// organizations are those of a database of their own, and its replica.
func organizations(t *testing.T) (*sqlreplica.Store, *organization.Store) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "app.db")+"?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	users, err := sqlreplica.New(db, sqlreplica.Config{Dialect: sqlreplica.SQLite})
	if err != nil {
		t.Fatal(err)
	}
	acting, err := organization.New(organization.Config{DB: db, Dialect: organization.SQLite})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(users.Migrate(t.Context()), acting.Migrate(t.Context())); err != nil {
		t.Fatal(err)
	}
	return users, acting
}

// own makes an organization, with somebody in it.
func (s *describedSite) own(name, address, role string) organization.Organization {
	s.t.Helper()
	o, err := s.acting.Create(s.t.Context(), name, "a test")
	if err == nil {
		err = s.acting.Set(s.t.Context(), o.ID, s.idOf(address), role, "a test")
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return o
}

func (s *describedSite) idOf(address string) int64 {
	s.t.Helper()
	all, err := s.users.UsersByEmail(s.t.Context(), s.pool.Clients()[0].Issuer, address)
	if err != nil || len(all) != 1 {
		s.t.Fatal(all, err)
	}
	return all[0].ID
}

// field is what a page has in a field of a form.
func (s *describedSite) field(text, name string) string {
	s.t.Helper()
	found := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(text)
	if found == nil {
		s.t.Fatalf("the page has no field %q: %.2000s", name, text)
	}
	return found[1]
}

// decoded reads an answer.
func decoded[T any](t *testing.T, text string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %.500s", err, text)
	}
	return v
}

// challenge is PKCE's.
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// asks is what a proxy says of a request.
func (s *describedSite) asks(uri string, more ...string) http.Header {
	h := http.Header{"X-Forwarded-Method": {"GET"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {strings.TrimPrefix(s.url, "http://")}, "X-Forwarded-Uri": {uri}}
	for i := 0; i < len(more); i += 2 {
		h.Set(more[i], more[i+1])
	}
	return h
}

func query(pairs ...string) string {
	values := make(url.Values)
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values.Encode()
}

func number(id int64) string { return fmt.Sprint(id) }
