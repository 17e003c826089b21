package broker_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/broker"
)

// TestS692_NobodyIsSentElsewhere: to no address that the client has not registered, whatever
// else is wrong; and where the address is right, the client is told what is wrong.
func TestS692_NobodyIsSentElsewhere(t *testing.T) {
	s := newSite(t, nil)
	s.tokens("fixed") // signed in from here on
	s.browser.Client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), s.url) || strings.HasPrefix(r.URL.String(), s.URL) {
			return nil
		}
		return http.ErrUseLastResponse
	}
	port := strings.TrimSuffix(strings.TrimPrefix(s.callback, "http://127.0.0.1:"), "/callback")
	for name, change := range map[string]url.Values{
		"no redirect URI":          {"redirect_uri": nil},
		"another path":             {"redirect_uri": {s.callback + "/x"}},
		"a query":                  {"redirect_uri": {s.callback + "?x"}},
		"a fragment":               {"redirect_uri": {s.callback + "#x"}},
		"another host":             {"redirect_uri": {"https://evil.example.org/callback"}},
		"user information":         {"redirect_uri": {"http://127.0.0.1:" + port + "@evil.example.org/callback"}},
		"a host behind it":         {"redirect_uri": {"http://127.0.0.1.evil.example.org/callback"}},
		"another local host":       {"redirect_uri": {"http://127.0.0.2:" + port + "/callback"}},
		"localhost for an address": {"redirect_uri": {"http://localhost:" + port + "/callback"}},
		"https for http":           {"redirect_uri": {"https://127.0.0.1:" + port + "/callback"}},
		"a script":                 {"redirect_uri": {"javascript:alert(1)"}},
		"another client's":         {"redirect_uri": {"https://other.example.com/cb"}},
		"an unknown client":        {"client_id": {"nobody"}},
		"no client":                {"client_id": nil},
		"a made-up registration":   {"client_id": {"r.AAAA"}},
		"a document at home":       {"client_id": {"https://127.0.0.1/client.json"}},
		"a document at home, too":  {"client_id": {"https://[::ffff:10.0.0.1]/client.json"}},
		"a document of no URL":     {"client_id": {"https://localhost/../x"}},
		"twice":                    {"client_id": {"fixed", "other"}},
	} {
		page := s.open(s.request("fixed", change))
		if page.Status != 400 || page.Header.Get("Location") != "" || !strings.Contains(page.Body, "This request cannot continue") {
			t.Errorf("%s: %d %s to %q: %s", name, page.Status, page.URL, page.Header.Get("Location"), page.Body)
		}
	}
	for want, change := range map[string]url.Values{
		"invalid_request":           {"code_challenge": nil},
		"invalid_request ":          {"code_challenge_method": {"plain"}},
		"invalid_request  ":         {"code_challenge_method": nil},
		"invalid_request   ":        {"code_challenge": {strings.Repeat("+", 43)}},
		"invalid_request    ":       {"response_mode": {"fragment"}},
		"invalid_request     ":      {"state": {strings.Repeat("x", 5000)}},
		"unsupported_response_type": {"response_type": {"token"}},
		"invalid_target":            {"resource": {"https://elsewhere.example.com"}},
		"invalid_target ":           {"resource": {s.resource + "/"}},
		"invalid_scope":             {"scope": {"admin"}},
		"request_not_supported":     {"request": {"x"}},
		"request_uri_not_supported": {"request_uri": {"https://evil.example.org"}},
		"consent_required":          {"prompt": {"none"}},
	} {
		page := s.open(s.request("fixed", change))
		to, err := url.Parse(page.Header.Get("Location"))
		if err != nil || page.Status != 303 || !strings.HasPrefix(to.String(), s.callback+"?") || to.Query().Get("error") != strings.TrimSpace(want) || to.Query().Has("code") || to.Query().Get("iss") != s.url {
			t.Errorf("%v: %d %s", change, page.Status, to)
		}
	}
	// Programs on the person's machine listen on any port.
	if page := s.open(s.request("fixed", url.Values{"redirect_uri": {"http://127.0.0.1:1/callback"}})); page.Status != 200 {
		t.Errorf("another port: %d %s", page.Status, page.Body)
	}
	// Without a scope and a resource, it is the usual one.
	if page := s.open(s.request("fixed", url.Values{"scope": nil, "resource": nil})); page.Status != 200 || !strings.Contains(page.Body, "docs/read") || strings.Contains(page.Body, "docs/write") {
		t.Errorf("no scope: %d %s", page.Status, page.Body)
	}
}

// TestS693_CodesAreBound to client, redirect URI, verifier and resource, and are of use once;
// whoever has one and lacks something has ended it. Used twice, they take back what they gave.
func TestS693_CodesAreBound(t *testing.T) {
	s := newSite(t, nil)
	for name, change := range map[string]url.Values{
		"another client":       {"client_id": {"other"}},
		"no client":            {"client_id": nil},
		"another redirect URI": {"redirect_uri": {"https://other.example.com/cb"}},
		"no redirect URI":      {"redirect_uri": nil},
		"another verifier":     {"code_verifier": {strings.Repeat("w", 43)}},
		"no verifier":          {"code_verifier": nil},
		"the challenge":        {"code_verifier": {challenge}},
		"another resource":     {"resource": {"https://elsewhere.example.com"}},
	} {
		code := s.code("fixed")
		if status, got := s.redeem(code, "fixed", change); status != 400 || got.Error != "invalid_grant" || got.Access != "" {
			t.Errorf("%s: %d %+v", name, status, got)
		}
		if status, got := s.redeem(code, "fixed", nil); status != 400 || got.Access != "" {
			t.Errorf("after %s, it is of use: %d", name, status)
		}
	}
	for name, code := range map[string]string{"none": "", "made up": "cgc_AAAAAAAAAAAAAAAAAAAAAA.0.AAAA", "a refresh token": s.tokens("fixed").Refresh} {
		if status, got := s.redeem(code, "fixed", nil); status != 400 || got.Error != "invalid_grant" {
			t.Errorf("%s: %d %+v", name, status, got)
		}
	}
	code := s.code("fixed")
	_, got := s.redeem(code, "fixed", nil)
	if status, _ := s.call(got.Access); status != 200 {
		t.Fatal(status)
	}
	if status, again := s.redeem(code, "fixed", nil); status != 400 || again.Access != "" {
		t.Errorf("twice: %d %+v", status, again)
	}
	s.later(1e9)
	if status, _ := s.call(got.Access); status != 401 {
		t.Errorf("what it gave is of use: %d", status)
	}
	if status, again := s.refresh(got.Refresh, "fixed", nil); status != 400 || again.Access != "" {
		t.Errorf("what it gave refreshes: %d", status)
	}
	code = s.code("fixed")
	s.later(61e9)
	if status, _ := s.redeem(code, "fixed", nil); status != 400 {
		t.Errorf("after a minute: %d", status)
	}
}

// TestS694_RefreshTokensTurn: each is of use once, to its client, within what the person has
// agreed to. One that comes again takes everything back.
func TestS694_RefreshTokensTurn(t *testing.T) {
	s := newSite(t, nil)
	first := s.tokens("fixed")
	for want, change := range map[string]url.Values{
		"invalid_scope":  {"scope": {"docs/read docs/write"}},
		"invalid_target": {"resource": {"https://elsewhere.example.com"}},
		"invalid_client": {"client_secret": {"x"}},
	} {
		if status, got := s.refresh(first.Refresh, "fixed", change); status/100 != 4 || got.Error != want {
			t.Errorf("%s: %d %+v", want, status, got)
		}
	}
	_, second := s.refresh(first.Refresh, "fixed", nil)
	status, third := s.refresh(second.Refresh, "fixed", nil)
	if status != 200 || third.Access == "" {
		t.Fatalf("%d %+v", status, third)
	}
	if status, got := s.refresh(first.Refresh, "fixed", nil); status != 400 || got.Access != "" {
		t.Errorf("twice: %d %+v", status, got)
	}
	s.later(1e9)
	if status, got := s.refresh(third.Refresh, "fixed", nil); status != 400 || got.Access != "" {
		t.Errorf("the newest after that: %d", status)
	}
	if status, _ := s.call(third.Access); status != 401 {
		t.Errorf("its access token after that: %d", status)
	}
	stolen := s.tokens("fixed")
	if status, got := s.refresh(stolen.Refresh, "other", nil); status != 400 || got.Access != "" {
		t.Errorf("another client: %d", status)
	}
	// Of many at once, one gets something at most, and then nobody has anything.
	raced := s.tokens("fixed")
	results := make(chan string, 8)
	for range 8 {
		go func() {
			r, err := http.PostForm(s.url+"/oauth/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {raced.Refresh}, "client_id": {"fixed"}})
			if err != nil {
				results <- err.Error()
				return
			}
			_ = r.Body.Close()
			results <- r.Status
		}()
	}
	won := 0
	for range 8 {
		if strings.HasPrefix(<-results, "200") {
			won++
		}
	}
	s.later(1e9)
	if status, _ := s.call(raced.Access); won > 1 || status != 401 {
		t.Errorf("%d of 8 at once refresh, and then %d", won, status)
	}
}

// TestS697_TokensAreForOneResource, of one issuer, and no other proof is one of them.
func TestS697_TokensAreForOneResource(t *testing.T) {
	const other = "https://app.example.com/other"
	s := newSite(t, func(c *broker.Config) { c.Resources = append(c.Resources, broker.Resource{URL: other}) })
	values := s.answer(s.open(s.request("fixed", url.Values{"resource": {other}, "scope": nil})), "allow")
	status, got := s.redeem(values.Get("code"), "fixed", url.Values{"resource": {other}})
	if status != 200 || got.Access == "" {
		t.Fatalf("%d %+v", status, got)
	}
	if status, _ := s.call(got.Access); status != 401 {
		t.Errorf("a token of another resource: %d", status)
	}
	if id, err := s.brokers[0].Issued(other)(t.Context(), got.Access); err != nil || len(id.Scopes) != 0 {
		t.Errorf("%v, %v", id, err)
	}
	if page := s.open(s.request("fixed", url.Values{"resource": nil})); page.URL.Host == "" || !strings.Contains(page.URL.RawQuery, "invalid_target") {
		t.Errorf("of two, none is named: %s", page.URL)
	} else {
		s.told()
	}
	stranger := newSite(t, nil)
	if status, _ := s.call(stranger.tokens("fixed").Access); status != 401 {
		t.Errorf("a token of another server: %d", status)
	}
	if status, _ := s.call(got.Refresh); status != 401 {
		t.Errorf("a refresh token: %d", status)
	}
	// The resource takes tokens alone: a session opens nothing.
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.resource, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := s.browser.Client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != 401 {
		t.Errorf("a session: %d", answer.StatusCode)
	}
}
