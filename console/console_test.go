package console_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/console"
	"github.com/codegrant/codegrant/replica"
)

// people is a replica of one answer.
type people struct {
	mu   sync.Mutex
	user replica.User
	err  error
}

func (p *people) set(u replica.User, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.user, p.err = u, err
}

func (p *people) UserBySubject(context.Context, string, string) (replica.User, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.user, p.err
}

// desk is a site with a console, and its log.
type desk struct {
	t    *testing.T
	url  string
	auth *codegrant.Auth
	log  *lines

	console *console.Console
}

type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newDesk runs a site whose admins are operators.
func newDesk(t *testing.T, change func(*console.Config)) *desk {
	t.Helper()
	d := &desk{t: t, log: new(lines)}
	pool := codegranttest.NewPool(t, nil)
	d.url = pool.App(func(config codegrant.Config) http.Handler {
		auth, err := codegrant.New(config)
		if err != nil {
			t.Fatal(err)
		}
		d.auth = auth
		c := console.Config{Auth: auth, Groups: []string{"admins"}, SignOut: "/auth/logout", Refresh: 20 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(d.log, nil))}
		if change != nil {
			change(&c)
		}
		made, err := console.New(c)
		if err != nil {
			t.Fatal(err)
		}
		d.console = made
		mux := http.NewServeMux()
		auth.Mount(mux, "/auth")
		mux.Handle("/console", made)
		mux.Handle("/console/", made)
		return mux
	})
	return d
}

// signIn returns a client with a session of that person.
func (d *desk) signIn(name string) *http.Client {
	d.t.Helper()
	b := codegranttest.NewBrowser(d.t)
	b.SignIn(d.url+"/auth/login", name+"@example.com", codegranttest.Password)
	return b.Client
}

// get asks as a browser that goes to a page.
func (d *desk) get(client *http.Client, path string, change ...func(*http.Request)) (*http.Response, string) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.url+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, c := range change {
		c(r)
	}
	return d.do(client, r)
}

func (d *desk) do(client *http.Client, r *http.Request) (*http.Response, string) {
	d.t.Helper()
	stay := *client
	stay.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	stay.Timeout = time.Minute // a stream that was opened to somebody who may not see it
	answer, err := stay.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer answer.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(answer.Body); err != nil {
		d.t.Fatal(err)
	}
	return answer, body.String()
}

// post sends a form as a page of the console does.
func (d *desk) post(client *http.Client, path string, form url.Values, change ...func(*http.Request)) (*http.Response, string) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Mode", "navigate")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", d.url)
	for _, c := range change {
		c(r)
	}
	return d.do(client, r)
}

// every is each path of a console.
var every = []string{"/console", "/console/", "/console/ask", "/console/people", "/console/person?pool=one&sub=x", "/console/refused", "/console/state/events", "/console/nothing"}

// TestS730_NothingWithoutTheGroup: no page, no event and no action is for anybody who has no
// session, or is in none of the groups; and a token that a program holds is not a session.
func TestS730_NothingWithoutTheGroup(t *testing.T) {
	d := newDesk(t, func(c *console.Config) {
		c.Pools, c.Journal = []console.Pool{{Name: "one", Auth: c.Auth}}, new(console.Journal)
		c.State = func(context.Context) console.State { t.Error("somebody was shown the state"); return console.State{} }
		c.Explain = func(context.Context, console.Question) (console.Verdict, error) {
			t.Error("somebody was told of a rule")
			return console.Verdict{}, nil
		}
	})
	bob := d.signIn("bob")
	for _, path := range every {
		if r, body := d.get(http.DefaultClient, path); r.StatusCode != http.StatusFound || !strings.Contains(r.Header.Get("Location"), "/auth/login") || strings.Contains(body, "Console") {
			t.Errorf("%s, nobody: %d %s", path, r.StatusCode, body)
		}
		if r, body := d.get(bob, path); r.StatusCode != http.StatusForbidden || strings.Contains(body, "Console") {
			t.Errorf("%s, not an operator: %d %s", path, r.StatusCode, body)
		}
	}
	for _, path := range []string{"/console/", "/console/people/act"} {
		if r, _ := d.post(bob, path, url.Values{"do": {"everywhere"}, "pool": {"one"}, "sub": {"x"}}); r.StatusCode != http.StatusForbidden {
			t.Errorf("POST %s: %d", path, r.StatusCode)
		}
	}
}

// TestS730_NoBearer: an operator's token opens nothing.
func TestS730_NoBearer(t *testing.T) {
	var token string
	d := newDesk(t, nil)
	alice := d.signIn("alice")
	if r, body := d.get(alice, "/console/"); r.StatusCode != http.StatusOK || !strings.Contains(body, "alice@example.com") {
		t.Fatalf("an operator: %d %s", r.StatusCode, body)
	}
	// The operator's own token, as a program of theirs would have it.
	u, _ := url.Parse(d.url)
	probe := httptest.NewRequest(http.MethodGet, d.url+"/", nil)
	for _, c := range alice.Jar.Cookies(u) {
		probe.AddCookie(c)
	}
	d.auth.Require()(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		id, _ := codegrant.From(r.Context())
		token = id.AccessToken().Reveal()
	})).ServeHTTP(httptest.NewRecorder(), probe)
	if token == "" {
		t.Fatal("there is no token")
	}
	for _, path := range every {
		r, body := d.get(http.DefaultClient, path, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) })
		if r.StatusCode != http.StatusForbidden || strings.Contains(body, "<nav") {
			t.Errorf("%s by a token: %d %s", path, r.StatusCode, body)
		}
	}
}

// TestS731_TakenAway: who is an operator no more, as the replica says, is refused with the
// next request, and an open page of theirs is told no more; where the replica does not
// answer, pages go on.
func TestS731_TakenAway(t *testing.T) {
	in := replica.User{Enabled: true, Groups: []replica.Membership{{Group: replica.Group{Name: "admins", Origin: replica.OriginPool}, Pool: true}}}
	for name, lost := range map[string]func() (replica.User, error){
		"the group was taken away": func() (replica.User, error) { u := in; u.Groups = nil; return u, nil },
		"disabled":                 func() (replica.User, error) { u := in; u.Enabled = false; return u, nil },
		"deleted":                  func() (replica.User, error) { u := in; u.Deleted = time.Now(); return u, nil },
		"not there":                func() (replica.User, error) { return replica.User{}, replica.ErrNotFound },
	} {
		t.Run(name, func(t *testing.T) {
			who := new(people)
			who.set(in, nil)
			d := newDesk(t, func(c *console.Config) { c.Replica = who })
			alice := d.signIn("alice")
			if r, _ := d.get(alice, "/console/"); r.StatusCode != http.StatusOK {
				t.Fatalf("an operator: %d", r.StatusCode)
			}
			soon, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			stream, err := http.NewRequestWithContext(soon, http.MethodGet, d.url+"/console/state/events", nil)
			if err != nil {
				t.Fatal(err)
			}
			open, err := alice.Do(stream)
			if err != nil || open.StatusCode != http.StatusOK || open.Header.Get("Content-Type") != "text/event-stream" {
				t.Fatalf("events: %v, %v", open, err)
			}
			defer open.Body.Close()
			who.set(replica.User{}, errors.Join(replica.ErrUnavailable, errors.New("away")))
			if r, _ := d.get(alice, "/console/"); r.StatusCode != http.StatusOK {
				t.Errorf("while the replica is away: %d", r.StatusCode)
			}
			who.set(lost())
			if r, _ := d.get(alice, "/console/"); r.StatusCode != http.StatusForbidden {
				t.Errorf("afterwards: %d", r.StatusCode)
			}
			var rest bytes.Buffer
			if _, err := rest.ReadFrom(open.Body); err != nil { // it ends by itself
				t.Fatal(err)
			}
			if !strings.HasSuffix(rest.String(), "event: end\ndata:\n\n") {
				t.Errorf("the open page was told: %q", rest.String())
			}
		})
	}
}

// TestClose: streams of a console that is no longer the one in use end, and none begins.
func TestClose(t *testing.T) {
	d := newDesk(t, nil)
	alice := d.signIn("alice")
	soon, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, open := range []bool{true, false} {
		r, err := http.NewRequestWithContext(soon, http.MethodGet, d.url+"/console/state/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := alice.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if open {
			d.console.Close()
		}
		var rest bytes.Buffer
		if _, err := rest.ReadFrom(answer.Body); err != nil || strings.Contains(rest.String(), "event: end") {
			t.Errorf("open %v: %v, %q", open, err, rest.String())
		}
		_ = answer.Body.Close()
	}
	if r, _ := d.get(alice, "/console/"); r.StatusCode != http.StatusOK {
		t.Errorf("a page: %d", r.StatusCode)
	}
}

// hostile is what a pool's user can write into an attribute.
const hostile = "<script>alert(1)</script>\u202egnp.exe\x00\r\n\"'onmouseover=x"

// TestS732_Harmless: nothing that others wrote runs, hides or turns text around, and nothing
// frames, caches or leaves a page.
func TestS732_Harmless(t *testing.T) {
	d := newDesk(t, func(c *console.Config) {
		c.Pools = []console.Pool{{Name: "one", Auth: c.Auth}, {Name: "two", Auth: c.Auth}}
		c.State = func(context.Context) console.State {
			return console.State{Panels: []console.Panel{{
				Title: "Panel", Facts: []console.Fact{{Name: hostile, Text: hostile, Detail: hostile, Level: console.Bad, Since: time.Now()}},
				Columns: []string{"A"}, Rows: [][]string{{hostile + strings.Repeat("x", 2048)}},
			}}}
		}
		c.Explain = func(context.Context, console.Question) (console.Verdict, error) {
			return console.Verdict{Decision: "passed", Reason: hostile, Person: hostile, Route: hostile, Also: []string{hostile}, Notes: []string{hostile}, Asked: []console.Asked{{Route: hostile, Permission: hostile, Why: hostile}}}, nil
		}
	})
	alice := d.signIn("alice")
	ask := "/console/ask?" + url.Values{"who": {hostile}, "url": {"/" + hostile}, "method": {"GET"}}.Encode()
	for _, path := range []string{"/console/", ask, "/console/ask?url=/&method=" + url.QueryEscape(hostile), "/console/" + url.PathEscape(hostile)} {
		r, body := d.get(alice, path)
		for _, bad := range []string{"<script>", "\u202e", "\x00", "\r", strings.Repeat("x", 300)} {
			if strings.Contains(body, bad) {
				t.Errorf("%s has %q", path, bad)
			}
		}
		root, err := html.Parse(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		scripts := 0
		for n := range root.Descendants() {
			if n.Data == "script" {
				scripts++
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
					t.Errorf("%s: <%s> has %s", path, n.Data, a.Key)
				}
			}
		}
		if scripts != 1 {
			t.Errorf("%s has %d scripts", path, scripts)
		}
		h := r.Header
		policy := h.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the policy lacks %s: %s", path, part, policy)
			}
		}
		for _, part := range []string{"unsafe", "data:", "*", "http"} {
			if strings.Contains(policy, part) {
				t.Errorf("%s: the policy has %s", path, part)
			}
		}
		for name, want := range map[string]string{
			"X-Frame-Options": "DENY", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if h.Get(name) != want {
				t.Errorf("%s: %s is %q", path, name, h.Get(name))
			}
		}
		if len(h.Values("Set-Cookie")) > 0 {
			t.Errorf("%s sets a cookie", path)
		}
	}
}

// TestAsk: an operator's question comes to whoever answers it, and what cannot be asked is
// said.
func TestAsk(t *testing.T) {
	var asked console.Question
	fault := error(nil)
	d := newDesk(t, func(c *console.Config) {
		c.Pools = []console.Pool{{Name: "one", Auth: c.Auth}, {Name: "two", Auth: c.Auth}}
		c.Explain = func(_ context.Context, q console.Question) (console.Verdict, error) {
			asked = q
			return console.Verdict{Level: console.Bad, Decision: "forbidden", Reason: "no group", Route: "reports", Servers: []string{"http://a"}, Asked: []console.Asked{{Route: "reports", Permission: "group x", Why: "none"}}}, fault
		}
	})
	alice := d.signIn("alice")
	if r, body := d.get(alice, "/console/ask"); r.StatusCode != 200 || strings.Contains(body, "verdict") || asked.URL != "" {
		t.Errorf("an empty form: %d, %+v", r.StatusCode, asked)
	}
	r, body := d.get(alice, "/console/ask?who=bob&method=POST&url=%2Freports&from=10.1.2.3&pool=two")
	if r.StatusCode != 200 || asked.Who != "bob" || asked.Method != "POST" || asked.URL != "/reports" || asked.From.String() != "10.1.2.3" || asked.Pool != "two" {
		t.Errorf("%d, asked %+v", r.StatusCode, asked)
	}
	for _, want := range []string{">No</span> forbidden", "no group", "group x", "http://a", `value="bob"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	asked = console.Question{}
	for _, query := range []string{"url=/&method=BREW", "url=/&method=GET&from=here", "url=/&method=GET&pool=three", "method=GET&url=/" + strings.Repeat("a", 5000)} {
		if r, body := d.get(alice, "/console/ask?"+query); r.StatusCode != 422 || !strings.Contains(body, `role="alert"`) || asked.URL != "" {
			t.Errorf("%.40s: %d, asked %+v", query, r.StatusCode, asked)
		}
	}
	fault = errors.New("nobody knows")
	if r, body := d.get(alice, "/console/ask?url=/&method=GET"); r.StatusCode != 422 || !strings.Contains(body, "nobody knows") {
		t.Errorf("a fault: %d", r.StatusCode)
	}
}

// TestState: the page counts faults in words, and its script and style are there for
// everybody, under names that change with what is in them.
func TestState(t *testing.T) {
	var level console.Level
	d := newDesk(t, func(c *console.Config) {
		c.State = func(context.Context) console.State {
			return console.State{Panels: []console.Panel{{Title: "Panel", Facts: []console.Fact{{Name: "a", Text: "b", Level: level}, {Name: "c", Level: level}}}}}
		}
	})
	alice := d.signIn("alice")
	for l, want := range map[console.Level]string{console.Good: "No faults", console.Warning: "2 warnings", console.Bad: "2 faults"} {
		level = l
		if r, body := d.get(alice, "/console"); r.StatusCode != 200 || !strings.Contains(body, want) || !strings.Contains(body, l.Word()) {
			t.Errorf("%s: %d %s", l, r.StatusCode, body)
		}
	}
	_, body := d.get(alice, "/console/")
	for _, attribute := range []string{`href="`, `src="`} {
		for part := range strings.SplitSeq(body, attribute) {
			path, _, _ := strings.Cut(part, `"`)
			if !strings.HasSuffix(path, ".css") && !strings.HasSuffix(path, ".js") {
				continue
			}
			if r, text := d.get(http.DefaultClient, path); r.StatusCode != 200 || text == "" || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
				t.Errorf("%s: %d", path, r.StatusCode)
			}
		}
	}
}

// TestConfig: what is missing is said at once.
func TestConfig(t *testing.T) {
	_, err := console.New(console.Config{Prefix: "/a{b}", Groups: []string{""}})
	for _, want := range []string{"no Auth is given", "Groups", "Prefix"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}
