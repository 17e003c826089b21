//go:build unix

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/codegrant/codegrant/e2e/axe"
	"github.com/codegrant/codegrant/e2e/browser"
	"github.com/codegrant/codegrant/internal/testenv"
)

// TestReceiverOfTheGuide: the receiver that docs/webhooks.md shows runs, with the released library
// of Standard Webhooks for Python. It takes what the gateway sends, each message once, and refuses
// what somebody else has sent.
func TestReceiverOfTheGuide(t *testing.T) {
	bin := testenv.Python(t, "standardwebhooks==1.1.0")
	guide, err := os.ReadFile(filepath.Join("..", "docs", "webhooks.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, program, _ := strings.Cut(string(guide), "```python\n")
	program, _, ok := strings.Cut(program, "```\n")
	if !ok {
		t.Fatal("docs/webhooks.md shows no receiver")
	}
	file := filepath.Join(t.TempDir(), "receiver.py")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	secret, err := exec.Command(buildCodegrant(t), "webhooks", "secret").Output()
	if err != nil {
		t.Fatal(err)
	}
	key := strings.TrimSpace(string(secret))
	address := testenv.FreeAddress(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(filepath.Join(bin, "python"), file)
	command.Env = append(os.Environ(), "SECRET="+key, "PORT="+port)
	command.Stderr = t.Output()
	printed, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = command.Process.Kill(); _ = command.Wait() })
	var mu sync.Mutex
	var lines []string
	go func() {
		for scanner := bufio.NewScanner(printed); scanner.Scan(); {
			mu.Lock()
			lines = append(lines, scanner.Text())
			mu.Unlock()
		}
	}()
	prints := func(what string) {
		t.Helper()
		eventually(t, "the receiver prints "+what, func() bool {
			mu.Lock()
			defer mu.Unlock()
			for _, line := range lines {
				if strings.HasPrefix(line, what) {
					return true
				}
			}
			return false
		})
	}
	eventually(t, "the receiver listens", func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	post := func(hook *standardwebhooks.Webhook, id string, want int) {
		t.Helper()
		body, at := []byte(`{"type": "test.ping", "timestamp": "2026-03-03T09:00:00Z", "data": {}}`), time.Now()
		signature, err := hook.Sign(id, at, body)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/hooks", strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Webhook-Id", id)
		r.Header.Set("Webhook-Timestamp", fmt.Sprint(at.Unix()))
		r.Header.Set("Webhook-Signature", signature)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %s, want %d", id, answer.Status, want)
		}
	}
	ours, err := standardwebhooks.NewWebhook(key)
	if err != nil {
		t.Fatal(err)
	}
	forger, err := standardwebhooks.NewWebhook("whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldCBvZiAzMiBieXRlcy4=")
	if err != nil {
		t.Fatal(err)
	}
	post(forger, "msg_forged", http.StatusUnauthorized)
	post(ours, "msg_twice", http.StatusNoContent)
	post(ours, "msg_twice", http.StatusNoContent)
	prints("test.ping")

	site, _ := startConsole(t, fmt.Sprintf("send_webhooks: true\nwebhooks: {crm: {url: \"http://%s/hooks\", secret: %s, events: [people, sessions]}}\n", address, key))
	b := browser.New(t)
	signInAt(b, site+"/reports", "alice@example.com")
	b.See("the application")
	prints("user.created")
	prints("session.started")
	mu.Lock()
	defer mu.Unlock()
	pings := 0
	for _, line := range lines {
		what, data, _ := strings.Cut(line, " ")
		if what == "test.ping" {
			pings++
		}
		if !json.Valid([]byte(data)) {
			t.Errorf("it prints %s", line)
		}
	}
	if pings != 1 {
		t.Errorf("%d pings", pings)
	}
}

// TestWebhooksInABrowser: an operator sees the messages that a receiver would not have, and why,
// has them sent again, one or all, and discards others.
func TestWebhooksInABrowser(t *testing.T) {
	look := axe.New(t)
	var mu sync.Mutex
	takes, got := false, make(map[string]bool)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m struct {
			Data struct{ Organization struct{ Name string } }
		}
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if !takes {
			w.WriteHeader(http.StatusGone)
			return
		}
		got[m.Data.Organization.Name] = true
	}))
	t.Cleanup(receiver.Close)
	site, _ := startConsole(t, fmt.Sprintf("organizations: true\nsend_webhooks: true\nwebhooks: {crm: {url: \"%s/\", secret: whsec_c2VjcmV0LW9mLXRoZS1jb25zb2xlLXRlc3QtMDAwMQ==, events: [organizations]}}\n", receiver.URL))
	b := browser.New(t)
	signInAt(b, site+"/console", "alice@example.com")
	b.See("This page is kept up to date.")
	create := func(name string) {
		t.Helper()
		b.Open(site + "/console/organizations")
		b.Fill("#name", name)
		b.Click("form[method=post] button")
		b.See(name)
	}
	// open looks until so many messages are given up.
	open := func(n int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d messages are given up", n), func() bool {
			b.Open(site + "/console/webhooks?endpoint=crm")
			return b.Eval(`String(document.querySelectorAll('form input[name="message"]').length)`) == fmt.Sprint(2*n)
		})
	}
	comes := func(name string) {
		t.Helper()
		eventually(t, "the message about "+name+" comes", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return got[name]
		})
	}
	for _, name := range []string{"First", "Second", "Third", "Fourth"} {
		create(name)
	}
	open(4)
	b.See("organization.created")
	b.See("answered 410 Gone")
	look.Check(t, b, "messages that were given up")
	b.Screenshot("messages that were given up")
	mu.Lock()
	takes = true
	mu.Unlock()

	b.Click(`tr:nth-child(1) form:has(input[value="resend"]) button`)
	b.See("To be sent again: 1.")
	comes("First")
	open(3)
	b.Click(`tr:nth-child(1) form:has(input[value="discard"]) button`)
	b.See("Discarded: 1.")
	open(2)
	b.Click(`form:has(input[name="all"]):has(input[value="resend"]) button`)
	b.See("To be sent again: 2.")
	comes("Third")
	comes("Fourth")
	open(0)
	b.See("There are none.")

	mu.Lock()
	if got["Second"] {
		t.Error("a message that was discarded has come")
	}
	takes = false
	mu.Unlock()
	create("Fifth")
	create("Sixth")
	open(2)
	b.Click("details summary")
	b.Click(`details form button`)
	b.See("Discarded: 2.")
	open(0)
}
