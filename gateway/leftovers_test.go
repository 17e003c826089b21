package gateway_test

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/gateway"
)

// remembering is an application that believes its own cookie once it has set it, as many
// frameworks do. It sets it for the path, and tells who it takes the client for.
func remembering(t *testing.T, path string) string {
	return upstream(t, func(w http.ResponseWriter, r *http.Request) {
		if c, err := r.Cookie("JSESSIONID"); err == nil {
			fmt.Fprint(w, strings.TrimPrefix(c.Value, "of-"))
			return
		}
		who := r.Header.Get("X-Auth-Username")
		if who == "" {
			who = "nobody"
		}
		http.SetCookie(w, &http.Cookie{Name: "JSESSIONID", Value: "of-" + who, Path: path})
		http.SetCookie(w, &http.Cookie{Name: "theme", Value: "dark", Path: "/"})
		w.Header().Set("Cache-Control", "public, max-age=60")
		fmt.Fprint(w, who)
	})
}

// TestS230_ApplicationsForgetWithTheGateway: who signs in after somebody else is nobody
// else to an application with a session of its own, wherever it has put its cookie.
func TestS230_ApplicationsForgetWithTheGateway(t *testing.T) {
	for _, path := range []string{"/", "/app", "/app/", "/app/deep"} {
		app := &gateway.Upstream{URLs: []string{remembering(t, path)}}
		s := newSite(t, []gateway.Route{
			{Path: "/"},
			{Path: "/app", Upstream: app, ClearCookies: []string{"JSESSIONID"}},
			{Path: "/app/deep/open", Upstream: app, ClearCookies: []string{"JSESSIONID"}, Public: true},
		}, nil)
		b := codegranttest.NewBrowser(t)
		says := func(target, want string) {
			t.Helper()
			for range 3 {
				r, body := s.ask(b.Client, "GET", target, nil)
				if r.StatusCode != 200 || body != want {
					t.Errorf("cookie for %s: %s: %d %q, want %q", path, target, r.StatusCode, body, want)
				}
				for _, line := range r.Header["Set-Cookie"] {
					if strings.HasPrefix(line, "codegrant-for-") && !slices.Equal(r.Header["Cache-Control"], []string{"no-store"}) {
						t.Errorf("an answer with a mark may be stored: %q", r.Header["Cache-Control"])
					}
				}
			}
		}
		says("/app/deep/open", "nobody")
		b.SignIn(s.url+"/", "alice@example.com", codegranttest.Password)
		says("/app/deep/x", "alice")
		says("/app/deep/open", "alice")
		// A page of another site cannot have the application forgotten.
		r, _ := s.ask(b.Client, "GET", "/auth/logout", map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Accept": "text/html"})
		if len(r.Header["Set-Cookie"]) != 0 {
			t.Errorf("a sign-out that is not confirmed: %q", r.Header["Set-Cookie"])
		}
		r, _ = s.ask(b.Client, "GET", "/auth/logout", map[string]string{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"})
		forgotten := func(where string) bool {
			return slices.ContainsFunc(r.Header["Set-Cookie"], func(line string) bool {
				return strings.HasPrefix(line, "JSESSIONID=;") && strings.Contains(line, "Path="+where+";") && strings.Contains(line, "Max-Age=0")
			})
		}
		if r.StatusCode != 303 || !forgotten("/") || !forgotten("/app") || !forgotten("/app/") {
			t.Errorf("sign-out: %d %q", r.StatusCode, r.Header["Set-Cookie"])
		}
		says("/app/deep/open", "nobody")
		s.become(b.Client.Jar, "bob@example.com")
		says("/app/deep/x", "bob")
		says("/app/deep/open", "bob")
	}
}

// TestS230_MarksAndWhatIsForgotten: a mark is for the gateway alone and goes with nobody who
// left none; a sign-out forgets cookies of the routes that people of its tenant have there.
func TestS230_MarksAndWhatIsForgotten(t *testing.T) {
	app := &gateway.Upstream{URLs: []string{remembering(t, "/")}}
	s := newSite(t, []gateway.Route{
		{Path: "/", Upstream: app, ClearCookies: []string{"JSESSIONID", "__Secure-x"}, Public: true},
		{Path: "/elsewhere", Host: "elsewhere.example", Upstream: app, ClearCookies: []string{"elsewhere"}},
		{Path: "/others", Tenant: "others", Upstream: app, ClearCookies: []string{"others"}},
	}, func(g *gateway.Config, c *codegrant.Config) {
		own, err := codegrant.New(*c)
		if err != nil {
			t.Fatal(err)
		}
		g.Tenants = []gateway.Tenant{{Name: "own", Auth: own}, {Name: "others", Auth: own, Hosts: []string{"others.example"}}}
	})
	mark := func(r *http.Response) (line string) {
		for _, one := range r.Header["Set-Cookie"] {
			if strings.HasPrefix(one, "codegrant-for-") {
				line = one
			}
		}
		return line
	}
	b := s.signIn("/auth/login", "alice@example.com")
	r, _ := s.ask(b.Client, "GET", "/x", nil)
	if line := mark(r); line != "" && !strings.Contains(line, "HttpOnly") {
		t.Errorf("scripts read the mark: %q", line)
	}
	if r, _ := s.ask(b.Client, "GET", "/x", nil); mark(r) != "" {
		t.Errorf("the same person is marked again: %q", mark(r))
	}
	// A second mark, which somebody has planted for a path below, changes nothing.
	cookies := cookiesOf(t, s, b).Get("Cookie")
	if r, body := s.ask(http.DefaultClient, "GET", "/x", map[string]string{"Cookie": cookies + "; " + markIn(cookies) + "=x.y"}); mark(r) != "" || body != "alice" {
		t.Errorf("beside a second mark: %q, %q", mark(r), body)
	}
	// Junk in a mark is not remembered, and no more than there is room for.
	junk := markIn(cookies) + "=somebody" + strings.Repeat(".0123456789abcdef", 40) + ".junk"
	r, _ = s.ask(http.DefaultClient, "GET", "/x", map[string]string{"Cookie": "JSESSIONID=of-bob; " + junk})
	if line := mark(r); line == "" || strings.Contains(line, "junk") || strings.Count(line, ".") != 16 {
		t.Errorf("the mark is now %q", line)
	}
	// Nobody who has left nothing has no mark.
	if r, _ := s.ask(http.DefaultClient, "GET", "/x", map[string]string{"Cookie": markIn(cookies) + "=somebody"}); !strings.Contains(mark(r), "Max-Age=0") {
		t.Errorf("nobody's mark: %q", mark(r))
	}
	r, _ = s.ask(b.Client, "GET", "/auth/logout", map[string]string{"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html"})
	all := strings.Join(r.Header["Set-Cookie"], "\n")
	if !strings.Contains(all, "JSESSIONID=;") || strings.Contains(all, "elsewhere=;") || strings.Contains(all, "others=;") {
		t.Errorf("the sign-out forgets %q", r.Header["Set-Cookie"])
	}
	for _, line := range r.Header["Set-Cookie"] {
		if strings.HasPrefix(line, "__Secure-x=") && !strings.Contains(line, "Secure;") && !strings.HasSuffix(line, "Secure") {
			t.Errorf("a browser takes no notice of %q", line)
		}
	}
}

// markIn is the name of the mark among cookies.
func markIn(cookies string) string {
	for pair := range strings.SplitSeq(cookies, ";") {
		if name, _, _ := strings.Cut(strings.TrimSpace(pair), "="); strings.HasPrefix(name, "codegrant-for-") {
			return name
		}
	}
	return "codegrant-for-none"
}

// TestS230_OneAfterTheOther: also without a sign-out, and where the cookie's path is one
// that nobody has told the gateway.
func TestS230_OneAfterTheOther(t *testing.T) {
	app := &gateway.Upstream{URLs: []string{remembering(t, "/other")}}
	s := newSite(t, []gateway.Route{{Path: "/", Upstream: app, ClearCookies: []string{"JSESSIONID"}}}, nil)
	site, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	for _, who := range []string{"alice", "bob", "alice", "bob", "bob"} {
		s.become(jar, who+"@example.com")
		for range 3 {
			if r, body := s.ask(client, "GET", "/other/x", nil); r.StatusCode != 200 || body != who {
				t.Fatalf("%d %q, want %s", r.StatusCode, body, who)
			}
		}
	}
	// Whoever asks by another protocol is told the same.
	header := http.Header{}
	for _, c := range jar.Cookies(&url.URL{Scheme: "http", Host: site.Host, Path: "/other/x"}) {
		header["Cookie"] = append(header["Cookie"], c.Name+"="+c.Value)
	}
	if all := strings.Join(header["Cookie"], ";"); !strings.Contains(all, "JSESSIONID=") || !strings.Contains(all, "codegrant-for-") {
		t.Fatalf("%q", header)
	}
	for i, line := range header["Cookie"] {
		if strings.HasPrefix(line, "codegrant-for-") {
			header["Cookie"][i] = "codegrant-for-x=y"
		}
	}
	w := httptest.NewRecorder()
	pass := s.gateway.CheckOriginal(w, asOriginal(t, s, "GET", "/other/x", header.Clone()), nil)
	if pass == nil || !slices.Equal(pass.Set["Cookie"], []string{"theme=dark"}) || !strings.Contains(fmt.Sprint(w.Header()["Set-Cookie"]), "JSESSIONID=;") {
		t.Errorf("%+v %q", pass, w.Header()["Set-Cookie"])
	}
	r, _ := s.ask(http.DefaultClient, "GET", "/auth/check", merge(asked("caddy", "GET", site.Host, "/other/x"), "Cookie", strings.Join(header["Cookie"], "; ")))
	if r.StatusCode != 200 || !slices.Equal(r.Header["Cookie"], []string{"theme=dark"}) || !strings.Contains(fmt.Sprint(r.Header["Set-Cookie"]), "JSESSIONID=;") {
		t.Errorf("over HTTP: %d %q %q", r.StatusCode, r.Header["Cookie"], r.Header["Set-Cookie"])
	}
}

// become signs somebody in in a browser of their own, and puts the session into a jar.
func (s *site) become(jar http.CookieJar, email string) {
	s.t.Helper()
	site, err := url.Parse(s.url)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, c := range s.signIn("/", email).Client.Jar.Cookies(site) {
		if s.auth.OwnsCookie(c.Name) && !strings.HasPrefix(c.Name, "codegrant-for-") { // the mark is of the other browser
			jar.SetCookies(site, []*http.Cookie{{Name: c.Name, Value: c.Value, Path: "/"}})
		}
	}
}

func TestCookiesThatCannotBeCleared(t *testing.T) {
	pool := codegranttest.NewPool(t, nil)
	auth, err := codegrant.New(codegrant.Config{Pool: pool.Register("http://localhost:8080")})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"", "a b", "a=b", "a;b", "codegrant", "codegrant-for-x", "__Host-codegrant-for-x"} {
		if _, err := gateway.New(gateway.Config{Tenants: []gateway.Tenant{{Auth: auth}}, Routes: []gateway.Route{{ClearCookies: []string{name}}}}); err == nil || !strings.Contains(err.Error(), "clear_cookies") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
