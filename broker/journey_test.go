package broker_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/broker"
)

func get(t *testing.T, target string, into any) {
	t.Helper()
	r, err := http.Get(target)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(into); err != nil || r.StatusCode != 200 || r.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("%s: %d, %v, %v", target, r.StatusCode, err, r.Header)
	}
}

// TestJourney: a client registers, has somebody sign in and agree, and gets tokens that a
// library of others verifies, for the resource alone.
func TestJourney(t *testing.T) {
	s := newSite(t, func(c *broker.Config) { c.Algorithm = "" })
	var metadata, openid map[string]any
	get(t, s.url+"/.well-known/oauth-authorization-server", &metadata)
	get(t, s.url+"/.well-known/openid-configuration", &openid)
	if metadata["issuer"] != s.url || metadata["registration_endpoint"] != s.url+"/oauth/register" || openid["token_endpoint"] != metadata["token_endpoint"] {
		t.Errorf("%v", metadata)
	}
	client := s.registered()
	page := s.open(s.request(client, nil))
	for _, want := range []string{"&lt;b&gt;Agent&lt;/b&gt;", "a program on this computer", "Documents", "docs/read", "bob@example.com", "Do not allow"} {
		if !strings.Contains(page.Body, want) {
			t.Errorf("the page does not say %q: %s", want, page.Body)
		}
	}
	if policy := page.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") || page.Header.Get("X-Frame-Options") != "DENY" || !strings.Contains(policy, "form-action 'self' http://127.0.0.1:") {
		t.Errorf("policy %q", policy)
	}
	if got := s.answer(page, "deny"); got.Get("error") != "access_denied" || got.Get("state") != "s t" || got.Has("code") {
		t.Errorf("no: %v", got)
	}
	got := s.tokens(client)
	if got.Scope != "docs/read" || got.Expires != 600 {
		t.Errorf("%+v", got)
	}
	parsed, err := jwt.ParseSigned(got.Access, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		t.Fatal(err)
	}
	var keys jose.JSONWebKeySet
	get(t, metadata["jwks_uri"].(string), &keys)
	var claims struct {
		jwt.Claims
		Client string   `json:"client_id"`
		Scope  string   `json:"scope"`
		Groups []string `json:"groups"`
	}
	if err := parsed.Claims(keys, &claims); err != nil || claims.Issuer != s.url || !slices.Equal(claims.Audience, jwt.Audience{s.resource}) ||
		claims.Client != client || claims.Scope != "docs/read" || !slices.Equal(claims.Groups, []string{"editors"}) || claims.Subject == "" || claims.ID == "" ||
		parsed.Headers[0].ExtraHeaders[jose.HeaderType] != "at+jwt" {
		t.Errorf("%v: %+v, %+v", err, claims, parsed.Headers)
	}
	status, id := s.call(got.Access)
	if status != 200 || id.Subject != claims.Subject || id.Email != "bob@example.com" || !id.InGroup("editors") || !id.HasScope("docs/read") || id.HasScope("docs/write") || id.ClientID != client || id.Method != "bearer" {
		t.Errorf("%d %+v", status, id)
	}
	status, next := s.refresh(got.Refresh, client, url.Values{"resource": {s.resource}, "scope": {"docs/read"}})
	if status != 200 || next.Refresh == got.Refresh || next.Access == got.Access {
		t.Errorf("refresh: %d %+v", status, next)
	}
	if status, _ := s.call(next.Access); status != 200 {
		t.Errorf("refreshed: %d", status)
	}
	s.later(11 * time.Minute)
	if status, _ := s.call(next.Access); status != 401 {
		t.Errorf("an expired token: %d", status)
	}
	if status, _ := s.post("revoke", url.Values{"token": {next.Refresh}, "client_id": {client}}); status != 200 {
		t.Errorf("revoke: %d", status)
	}
	if status, got := s.refresh(next.Refresh, client, nil); status != 400 || got.Error != "invalid_grant" {
		t.Errorf("revoked: %d %+v", status, got)
	}
	if strings.Contains(s.log.String(), got.Access) || strings.Contains(s.log.String(), got.Refresh) {
		t.Error("a token is in the log")
	}
}

// TestS691_ConsentEachTime: being signed in agrees to nothing, for nobody; and an answer is
// the person's own.
func TestS691_ConsentEachTime(t *testing.T) {
	s := newSite(t, nil)
	s.tokens("fixed")
	for _, client := range []string{"fixed", "other", s.registered()} {
		page := s.open(s.request(client, nil))
		if _, asked := page.Form("question"); !asked {
			t.Errorf("%s rides on a sign-in: %s", client, page.URL)
		}
	}
	page := s.open(s.request("other", nil))
	form, _ := page.Form("question")
	question := form.Values.Get("question")
	post := func(values url.Values, header http.Header) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "POST", s.url+"/oauth/consent", strings.NewReader(values.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = header
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer, err := s.browser.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		select {
		case got := <-s.arrived:
			t.Errorf("%v: the client is told %v", header, got)
		default:
		}
		return answer.StatusCode
	}
	yes := url.Values{"question": {question}, "answer": {"allow"}}
	for site, want := range map[string]int{"cross-site": 403, "same-site": 403} {
		if status := post(yes, http.Header{"Sec-Fetch-Site": {site}}); status != want {
			t.Errorf("another site's page: %d", status)
		}
	}
	for _, other := range []string{"", "x", question + "x", s.brokers[0].Keys.Seal("broker consent", []byte(`{}`), nil)} {
		if status := post(url.Values{"question": {other}, "answer": {"allow"}}, http.Header{"Sec-Fetch-Site": {"same-origin"}}); status != 400 {
			t.Errorf("another question: %d", status)
		}
	}
	s.later(11 * time.Minute)
	if status := post(yes, http.Header{"Sec-Fetch-Site": {"same-origin"}}); status != 400 {
		t.Errorf("too late: %d", status)
	}
	// Somebody else's session, and the same person's other one.
	for _, user := range []string{"alice@example.com", "bob@example.com"} {
		form, _ := s.open(s.request("other", nil)).Form("question")
		before := s.browser
		s.browser = newBrowser(t)
		s.browser.SignIn(s.url+"/auth/login", user, password)
		if status := post(url.Values{"question": form.Values["question"], "answer": {"allow"}}, http.Header{"Sec-Fetch-Site": {"same-origin"}}); status != 400 {
			t.Errorf("the question of another session, as %s: %d", user, status)
		}
		s.browser = before
	}
	// A token agrees to nothing.
	access := s.tokens("fixed").Access
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.request("fixed", nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+access)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != 401 {
		t.Errorf("with a token: %d", answer.StatusCode)
	}
}

// signOut has the person sign out.
func (s *site) signOut() {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), "POST", s.url+"/auth/logout", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Accept", "application/json")
	answer, err := s.browser.Client.Do(r)
	if err != nil || answer.StatusCode != 200 {
		s.t.Fatalf("%v, %v", answer, err)
	}
	_ = answer.Body.Close()
}

// TestS695_EverythingEnds with the session, the account, the client, or what was agreed to,
// on every process, within a second.
func TestS695_EverythingEnds(t *testing.T) {
	for name, end := range map[string]func(s *site, client string, got tokens){
		"sign-out": func(s *site, _ string, _ tokens) {
			s.signOut()
		},
		"a mark": func(s *site, _ string, got tokens) {
			_, id := s.call(got.Access)
			for _, auth := range s.auths {
				if err := auth.NotBefore(t.Context(), id.Subject, time.Now().Add(time.Second)); err != nil {
					t.Fatal(err)
				}
			}
		},
		"a session that is stale": func(s *site, _ string, got tokens) {
			_, id := s.call(got.Access)
			n, err := s.sessions.MarkStale(t.Context(), s.pool, id.Subject)
			if n != 1 || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
		},
		"the client": func(s *site, client string, _ tokens) {
			if err := s.brokers[0].EndClient(t.Context(), client); err != nil {
				t.Fatal(err)
			}
		},
		"all of a person's": func(s *site, _ string, got tokens) {
			_, id := s.call(got.Access)
			if n, err := s.brokers[0].EndPerson(t.Context(), id.Subject); n != 1 || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
		},
		"revoked by its access token": func(s *site, client string, got tokens) {
			if status, _ := s.post("revoke", url.Values{"token": {got.Access}, "client_id": {client}}); status != 200 {
				t.Fatal(status)
			}
		},
	} {
		// Whatever asks first, and wherever: it is what finds out.
		for which, first := range map[string]func(*site, string, tokens){
			"an access token": func(s *site, _ string, got tokens) {
				for range 2 {
					if id, err := s.brokers[1].Issued(s.resource)(t.Context(), got.Access); !errors.Is(err, codegrant.ErrInvalid) {
						t.Errorf("the access token opens the resource: %+v, %v", id, err)
					}
				}
			},
			"the refresh token": func(s *site, client string, got tokens) {
				if status, again := s.refresh(got.Refresh, client, nil); status/100 != 4 || again.Error == "" || again.Access != "" {
					t.Errorf("the refresh token is taken: %d %+v", status, again)
				}
			},
		} {
			t.Run(name+", then "+which, func(t *testing.T) {
				s := newSite(t, nil)
				client := s.registered()
				got := s.tokens(client)
				if status, _ := s.call(got.Access); status != 200 {
					t.Fatal(status)
				}
				end(s, client, got)
				s.later(time.Second)
				first(s, client, got)
				if status, _ := s.call(got.Access); status != 401 {
					t.Errorf("the access token opens the resource: %d", status)
				}
				if status, again := s.refresh(got.Refresh, client, nil); status/100 != 4 || again.Access != "" {
					t.Errorf("the refresh token is taken: %d %+v", status, again)
				}
			})
		}
	}
	s := newSite(t, nil)
	got := s.tokens("fixed")
	s.later(25 * time.Hour)
	if status, again := s.refresh(got.Refresh, "fixed", nil); status != 400 || again.Error != "invalid_grant" {
		t.Errorf("after a day: %d %+v", status, again)
	}
}

// TestS696_Registrations cost nothing, and end unused.
func TestS696_Registrations(t *testing.T) {
	s := newSite(t, nil)
	client := s.registered()
	if n := s.records(); n != 0 {
		t.Errorf("%d records of strangers", n)
	}
	s.later(25 * time.Hour)
	if page := s.browser.Open(s.request(client, nil)); page.Status != 400 || !strings.Contains(page.Body, "Have it register again") {
		t.Errorf("unused for a day: %d %s", page.Status, page.Body)
	}
	client = s.registered()
	s.tokens(client)
	s.later(48 * time.Hour)
	if page := s.open(s.request(client, nil)); page.Status != 200 {
		t.Errorf("used: %d %s", page.Status, page.Body)
	}
	s.later(90 * 24 * time.Hour)
	if page := s.browser.Open(s.request(client, nil)); page.Status != 400 {
		t.Errorf("unused for long: %d", page.Status)
	}
	limited := newSite(t, func(c *broker.Config) { c.Wait = nil })
	statuses := make(map[int]int)
	for range 60 {
		status, _ := limited.register(`{"redirect_uris":["http://localhost/cb"]}`)
		statuses[status]++
	}
	if statuses[201] != 40 || statuses[429] != 20 { // two processes, each of which counts
		t.Errorf("%v", statuses)
	}
}

// flood has a stranger register 10,000 times, and then somebody else, who is served.
func flood(t *testing.T, s *site) {
	t.Helper()
	register := s.brokers[0].Handlers()["/oauth/register"]
	for i := range 10_000 {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/oauth/register", strings.NewReader(`{"redirect_uris":["http://127.0.0.1/callback"]}`))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if register.ServeHTTP(w, r); w.Code != http.StatusCreated {
			t.Fatalf("registration %d: %d %s", i, w.Code, w.Body)
		}
	}
	s.tokens(s.registered())
	if n := s.records(); n != 2 {
		t.Errorf("%d records, want that of the client that is used and that of its grant", n)
	}
}

// TestS696_AStrangerRegisters: 10,000 times, which is of no room in memory, in Redis and in a
// database; and neither those who have registered before nor those who come after notice.
// Where registrations are counted, as they are by default, the stranger alone has to wait.
func TestS696_AStrangerRegisters(t *testing.T) {
	test := func(t *testing.T) {
		s := newSite(t, nil)
		before := s.registered()
		flood(t, s)
		s.tokens(before)
		if n := s.records(); n != 4 {
			t.Errorf("%d records of two clients that are used, want 4", n)
		}
	}
	t.Run("memory", test)
	on(t, map[string]func(*testing.T){"flood": test})
	t.Run("counted", func(t *testing.T) {
		s := newSite(t, func(c *broker.Config) { c.Wait = nil })
		register := s.brokers[0].Handlers()["/oauth/register"]
		statuses := make(map[string]map[int]int)
		for _, from := range slices.Concat(slices.Repeat([]string{"192.0.2.1"}, 10_000), []string{"192.0.2.2"}) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/oauth/register", strings.NewReader(`{"redirect_uris":["http://127.0.0.1/callback"]}`))
			r.Header.Set("Content-Type", "application/json")
			r.RemoteAddr = from + ":1234"
			w := httptest.NewRecorder()
			register.ServeHTTP(w, r)
			if statuses[from] == nil {
				statuses[from] = make(map[int]int)
			}
			statuses[from][w.Code]++
		}
		if stranger, other := statuses["192.0.2.1"], statuses["192.0.2.2"]; stranger[201] > 100 || stranger[201]+stranger[429] != 10_000 || other[201] != 1 {
			t.Errorf("the stranger: %v, somebody else: %v", stranger, other)
		}
	})
}

func TestRegistrationRefuses(t *testing.T) {
	s := newSite(t, nil)
	for metadata, want := range map[string]string{
		`{}`: "invalid_redirect_uri", `[]`: "invalid_client_metadata", ``: "invalid_client_metadata",
		`{"redirect_uris":["https://evil.example.org/cb"]}`:                                          "invalid_redirect_uri",
		`{"redirect_uris":["https://example.com/cb"]}`:                                               "invalid_redirect_uri",
		`{"redirect_uris":["https://badexample.com/cb"]}`:                                            "invalid_redirect_uri",
		`{"redirect_uris":["https://a.example.com:8443/cb"]}`:                                        "invalid_redirect_uri",
		`{"redirect_uris":["http://a.example.com/cb"]}`:                                              "invalid_redirect_uri",
		`{"redirect_uris":["http://localhost.example.org/cb"]}`:                                      "invalid_redirect_uri",
		`{"redirect_uris":["http://127.0.0.2/cb"]}`:                                                  "invalid_redirect_uri",
		`{"redirect_uris":["javascript:alert(1)"]}`:                                                  "invalid_redirect_uri",
		`{"redirect_uris":["cursor://x/cb"]}`:                                                        "invalid_redirect_uri",
		`{"redirect_uris":["https://claude.ai/cb#x"]}`:                                               "invalid_redirect_uri",
		`{"redirect_uris":["https://claude.ai@evil.example.org/cb"]}`:                                "invalid_redirect_uri",
		`{"redirect_uris":["https://claude.ai\\@evil.example.org/cb"]}`:                              "invalid_redirect_uri",
		`{"redirect_uris":["//claude.ai/cb"]}`:                                                       "invalid_redirect_uri",
		`{"redirect_uris":["https://claude.ai/cb"],"grant_types":["client_credentials"]}`:            "invalid_client_metadata",
		`{"redirect_uris":["https://claude.ai/cb"],"response_types":["token"]}`:                      "invalid_client_metadata",
		`{"redirect_uris":["https://claude.ai/` + strings.Repeat("x", 600) + `"]}`:                   "invalid_redirect_uri",
		`{"redirect_uris":["https://claude.ai/cb"],"x":"` + strings.Repeat("x", 17<<10) + `"}`:       "invalid_client_metadata",
		`{"redirect_uris":["http://localhost/` + strings.Repeat(`x","http://localhost/`, 11) + `"]}`: "invalid_redirect_uri",
	} {
		if status, got := s.register(metadata); status != 400 || got["error"] != want {
			t.Errorf("%.90s: %d %v", metadata, status, got)
		}
	}
	for _, metadata := range []string{
		`{"redirect_uris":["https://claude.ai/api/cb"]}`, `{"redirect_uris":["https://a.b.example.com/cb?x=1"]}`, `{"redirect_uris":["http://[::1]/cb"],"grant_types":["authorization_code","refresh_token"]}`,
	} {
		if status, got := s.register(metadata); status != 201 {
			t.Errorf("%s: %d %v", metadata, status, got)
		}
	}
}
