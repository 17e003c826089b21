package serve

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
)

// behindProxy sends requests as a trusted proxy does for somebody at 203.0.113.7, and
// keeps the secrets that go by.
type behindProxy struct {
	canaries
	last atomic.Int64
}

const clientAddress = "203.0.113.7"

func (b *behindProxy) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", "198.51.100.1, "+clientAddress)
	r.Header.Set("X-Request-Id", fmt.Sprintf("request-%d", b.last.Add(1)))
	return b.canaries.RoundTrip(r)
}

// TestS171_Audit: each kind of event has a line that says who, why, where and which
// request, and nothing that could be used again.
func TestS171_Audit(t *testing.T) {
	g := newGate(t, oneUpstream+"trusted_proxies: 127.0.0.1\nkeys_file: keys\nsessions: database\ndatabase: sqlite:app.db\n")
	first := newSealingKey()
	g.writeFile("keys", first)
	g.start()
	var secrets behindProxy
	browser := func() *codegranttest.Browser {
		b := codegranttest.NewBrowser(t)
		b.Client.Transport = &secrets
		return b
	}
	ask := func(client *http.Client, target string, header http.Header) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(r.Header, header)
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	alice, bob, nobody := browser(), browser(), &http.Client{Transport: &secrets}
	alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password)
	bob.SignIn(g.url+"/", "bob@example.com", codegranttest.Password)
	sub := g.logged("signed in", `"admins"`)["sub"].(string)

	ask(nobody, "/auth/callback?code=canary-code&state=canary-state", nil)
	down := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "canary-answer", http.StatusServiceUnavailable)
	})
	g.pool.Fault("token", down)
	carol := browser()
	page := carol.Open(g.url + "/orders")
	form, ok := page.Form("password")
	if !ok {
		t.Fatal("no form")
	}
	carol.Submit(page, form, map[string]string{"username": "alice@example.com", "password": codegranttest.Password})
	g.markStale()
	ask(alice.Client, "/orders", nil)
	g.pool.Fault("token", nil)
	g.until("alice is refreshed", func() bool { return ask(alice.Client, "/orders", nil) == 200 })
	ask(bob.Client, "/admin", nil)
	ask(nobody, "/orders", http.Header{"Authorization": {"Bearer canary-token"}})
	ask(nobody, "/open", http.Header{"X-Auth-Email": {"canary-header@example.com"}, "X_auth_groups": {"admins"}})
	alice.Open(g.url + "/auth/logout")
	g.pool.Fault("token", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(400)
		fmt.Fprint(w, `{"error":"invalid_grant"}`)
	}))
	g.markStale()
	ask(bob.Client, "/orders", nil)
	g.writeFile("keys", newSealingKey()+"\n"+first)
	g.logged("new configuration is in use")

	for _, tt := range []struct {
		event, words string
		level        string
		sub, reason  bool
	}{
		{"signed in", sub, "INFO", true, false},
		{"sign-in refused", "did not start the sign-in", "WARN", false, true},
		{"sign-in failed", "status 503", "ERROR", false, true},
		{"refresh failed", sub, "WARN", true, true},
		{"session refreshed", sub, "DEBUG", true, false},
		{"request refused", `"path":"/admin"`, "WARN", true, true},
		{"proof refused", "", "WARN", false, true},
		{"identity headers removed", "X-Auth-Email", "WARN", false, true},
		{"signed out", sub, "INFO", true, false},
		{"refresh token revoked", sub, "INFO", true, false},
		{"session ended", "refused to refresh", "INFO", true, true},
	} {
		t.Run(tt.event, func(t *testing.T) {
			line := g.logged(tt.event, tt.words)
			for key, want := range map[string]string{"pool": "default", "from": clientAddress, "level": tt.level} {
				if line[key] != want {
					t.Errorf("%s is %v, want %s", key, line[key], want)
				}
			}
			id, _ := line["request_id"].(string)
			if !strings.HasPrefix(id, "request-") {
				t.Errorf("request_id is %q", id)
			}
			if _, ok := line["sub"].(string); ok != tt.sub {
				t.Errorf("sub: %v", line["sub"])
			}
			if reason, _ := line["reason"].(string); (reason != "") != tt.reason {
				t.Errorf("reason: %q", reason)
			}
			// The access log tells of the same request.
			g.logged("request", `"request_id":"`+id+`"`)
		})
	}
	changed := g.logged("sealing keys changed")
	if added, _ := changed["added"].([]any); len(added) != 1 || changed["newest"] != added[0] || changed["reason"] == "" {
		t.Errorf("the change of keys: %v", changed)
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
	log := g.log.String()
	for _, value := range append(secrets.seen(), "canary", first, codegranttest.Password, g.pool.Register(g.url).ClientSecret.Reveal()) {
		if strings.Contains(log, value) {
			t.Errorf("the log has %q", value)
		}
	}
}

// TestRequestIDs: a stranger gives none, and no two requests share one.
func TestRequestIDs(t *testing.T) {
	g := newGate(t, oneUpstream)
	g.start()
	for range 2 {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.url+"/open", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"X-Request-Id": {"stranger"}, "X-Forwarded-For": {clientAddress}}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
	var ids []string
	for line := range strings.Lines(g.log.String()) {
		var event map[string]any
		if json.Unmarshal([]byte(line), &event) == nil && event["msg"] == "request" {
			ids = append(ids, fmt.Sprint(event["request_id"]))
			if event["from"] != "127.0.0.1" {
				t.Errorf("from %v", event["from"])
			}
		}
	}
	if len(ids) != 2 || ids[0] == ids[1] || slices.ContainsFunc(ids, func(id string) bool { return len(id) != 16 }) {
		t.Errorf("the requests have the ids %v", ids)
	}
	for id, want := range map[string]bool{"a-1_b.c:d=e+f/g": true, "": false, "a b": false, "a\nb": false, strings.Repeat("a", 129): false} {
		if plainID(id) != want {
			t.Errorf("plainID(%q) = %t", id, !want)
		}
	}
}
