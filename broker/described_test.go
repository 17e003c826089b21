package broker_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant/broker"
)

// internet answers for all hosts.
type internet func(*http.Request) (*http.Response, error)

func (i internet) RoundTrip(r *http.Request) (*http.Response, error) { return i(r) }

const documentID = "https://agent.example.com/client.json"

// TestS699_ClientsByDocument are what their document says, for as long as it says that it
// counts; and nothing else that comes from its URL makes a client.
func TestS699_ClientsByDocument(t *testing.T) {
	var asked atomic.Int64
	status, header, body, away := 200, http.Header{}, "", false
	s := newSite(t, func(c *broker.Config) {
		c.HTTPClient = &http.Client{Transport: internet(func(r *http.Request) (*http.Response, error) {
			asked.Add(1)
			if away {
				return nil, errors.New("nobody answers")
			}
			return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		})}
	})
	good := `{"client_id":"` + documentID + `","client_name":"Agent","redirect_uris":["` + s.callback + `"],"token_endpoint_auth_method":"none"}`
	body, header = good, http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"max-age=600"}}
	s.tokens("fixed") // somebody is signed in
	if asked.Load() != 0 {
		t.Error("a document was asked for without a client that has one")
	}
	page := s.open(s.request(documentID, nil))
	if page.Status != 200 || !strings.Contains(page.Body, "agent.example.com") || !strings.Contains(page.Body, "“Agent”") {
		t.Fatalf("%d %s", page.Status, page.Body)
	}
	got := s.tokens(documentID)
	if status, id := s.call(got.Access); status != 200 || id.ClientID != documentID {
		t.Errorf("%d %+v", status, id)
	}
	if n := asked.Load(); n > 2 { // once by each process
		t.Errorf("the document was asked for %d times", n)
	}
	// While it cannot be had, nothing is said of it; gone, it ends what it was the client of.
	s.later(9 * time.Minute)
	s.later(2 * time.Minute)
	away = true
	if code, _ := s.refresh(got.Refresh, documentID, nil); code != 503 {
		t.Errorf("away: %d", code)
	}
	s.later(time.Minute)
	away = false
	code, got := s.refresh(got.Refresh, documentID, nil)
	if code != 200 {
		t.Errorf("back: %d %+v", code, got)
	}
	s.later(11 * time.Minute)
	status = 404
	if code, again := s.refresh(got.Refresh, documentID, nil); code != 401 || again.Error != "invalid_client" {
		t.Errorf("gone: %d %+v", code, again)
	}
	status = 200
	s.later(11 * time.Minute)
	if code, _ := s.refresh(got.Refresh, documentID, nil); code != 400 {
		t.Errorf("gone and back: %d", code)
	}
	for name, bad := range map[string]func(){
		"of another URL":        func() { body = strings.Replace(good, "client.json", "other.json", 1) },
		"with a secret":         func() { body = strings.Replace(good, `"none"`, `"client_secret_post"`, 1) },
		"at a host not allowed": func() { body = strings.Replace(good, s.callback, "https://evil.example.org/cb", 1) },
		"without addresses":     func() { body = `{"client_id":"` + documentID + `"}` },
		"too long":              func() { body = good + strings.Repeat(" ", 17<<10) },
		"no JSON":               func() { body = "<html>" },
		"a page":                func() { header = http.Header{"Content-Type": {"text/html"}} },
		"led elsewhere":         func() { status, header = 302, http.Header{"Location": {"https://agent.example.com/other.json"}} },
		"an error":              func() { status = 403 },
	} {
		status, body, header = 200, good, http.Header{"Content-Type": {"application/json"}}
		bad()
		s.later(time.Hour) // also of failures, nothing is known any more
		before := asked.Load()
		page := s.open(s.request(documentID, nil))
		if page.Status != 400 || !strings.Contains(page.Body, "document of the client") || asked.Load() != before+1 {
			t.Errorf("%s: %d after %d questions: %s", name, page.Status, asked.Load()-before, page.Body)
		}
	}
	for _, outcome := range []string{"fetched", "failed", "refused"} {
		if _, ok := s.events.Load("document " + outcome); !ok {
			t.Errorf("S-672: a document that was %s is not counted", outcome)
		}
	}
	// Nobody who has not signed in has anything fetched.
	before := asked.Load()
	s.later(time.Hour)
	s.browser = newBrowser(t)
	if page := s.browser.Open(s.request(documentID, nil)); page.Status != 200 || asked.Load() != before {
		t.Errorf("a stranger: %d, %d questions", page.Status, asked.Load()-before)
	}
	off := newSite(t, func(c *broker.Config) { c.NoDocuments, c.NoRegistration = true, true })
	off.tokens("fixed")
	if page := off.open(off.request(documentID, nil)); page.Status != 400 {
		t.Errorf("turned off: %d", page.Status)
	}
	r, err := http.Post(off.url+"/oauth/register", "application/json", strings.NewReader(`{"redirect_uris":["http://localhost/cb"]}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	if r.StatusCode != 404 {
		t.Errorf("registration is off: %d", r.StatusCode)
	}
}
