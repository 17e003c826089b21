package health

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
)

func ask(t *testing.T, args ...string) (status int, said string) {
	t.Helper()
	var out bytes.Buffer
	var commands struct {
		Health Command `cmd:""`
	}
	status = terminal.Run(t.Context(), append([]string{"health"}, args...), &out, &out, &commands)
	return status, out.String()
}

func TestHealth(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		exit   int
		want   string
	}{
		{"ready", 200, `{"ready":true,"checks":[{"name":"database","ok":true}]}`, 0, "ready\n"},
		{"degraded", 200, `{"ready":true,"degraded":true,"checks":[{"name":"keys of pool a","ok":false,"error":"refused"}]}`, 0, "ready, but keys of pool a: refused\n"},
		{"not ready", 503, `{"ready":false,"checks":[{"name":"redis","ok":false,"error":"refused"}]}`, 1, "codegrant: not ready: redis: refused\n"},
		{"just started", 503, `{"ready":false,"checks":[]}`, 1, "codegrant: not ready: it has not asked anybody yet\n"},
		{"escapes", 503, `{"ready":false,"checks":[{"name":"redis","ok":false,"error":"\u001b[2J"}]}`, 1, "not ready: redis: "},
		{"somebody else", 200, `<html>`, 1, "not as codegrant serve does"},
		{"a proxy that makes faults of it", 200, `{"ready":false}`, 1, "not as codegrant serve does"},
		{"a redirect", 302, ``, 1, "not as codegrant serve does"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/readyz" {
					t.Errorf("asked %s", r.URL.Path)
				}
				w.Header().Set("Location", "/readyz")
				w.WriteHeader(tt.status)
				_, _ = w.Write([]byte(tt.body))
			}))
			defer server.Close()
			status, said := ask(t, "--at", server.Listener.Addr().String())
			if status != tt.exit || !strings.Contains(said, tt.want) || strings.Contains(said, "\x1b") {
				t.Errorf("%d %q, want %d %q", status, said, tt.exit, tt.want)
			}
		})
	}
}

// TestHealthFromTheConfiguration: where to ask is in it, and nothing else is needed of it.
func TestHealthFromTheConfiguration(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = w.Write([]byte("ok\n")) }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	t.Setenv("OPS_PORT", port)
	config := filepath.Join(t.TempDir(), "codegrant.yaml")
	for text, want := range map[string]string{
		"ops_listen: 127.0.0.1:" + port + "\nbase_url: ${NOT_SET}\nkeys_file: /no/such\nunknown: 1\n": "alive\n",
		"ops_listen: :${OPS_PORT}\n":        "alive\n",
		"ops_listen: 0.0.0.0:" + port:       "alive\n",
		"ops_listen: \"[::]:" + port + "\"": "alive\n",
		"listen: :8080\n":                   "has no ops_listen; add one",
		"ops_listen: ${NOT_SET}\n":          "the environment variable NOT_SET is not set",
		"ops_listen: unix:/no/such\n":       "unix:/no/such does not answer",
		"ops_listen: [\n":                   "codegrant.yaml:",
	} {
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		status, said := ask(t, "--live", "--config", config)
		if !strings.Contains(said, want) || (status == 0) != (want == "alive\n") {
			t.Errorf("%q: %d %q, want %q", text, status, said, want)
		}
	}
	if status, said := ask(t, "--live", "--config", config+".not"); status != 1 || !strings.Contains(said, "no such file") {
		t.Errorf("without a configuration: %d %q", status, said)
	}
}
