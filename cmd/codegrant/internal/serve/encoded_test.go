package serve

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
)

// TestS375_EncodedPathsThroughASignIn: a person who had to sign in arrives at the page that
// they asked for, byte for byte, where its route has encoded_paths: pass; and elsewhere,
// never.
func TestS375_EncodedPathsThroughASignIn(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.RequestURI+" for "+r.Header.Get("X-Auth-Email"))
	}))
	t.Cleanup(app.Close)
	g := newGate(t, "routes:\n  - {path: /api, encoded_paths: pass, upstream: \""+app.URL+"\"}\n  - {path: /, upstream: \""+app.URL+"\"}\n")
	g.start()
	for _, target := range []string{
		"/api/queues/%2F/orders?x=%2F", "/api/group%2Fproject/-/blob", "/api/Special//x", "/api/a;v=1/b%3Bc", "/api/a%252Fb", "/api/a%2Bb'c?", "/api/plain",
	} {
		page := codegranttest.NewBrowser(t).SignIn(g.url+target, "alice@example.com", codegranttest.Password)
		if want := target + " for alice@example.com"; page.Status != http.StatusOK || page.Body != want {
			t.Errorf("%s: the sign-in ended at %s with %d, %.200q", target, page.URL, page.Status, page.Body)
		}
	}
	// Without the setting such a path is refused before anybody is asked who they are, and
	// what leads elsewhere in some reading is so everywhere.
	ask := func(target string) (int, string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode, response.Header.Get("Location")
	}
	for _, target := range []string{"/a%2Fb", "/a//b", "/a;v=1", "/a%252Fb", "/api/%2e%2e%2fother", "/api/..%2F..%2Fother", "/api/a%2f..;x%2fb"} {
		if status, location := ask(target); status != http.StatusBadRequest || location != "" {
			t.Errorf("%s: %d, to %q", target, status, location)
		}
	}
	for _, target := range []string{"/%2f%2Fevil.example", "/api%2F..%2F%2Fevil.example", "//evil.example/api", "/api/..%5c..%5cevil.example"} {
		page := codegranttest.NewBrowser(t).SignIn(g.url+"/auth/login?redirect_uri="+url.QueryEscape(target), "alice@example.com", codegranttest.Password)
		if page.URL.String() != g.url+"/" || page.Status != http.StatusOK {
			t.Errorf("a sign-in that is to return to %s ended at %s with %d", target, page.URL, page.Status)
		}
	}
}
