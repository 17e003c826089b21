package codegrant_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/replica"
)

// platform is several backends on hosts of one domain, over https.
type platform struct {
	*codegranttest.Pool
	t      *testing.T
	now    *clock
	log    *logs
	server *httptest.Server
	hosts  map[string]http.Handler
	auths  map[string]*codegrant.Auth
}

func newPlatform(t *testing.T) *platform {
	t.Helper()
	p := &platform{t: t, now: new(clock), log: new(logs), hosts: make(map[string]http.Handler), auths: make(map[string]*codegrant.Auth)}
	p.Pool = codegranttest.NewPool(t, p.now.Now)
	p.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.hosts[r.Host].ServeHTTP(w, r)
	}))
	t.Cleanup(p.server.Close)
	return p
}

// backend adds one on a host. It answers with who is asking.
func (p *platform) backend(host string, change func(*codegrant.Config)) {
	p.t.Helper()
	config := codegrant.Config{
		Pool: p.Register("https://" + host), BaseURL: "https://" + host, Now: p.now.Now,
		Logger: slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	change(&config)
	auth, err := codegrant.New(config)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = auth.Close(context.Background()) })
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	mux.Handle("/", auth.Require()(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		fmt.Fprintf(w, "%s %v %d by %s", id.Email, id.Groups, id.UserID, id.Method)
	})))
	p.hosts[host], p.auths[host] = mux, auth
}

// browser reaches the hosts of the platform, and this machine.
func (p *platform) browser() *codegranttest.Browser {
	b := codegranttest.NewBrowser(p.t)
	b.Client.Transport = &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if strings.Contains(address, "example.test") {
				address = p.server.Listener.Addr().String()
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	p.t.Cleanup(b.Client.CloseIdleConnections)
	return b
}

func jarOf(t *testing.T, b *codegranttest.Browser, target string) map[string]string {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	held := make(map[string]string)
	for _, c := range b.Client.Jar.Cookies(u) {
		if !strings.HasSuffix(c.Name, "codegrant-signins") { // only counts
			held[c.Name] = c.Value
		}
	}
	return held
}

func sharing(c *codegrant.Config) { c.InsecureSharedTokensDomain = ".example.test" }

const alicesPage = "alice@example.com [admins analysts] 0 by shared tokens"

func twoSharing(t *testing.T) (*platform, *codegranttest.Browser) {
	t.Helper()
	p := newPlatform(t)
	p.backend("a.example.test", sharing)
	p.backend("b.example.test", sharing)
	browser := p.browser()
	if page := browser.SignIn("https://a.example.test/", "alice@example.com", codegranttest.Password); page.Body != alicesPage {
		t.Fatalf("signed in at a: %d %q", page.Status, page.Body)
	}
	return p, browser
}

func TestSharedTokens_SignedInAtEverySibling(t *testing.T) {
	_, browser := twoSharing(t)
	if page := browser.Open("https://b.example.test/"); page.Body != alicesPage {
		t.Errorf("at b: %d %q", page.Status, page.Body)
	}
	held := jarOf(t, browser, "https://c.example.test/")
	for _, name := range []string{"access_token", "id_token", "refresh_token"} {
		if held[name] == "" {
			t.Errorf("no cookie %s on the domain; have %v", name, held)
		}
	}
	if len(held) != 3 {
		t.Errorf("cookies on the domain: %v", held)
	}
}

func TestSharedTokens_Attributes(t *testing.T) {
	p := newPlatform(t)
	p.backend("a.example.test", sharing)
	browser := p.browser()
	var lines []string
	inner := p.hosts["a.example.test"]
	p.hosts["a.example.test"] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r)
		lines = append(lines, w.Header()["Set-Cookie"]...)
	})
	browser.SignIn("https://a.example.test/", "alice@example.com", codegranttest.Password)
	seen := 0
	for _, line := range lines {
		c, err := http.ParseSetCookie(line)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(c.Name, "_token") {
			continue
		}
		seen++
		if !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "example.test" || c.SameSite != http.SameSiteLaxMode || c.MaxAge <= 0 || c.Quoted {
			t.Errorf("attributes of %s", line)
		}
	}
	if seen != 3 {
		t.Errorf("%d token cookies of 3", seen)
	}
}

func TestSharedTokens_SignOutAnywhereIsEverywhere(t *testing.T) {
	p, browser := twoSharing(t)
	before := jarOf(t, browser, "https://b.example.test/")
	page := browser.Open("https://b.example.test/auth/logout")
	if _, ok := page.Form("password"); page.Status != http.StatusOK || ok {
		t.Logf("sign-out ended at %s with %d", page.URL, page.Status)
	}
	for _, host := range []string{"a", "b"} {
		r := get(t, browser.Client, "https://"+host+".example.test/")
		if r.StatusCode != http.StatusUnauthorized {
			t.Errorf("at %s after the sign-out: %d", host, r.StatusCode)
		}
	}
	if p.Calls("revoke") != 1 {
		t.Errorf("%d revocations of 1", p.Calls("revoke"))
	}
	// A copy of the cookies is worth nothing at the backend that saw the sign-out.
	thief := p.browser()
	u, _ := url.Parse("https://b.example.test/")
	for name, value := range before {
		thief.Client.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Domain: "example.test", Secure: true}})
	}
	if r := get(t, thief.Client, u.String()); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("a copy of the cookies still works: %d", r.StatusCode)
	}
}

func TestSharedTokens_ARefreshIsSeenByTheOthers(t *testing.T) {
	p, browser := twoSharing(t)
	before := jarOf(t, browser, "https://a.example.test/")
	p.now.Advance(2 * time.Hour)
	if page := browser.Open("https://a.example.test/"); page.Body != alicesPage {
		t.Fatalf("after two hours: %d %q", page.Status, page.Body)
	}
	after := jarOf(t, browser, "https://b.example.test/")
	if after["access_token"] == before["access_token"] || after["id_token"] == before["id_token"] {
		t.Error("the refreshed tokens are not on the domain")
	}
	calls := p.Calls("token")
	if page := browser.Open("https://b.example.test/"); page.Body != alicesPage {
		t.Errorf("the sibling after the refresh: %q", page.Body)
	}
	if p.Calls("token") != calls {
		t.Error("the sibling refreshed once more")
	}
}

func TestSharedTokens_ConcurrentRequestsRefreshOnce(t *testing.T) {
	p, browser := twoSharing(t)
	if err := p.SetRotation(p.ClientID, true, 0); err != nil {
		t.Fatal(err)
	}
	p.now.Advance(2 * time.Hour)
	calls := p.Calls("token")
	held := jarOf(t, browser, "https://a.example.test/")
	var wg sync.WaitGroup
	for range 40 {
		wg.Go(func() {
			r, _ := http.NewRequest(http.MethodGet, "https://a.example.test/", nil)
			for name, value := range held {
				r.AddCookie(&http.Cookie{Name: name, Value: value})
			}
			w := httptest.NewRecorder()
			p.hosts["a.example.test"].ServeHTTP(w, r)
			if w.Code != http.StatusOK || w.Body.String() != alicesPage {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
	wg.Wait()
	if got := p.Calls("token") - calls; got != 1 {
		t.Errorf("%d refreshes of 1", got)
	}
}

func TestSharedTokens_ARefusedRefreshLeavesTheCookies(t *testing.T) {
	p, browser := twoSharing(t)
	p.now.Advance(2 * time.Hour)
	if err := p.DisableUser(p.PoolID, "alice@example.com"); err != nil {
		t.Fatal(err)
	}
	calls := p.Calls("token")
	for range 3 {
		r := get(t, browser.Client, "https://a.example.test/")
		if r.StatusCode != http.StatusUnauthorized || len(r.Header["Set-Cookie"]) != 0 {
			t.Fatalf("%d, cookies %v", r.StatusCode, r.Header["Set-Cookie"])
		}
	}
	if got := p.Calls("token") - calls; got != 1 {
		t.Errorf("the pool was asked %d times about a token that it had refused", got)
	}
}

func TestSharedTokens_ThePoolIsDown(t *testing.T) {
	p, browser := twoSharing(t)
	p.Fault("token", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }))
	p.now.Advance(59*time.Minute + 30*time.Second) // due, and not yet expired
	if page := browser.Open("https://a.example.test/"); page.Body != alicesPage {
		t.Errorf("tokens that are still good: %d %q", page.Status, page.Body)
	}
	p.now.Advance(time.Hour)
	if r := get(t, browser.Client, "https://a.example.test/"); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("expired while the pool is down: %d", r.StatusCode)
	}
	p.Fault("token", nil)
	p.now.Advance(time.Minute)
	if page := browser.Open("https://a.example.test/"); page.Body != alicesPage {
		t.Errorf("the pool is back: %d %q", page.Status, page.Body)
	}
}

func TestSharedTokens_PlantedCookies(t *testing.T) {
	p, browser := twoSharing(t)
	alice := jarOf(t, browser, "https://a.example.test/")
	bobs := p.browser()
	bobs.SignIn("https://a.example.test/", "bob@example.com", codegranttest.Password)
	bob := jarOf(t, bobs, "https://a.example.test/")

	ask := func(cookies ...*http.Cookie) *httptest.ResponseRecorder {
		r, _ := http.NewRequest(http.MethodGet, "https://a.example.test/", nil)
		for _, c := range cookies {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		p.hosts["a.example.test"].ServeHTTP(w, r)
		return w
	}
	cookie := func(name string, of map[string]string) *http.Cookie { return &http.Cookie{Name: name, Value: of[name]} }
	for _, tt := range []struct {
		name    string
		advance time.Duration
		cookies []*http.Cookie
		status  int
		body    string
	}{
		{"tokens of two people", 0, []*http.Cookie{cookie("access_token", alice), cookie("id_token", bob)}, http.StatusUnauthorized, ""},
		{"the same cookie twice", 0, []*http.Cookie{cookie("access_token", alice), cookie("access_token", bob), cookie("id_token", alice)}, http.StatusUnauthorized, ""},
		{"an ID token alone", 0, []*http.Cookie{cookie("id_token", alice)}, http.StatusUnauthorized, ""},
		{"an access token alone", 0, []*http.Cookie{cookie("access_token", alice)}, http.StatusUnauthorized, ""},
		{"junk", 0, []*http.Cookie{{Name: "access_token", Value: "x"}, {Name: "id_token", Value: "y"}, {Name: "refresh_token", Value: "z"}}, http.StatusUnauthorized, ""},
		{"another person's refresh token", 59*time.Minute + 30*time.Second,
			[]*http.Cookie{cookie("access_token", alice), cookie("id_token", alice), cookie("refresh_token", bob)}, http.StatusOK, alicesPage},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p.now.Advance(tt.advance)
			w := ask(tt.cookies...)
			if w.Code != tt.status || (tt.body != "" && w.Body.String() != tt.body) {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
	}
}

func TestSharedTokens_AbsoluteLifetime(t *testing.T) {
	p, browser := twoSharing(t)
	for range 6 {
		p.now.Advance(24 * time.Hour)
		if page := browser.Open("https://b.example.test/"); page.Body != alicesPage {
			t.Fatalf("within the absolute lifetime: %d %q", page.Status, page.Body)
		}
	}
	p.now.Advance(25 * time.Hour)
	if r := get(t, browser.Client, "https://b.example.test/"); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("after the absolute lifetime: %d", r.StatusCode)
	}
}

// disabled is a replica that heard from elsewhere that everybody was disabled.
type disabled struct{ replica.Store }

func (disabled) Apply(_ context.Context, s replica.Snapshot) (replica.Change, error) {
	return replica.Change{User: replica.User{ID: 7, Issuer: s.Issuer, Subject: s.Subject}}, nil
}

func TestS117_DisabledInTheReplicaIsNotSignedIn(t *testing.T) {
	p := newPlatform(t)
	p.backend("a.example.test", sharing)
	p.backend("b.example.test", func(c *codegrant.Config) { sharing(c); c.Replica = disabled{} })
	p.backend("c.example.test", func(c *codegrant.Config) { c.Replica = disabled{} })
	browser := p.browser()
	browser.SignIn("https://a.example.test/", "alice@example.com", codegranttest.Password)
	if r := get(t, browser.Client, "https://b.example.test/"); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("by shared tokens: %d", r.StatusCode)
	}
	if page := browser.Open("https://c.example.test/"); page.Status != http.StatusBadRequest {
		t.Errorf("by a sign-in: %d", page.Status)
	}
	if !strings.Contains(p.log.String(), "the user is disabled") {
		t.Error("the log does not say why")
	}
}

func TestSharedTokens_CrossOriginRequestsAreRefused(t *testing.T) {
	_, browser := twoSharing(t)
	r := send(t, browser.Client, http.MethodPost, "https://a.example.test/", "Sec-Fetch-Site", "same-site", "Origin", "https://evil.example.test")
	if r.StatusCode != http.StatusForbidden {
		t.Errorf("a sibling's page could post: %d", r.StatusCode)
	}
}

func TestS121_SharedTokensConfiguration(t *testing.T) {
	pool := codegranttest.NewPool(t, nil).Register("https://a.example.co.uk")
	for domain, want := range map[string]string{
		"co.uk": "public suffix", ".co.uk": "public suffix", "uk": "public suffix", "github.io": "public suffix",
		"other.example": "does not hold", "b.example.co.uk": "does not hold", "ample.co.uk": "does not hold",
		"example.co.uk": "", ".example.co.uk": "", "a.example.co.uk": "", "EXAMPLE.co.uk": "",
	} {
		_, err := codegrant.New(codegrant.Config{Pool: pool, BaseURL: "https://a.example.co.uk", InsecureSharedTokensDomain: domain})
		if (err == nil) != (want == "") || (err != nil && !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v", domain, err)
		}
	}
	_, err := codegrant.New(codegrant.Config{
		Pool: pool, BaseURL: "https://a.example.co.uk", CookieName: "s",
		InsecureSharedTokensDomain: "example.co.uk", InsecureCookieDomain: "example.co.uk",
	})
	if err == nil || !strings.Contains(err.Error(), "choose one") {
		t.Errorf("both ways at once: %v", err)
	}
}

// The safer way: one store, one session cookie on the parent domain.
func TestSharedSession_SignedInAndOutAtEverySibling(t *testing.T) {
	p := newPlatform(t)
	store := newApp(t, nil).sessions
	share := func(c *codegrant.Config) {
		c.InsecureCookieDomain, c.CookieName, c.Sessions = "example.test", "__Secure-codegrant", store
	}
	p.backend("a.example.test", share)
	p.backend("b.example.test", share)
	browser := p.browser()
	browser.SignIn("https://a.example.test/", "alice@example.com", codegranttest.Password)
	if page := browser.Open("https://b.example.test/"); page.Body != "alice@example.com [admins analysts] 0 by session" {
		t.Errorf("at b: %d %q", page.Status, page.Body)
	}
	if held := jarOf(t, browser, "https://b.example.test/"); len(held) != 1 {
		t.Errorf("cookies on the domain: %v", held)
	}
	browser.Open("https://b.example.test/auth/logout")
	if r := get(t, browser.Client, "https://a.example.test/"); r.StatusCode != http.StatusUnauthorized {
		t.Errorf("at a after the sign-out at b: %d", r.StatusCode)
	}
}
