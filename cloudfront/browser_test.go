package cloudfront_test

import (
	"net/http"
	"net/netip"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cloudfront"
)

func TestBrowserLoadsFiles(t *testing.T) {
	w := newWorld(t)
	w.served(assets+"/x.jpg", false)
	res := w.get("https://www.app.example/")
	if got := res.Header.Get("Cache-Control"); got != "private" {
		t.Errorf("Cache-Control = %q, want private", got)
	}
	if got := res.Header.Get("Vary"); got != "Cookie" {
		t.Errorf("Vary = %q, want Cookie", got)
	}
	w.served(assets+"/x.jpg", true)
	w.served(assets+"/a/b/c.m3u8?x=1", true)

	res = w.get("https://www.app.example/")
	if len(res.Cookies()) != 0 || res.Header.Get("Cache-Control") != "" {
		t.Errorf("a browser that holds cookies got %v, Cache-Control %q", res.Cookies(), res.Header.Get("Cache-Control"))
	}
	w.signatures(1)
}

func TestS127_Attributes(t *testing.T) {
	w := newWorld(t)
	cookies := w.get("https://www.app.example/").Cookies()
	if len(cookies) != 5 {
		t.Fatalf("%d cookies set, want the whole set", len(cookies))
	}
	for _, c := range cookies {
		if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Domain != "app.example" || c.Path != "/" {
			t.Errorf("attributes of %s", c)
		}
		if !c.Expires.IsZero() || c.MaxAge > 0 {
			t.Errorf("%s outlives the browser", c)
		}
	}
}

func TestS127_Expiry(t *testing.T) {
	tests := []struct {
		name     string
		lifetime time.Duration
		session  time.Duration
		want     time.Duration // of the access; 0: none
	}{
		{"30 minutes by default", 0, time.Hour, 30 * time.Minute},
		{"as configured", 15 * time.Minute, time.Hour, 15 * time.Minute},
		{"no longer than the session", 0, 10 * time.Minute, 10 * time.Minute},
		{"cut to whole seconds", 0, 10*time.Minute + 900*time.Millisecond, 10 * time.Minute},
		{"one second of session", 0, time.Second, time.Second},
		{"session that ends now", 0, 0, 0},
		{"session that has ended", 0, -time.Hour, 0},
		{"session without an end", 0, 100 * 365 * 24 * time.Hour, 30 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, func(_ *world, cfg *cloudfront.Config) { cfg.Lifetime = tt.lifetime })
			w.session = w.now.Add(tt.session)
			var policy string
			for _, c := range w.get("https://www.app.example/").Cookies() {
				if c.Name == "CloudFront-Policy" {
					policy = c.Value
				}
			}
			if tt.want == 0 {
				if policy != "" {
					t.Errorf("policy %q for a session that is over", policy)
				}
				return
			}
			p, err := cloudfront.ParsePolicy(policy)
			if err != nil || !p.Expires.Equal(w.now.Add(tt.want)) {
				t.Errorf("policy ends %v, %v, want %v", p.Expires, err, w.now.Add(tt.want))
			}
		})
	}
}

func TestS127_RenewedOnActivity(t *testing.T) {
	w := newWorld(t)
	w.page()
	steps := []struct {
		name string
		pass time.Duration
		sets int
	}{
		{"half of the life is left", 15 * time.Minute, 0},
		{"less than half is left", time.Second, 5},
		{"renewed a moment ago", time.Minute, 0},
		{"away for longer than it lasts", time.Hour, 5},
	}
	for _, s := range steps {
		w.now = w.now.Add(s.pass)
		if got := w.page(); got != s.sets {
			t.Errorf("%s: %d cookies set, want %d", s.name, got, s.sets)
		}
		w.served(assets+"/x.jpg", true)
	}
	w.signatures(3)
}

// A session that was cut short takes effect on the cookies with the next request.
func TestS127_ShortenedSession(t *testing.T) {
	w := newWorld(t)
	w.page()
	w.session = w.now.Add(5 * time.Minute)
	if got := w.page(); got != 5 {
		t.Fatalf("%d cookies set, want 5", got)
	}
	if got := w.page(); got != 0 {
		t.Errorf("%d cookies set again, want 0", got)
	}
	w.now = w.session
	w.served(assets+"/x.jpg", false)
}

func TestS128_EachStepInTheJar(t *testing.T) {
	for _, layout := range []struct {
		name   string
		change func(*world, *cloudfront.Config)
		files  []string
	}{
		{"one resource", func(*world, *cloudfront.Config) {}, []string{assets + "/x.jpg"}},
		{"several resources", func(_ *world, cfg *cloudfront.Config) {
			cfg.Resources = []cloudfront.Resource{{URL: assets + "/courses/*"}, {URL: assets + "/media/*"}}
		}, []string{assets + "/courses/x.jpg", assets + "/media/y.mp4"}},
		{"own path", func(_ *world, cfg *cloudfront.Config) {
			cfg.Resources = []cloudfront.Resource{{URL: assets + "/v2/private/*", Path: "/v2"}}
		}, []string{assets + "/v2/private/x.jpg"}},
	} {
		t.Run(layout.name, func(t *testing.T) {
			w := newWorld(t, layout.change)
			all := func(want bool) {
				t.Helper()
				for _, f := range layout.files {
					w.served(f, want)
				}
			}
			if w.page(); w.page() != 0 {
				t.Error("a second page set cookies again")
			}
			all(true)

			// The canned policy of a file download on the same path must not stay beside the custom one.
			w.plant(cannedLeft(t, w, layout.files[0]))
			all(false)
			w.page()
			all(true)

			w.get("https://www.app.example/logout")
			w.empty(layout.files)
			all(false)
			if got := w.page(); got != 0 {
				t.Errorf("a signed-out page without cookies removed %d", got)
			}

			w.subject = "bob"
			w.page()
			all(true)

			// The session ends elsewhere: the next request takes the cookies away.
			w.subject = ""
			w.page()
			w.empty(layout.files)
			all(false)
		})
	}
}

func cannedLeft(t *testing.T, w *world, url string) []*http.Cookie {
	v, err := newKey(t, "KNEW", ecKey()).SignCanned(url, w.now.Add(time.Hour), "")
	if err != nil {
		t.Fatal(err)
	}
	return v.Cookies(cloudfront.Attributes{Domain: "app.example"})[1:4]
}

// S-089: the bound within which a sign-out ends access even for somebody who copied the cookies.
func TestS089_CopiedCookiesEnd(t *testing.T) {
	w := newWorld(t)
	w.page()
	url := assets + "/x.jpg"
	copied := w.browser.Jar.Cookies(must(http.NewRequest("GET", url, nil)).URL)
	w.get("https://www.app.example/logout")
	if err := w.edge.admit(url, copied); err != nil {
		t.Errorf("CloudFront knows nothing of sessions, yet: %v", err)
	}
	w.now = w.now.Add(30 * time.Minute)
	if err := w.edge.admit(url, copied); err == nil {
		t.Error("a copy of the cookies works beyond the lifetime")
	}
}

func TestS128_UserChange(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *cloudfront.Config) {
		cfg.Resources = []cloudfront.Resource{{URL: assets + "/home/{subject}/*"}}
	})
	w.page()
	w.served(assets+"/home/alice/x.jpg", true)
	w.served(assets+"/home/bob/x.jpg", false)
	w.subject = "bob"
	w.page()
	w.served(assets+"/home/alice/x.jpg", false)
	w.served(assets+"/home/bob/x.jpg", true)

	w.subject = "*"
	if got := w.page(); got != 5 {
		t.Errorf("a subject that is a wildcard: %d cookies, want the removal of all 5", got)
	}
	w.served(assets+"/home/bob/x.jpg", false)
	if len(w.faults) != 1 {
		t.Errorf("faults reported: %v", w.faults)
	}
}

// Where paths hide the cookies, the marker must notice the other user.
func TestS128_UserChangeWithPaths(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *cloudfront.Config) {
		cfg.Resources = []cloudfront.Resource{{URL: assets + "/home/{subject}/*"}, {URL: assets + "/media/*"}}
	})
	w.page()
	w.subject = "bob"
	w.page()
	w.served(assets+"/home/alice/x.jpg", false)
	w.served(assets+"/home/bob/x.jpg", true)
	w.served(assets+"/media/x.jpg", true)
}

func TestS129_RuleOfTheResource(t *testing.T) {
	groups := map[string]bool{}
	in := func(group string) func(*http.Request, string) bool {
		return func(_ *http.Request, subject string) bool { return groups[subject+" "+group] }
	}
	w := newWorld(t, func(_ *world, cfg *cloudfront.Config) {
		cfg.Resources = []cloudfront.Resource{
			{URL: assets + "/reports/*", Allow: in("analysts")}, {URL: assets + "/media/*", Allow: in("editors")},
		}
	})
	check := func(step string, reports, media bool) {
		t.Helper()
		w.page()
		if got := w.page(); got != 0 {
			t.Errorf("%s: %d cookies set again", step, got)
		}
		w.served(assets+"/reports/x", reports)
		w.served(assets+"/media/x", media)
	}
	check("no group", false, false)
	groups["alice analysts"] = true
	check("one group", true, false)
	groups["alice editors"] = true
	check("both groups", true, true)
	delete(groups, "alice analysts")
	check("group lost", false, true)
	delete(groups, "alice editors")
	check("both lost", false, false)
}

func TestS129_KeyRotation(t *testing.T) {
	var keys []cloudfront.Key
	w := newWorld(t, func(_ *world, cfg *cloudfront.Config) {
		keys = cfg.Keys
		cfg.Keys = []cloudfront.Key{newKey(t, "KOLD", rsaKey())}
	})
	w.page()
	w.served(assets+"/x", true)

	// Both keys are in the group: what the old one signed lives on until half of it is gone.
	rotate := func(k ...cloudfront.Key) {
		w.cookies = newCookies(t, w.config(k))
	}
	rotate(keys[0], newKey(t, "KOLD", rsaKey()))
	if got := w.page(); got != 0 {
		t.Errorf("rotation replaced %d cookies that CloudFront still accepts", got)
	}
	w.now = w.now.Add(16 * time.Minute)
	if got := w.page(); got != 5 {
		t.Errorf("%d cookies set after half of the life, want 5", got)
	}
	w.signatures(1) // the newest signs
	w.served(assets+"/x", true)

	delete(w.edge.keyGroup, "KOLD")
	rotate(keys[0])
	if got := w.page(); got != 0 {
		t.Errorf("the end of the rotation replaced %d cookies", got)
	}
	w.served(assets+"/x", true)
}

// A key that was taken out at once, because it leaked say, takes its cookies along.
func TestS129_KeyRemoved(t *testing.T) {
	w := newWorld(t)
	w.page()
	w.cookies = newCookies(t, w.config([]cloudfront.Key{newKey(t, "KOLD", rsaKey())}))
	delete(w.edge.keyGroup, "KNEW")
	w.served(assets+"/x", false)
	if got := w.page(); got != 5 {
		t.Errorf("%d cookies set, want 5", got)
	}
	w.served(assets+"/x", true)
}

func TestCookieDomainPerSite(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *cloudfront.Config) {
		cfg.Domain = ""
		cfg.Domains = []string{"a.example", "boards.b.example", "shop.co.uk"}
		cfg.Resources = []cloudfront.Resource{
			{URL: "https://assets.a.example/*"}, {URL: "https://assets.b.example/*"}, {URL: "https://assets.shop.co.uk/*"},
		}
	})
	sites := []struct{ page, file string }{
		{"https://boards.a.example/", "https://assets.a.example/x"},
		{"https://boards.b.example/", "https://assets.b.example/x"},
		{"https://www.shop.co.uk/", "https://assets.shop.co.uk/x"},
	}
	for _, s := range sites {
		w.served(s.file, false)
		if got := len(w.get(s.page).Cookies()); got != 5 {
			t.Errorf("%s set %d cookies, want 5", s.page, got)
		}
		w.served(s.file, true)
	}
	for _, page := range []string{"https://other.b.example/", "https://a.example.evil.example/", "https://co.uk/", "https://evil.example/"} {
		if got := w.get(page).Cookies(); len(got) != 0 {
			t.Errorf("%s set %v", page, got)
		}
	}
	if len(w.faults) != 4 {
		t.Errorf("faults reported: %v", w.faults)
	}
	w.get("https://boards.a.example/logout")
	w.served(sites[0].file, false)
	w.served(sites[1].file, true) // a browser removes cookies of the asked domain only
	w.get(sites[1].page)
	w.served(sites[1].file, false)
}

func TestHostOnly(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *cloudfront.Config) {
		cfg.Domain, cfg.HostOnly = "", true
		cfg.Resources = []cloudfront.Resource{{URL: "https://www.app.example/cdn/*", Path: "/cdn/"}}
	})
	for _, c := range w.get("https://www.app.example/").Cookies() {
		if c.Domain != "" {
			t.Errorf("%s has a domain", c)
		}
	}
	w.served("https://www.app.example/cdn/x", true)
	w.get("https://www.app.example/logout")
	w.served("https://www.app.example/cdn/x", false)
}

func TestBoundToAddress(t *testing.T) {
	w := newWorld(t, func(w *world, cfg *cloudfront.Config) {
		cfg.ClientIP = func(*http.Request) netip.Addr { a, _ := netip.ParseAddr(w.address); return a }
	})
	w.page()
	w.served(assets+"/x", true)
	w.edge.viewer = "198.51.100.7"
	w.served(assets+"/x", false)
	w.address = "198.51.100.7"
	if got := w.page(); got != 5 {
		t.Errorf("new address: %d cookies set, want 5", got)
	}
	w.served(assets+"/x", true)
	w.address = "::ffff:198.51.100.7"
	if got := w.page(); got != 0 {
		t.Errorf("the same address in IPv6 notation: %d cookies set, want 0", got)
	}
	for _, address := range []string{"2001:db8::1", ""} {
		w.address = address
		w.page()
		w.served(assets+"/x", false)
	}
	if len(w.faults) != 2 {
		t.Errorf("faults reported: %v", w.faults)
	}
}

// A set that an earlier configuration left on the narrower domain would be sent along with the new one.
func TestS128_StraysOfAnotherDomain(t *testing.T) {
	w := newWorld(t, func(_ *world, cfg *cloudfront.Config) {
		cfg.Resources = []cloudfront.Resource{{URL: "https://assets.www.app.example/*"}}
	})
	old := must(newKey(t, "KNEW", ecKey()).SignPolicy(cloudfront.Policy{Resource: "https://assets.www.app.example/*", Expires: w.now.Add(-time.Hour)}, ""))
	w.plant(old.Cookies(cloudfront.Attributes{Domain: "www.app.example"}))
	w.plant(old.Cookies(cloudfront.Attributes{}))
	w.page()
	w.page() // now the browser shows both sets
	w.served("https://assets.www.app.example/x", true)
	if got := w.page(); got != 0 {
		t.Errorf("%d cookies set, want the browser at rest", got)
	}
}

// After a change from several resources to one, the marker of the former goes with the first sign-out.
func TestS128_MarkerOfEarlierConfiguration(t *testing.T) {
	w := newWorld(t)
	w.plant([]*http.Cookie{{Name: "codegrant-cloudfront", Value: "1.2.x", Domain: "app.example", Path: "/"}})
	w.subject = ""
	if got := w.page(); got != 6 {
		t.Errorf("%d cookies removed, want the set and the marker", got)
	}
	if got := w.page(); got != 0 {
		t.Errorf("%d cookies removed again", got)
	}
}

// Sets of other applications on the same domain are left to them.
func TestForeignSetStays(t *testing.T) {
	w := newWorld(t)
	w.subject = ""
	v := must(newKey(t, "KOTHER", otherRSA()).SignCanned(assets+"/x", w.now.Add(time.Hour), ""))
	w.plant(v.Cookies(cloudfront.Attributes{Domain: "app.example"}))
	if got := w.page(); got != 0 {
		t.Errorf("%d cookies removed", got)
	}
}
