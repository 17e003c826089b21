package broker_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/broker"
)

// TestS673_SchemesOfApps: an app has people come back by its own scheme where that is in
// reverse domain form and allowed, or in the configuration; the page says so, and lets the
// browser go there and to no other.
func TestS673_SchemesOfApps(t *testing.T) {
	const back = "com.example.app:/callback"
	s := newSite(t, func(c *broker.Config) {
		c.RedirectSchemes = []string{"com.example.app"}
		c.Clients = append(c.Clients, broker.Client{ID: "app", RedirectURIs: []string{"org.example.other://callback/x"}})
	})
	s.tokens("fixed") // somebody is signed in
	s.browser.Client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), s.url) || strings.HasPrefix(r.URL.String(), s.URL) {
			return nil
		}
		return http.ErrUseLastResponse
	}
	status, got := s.register(`{"client_name":"App","redirect_uris":["` + back + `"]}`)
	client, _ := got["client_id"].(string)
	if status != 201 || client == "" {
		t.Fatalf("%d %v", status, got)
	}
	for id, uri := range map[string]string{client: back, "app": "org.example.other://callback/x"} {
		scheme, _, _ := strings.Cut(uri, "/")
		page := s.open(s.request(id, url.Values{"redirect_uri": {uri}}))
		if policy := page.Header.Get("Content-Security-Policy"); page.Status != 200 || !strings.Contains(page.Body, "you continue to: "+scheme) || !strings.HasSuffix(policy, "form-action 'self' "+scheme) {
			t.Fatalf("%s: %d %s %s", uri, page.Status, page.Body, policy)
		}
		form, _ := page.Form("question")
		page = s.browser.Submit(page, form, map[string]string{"answer": "allow"})
		to, err := url.Parse(page.Header.Get("Location"))
		if err != nil || page.Status != 303 || !strings.HasPrefix(to.String(), uri+"?") || to.Query().Get("state") != "s t" || to.Query().Get("iss") != s.url {
			t.Fatalf("%s: %d to %s", uri, page.Status, page.Header.Get("Location"))
		}
		if status, got := s.redeem(to.Query().Get("code"), id, url.Values{"redirect_uri": {uri}}); status != 200 || got.Access == "" {
			t.Errorf("%s: %d %+v", uri, status, got)
		}
	}
	for _, elsewhere := range []string{"com.example.app:/other", "com.example.app://callback", "com.example.app:///callback", "com.example.app:callback", "COM.example.app:/callback", "com.example.other:/callback", back + "?x=1", back + "#x"} {
		if page := s.open(s.request(client, url.Values{"redirect_uri": {elsewhere}})); page.Status != 400 || page.Header.Get("Location") != "" {
			t.Errorf("%s: %d to %q", elsewhere, page.Status, page.Header.Get("Location"))
		}
	}
	for _, refused := range []string{
		"com.example.app.evil:/callback", "com.example:/callback", "app:/callback", "cursor://callback", "javascript:/callback", "data:/callback", "file:/callback",
		"com.example.app:callback", "com.example.app://user@callback", "com.example.app://callback:80/x", "com.example.app://CALLBACK", "com.example.app:/c#x", "com.example.app:///x",
		"Com.example.app:/callback", ".example.app:/callback", "com..app:/callback", "com.example.app.:/callback", "com.-example.app:/callback", "com.example.app:/<x>",
	} {
		if status, got := s.register(`{"redirect_uris":["` + refused + `"]}`); status != 400 || got["error"] != "invalid_redirect_uri" {
			t.Errorf("%s: %d %v", refused, status, got)
		}
	}
	// What a client that names neither scope nor resource asks for is everything, where the
	// configuration has no default.
	all := newSite(t, func(c *broker.Config) { c.Resources[0].Default = nil })
	if page := all.open(all.request("fixed", url.Values{"scope": nil, "resource": nil})); page.Status != 200 || !strings.Contains(page.Body, "docs/read") || !strings.Contains(page.Body, "docs/write") {
		t.Errorf("no scope, and no default: %d %s", page.Status, page.Body)
	}
	// Without the setting, nobody registers one.
	if status, got := newSite(t, nil).register(`{"redirect_uris":["` + back + `"]}`); status != 400 || !strings.Contains(got["error_description"].(string), "redirect_schemes") {
		t.Errorf("not allowed: %d %v", status, got)
	}
	for _, scheme := range []string{"cursor", "https", "", "com.example.app:", "Com.example.app", "com..app", "9.example", "-a.b", "com.example.app/"} {
		if err := (broker.Config{RedirectSchemes: []string{scheme}}).Check(); !strings.Contains(err.Error(), "RedirectSchemes[0]") {
			t.Errorf("%q: %v", scheme, err)
		}
	}
}
