package cloudfront_test

import (
	"crypto"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cloudfront"
)

// visitor is a browser without the network: it keeps the cookies that it is given and sends them.
type visitor struct {
	jar map[string]string
}

// visit makes one request and reports how many cookies the response set or removed.
func (v *visitor) visit(h http.Handler) int {
	r := httptest.NewRequest("GET", "https://www.app.example/", nil)
	for name, value := range v.jar {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	got := w.Result().Cookies()
	if v.jar == nil {
		v.jar = map[string]string{}
	}
	for _, c := range got {
		if delete(v.jar, c.Name); c.MaxAge >= 0 && c.Path == "/" {
			v.jar[c.Name] = c.Value
		}
	}
	return len(got)
}

// counted is a configuration whose signatures are counted and whose clock and session can be moved.
type counted struct {
	signer  countingSigner
	now     time.Time
	session time.Time
	h       http.Handler
}

func newCounted(tb testing.TB, signer crypto.Signer, change ...func(*cloudfront.Config)) *counted {
	tb.Helper()
	c := &counted{signer: countingSigner{Signer: signer}, now: at, session: at.Add(240 * time.Hour)}
	cfg := goodConfig(tb)
	cfg.Keys = []cloudfront.Key{newKey(tb, "K1", &c.signer)}
	cfg.SignedIn = func(*http.Request) (string, time.Time, bool) { return "alice", c.session, true }
	cfg.Now = func() time.Time { return c.now }
	for _, f := range change {
		f(&cfg)
	}
	cookies, err := cloudfront.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	c.h = cookies.Middleware(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	return c
}

func TestOneSignatureFor100Requests(t *testing.T) {
	for _, name := range []string{"100 requests of one browser", "100 browsers"} {
		t.Run(name, func(t *testing.T) {
			c := newCounted(t, rsaKey())
			sent := 0
			v := &visitor{}
			for i := range 100 {
				if name == "100 browsers" {
					v = &visitor{}
				}
				c.now = at.Add(time.Duration(i) * 9 * time.Second) // within half of the life
				sent += v.visit(c.h)
			}
			if n := c.signer.n.Load(); n != 1 {
				t.Errorf("%d signatures, want 1", n)
			}
			if name != "100 browsers" && sent != 5 {
				t.Errorf("%d cookies sent, want 5", sent)
			}
		})
	}
}

// A day of traffic costs two signatures per lifetime.
func TestSignaturesOfADay(t *testing.T) {
	c := newCounted(t, ecKey())
	v := &visitor{}
	for range 24 * 60 * 6 {
		c.now = c.now.Add(10 * time.Second)
		v.visit(c.h)
	}
	if n := c.signer.n.Load(); n > 2*48+1 {
		t.Errorf("%d signatures in a day, want at most %d", n, 2*48+1)
	}
}

// Sessions that end sooner than the lifetime cannot use the common signature, and do not each need their own.
func TestSignaturesOfEndingSessions(t *testing.T) {
	c := newCounted(t, ecKey())
	random := rand.New(rand.NewPCG(1, 2))
	const users = 5000
	for range users {
		c.session = c.now.Add(time.Duration(1+random.IntN(1800)) * time.Second)
		v := &visitor{}
		v.visit(c.h)
		p, err := cloudfront.ParsePolicy(v.jar["CloudFront-Policy"])
		if err != nil {
			t.Fatal(err)
		}
		got, want := p.Expires.Sub(c.now), c.session.Sub(c.now)
		if got > want || got < want/2 {
			t.Fatalf("session of %v got cookies for %v", want, got)
		}
	}
	if n := c.signer.n.Load(); n > 40 {
		t.Errorf("%d signatures for %d users, want a few", n, users)
	}
}

// A session that slides with every request must not be signed with every request.
func TestSignaturesOfASlidingSession(t *testing.T) {
	c := newCounted(t, ecKey())
	v := &visitor{}
	for range 1000 {
		c.now = c.now.Add(10 * time.Second)
		c.session = c.now.Add(20 * time.Minute)
		v.visit(c.h)
	}
	if n := c.signer.n.Load(); n > 20 { // 10,000 s at 10 minutes each
		t.Errorf("%d signatures, want at most 20", n)
	}
}

func TestConcurrentRequestsShareASignature(t *testing.T) {
	c := newCounted(t, rsaKey())
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() { (&visitor{}).visit(c.h) })
	}
	wg.Wait()
	if n := c.signer.n.Load(); n != 1 {
		t.Errorf("%d signatures, want 1", n)
	}
}

// Instances accept what the others signed, also when their clocks differ a little, so that a browser that
// is balanced between them is at rest.
func TestInstancesAgree(t *testing.T) {
	for name, change := range map[string]func(*cloudfront.Config){
		"one resource": func(*cloudfront.Config) {},
		"paths": func(cfg *cloudfront.Config) {
			cfg.Resources = []cloudfront.Resource{{URL: "https://assets.app.example/a/*"}, {URL: "https://assets.app.example/b/*"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newCounted(t, ecKey(), change), newCounted(t, ecKey(), change)
			b.now = a.now.Add(-20 * time.Second)
			v := &visitor{}
			if v.visit(a.h) == 0 {
				t.Fatal("no cookies")
			}
			for range 10 {
				if v.visit(b.h) != 0 || v.visit(a.h) != 0 {
					t.Fatal("instances replace each other's cookies")
				}
			}
			if n := b.signer.n.Load(); n != 0 {
				t.Errorf("%d signatures by the second instance", n)
			}
		})
	}
}

// Cookies that cannot work must not count as held, or the user would be locked out until they end.
func TestBrokenCookiesAreReplaced(t *testing.T) {
	fresh := func(t *testing.T) (*counted, *visitor) {
		c, v := newCounted(t, ecKey()), &visitor{}
		v.visit(c.h)
		return c, v
	}
	other := must(newKey(t, "K1", otherRSA()).SignPolicy(cloudfront.Policy{Resource: "https://assets.app.example/private/*", Expires: at.Add(20 * time.Minute)}, ""))
	narrow := must(newKey(t, "K1", ecKey()).SignPolicy(cloudfront.Policy{Resource: "https://assets.app.example/x", Expires: at.Add(20 * time.Minute)}, ""))
	wide := must(newKey(t, "K1", ecKey()).SignPolicy(cloudfront.Policy{Resource: "https://assets.app.example/private/*", Expires: at.Add(20 * time.Hour)}, ""))
	bound := must(newKey(t, "K1", ecKey()).SignPolicy(cloudfront.Policy{Resource: "https://assets.app.example/private/*", Expires: at.Add(20 * time.Minute), SourceIP: netip.MustParsePrefix("192.0.2.1/32")}, ""))
	late := must(newKey(t, "K1", ecKey()).SignPolicy(cloudfront.Policy{Resource: "https://assets.app.example/private/*", Expires: at.Add(20 * time.Minute), NotBefore: at.Add(time.Minute)}, ""))
	set := func(v *visitor, values cloudfront.Values) {
		v.jar["CloudFront-Policy"], v.jar["CloudFront-Signature"] = values.Policy, values.Signature
	}
	tests := map[string]func(*visitor){
		"policy gone":                 func(v *visitor) { delete(v.jar, "CloudFront-Policy") },
		"signature gone":              func(v *visitor) { delete(v.jar, "CloudFront-Signature") },
		"key id gone":                 func(v *visitor) { delete(v.jar, "CloudFront-Key-Pair-Id") },
		"policy garbled":              func(v *visitor) { v.jar["CloudFront-Policy"] = "x" },
		"signature garbled":           func(v *visitor) { v.jar["CloudFront-Signature"] = "!" },
		"signature of something else": func(v *visitor) { v.jar["CloudFront-Signature"] = v.jar["CloudFront-Policy"] },
		"unknown key":                 func(v *visitor) { v.jar["CloudFront-Key-Pair-Id"] = "KOTHER" },
		"canned policy beside it":     func(v *visitor) { v.jar["CloudFront-Expires"] = "1999999999" },
		"other hash named":            func(v *visitor) { v.jar["CloudFront-Hash-Algorithm"] = "SHA256" },
		"signed by another key":       func(v *visitor) { set(v, other) },
		"another resource":            func(v *visitor) { set(v, narrow) },
		"longer than allowed":         func(v *visitor) { set(v, wide) },
		"bound to an address":         func(v *visitor) { set(v, bound) },
		"starting later":              func(v *visitor) { set(v, late) },
	}
	for name, damage := range tests {
		t.Run(name, func(t *testing.T) {
			c, v := fresh(t)
			if v.visit(c.h) != 0 {
				t.Fatal("sound cookies were replaced")
			}
			damage(v)
			if got := v.visit(c.h); got != 5 {
				t.Errorf("%d cookies set, want 5", got)
			}
			if v.visit(c.h) != 0 {
				t.Error("replaced twice")
			}
		})
	}
}

// The marker is the browser's own word, so whatever it says must leave a way to the cookies.
func TestDamagedMarkers(t *testing.T) {
	c := newCounted(t, ecKey(), func(cfg *cloudfront.Config) {
		cfg.Resources = []cloudfront.Resource{{URL: "https://assets.app.example/a/*"}, {URL: "https://assets.app.example/b/*"}}
	})
	v := &visitor{}
	v.visit(c.h)
	good := v.jar["codegrant-cloudfront"]
	parts := strings.Split(good, ".")
	if len(parts) != 3 || v.visit(c.h) != 0 {
		t.Fatalf("marker %q is not accepted", good)
	}
	for _, bad := range []string{
		"", "x", "..", "1.2.", parts[0], parts[0] + "." + parts[1] + ".", good + "A", good + ".",
		"9999999999.9999999999." + parts[2], "0.0." + parts[2], parts[0] + ".1." + parts[2],
		"-9223372036854775808." + parts[1] + "." + parts[2], "99999999999999999999." + parts[1] + "." + parts[2],
		"+" + good,
	} {
		v.jar["codegrant-cloudfront"] = bad
		if v.visit(c.h) == 0 {
			t.Errorf("marker %q counts as live cookies", bad)
		}
		if got := v.jar["codegrant-cloudfront"]; got != good {
			t.Errorf("marker %q was replaced by %q, want %q", bad, got, good)
		}
	}
}

func BenchmarkMiddleware(b *testing.B) {
	for _, key := range []struct {
		name   string
		signer crypto.Signer
	}{{"RSA", rsaKey()}, {"ECDSA", ecKey()}} {
		// One user alone, with a request every five seconds: the worst case, since users share signatures.
		b.Run(key.name+"/browser that comes back", func(b *testing.B) {
			c, v := newCounted(b, key.signer), &visitor{}
			for b.Loop() {
				c.now = c.now.Add(5 * time.Second)
				c.session = c.now.Add(time.Hour)
				v.visit(c.h)
			}
			b.ReportMetric(float64(c.signer.n.Load())/float64(b.N), "signatures/request")
		})
		b.Run(key.name+"/new browser each time", func(b *testing.B) {
			c := newCounted(b, key.signer)
			for b.Loop() {
				(&visitor{}).visit(c.h)
			}
			b.ReportMetric(float64(c.signer.n.Load())/float64(b.N), "signatures/request")
		})
		b.Run(key.name+"/signing each time", func(b *testing.B) {
			k := newKey(b, "K1", key.signer)
			for b.Loop() {
				if _, err := k.SignPolicy(cloudfront.Policy{Resource: "https://assets.app.example/private/*", Expires: at}, ""); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
