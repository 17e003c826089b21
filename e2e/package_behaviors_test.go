package e2e

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// behavior is one thing that a program called cognito_code_grant does. Its id is that of
// a row of docs/migrating-from-cognito-code-grant.md. Those of the fork, which no index
// has, are rows of package_behavior_test.go beside the root package.
type behavior struct {
	id, program, name string
	show              func(*testing.T, *packaged)
}

// TestBehaviorsOfThePythonPackage has a row for each behavior of the released source,
// checked against the package as it runs, without our middleware.
func TestBehaviorsOfThePythonPackage(t *testing.T) {
	alone := map[string]string{"SHARED_TOKENS_DOMAIN": ""}
	with := func(settings map[string]string) map[string]string {
		for name, value := range alone {
			settings[name] = value
		}
		return settings
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	for _, world := range []struct {
		name     string
		packages []string
		settings map[string]string
		rows     []behavior
	}{
		{"shared tokens", packageNew, alone, releasedBehaviors},
		{"on its own", packageNew, with(map[string]string{"SHARED_TOKENS": ""}), releasedAlone},
		{"CloudFront", packageNew, with(map[string]string{
			"TIME_ZONE": "Asia/Kolkata", "CLOUDFRONT_SIGNED_COOKIES": "True", "CLOUDFRONT_SIGNED_COOKIES_DOMAIN": ".example.test", "CLOUDFRONT_SIGNED_COOKIES_RESOURCE": "*",
			"CLOUDFRONT_SIGNED_COOKIES_KEY_PAIR_ID": "K2JCJMDEHXQW5F", "CLOUDFRONT_SIGNED_COOKIES_PRIVATE_KEY": string(text),
		}), releasedCloudFront},
		{"1.0.25", packageBefore, alone, olderBehaviors},
	} {
		t.Run(world.name, func(t *testing.T) {
			settings := world.settings
			p := startPackage(t, world.packages, sqlreplica.SQLite, settings)
			for _, row := range world.rows {
				t.Run(row.id+" "+row.program+" "+row.name, func(t *testing.T) {
					outer := p.t
					p.t = t
					defer func() { p.t = outer }()
					row.show(t, p)
				})
			}
		})
	}
}

// TestGuideHasEveryBehavior holds the guide and the rows together, word by word.
func TestGuideHasEveryBehavior(t *testing.T) {
	guide, err := os.ReadFile("../docs/migrating-from-cognito-code-grant.md")
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	for _, found := range regexp.MustCompile(`(?m)^\| ([PO]-\d\d) \| (\w+) \| (.*) \|$`).FindAllStringSubmatch(string(guide), -1) {
		said = append(said, found[1]+" "+found[2]+" "+strings.ReplaceAll(found[3], "`", ""))
	}
	var shown []string
	for _, row := range slices.Concat(releasedBehaviors, releasedAlone, releasedCloudFront, olderBehaviors) {
		shown = append(shown, row.id+" "+row.program+" "+row.name)
	}
	slices.Sort(shown)
	if slices.Sort(said); !slices.Equal(said, shown) {
		t.Errorf("the guide says\n%q, the tests show\n%q", said, shown)
	}
}

func (p *packaged) me(b *codegranttest.Browser, header ...string) (int, string) {
	p.t.Helper()
	status, _, body := p.ask(b, "GET", djangoURL+"/api/me", header...)
	return status, body
}

// carrying is a new browser that holds shared cookies and no session.
func (p *packaged) carrying(tokens map[string]string) *codegranttest.Browser {
	b := p.client()
	u, _ := url.Parse(djangoURL)
	for name, value := range tokens {
		b.Client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: true}})
	}
	return b
}

// tokens signs somebody in at the pool and redeems the code as the package does.
func (p *packaged) tokens(email string) map[string]string {
	p.t.Helper()
	return p.tokensOf(localpool.DemoPublicID, "", email)
}

func (p *packaged) tokensOf(client, secret, email string) map[string]string {
	p.t.Helper()
	b := p.client()
	b.Client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == djangoHost {
			return http.ErrUseLastResponse
		}
		return nil
	}
	link := strings.Replace(p.authorizeURL(djangoURL+"/auth/login/", ""), localpool.DemoPublicID, client, 1)
	page := b.SignIn(link, email, codegranttest.Password)
	back, err := url.Parse(page.Header.Get("Location"))
	if err != nil || back.Query().Get("code") == "" {
		p.t.Fatalf("no code: %s", page.Header.Get("Location"))
	}
	form := url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "client_id": {client}, "redirect_uri": {djangoURL + "/auth/login/"}}
	if secret != "" {
		form.Set("client_secret", secret)
	}
	response, err := http.PostForm(p.pool.URL+"/oauth2/token", form)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	var tokens map[string]any
	if err := json.NewDecoder(response.Body).Decode(&tokens); err != nil || tokens["access_token"] == nil {
		p.t.Fatalf("tokens: %v, %v", tokens, err)
	}
	held := make(map[string]string)
	for _, name := range []string{"access_token", "id_token", "refresh_token"} {
		held[name] = tokens[name].(string)
	}
	return held
}

func wants(t *testing.T, got int, body string, want int, contains string) {
	t.Helper()
	if got != want || !strings.Contains(body, contains) {
		t.Errorf("%d %.300s; want %d with %q", got, body, want, contains)
	}
}

var releasedBehaviors = []behavior{
	{"P-01", "released", "login/ is the callback of a sign-in that the front end began, and goes to state", func(t *testing.T, p *packaged) {
		b := p.client()
		page := b.SignIn(p.authorizeURL(djangoURL+"/auth/login/", djangoURL+"/?came=back"), "alice@example.com", codegranttest.Password)
		if page.URL.String() != djangoURL+"/?came=back" {
			t.Errorf("ended at %s", page.URL)
		}
		status, body := p.me(b)
		wants(t, status, body, 200, `"email":"alice@example.com"`)
	}},
	{"P-02", "released", "redirect_uri is the request's own URL with http replaced by https; a Django that knows that it is https gets 401", func(t *testing.T, p *packaged) {
		sent := p.sentToToken(func() {
			status, _, body := p.ask(p.client(), "GET", djangoURL+"/auth/login/?code=x&state=/", "X-Forwarded-Proto", "https")
			wants(t, status, body, 401, "Unauthorized")
		})
		if got := sent.Get("redirect_uri"); got != "httpss://django.example.test/auth/login/" {
			t.Errorf("redirect_uri %q", got)
		}
	}},
	{"P-03", "released", "no code verifier, no client secret; a refused code is 401", func(t *testing.T, p *packaged) {
		sent := p.sentToToken(func() {
			status, _, body := p.ask(p.client(), "GET", djangoURL+"/auth/login/?code=x&state=/")
			wants(t, status, body, 401, "Unauthorized")
		})
		if len(sent) != 4 || sent.Get("redirect_uri") != djangoURL+"/auth/login/" || sent.Get("client_id") != localpool.DemoPublicID {
			t.Errorf("sent %v", sent)
		}
	}},
	{"P-04", "released", "state may be any site's, and the code anybody's", func(t *testing.T, p *packaged) {
		b := p.client()
		b.Client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
			if r.URL.Host == "evil.example" {
				return http.ErrUseLastResponse
			}
			return nil
		}
		page := b.SignIn(p.authorizeURL(djangoURL+"/auth/login/", "https://evil.example/"), "alice@example.com", codegranttest.Password)
		if got := page.Header.Get("Location"); got != "https://evil.example/" {
			t.Errorf("sent to %q", got)
		}
	}},
	{"P-05", "released", "logout/ ends the session, deletes the cookies, goes to state, and calls nothing at the pool", func(t *testing.T, p *packaged) {
		b := p.client()
		p.signInAtDjango(b, "alice@example.com")
		revoked := p.pool.Calls(localpool.Revoke)
		status, header, _ := p.ask(b, "GET", djangoURL+"/auth/logout/?state=https://evil.example/", "Sec-Fetch-Site", "cross-site")
		if status != 302 || header.Get("Location") != "https://evil.example/" || p.pool.Calls(localpool.Revoke) != revoked || !strings.Contains(p.lastSet(djangoHost, "access_token"), "Max-Age=0") {
			t.Errorf("%d to %s, revoked %d times, %s", status, header.Get("Location"), p.pool.Calls(localpool.Revoke)-revoked, p.lastSet(djangoHost, "access_token"))
		}
		got, body := p.me(b)
		wants(t, got, body, 403, "not provided")
		if page := b.Open(p.authorizeURL(djangoURL+"/auth/login/", djangoURL+"/")); len(page.Forms) != 0 {
			t.Error("the pool's own session has ended, too")
		}
	}},
	{"P-06", "released", "with SHARED_TOKENS, cookies: ID and access token for 1 hour, refresh token for 30, without Secure, HttpOnly and SameSite", func(t *testing.T, p *packaged) {
		p.signInAtDjango(p.client(), "alice@example.com")
		for name, hours := range map[string]time.Duration{"id_token": 1, "access_token": 1, "refresh_token": 30} {
			line := p.lastSet(djangoHost, name)
			c, err := http.ParseSetCookie(line)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if left := time.Until(c.Expires); c.Secure || c.HttpOnly || c.SameSite != 0 || left < (hours*time.Hour)-time.Minute || left > (hours*time.Hour)+time.Minute {
				t.Errorf("%s:%s", name, cutValue(line))
			}
		}
	}},
	{"P-07", "released", "the cookie domain is .stitch.fashion there, else .stitchdesignlab.com; on any other site browsers drop the cookies", func(t *testing.T, p *packaged) {
		b := p.client()
		p.signInAtDjango(b, "alice@example.com")
		c, _ := http.ParseSetCookie(p.lastSet(djangoHost, "access_token"))
		if c == nil || c.Domain != ".stitchdesignlab.com" {
			t.Errorf("domain %+v", c)
		}
		u, _ := url.Parse(djangoURL)
		for _, held := range b.Client.Jar.Cookies(u) {
			if strings.HasSuffix(held.Name, "_token") {
				t.Errorf("the browser holds %s", held.Name)
			}
		}
		const there = "api.stitch.fashion"
		p.mu.Lock()
		p.hosts[there] = p.hosts[djangoHost]
		p.mu.Unlock()
		p.ask(p.client(), "GET", "https://"+there+"/auth/logout/?state=/")
		if c, _ := http.ParseSetCookie(p.lastSet(there, "access_token")); c == nil || c.Domain != ".stitch.fashion" {
			t.Errorf("domain at %s: %+v", there, c)
		}
	}},
	{"P-08", "released", "tokens of the session win over cookies: a sign-out and another person at a sibling are not seen", func(t *testing.T, p *packaged) {
		b := p.client()
		p.signInAtDjango(b, "alice@example.com")
		status, body := p.me(b) // the cookies never reached the browser
		wants(t, status, body, 200, "alice@example.com")
		u, _ := url.Parse(djangoURL)
		for name, value := range p.tokens("bob@example.com") {
			b.Client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: true}})
		}
		status, body = p.me(b)
		wants(t, status, body, 200, "alice@example.com")
	}},
	{"P-09", "released", "cookies alone sign in", func(t *testing.T, p *packaged) {
		status, body := p.me(p.carrying(p.tokens("bob@example.com")))
		wants(t, status, body, 200, `"email":"bob@example.com"`)
	}},
	{"P-10", "released", "a refresh writes the session and never the cookies", func(t *testing.T, p *packaged) {
		held := p.tokens("bob@example.com")
		held["access_token"] = "spent"
		b := p.carrying(held)
		status, header, body := p.ask(b, "GET", djangoURL+"/api/me")
		wants(t, status, body, 200, "bob@example.com")
		for _, line := range header["Set-Cookie"] {
			if strings.Contains(line, "_token=") {
				t.Errorf("sets %s", line)
			}
		}
		refreshed := p.pool.Calls(localpool.Token)
		if status, body = p.me(b); status != 200 || p.pool.Calls(localpool.Token) != refreshed {
			t.Errorf("the session does not have it: %d %s", status, body)
		}
	}},
	{"P-11", "released", "a rotated refresh token is dropped: the next refresh is 403", func(t *testing.T, p *packaged) {
		if err := p.pool.SetRotation(localpool.DemoPublicID, true, 0); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = p.pool.SetRotation(localpool.DemoPublicID, false, 0) }()
		held := p.tokens("bob@example.com")
		held["access_token"] = "spent"
		status, body := p.me(p.carrying(held))
		wants(t, status, body, 200, "bob@example.com")
		status, body = p.me(p.carrying(held)) // as a sibling with the same cookies
		wants(t, status, body, 403, "Failed to fetch new tokens")
	}},
	{"P-12", "released", "nobody is 403 without a challenge", func(t *testing.T, p *packaged) {
		status, header, body := p.ask(p.client(), "GET", djangoURL+"/api/me")
		wants(t, status, body, 403, "not provided")
		if header.Get("WWW-Authenticate") != "" {
			t.Error(header)
		}
	}},
	{"P-13", "released", "bearer tokens mean nothing", func(t *testing.T, p *packaged) {
		status, body := p.me(p.client(), "Authorization", "Bearer "+p.tokens("bob@example.com")["access_token"])
		wants(t, status, body, 403, "not provided")
	}},
	{"P-14", "released", "a pool that does not answer is 500", func(t *testing.T, p *packaged) {
		held := p.tokens("bob@example.com")
		held["access_token"] = "spent"
		p.pool.Fault(localpool.Token, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "later", http.StatusServiceUnavailable) }))
		defer p.pool.Fault(localpool.Token, nil)
		if status, body := p.me(p.carrying(held)); status != 500 {
			t.Errorf("%d %s", status, body)
		}
	}},
	{"P-15", "released", "a new user: username is the lower-cased address, the password is empty, no first name", func(t *testing.T, p *packaged) {
		p.pool.AddUser("carol", "Carol@example.com")
		p.me(p.carrying(p.tokens("Carol@example.com")))
		var username, password, first string
		p.row(`SELECT username, password, first_name FROM auth_user WHERE email = 'carol@example.com'`, &username, &password, &first)
		if username != "carol@example.com" || password != "" || first != "" {
			t.Errorf("username %q, password %q, first name %q", username, password, first)
		}
	}},
	{"P-16", "released", "the user is the one with the address, in any case; several users with it are 500", func(t *testing.T, p *packaged) {
		const insert = `INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) VALUES ('', 0, '%s', '', '', '%s', 0, 1, '2026-01-01 00:00:00')`
		p.pool.AddUser("dave", "dave@example.com")
		p.exec(fmt.Sprintf(insert, "d1", "DAVE@example.com"))
		held := p.tokens("dave@example.com")
		status, body := p.me(p.carrying(held))
		wants(t, status, body, 200, `"username":"d1"`)
		p.exec(fmt.Sprintf(insert, "d2", "dave@example.com"))
		if status, body := p.me(p.carrying(held)); status != 500 {
			t.Errorf("%d %s", status, body)
		}
	}},
	{"P-17", "released", "nothing checks that the address is verified", func(t *testing.T, p *packaged) {
		p.pool.AddUser("mallory", "mallory@example.com")
		p.me(p.carrying(p.tokens("bob@example.com")))
		if err := p.pool.SetAttributes(p.pool.PoolID, "mallory", map[string]string{"email": "bob@example.com", "email_verified": "false"}); err != nil {
			t.Fatal(err)
		}
		status, body := p.me(p.carrying(p.tokens("mallory")))
		wants(t, status, body, 200, `"username":"bob@example.com"`)
	}},
	{"P-18", "released", "missing groups are added, and no group is removed; an old ID token adds them again", func(t *testing.T, p *packaged) {
		p.pool.AddUser("erin", "erin@example.com", "writers", "readers")
		old := p.carrying(p.tokens("erin@example.com"))
		p.me(old)
		if err := p.pool.RemoveFromGroup(p.pool.PoolID, "erin", "writers"); err != nil {
			t.Fatal(err)
		}
		p.me(p.carrying(p.tokens("erin@example.com")))
		if got := p.groupsOf("erin@example.com"); got != "readers writers" {
			t.Errorf("taken away at the pool: %q", got)
		}
		p.exec(`DELETE FROM auth_user_groups`)
		p.me(old)
		if got := p.groupsOf("erin@example.com"); got != "readers writers" {
			t.Errorf("by an old token: %q", got)
		}
	}},
	{"P-19", "released", "accounts that are turned off pass", func(t *testing.T, p *packaged) {
		held := p.tokens("bob@example.com")
		p.me(p.carrying(held))
		p.exec(`UPDATE auth_user SET is_active = 0`)
		defer p.exec(`UPDATE auth_user SET is_active = 1`)
		status, body := p.me(p.carrying(held))
		wants(t, status, body, 200, "bob@example.com")
	}},
	{"P-20", "released", "an ID token is accepted instead of an access token", func(t *testing.T, p *packaged) {
		held := p.tokens("bob@example.com")
		status, body := p.me(p.carrying(map[string]string{"access_token": held["id_token"], "id_token": held["id_token"]}))
		wants(t, status, body, 200, "bob@example.com")
	}},
	{"P-21", "released", "an access token of another app client is accepted", func(t *testing.T, p *packaged) {
		if err := p.pool.RegisterURLs(localpool.DemoClientID, djangoURL+"/auth/login/", djangoURL+"/"); err != nil {
			t.Fatal(err)
		}
		other := p.tokensOf(localpool.DemoClientID, localpool.DemoClientSecret, "bob@example.com")
		status, body := p.me(p.carrying(map[string]string{"access_token": other["access_token"], "id_token": p.tokens("bob@example.com")["id_token"]}))
		wants(t, status, body, 200, "bob@example.com")
	}},
	{"P-22", "released", "tokens of two people are accepted: the ID token decides who it is", func(t *testing.T, p *packaged) {
		status, body := p.me(p.carrying(map[string]string{"access_token": p.tokens("alice@example.com")["access_token"], "id_token": p.tokens("bob@example.com")["id_token"]}))
		wants(t, status, body, 200, "bob@example.com")
	}},
}

// sentToToken is what is sent to the token endpoint meanwhile, which refuses it.
func (p *packaged) sentToToken(meanwhile func()) (sent url.Values) {
	p.pool.Fault(localpool.Token, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		sent = r.PostForm
		if r.Header.Get("Authorization") != "" {
			sent.Set("Authorization", "sent")
		}
		http.Error(w, `{"error":"invalid_grant"}`, 400)
	}))
	defer p.pool.Fault(localpool.Token, nil)
	meanwhile()
	return sent
}

var releasedAlone = []behavior{
	{"P-23", "released", "tokens are in Django's session; without SHARED_TOKENS in no cookie, and those of a sibling mean nothing", func(t *testing.T, p *packaged) {
		b := p.client()
		p.signInAtDjango(b, "alice@example.com")
		if line := p.lastSet(djangoHost, "access_token"); line != "" {
			t.Errorf("sets %s", line)
		}
		status, body := p.me(b)
		wants(t, status, body, 200, "alice@example.com")
		status, body = p.me(p.carrying(p.tokens("bob@example.com")))
		wants(t, status, body, 403, "not provided")
	}},
	{"P-24", "released", "a session lasts until its access token expires, whatever happens at the pool", func(t *testing.T, p *packaged) {
		p.pool.AddUser("frank", "frank@example.com")
		b := p.client()
		p.signInAtDjango(b, "frank@example.com")
		if err := p.pool.DisableUser(p.pool.PoolID, "frank"); err != nil {
			t.Fatal(err)
		}
		status, body := p.me(b)
		wants(t, status, body, 200, "frank@example.com")
	}},
}

var releasedCloudFront = []behavior{
	{"P-25", "released", "each answer to a signed-in person has CloudFront's cookies: below assets-v2 of a fixed domain, on the last two labels of the host, without flags", func(t *testing.T, p *packaged) {
		status, header, _ := p.ask(p.client(), "GET", djangoURL+"/api/me")
		if status != 403 || len(header["Set-Cookie"]) != 0 {
			t.Errorf("nobody: %d, %v", status, header["Set-Cookie"])
		}
		policy, c := p.cloudFront(t)
		if policy.Resource != "https://assets-v2.stitchdesignlab.com/*" || c.Domain != ".example.test" || c.Secure || c.HttpOnly || c.SameSite != 0 || c.MaxAge != 0 || !c.Expires.IsZero() {
			t.Errorf("resource %s, cookie %+v", policy.Resource, c)
		}
	}},
	{"P-26", "released", "their lifetime of 30 minutes is off by the offset of TIME_ZONE", func(t *testing.T, p *packaged) {
		policy, _ := p.cloudFront(t)
		left := time.Until(time.Unix(policy.Condition.DateLessThan.Time, 0)).Round(time.Minute)
		if want := 30*time.Minute + 5*time.Hour + 30*time.Minute; (left - want).Abs() > 2*time.Minute { // Kolkata is at +05:30
			t.Errorf("it ends in %v, want %v", left, want)
		}
	}},
	{"P-27", "released", "the module for them cannot be imported without CLOUDFRONT_SIGNED_COOKIES_DOMAIN", func(t *testing.T, p *packaged) {
		c := exec.CommandContext(t.Context(), p.python, "-c", "from django.conf import settings; settings.configure(); import cognito_code_grant.signed_cookies")
		if output, err := c.CombinedOutput(); err == nil || !strings.Contains(string(output), "CLOUDFRONT_SIGNED_COOKIES_DOMAIN") {
			t.Errorf("%v: %s", err, output)
		}
	}},
}

type cloudFrontPolicy struct {
	Resource  string
	Condition struct {
		DateLessThan struct {
			Time int64 `json:"AWS:EpochTime"`
		}
	}
}

func (p *packaged) cloudFront(t *testing.T) (cloudFrontPolicy, *http.Cookie) {
	t.Helper()
	p.ask(p.carrying(p.tokens("bob@example.com")), "GET", djangoURL+"/api/me")
	c, err := http.ParseSetCookie(p.lastSet(djangoHost, "CloudFront-Policy"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := base64.StdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "=", "~", "/").Replace(c.Value))
	if err != nil {
		t.Fatal(err)
	}
	var policy struct{ Statement []cloudFrontPolicy }
	if err := json.Unmarshal(plain, &policy); err != nil || len(policy.Statement) != 1 {
		t.Fatalf("%v: %s", err, plain)
	}
	return policy.Statement[0], c
}

var olderBehaviors = []behavior{
	{"O-01", "older", "SHARED_TOKENS_DOMAIN is the domain of the cookies, and required", func(t *testing.T, p *packaged) {
		// The example sets it where the middleware is asked for: without it, 1.0.25 fails.
		status, _, _ := p.ask(p.client(), "GET", djangoURL+"/auth/logout/?state=/")
		if status != 500 {
			t.Errorf("%d", status)
		}
		without, env := p.hosts[djangoHost], p.env
		defer func() { p.hosts[djangoHost], p.env = without, env }()
		p.env = append(slices.Clone(env), "SHARED_TOKENS_DOMAIN=.example.test", "WITHOUT_SIBLINGS=1")
		p.hosts[djangoHost] = p.serve()
		p.signInAtDjango(p.client(), "alice@example.com")
		if c, _ := http.ParseSetCookie(p.lastSet(djangoHost, "access_token")); c == nil || c.Domain != ".example.test" {
			t.Errorf("cookie %+v", c)
		}
	}},
	{"O-02", "older", "the user is found by cognito:username and address together, and made with cognito:username as username", func(t *testing.T, p *packaged) {
		p.exec(`INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) VALUES ('', 0, 'address alone', '', '', 'bob@example.com', 0, 1, '2026-01-01 00:00:00')`)
		status, body := p.me(p.carrying(p.tokens("bob@example.com")))
		wants(t, status, body, 200, `"username":"bob"`)
	}},
}
