package broker_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/broker"
)

// signedIn is a site where Bob is signed in.
func signedIn(f *testing.F) *site {
	s := newSite(f, func(c *broker.Config) {
		c.OnEvent = nil
		c.HTTPClient = &http.Client{Transport: internet(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 404, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
		})}
	})
	s.browser.SignIn(s.url+"/auth/login", "bob@example.com", password)
	return s
}

// send has Bob's browser send something to an endpoint of one process.
func (s *site) send(t *testing.T, method, path, raw string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(raw))
	if method == http.MethodGet {
		r.URL.RawQuery, r.Body = raw, http.NoBody
		r.Header.Set("Accept", "text/html")
	}
	r.RequestURI = r.URL.RequestURI()
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	home, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range s.browser.Client.Jar.Cookies(home) {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	s.brokers[0].Handlers()[path].ServeHTTP(w, r)
	return w
}

// hidden is the value that a page has for one name.
func hidden(t *testing.T, page *httptest.ResponseRecorder, name string) string {
	_, rest, _ := strings.Cut(page.Body.String(), `name="`+name+`" value="`)
	value, _, ok := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("no %s on the page: %d %s", name, page.Code, page.Body)
	}
	return value
}

func (s *site) question(t *testing.T) string {
	_, query, _ := strings.Cut(s.request("fixed", nil), "?")
	return hidden(t, s.send(t, http.MethodGet, "/oauth/authorize", query), "question")
}

// agree has Bob agree to a client, and returns the code.
func (s *site) agree(t *testing.T) string {
	w := s.send(t, http.MethodPost, "/oauth/consent", url.Values{"question": {s.question(t)}, "answer": {"allow"}}.Encode())
	to, err := url.Parse(w.Header().Get("Location"))
	if err != nil || to.Query().Get("code") == "" {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return to.Query().Get("code")
}

// endAll takes back what anybody has agreed to.
func (s *site) endAll(t *testing.T) {
	all := broker.NewGrants(s.shelf, s.brokers[0].Keys)
	if err := all.List(t.Context(), "", func(g broker.Grant) bool {
		if err := all.End(t.Context(), g.Key); err != nil {
			t.Error(err)
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
}

// FuzzS815_SignedIn: whatever the browser of somebody who is signed in sends to authorize,
// consent and grants, nothing is agreed to and nothing ends but by the value that a page gave
// (QUESTION, ITEM), and the browser is sent to no address but the client's.
func FuzzS815_SignedIn(f *testing.F) {
	const authorize, consent, agreements = 0, 1, 2
	for _, seed := range []string{
		"response_type=code&client_id=fixed&redirect_uri=CALLBACK&code_challenge_method=S256&code_challenge=" + challenge, "client_id=fixed&redirect_uri=CALLBACK&scope=%00&state=%0d%0a",
		"client_id=fixed&redirect_uri=CALLBACK%23x", "client_id=fixed&redirect_uri=CALLBACK@evil.example", "client_id=fixed&redirect_uri=http://127.0.0.1:1:2/callback", "client_id=fixed&redirect_uri=http://[::1]/callback",
		"client_id=other&redirect_uri=https://other.example.com/cb&prompt=none", "client_id=other&redirect_uri=https://other.example.com:443/cb", "client_id=other&redirect_uri=HTTPS://other.example.com/cb", "client_id=other&redirect_uri=https://other.example.com\\cb",
		"client_id=https://127.0.0.1/c.json", "client_id=https://2130706433/c.json", "client_id=https://0x7f.1/c.json", "client_id=https://localhost./c.json", "client_id=https://[::ffff:a9fe:a9fe]/c.json",
		"question=QUESTION&answer=deny", "question=QUESTIONx&answer=allow", "question=QUESTION&question=QUESTION&answer=allow", "question=QUESTION", "answer=allow", "question=QUESTION&answer=allow&redirect_uri=https://evil.example",
		"item=ITEM", "item=ITEMx", "item=", "item=%00", "item=ITEM&item=ITEM", "item=" + strings.Repeat("x", 100), "%", "a=1&a=2", "",
	} {
		for endpoint := range byte(3) {
			f.Add(endpoint, seed)
		}
	}
	s := signedIn(f)
	f.Fuzz(func(t *testing.T, endpoint byte, raw string) {
		s.t = t
		s.agree(t)
		question, item := s.question(t), hidden(t, s.send(t, http.MethodGet, "/oauth/grants", ""), "item")
		before := s.records()
		raw = strings.NewReplacer("QUESTION", question, "ITEM", item, "CALLBACK", s.callback).Replace(raw)
		said, err := url.ParseQuery(raw)
		once := func(name, value string) bool { return err == nil && len(said[name]) == 1 && said.Get(name) == value }
		path, method := "/oauth/authorize", http.MethodGet
		if endpoint %= 3; endpoint != authorize {
			path, method = [...]string{consent: "/oauth/consent", agreements: "/oauth/grants"}[endpoint], http.MethodPost
		}
		w := s.send(t, method, path, raw)
		more := s.records() - before
		agreed := endpoint == consent && once("question", question) && once("answer", "allow")
		ended := endpoint == agreements && once("item", item)
		if want := map[bool]int{agreed: 1, ended: -1}[true]; more != want {
			t.Errorf("%s %.300q: %d grants more, want %d: %d %.300s", path, raw, more, want, w.Code, w.Body)
		}
		if w.Code >= 500 {
			t.Errorf("%s %.300q: %d %.300s", path, raw, w.Code, w.Body)
		}
		if to := w.Header().Get("Location"); to != "" {
			u, err := url.Parse(to)
			own := err == nil && u.User == nil && u.Fragment == "" && u.Query().Get("iss") == s.url && (to == "https://other.example.com/cb?"+u.RawQuery || u.Scheme == "http" && u.Hostname() == "127.0.0.1" && u.Path == "/callback")
			if !own || u.Query().Has("code") != agreed || endpoint == agreements {
				t.Errorf("%s %.300q leads to %s", path, raw, to)
			}
		}
		// Nothing is left for the next one.
		s.endAll(t)
	})
}

// FuzzS815_Tokens: of whatever a program sends to the token and revocation endpoints, only
// the live refresh token, of its client, gets a token or ends one (REFRESH).
func FuzzS815_Tokens(f *testing.F) {
	for _, seed := range []string{
		"grant_type=refresh_token&refresh_token=REFRESH&client_id=fixed", "grant_type=refresh_token&refresh_token=REFRESH&client_id=other", "grant_type=refresh_token&refresh_token=REFRESH", "grant_type=refresh_token&refresh_token=REFRESHx&client_id=fixed",
		"grant_type=authorization_code&code=REFRESH&client_id=fixed", "grant_type=refresh_token&refresh_token=REFRESH&client_id=fixed&scope=docs/write", "grant_type=refresh_token&refresh_token=REFRESH&client_id=fixed&resource=x", "grant_type=refresh_token&refresh_token=REFRESH&client_id=fixed&client_secret=x",
		"grant_type=refresh_token&refresh_token=REFRESH&client_id=fixed&scope=%20", "grant_type=client_credentials&client_id=fixed", "grant_type=password", "token=REFRESH&client_id=fixed", "token=REFRESH&client_id=other", "token=REFRESH", "token=x&client_id=fixed", "%", "",
		"grant_type=refresh_token&refresh_token=REFRESH&client_id=fixed&client_id=fixed", "grant_type=refresh_token&refresh_token=cgr_A.99999999999999999999.x&client_id=fixed", "grant_type=refresh_token;refresh_token=REFRESH;client_id=fixed",
	} {
		f.Add(false, seed)
		f.Add(true, seed)
	}
	s := signedIn(f)
	live := ""
	f.Fuzz(func(t *testing.T, revoke bool, raw string) {
		s.t = t
		if s.records() == 0 { // none yet, or the last one has ended it
			var got tokens
			form := url.Values{"grant_type": {"authorization_code"}, "code": {s.agree(t)}, "client_id": {"fixed"}, "redirect_uri": {s.callback}, "code_verifier": {verifier}}
			if w := s.send(t, http.MethodPost, "/oauth/token", form.Encode()); json.Unmarshal(w.Body.Bytes(), &got) != nil || got.Refresh == "" {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			live = got.Refresh
		}
		raw = strings.ReplaceAll(raw, "REFRESH", live)
		said, err := url.ParseQuery(raw)
		path := map[bool]string{true: "/oauth/revoke", false: "/oauth/token"}[revoke]
		w := s.send(t, http.MethodPost, path, raw)
		var got tokens
		if w.Body.Len() > 0 {
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("%s %.300q: %v %s", path, raw, err, w.Body)
			}
		}
		has := err == nil && said.Get("client_id") == "fixed" && said.Get("grant_type") == "refresh_token" && said.Get("refresh_token") == live
		if w.Code >= 500 || got.Access != "" && (!has || revoke) || w.Code >= 400 && got.Error == "" {
			t.Errorf("%s %.300q: %d %s", path, raw, w.Code, w.Body)
		}
		// A grant ends by its live refresh token alone: revoked by its client, or misused by another.
		names := func(name string) bool { return err == nil && len(said[name]) == 1 && said.Get(name) == live }
		revoked := revoke && names("token") && len(said["client_id"]) == 1 && said.Get("client_id") == "fixed"
		switch ended := s.records() == 0; {
		case ended && !revoked && (revoke || !names("refresh_token")):
			t.Errorf("%s %.300q ends a grant: %d %s", path, raw, w.Code, w.Body)
		case !ended && revoked && w.Code == http.StatusOK:
			t.Errorf("%s %.300q is said to be revoked, and goes on", path, raw)
		case revoke && !revoked && names("token") && w.Code == http.StatusOK:
			t.Errorf("%s %.300q is of another client, and said to be revoked", path, raw)
		}
		if got.Refresh != "" {
			live = got.Refresh
		}
	})
}
