package e2e

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/e2e/axe"
	"github.com/codegrant/codegrant/e2e/browser"
	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/localpool"
)

// brand is a design with a logo and an accent that is nobody's default.
var brand = pages.Design{
	Name: "Acme", Logo: []byte(`<svg xmlns="http://www.w3.org/2000/svg" width="96" height="24" viewBox="0 0 96 24"><rect width="96" height="24" rx="4" fill="#7a1fa2"/></svg>`),
	Light: pages.Colors{Accent: "#7a1fa2"},
}

// startPages serves every page that people may see, by its number, in both looks.
func startPages(t *testing.T) (site string, names []string) {
	t.Helper()
	branded, err := pages.New(brand)
	if err != nil {
		t.Fatal(err)
	}
	all := pages.Examples()
	for i, v := range all {
		names = append(names, fmt.Sprintf("%02d %s", i, strings.TrimPrefix(fmt.Sprintf("%T", v), "pages.")))
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(r.URL.Query().Get("page"))
		if err != nil || n < 0 || n >= len(all) {
			http.NotFound(w, r)
			return
		}
		look := (*pages.Look)(nil)
		if r.URL.Query().Has("brand") {
			look = branded
		}
		look.Render(w, r, http.StatusOK, all[n])
	}))
	t.Cleanup(server.Close)
	return server.URL, names
}

// TestPagesAreAccessible has axe-core look at every page, on a phone and at a desk, in the
// light and in the dark, with and without a design.
func TestPagesAreAccessible(t *testing.T) {
	look := axe.New(t)
	site, names := startPages(t)
	for theme, setting := range map[string]string{"light": "preferredColorScheme=1", "dark": "preferredColorScheme=0"} {
		t.Run(theme, func(t *testing.T) {
			b := browser.New(t, map[string]any{"blink-settings": setting})
			for _, width := range []int64{390, 1200} {
				b.Size(width, 900)
				for _, query := range []string{"", "&brand"} {
					for i, name := range names {
						b.Open(fmt.Sprintf("%s/?page=%d%s", site, i, query))
						fits(t, b, name)
						look.Check(t, b, fmt.Sprintf("%s%s, %s, %d px", name, query, theme, width))
						b.Screenshot(fmt.Sprintf("%s%s %s %d", name, query, theme, width))
					}
				}
			}
		})
	}
}

// TestPagesFitInEveryLanguage: words of other languages are longer, and break elsewhere.
func TestPagesFitInEveryLanguage(t *testing.T) {
	site, names := startPages(t)
	b := browser.New(t)
	b.Size(390, 844)
	for _, tag := range pages.Languages {
		for i, name := range names {
			b.Open(fmt.Sprintf("%s/?page=%d&lang=%s", site, i, tag))
			fits(t, b, fmt.Sprintf("%s in %s", name, tag))
		}
		b.Screenshot("account in " + tag.String())
	}
}

// TestPoolPagesFit: the local pool's pages with texts that have no spaces, the key of an
// authenticator app and the names of a SAML provider's claims, fit on a phone.
func TestPoolPagesFit(t *testing.T) {
	seed, err := localpool.ParseSeed([]byte(`
pools:
  - id: local_Wide1
    mfa: ON
    clients: [{id: app, callback_urls: ["http://localhost:8080/cb"]}]
    users: [{username: carol, email: carol@example.com, password: Passw0rd!}]
`))
	if err != nil {
		t.Fatal(err)
	}
	var pool *localpool.Server
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { pool.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	if pool, err = localpool.New(localpool.Config{Seed: seed, BaseURL: server.URL, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	poolCall(t, server.URL, "CreateIdentityProvider", `{"UserPoolId":"local_Wide1","ProviderName":"Staff","ProviderType":"SAML","ProviderDetails":{"MetadataURL":"https://idp.example/metadata"},"AttributeMapping":{"email":"http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"}}`)
	poolCall(t, server.URL, "UpdateUserPoolClient", `{"UserPoolId":"local_Wide1","ClientId":"app","CallbackURLs":["http://localhost:8080/cb"],"AllowedOAuthFlows":["code"],"AllowedOAuthScopes":["openid"],"AllowedOAuthFlowsUserPoolClient":true,"SupportedIdentityProviders":["COGNITO","Staff"]}`)
	q := url.Values{"client_id": {"app"}, "response_type": {"code"}, "redirect_uri": {"http://localhost:8080/cb"}, "scope": {"openid"}}
	b := browser.New(t)
	b.Size(390, 844)
	b.Open(server.URL + "/login?" + q.Encode())
	fits(t, b, "the login page")
	b.Fill("#username", "carol")
	b.Fill("#password", "Passw0rd!")
	b.Click("form button")
	b.See("Set up an authenticator app")
	fits(t, b, "the page of an authenticator app")
	q.Set("identity_provider", "Staff")
	b.Open(server.URL + "/idp?" + q.Encode())
	b.See("Sign in with Staff")
	fits(t, b, "the page in place of a SAML provider")

	// The pool's own pages, whose tables scroll by keyboard.
	poolCall(t, server.URL, "ForgotPassword", `{"ClientId":"app","Username":"carol"}`)
	for _, page := range []struct {
		path   string
		tables bool
	}{{"/", true}, {"/codes", true}, {"/setup", false}} {
		b.Open(server.URL + page.path)
		fits(t, b, page.path)
		reached := !page.tables
		for i := 0; i < 100 && !reached; i++ {
			b.Press("\t")
			reached = b.Eval("String(document.activeElement.classList.contains('scroll'))") == "true"
		}
		if !reached {
			t.Errorf("%s: the keyboard does not reach a table", page.path)
		}
	}
}

func poolCall(t *testing.T, base, operation, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if answer, _ := io.ReadAll(a.Body); a.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", operation, answer)
	}
}

func fits(t *testing.T, b *browser.Browser, name string) {
	t.Helper()
	if wide := b.Eval("String(Math.max(0, document.documentElement.scrollWidth - window.innerWidth))"); wide != "0" {
		t.Errorf("%s is %s px wider than the window", name, wide)
	}
}
