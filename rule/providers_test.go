package rule_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/rule"
)

// TestProviders: the domain of the address chooses, and what a link names goes before it.
func TestProviders(t *testing.T) {
	choose, err := rule.Providers(map[string]rule.Provider{"acme.example": {Name: "AcmeSAML"}, "bücher.example": {Identifier: "books"}})
	if err != nil {
		t.Fatal(err)
	}
	pool := codegranttest.NewPool(t, nil)
	app := pool.App(func(c codegrant.Config) http.Handler {
		c.ProviderFor = choose
		auth, err := codegrant.New(c)
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		auth.Mount(mux, "/auth")
		return mux
	})
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for _, tt := range []struct{ query, name, identifier string }{
		{"login_hint=ann@acme.example", "AcmeSAML", ""},
		{"login_hint=ann@ACME.example", "AcmeSAML", ""},
		{"login_hint=ann@xn--bcher-kva.example", "", "books"},
		{"login_hint=ann@sub.acme.example", "", ""},
		{"login_hint=ann@other.example", "", ""},
		{"login_hint=acme.example", "", ""},
		{"login_hint=" + url.QueryEscape("ann@other.example@acme.example"), "", ""},
		{"login_hint=ann@acme.example&identity_provider=Google", "Google", ""},
		{"login_hint=ann@acme.example&idp_identifier=x", "", "x"},
		{"", "", ""},
	} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", app+"/auth/login?"+tt.query, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/html")
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		at, err := response.Location()
		if err != nil {
			t.Fatal(response.Status, err)
		}
		if q := at.Query(); q.Get("identity_provider") != tt.name || q.Get("idp_identifier") != tt.identifier {
			t.Errorf("%s leads to %s", tt.query, at)
		}
	}
	for _, faulty := range []map[string]rule.Provider{
		{"acme": {}}, {"acme.example": {}}, {"acme.example": {Name: "a", Identifier: "b"}}, {"@": {Name: "a"}}, {"acme.example": {Name: "a"}, "ACME.example": {Name: "b"}},
	} {
		if _, err := rule.Providers(faulty); err == nil || strings.TrimSpace(err.Error()) == "" {
			t.Errorf("%v is taken", faulty)
		}
	}
}
