package cloudfront_test

import (
	"context"
	"crypto"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/codegrant/codegrant/cloudfront"
)

// world is an application, the CloudFront edge and a browser, all on one clock. Hosts named assets, and paths
// below /cdn/ of every host, are the edge's; everything else is the application's.
type world struct {
	t       *testing.T
	cookies *cloudfront.Cookies
	edge    edge
	signs   *countingSigner
	now     time.Time
	subject string    // who is signed in; empty: nobody
	session time.Time // when the session ends
	address string
	faults  []error
	handler http.Handler // of the application; nil: an empty answer
	browser *http.Client
}

// countingSigner counts the signatures made.
type countingSigner struct {
	crypto.Signer
	n atomic.Int64
}

func (s *countingSigner) Sign(r io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	s.n.Add(1)
	return s.Signer.Sign(r, digest, opts)
}

const assets = "https://assets.app.example"

// newWorld starts from one resource on app.example, changed as given.
func newWorld(t *testing.T, change ...func(*world, *cloudfront.Config)) *world {
	t.Helper()
	w := &world{t: t, now: at, subject: "alice", session: at.Add(12 * time.Hour), address: "192.0.2.10"}
	w.signs = &countingSigner{Signer: ecKey()}
	w.edge = edge{
		keyGroup: map[string]crypto.PublicKey{"KNEW": ecKey().Public(), "KOLD": rsaKey().Public()},
		now:      func() time.Time { return w.now }, viewer: w.address,
	}
	cfg := cloudfront.Config{
		Keys:      []cloudfront.Key{newKey(t, "KNEW", w.signs)},
		Resources: []cloudfront.Resource{{URL: assets + "/*"}},
		Domain:    "app.example",
		SignedIn:  func(*http.Request) (string, time.Time, bool) { return w.subject, w.session, w.subject != "" },
		OnError:   func(_ *http.Request, err error) { w.faults = append(w.faults, err) },
		Now:       func() time.Time { return w.now },
	}
	for _, f := range change {
		f(w, &cfg)
	}
	w.cookies = newCookies(t, cfg)
	w.newBrowser()
	return w
}

func newCookies(t testing.TB, cfg cloudfront.Config) *cloudfront.Cookies {
	t.Helper()
	c, err := cloudfront.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (w *world) newBrowser() {
	srv := httptest.NewTLSServer(http.HandlerFunc(w.serve))
	w.t.Cleanup(srv.Close)
	jar := must(cookiejar.New(&cookiejar.Options{PublicSuffixList: publicsuffix.List}))
	w.browser = &http.Client{Jar: jar, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // every host of the test is this one server
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, srv.Listener.Addr().String())
		},
	}}
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	host := r.Host
	if strings.HasPrefix(host, "assets.") || strings.HasPrefix(r.URL.Path, "/cdn/") {
		if err := w.edge.admit("https://"+host+r.URL.RequestURI(), r.Cookies()); err != nil {
			http.Error(rw, err.Error(), http.StatusForbidden)
		}
		return
	}
	w.cookies.Middleware(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/logout" {
			w.subject = ""
			w.cookies.Clear(rw, r)
		}
		if w.handler != nil {
			w.handler.ServeHTTP(rw, r)
		}
	})).ServeHTTP(rw, r)
}

// get loads a page and returns the response, whose body is read.
func (w *world) get(url string) *http.Response {
	w.t.Helper()
	res, err := w.browser.Get(url)
	if err != nil {
		w.t.Fatal(err)
	}
	body, _ := io.ReadAll(res.Body)
	res.Body.Close()
	res.Header.Set("Reason", strings.TrimSpace(string(body)))
	return res
}

// page loads the application and returns how many cookies the response set or removed.
func (w *world) page() int {
	w.t.Helper()
	return len(w.get("https://www.app.example/").Cookies())
}

func (w *world) served(url string, want bool) {
	w.t.Helper()
	res := w.get(url)
	if got := res.StatusCode == http.StatusOK; got != want {
		w.t.Errorf("%s served: %v (%s), want %v", url, got, res.Header.Get("Reason"), want)
	}
}

func (w *world) signatures(want int64) {
	w.t.Helper()
	if got := w.signs.n.Load(); got != want {
		w.t.Errorf("%d signatures made, want %d", got, want)
	}
}

func (w *world) config(keys []cloudfront.Key) cloudfront.Config {
	return cloudfront.Config{
		Keys: keys, Resources: []cloudfront.Resource{{URL: assets + "/*"}}, Domain: "app.example",
		SignedIn: func(*http.Request) (string, time.Time, bool) { return w.subject, w.session, w.subject != "" },
		Now:      func() time.Time { return w.now },
	}
}

// plant puts cookies into the jar as the application's host would.
func (w *world) plant(cookies []*http.Cookie) {
	req := must(http.NewRequest("GET", "https://www.app.example/", nil))
	w.browser.Jar.SetCookies(req.URL, cookies)
}

// empty checks that the browser sends nothing to the application or for the files.
func (w *world) empty(files []string) {
	w.t.Helper()
	for _, url := range append(files, "https://www.app.example/") {
		req := must(http.NewRequest("GET", url, nil))
		if left := w.browser.Jar.Cookies(req.URL); len(left) != 0 {
			w.t.Errorf("the browser still sends %v to %s", left, url)
		}
	}
}
