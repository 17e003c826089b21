package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/testenv"
)

// personal is a page that says who looks at it, and in its query how it may be stored.
func personal(w http.ResponseWriter, r *http.Request) {
	for name, values := range r.URL.Query() {
		for _, value := range values {
			w.Header().Add(name, value)
		}
	}
	fmt.Fprintf(w, "for %q", r.Header.Get("X-Auth-Username"))
}

// TestS205_WhoStoresAnswers: with a cookie of ours nobody does, of what is somebody's the
// browser alone, of the rest whoever the application says; and there is one Vary line.
func TestS205_WhoStoresAnswers(t *testing.T) {
	up := &gateway.Upstream{URLs: []string{upstream(t, personal)}}
	var ahead atomic.Int64
	s := newSite(t, []gateway.Route{{Path: "/", Upstream: up}, {Path: "/open", Public: true, Upstream: up}}, func(_ *gateway.Config, c *codegrant.Config) {
		c.CookieSessions = true
		c.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	alice, nobody := s.signIn("/", "alice@example.com"), codegranttest.NewBrowser(t)
	for _, tt := range []struct{ said, private, public string }{
		{"", "no-store", ""},
		{"Cache-Control=public,+max-age=60", "private, max-age=60", "public, max-age=60"},
		{"Cache-Control=s-maxage=60", "private", "s-maxage=60"},
		{"Cache-Control=Public,S-MaxAge=60,immutable", "private, immutable", "Public,S-MaxAge=60,immutable"},
		{"Cache-Control=max-age=60", "private, max-age=60", "max-age=60"},
		{"Cache-Control=no-cache", "private, no-cache", "no-cache"},
		{"Cache-Control=private,+max-age=60", "private, max-age=60", "private, max-age=60"},
		{"Cache-Control=private=\"a,+b\",+max-age=60", "private, private=\"a, b\", max-age=60", "private=\"a, b\", max-age=60"},
		{"Cache-Control=no-store", "no-store", "no-store"},
		{"Cache-Control=public&Cache-Control=max-age=60", "private, max-age=60", "public, max-age=60"},
		{"X-Accel-Expires=60", "no-store", ""}, {"Surrogate-Control=max-age=60", "no-store", ""}, {"CDN-Cache-Control=max-age=60", "no-store", ""},
	} {
		for _, v := range []struct {
			what    string
			browser *codegranttest.Browser
			path    string
			want    string
		}{
			{"signed in", alice, "/x", tt.private}, {"signed in on a public page", alice, "/open", strings.Replace(tt.private, "no-store", map[bool]string{true: "no-store", false: "private"}[strings.Contains(tt.said, "no-store")], 1)},
			{"nobody on a public page", nobody, "/open", tt.public},
		} {
			for _, vary := range []string{"", "&Vary=Accept-Encoding", "&Vary=cookie,+Accept&Vary=Origin", "&Vary=*"} {
				r, body := s.ask(v.browser.Client, "GET", v.path+"?"+tt.said+vary, nil)
				if r.StatusCode != 200 {
					t.Fatalf("%s: %d %s", v.what, r.StatusCode, body)
				}
				var want []string
				if v.want != "" {
					want = []string{v.want}
				}
				if got := r.Header["Cache-Control"]; !slices.Equal(got, want) {
					t.Errorf("%s, %q: Cache-Control %q, want %q", v.what, tt.said, got, want)
				}
				wantVary := map[string]string{"": "Cookie, Authorization", "&Vary=Accept-Encoding": "Cookie, Authorization, Accept-Encoding", "&Vary=cookie,+Accept&Vary=Origin": "Cookie, Authorization, Accept, Origin", "&Vary=*": "*"}[vary]
				if got := r.Header["Vary"]; !slices.Equal(got, []string{wantVary}) {
					t.Errorf("%s, %q: Vary %q, want %q", v.what, vary, got, wantVary)
				}
				for _, name := range []string{"X-Accel-Expires", "Surrogate-Control", "Cdn-Cache-Control"} {
					if r.Header.Get(name) != "" && v.browser == alice {
						t.Errorf("%s: %s reaches a cache", v.what, name)
					}
				}
			}
		}
		// Renewed cookies go along: nobody stores it.
		for _, path := range []string{"/x", "/open"} {
			ahead.Store(0)
			bob := s.signIn("/", "bob@example.com")
			ahead.Store(int64(time.Hour - 10*time.Second)) // tokens are about to end
			r, _ := s.ask(bob.Client, "GET", path+"?"+tt.said+"&Expires=Thu,+01+Jan+2099+00:00:00+GMT", nil)
			if len(r.Header["Set-Cookie"]) == 0 {
				t.Fatalf("%s: it was to refresh", path)
			}
			if !slices.Equal(r.Header["Cache-Control"], []string{"no-store"}) || r.Header.Get("Expires") != "" || r.Header.Get("X-Accel-Expires")+r.Header.Get("Surrogate-Control")+r.Header.Get("Cdn-Cache-Control") != "" {
				t.Errorf("%s with a cookie of ours, %q: %v", path, tt.said, r.Header)
			}
		}
		ahead.Store(0)
	}
	// So do the cookies of a proxy's question.
	ahead.Store(int64(time.Hour - 10*time.Second))
	r, _ := s.ask(alice.Client, "GET", "/auth/check", asked("caddy", "GET", strings.TrimPrefix(s.url, "http://"), "/x"))
	if r.StatusCode != 200 || len(r.Header["Set-Cookie"]) == 0 || !slices.Equal(r.Header["Cache-Control"], []string{"no-store"}) || len(r.Header["Vary"]) != 1 {
		t.Errorf("a question: %d %v", r.StatusCode, r.Header)
	}
}

// TestS205_ACacheInFront: nginx with a cache that keeps whatever it may, with and without
// regard to Vary, shows nobody what was made for somebody else.
func TestS205_ACacheInFront(t *testing.T) {
	nginx := testenv.Program(t, "nginx")
	up := &gateway.Upstream{URLs: []string{upstream(t, personal)}}
	s := newSite(t, []gateway.Route{{Path: "/", Upstream: up}, {Path: "/open", Public: true, Upstream: up}}, nil)
	folder := t.TempDir()
	plain, deaf := testenv.FreeAddress(t), testenv.FreeAddress(t)
	server := func(address, more string) string {
		return fmt.Sprintf("server { listen %s; location / { proxy_pass %s; proxy_set_header Host %s; proxy_cache c; proxy_cache_key $uri$is_args$args; proxy_cache_valid any 10m; add_header X-Cache $upstream_cache_status always; %s } }\n",
			address, s.url, strings.TrimPrefix(s.url, "http://"), more)
	}
	config := filepath.Join(folder, "nginx.conf")
	text := "user root; daemon off; pid nginx.pid; error_log stderr; events {}\nhttp { access_log off; proxy_cache_path cache keys_zone=c:1m; client_body_temp_path b; proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n" +
		server(plain, "") + server(deaf, "proxy_ignore_headers Vary;") + "}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	process := exec.Command(nginx, "-p", folder, "-e", "stderr", "-c", config)
	process.Stderr = t.Output()
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = process.Process.Signal(os.Interrupt); _ = process.Wait() })
	eventually(t, "nginx answers", func() bool {
		r, err := http.Get("http://" + plain + "/open")
		if err == nil {
			r.Body.Close()
		}
		return err == nil
	})
	alice, bob := s.signIn("/", "alice@example.com"), s.signIn("/", "bob@example.com")
	look := func(address string, header http.Header, path string) (body, cache string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if header != nil {
			r.Header = header.Clone()
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		b, _ := io.ReadAll(response.Body)
		return string(b), response.Header.Get("X-Cache")
	}
	as := map[string]http.Header{`for "alice"`: cookiesOf(t, s, alice), `for "bob"`: cookiesOf(t, s, bob)}
	stored := 0
	for i, said := range []string{"", "Cache-Control=public,+max-age=600", "Cache-Control=max-age=600", "X-Accel-Expires=600", "Cache-Control=public&Vary=Accept-Encoding&Vary=Accept", "Expires=Thu,+01+Jan+2099+00:00:00+GMT", "Cache-Control=s-maxage=600"} {
		for _, address := range []string{plain, deaf} {
			for _, path := range []string{"/mine", "/open/page"} {
				target := fmt.Sprintf("%s%d?%s", path, i, said)
				for range 2 {
					for want, header := range as {
						if body, cache := look(address, header, target); body != want {
							t.Errorf("%s: %s saw %s (%s)", target, want, body, cache)
						}
					}
				}
				body, _ := look(address, nil, target)
				if strings.Contains(body, "alice") || strings.Contains(body, "bob") || strings.Contains(path, "/mine") && !strings.Contains(body, "Not signed in") {
					t.Errorf("%s: nobody saw %s", target, body)
				}
				if _, cache := look(address, nil, target); cache == "HIT" {
					stored++
				}
			}
		}
	}
	if stored == 0 {
		t.Error("the cache keeps nothing, and the test shows nothing")
	}
}

// TestS206_CookiesOfUpstreams: none can come back as one of ours, in whatever form.
func TestS206_CookiesOfUpstreams(t *testing.T) {
	lines := map[string]bool{ // kept
		"theirs=1": true, "theirs=codegrant=1": true, "theirs=1; codegrant=1": true, "Codegrant=1": true, "codegrants=1": true, "a[b]=1": true,
		"codegrant=1": false, " codegrant=1": false, "\tcodegrant =1": false, "codegrant\t=1": false, "codegrant-flash=1": false, "codegrant-request-x=1": false, "codegrant=": false, "codegrant=; Max-Age=0": false,
		"=codegrant=1": false, "= codegrant=1": false, "codegrant": false, "theirs": false, "": false, "=": false, "; codegrant=1": false, " =codegrant=1; Path=/": false, "=1": false,
		"a\x01=codegrant=1": false, "\x7fcodegrant=1": false, "codegrant-for-x=1": false, "__Host-codegrant-for-x=1": false,
	}
	for line, kept := range lines {
		server := raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: "+line+"\r\n\r\nok")
		s := newSite(t, public(gateway.Upstream{URLs: []string{server}}), nil)
		r, _ := s.ask(http.DefaultClient, "GET", "/", nil)
		if got := len(r.Header["Set-Cookie"]) == 1; got != kept && r.StatusCode != 502 {
			t.Errorf("%q: %d %q", line, r.StatusCode, r.Header["Set-Cookie"])
		}
	}
	// Nor where a transport of the program's own lets through what net/http does not, nor as
	// one of another tenant's on the host, nor as a trailer.
	planted := http.Header{"Set-Cookie": {"a\x01=codegrant=1", "\x7fcodegrant=1", "theirs=1", "staff=1", "x=\ncodegrant=1"}}
	s := newSite(t, public(gateway.Upstream{URLs: []string{"http://127.0.0.1:1"}}), func(g *gateway.Config, c *codegrant.Config) {
		g.Transport = answering{planted}
		own, err := codegrant.New(*c)
		if err != nil {
			t.Fatal(err)
		}
		c.CookieName = "staff"
		other, err := codegrant.New(*c)
		if err != nil {
			t.Fatal(err)
		}
		g.Tenants = []gateway.Tenant{{Name: "a", Auth: own, Issuer: "a"}, {Name: "b", Auth: other, Issuer: "b", Prefix: "/staff"}}
	})
	r, _ := s.ask(http.DefaultClient, "GET", "/", nil)
	if got := r.Header["Set-Cookie"]; !slices.Equal(got, []string{"theirs=1"}) {
		t.Errorf("of %q, %q is kept", planted["Set-Cookie"], got)
	}
	trailing := raw(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Set-Cookie, X-Theirs\r\n\r\n2\r\nok\r\n0\r\nSet-Cookie: codegrant=1\r\nX-Theirs: 1\r\n\r\n")
	s = newSite(t, public(gateway.Upstream{URLs: []string{trailing}}), nil)
	if r, _ := s.ask(http.DefaultClient, "GET", "/", nil); r.Trailer["Set-Cookie"] != nil || r.Trailer.Get("X-Theirs") != "1" {
		t.Errorf("as a trailer: %v", r.Trailer)
	}
}

// answering is a transport that answers by itself.
type answering struct{ header http.Header }

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1, Header: a.header.Clone(), Body: http.NoBody, Request: r}, nil
}

// raw answers each request with the same bytes.
func raw(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					_, _ = io.WriteString(conn, answer)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// TestS207_StatusesThatAreNone of an upstream are 502, and nothing panics.
func TestS207_StatusesThatAreNone(t *testing.T) {
	for _, status := range []string{"000", "001", "007", "042", "099", "99", "-10", "abc", "1000", ""} {
		one := raw(t, "HTTP/1.1 "+status+" Odd\r\nContent-Length: 2\r\n\r\nok")
		for _, urls := range [][]string{{one}, {one, one}} {
			s := newSite(t, public(gateway.Upstream{URLs: urls}), nil)
			if r, _ := s.ask(http.DefaultClient, "GET", "/", nil); r.StatusCode != 502 {
				t.Errorf("%q of %d servers: %d", status, len(urls), r.StatusCode)
			}
		}
	}
	s := newSite(t, public(gateway.Upstream{URLs: []string{raw(t, "HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok")}}), nil)
	if r, body := s.ask(http.DefaultClient, "GET", "/", nil); r.StatusCode != 299 || body != "ok" {
		t.Errorf("an odd one: %d %s", r.StatusCode, body)
	}
}

// TestS208_MalformedBodiesAreNoFaultOfServers: a client's broken chunks are its own, and
// no server is left alone for them.
func TestS208_MalformedBodiesAreNoFaultOfServers(t *testing.T) {
	var calls [2]atomic.Int32
	server := func(i int) string {
		return upstream(t, func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				return
			}
			calls[i].Add(1)
			fmt.Fprint(w, "ok")
		})
	}
	s := newSite(t, public(gateway.Upstream{URLs: []string{server(0), server(1)}, MaxBody: 1 << 10}), nil)
	for _, body := range []string{"zz\r\nok\r\n0\r\n\r\n", "2\r\nokX\r\n0\r\n\r\n", "-1\r\nok\r\n0\r\n\r\n", "ffffffffffffffffff\r\nok\r\n", "800\r\n" + strings.Repeat("x", 0x800) + "\r\n0\r\n\r\n"} {
		for range 2 { // one for each server
			r, _ := send(t, s.url, "POST %s\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"+body, "/")
			if want := map[bool]int{true: 413, false: 400}[strings.HasPrefix(body, "800")]; r.StatusCode != want {
				t.Errorf("%.20q: %s, want %d", body, r.Status, want)
			}
		}
		calls[0].Store(0)
		calls[1].Store(0)
		for range 8 {
			if r, _ := s.ask(http.DefaultClient, "GET", "/", nil); r.StatusCode != 200 {
				t.Errorf("after %.20q: %d", body, r.StatusCode)
			}
		}
		if calls[0].Load() != 4 || calls[1].Load() != 4 {
			t.Errorf("after %.20q: a server is left alone: %d and %d calls", body, calls[0].Load(), calls[1].Load())
		}
	}
	if strings.Contains(s.log.String(), "upstream failed") {
		t.Error("the log says that an upstream failed")
	}
	// A server that hangs up once it has read a whole body is at fault, and is.
	rude := upstream(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	})
	s = newSite(t, public(gateway.Upstream{URLs: []string{rude}}), nil)
	if r, _ := send(t, s.url, "POST %s\r\nContent-Length: 2\r\n", "/"); r.StatusCode != 502 || !strings.Contains(s.log.String(), "upstream failed") {
		t.Errorf("of a server that hangs up: %s", r.Status)
	}
}
