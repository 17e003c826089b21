package serve

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
)

// TestPoliciesOfARunningGateway: Cedar lets people through and refuses them by their group,
// a changed file counts without a restart, and one that is wrong changes nothing.
func TestPoliciesOfARunningGateway(t *testing.T) {
	g := newGate(t, `
cedar: {namespace: Shop, policies: [shop.cedar]}
routes:
  - {path: /orders, cedar: true, upstream: "${UP}"}
`)
	policy := func(groups ...string) string {
		var text strings.Builder
		for _, group := range groups {
			fmt.Fprintf(&text, "@id(%q) permit (principal in Shop::UserGroup::\"%s|%s\", action == Shop::Action::\"get /orders\", resource);\n", group+" read", g.pool.PoolID, group)
		}
		return text.String()
	}
	g.writeFile("shop.cedar", policy("analysts"))
	g.start()
	alice, bob := codegranttest.NewBrowser(t), codegranttest.NewBrowser(t)
	if page := alice.SignIn(g.url+"/orders/1", "alice@example.com", codegranttest.Password); page.Status != http.StatusOK {
		t.Fatalf("whom a policy permits: %d %s", page.Status, page.Body)
	}
	if page := bob.SignIn(g.url+"/orders/1", "bob@example.com", codegranttest.Password); page.Status != http.StatusForbidden || !strings.Contains(page.Body, "Not allowed") {
		t.Errorf("whom none permits: %d %s", page.Status, page.Body)
	}
	g.logged("request refused", "no policy permits it")
	response, err := alice.Client.Post(g.url+"/orders/1", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	if response.Body.Close(); response.StatusCode != http.StatusForbidden {
		t.Errorf("an action that none permits: %d", response.StatusCode)
	}
	g.writeFile("shop.cedar", "permit (principal, action")
	g.logged("new configuration is wrong; the old one stays", "shop.cedar")
	if status, _ := g.get(alice.Client, "/orders/1"); status != http.StatusOK {
		t.Errorf("with a file that is wrong: %d", status)
	}
	g.writeFile("shop.cedar", policy("editors"))
	g.until("the new policies count", func() bool {
		editor, _ := g.get(bob.Client, "/orders/1")
		analyst, _ := g.get(alice.Client, "/orders/1")
		return editor == http.StatusOK && analyst == http.StatusForbidden
	})
}

// TestNetworksOfARoute: the address is the connection's, or what a trusted proxy says.
func TestNetworksOfARoute(t *testing.T) {
	g := newGate(t, `
trusted_proxies: 127.0.0.1
routes:
  - {path: /, upstream: "${UP}"}
  - {path: /office, networks: 198.51.100.0/24, upstream: "${UP}"}
`)
	g.start()
	alice := codegranttest.NewBrowser(t)
	alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password)
	for from, want := range map[string]int{"198.51.100.7": http.StatusOK, "203.0.113.7": http.StatusForbidden, "": http.StatusForbidden} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"/office", nil)
		if err != nil {
			t.Fatal(err)
		}
		if from != "" {
			r.Header.Set("X-Forwarded-For", from)
		}
		response, err := alice.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if response.Body.Close(); response.StatusCode != want {
			t.Errorf("from %q: %d, want %d", from, response.StatusCode, want)
		}
	}
}

// TestLanguagesOfTheGateway: by ui_locales before Accept-Language, and English else.
func TestLanguagesOfTheGateway(t *testing.T) {
	g := newGate(t, oneUpstream)
	g.start()
	for _, tt := range []struct{ query, accepts, language string }{
		{"", "ko-KR,ko;q=0.9", "ko"}, {"?ui_locales=xx+it", "ko", "it"}, {"?lang=pt&ui_locales=it", "", "pt"}, {"", "sv", "en"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"/auth/nothing"+tt.query, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Accept-Language", tt.accepts)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if response.Body.Close(); response.Header.Get("Content-Language") != tt.language || response.StatusCode != http.StatusNotFound {
			t.Errorf("%s, %q: %d in %s, want %s", tt.query, tt.accepts, response.StatusCode, response.Header.Get("Content-Language"), tt.language)
		}
	}
}
