package cloudfront_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cloudfront"
)

func goodConfig(tb testing.TB) cloudfront.Config {
	return cloudfront.Config{
		Keys:      []cloudfront.Key{newKey(tb, "K1", ecKey())},
		Resources: []cloudfront.Resource{{URL: "https://assets.app.example/private/*"}},
		Domain:    "app.example",
		SignedIn:  func(*http.Request) (string, time.Time, bool) { return "alice", at.Add(time.Hour), true },
		Now:       func() time.Time { return at },
	}
}

func TestConfigFaults(t *testing.T) {
	key := newKey(t, "K1", ecKey())
	tests := []struct {
		name   string
		change func(*cloudfront.Config)
		says   string
		is     error
	}{
		{"no keys", func(c *cloudfront.Config) { c.Keys = nil }, "Keys: ", cloudfront.ErrKey},
		{"zero key", func(c *cloudfront.Config) { c.Keys = []cloudfront.Key{key, {}} }, "Keys[1]: ", cloudfront.ErrKey},
		{"same key twice", func(c *cloudfront.Config) { c.Keys = []cloudfront.Key{key, key} }, "Keys[1]: ", cloudfront.ErrKey},
		{"unknown hash", func(c *cloudfront.Config) { c.Hash = "SHA512" }, "Hash: ", nil},
		{"short lifetime", func(c *cloudfront.Config) { c.Lifetime = time.Second }, "Lifetime: 1s", nil},
		{"long lifetime", func(c *cloudfront.Config) { c.Lifetime = 25 * time.Hour }, "Lifetime: 25h", nil},
		{"negative lifetime", func(c *cloudfront.Config) { c.Lifetime = -time.Hour }, "Lifetime: -1h", nil},
		{"SameSite default mode", func(c *cloudfront.Config) { c.SameSite = http.SameSiteDefaultMode }, "SameSite: ", nil},
		{"nobody to ask", func(c *cloudfront.Config) { c.SignedIn = nil }, "SignedIn: ", nil},
		{"no resources", func(c *cloudfront.Config) { c.Resources = nil }, "Resources: ", cloudfront.ErrResource},
		{"no domain", func(c *cloudfront.Config) { c.Domain = "" }, "Domain: ", cloudfront.ErrDomain},
		{"two ways to a domain", func(c *cloudfront.Config) { c.Domains = []string{"app.example"} }, "exactly one", cloudfront.ErrDomain},
		{"domain and host only", func(c *cloudfront.Config) { c.HostOnly = true }, "exactly one", cloudfront.ErrDomain},
		{"resource of another domain", func(c *cloudfront.Config) { c.Domain = "other.example" }, "alternate domain name", cloudfront.ErrResource},
		{"resource above the domain", func(c *cloudfront.Config) { c.Domain = "x.assets.app.example" }, "not below the cookie domain", cloudfront.ErrResource},
		{"resource beside the domain", func(c *cloudfront.Config) { c.Domain = "pp.example" }, "not below the cookie domain", cloudfront.ErrResource},
		{"listed domain without a resource", func(c *cloudfront.Config) { c.Domain, c.Domains = "", []string{"app.example", "b.example"} }, `no resource has a host below "b.example"`, cloudfront.ErrDomain},
		{"resource of no listed domain", func(c *cloudfront.Config) {
			c.Domain, c.Domains = "", []string{"app.example"}
			c.Resources = append(c.Resources, cloudfront.Resource{URL: "https://assets.b.example/*"})
		}, "Resources[1]: ", cloudfront.ErrResource},
		{"two hosts for host-only cookies", func(c *cloudfront.Config) {
			c.Domain, c.HostOnly = "", true
			c.Resources = append(c.Resources, cloudfront.Resource{URL: "https://b.example/other/*"})
		}, "HostOnly cookies reach one host", cloudfront.ErrResource},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := goodConfig(t)
			tt.change(&cfg)
			c, err := cloudfront.New(cfg)
			if c != nil || err == nil || !strings.Contains(err.Error(), tt.says) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("New = %v, %v, want an error %v that says %q", c, err, tt.is, tt.says)
			}
		})
	}
	if _, err := cloudfront.New(goodConfig(t)); err != nil {
		t.Errorf("New of the configuration that the rows change = %v", err)
	}
}

func TestConfigAllFaultsAtOnce(t *testing.T) {
	_, err := cloudfront.New(cloudfront.Config{
		Hash: "MD5", Lifetime: time.Second, SameSite: 9, Domain: "co.uk",
		Resources: []cloudfront.Resource{{URL: "https://*"}, {}, {URL: "https://a.co.uk/x/*", Path: "y"}},
	})
	if err == nil {
		t.Fatal("New succeeded")
	}
	for _, want := range []string{"Keys: ", "Hash: ", "Lifetime: ", "SameSite: ", "SignedIn: ", "Resources[0]: ", "Resources[1]: ", "Resources[2]: ", "Domain: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not name %q:\n%v", want, err)
		}
	}
	for _, want := range []error{cloudfront.ErrKey, cloudfront.ErrResource, cloudfront.ErrDomain} {
		if !errors.Is(err, want) {
			t.Errorf("error is not %v", want)
		}
	}
}

func TestS126_ResourceRefused(t *testing.T) {
	tests := []struct {
		name string
		res  cloudfront.Resource
	}{
		{"missing", cloudfront.Resource{}},
		{"path alone", cloudfront.Resource{URL: "/private/*"}},
		{"star", cloudfront.Resource{URL: "*"}},
		{"every host", cloudfront.Resource{URL: "https://*"}},
		{"wildcard in the host", cloudfront.Resource{URL: "https://*.app.example/*"}},
		{"host that goes on", cloudfront.Resource{URL: "https://assets.app.example*"}},
		{"host without a path", cloudfront.Resource{URL: "https://assets.app.example"}},
		{"plain http", cloudfront.Resource{URL: "http://assets.app.example/*"}},
		{"both schemes", cloudfront.Resource{URL: "http*://assets.app.example/*"}},
		{"wildcard that is not a folder", cloudfront.Resource{URL: "https://assets.app.example/private*"}},
		{"wildcard in the middle", cloudfront.Resource{URL: "https://assets.app.example/*/x"}},
		{"two wildcards", cloudfront.Resource{URL: "https://assets.app.example/*/*"}},
		{"double star", cloudfront.Resource{URL: "https://assets.app.example/**"}},
		{"one character", cloudfront.Resource{URL: "https://assets.app.example/x?"}},
		{"query", cloudfront.Resource{URL: "https://assets.app.example/x?a=b"}},
		{"wildcard and query", cloudfront.Resource{URL: "https://assets.app.example/x?/*"}},
		{"other placeholder", cloudfront.Resource{URL: "https://assets.app.example/{user}/*"}},
		{"two subjects", cloudfront.Resource{URL: "https://assets.app.example/{subject}/{subject}/*"}},
		{"subject within a segment", cloudfront.Resource{URL: "https://assets.app.example/u-{subject}/*"}},
		{"subject as host", cloudfront.Resource{URL: "https://{subject}/x/*"}},
		{"subject as part of the host", cloudfront.Resource{URL: "https://{subject}.app.example/*"}},
		{"subject at the end", cloudfront.Resource{URL: "https://assets.app.example/{subject}"}},
		{"dot segments", cloudfront.Resource{URL: "https://assets.app.example/private/../*"}},
		{"encoded quotes are fine, quotes are not", cloudfront.Resource{URL: `https://assets.app.example/"/*`}},
		{"path not a folder", cloudfront.Resource{URL: "https://assets.app.example/a/*", Path: "a"}},
		{"path elsewhere", cloudfront.Resource{URL: "https://assets.app.example/a/*", Path: "/b/"}},
		{"path beside", cloudfront.Resource{URL: "https://assets.app.example/ab/*", Path: "/a"}},
		{"path below", cloudfront.Resource{URL: "https://assets.app.example/a/*", Path: "/a/b/"}},
		{"path of one user", cloudfront.Resource{URL: "https://assets.app.example/home/{subject}/*", Path: "/home/alice/"}},
		{"path with an attribute", cloudfront.Resource{URL: "https://assets.app.example/a/*", Path: "/; Domain=example"}},
		{"path with a wildcard", cloudfront.Resource{URL: "https://assets.app.example/a/*", Path: "/*"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := goodConfig(t)
			cfg.Resources = []cloudfront.Resource{tt.res}
			if _, err := cloudfront.New(cfg); !errors.Is(err, cloudfront.ErrResource) {
				t.Errorf("New with %+v = %v, want ErrResource", tt.res, err)
			}
		})
	}
}

func TestS127_DomainRefused(t *testing.T) {
	bad := []string{
		"com", "co.uk", "github.io", "cloudfront.net", "s3.amazonaws.com", "example", "localhost", // public suffixes
		"127.0.0.1", "192.0.2.1", "0.1", "[::1]", // addresses
		"*.app.example", "APP.example", "app.example.", "app..example", "-app.example", "app.example:443", "https://app.example", "app.example/x", "ä.example", " app.example", "..app.example",
	}
	for _, name := range bad {
		for _, form := range []string{"Domain", "Domains"} {
			cfg := goodConfig(t)
			cfg.Domain = name
			if form == "Domains" {
				cfg.Domain, cfg.Domains = "", []string{"app.example", name}
			}
			if _, err := cloudfront.New(cfg); !errors.Is(err, cloudfront.ErrDomain) {
				t.Errorf("New with %s %q = %v, want ErrDomain", form, name, err)
			}
		}
	}
	cfg := goodConfig(t)
	cfg.Domain = ".app.example" // as Django and the Python package write it
	if c, err := cloudfront.New(cfg); err != nil {
		t.Errorf("New with a leading dot: %v", err)
	} else if got := issue(c, "www.app.example")[0].Domain; got != "app.example" {
		t.Errorf("Domain = %q, want app.example", got)
	}
}

// issue returns the cookies that a request for a host gets.
func issue(c *cloudfront.Cookies, host string) []*http.Cookie {
	r := httptest.NewRequest("GET", "/", nil)
	r.Host = host
	w := httptest.NewRecorder()
	c.Middleware(http.NotFoundHandler()).ServeHTTP(w, r)
	return w.Result().Cookies()
}

func TestCookieDomainOfHost(t *testing.T) {
	cfg := goodConfig(t)
	cfg.Domain, cfg.Domains = "", []string{"a.example", "boards.b.example", "x.github.io"}
	cfg.Resources = []cloudfront.Resource{{URL: "https://assets.a.example/*"}, {URL: "https://assets.b.example/*"}, {URL: "https://x.github.io/*"}}
	c, err := cloudfront.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ host, want string }{
		{"a.example", "a.example"},
		{"boards.a.example", "a.example"},
		{"deep.boards.a.example:8443", "a.example"},
		{"BOARDS.A.EXAMPLE", "a.example"},
		{"boards.a.example.", "a.example"},
		{"boards.b.example", "b.example"},
		{"b.example", ""},
		{"www.b.example", ""},
		{"x.boards.b.example", ""},
		{"www.x.github.io", "x.github.io"},
		{"y.github.io", ""},
		{"a.example.evil.example", ""},
		{"evila.example", ""},
		{"example", ""},
		{"", ""},
		{":443", ""},
		{"[::1]", ""},
		{"[::1]:443", ""},
		{"127.0.0.1:443", ""},
		{"boards.a.example;x", ""},
		{"*.a.example", ""},
		{".a.example", ""},
	}
	for _, tt := range tests {
		got := ""
		if cookies := issue(c, tt.host); len(cookies) > 0 {
			got = cookies[0].Domain
		}
		if got != tt.want {
			t.Errorf("Host %q: cookie domain %q, want %q", tt.host, got, tt.want)
		}
	}
}

func TestCookiePaths(t *testing.T) {
	tests := []struct {
		name  string
		res   []cloudfront.Resource
		paths string // of the sets, empty: refused
	}{
		{"one resource goes everywhere", []cloudfront.Resource{{URL: "https://assets.app.example/private/*"}}, "/"},
		{"unless told otherwise", []cloudfront.Resource{{URL: "https://assets.app.example/private/*", Path: "/private"}}, "/private"},
		{"several go to their folders", []cloudfront.Resource{{URL: "https://assets.app.example/a/*"}, {URL: "https://assets.app.example/b/c/*"}}, "/a/ /b/c/"},
		{"file and folder", []cloudfront.Resource{{URL: "https://assets.app.example/a/x.pdf"}, {URL: "https://assets.app.example/b/*"}}, "/a/ /b/"},
		{"folders of users", []cloudfront.Resource{{URL: "https://assets.app.example/home/{subject}/*"}, {URL: "https://assets.app.example/b/*"}}, "/home/ /b/"},
		{"names that begin alike", []cloudfront.Resource{{URL: "https://assets.app.example/a/*"}, {URL: "https://assets.app.example/ab/*"}}, "/a/ /ab/"},
		{"folder in a folder", []cloudfront.Resource{{URL: "https://assets.app.example/a/*"}, {URL: "https://assets.app.example/a/b/*"}}, ""},
		{"same folder on two hosts", []cloudfront.Resource{{URL: "https://one.app.example/a/*"}, {URL: "https://two.app.example/a/*"}}, ""},
		{"one of them everything", []cloudfront.Resource{{URL: "https://assets.app.example/*"}, {URL: "https://assets.app.example/b/*"}}, ""},
		{"two files of one folder", []cloudfront.Resource{{URL: "https://assets.app.example/a/x"}, {URL: "https://assets.app.example/a/y"}}, ""},
		{"path that contains the other's", []cloudfront.Resource{{URL: "https://assets.app.example/a/b/*", Path: "/a"}, {URL: "https://assets.app.example/a/c/*"}}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := goodConfig(t)
			cfg.Resources = tt.res
			c, err := cloudfront.New(cfg)
			if tt.paths == "" {
				if !errors.Is(err, cloudfront.ErrResource) || !strings.Contains(err.Error(), "together") {
					t.Errorf("New = %v, want ErrResource", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var paths []string
			for _, cookie := range issue(c, "www.app.example") {
				if cookie.Name == "CloudFront-Policy" {
					paths = append(paths, cookie.Path)
				}
			}
			if got := strings.Join(paths, " "); got != tt.paths {
				t.Errorf("paths %q, want %q", got, tt.paths)
			}
		})
	}
}

func FuzzResource(f *testing.F) {
	f.Add("https://assets.app.example/private/*", "", "alice")
	f.Add("https://assets.app.example/home/{subject}/*", "/home", "*")
	f.Add("https://assets.app.example/x.pdf", "/", "a/../b")
	f.Fuzz(func(t *testing.T, url, path, subject string) {
		cfg := goodConfig(t)
		cfg.Resources = []cloudfront.Resource{{URL: url, Path: path}}
		cfg.SignedIn = func(*http.Request) (string, time.Time, bool) { return subject, at.Add(time.Hour), true }
		c, err := cloudfront.New(cfg)
		if err != nil {
			if !errors.Is(err, cloudfront.ErrResource) {
				t.Fatalf("New = %v, want ErrResource", err)
			}
			return
		}
		cookies := issue(c, "www.app.example")
		if len(cookies) == 0 {
			return // the subject did not fit
		}
		p, err := cloudfront.ParsePolicy(cookies[0].Value)
		if err != nil {
			t.Fatal(err)
		}
		host, rest, _ := strings.Cut(strings.TrimPrefix(p.Resource, "https://"), "/")
		name, _, _ := strings.Cut(host, ":")
		if name != "app.example" && !strings.HasSuffix(name, ".app.example") {
			t.Fatalf("resource %q is outside the domain", p.Resource)
		}
		if wildcards := strings.Count(rest, "*") + strings.Count(rest, "?"); wildcards > 1 || wildcards == 1 && !strings.HasSuffix("/"+rest, "/*") {
			t.Fatalf("resource %q has a wildcard that is not a whole folder", p.Resource)
		}
		if !strings.Contains(url, "{subject}") && p.Resource != url {
			t.Fatalf("resource %q became %q", url, p.Resource)
		}
	})
}
