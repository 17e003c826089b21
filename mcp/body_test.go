package mcp_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestS617_OnlyAPostHasAMessage: what a request of another method brings along, nobody has
// read, and the server does not get it. Neither does it take a request for one of another method.
func TestS617_OnlyAPostHasAMessage(t *testing.T) {
	s := newSite(t, nil)
	token := s.token(nil)
	overrides := []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "x_http-method_OVERRIDE"}
	// ask returns the status alone: the answer to a GET is a stream.
	ask := func(method string, body io.Reader) int {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r, err := http.NewRequestWithContext(ctx, method, s.url, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		for _, name := range overrides {
			r.Header[name] = []string{"POST"}
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	for _, method := range []string{http.MethodDelete, http.MethodGet} {
		for name, body := range map[string]io.Reader{
			"of a length":    strings.NewReader(call("delete_user")),
			"without length": io.MultiReader(strings.NewReader(call("delete_user"))),
			"a space":        strings.NewReader(" "),
		} {
			if status := ask(method, body); status != 400 {
				t.Errorf("%s, %s: %d", method, name, status)
			}
		}
	}
	if len(s.bodies) != 0 || len(s.calls) != 0 {
		t.Errorf("the server got %q, and was told of %d calls", s.bodies, len(s.calls))
	}
	for i, method := range []string{http.MethodDelete, http.MethodGet, http.MethodPost} {
		want := ""
		if method == http.MethodPost {
			want = call("search")
		}
		if status := ask(method, strings.NewReader(want)); status != 200 {
			t.Errorf("%s: %d", method, status)
		}
		s.mu.Lock()
		if len(s.bodies) != i+1 || s.bodies[i] != want {
			t.Errorf("%s: the server got %q", method, s.bodies)
		} else {
			for name := range s.heads[i] {
				if strings.Contains(strings.ToLower(name), "method") {
					t.Errorf("%s: the server got %s", method, name)
				}
			}
		}
		s.mu.Unlock()
	}
}
