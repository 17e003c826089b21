package clients

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
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
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
)

const (
	region = "eu-west-1"
	poolID = region + "_Clients1"
	mailID = region + "_Mail1"

	callback = "http://localhost:8080/auth/callback"
)

const seedYAML = `
pools:
  - id: ` + poolID + `
    name: clients
    mfa: OPTIONAL
    clients:
      - id: web
        secret: one1of2the3secrets4of5web
        callback_urls: [` + callback + `]
        auth_flows: [ALLOW_USER_PASSWORD_AUTH, ALLOW_ADMIN_USER_PASSWORD_AUTH, ALLOW_USER_SRP_AUTH, ALLOW_REFRESH_TOKEN_AUTH]
      - id: spa
        callback_urls: [` + callback + `]
        auth_flows: [ALLOW_USER_PASSWORD_AUTH, ALLOW_USER_SRP_AUTH, ALLOW_REFRESH_TOKEN_AUTH]
      - id: amplify
        scopes: [openid, email, profile, aws.cognito.signin.user.admin]
      - id: rotating
        auth_flows: [ALLOW_USER_PASSWORD_AUTH, ALLOW_USER_SRP_AUTH]
        refresh_token_rotation: true
    groups: [{name: admins, precedence: 1}, {name: analysts}]
    users:
      - {username: alice, email: alice@example.com, name: Alice, password: Passw0rd!, groups: [admins, analysts]}
      - {username: bob, email: bob@example.com, password: Passw0rd!}
      - {username: dave, email: dave@example.com, password: Temp0rary!, status: FORCE_CHANGE_PASSWORD}
      - {username: erin, email: erin@example.com, password: Passw0rd!}
  - id: ` + mailID + `
    email_as_username: true
    clients: [{id: mail}]
`

// world is a pool on https, as some of the clients insist, and what the programs
// are told about it.
type world struct {
	pool  *localpool.Server
	url   string
	roots string // file of the certificate
	ahead atomic.Int64

	client *http.Client
}

// newWorld serves a pool under the base URL, or its own where that is empty.
func newWorld(t *testing.T, base string) *world {
	t.Helper()
	w := new(world)
	mux := http.NewServeMux()
	server := httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	w.url, w.client = server.URL, server.Client()
	if base == "" {
		base = w.url
	}
	seed, err := localpool.ParseSeed([]byte(seedYAML))
	if err != nil {
		t.Fatal(err)
	}
	w.pool, err = localpool.New(localpool.Config{
		Seed: seed, BaseURL: base, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Now().Add(time.Duration(w.ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	mux.Handle("/", w.pool)
	// What the programs cannot know: the e-mail that would have come, and the
	// pool's time, which they may put forward.
	mux.HandleFunc("GET /test/code", func(rw http.ResponseWriter, r *http.Request) {
		code, _ := w.pool.LastCode(r.URL.Query().Get("to"))
		_, _ = io.WriteString(rw, code)
	})
	mux.HandleFunc("POST /test/later", func(rw http.ResponseWriter, r *http.Request) {
		by, err := time.ParseDuration(r.URL.Query().Get("by"))
		if err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		now := time.Now().Add(time.Duration(w.ahead.Add(int64(by))))
		_, _ = fmt.Fprint(rw, now.UnixMilli())
	})
	w.roots = filepath.Join(t.TempDir(), "roots.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(w.roots, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

// run runs a program, which fails where an expectation of its own is not met. The
// settings are what it finds as SETTINGS.
func (w *world) run(t *testing.T, node, folder, program string, settings map[string]any) {
	t.Helper()
	all := map[string]any{"url": w.url, "region": region, "pool": poolID, "mailPool": mailID}
	for name, value := range settings {
		all[name] = value
	}
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), node, program)
	c.Dir = folder
	c.Env = append(os.Environ(), "SETTINGS="+string(b), "NODE_EXTRA_CA_CERTS="+w.roots)
	c.Stdout, c.Stderr = t.Output(), t.Output()
	if err := c.Run(); err != nil {
		t.Errorf("%s: %v", program, err)
	}
}

// granted signs alice in through the pages, and redeems the code.
func (w *world) granted(t *testing.T) map[string]any {
	t.Helper()
	browser := codegranttest.NewBrowser(t)
	browser.Client.Transport = w.client.Transport
	var code string
	browser.Client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host != "localhost:8080" {
			return nil
		}
		code = r.URL.Query().Get("code")
		return http.ErrUseLastResponse
	}
	query := url.Values{"client_id": {"spa"}, "response_type": {"code"}, "redirect_uri": {callback}, "scope": {"openid email profile"}, "nonce": {"n-1"}}
	browser.SignIn(w.url+"/login?"+query.Encode(), "alice@example.com", "Passw0rd!")
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {"spa"}, "code": {code}, "redirect_uri": {callback}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.url+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var tokens map[string]any
	if err := json.NewDecoder(response.Body).Decode(&tokens); err != nil || tokens["id_token"] == nil {
		t.Fatalf("tokens = %v, %v", tokens, err)
	}
	return tokens
}

func TestJavaScript(t *testing.T) {
	node, folder := javaScript(t)
	t.Run("AWS SDK", func(t *testing.T) { newWorld(t, "").run(t, node, folder, "sdk.mjs", nil) })
	t.Run("amazon-cognito-identity-js", func(t *testing.T) { newWorld(t, "").run(t, node, folder, "identity.mjs", nil) })
	t.Run("aws-jwt-verify", func(t *testing.T) {
		w := newWorld(t, "")
		w.run(t, node, folder, "verify.mjs", map[string]any{"granted": w.granted(t)})
	})
	t.Run("jose", func(t *testing.T) {
		for _, algorithm := range []string{"EdDSA", "ES256"} {
			newSigned(t, algorithm).verifies(t, []string{""}, node, filepath.Join(folder, "assertion.mjs"))
		}
	})
	// Its verifier for Cognito takes issuers of Cognito alone.
	t.Run("aws-jwt-verify, a pool by Cognito's name", func(t *testing.T) {
		w := newWorld(t, "https://cognito-idp."+region+".amazonaws.com")
		w.run(t, node, folder, "verify-cognito.mjs", nil)
	})
}

// TestLockFile keeps the lock file to versions and their hashes: which registry they
// come from is the machine's own matter. npm writes it so with
// --omit-lockfile-registry-resolved.
func TestLockFile(t *testing.T) {
	b, err := os.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	var lock struct {
		Packages map[string]struct{ Version, Integrity, Resolved string }
	}
	if err := json.Unmarshal(b, &lock); err != nil {
		t.Fatal(err)
	}
	if len(lock.Packages) < 10 {
		t.Fatalf("found %d packages", len(lock.Packages))
	}
	for name, p := range lock.Packages {
		if name != "" && (p.Version == "" || p.Integrity == "" || p.Resolved != "") {
			t.Errorf("%s: %+v", name, p)
		}
	}
}
