package gateway

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
)

// sent is an upstream that remembers what it was asked for.
type sent struct{ target string }

func (s *sent) RoundTrip(r *http.Request) (*http.Response, error) {
	s.target = r.URL.RequestURI()
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

// gateOf is a gateway in which a robot is signed in, who is in no group.
func gateOf(t testing.TB, routes ...Route) (*Gateway, *sent) {
	t.Helper()
	discard := slog.New(slog.DiscardHandler)
	auth, err := codegrant.New(codegrant.Config{Pool: testPool, Authenticators: []codegrant.Authenticator{key{}}, Logger: discard})
	if err != nil {
		t.Fatal(err)
	}
	for i := range routes {
		if routes[i].Files == nil {
			routes[i].Upstream = &Upstream{URLs: []string{"http://127.0.0.1:1"}}
		}
	}
	upstream := new(sent)
	g, err := New(Config{
		Tenants: []Tenant{{Auth: auth}}, Routes: routes, Transport: upstream, Logger: discard,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, // that of httptest
	})
	if err != nil {
		t.Fatal(err)
	}
	return g, upstream
}

// request is one with the target as it is written.
func request(method, target string) *http.Request {
	r := httptest.NewRequest(method, "/", nil)
	r.RequestURI = target
	u, err := url.ParseRequestURI(target)
	if err != nil {
		u = &url.URL{Path: target} // net/http would have refused it
	}
	r.URL = u
	r.Header.Set("X-Key", "good")
	return r
}

func ask(g *Gateway, method, target string) int {
	w := httptest.NewRecorder()
	g.ServeHTTP(w, request(method, target))
	return w.Code
}

// The status of every way in which a proxy may ask is that of the gateway itself, but
// that what is refused is 403.
func checkWays(g *Gateway, method, target string) map[string]int {
	got := make(map[string]int)
	ask := func(way, path string, headers ...string) {
		r := request(method, path)
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		got[way] = w.Code
	}
	ask("nginx", "/auth/check", "X-Original-Url", "https://example.com"+target, "X-Original-Method", method)
	ask("forward", "/auth/check", "X-Forwarded-Uri", target, "X-Forwarded-Host", "example.com", "X-Forwarded-Method", method)
	ask("below", "/auth/check"+target)
	r := request(method, "/")
	r.RequestURI = target
	w := httptest.NewRecorder()
	if g.CheckOriginal(w, r, nil) == nil && w.Code == 200 {
		w.Code = 599
	}
	got["original"] = w.Code
	return got
}

var nobodys = []codegrant.Permission{codegrant.InGroup("nobody")}

// TestS220_TheStricterRouteDecides: a path that a server could take for that of a route
// which asks for more is judged by that route.
func TestS220_TheStricterRouteDecides(t *testing.T) {
	g, _ := gateOf(t,
		Route{Path: "/"},
		Route{Path: "/admin", Permissions: nobodys},
		Route{Path: "/exact", Exact: true, Permissions: nobodys},
		Route{Path: "/slashed/", Exact: true, Permissions: nobodys},
		Route{Path: "/Über uns", Permissions: nobodys},
		Route{Path: "/read", Methods: []string{"GET"}},
		Route{Path: "/v1/ask", Permissions: nobodys},
	)
	for _, tt := range []struct {
		kind, target string
		status       int
	}{
		{"the route itself", "/admin/x", 403}, {"another one", "/other/x", 200}, {"only begins alike", "/administration", 200},
		{"upper case", "/ADMIN", 403}, {"mixed case", "/aDmIn/x", 403}, {"upper case, escaped", "/%41DMIN", 403}, {"the letter of Kelvin", "/v1/as%E2%84%AA", 403},
		{"a dotless i", "/adm%C4%B1n", 403}, {"a dotted I", "/ADM%C4%B0N", 403}, {"wide letters", "/%EF%BD%81dmin", 403}, {"a letter nobody sees", "/ad%E2%80%8Bmin", 403},
		{"letters beyond ASCII", "/%C3%BCBER%20UNS", 403}, {"letters taken apart", "/U%CC%88ber%20uns/x", 403},
		{"a dot at the end", "/admin.", 403}, {"dots", "/admin.../x", 403}, {"a blank at the end", "/admin%20", 403}, {"blanks and dots", "/admin%20.%20/x", 403},
		{"a plus", "/admin+", 200}, {"a blank before", "/%20admin", 403}, {"a segment of a blank", "/%20/admin", 403}, {"a wide blank", "/admin%C2%A0", 403},
		{"case and dot", "/Admin./x", 403}, {"a slash beside exact", "/exact/", 403}, {"no slash beside exact", "/slashed", 403}, {"below exact", "/exact/x", 200},
		{"case and slash", "/EXACT/", 403}, {"an extension", "/admin.json", 403}, {"an extension, upper case", "/Admin.JSON", 403}, {"an extension of another one", "/adm.in", 200},
		{"an extension and a slash", "/admin.json/", 403}, {"an extension beside exact", "/exact.xml", 403}, {"a front controller", "/index.php/admin", 403}, {"and upper case", "/Index.PHP/Admin/x", 403},
		{"a front controller below", "/app/index.php/admin", 403}, {"a script", "/index.php", 200}, {"letters escaped", "/%61dmin", 403}, {"a dash escaped", "/a%2Db", 200},
		{"parameters", "/admin;x=1", 400}, {"empty segments", "//admin", 400}, {"an encoded slash", "/x%2fadmin", 400}, {"a backslash", `/x\admin`, 400}, {"an encoded backslash", "/x%5cadmin", 400},
		{"dot segments", "/x/../admin", 400}, {"encoded ones", "/x/%2e%2e/admin", 400}, {"three dots", "/x/.../admin", 400}, {"with blanks", "/x/..%20/admin", 400}, {"wide dots", "/x/%EF%BC%8E%EF%BC%8E/admin", 400},
		{"a wide slash", "/admin%EF%BC%8Fx", 403}, {"and first", "/%EF%BC%8Fadmin", 403}, {"a control character", "/admin%09", 400}, {"NUL", "/admin%00", 400}, {"a dot, encoded", "/admin%2e", 400}, {"twice encoded", "/%2561dmin", 400},
		{"not UTF-8", "/admin%ff", 400}, {"a slash of two bytes", "/x%c0%afadmin", 400},
	} {
		if got := ask(g, "GET", tt.target); got != tt.status {
			t.Errorf("%s: %s: %d, want %d", tt.kind, tt.target, got, tt.status)
		}
		for way, got := range checkWays(g, "GET", tt.target) {
			if (got == 200) != (tt.status == 200) && !disguised(tt.target) || got != 200 && got != 403 && got != 400 {
				t.Errorf("%s: %s: %d of a check, %s; want %d", tt.kind, tt.target, got, way, tt.status)
			}
		}
	}
	// The methods of the stricter one count, too.
	for target, status := range map[string]int{"/READ": 405, "/read.": 405, "/read.json": 405, "/other": 200} {
		if got := ask(g, "POST", target); got != status {
			t.Errorf("POST %s: %d, want %d", target, got, status)
		}
	}
}

// TestS220_ByRoute: routes say that their servers tell paths apart, the one that asks for
// more or the one that gets the request.
func TestS220_ByRoute(t *testing.T) {
	for _, tt := range []struct {
		name   string
		set    func(*Route)
		passes string
		not    []string
	}{
		{"case", func(r *Route) { r.CaseSensitive = true }, "/ADMIN", []string{"/admin.", "/admin.json", "/exact/"}},
		{"dots", func(r *Route) { r.DotSensitive = true }, "/admin.", []string{"/ADMIN", "/admin.json", "/exact/"}},
		{"slashes", func(r *Route) { r.SlashSensitive = true }, "/exact/", []string{"/ADMIN", "/admin.", "/admin.json"}},
		{"extensions", func(r *Route) { r.ExtensionSensitive = true }, "/admin.json", []string{"/ADMIN", "/admin.", "/exact/"}},
	} {
		for _, on := range []string{"/", "/admin"} {
			routes := []Route{{Path: "/"}, {Path: "/admin", Permissions: nobodys}, {Path: "/exact", Exact: true, Permissions: nobodys}}
			for i := range routes {
				if (routes[i].Path == "/") == (on == "/") {
					tt.set(&routes[i])
				}
			}
			g, _ := gateOf(t, routes...)
			if got := ask(g, "GET", tt.passes); got != 200 {
				t.Errorf("%s on %s: %s: %d", tt.name, on, tt.passes, got)
			}
			for _, target := range tt.not {
				if got := ask(g, "GET", target); got != 403 {
					t.Errorf("%s on %s: %s: %d", tt.name, on, target, got)
				}
			}
		}
	}
	// What is written is for everybody that it is written for.
	g, _ := gateOf(t, Route{Path: "/"}, Route{Path: "/Public", Public: true}, Route{Path: "/logo.png", Exact: true, Public: true}, Route{Path: "/logo.svg", Permissions: nobodys},
		Route{Path: "/Two", Public: true}, Route{Path: "/two", Permissions: nobodys})
	for target, status := range map[string]int{"/Public": 200, "/public": 401, "/Public/x": 200, "/logo.png": 200, "/Two": 401} {
		r := request("GET", target)
		r.Header.Del("X-Key")
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("nobody, %s: %d, want %d", target, w.Code, status)
		}
	}
}

// TestS221_PatternsAreNoPaths: a route that could never match is not taken for a rule.
func TestS221_PatternsAreNoPaths(t *testing.T) {
	auth, _ := testAuth(t)
	for path, hint := range map[string]string{
		"/admin/*": "/admin", "/admin*": "/", "/admin/**": "/admin", "*": "", "/users/:id": "/users", "/users/{id}": "/users", "/users/<id>/x": "/users", "/{path...}": "/",
		"/admin(/.*)?": "/", "^/admin": "", "/admin/.*": "/admin", "/(?i)admin": "/", "/a|b": "/", "/a[bc]/d": "/", "/admin$": "/", "/a?b": "", "/a#b": "", "/a;b": "", "/a%20b": "",
		`/a\b`: "", "//a": "", "/a//b": "", "/a/../b": "", "/./a": "", "/a\x00": "", "/a/...": "",
	} {
		_, err := New(Config{Tenants: []Tenant{{Auth: auth}}, Routes: []Route{{Path: path}}})
		if err == nil || hint != "" && !strings.Contains(err.Error(), "; write "+hint+", which") {
			t.Errorf("%q: %v", path, err)
		}
	}
	for _, host := range []string{"*.example.com", "*", "example.com..", ".example.com", "a..b", "[example.com]", "https://example.com", "example.com/x"} {
		if _, err := New(Config{Tenants: []Tenant{{Auth: auth}}, Routes: []Route{{Host: host}}}); err == nil {
			t.Errorf("host %q is taken", host)
		}
	}
	for _, path := range []string{"/", "/a.b", "/Orders(1)", "/$metadata", "/~alice", "/a b", "/ü", "/a+b", "/a:b", "/@v", "/a,b", "/it's", "/a!b"} {
		if _, err := New(Config{Tenants: []Tenant{{Auth: auth}}, Routes: []Route{{Path: path}}}); err != nil {
			t.Errorf("%q: %v", path, err)
		}
	}
}

// TestS222_HostsThatAreNone: a host that a server could take for a route's is that
// route's, or none.
func TestS222_HostsThatAreNone(t *testing.T) {
	g, _ := gateOf(t, Route{Path: "/"}, Route{Host: "internal.example", Permissions: nobodys}, Route{Host: "::1", Permissions: nobodys}, Route{Host: "10.0.0.1", Permissions: nobodys})
	for host, status := range map[string]int{
		"internal.example": 403, "INTERNAL.example": 403, "internal.example.": 403, "internal.example:8443": 403, "internal.example.:80": 403, "internal.example:": 403,
		"internal.example..": 400, "internal.example...": 400, ".internal.example": 400, "internal..example": 400, "[internal.example]": 400, "[internal.example]:80": 400, "internal.example]": 400,
		"internal.example:http": 400, "internal.example:80:80": 400, "internal.example,x": 400, "x@internal.example": 400, "internal.example%00": 400, "internal.example/": 400, "": 400, ".": 400, "..": 400,
		"[::1": 400, "::1]": 400, "[::1%25eth0]": 400, "[::1%eth0]": 400, strings.Repeat("a", 254): 400, "[::1]": 403, "[0:0:0:0:0:0:0:1]:80": 403, "[::0001]": 403, "10.0.0.1": 403, "10.0.0.1.": 403, "10.0.0.1..": 400, "[10.0.0.1]": 400, "other.example": 200,
	} {
		r := request("GET", "/")
		r.Host = host
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("%q: %d, want %d", host, w.Code, status)
		}
		// A proxy that asks is told the same.
		r = request("GET", "/auth/check")
		r.Header.Set("X-Forwarded-Host", host)
		r.Header.Set("X-Forwarded-Method", "GET")
		r.Header.Set("X-Forwarded-Uri", "/")
		w = httptest.NewRecorder()
		g.ServeHTTP(w, r)
		if (w.Code == 200) != (status == 200) {
			t.Errorf("%q: %d of a check, want %d", host, w.Code, status)
		}
	}
}

// TestS223_DisguisedPaths: what has letters and digits escaped is refused however a proxy
// asks, and what a comma stands in is one path.
func TestS223_DisguisedPaths(t *testing.T) {
	g, _ := gateOf(t, Route{Path: "/"}, Route{Path: "/admin", Permissions: nobodys}, Route{Path: "/open", Public: true})
	for target, passes := range map[string]bool{
		"/x%61": false, "/%6fpen": false, "/x%2Dy": false, "/x%5Fy": false, "/x%31": false, "/%4F": false, "/x%zz": false, "/x%": false,
		"/caf%C3%A9": true, "/a%20b": true, "/a%28b%29": true, "/a%2Cb": true, "/a,b": true, "/open,/admin": true, "/open,/admin?x=1,2": true, "/x?a=%61": true, "/it's": true, "/a%7Eb": true,
		"/open, /admin": false, "/open,http://example.com/admin": false, "/open\t": false, "https://example.com/open": false, "open": false, "": false, "/x#/open": false, "/x?#": false,
		"/admin,/open": true, "/admin/,/open": false,
	} {
		for way, status := range checkWays(g, "GET", target) {
			if (status == 200) != passes && !(way == "below" && (strings.ContainsAny(target, " \t") || !strings.HasPrefix(target, "/"))) {
				t.Errorf("%s: %q: %d", way, target, status)
			}
		}
	}
}

// TestS224_EncodedPaths: a route that takes them gets them as they were sent, if every
// way to read them leads to what the person may do.
func TestS224_EncodedPaths(t *testing.T) {
	g, upstream := gateOf(t,
		Route{Path: "/"},
		Route{Path: "/rabbit", EncodedPaths: true},
		Route{Path: "/rabbit/api/users", EncodedPaths: true, Permissions: nobodys},
		Route{Path: "/wiki", EncodedPaths: true, StripPrefix: true},
		Route{Path: "/wiki/Special", EncodedPaths: true, Permissions: nobodys},
		Route{Path: "/admin", Permissions: nobodys},
		Route{Path: "/public", EncodedPaths: true, Public: true},
	)
	for _, tt := range []struct {
		target string
		status int
		seen   string
	}{
		{"/rabbit/api/queues/%2F/jobs", 200, ""}, {"/rabbit/api/queues/%2f/a%3Bb", 200, ""}, {"/rabbit/api/v4/projects/group%2Fsub%2Fproject/repository/files/a%2Eb?ref=x%2Fy", 200, ""},
		{"/rabbit//x///y", 200, ""}, {"/rabbit/x;v=1/y", 200, ""}, {"/rabbit/x?a=1;b=2", 200, ""}, {"/rabbit/100%25", 200, ""}, {"/rabbit/C%23", 200, ""}, {"/rabbit/what%3F", 200, ""}, {"/rabbit/a%5Cb", 200, ""},
		{"/wiki/Talk//A;b%2Fc", 200, "/Talk//A;b%2Fc"}, {"/wiki//x", 200, "//x"}, {"/wiki", 200, "/"}, {"/wiki/%2F", 200, "/%2F"},
		// Another reading leads to what asks for more.
		{"/rabbit/api%2Fusers", 403, ""}, {"/rabbit/api//users", 403, ""}, {"/rabbit/api%5Cusers", 403, ""}, {"/rabbit/api;x/users", 403, ""}, {"/rabbit/api/users%3Fx", 403, ""}, {"/rabbit/api/users%23x", 403, ""},
		{"/rabbit/api%252Fusers", 403, ""}, {"/rabbit/api/user%2573", 403, ""}, {"/rabbit/API%2FUsers", 403, ""}, {"/rabbit/api/users%2E", 403, ""}, {"/rabbit/api/users%2Ejson", 403, ""}, {"/rabbit/api/users%3Bx", 403, ""},
		{"/rabbit/x/index.php%2Frabbit%2Fapi%2Fusers", 403, ""}, {"/wiki%2FSpecial", 400, ""}, {"/wiki//Special", 403, ""}, {"/public%2F%2F", 400, ""}, {"/public/%3F", 200, ""},
		// Another reading leads nowhere, or out.
		{"/rabbit/..%2Fadmin", 400, ""}, {"/rabbit/%2e%2e/admin", 400, ""}, {"/rabbit/x%2F..%2F..%2Fadmin", 400, ""}, {"/rabbit/..;/admin", 400, ""}, {"/rabbit/%252e%252e/admin", 400, ""}, {`/rabbit/..%5cadmin`, 400, ""},
		{"/rabbit/.;x/y", 400, ""}, {"/rabbit/%00", 400, ""}, {"/rabbit/%0d%0a", 400, ""}, {"/rabbit/%250d", 400, ""}, {"/rabbit/%ff", 400, ""}, {"/rabbit/%25c0%25af", 400, ""}, {"/rabbit/%zz", 400, ""},
		{"/rabbit/" + "%" + strings.Repeat("25", 100), 400, ""}, {"/rabbit/" + strings.Repeat("/", 5000), 400, ""}, {"/rabbit/\\x", 400, ""}, {"/rabbit/x#y", 400, ""},
		// Where the route does not say so.
		{"//rabbit/x", 400, ""}, {"/x%2Frabbit", 400, ""}, {"/x;y", 400, ""}, {"/x?a;b", 400, ""}, {"/%2F", 400, ""}, {"/admin%2F", 400, ""},
		{"/x%2Fy", 400, ""}, {"/x%5Cy", 400, ""}, {"/x%3By", 400, ""}, {"/x%25", 400, ""}, {"/x%23", 400, ""}, {"/x%3Fy", 400, ""}, {"/x%2Ey", 400, ""}, {"/rabbit/...%2Fx", 400, ""}, {"/rabbit/..%20%2Fadmin", 400, ""},
		{"/auth/check%2F", 400, ""}, {"/auth/login;x", 400, ""}, {"/auth//login", 400, ""},
	} {
		upstream.target = ""
		got := ask(g, "GET", tt.target)
		if got != tt.status {
			t.Errorf("%s: %d, want %d", tt.target, got, tt.status)
			continue
		}
		want := tt.seen
		if want == "" && tt.status == 200 {
			want = tt.target
		}
		if upstream.target != want {
			t.Errorf("%s: the upstream was asked for %s, want %s", tt.target, upstream.target, want)
		}
		if strings.HasPrefix(tt.target, "/auth/") {
			continue
		}
		for way, status := range checkWays(g, "GET", tt.target) {
			if (status == 200) != (got == 200) && !disguised(tt.target) {
				t.Errorf("%s: %d of a check, %s", tt.target, status, way)
			}
		}
	}
}

// TestS225_BytesAreSentOnAsTheyCame: also back to where a sign-in began.
func TestS225_BytesAreSentOnAsTheyCame(t *testing.T) {
	g, upstream := gateOf(t, Route{Path: "/"}, Route{Path: "/strip", StripPrefix: true})
	for _, target := range []string{
		"/", "/?", "/x?", "/x??", "/x?a=%2B&b=+&c=%zz&d", "/a%2Bb", "/a+b", "/it's", "/it%27s", "/(x)", "/%28x%29", "/a!b*c", "/%7Ealice", "/~alice", "/caf%c3%a9", "/caf%C3%A9", "/a|b", "/a%7cb", `/a"b`, "/a^b`c{d}",
		"/a%20b", "/a:b@c=d&e$f,g", "/%41", "/a%2Cb", "/x/?", "/é", "/x?q=é|\"'",
	} {
		for _, before := range []string{"", "/strip"} {
			upstream.target = ""
			if got := ask(g, "GET", before+target); got != 200 || upstream.target != target {
				t.Errorf("%s%s: %d, the upstream was asked for %s", before, target, got, upstream.target)
			}
		}
		// Nobody is signed in: they come back to where they were.
		if strings.ContainsAny(target, "é") {
			continue // a page that has one is not gone back to
		}
		for _, headers := range []map[string]string{
			nil,
			{"X-Original-Url": "http://localhost:8080" + target, "X-Original-Method": "GET"},
			{"X-Forwarded-Uri": target, "X-Forwarded-Host": "localhost:8080", "X-Forwarded-Method": "GET"},
		} {
			at := target
			if headers != nil {
				if at = "/auth/check"; disguised(target) {
					continue
				}
			}
			r := request("GET", at)
			r.Host = "localhost:8080"
			r.Header.Del("X-Key")
			r.Header.Set("Sec-Fetch-Mode", "navigate")
			r.Header.Set("Accept", "text/html")
			for name, value := range headers {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			g.ServeHTTP(w, r)
			location := w.Header().Get("Location")
			if location == "" {
				location = w.Header().Get(RedirectHeader)
			}
			u, err := url.Parse(location)
			if err != nil || u.Query().Get("redirect_uri") != target {
				t.Errorf("%s, %v: %d to %q", target, headers, w.Code, location)
			}
		}
	}
}

// TestS224_WithoutARoute: a path that can be read in several ways is refused where no route
// is for it, and where there are none.
func TestS224_WithoutARoute(t *testing.T) {
	g, _ := gateOf(t, Route{Path: "/rabbit", EncodedPaths: true})
	for _, target := range []string{"/other//x", "/x%2Fy", "/x;y"} {
		if got := ask(g, "GET", target); got != http.StatusBadRequest {
			t.Errorf("%s: %d", target, got)
		}
	}
	bare, _ := gateOf(t)
	for _, target := range []string{"/x%2Fy", "/x//y", "/x;y", "/x%252Fy"} {
		for way, status := range checkWays(bare, "GET", target) {
			if status == http.StatusOK {
				t.Errorf("%s: passes without routes, %s", target, way)
			}
		}
	}
}

// TestS225_BehindAnotherHandler: where a handler in front of the gateway has changed the
// path, that is what is decided on and sent on.
func TestS225_BehindAnotherHandler(t *testing.T) {
	g, upstream := gateOf(t, Route{Path: "/"}, Route{Path: "/outer", Permissions: nobodys})
	for target, want := range map[string]string{"/outer/a%20b": "/a%20b", "/outer/it%27s": "/it%27s", "/outer/x?y=%2F": "/x?y=%2F"} {
		r := request("GET", target)
		w := httptest.NewRecorder()
		http.StripPrefix("/outer", g).ServeHTTP(w, r)
		if w.Code != http.StatusOK || upstream.target != want {
			t.Errorf("%s: %d, the upstream was asked for %s, want %s", target, w.Code, upstream.target, want)
		}
	}
}

// readers are models of how servers read the path of a request: what they make one of.
var readers = map[string]func(raw string) string{
	"as it is": func(raw string) string { return raw },
	"plain":    decoded,
	"express":  func(raw string) string { return strings.TrimRight(strings.ToLower(decoded(raw)), "/") },
	"iis": func(raw string) string {
		var kept []string
		for _, segment := range strings.FieldsFunc(strings.ToLower(strings.ReplaceAll(decoded(raw), `\`, "/")), func(r rune) bool { return r == '/' }) {
			if segment = strings.TrimRight(segment, ". "); segment != "" {
				kept = append(kept, segment)
			}
		}
		return "/" + strings.Join(kept, "/")
	},
	"tomcat": func(raw string) string {
		segments := strings.Split(raw, "/")
		for i := range segments {
			segments[i], _, _ = strings.Cut(segments[i], ";")
		}
		return squeezed(decoded(strings.Join(segments, "/")))
	},
	"decodes before it sets parameters apart": func(raw string) string {
		segments := strings.Split(decoded(raw), "/")
		for i := range segments {
			segments[i], _, _ = strings.Cut(segments[i], ";")
		}
		return squeezed(strings.Join(segments, "/"))
	},
	"nginx":          func(raw string) string { return squeezed(decoded(raw)) },
	"decodes twice":  func(raw string) string { return squeezed(decoded(decoded(raw))) },
	"decodes early":  func(raw string) string { path, _, _ := strings.Cut(decoded(raw), "?"); return path },
	"cuts fragments": func(raw string) string { path, _, _ := strings.Cut(decoded(raw), "#"); return path },
	"php": func(raw string) string {
		if _, after, ok := strings.Cut(decoded(raw), "/index.php/"); ok {
			return "/" + after
		}
		return decoded(raw)
	},
}

func decoded(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		var c byte
		if n, _ := fmt.Sscanf(s[i:min(len(s), i+3)], "%%%02x", &c); n == 1 && i+2 < len(s) && strings.Trim(s[i+1:i+3], "0123456789abcdefABCDEF") == "" {
			b.WriteByte(c)
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func squeezed(s string) string {
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	return s
}

// deciding is the routes that decide about a path, to a server that makes one of paths by
// read.
func deciding(routes []Route, raw string, read func(string) string) []int {
	key := read(raw)
	longest, best := -1, []int(nil)
	for i, r := range routes {
		own := read((&url.URL{Path: r.Path}).EscapedPath())
		if !r.Exact {
			own = strings.TrimSuffix(own, "/")
		}
		rest, ok := strings.CutPrefix(key, own)
		if !ok || r.Exact && rest != "" || !r.Exact && rest != "" && rest[0] != '/' {
			continue
		}
		n := 2*len(strings.TrimSuffix(own, "/")) + boolean(r.Exact)
		if n > longest {
			longest, best = n, nil
		}
		if n == longest {
			best = append(best, i)
		}
	}
	return best
}

// FuzzS220_Routes: no request reaches an upstream that some reading of its path would
// have refused.
func FuzzS220_Routes(f *testing.F) {
	for _, table := range []string{"/\n/admin\n/exact=\n/admin/open\n/Public\n/a.b", "/\n/x\n/x/y\n/x/y/z=\n/index.php", "/é\n/a b\n/A", "/admin.\n/ADMIN\n/admin", "/x=\n/x\n/x/\n"} {
		for _, raw := range []string{"/", "/admin", "/ADMIN/x", "/admin.", "/exact/", "/x//y", "/x%2Fy", "/x%252fy", "/x;a/y", "/x%3ba/y", "/x/y/z/", "/index.php/admin", "/x/index.php/x/y", "/%61dmin", "/a%20b%20", "/x%5cy", "/x/y%3F", "/caf%C3%A9", "/x%2F..%2Fadmin"} {
			f.Add(table, raw)
		}
	}
	tenants := someTenants(f)
	f.Fuzz(func(t *testing.T, lines, raw string) {
		if table := strings.Split(lines, "\n"); len(table) <= 8 {
			holdsInEveryReading(t, tenants, table, raw)
		}
	})
}

// TestS220_RandomRoutes is the same with what a fuzzer finds late.
func TestS220_RandomRoutes(t *testing.T) {
	tenants := someTenants(t)
	random := rand.New(rand.NewPCG(11, 220))
	some := func(tokens []string, n int) string {
		path := ""
		for range 1 + random.IntN(n) {
			path += tokens[random.IntN(len(tokens))]
		}
		return path
	}
	passed := 0
	for range 3_000 {
		var table []string
		for range 1 + random.IntN(6) {
			table = append(table, "/"+some([]string{"a", "b", "A", "/a", "/b", "/B", ".", "a.x", "/index.php", " ", "é", "+", "="}, 4))
		}
		raw := "/" + some([]string{
			"a", "b", "A", "B", "/a", "/b", "/A", "/", ".", ".x", "%20", "/index.php/", "%2F", "%2f", "//", ";", ";a", "%3B", "%5C", "%252F", "%25", "%2E", "%3F", "%23", "%61", "%41", "%2562", "+", "%C3%A9", "%C3%89",
		}, 6)
		if holdsInEveryReading(t, tenants, append(table, "/"), raw) {
			passed++
		}
	}
	if passed < 1_000 {
		t.Errorf("%d requests found a route: the others prove nothing", passed)
	}
}

func someTenants(t testing.TB) []*tenant {
	t.Helper()
	auth, err := codegrant.New(codegrant.Config{Pool: testPool, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return []*tenant{{Tenant: Tenant{Auth: auth}}}
}

// holdsInEveryReading reports whether a request would have been sent on, if its
// permissions are right.
func holdsInEveryReading(t *testing.T, tenants []*tenant, lines []string, raw string) bool {
	var routes []Route
	for i, line := range lines {
		path, exact := strings.CutSuffix(line, "=")
		r := Route{Name: fmt.Sprint(i), Path: path, Exact: exact, EncodedPaths: true, Permissions: []codegrant.Permission{codegrant.InGroup(fmt.Sprint(i))}}
		if len(path) > 64 || path == "" {
			continue
		}
		_, err := newRoute(r, nil, false)
		if err == nil && !slices.ContainsFunc(routes, func(o Route) bool {
			return strings.TrimSuffix(o.Path, "/") == strings.TrimSuffix(path, "/") && o.Exact == exact
		}) {
			routes = append(routes, r)
		}
	}
	table, err := newTable(routes, tenants, false)
	if err != nil {
		t.Fatal(err)
	}
	target, err := newTarget(http.MethodGet, "example.com", raw, "")
	if err != nil {
		return false
	}
	found, err := table.find(target, http.MethodGet)
	if err != nil || found == nil {
		return false
	}
	for name, read := range readers {
		for _, i := range deciding(routes, raw, read) {
			if !slices.ContainsFunc(found.permissions, func(p codegrant.Permission) bool { return p.String() == "group "+routes[i].Name }) {
				t.Errorf("%q of %q: %s asks for %v, and not for route %s, %q, as %s reads it", raw, lines, found.Name, found.permissions, routes[i].Name, routes[i].Path, name)
			}
		}
	}
	return true
}
