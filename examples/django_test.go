package examples

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
)

// TestDjango starts the example by its one command, and signs in at either backend.
func TestDjango(t *testing.T) {
	python := filepath.Join(testenv.Python(t, pinned(t)...), "python")
	c := exec.CommandContext(t.Context(), build(t, "django"), "--listen", "127.0.0.1:0", "--python", python)
	c.Stderr = t.Output()
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(os.Interrupt)
		_ = c.Wait()
	})
	var said strings.Builder
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "Sign in") {
		said.WriteString(lines.Text() + "\n")
	}
	at := regexp.MustCompile(`https://\S+`).FindAllString(said.String(), -1)
	if len(at) != 2 {
		t.Fatalf("it says %q", said.String())
	}
	address := "127.0.0.1" + at[0][strings.LastIndexByte(at[0], ':'):len(at[0])-1]
	browser := codegranttest.NewBrowser(t)
	browser.Client.Transport = &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, to string) (net.Conn, error) {
			if strings.Contains(to, "platform.localhost") {
				to = address
			}
			return new(net.Dialer).DialContext(ctx, network, to)
		},
	}
	t.Cleanup(browser.Client.CloseIdleConnections)
	browser.SignIn(at[1]+"auth/login/?redirect_uri=/", "alice@example.com", codegranttest.Password)
	ids := make(map[string]int64)
	for _, base := range at {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"api/me", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept", "application/json")
		response, err := browser.Client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		response.Body.Close()
		var who struct {
			ID    int64  `json:"id"`
			Email string `json:"email"`
		}
		if err := json.Unmarshal(body, &who); err != nil || response.StatusCode != 200 || who.Email != "alice@example.com" {
			t.Errorf("%s: %d %s", base, response.StatusCode, body)
		}
		ids[base] = who.ID
	}
	if ids[at[0]] != ids[at[1]] {
		t.Errorf("two accounts: %v", ids)
	}
}

// pinned are the packages that the example names.
func pinned(t *testing.T) []string {
	t.Helper()
	content, err := os.ReadFile("django/requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(content))
}
