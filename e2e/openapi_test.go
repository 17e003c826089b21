package e2e

import (
	"bytes"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/organization"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// TestOpenAPI holds docs/openapi.yaml against a running service: each answer is one that
// the file describes, and each operation and status of the file was seen, or is listed
// here with the reason why not.
func TestOpenAPI(t *testing.T) {
	text, err := os.ReadFile("../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	servers := regexp.MustCompile(`(?s)servers:\n.*?\ntags:`)
	document, err := libopenapi.NewDocument(servers.ReplaceAll(text, []byte("servers:\n  - url: /auth\ntags:")))
	if err != nil {
		t.Fatal(err)
	}
	check, errs := validator.NewValidator(document)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if ok, faults := check.ValidateDocument(); !ok {
		for _, f := range faults {
			t.Errorf("docs/openapi.yaml: %s: %s", f.Message, f.Reason)
			for _, detail := range f.SchemaValidationErrors {
				t.Errorf("%s: %s", detail.FieldPath, detail.Reason)
			}
		}
		t.FailNow()
	}

	pool := codegranttest.NewPool(t, nil)
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	users, acting := organizations(t)
	auth, err := codegrant.New(codegrant.Config{
		Pool: pool.Register(server.URL), BaseURL: server.URL, AcceptTokens: true, TrustedOrigins: []string{"https://www.example.com"},
		Replica: users, Organization: acting.Active,
	})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := organization.NewPages(organization.PagesConfig{Auth: auth, Store: acting, People: users})
	if err != nil {
		t.Fatal(err)
	}
	g, err := gateway.New(gateway.Config{
		Tenants:        []gateway.Tenant{{Name: "demo", Auth: auth, Organization: pages}},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Routes:         []gateway.Route{{Path: "/", Files: os.DirFS(t.TempDir())}},
	})
	if err != nil {
		t.Fatal(err)
	}
	handler = g

	seen := make(map[string]bool)
	watched := watch(func(r *http.Request, response *http.Response) {
		operation, ours := strings.CutPrefix(r.URL.Path, "/auth")
		if !ours || response.StatusCode == http.StatusMethodNotAllowed { // which no operation is about
			return
		}
		seen[r.Method+" "+operation+" "+response.Status[:3]] = true
		if r.Method == http.MethodHead {
			return
		}
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		response.Body = io.NopCloser(bytes.NewReader(body))
		if ok, faults := check.ValidateHttpResponse(r, response); !ok {
			for _, f := range faults {
				t.Errorf("%s %s, %s: %s: %s", r.Method, operation, response.Status, f.Message, f.Reason)
			}
		}
		response.Body = io.NopCloser(bytes.NewReader(body))
	})
	person := codegranttest.NewBrowser(t)
	person.Client.Transport = watched
	person.SignIn(server.URL+"/auth/login", "alice@example.com", codegranttest.Password)
	own := func(name, role string) organization.Organization {
		t.Helper()
		o, err := acting.Create(t.Context(), name, "a test")
		if err != nil {
			t.Fatal(err)
		}
		all, err := users.UsersByEmail(t.Context(), pool.Clients()[0].Issuer, "alice@example.com")
		if err == nil && len(all) == 1 {
			err = acting.Set(t.Context(), o.ID, all[0].ID, role, "a test")
		}
		if err != nil {
			t.Fatal(all, err)
		}
		return o
	}
	acme, other := own("Acme", "admin"), own("Other", "member")
	person.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	stranger := &http.Client{CheckRedirect: person.Client.CheckRedirect, Transport: watched}

	type call struct {
		who          *http.Client
		method, path string
		status       int
		header       http.Header
		body         string
	}
	asks := func(uri string) http.Header {
		return http.Header{"X-Forwarded-Method": {"GET"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {strings.TrimPrefix(server.URL, "http://")}, "X-Forwarded-Uri": {uri}}
	}
	page := http.Header{"Accept": {"text/html"}}
	script := http.Header{"Accept": {"application/json"}}
	form := http.Header{"Accept": {"application/json"}, "Content-Type": {"application/x-www-form-urlencoded"}}
	formOfPage := http.Header{"Accept": {"text/html"}, "Content-Type": {"application/x-www-form-urlencoded"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Site": {"same-origin"}}
	tokens := http.Header{"Content-Type": {"application/json"}}
	calls := []call{
		{stranger, "GET", "/login?redirect_uri=/reports", 302, page, ""},
		{stranger, "GET", "/login", 401, script, ""},
		{stranger, "POST", "/login", 405, nil, ""},
		{stranger, "GET", "/callback?code=1&state=2", 400, page, ""},
		{stranger, "GET", "/callback?code=1&state=2", 400, script, ""},
		{stranger, "GET", "/callback", 400, page, ""},
		{stranger, "DELETE", "/callback", 405, nil, ""},
		{stranger, "GET", "/user", 401, script, ""},
		{stranger, "GET", "/user", 401, http.Header{"Authorization": {"Bearer no.such.token"}}, ""},
		{person.Client, "GET", "/user", 200, script, ""},
		{person.Client, "HEAD", "/user", 200, nil, ""},
		{stranger, "HEAD", "/user", 401, nil, ""},
		{person.Client, "PUT", "/user", 405, nil, ""},
		{stranger, "GET", "/flash", 204, http.Header{"Sec-Fetch-Site": {"same-origin"}}, ""},
		{stranger, "POST", "/flash", 405, nil, ""},
		{stranger, "POST", "/session", 400, tokens, `{"id_token": "a"}`},
		{stranger, "POST", "/session", 401, tokens, `{"id_token": "a", "access_token": "b"}`},
		{stranger, "POST", "/session", 415, nil, `id_token=a`},
		{stranger, "POST", "/session", 413, tokens, `{"id_token": "` + strings.Repeat("a", 12<<20) + `"}`},
		{person.Client, "POST", "/session", 403, http.Header{"Content-Type": {"application/json"}, "Origin": {"https://other.example"}, "Sec-Fetch-Site": {"cross-site"}}, `{}`},
		{stranger, "PUT", "/session", 405, nil, ""},
		{stranger, "OPTIONS", "/session", 204, http.Header{"Origin": {"https://www.example.com"}, "Access-Control-Request-Method": {"POST"}}, ""},
		{stranger, "GET", "/step-up?acr_values=2&redirect_uri=/reports", 200, page, ""},
		{stranger, "HEAD", "/step-up", 200, page, ""},
		{stranger, "POST", "/step-up", 405, nil, ""},
		{person.Client, "GET", "/account", 404, script, ""},
		{person.Client, "HEAD", "/account", 404, nil, ""},
		{person.Client, "GET", "/organization", 200, script, ""},
		{person.Client, "GET", "/organization", 200, page, ""},
		{person.Client, "HEAD", "/organization", 200, nil, ""},
		{stranger, "GET", "/organization", 401, script, ""},
		{stranger, "HEAD", "/organization", 401, nil, ""},
		{stranger, "GET", "/organization", 302, page, ""},
		{stranger, "HEAD", "/organization", 302, page, ""},
		{person.Client, "POST", "/organization", 400, form, ""},
		{person.Client, "POST", "/organization", 404, form, "organization=none"},
		{person.Client, "POST", "/organization", 409, form, "leave=" + acme.ID},
		{person.Client, "POST", "/organization", 200, form, "organization=" + acme.ID},
		{person.Client, "POST", "/organization", 303, formOfPage, "leave=" + other.ID},
		{person.Client, "POST", "/organization", 403, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {"https://other.example"}, "Sec-Fetch-Site": {"cross-site"}}, "leave=" + acme.ID},
		{stranger, "POST", "/organization", 401, form, ""},
		{person.Client, "DELETE", "/organization", 405, nil, ""},
		{person.Client, "GET", "/user", 200, script, ""},
		{stranger, "GET", "/sessions", 401, script, ""},
		{person.Client, "GET", "/sessions", 200, script, ""},
		{person.Client, "GET", "/sessions", 200, page, ""},
		{person.Client, "HEAD", "/sessions", 200, nil, ""},
		{person.Client, "POST", "/sessions", 400, form, ""},
		{person.Client, "POST", "/sessions", 404, form, "end=nothing"},
		{person.Client, "POST", "/sessions", 200, form, "end=others"},
		{person.Client, "POST", "/sessions", 403, http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Origin": {"https://other.example"}, "Sec-Fetch-Site": {"cross-site"}}, "end=others"},
		{person.Client, "POST", "/sessions", 303, formOfPage, "end=others"},
		{stranger, "HEAD", "/sessions", 401, nil, ""},
		{stranger, "POST", "/sessions", 401, form, "end=others"},
		{person.Client, "DELETE", "/sessions", 405, nil, ""},
		{stranger, "GET", "/check", 403, nil, ""},
		{stranger, "GET", "/check", 401, asks("/reports"), ""},
		{stranger, "GET", "/check", 302, func() http.Header { h := asks("/reports"); h.Set("Accept", "text/html"); return h }(), ""},
		{person.Client, "GET", "/check", 200, asks("/reports"), ""},
		{person.Client, "GET", "/check?group=nobody", 403, asks("/reports"), ""},
		{stranger, "GET", "/.well-known/jwks.json", 404, nil, ""},
		{person.Client, "GET", "/logout", 200, http.Header{"Accept": {"text/html"}, "Sec-Fetch-Site": {"cross-site"}}, ""},
		{person.Client, "POST", "/logout", 200, script, ""},
		{person.Client, "POST", "/logout", 303, page, ""},
		{person.Client, "GET", "/logout", 303, http.Header{"Accept": {"text/html"}, "Sec-Fetch-Site": {"none"}}, ""},
		{person.Client, "DELETE", "/logout", 405, nil, ""},
	}
	for _, c := range calls {
		r, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+"/auth"+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range c.header {
			r.Header[name] = slices.Clone(values)
		}
		response, err := c.who.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if response.StatusCode != c.status {
			t.Errorf("%s %s: status %d, want %d: %s", c.method, c.path, response.StatusCode, c.status, body)
		}
	}
	model, err := document.BuildV3Model()
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range model.Model.Paths.PathItems.FromOldest() {
		for method, operation := range item.GetOperations().FromOldest() {
			for status := range operation.Responses.Codes.FromOldest() {
				what := strings.ToUpper(method) + " " + path + " " + status
				if _, listed := notAsked(what); seen[what] == listed {
					t.Errorf("%s: seen %t, listed as one that this test cannot cause %t", what, seen[what], listed)
				}
			}
		}
	}
}

// notAsked says why an answer of the file is not caused above.
func notAsked(what string) (reason string, listed bool) {
	switch {
	case strings.HasSuffix(what, " 431"), strings.HasSuffix(what, " 503"), strings.HasSuffix(what, " 429"):
		return "other tests flood, and take stores and pools away", true
	}
	reason, listed = map[string]string{
		"GET /login 400":                 "TestS039_SignInsWithoutResult",
		"GET /callback 200":              "TestSameSiteStrict",
		"GET /callback 302":              "links of the Python package",
		"GET /flash 200":                 "TestTriggerErrorThroughThePool",
		"POST /session 201":              "TestHandOver",
		"POST /session 404":              "TestHandOver, where it is off",
		"OPTIONS /session 404":           "the same",
		"GET /sessions 403":              "TestS062_S585_SessionsOfOnesOwn, with a token",
		"HEAD /sessions 403":             "the same",
		"POST /sessions 409":             "TestS585_OthersInCookies, where browsers carry sessions",
		"GET /organization 403":          "TestS746_SwitchedWithoutThePool, for whoever acts for somebody",
		"HEAD /organization 403":         "the same",
		"GET /organization 404":          "where they are off",
		"HEAD /organization 404":         "the same",
		"GET /account 200":               "TestS710_Profile, where the pages are turned on",
		"GET /account 302":               "the same",
		"GET /account 401":               "TestS714_WhoMayNot",
		"GET /account 403":               "the same",
		"HEAD /account 200":              "the same",
		"HEAD /account 302":              "the same",
		"HEAD /account 401":              "the same",
		"HEAD /account 403":              "the same",
		"GET /.well-known/jwks.json 200": "tests of assertions",
	}[what]
	return reason, listed
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

type watch func(*http.Request, *http.Response)

// RoundTrip implements [http.RoundTripper].
func (w watch) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		w(r, response)
	}
	return response, err
}
