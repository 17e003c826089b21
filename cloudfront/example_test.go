package cloudfront_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"github.com/codegrant/codegrant/cloudfront"
)

// examplePEM stands for the file that openssl wrote.
func examplePEM() []byte {
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	der, _ := x509.MarshalPKCS8PrivateKey(key)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// signedIn stands for the application's own sessions.
func signedIn(r *http.Request) (subject string, expires time.Time, ok bool) {
	if _, err := r.Cookie("session"); err != nil {
		return "", time.Time{}, false
	}
	return "0b6e9a1c-4f5e-4c7b-9a57-1c2d3e4f5a6b", time.Now().Add(8 * time.Hour), true
}

// isAnalyst stands for the application's own permissions.
func isAnalyst(_ *http.Request, subject string) bool { return subject == "carol" }

// Signed-in users of app.example.com may load what is below https://assets.example.com/private/.
func Example() {
	key, err := cloudfront.ParseKey("K2JCJMDEHXQW5F", examplePEM())
	if err != nil {
		fmt.Println(err)
		return
	}
	cookies, err := cloudfront.New(cloudfront.Config{
		Keys:      []cloudfront.Key{key},
		Hash:      cloudfront.SHA256,
		Resources: []cloudfront.Resource{{URL: "https://assets.example.com/private/*"}},
		Domain:    "example.com",
		SignedIn:  signedIn,
		OnError:   func(r *http.Request, err error) { slog.WarnContext(r.Context(), "no cookies for assets", "err", err) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `<img src="https://assets.example.com/private/photo.jpg">`)
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		cookies.Clear(w, r)
	})
	handler := cookies.Middleware(mux)

	r := httptest.NewRequest("GET", "https://app.example.com/", nil)
	r.AddCookie(&http.Cookie{Name: "session", Value: "…"})
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge >= 0 {
			fmt.Println(c.Name, c.Domain, c.Path)
		}
	}
	// Output:
	// CloudFront-Policy example.com /
	// CloudFront-Signature example.com /
	// CloudFront-Key-Pair-Id example.com /
	// CloudFront-Hash-Algorithm example.com /
}

// Each user has a folder, and analysts the reports besides: one set of cookies per resource, told apart by path.
func ExampleResource() {
	key, _ := cloudfront.ParseKey("K2JCJMDEHXQW5F", examplePEM())
	cookies, err := cloudfront.New(cloudfront.Config{
		Keys: []cloudfront.Key{key},
		Resources: []cloudfront.Resource{
			{URL: "https://assets.example.com/home/{subject}/*"},
			{URL: "https://assets.example.com/reports/*", Allow: isAnalyst},
		},
		Domain:   "example.com",
		SignedIn: signedIn,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "https://app.example.com/", nil)
	if err := cookies.Grant(w, r, "alice", time.Now().Add(time.Hour)); err != nil {
		fmt.Println(err)
	}
	for _, c := range w.Result().Cookies() {
		if c.Name == "CloudFront-Policy" {
			policy, _ := cloudfront.ParsePolicy(c.Value)
			fmt.Printf("%s %q removed=%v\n", c.Path, policy.Resource, c.MaxAge < 0)
		}
	}
	// Output:
	// /home/ "https://assets.example.com/home/alice/*" removed=false
	// /reports/ "" removed=true
}

// One deployment serves boards under two domains, each with its own assets.
func ExampleConfig_domains() {
	key, _ := cloudfront.ParseKey("K2JCJMDEHXQW5F", examplePEM())
	cookies, err := cloudfront.New(cloudfront.Config{
		Keys:      []cloudfront.Key{key},
		Resources: []cloudfront.Resource{{URL: "https://assets.a.example/*"}, {URL: "https://assets.b.example/*"}},
		Domains:   []string{"a.example", "b.example"},
		SignedIn:  signedIn,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, host := range []string{"boards.a.example", "boards.b.example", "boards.c.example"} {
		w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "https://"+host+"/", nil)
		if err := cookies.Grant(w, r, "alice", time.Now().Add(time.Hour)); err != nil {
			fmt.Println(err)
			continue
		}
		c := w.Result().Cookies()[0]
		policy, _ := cloudfront.ParsePolicy(c.Value)
		fmt.Println(c.Domain, policy.Resource)
	}
	// Output:
	// a.example https://assets.a.example/*
	// b.example https://assets.b.example/*
	// issue CloudFront cookies: host not listed: "boards.c.example"; add it to Domains
}

// Cookies that work for a day, from one network, starting tomorrow.
func ExampleKey_SignPolicy() {
	key, _ := cloudfront.ParseKey("K2JCJMDEHXQW5F", examplePEM())
	tomorrow := time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)
	values, err := key.SignPolicy(cloudfront.Policy{
		Resource:  "https://assets.example.com/training/*",
		NotBefore: tomorrow,
		Expires:   tomorrow.Add(24 * time.Hour),
		SourceIP:  netip.MustParsePrefix("192.0.2.0/24"),
	}, cloudfront.SHA256)
	if err != nil {
		fmt.Println(err)
		return
	}
	w := httptest.NewRecorder()
	for _, c := range values.Cookies(cloudfront.Attributes{Domain: "example.com", Path: "/training/"}) {
		http.SetCookie(w, c)
	}
	policy, err := cloudfront.ParsePolicy(values.Policy)
	fmt.Println(policy.Resource, policy.SourceIP, policy.Expires, err)
	// Output: https://assets.example.com/training/* 192.0.2.0/24 2026-01-02 10:00:00 +0000 UTC <nil>
}

// A canned policy is for one file; its cookies are shorter, because CloudFront puts the policy together itself.
func ExampleKey_SignCanned() {
	key, _ := cloudfront.ParseKey("K2JCJMDEHXQW5F", examplePEM())
	values, err := key.SignCanned("https://assets.example.com/film.mp4", time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC), cloudfront.SHA1)
	fmt.Println(values.Expires, values.KeyPairID, values.Policy == "", err)
	// Output: 1767261600 K2JCJMDEHXQW5F true <nil>
}
