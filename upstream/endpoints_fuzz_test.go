package upstream_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant/upstream"
)

// theirs answers in the place of the other server.
type theirs func(*http.Request) string

func (f theirs) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(f(r))), Request: r}, nil
}

// signedIn is a site where Alice is signed in, and whose other server gives everything. get
// asks with her cookies; given counts what that server has given.
func signedIn(f *testing.F) (s *site, get func(t *testing.T, target, query string) *httptest.ResponseRecorder, given *atomic.Int64) {
	given = new(atomic.Int64)
	s = newSite(f, func(c *upstream.Config) {
		c.OnEvent, c.RevokeURL = nil, ""
		c.HTTPClient = &http.Client{Transport: theirs(func(*http.Request) string {
			given.Add(1)
			return `{"access_token":"a","token_type":"bearer"}`
		})}
	})
	alice := s.person("alice@example.com")
	home, err := url.Parse(s.url)
	if err != nil {
		f.Fatal(err)
	}
	return s, func(t *testing.T, target, query string) *httptest.ResponseRecorder {
		s.ahead.Add(int64(5 * time.Second)) // a person may come back so often at once, and no more
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, s.url+target, nil)
		r.URL.RawQuery = query
		r.RequestURI = r.URL.RequestURI()
		for _, c := range alice.Client.Jar.Cookies(home) {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		s.app.ServeHTTP(w, r)
		return w
	}, given
}

// isAtHome reports whether a browser that is sent to a location stays on this site.
func isAtHome(s *site, location string) bool {
	u, err := url.Parse(location)
	return err == nil && (u.Scheme+"://"+u.Host == s.url || u.Scheme == "" && u.Host == "" && strings.HasPrefix(location, "/")) &&
		!strings.HasPrefix(location, "//") && !strings.ContainsAny(location, "\\\r\n\t ") && u.User == nil
}

// FuzzS813_Connect: whatever is said about where to come back to, the person is sent to the
// other server, with nothing in place of what is configured, and comes back to this site.
func FuzzS813_Connect(f *testing.F) {
	for _, query := range []string{
		"", "return=/repos/x", "return=/repos/x%3fy%3d1%23z", "return=https://evil.example", "return=//evil.example", "return=/%5cevil.example", "return=/%2f/evil.example",
		"return=%09//evil.example", "return=/&return=//evil.example", "client_id=evil&redirect_uri=https://evil.example&state=x&scope=all", "return=%", "return=/%00", "return=/upstream/github/connect",
		"return=http://127.0.0.1@evil.example/", "return=" + strings.Repeat("/", 3000), "return=/%ff", "return=javascript:alert(1)", "return=/..//evil.example",
	} {
		f.Add(query)
	}
	s, get, _ := signedIn(f)
	f.Fuzz(func(t *testing.T, query string) {
		w := get(t, "/upstream/github/connect", query)
		to, err := url.Parse(w.Header().Get("Location"))
		if err != nil || w.Code != 303 || to.Scheme+"://"+to.Host+to.Path != s.other.URL+"/authorize" {
			t.Fatalf("%q: %d %s", query, w.Code, to)
		}
		asked := to.Query()
		for name, want := range map[string]string{"prompt": "consent", "client_id": "c1", "redirect_uri": s.url + "/upstream/github/callback", "scope": "repo user", "response_type": "code", "code_challenge_method": "S256"} {
			if list := asked[name]; len(list) != 1 || list[0] != want {
				t.Errorf("%q: %s is %q", query, name, list)
			}
		}
		w = get(t, "/upstream/github/callback", url.Values{"code": {"x"}, "state": asked["state"]}.Encode())
		if back := w.Header().Get("Location"); w.Code != 303 || !isAtHome(s, back) {
			t.Errorf("%q comes back to %q: %d", query, back, w.Code)
		}
	})
}

// FuzzS813_Callback: only an answer with the state of an attempt has the other server asked,
// once, and sends the person on; STATE in it stands for that.
func FuzzS813_Callback(f *testing.F) {
	for _, query := range []string{
		"code=x&state=STATE", "error=access_denied&state=STATE", "code=x&error=y&state=STATE", "code=&state=STATE", "state=STATE", "code=x", "", "code=x&state=STATE&state=STATE", "code=x&state=STATEx",
		"code=x&state=STATE&iss=https://evil.example", "code=%00%0d%0a&state=STATE", "code=x;state=STATE", "code=%zz&state=STATE", "code=x&state=AAAA", "code=x&STATE=STATE", "code[]=x&state=STATE",
		"code=x&state=STATE&return=//evil.example", "error=%3Cscript%3E&error_description=%22&state=STATE", "code=" + strings.Repeat("x", 40<<10) + "&state=STATE", "code=x&state=%53TATE",
	} {
		f.Add(query)
	}
	s, get, given := signedIn(f)
	f.Fuzz(func(t *testing.T, query string) {
		begun, err := url.Parse(get(t, "/upstream/github/connect", "return=/here").Header().Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		state := begun.Query().Get("state")
		query = strings.ReplaceAll(query, "STATE", state)
		said, err := url.ParseQuery(query)
		good := err == nil && said.Get("state") == state && said.Has("code") && !said.Has("error")
		for _, list := range said {
			good = good && len(list) == 1
		}
		before := given.Load()
		w := get(t, "/upstream/github/callback", query)
		back, n := w.Header().Get("Location"), given.Load()-before
		switch {
		case w.Code == 303 && good && n == 1 && back == s.url+"/here", w.Code == 303 && good && n == 1 && back == "/here":
		case w.Code == 400 && n == 0 && back == "":
		default:
			t.Errorf("%.300q: %d to %q, and the other server gave %d: %.300s", query, w.Code, back, n, w.Body)
		}
		if w.Code == 303 {
			if w = get(t, "/upstream/github/callback", query); w.Code != 400 || given.Load()-before != 1 {
				t.Errorf("%.300q, once more: %d", query, w.Code)
			}
		} else if strings.Contains(w.Body.String(), "<script>") {
			t.Errorf("%.300q is on the page: %s", query, w.Body)
		}
	})
}

// FuzzS813_Programs: whatever a program sends before the person has agreed, the answer is
// JSON, and that to a call has the call's id.
func FuzzS813_Programs(f *testing.F) {
	for _, body := range []string{
		`{"jsonrpc":"2.0","id":7,"method":"tools/call"}`, `{"jsonrpc":"2.0","id":"\ud800"}`, `{"jsonrpc":"2.0","id":1e999}`, `{"jsonrpc":"2.0","id":-}`, `{"id":1,"id":"2","jsonrpc":"2.0"}`, `[{"jsonrpc":"2.0","id":1}]`,
		strings.Repeat("[", 20_000), `{"jsonrpc":"2.0","id":{}}`, `{"jsonrpc":"2.0","id":null}`, "", "\xff", `{"jsonrpc":"2.0","id":00}`, `{"jsonrpc":"2.0","id":"a","id":{}}`,
	} {
		f.Add("application/json", body)
	}
	f.Add("application/json; charset=utf-16", "{}")
	f.Add("text/html", "<html>")
	e := &upstream.ConsentError{Name: "github", URL: "https://app.example.com/upstream/github/connect"}
	f.Fuzz(func(t *testing.T, kind, body string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/mcp", strings.NewReader(body))
		r.Header["Content-Type"] = []string{kind}
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		var said struct {
			ID      json.RawMessage `json:"id"`
			Connect string          `json:"connect_url"`
			Error   *struct{ Code int }
		}
		err := json.Unmarshal(w.Body.Bytes(), &said)
		call := w.Code == 200 && said.Error != nil && said.Error.Code == -32042 && len(said.ID) > 0 && strings.ContainsAny(string(said.ID[:1]), "\"-0123456789")
		if err != nil || !call && (w.Code != 403 || said.Connect != e.URL) || w.Header().Get("Location") != "" {
			t.Errorf("%q %q: %v, %d %s", kind, body, err, w.Code, w.Body)
		}
	})
}
