package e2e

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/codegrant/codegrant/account"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/organization"
)

// askAuth asks the endpoints of the pool.
func (s *describedSite) askAuth(calls ...call) (*http.Response, string) {
	s.t.Helper()
	return s.ask(s.url+"/auth", calls...)
}

func (s *describedSite) askSignIn() {
	s.askAuth([]call{
		{s.stranger, "GET", "/login?redirect_uri=/reports&lang=de&prompt=login&login_hint=alice&identity_provider=Google&idp_identifier=example.com&acr_values=2&max_age=60&begun_at=other", 302, page, ""},
		{s.stranger, "GET", "/login", 401, script, ""},
		{s.stranger, "POST", "/login", 405, nil, ""},
		{s.stranger, "GET", "/callback?code=1&state=2", 400, page, ""},
		{s.stranger, "GET", "/callback?code=1&state=2", 400, script, ""},
		{s.stranger, "GET", "/callback?error=access_denied&error_description=no&state=2&iss=https://example.com", 400, page, ""},
		{s.stranger, "GET", "/callback", 400, page, ""},
		{s.stranger, "DELETE", "/callback", 405, nil, ""},
		{s.stranger, "GET", "/user", 401, script, ""},
		{s.stranger, "GET", "/user", 401, http.Header{"Authorization": {"Bearer no.such.token"}}, ""},
		{s.person, "GET", "/user", 200, script, ""},
		{s.person, "HEAD", "/user", 200, nil, ""},
		{s.stranger, "HEAD", "/user", 401, nil, ""},
		{s.person, "PUT", "/user", 405, nil, ""},
		{s.stranger, "GET", "/flash", 204, http.Header{"Sec-Fetch-Site": {"same-origin"}}, ""},
		{s.stranger, "POST", "/flash", 405, nil, ""},
		{s.stranger, "POST", "/session", 400, asJSON, `{"id_token": "a"}`},
		{s.stranger, "POST", "/session", 401, asJSON, `{"id_token": "a", "access_token": "b"}`},
		{s.stranger, "POST", "/session", 415, nil, `id_token=a`},
		{s.stranger, "POST", "/session", 413, asJSON, `{"id_token": "` + strings.Repeat("a", 12<<20) + `"}`},
		{s.person, "POST", "/session", 403, http.Header{"Content-Type": {"application/json"}, "Origin": {"https://other.example"}, "Sec-Fetch-Site": {"cross-site"}}, `{}`},
		{s.stranger, "PUT", "/session", 405, nil, ""},
		{s.stranger, "OPTIONS", "/session", 204, preflight, ""},
		{s.stranger, "GET", "/step-up?acr_values=2&max_age=60&redirect_uri=/reports", 200, page, ""},
		{s.stranger, "HEAD", "/step-up", 200, page, ""},
		{s.stranger, "POST", "/step-up", 405, nil, ""},
	}...)
}

// askOverfull sends more cookies than a browser should hold.
func (s *describedSite) askOverfull() {
	base, err := url.Parse(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	var line strings.Builder
	for i := range 4000 {
		fmt.Fprintf(&line, "c%d=x; ", i)
	}
	for _, c := range s.person.Jar.Cookies(base) {
		line.WriteString(c.Name + "=" + c.Value + "; ")
	}
	overfull := http.Header{"Accept": {"application/json"}, "Cookie": {line.String()}, "Content-Type": {"application/x-www-form-urlencoded"}}
	navigates := overfull.Clone()
	navigates.Set("Accept", "text/html")
	navigates.Set("Sec-Fetch-Site", "none")
	s.askAuth([]call{
		{s.stranger, "GET", "/logout", 431, navigates, ""},
		{s.stranger, "POST", "/logout", 431, overfull, ""},
		{s.stranger, "GET", "/user", 431, overfull, ""},
		{s.stranger, "HEAD", "/user", 431, overfull, ""},
		{s.stranger, "GET", "/sessions", 431, overfull, ""},
		{s.stranger, "HEAD", "/sessions", 431, overfull, ""},
		{s.stranger, "POST", "/sessions", 431, overfull, "end=others"},
	}...)
}

// askTooOften signs in where somebody has signed in too often.
func (s *describedSite) askTooOften() {
	_, tokens := s.mint()
	s.askAuth(call{s.stranger, "POST", "/session", 201, asJSON, tokens})
	s.often.Store(true)
	defer s.often.Store(false)
	b := codegranttest.NewBrowser(s.t)
	b.Client.Transport = s.described
	if end := b.SignIn(s.url+"/auth/login", "bob@example.com", codegranttest.Password); end.Status != http.StatusTooManyRequests {
		s.t.Errorf("a sign-in too many: %d at %s", end.Status, end.URL)
	}
	s.askAuth(call{s.stranger, "POST", "/session", 429, asJSON, tokens})
}

func (s *describedSite) askSessions() {
	s.askAuth([]call{
		{s.stranger, "GET", "/sessions", 401, script, ""},
		{s.stranger, "GET", "/sessions", 403, s.bearer(), ""},
		{s.stranger, "HEAD", "/sessions", 403, s.bearer(), ""},
		{s.person, "GET", "/sessions", 200, script, ""},
		{s.person, "GET", "/sessions?done=others", 200, page, ""},
		{s.person, "HEAD", "/sessions", 200, nil, ""},
		{s.person, "POST", "/sessions", 400, form, ""},
		{s.person, "POST", "/sessions", 404, form, "end=nothing"},
		{s.person, "POST", "/sessions", 200, form, "end=others"},
		{s.person, "POST", "/sessions", 403, fromOther, "end=others"},
		{s.person, "POST", "/sessions", 303, formOfPage, "end=others"},
		{s.stranger, "HEAD", "/sessions", 401, nil, ""},
		{s.stranger, "POST", "/sessions", 401, form, "end=others"},
		{s.person, "DELETE", "/sessions", 405, nil, ""},
	}...)
}

func (s *describedSite) askAccount() {
	s.askAuth([]call{
		{s.person, "GET", "/account", 200, page, ""},
		{s.person, "HEAD", "/account", 200, page, ""},
		{s.person, "POST", "/account", 405, formOfPage, ""},
		{s.stranger, "GET", "/account", 302, page, ""},
		{s.stranger, "HEAD", "/account", 302, page, ""},
		{s.stranger, "GET", "/account", 401, script, ""},
		{s.stranger, "HEAD", "/account", 401, script, ""},
		{s.stranger, "GET", "/account", 403, s.bearer(), ""},
		{s.stranger, "HEAD", "/account", 403, s.bearer(), ""},
		{s.person, "GET", "/account/profile?done=saved", 200, page, ""},
		{s.person, "GET", "/account/profile?proven=old&separate=1&do=begin", 200, page, ""}, // as by a link of another page
		{s.person, "HEAD", "/account/password", 200, page, ""},
		{s.person, "GET", "/account/none", 404, page, ""},
		{s.person, "HEAD", "/account/none", 404, page, ""},
		{s.stranger, "GET", "/account/email", 302, page, ""},
		{s.stranger, "HEAD", "/account/email", 302, page, ""},
		{s.stranger, "GET", "/account/email", 401, script, ""},
		{s.stranger, "HEAD", "/account/email", 401, script, ""},
		{s.stranger, "GET", "/account/email", 403, s.bearer(), ""},
		{s.stranger, "HEAD", "/account/email", 403, s.bearer(), ""},
		{s.person, "POST", "/account/profile", 303, formOfPage, "name=Alice+Example"},
		{s.person, "POST", "/account/profile", 400, formOfPage, "%zz"},
		{s.stranger, "POST", "/account/profile", 401, formOfPage, "name=Alice"},
		{s.stranger, "POST", "/account/profile", 401, form, "name=Alice"},
		{s.person, "POST", "/account/profile", 403, fromOther, "name=Alice"},
		{s.person, "POST", "/account/none", 404, formOfPage, "name=Alice"},
		{s.person, "POST", "/account/password", 422, formOfPage, "current=wrong&new=Short1!&again=Short1!"},
	}...)
	if err := s.pool.CreateUser(s.pool.Clients()[0].PoolID, localpool.UserSeed{Username: "dora", Email: "dora@example.com", Password: codegranttest.Password}); err != nil {
		s.t.Fatal(err)
	}
	dora, status := s.signIn("dora@example.com"), 0
	for range 100 { // more than anybody may try
		if r, _ := s.askAuth(call{dora, "POST", "/account/password", 0, formOfPage, "current=wrong&new=Short1!&again=Short1!"}); r.StatusCode != 422 {
			status = r.StatusCode
			break
		}
	}
	if status != http.StatusTooManyRequests {
		s.t.Errorf("after many tries: status %d", status)
	}
}

const bobs = "11111111-2222-4333-8444-555555555555" // a sub

// mint makes tokens of a person whom nobody else knows.
func (s *describedSite) mint() (access, body string) {
	s.t.Helper()
	client, now := s.pool.Clients()[0], time.Now().Unix()
	sign := func(claims map[string]any) string {
		maps.Copy(claims, map[string]any{"iss": client.Issuer, "sub": bobs, "iat": now, "auth_time": now, "exp": now + 3600, "jti": rand.Text(), "origin_jti": "a-sign-in-of-the-test"})
		token, err := s.pool.MintToken(client.PoolID, claims)
		if err != nil {
			s.t.Fatal(err)
		}
		return token
	}
	access = sign(map[string]any{"token_use": "access", "username": "robert", "client_id": client.ID, "scope": "openid " + account.Scope})
	id := sign(map[string]any{"token_use": "id", "cognito:username": "robert", "aud": client.ID, "email": "robert@example.com", "email_verified": true})
	return access, `{"id_token": "` + id + `", "access_token": "` + access + `"}`
}

// bearer are headers with an access token.
func (s *describedSite) bearer() http.Header {
	access, _ := s.mint()
	return http.Header{"Accept": {"text/html"}, "Authorization": {"Bearer " + access}}
}

func (s *describedSite) askOrganizations() {
	bob := s.signIn("bob@example.com")
	acme, other := s.own("Acme", "alice@example.com", "admin"), s.own("Other", "alice@example.com", "member")
	s.askAuth([]call{
		{s.person, "GET", "/organization", 200, script, ""},
		{s.person, "GET", "/organization?from=0&done=left", 200, page, ""},
		{s.person, "HEAD", "/organization", 200, nil, ""},
		{s.stranger, "GET", "/organization", 401, script, ""},
		{s.stranger, "HEAD", "/organization", 401, nil, ""},
		{s.stranger, "GET", "/organization", 302, page, ""},
		{s.stranger, "GET", "/organization", 403, s.bearer(), ""},
		{s.stranger, "HEAD", "/organization", 403, s.bearer(), ""},
		{s.stranger, "HEAD", "/organization", 302, page, ""},
		{bob, "GET", "/organization/members", 403, script, ""},
		{bob, "HEAD", "/organization/members", 403, nil, ""},
		{s.person, "POST", "/organization", 400, form, ""},
		{s.person, "POST", "/organization", 404, form, "organization=none"},
		{s.person, "POST", "/organization", 409, form, "leave=" + acme.ID},
		{s.person, "POST", "/organization", 422, formOfPage, "leave=" + acme.ID},
		{s.person, "POST", "/organization", 200, form, "organization=" + acme.ID},
		{s.person, "POST", "/organization", 303, formOfPage, "leave=" + other.ID},
		{s.person, "POST", "/organization", 403, fromOther, "leave=" + acme.ID},
		{s.stranger, "POST", "/organization", 401, formOfPage, "leave=1"},
		{s.stranger, "POST", "/organization", 401, form, ""},
		{s.person, "DELETE", "/organization", 405, nil, ""},
		{s.person, "GET", "/user", 200, script, ""},

		{s.person, "GET", "/organization/members?after=0", 200, script, ""},
		{s.person, "GET", "/organization/members?done=sent", 200, page, ""},
		{s.person, "HEAD", "/organization/members", 200, nil, ""},
		{s.stranger, "GET", "/organization/members", 401, script, ""},
		{s.stranger, "HEAD", "/organization/members", 401, nil, ""},
		{s.stranger, "GET", "/organization/members", 302, page, ""},
		{s.stranger, "HEAD", "/organization/members", 302, page, ""},
		{s.person, "POST", "/organization/members", 400, form, "role=member"},
		{s.stranger, "POST", "/organization/members", 401, formOfPage, "remove=1"},
		{s.stranger, "POST", "/organization/members", 401, form, "remove=1"},
		{bob, "POST", "/organization/members", 403, form, "remove=1"},
		{s.person, "POST", "/organization/members", 404, form, "remove=4711"},
		{s.person, "POST", "/organization/members", 409, form, "remove=" + number(s.idOf("alice@example.com"))},
		{s.person, "POST", "/organization/members", 422, form, "invite=nobody&role=member"},
		{s.person, "POST", "/organization/members", 200, form, query("invite", "bob@example.com", "role", "member", "in", acme.ID)},
	}...)
	first := s.mail.URL
	s.unsent.Store(true)
	s.askAuth(call{s.person, "POST", "/organization/members", 502, form, query("invite", "carol@example.com", "role", "member")})
	s.unsent.Store(false)
	s.askAuth(call{s.person, "POST", "/organization/members", 303, formOfPage, query("invite", "bob@example.com", "role", "admin")})

	at := func(link string) (path, token string) {
		u, err := url.Parse(link)
		if err != nil {
			s.t.Fatal(err)
		}
		return strings.TrimPrefix(u.RequestURI(), "/auth"), u.Query().Get("token")
	}
	stale, _ := at(first)
	here, token := at(s.mail.URL)
	s.askAuth([]call{
		{s.stranger, "GET", stale, 410, script, ""},
		{s.stranger, "HEAD", stale, 410, nil, ""},
		{s.stranger, "GET", here, 200, page, ""},
		{s.stranger, "HEAD", here, 200, nil, ""},
		{s.stranger, "DELETE", "/organization/invitation", 405, nil, ""},
		{s.stranger, "HEAD", "/organization/invitation", 410, nil, ""},
		{s.stranger, "POST", "/organization/invitation", 200, formOfPage, query("token", token)},
		{s.person, "POST", "/organization/invitation", 403, form, query("token", token)},
		{bob, "POST", "/organization/invitation", 303, formOfPage, query("token", token)},
		{bob, "POST", "/organization/invitation", 410, form, query("token", token)},
		{s.person, "POST", "/organization/members", 200, form, "member=" + number(s.idOf("bob@example.com")) + "&role=member"},
		{s.person, "POST", "/organization/members", 409, form, query("invite", "bob@example.com", "role", "member")}, // a member
		{s.person, "POST", "/organization/members", 200, form, "remove=" + number(s.idOf("bob@example.com"))},
		{s.person, "POST", "/organization/members", 200, form, query("invite", "bob@example.com", "role", "member")},
	}...)
	here, token = at(s.mail.URL)
	s.askAuth([]call{
		{s.stranger, "GET", here + "&account=made", 200, page, ""},
		{s.stranger, "POST", "/organization/invitation", 303, formOfPage, query("token", token, "account", "new")},
		{s.stranger, "POST", "/organization/invitation", 204, form, query("token", token, "account", "new")},
	}...)
	for status, err := range map[int]error{422: organization.ErrNoUser, 429: organization.ErrTooOften} {
		s.noUser.Store(fmt.Errorf("%w", err))
		s.askAuth(call{s.stranger, "POST", "/organization/invitation", status, form, query("token", token, "account", "new")})
	}
	s.askAuth(call{bob, "POST", "/organization/invitation", 200, form, query("token", token)})
	status := 0
	for range 20 { // more than one address may get
		r, _ := s.askAuth(call{s.person, "POST", "/organization/members", 0, form, query("invite", "erin@example.com", "role", "member")})
		if status = r.StatusCode; status != http.StatusOK {
			break
		}
	}
	if status != http.StatusTooManyRequests {
		s.t.Errorf("after many invitations: status %d", status)
	}
}

func (s *describedSite) askGateway() {
	s.askAuth([]call{
		{s.stranger, "GET", "/check", 403, nil, ""},
		{s.stranger, "GET", "/check", 401, s.asks("/reports"), ""},
		{s.stranger, "GET", "/check", 302, s.asks("/reports", "Accept", "text/html"), ""},
		{s.person, "GET", "/check?group=admins&any_group=admins&any_group=editors", 200, s.asks("/reports"), ""},
		{s.person, "GET", "/check?group=nobody", 403, s.asks("/reports"), ""},
		{s.person, "GET", "/check?scope=openid&max_age=36000", 200, s.asks("/reports"), ""},
		{s.person, "GET", "/check?acr=urn:cognito:loa:1", 200, s.asks("/reports"), ""},
		{s.person, "GET", "/check?role=none&any_role=none", 403, s.asks("/reports"), ""},
		{s.stranger, "GET", "/.well-known/jwks.json", 200, nil, ""},
	}...)
	for _, path := range []string{
		"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-authorization-server",
		"/.well-known/openid-configuration", "/oauth/jwks.json",
	} {
		s.ask(s.url, call{s.stranger, "GET", path, 200, nil, ""}, call{s.stranger, "HEAD", path, 200, nil, ""}, call{s.stranger, "OPTIONS", path, 204, preflight, ""}, call{s.stranger, "PUT", path, 405, nil, ""})
	}
	for _, path := range []string{
		"/.well-known/oauth-authorization-server/mcp", "/.well-known/oauth-authorization-server/exchange", "/exchange/jwks.json", "/exchange/.well-known/openid-configuration",
	} {
		s.ask(s.url, call{s.stranger, "GET", path, 200, nil, ""}, call{s.stranger, "HEAD", path, 200, nil, ""}, call{s.stranger, "PUT", path, 405, nil, ""})
	}
}

func (s *describedSite) askBroker() {
	const back = "http://127.0.0.1:33418/callback"
	verifier := strings.Repeat("v", 43)
	_, text := s.ask(s.url, call{s.stranger, "POST", "/oauth/register", 201, asJSON, `{"redirect_uris": ["` + back + `"], "client_name": "An agent", "grant_types": ["authorization_code"], "response_types": ["code"]}`})
	client := decoded[struct {
		ID string `json:"client_id"`
	}](s.t, text).ID
	target := func(more ...string) string {
		return "/oauth/authorize?" + query(append([]string{"response_type", "code", "client_id", client, "redirect_uri", back, "code_challenge", challenge(verifier),
			"code_challenge_method", "S256", "state", "of the client", "scope", "docs/read", "resource", s.url + "/mcp"}, more...)...)
	}
	s.ask(s.url, []call{
		{s.stranger, "POST", "/oauth/register", 400, asJSON, `{"redirect_uris": []}`},
		{s.stranger, "POST", "/oauth/register", 400, nil, `{}`},
		{s.stranger, "OPTIONS", "/oauth/register", 204, preflight, ""},
		{s.stranger, "OPTIONS", "/oauth/token", 204, preflight, ""},
		{s.stranger, "OPTIONS", "/oauth/revoke", 204, preflight, ""},
		{s.stranger, "GET", "/oauth/token", 405, nil, ""},
		{s.stranger, "GET", target("client_id", "none"), 400, page, ""},
		{s.stranger, "GET", target("prompt", "none"), 303, page, ""},
		{s.stranger, "GET", target(), 302, page, ""},
		{s.stranger, "GET", target(), 401, script, ""},
		{s.stranger, "POST", "/oauth/consent", 401, formOfPage, "question=none"},
		{s.stranger, "POST", "/oauth/consent", 401, form, "question=none"},
		{s.person, "POST", "/oauth/consent", 400, formOfPage, "question=none"},
		{s.person, "POST", "/oauth/consent", 403, fromOther, "question=none"},
		{s.stranger, "GET", "/oauth/grants", 302, page, ""},
		{s.stranger, "HEAD", "/oauth/grants", 302, page, ""},
		{s.stranger, "GET", "/oauth/grants", 401, script, ""},
		{s.stranger, "HEAD", "/oauth/grants", 401, script, ""},
		{s.stranger, "POST", "/oauth/grants", 401, formOfPage, "item=none"},
		{s.stranger, "POST", "/oauth/grants", 401, form, "item=none"},
		{s.person, "POST", "/oauth/grants", 403, fromOther, "item=none"},
	}...)
	agree := func(answer string) url.Values {
		s.t.Helper()
		_, text := s.ask(s.url, call{s.person, "GET", target("response_mode", "query"), 200, page, ""})
		gone, _ := s.ask(s.url, call{s.person, "POST", "/oauth/consent", 303, formOfPage, query("question", s.field(text, "question"), "answer", answer)})
		u, err := url.Parse(gone.Header.Get("Location"))
		if err != nil {
			s.t.Fatal(err)
		}
		return u.Query()
	}
	if said := agree("deny"); said.Get("error") != "access_denied" || said.Get("state") != "of the client" {
		s.t.Errorf("after a no: %v", said)
	}
	code := agree("allow").Get("code")
	redeem := func(code string) string {
		return query("grant_type", "authorization_code", "client_id", client, "redirect_uri", back, "code", code, "code_verifier", verifier, "resource", s.url+"/mcp")
	}
	_, text = s.ask(s.url, call{s.stranger, "POST", "/oauth/token", 200, form, redeem(code)})
	tokens := decoded[struct {
		Refresh string `json:"refresh_token"`
		Access  string `json:"access_token"`
	}](s.t, text)
	_, text = s.ask(s.url, call{s.stranger, "POST", "/oauth/token", 200, form, query("grant_type", "refresh_token", "client_id", client, "refresh_token", tokens.Refresh, "scope", "docs/read")})
	again := decoded[struct {
		Refresh string `json:"refresh_token"`
	}](s.t, text)
	_, text = s.ask(s.url, call{s.person, "GET", "/oauth/grants", 200, page, ""})
	item := s.field(text, "item")
	bearer := s.bearer()
	s.ask(s.url, []call{
		{s.person, "HEAD", "/oauth/grants", 200, page, ""},
		{s.stranger, "GET", "/oauth/grants", 400, bearer, ""},
		{s.stranger, "HEAD", "/oauth/grants", 400, bearer, ""},
		{s.stranger, "POST", "/oauth/token", 400, form, "grant_type=password"},
		{s.stranger, "POST", "/oauth/token", 400, form, redeem("none")},
		{s.stranger, "POST", "/oauth/token", 401, form, redeem("none") + "&client_secret=one"},
		{s.stranger, "POST", "/oauth/revoke", 400, form, "client_id=" + client},
		{s.stranger, "POST", "/oauth/revoke", 401, form, query("token", again.Refresh, "client_id", "another")},
		{s.person, "POST", "/oauth/grants", 400, formOfPage, "item=%01"},
		{s.person, "POST", "/oauth/grants", 200, formOfPage, query("item", item)},
		{s.stranger, "POST", "/oauth/revoke", 200, form, query("token", again.Refresh, "client_id", client, "token_type_hint", "refresh_token")},
	}...)
	s.client, s.refresh = client, again.Refresh
	var waits *http.Response
	for range 30 {
		waits, _ = s.ask(s.url, call{s.stranger, "POST", "/oauth/register", 0, asJSON, `{"redirect_uris": ["` + back + `"]}`})
		if waits.StatusCode == http.StatusTooManyRequests {
			break
		}
	}
	if waits.StatusCode != http.StatusTooManyRequests {
		s.t.Errorf("registrations are not limited: %d", waits.StatusCode)
	}
}

func (s *describedSite) askUpstream() {
	bearer := s.bearer()
	for _, path := range []string{"/upstream/github/connect?return=/repos", "/upstream/github/callback?state=none&code=1"} {
		s.ask(s.url, call{s.stranger, "GET", path, 302, page, ""}, call{s.stranger, "GET", path, 401, script, ""}, call{s.stranger, "GET", path, 400, bearer, ""})
	}
	s.ask(s.url, call{s.person, "GET", "/upstream/github/callback?state=none&error=access_denied&iss=https://example.com", 400, page, ""})
	gone, _ := s.ask(s.url, call{s.person, "GET", "/upstream/github/connect?return=/repos", 303, page, ""})
	to, err := url.Parse(gone.Header.Get("Location"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.ask(s.url, call{s.person, "GET", "/upstream/github/callback?" + query("state", to.Query().Get("state"), "code", "1"), 303, page, ""})
}

// askOutOfReach asks everything that needs the pool or a store, while these are away.
func (s *describedSite) askOutOfReach() {
	visitor := codegranttest.NewBrowser(s.t)
	visitor.Client.Transport, visitor.Client.CheckRedirect = s.described, stay
	begun, _ := s.askAuth(call{visitor.Client, "GET", "/login", 302, page, ""})
	to, err := url.Parse(begun.Header.Get("Location"))
	if err != nil {
		s.t.Fatal(err)
	}
	_, tokens := s.mint()
	s.away.Store(true)
	defer s.away.Store(false)
	s.askAuth([]call{
		{s.stranger, "POST", "/session", 503, asJSON, tokens},
		{visitor.Client, "GET", "/callback?" + query("code", "1", "state", to.Query().Get("state")), 503, page, ""},
		{s.person, "GET", "/user", 503, script, ""},
		{s.person, "HEAD", "/user", 503, nil, ""},
		{s.person, "GET", "/account", 503, page, ""},
		{s.person, "HEAD", "/account", 503, page, ""},
		{s.person, "GET", "/account/profile", 503, page, ""},
		{s.person, "HEAD", "/account/profile", 503, page, ""},
		{s.person, "POST", "/account/profile", 503, formOfPage, "name=Alice"},
		{s.person, "GET", "/organization", 503, script, ""},
		{s.person, "HEAD", "/organization", 503, script, ""},
		{s.person, "POST", "/organization", 503, form, "leave=1"},
		{s.person, "GET", "/organization/members", 503, script, ""},
		{s.person, "HEAD", "/organization/members", 503, script, ""},
		{s.person, "POST", "/organization/members", 503, form, "remove=1"},
		{s.person, "GET", "/organization/invitation?token=1", 503, page, ""},
		{s.person, "HEAD", "/organization/invitation?token=1", 503, page, ""},
		{s.person, "POST", "/organization/invitation", 503, form, "token=1"},
		{s.person, "GET", "/sessions", 503, script, ""},
		{s.person, "HEAD", "/sessions", 503, script, ""},
		{s.person, "POST", "/sessions", 503, form, "end=others"},
		{s.person, "GET", "/check", 503, s.asks("/reports"), ""},
	}...)
	authorize := "/oauth/authorize?" + query("response_type", "code", "client_id", "none")
	s.ask(s.url, []call{
		{s.person, "GET", authorize, 503, page, ""},
		{s.person, "POST", "/oauth/consent", 503, formOfPage, "question=1"},
		{s.person, "GET", "/oauth/grants", 503, page, ""},
		{s.person, "HEAD", "/oauth/grants", 503, page, ""},
		{s.person, "POST", "/oauth/grants", 503, formOfPage, "item=1"},
		{s.stranger, "POST", "/oauth/token", 503, form, query("grant_type", "refresh_token", "client_id", s.client, "refresh_token", s.refresh)},
		{s.stranger, "POST", "/oauth/revoke", 503, form, query("token", s.refresh, "client_id", s.client)},
		{s.stranger, "GET", "/.well-known/oauth-authorization-server/agents", 503, nil, ""},
		{s.stranger, "HEAD", "/.well-known/oauth-authorization-server/agents", 503, nil, ""},
		{s.person, "GET", "/upstream/github/connect", 503, page, ""},
		{s.person, "GET", "/upstream/github/callback?state=1&code=1", 503, page, ""},
		{s.person, "POST", "/auth/logout", 503, script, ""},
	}...)
}

func (s *describedSite) askSignOut() {
	bob := s.signIn("bob@example.com")
	s.away.Store(true)
	s.askAuth(call{bob, "GET", "/logout", 503, http.Header{"Accept": {"text/html"}, "Sec-Fetch-Site": {"none"}}, ""})
	s.away.Store(false)
	s.person = s.signIn("alice@example.com") // who has been signed out above, as far as the browser goes
	s.askAuth([]call{
		{s.person, "GET", "/logout?redirect_uri=/", 200, http.Header{"Accept": {"text/html"}, "Sec-Fetch-Site": {"cross-site"}}, ""},
		{s.person, "POST", "/logout?redirect_uri=/", 200, script, ""},
		{s.person, "POST", "/logout", 303, page, ""},
		{s.person, "GET", "/logout", 303, http.Header{"Accept": {"text/html"}, "Sec-Fetch-Site": {"none"}}, ""},
		{s.person, "DELETE", "/logout", 405, nil, ""},
	}...)
}
