package e2e

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/proxytest"
)

// TestS242_SharedTokensAndCloudFront: where siblings share the tokens and CloudFront serves
// files, what a check renews reaches the browser, each cookie in a line of its own, and the
// application sees none of it.
func TestS242_SharedTokensAndCloudFront(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "cloudfront.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}), 0o600); err != nil {
		t.Fatal(err)
	}
	const host = "app.localhost"
	signed := []string{"CloudFront-Key-Pair-Id", "CloudFront-Policy", "CloudFront-Signature"}
	tried := []string{"HAProxy as a reverse proxy"}
	for _, proxy := range proxytest.All() {
		if slices.Contains(tried, proxy.Example) {
			continue
		}
		tried = append(tried, proxy.Example)
		t.Run(proxy.Example, func(t *testing.T) {
			p := startGatewayAt(t, proxy, host, func(config string) string {
				return strings.Replace(config, "    client_id:", fmt.Sprintf(
					"    shared_tokens_domain: %s\n    cloudfront: {key_pair_id: K2JCJMDEHXQW5F, private_key_file: %q, resources: \"https://assets.%s/private/*\", domain: %s}\n    client_id:", host, file, host, host), 1)
			})
			b := codegranttest.NewBrowser(t)
			b.Client.Transport = &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, strings.Replace(address, host, "127.0.0.1", 1))
			}}
			t.Cleanup(b.Client.CloseIdleConnections)
			eventually(t, "the gateway answers through the proxy", func() bool {
				r, err := b.Client.Get(p.url + "/public/x")
				if err != nil {
					return false
				}
				r.Body.Close()
				return r.StatusCode == http.StatusOK
			})
			if page := b.SignIn(p.url+"/orders", "alice@example.com", codegranttest.Password); page.Status != http.StatusOK || page.URL.Path != "/orders" {
				t.Fatalf("the sign-in ended at %s with %d", page.URL, page.Status)
			}
			site, err := url.Parse(p.url)
			if err != nil {
				t.Fatal(err)
			}
			held := make(map[string]string)
			for _, c := range b.Client.Jar.Cookies(site) {
				held[c.Name] = c.Value
			}
			// Without the access token, which has ended, the tokens are refreshed in passing.
			nobody := &codegranttest.Browser{Client: &http.Client{Transport: b.Client.Transport}}
			status, header, got := p.ask(nobody, "GET", "/orders", map[string]string{"Cookie": "theirs=1; id_token=" + held["id_token"] + "; refresh_token=" + held["refresh_token"]})
			if status != http.StatusOK || got.Header.Get("X-Auth-Email") != "alice@example.com" {
				t.Fatalf("without the access token: %d %v", status, got.Header)
			}
			if seen := strings.Join(got.Header["Cookie"], "; "); seen != "theirs=1" {
				t.Errorf("the application saw the cookies %.100q", seen)
			}
			renewed := make(map[string]string)
			for _, line := range header["Set-Cookie"] {
				if cookie, err := http.ParseSetCookie(line); err != nil || renewed[cookie.Name] != "" || cookie.Domain != host {
					t.Errorf("a cookie that is none, or comes twice: %.100q", line)
				} else {
					renewed[cookie.Name] = cookie.Value
				}
			}
			for _, name := range append([]string{"access_token", "id_token"}, signed...) {
				if renewed[name] == "" {
					t.Errorf("%s does not reach the browser; these do: %q", name, header["Set-Cookie"])
				}
			}
			if cache := strings.Join(header["Cache-Control"], ", "); !strings.Contains(cache, "no-store") {
				t.Errorf("an answer with tokens is for caches: %q", cache)
			}
			// What came is a session, and all of it.
			status, header, _ = p.ask(nobody, "GET", "/orders", map[string]string{"Cookie": "access_token=" + renewed["access_token"] + "; id_token=" + renewed["id_token"] + "; refresh_token=" + held["refresh_token"] +
				"; CloudFront-Policy=" + renewed["CloudFront-Policy"] + "; CloudFront-Signature=" + renewed["CloudFront-Signature"] + "; CloudFront-Key-Pair-Id=" + renewed["CloudFront-Key-Pair-Id"]})
			if status != http.StatusOK || len(header["Set-Cookie"]) != 0 {
				t.Errorf("with what came: %d %q", status, header["Set-Cookie"])
			}
		})
	}
}
