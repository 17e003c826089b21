package standin_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/localpool/standin"
)

const seedYAML = `
pools:
  - id: eu-west-1_Stand1
    name: shop
    clients:
      - {id: web, secret: one1of2the3secrets4of5web, callback_urls: ["http://localhost:8080/cb"], auth_flows: [ALLOW_USER_PASSWORD_AUTH]}
      - {id: kept, secrets_manager: true}
    users: [{username: carol, email: carol@example.com, password: Passw0rd!}]
`

type world struct {
	*testing.T
	address, folder string
	pool            *localpool.Server
	authority       *standin.Authority
	client          *http.Client // through the proxy, trusting the authority alone
	roots           *x509.CertPool
}

func newWorld(t *testing.T, pass ...string) *world {
	t.Helper()
	w := &world{T: t, folder: filepath.Join(t.TempDir(), "pool.json.aws")}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.address = l.Addr().String()
	seed, err := localpool.ParseSeed([]byte(seedYAML))
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	if w.pool, err = localpool.New(localpool.Config{Seed: seed, BaseURL: "http://" + w.address, AsAWS: true, Logger: quiet}); err != nil {
		t.Fatal(err)
	}
	if w.authority, err = standin.OpenAuthority(w.folder); err != nil {
		t.Fatal(err)
	}
	s, err := standin.New(standin.Config{Pool: w.pool, Authority: w.authority, Pass: pass, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		w.client.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Serve() = %v", err)
		}
		_ = w.pool.Close()
	})
	w.roots = x509.NewCertPool()
	w.roots.AppendCertsFromPEM(w.file("authority.pem"))
	proxy := &url.URL{Scheme: "http", Host: w.address}
	w.client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxy), TLSClientConfig: &tls.Config{RootCAs: w.roots}}}
	return w
}

func (w *world) file(name string) []byte {
	w.Helper()
	b, err := os.ReadFile(filepath.Join(w.folder, name))
	if err != nil {
		w.Fatal(err)
	}
	return b
}

// ask sends a request to a host of Amazon's.
func (w *world) ask(method, target, body string, header ...string) (int, map[string]any) {
	w.Helper()
	r, err := http.NewRequestWithContext(w.Context(), method, target, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := w.client.Do(r)
	if err != nil {
		w.Fatalf("%s %s: %v", method, target, err)
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err != nil {
		w.Fatal(err)
	}
	var out map[string]any
	_ = json.Unmarshal(b, &out)
	return response.StatusCode, out
}

const (
	issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Stand1"
	domain = "https://eu-west-1stand1.auth.eu-west-1.amazoncognito.com"
	api    = "AWSCognitoIdentityProviderService."
)

// TestAmazonsNames: the pool answers at each of the hosts, for what that host has, and
// calls itself by them.
func TestAmazonsNames(t *testing.T) {
	w := newWorld(t)
	if status, d := w.ask("GET", issuer+"/.well-known/openid-configuration", ""); status != 200 || d["issuer"] != issuer || d["token_endpoint"] != domain+"/oauth2/token" || d["jwks_uri"] != issuer+"/.well-known/jwks.json" {
		t.Errorf("discovery: status %d, %v", status, d)
	}
	status, signedIn := w.ask("POST", "https://cognito-idp.eu-west-1.amazonaws.com/", `{"AuthFlow":"USER_PASSWORD_AUTH","ClientId":"web","AuthParameters":{"USERNAME":"carol","PASSWORD":"Passw0rd!","SECRET_HASH":"`+hash("carol")+`"}}`, "X-Amz-Target", api+"InitiateAuth")
	result, _ := signedIn["AuthenticationResult"].(map[string]any)
	if status != 200 || claim(result["IdToken"], "iss") != issuer || claim(result["AccessToken"], "iss") != issuer {
		t.Fatalf("sign-in: status %d, %v", status, signedIn)
	}
	if status, _ = w.ask("POST", "https://cognito-idp.eu-west-1.amazonaws.com/", `{"AccessToken":"`+result["AccessToken"].(string)+`"}`, "X-Amz-Target", api+"GetUser"); status != 200 {
		t.Errorf("its own access token: status %d", status)
	}
	if status, keys := w.ask("GET", "https://issuer-cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Stand1/.well-known/jwks.json", ""); status != 200 || len(keys["keys"].([]any)) != 2 {
		t.Errorf("keys: status %d, %v", status, keys)
	}
	arn := ""
	for _, c := range w.pool.Clients() {
		arn += c.SecretARN
	}
	if status, secret := w.ask("POST", "https://secretsmanager.eu-west-1.amazonaws.com/", `{"SecretId":"`+arn+`"}`, "X-Amz-Target", "secretsmanager.GetSecretValue"); status != 200 || secret["SecretString"] == nil {
		t.Errorf("secret: status %d, %v", status, secret)
	}
	if status, fault := w.ask("POST", domain+"/oauth2/token", "grant_type=refresh_token&refresh_token=x&client_id=web&client_secret=one1of2the3secrets4of5web", "Content-Type", "application/x-www-form-urlencoded"); status != 400 || fault["error"] != "invalid_grant" {
		t.Errorf("token endpoint: status %d, %v", status, fault)
	}
	// What a host does not have at Amazon's, it does not have here.
	for target, want := range map[string]int{
		domain + "/eu-west-1_Stand1/.well-known/jwks.json": 404, "https://cognito-idp.eu-west-1.amazonaws.com/oauth2/authorize": 404,
		"https://issuer-cognito-idp.eu-west-1.amazonaws.com/": 404, "https://secretsmanager.eu-west-1.amazonaws.com/login": 404,
		"https://other.auth.eu-west-1.amazoncognito.com/login": 404, domain + "/": 200,
	} {
		if status, _ := w.ask("GET", target, ""); status != want {
			t.Errorf("GET %s: status %d", target, status)
		}
	}
	// The browser stays at the name that it asked.
	w.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	response, err := w.client.Get(domain + "/oauth2/authorize?client_id=web&response_type=code&redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fcb")
	if err != nil {
		t.Fatal(err)
	}
	if response.Body.Close(); !strings.HasPrefix(response.Header.Get("Location"), domain+"/login?") {
		t.Errorf("authorize leads to %s", response.Header.Get("Location"))
	}
}

// TestWithoutProxy: TLS that reaches the address without CONNECT, as Node.js does with the
// hook, is for the host that it names.
func TestWithoutProxy(t *testing.T) {
	w := newWorld(t)
	if c, err := tls.Dial("tcp", w.address, &tls.Config{ServerName: "cognito-idp.eu-west-1.amazonaws.com", RootCAs: w.roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		_ = c.Close()
		t.Error("TLS 1.1 is spoken")
	}
	for name, ok := range map[string]bool{"cognito-idp.eu-west-1.amazonaws.com": true, "s3.eu-west-1.amazonaws.com": false, "cognito-idp.eu-west-9.amazonaws.com": false, "": false} {
		c, err := tls.Dial("tcp", w.address, &tls.Config{ServerName: name, RootCAs: w.roots, InsecureSkipVerify: name == ""})
		if (err == nil) != ok {
			t.Errorf("TLS for %q: %v", name, err)
		}
		if err != nil {
			continue
		}
		defer c.Close()
		answers := bufio.NewReader(c)
		for host, want := range map[string]int{name: 200, "secretsmanager.eu-west-1.amazonaws.com": 421} {
			_, _ = fmt.Fprintf(c, "GET /eu-west-1_Stand1/.well-known/jwks.json HTTP/1.1\r\nHost: %s\r\n\r\n", host)
			response, err := http.ReadResponse(answers, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != want {
				t.Errorf("Host %s: status %d, %v", host, response.StatusCode, err)
			}
		}
	}
}

// TestS435_AmazonsNamesCountInsideAlone: the names of Amazon's hosts mean nothing at the
// pool's own address, and who stands in for them is reached by this machine alone.
func TestS435_AmazonsNamesCountInsideAlone(t *testing.T) {
	w := newWorld(t)
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+w.address+"/eu-west-1_Stand1/.well-known/jwks.json", nil)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{"": 200, "cognito-idp.eu-west-1.amazonaws.com": 421, "eu-west-1stand1.auth.eu-west-1.amazoncognito.com": 421} {
		r.Host = host
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if response.Body.Close(); response.StatusCode != want {
			t.Errorf("Host %q: status %d", host, response.StatusCode)
		}
	}
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := standin.New(standin.Config{Pool: w.pool, Authority: w.authority, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(t.Context(), l); !errors.Is(err, standin.ErrListen) {
		t.Errorf("Serve() on every address = %v", err)
	}
	plain, err := localpool.New(localpool.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	plain.ServeAWS(answer, httptest.NewRequest("GET", "https://cognito-idp.eu-west-1.amazonaws.com/"+localpool.DemoPoolID+"/.well-known/jwks.json", nil))
	if answer.Code != http.StatusMisdirectedRequest {
		t.Errorf("a pool that is not to stand in for Amazon's: status %d", answer.Code)
	}
	if _, err := localpool.New(localpool.Config{AsAWS: true, Logger: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "begins with a region") {
		t.Errorf("a pool of no region: %v", err)
	}
	elsewhere, err := localpool.ParseSeed([]byte(strings.ReplaceAll(seedYAML, "eu-west-1_", "eu-west-9_")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := localpool.New(localpool.Config{Seed: elsewhere, AsAWS: true, Logger: slog.New(slog.DiscardHandler)}); err == nil || !strings.Contains(err.Error(), "begins with a region") {
		t.Errorf("a pool of a region that Amazon has not: %v", err)
	}
	// Each host has what it has at Amazon's.
	const (
		keys, users, secret = "/eu-west-1_Stand1/.well-known/jwks.json", api + "ListUsers", "secretsmanager.GetSecretValue"
		own                 = "eu-west-1stand1.auth.eu-west-1.amazoncognito.com"
	)
	for _, row := range []struct {
		host, method, path, target string
		want                       int
	}{
		{"cognito-idp.eu-west-1.amazonaws.com", "POST", "/", users, 200}, {"cognito-idp.eu-west-1.amazonaws.com", "POST", "/", secret, 404},
		{"cognito-idp.eu-west-1.amazonaws.com", "GET", "/login", "", 404}, {"cognito-idp.eu-west-1.amazonaws.com", "GET", "/_pool/messages", "", 404},
		{"issuer-cognito-idp.eu-west-1.amazonaws.com", "GET", keys, "", 200}, {"issuer-cognito-idp.eu-west-1.amazonaws.com", "POST", "/", users, 404},
		{"secretsmanager.eu-west-1.amazonaws.com", "POST", "/", users, 404}, {"secretsmanager.eu-west-1.amazonaws.com", "OPTIONS", "/", "", 204},
		{"secretsmanager.eu-west-1.amazonaws.com", "GET", keys, "", 404},
		{own, "POST", "/", users, 404}, {own, "GET", "/_pool/messages", "", 404}, {own, "POST", "/_pool/reset", "", 404}, {own, "GET", keys, "", 404}, {own, "GET", "/", "", 200},
		{"eu-west-1stand1.auth.us-east-1.amazoncognito.com", "GET", "/", "", 404}, {"eu-west-1stand1.auth.eu-west-9.amazoncognito.com", "GET", "/", "", 421},
		{"cognito-idp.eu-west-9.amazonaws.com", "GET", keys, "", 421},
	} {
		r := httptest.NewRequest(row.method, "https://"+row.host+row.path, strings.NewReader(`{"UserPoolId":"eu-west-1_Stand1"}`))
		r.Header.Set("X-Amz-Target", row.target)
		answer := httptest.NewRecorder()
		if w.pool.ServeAWS(answer, r); answer.Code != row.want {
			t.Errorf("%s %s%s %s: status %d, want %d", row.method, row.host, row.path, row.target, answer.Code, row.want)
		}
	}
}

// TestTLSWithoutName: who names no host in TLS gets the certificate of the one that CONNECT named.
func TestTLSWithoutName(t *testing.T) {
	w := newWorld(t)
	c, err := net.Dial("tcp", w.address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const host = "cognito-idp.eu-west-1.amazonaws.com"
	_, _ = fmt.Fprintf(c, "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n", host, host)
	if response, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("CONNECT: %v", err)
	}
	inside := tls.Client(c, &tls.Config{InsecureSkipVerify: true}) // verified below
	if err := inside.Handshake(); err != nil {
		t.Fatal(err)
	}
	if _, err := inside.ConnectionState().PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: host, Roots: w.roots}); err != nil {
		t.Error(err)
	}
}

// TestS437_OtherHosts: the proxy passes on to no host that it was not told of.
func TestS437_OtherHosts(t *testing.T) {
	other := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"other":true}`) }))
	t.Cleanup(other.Close)
	address := strings.TrimPrefix(other.URL, "https://")
	connect := func(w *world, target string) string {
		c, err := net.Dial("tcp", w.address)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, _ = fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target)
		b := make([]byte, 12)
		_, _ = io.ReadFull(c, b)
		return string(b[9:])
	}
	strict, passing := newWorld(t), newWorld(t, "127.0.0.1", "*.example.com")
	for target, want := range map[string]string{
		"cognito-idp.eu-west-1.amazonaws.com:443": "200", "COGNITO-IDP.eu-west-1.amazonaws.com:443": "200", "cognito-idp.eu-west-1.amazonaws.com:80": "403",
		"s3.amazonaws.com:443": "403", "cognito-idp.eu-west-1.amazonaws.com.evil.example:443": "403", address: "403", "example.com:443": "403", "x": "400",
	} {
		if got := connect(strict, target); got != want {
			t.Errorf("CONNECT %s: %s", target, got)
		}
	}
	if got := connect(passing, address); got != "200" {
		t.Errorf("a host that is passed on to: %s", got)
	}
	if got := connect(passing, "127.0.0.10:443"); got != "403" {
		t.Errorf("127.0.0.1 is not 127.0.0.10: %s", got)
	}
	if got := connect(passing, "example.com:443"); got != "403" {
		t.Errorf("*.example.com is not example.com: %s", got)
	}
	r := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: passing.address}), TLSClientConfig: other.Client().Transport.(*http.Transport).TLSClientConfig}}
	response, err := r.Get(other.URL)
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("through the tunnel: %v", err)
	}
	response.Body.Close()
	r.CloseIdleConnections()
	plain := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: strict.address}), DisableKeepAlives: true}}
	if response, err = plain.Get("http://example.com/"); err != nil || response.StatusCode != http.StatusForbidden {
		t.Errorf("plain HTTP: %v", err)
	}
	response.Body.Close()
	for _, pattern := range []string{"", "*.", "https://example.com", "a*b", "Example.com", "example.com:443"} {
		if _, err := standin.New(standin.Config{Pass: []string{pattern}}); err == nil {
			t.Errorf("--pass %q passes", pattern)
		}
	}
}

func TestEnvironment(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "it's here")
	a, err := standin.OpenAuthority(folder)
	if err != nil {
		t.Fatal(err)
	}
	e, err := a.Environment("127.0.0.1:9229", false)
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]string)
	for _, v := range e.Variables([]string{"NODE_OPTIONS=--no-warnings", "AWS_REGION=us-east-1", "AWS_PROFILE=work"}, "eu-west-1") {
		got[v.Name] = v.Value
	}
	bundle := filepath.Join(folder, "bundle.pem")
	for name, want := range map[string]string{
		"HTTPS_PROXY": "http://127.0.0.1:9229", "https_proxy": "http://127.0.0.1:9229", "AWS_CA_BUNDLE": bundle, "REQUESTS_CA_BUNDLE": bundle, "SSL_CERT_FILE": bundle,
		"NODE_EXTRA_CA_CERTS": bundle, "NODE_OPTIONS": `--no-warnings --require="` + filepath.Join(folder, "node.cjs") + `"`, "AWS_REGION": "", "AWS_ACCESS_KEY_ID": "",
	} {
		if got[name] != want {
			t.Errorf("%s = %q", name, got[name])
		}
	}
	if line := (standin.Variable{Name: "A", Value: "it's"}).Line(); line != `export A='it'\''s'` {
		t.Errorf("Line() = %s", line)
	}
	keytool, err := exec.LookPath("keytool")
	if err != nil {
		return // no Java here
	}
	out, err := exec.CommandContext(t.Context(), keytool, "-list", "-keystore", filepath.Join(folder, "trust.jks"), "-storepass", "changeit").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "codegrant-0") || !strings.Contains(string(out), "trustedCertEntry") {
		t.Errorf("Java reads %s, %v", out, err)
	}
}

func FuzzParseAWSHost(f *testing.F) {
	f.Add("cognito-idp.eu-west-1.amazonaws.com")
	f.Add("shop.auth.eu-west-1.amazoncognito.com")
	f.Add("a.b.auth.eu-west-1.amazoncognito.com")
	f.Add("")
	f.Fuzz(func(t *testing.T, name string) {
		h, ok := localpool.ParseAWSHost(name)
		if !ok {
			return
		}
		back := h.Service + "." + h.Region + ".amazonaws.com"
		if h.Service == "auth" {
			back = h.Prefix + ".auth." + h.Region + ".amazoncognito.com"
		}
		if back != name || !fs.ValidPath(name) {
			t.Errorf("ParseAWSHost(%q) = %+v", name, h)
		}
	})
}
