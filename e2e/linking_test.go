package e2e

import (
	"fmt"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/e2e/browser"
	"github.com/codegrant/codegrant/internal/proxytest"
	"github.com/codegrant/codegrant/localpool"
)

// linkingSite is codegrant serve, where people link another way to sign in, beside a pool
// with Google.
type linkingSite struct {
	pool         *localpool.Server
	url, at      string // of the gateway, and of the pool
	file, binary string
	first        atomic.Pointer[string] // where the pool sends browsers before it answers; nil: nowhere
}

const hopped = "&hopped=1"

// leadsOn has the pool send browsers to another origin, as it does where people sign in and out
// at an identity provider, and go on when they come back from there.
func (s *linkingSite) leadsOn(t *testing.T) {
	t.Helper()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<!doctype html><title>Company</title><p>You are at your company. <a href="%s">Go on</a>`, html.EscapeString(s.at+r.URL.RequestURI()+hopped))
	}))
	t.Cleanup(other.Close)
	s.first.Store(&other.URL)
}

// comesBack reports whether a request may reach the pool, or else sends it elsewhere.
func (s *linkingSite) comesBack(w http.ResponseWriter, r *http.Request) bool {
	first := s.first.Load()
	if r.URL.Path != "/oauth2/authorize" && r.URL.Path != "/logout" || first == nil {
		return true
	}
	query, ok := strings.CutSuffix(r.URL.RawQuery, hopped)
	if r.URL.RawQuery = query; !ok {
		http.Redirect(w, r, *first+r.URL.RequestURI(), http.StatusFound)
	}
	return ok
}

func startLinking(t *testing.T, database string) *linkingSite {
	t.Helper()
	port := freePort(t)
	s := &linkingSite{url: "http://127.0.0.1:" + port, binary: buildCodegrant(t)}
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.comesBack(w, r) {
			handler.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	s.at = server.URL
	seed := localpool.DefaultSeed(s.url)
	seed.Pools[0].Clients[0].Scopes = []string{"openid", "email", "profile", "aws.cognito.signin.user.admin"}
	pool, err := localpool.New(localpool.Config{Seed: seed, BaseURL: server.URL, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	handler, s.pool = pool, pool
	client := pool.Clients()[0]
	poolCall(t, s.at, "CreateIdentityProvider", `{"UserPoolId":"`+client.PoolID+`","ProviderName":"Google","ProviderType":"Google","ProviderDetails":{"client_id":"g","client_secret":"s","authorize_scopes":"openid email"},"AttributeMapping":{"email":"email","email_verified":"email_verified"}}`)
	poolCall(t, s.at, "UpdateUserPoolClient", `{"UserPoolId":"`+client.PoolID+`","ClientId":"`+client.ID+`","CallbackURLs":["`+s.url+`/auth/callback"],"LogoutURLs":["`+s.url+`/"],"AllowedOAuthFlows":["code"],"AllowedOAuthScopes":["openid","email","profile","aws.cognito.signin.user.admin"],"AllowedOAuthFlowsUserPoolClient":true,"SupportedIdentityProviders":["COGNITO","Google"]}`)
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "index.html"), []byte("<!doctype html><title>Shop</title><p>The shop"), 0o644); err != nil {
		t.Fatal(err)
	}
	s.file = filepath.Join(t.TempDir(), "codegrant.yaml")
	if err := os.WriteFile(s.file, []byte(`listen: 127.0.0.1:`+port+`
base_url: `+s.url+`
database: `+database+`
replica: true
pools:
  - name: customers
    id: `+client.PoolID+`
    issuer: `+client.Issuer+`
    domain: `+s.at+`
    client_id: `+client.ID+`
    client_secret: `+client.Secret+`
    scopes: [openid, email, profile, aws.cognito.signin.user.admin]
    account: {link_identities: true}
routes:
  - files: `+folder+`
`), 0o600); err != nil {
		t.Fatal(err)
	}
	proxytest.Run(t, "codegrant", exec.Command(s.binary, "serve", "--config", s.file))
	await(t, s.url+"/auth/user")
	return s
}

// command runs codegrant as an operator.
func (s *linkingSite) command(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), s.binary, append(args, "--config", s.file)...).CombinedOutput()
	if err != nil {
		t.Fatalf("codegrant %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// asOwn signs in with a password where the pool asks.
func asOwn(b *browser.Browser, who string) {
	b.See("Sign in to your account")
	b.Fill("#username", who)
	b.Fill("#password", codegranttest.Password)
	b.Click("form button")
}

// asGoogle goes to Google from where the pool asks, and signs in there.
func (s *linkingSite) asGoogle(t *testing.T, b *browser.Browser, subject, email string) {
	t.Helper()
	b.See("Sign in to your account")
	at, err := url.Parse(b.URL())
	if err != nil {
		t.Fatal(err)
	}
	query := at.Query()
	query.Set("identity_provider", "Google")
	b.Open(s.at + "/idp?" + query.Encode())
	b.See("Sign in with Google")
	b.Fill("[name=subject]", subject)
	b.Fill("[name=email]", email)
	b.Click("form button")
}

// TestS676_LinkingInABrowser: in Chromium, somebody with a password links their account at
// Google, cancels once, is refused what is somebody else's, comes back by Google as the same
// person, and separates it again.
func TestS676_LinkingInABrowser(t *testing.T) {
	for name, database := range map[string]func(*testing.T) string{
		"SQLite":     func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "app.db") },
		"PostgreSQL": newDatabase,
	} {
		t.Run(name, func(t *testing.T) {
			b := browser.New(t)
			s := startLinking(t, database(t))
			identities := s.url + "/auth/account/identities"

			// Two people: bob has a phone with Google's account, and nobody knows that it is alice's.
			phone := b.Profile(t)
			phone.Open(s.url + "/")
			s.asGoogle(t, phone, "g-17", "alice@gmail.example")
			phone.See("The shop")

			b.Open(identities)
			asOwn(b, "alice")
			b.See("Link another way to sign in")
			b.Screenshot("ways to sign in")

			// Cancelled.
			b.Click(`a[href*="do=begin"]`)
			asOwn(b, "bob")
			b.See("Link this account?")
			b.See("bob@example.com")
			b.Click(formThat("cancel") + "button")
			b.See("You have changed nothing.")

			// Her own again, and what has several ways to sign in.
			b.Click(`a[href*="do=begin"]`)
			asOwn(b, "alice")
			b.See("already belongs to this account")

			// Google's.
			b.Open(identities)
			b.Click(`a[href*="do=begin"]`)
			s.asGoogle(t, b, "g-17", "alice@gmail.example")
			b.See("Link this account?")
			b.See("alice@gmail.example")
			b.Screenshot("link this account")
			b.Phone()
			b.Screenshot("link this account, 390")
			b.Click(formThat("confirm") + "button")
			b.See("It is linked.")
			b.See("You use this one now")
			b.Screenshot("linked")
			phone.Open(s.url + "/auth/sessions")
			phone.See("Sign in to your account") // its session has ended

			listed := s.command(t, "users", "show", "alice@example.com", "--json")
			if !strings.Contains(listed, "alice@gmail.example") {
				t.Errorf("codegrant users show: %s", listed)
			}
			// Bob cannot take it: it is hers.
			other := b.Profile(t)
			other.Open(identities)
			asOwn(other, "bob")
			other.See("Link another way to sign in")
			other.Click(`a[href*="do=begin"]`)
			s.asGoogle(t, other, "g-17", "alice@gmail.example")
			other.See("several ways to sign in")

			// Back by Google, she is who she was.
			s.asGoogle(t, phone, "g-17", "alice@gmail.example")
			phone.See("alice@gmail.example")
			phone.Open(identities)
			phone.See("alice@example.com")

			b.Open(identities)
			b.Click(`a[href*="separate="]`)
			b.See("Separate this way to sign in?")
			b.Click(formThat("separate") + "button")
			b.See("It is separated.")
			if listed := s.command(t, "users", "show", "alice@example.com", "--json"); strings.Contains(listed, "alice@gmail.example") {
				t.Errorf("codegrant users show: %s", listed)
			}
		})
	}
}

// TestS833_ThePoolLeadsElsewhere: in Chromium, which holds every redirect after a form to the
// policy of the form's page, people link an account and sign out where the pool sends them on
// to an origin that nobody here knows.
func TestS833_ThePoolLeadsElsewhere(t *testing.T) {
	b := browser.New(t)
	s := startLinking(t, "sqlite:"+filepath.Join(t.TempDir(), "app.db"))
	b.Open(s.url + "/auth/account/identities")
	asOwn(b, "alice")
	b.See("Link another way to sign in")
	s.leadsOn(t)
	away := func() {
		t.Helper()
		b.See("You are at your company.")
		b.Click("a")
	}
	b.Click(`a[href*="do=begin"]`)
	away()
	asOwn(b, "bob")
	b.See("Link this account?")

	b.Open(s.url + "/auth/sessions")
	b.Click(`form:has([value="everywhere"]) button`)
	b.See("You are signed out")
	b.Click(".do a")
	away()
	away() // it ends at the shop's page, which asks for a sign-in
	asOwn(b, "alice")
	b.See("The shop")
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<!doctype html><title>Else</title><a href="%s/auth/logout">Out</a>`, s.url)
	}))
	t.Cleanup(elsewhere.Close)
	b.Open(strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1) + "/") // so that there is a question
	b.Click("a")
	b.See("Stay signed in")
	b.Click("form button")
	away()
	away()
	b.See("Sign in to your account")
}

// TestS555_AFormAfterTheSessionInABrowser: somebody answers a question after their session has
// ended. Chromium shows that nothing has been changed, and a link leads to the sign-in and back.
func TestS555_AFormAfterTheSessionInABrowser(t *testing.T) {
	b := browser.New(t)
	s := startLinking(t, "sqlite:"+filepath.Join(t.TempDir(), "app.db"))
	identities := s.url + "/auth/account/identities"
	b.Open(identities)
	asOwn(b, "alice")
	b.See("Link another way to sign in")
	b.Click(`a[href*="do=begin"]`)
	asOwn(b, "bob")
	b.See("Link this account?")
	phone := b.Profile(t)
	phone.Open(s.url + "/auth/sessions")
	asOwn(phone, "alice")
	phone.See("This browser")
	phone.Click(`form:has([value="everywhere"]) button`)
	phone.See("You are signed out")
	b.Click(formThat("confirm") + "button")
	b.See("Nothing has been changed.")
	b.Click(".do a") // the pool knows who signed in there last
	b.See("Link another way to sign in")
	if b.URL() != identities {
		t.Errorf("the sign-in leads to %s", b.URL())
	}
}
