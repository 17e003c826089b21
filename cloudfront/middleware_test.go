package cloudfront_test

import (
	"bufio"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cloudfront"
)

func TestResponseWriterIsNotWrapped(t *testing.T) {
	w := httptest.NewRecorder()
	var got http.ResponseWriter
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { got = w })
	newCookies(t, goodConfig(t)).Middleware(next).ServeHTTP(w, httptest.NewRequest("GET", "https://www.app.example/", nil))
	if got != http.ResponseWriter(w) {
		t.Errorf("next got %T, want the writer itself", got)
	}
}

func TestS057_ResponseHeaders(t *testing.T) {
	tests := []struct {
		name   string
		before http.Header
		cache  []string
		vary   []string
	}{
		{"nothing yet", http.Header{}, []string{"private"}, []string{"Cookie"}},
		{"stricter already", http.Header{"Cache-Control": {"no-store"}, "Vary": {"cookie"}}, []string{"no-store"}, []string{"cookie"}},
		{"private with an age", http.Header{"Cache-Control": {"max-age=60, Private"}}, []string{"max-age=60, Private"}, []string{"Cookie"}},
		{"age alone", http.Header{"Cache-Control": {"max-age=60"}, "Vary": {"Accept"}}, []string{"max-age=60", "private"}, []string{"Accept", "Cookie"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			for name, values := range tt.before {
				w.Header()[name] = values
			}
			newCookies(t, goodConfig(t)).Middleware(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "https://www.app.example/", nil))
			if got := w.Header()["Cache-Control"]; !slices.Equal(got, tt.cache) {
				t.Errorf("Cache-Control = %q, want %q", got, tt.cache)
			}
			if got := w.Header()["Vary"]; !slices.Equal(got, tt.vary) {
				t.Errorf("Vary = %q, want %q", got, tt.vary)
			}
		})
	}
}

// One response never both sets and removes a cookie, and leaves the cookies of others alone.
func TestS128_ClearTakesBackWhatTheResponseSet(t *testing.T) {
	for _, mine := range []bool{true, false} {
		c := newCookies(t, goodConfig(t))
		w := httptest.NewRecorder()
		if mine {
			http.SetCookie(w, &http.Cookie{Name: "theme", Value: "dark"})
		}
		c.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c.Clear(w, r)
			c.Clear(w, r)
		})).ServeHTTP(w, httptest.NewRequest("GET", "https://www.app.example/", nil))
		cookies := w.Result().Cookies()
		if mine {
			if len(cookies) == 0 || cookies[0].Name != "theme" {
				t.Fatalf("cookies %v, want that of the application first", cookies)
			}
			cookies = cookies[1:]
		}
		if len(cookies) != 5 {
			t.Errorf("%d cookies, want 5", len(cookies))
		}
		for _, cookie := range cookies {
			if cookie.MaxAge >= 0 || cookie.Value != "" || cookie.Domain != "app.example" || cookie.Path != "/" || !cookie.Secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode {
				t.Errorf("removal %s", cookie)
			}
		}
	}
}

func TestClearForUnlistedHost(t *testing.T) {
	cfg := goodConfig(t)
	cfg.Domain, cfg.Domains = "", []string{"app.example"}
	w := httptest.NewRecorder()
	newCookies(t, cfg).Clear(w, httptest.NewRequest("GET", "https://evil.example/", nil))
	if len(w.Header()) != 0 {
		t.Errorf("header %v, want none", w.Header())
	}
}

func TestGrantErrors(t *testing.T) {
	down := errors.New("key service is down")
	tests := []struct {
		name    string
		change  func(*cloudfront.Config)
		host    string
		subject string
		want    error
	}{
		{"host", func(c *cloudfront.Config) { c.Domain, c.Domains = "", []string{"app.example"} }, "evil.example", "alice", cloudfront.ErrHost},
		{"address", func(c *cloudfront.Config) {
			c.ClientIP = func(*http.Request) netip.Addr { return netip.MustParseAddr("2001:db8::1") }
		}, "www.app.example", "alice", cloudfront.ErrAddress},
		{"subject", func(c *cloudfront.Config) {
			c.Resources = []cloudfront.Resource{{URL: "https://assets.app.example/{subject}/*"}}
		}, "www.app.example", "../alice", cloudfront.ErrSegment},
		{"signer", func(c *cloudfront.Config) {
			c.Keys = []cloudfront.Key{newKey(t, "K1", wrongSigner{rsaKey(), down})}
		}, "www.app.example", "alice", down},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := goodConfig(t)
			tt.change(&cfg)
			w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "https://"+tt.host+"/", nil)
			err := newCookies(t, cfg).Grant(w, r, tt.subject, at.Add(time.Hour))
			if !errors.Is(err, tt.want) {
				t.Errorf("Grant = %v, want %v", err, tt.want)
			}
			if len(w.Header()) != 0 {
				t.Errorf("header %v, want none", w.Header())
			}
		})
	}
}

// A fault that is not the user's takes nothing away.
func TestSignerFaultKeepsCookies(t *testing.T) {
	cfg := goodConfig(t)
	values, err := cfg.Keys[0].SignPolicy(cloudfront.Policy{Resource: cfg.Resources[0].URL, Expires: at.Add(time.Minute)}, "")
	if err != nil {
		t.Fatal(err)
	}
	key := newKey(t, "K1", wrongSigner{rsaKey(), errors.New("down")})
	cfg.Keys = []cloudfront.Key{key}
	called := false
	next := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true })
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "https://www.app.example/", nil)
	for _, c := range live(values) {
		r.AddCookie(c)
	}
	newCookies(t, cfg).Middleware(next).ServeHTTP(w, r)
	if len(w.Header()) != 0 || !called {
		t.Errorf("header %v, next called %v", w.Header(), called)
	}
}

func TestSHA256Switch(t *testing.T) {
	c, v := newCounted(t, ecKey()), &visitor{}
	v.visit(c.h)
	c = newCounted(t, ecKey(), func(cfg *cloudfront.Config) { cfg.Hash = cloudfront.SHA256 })
	if v.visit(c.h) == 0 || v.jar["CloudFront-Hash-Algorithm"] != "SHA256" {
		t.Errorf("cookies with SHA1 stayed: %v", v.jar)
	}
	if v.visit(c.h) != 0 {
		t.Error("cookies with SHA256 were replaced")
	}
}

// FuzzCookieHeader sends whatever a client can: a response sets or removes whole sets or nothing.
func FuzzCookieHeader(f *testing.F) {
	visible := newCookies(f, goodConfig(f))
	cfg := goodConfig(f)
	cfg.Resources = []cloudfront.Resource{{URL: "https://assets.app.example/a/*"}, {URL: "https://assets.app.example/b/*"}}
	hidden := newCookies(f, cfg)
	seeds := 0
	for _, c := range []*cloudfront.Cookies{visible, hidden} {
		var pairs []string
		for _, cookie := range issue(c, "www.app.example") {
			if cookie.MaxAge >= 0 {
				pairs = append(pairs, cookie.Name+"="+cookie.Value)
			}
		}
		f.Add(strings.Join(pairs, "; "), true)
		f.Add(strings.Join(append(pairs, pairs...), "; "), false)
		seeds += len(pairs)
	}
	if seeds == 0 {
		f.Fatal("no seeds")
	}
	f.Add("codegrant-cloudfront=1.2.x; CloudFront-Key-Pair-Id=K1", true)
	f.Add("codegrant-cloudfront=-9223372036854775808.9223372036854775807.", true)
	f.Fuzz(func(t *testing.T, header string, signedIn bool) {
		for _, c := range []*cloudfront.Cookies{visible, hidden} {
			r := httptest.NewRequest("GET", "https://www.app.example/", nil)
			r.Header.Set("Cookie", header)
			w := httptest.NewRecorder()
			if signedIn {
				if err := c.Grant(w, r, "alice", at.Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
			} else {
				c.Clear(w, r)
			}
			sets := map[string]int{}
			for _, cookie := range w.Result().Cookies() {
				if cookie.Name != "codegrant-cloudfront" {
					sets[cookie.Domain+cookie.Path]++
				}
			}
			for set, n := range sets {
				if n != 5 {
					t.Fatalf("%d cookies for %s", n, set)
				}
			}
		}
	})
}

// The header can be read back by any server: no value breaks out of its line.
func TestSetCookieLines(t *testing.T) {
	w := httptest.NewRecorder()
	newCookies(t, goodConfig(t)).Middleware(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "https://www.app.example/", nil))
	var b strings.Builder
	if err := w.Result().Write(&b); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(b.String())), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if got := len(res.Cookies()); got != 5 {
		t.Errorf("%d cookies after a round trip, want 5", got)
	}
}
