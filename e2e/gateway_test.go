package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/e2e/browser"
	"github.com/codegrant/codegrant/internal/proxytest"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/localpool"
)

// platform is a proxy, a gateway and an application, each a process or server of its
// own, with the files of examples/gateway.
type platform struct {
	t    *testing.T
	pool *codegranttest.Pool
	url  string // that browsers see
	stop func() // ends the gateway
}

// seen is a request as the application got it.
type seen struct {
	Method, Target string
	Header         http.Header
}

// freePort is one that nobody had a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	_, port, _ := net.SplitHostPort(testenv.FreeAddress(t))
	return port
}

// startGateway serves behind a proxy with the files of examples/gateway.
func startGateway(t *testing.T, proxy proxytest.Proxy) *platform {
	t.Helper()
	return startGatewayAt(t, proxy, "", func(config string) string { return config })
}

// startGatewayAt does so under a host of this machine, with some of codegrant.yaml changed.
func startGatewayAt(t *testing.T, proxy proxytest.Proxy, host string, change func(config string) string) *platform {
	t.Helper()
	proxy.Require(t)
	p := &platform{t: t, pool: codegranttest.NewPool(t, nil)}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(seen{r.Method, r.RequestURI, r.Header})
	}))
	t.Cleanup(app.Close)
	addresses := proxytest.NewAddresses(t, app.URL, p.pool.URL)
	addresses.Host = host
	p.url = addresses.URL()
	client := p.pool.Clients()[0]
	if err := p.pool.RegisterURLs(client.ID, p.url+"/auth/callback", p.url+"/"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "codegrant.yaml")
	if err := os.WriteFile(file, []byte(change(proxytest.Example(t, proxy.Gateway, addresses))), 0o600); err != nil {
		t.Fatal(err)
	}
	p.stop = proxytest.Run(t, "codegrant", exec.Command(buildCodegrant(t), "serve", "--config", file))
	await(t, "http://"+addresses.Gateway+"/auth/user")
	proxy.Start(t, addresses)
	if host == "" {
		await(t, p.url+"/auth/user")
	}
	return p
}

// binary is built once, for all tests.
var binary = sync.OnceValues(func() (string, error) {
	folder, err := os.MkdirTemp("", "codegrant-e2e")
	if err != nil {
		return "", err
	}
	file := filepath.Join(folder, "codegrant")
	build := exec.Command("go", "build", "-o", file, "./cmd/codegrant")
	build.Dir = ".."
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build codegrant: %w\n%s", err, output)
	}
	return file, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if file, err := binary(); err == nil {
		_ = os.RemoveAll(filepath.Dir(file))
	}
	os.Exit(code)
}

func buildCodegrant(t *testing.T) string {
	t.Helper()
	file, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// await returns once something answers.
func await(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; {
		response, err := http.Get(address)
		if err == nil {
			response.Body.Close()
			if response.StatusCode < 500 {
				return
			}
			err = fmt.Errorf("status %d", response.StatusCode)
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not answer: %v", address, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// ask sends a request as a program does, with the cookies of a browser.
func (p *platform) ask(b *codegranttest.Browser, method, path string, header map[string]string) (int, http.Header, seen) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	for name, value := range header {
		r.Header[name] = []string{value}
	}
	client := *b.Client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	var got seen
	_ = json.Unmarshal(body, &got)
	return response.StatusCode, response.Header, got
}

// TestBehindProxies runs each proxy with the files that people copy, as they are.
func TestBehindProxies(t *testing.T) {
	tried := make(map[string]bool)
	for _, proxy := range proxytest.All() {
		if tried[proxy.Example] {
			continue // one version in a browser is enough
		}
		tried[proxy.Example] = true
		t.Run(proxy.Name, func(t *testing.T) {
			p := startGateway(t, proxy)
			p.inABrowser()
			p.asAProgram()
		})
	}
}

// inABrowser signs in with Chromium, through the proxy.
func (p *platform) inABrowser() {
	t := p.t
	b := browser.New(t)
	b.Open(p.url + "/reports/q3?year=2026")
	b.Fill("#username", "alice@example.com")
	b.Fill("#password", codegranttest.Password)
	b.Click("main button")
	b.See("alice@example.com") // the application heard who it is
	if got := b.URL(); got != p.url+"/reports/q3?year=2026" {
		t.Errorf("the sign-in ended at %s", got)
	}
	b.Open(p.url + "/auth/logout")
	b.Open(p.url + "/reports/q3")
	if got := b.URL(); !strings.HasPrefix(got, p.pool.URL) {
		t.Errorf("after the sign-out: %s", got)
	}
}

func (p *platform) asAProgram() {
	t := p.t
	nobody, alice, bob := codegranttest.NewBrowser(t), codegranttest.NewBrowser(t), codegranttest.NewBrowser(t)
	alice.SignIn(p.url+"/", "alice@example.com", codegranttest.Password)
	bob.SignIn(p.url+"/", "bob@example.com", codegranttest.Password)

	for _, tt := range []struct {
		what         string
		who          *codegranttest.Browser
		method, path string
		status       int
	}{
		{"nobody on a public page", nobody, "GET", "/public/x?y=1", 200}, {"nobody", nobody, "GET", "/reports/q3", 401}, {"nobody who posts", nobody, "POST", "/", 401},
		{"in the group", alice, "GET", "/reports/q3?y=1", 200}, {"not in the group", bob, "GET", "/reports/q3", 403}, {"signed in", bob, "POST", "/orders", 200},
		{"a way around", bob, "GET", "/public/%2e%2e/reports/q3", 0}, {"an encoded slash", bob, "GET", "/public%2f..%2freports", 0},
	} {
		status, header, got := p.ask(tt.who, tt.method, tt.path, nil)
		if (tt.status != 0 && status != tt.status) || (tt.status == 0 && status < 400) {
			t.Errorf("%s: %d, want %d", tt.what, status, tt.status)
		}
		if status == 200 && got.Target != tt.path {
			t.Errorf("%s: the application saw %s", tt.what, got.Target)
		}
		if status == 401 && !strings.HasPrefix(header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: challenge %q", tt.what, header.Get("WWW-Authenticate"))
		}
	}

	forged := map[string]string{
		"X-Auth-Subject": "evil", "x-auth-groups": "admins", "X_Auth_Groups": "admins", "X-Auth-User-Id": "1", "X-Auth-Name": "evil", "X-Auth-Assertion": "evil",
		"X-Forwarded-For": "6.6.6.6", "X-Real-Ip": "6.6.6.6",
	}
	for who, b := range map[string]*codegranttest.Browser{"bob": bob, "nobody": nobody} {
		_, _, got := p.ask(b, "GET", "/public/x", forged)
		for name, values := range got.Header {
			if v := strings.Join(values, " "); strings.HasPrefix(strings.ToLower(strings.ReplaceAll(name, "_", "-")), "x-auth") && (strings.Contains(v, "evil") || strings.Contains(v, "admins") || v == "1") {
				t.Errorf("%s: the application saw %s: %s", who, name, v)
			}
		}
	}
	// A client that names another request than the one that it makes.
	for _, lie := range []map[string]string{{"X-Original-Url": p.url + "/public"}, {"X-Forwarded-Uri": "/public"}, {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/public", "X-Forwarded-Host": "localhost"}} {
		if status, _, _ := p.ask(bob, "GET", "/reports/q3", lie); status == 200 {
			t.Errorf("%v: passed", lie)
		}
	}

	// A bearer token, as API clients send it.
	token := p.accessToken("alice@example.com")
	if status, _, got := p.ask(nobody, "GET", "/reports/q3", map[string]string{"Authorization": "Bearer " + token}); status != 200 || got.Header.Get("X-Auth-Username") != "alice" {
		t.Errorf("with a bearer token: %d %v", status, got.Header)
	}
	if status, _, _ := p.ask(nobody, "GET", "/reports/q3", map[string]string{"Authorization": "Bearer " + token + "x"}); status != 401 {
		t.Errorf("with a broken token: %d", status)
	}

	// Groups that change are seen after a refresh, and the refresh goes through the
	// proxy without anybody noticing.
	if err := p.pool.SetTokenValidity(p.pool.ClientID, 5*time.Second); err != nil {
		t.Fatal(err)
	}
	carol := codegranttest.NewBrowser(t)
	p.pool.AddUser("carol", "carol@example.com", "analysts")
	carol.SignIn(p.url+"/reports/", "carol@example.com", codegranttest.Password)
	if err := p.pool.RemoveFromGroup(p.pool.PoolID, "carol", "analysts"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the refresh takes the group away", func() bool {
		status, _, _ := p.ask(carol, "GET", "/reports/", nil)
		if status != 200 && status != 403 {
			t.Fatalf("while refreshing: %d", status)
		}
		return status == 403
	})

	// Signed out is signed out.
	alice.Open(p.url + "/auth/logout")
	if status, _, _ := p.ask(alice, "GET", "/reports/q3", nil); status != 401 {
		t.Errorf("after the sign-out: %d", status)
	}
}

// accessToken is one that a client of its own has got.
func (p *platform) accessToken(email string) string {
	t := p.t
	var client localpool.Client
	for _, c := range p.pool.Clients() {
		if c.ID == p.pool.ClientID {
			client = c
		}
	}
	b := codegranttest.NewBrowser(t)
	var code string
	b.Client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if c := r.URL.Query().Get("code"); c != "" {
			code = c
			return http.ErrUseLastResponse
		}
		return nil
	}
	callback := p.url + "/auth/callback"
	b.SignIn(p.pool.URL+"/oauth2/authorize?"+url.Values{
		"response_type": {"code"}, "client_id": {client.ID}, "redirect_uri": {callback}, "scope": {"openid email profile"},
	}.Encode(), email, codegranttest.Password)
	response, err := http.PostForm(p.pool.URL+"/oauth2/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}, "client_id": {client.ID}, "client_secret": {client.Secret},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&tokens); err != nil || tokens.AccessToken == "" {
		t.Fatalf("no access token: %v, status %d", err, response.StatusCode)
	}
	return tokens.AccessToken
}

func eventually(t *testing.T, what string, true func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !true(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30 s: %s", what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
