package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/testenv"
)

// TestPythonClient does what the Go SDK does in wholeStory, with the Python SDK, for clients
// that register, have a document, and are known by an id.
func TestPythonClient(t *testing.T) {
	if os.Getenv("CODEGRANT_TEST_CLIENTS") != "all" {
		t.Log("only with CODEGRANT_TEST_CLIENTS=all")
		return
	}
	python := filepath.Join(testenv.Python(t, "mcp==2.3.0"), "python")
	for _, tt := range ways {
		t.Run(fmt.Sprintf("%s %s", tt.by, tt.how), func(t *testing.T) {
			d, ends := newDemo(t, tt.by), ""
			if tt.by == byGateway {
				ends = "ends"
			}
			got, person := d.drive(t, exec.CommandContext(t.Context(), python, "testdata/client.py", d.url, d.idOf(t, tt.how), d.callback, ends))
			want := map[string]string{
				"list": "= search,write", "search": "there are 1: handbook", "delete": "you may not call delete_document",
				"write": "wrote notes", "again": "there are 2: handbook, notes", "refreshed": "there are 2: handbook, notes", "renewed": "True",
			}
			if tt.by == byPool && tt.how == registers {
				// It has registered for the scopes of the first challenge alone, and the pool gives it no other.
				want = map[string]string{"list": want["list"], "search": want["search"], "delete": want["delete"], "refused": "invalid_scope"}
			} else {
				person.wasAsked(tt.by)
			}
			if ends != "" {
				want["ended"] = "! it asks again"
			}
			for step, text := range want {
				if !strings.HasSuffix(got[step], text) {
					t.Errorf("%s: %q, want %q", step, got[step], text)
				}
			}
			if len(d.scopes) != 2 {
				t.Errorf("bob was asked to sign in %d times", len(d.scopes))
			}
		})
	}
}

// ways are how clients come to an id.
var ways = []struct {
	by  mode
	how string
}{{byGateway, registers}, {byGateway, "a document"}, {byGateway, "an id"}, {byGateway, onLite}, {byPool, registers}, {byPool, "a document"}, {byHand, "an id"}}

const (
	registers = "registers"
	onLite    = "registers, before a pool on the Lite plan"
)

// idOf is what a client is told that it is, which is registers where it is nobody yet.
func (d *demo) idOf(t *testing.T, how string) string {
	t.Helper()
	switch how {
	case "a document":
		id := d.publishes(t, d.by)
		if d.by == byPool {
			d.admits(t)
		}
		return id
	case "an id":
		return agentClientID
	case onLite:
		d.goesToLite(t)
	}
	return registers
}

// goesToLite puts the pool on the plan that neither registers clients nor takes documents.
func (d *demo) goesToLite(t *testing.T) {
	t.Helper()
	d.tell(t, "UpdateUserPool", `{"UserPoolId":"`+demoPool+`","UserPoolTier":"LITE"}`)
}

// fetch gets documents of any host from where the test publishes them.
func (d *demo) fetch() *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, d.publisher)
		},
	}}
}

// publishes serves the document of a client, and returns its URL: for the gateway that of a
// host of the internet, for the pool that of this machine.
func (d *demo) publishes(t *testing.T, by mode) string {
	t.Helper()
	id := ""
	document := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"client_id": id, "client_name": "Tool", "redirect_uris": []string{d.callback},
			"grant_types": []string{"authorization_code", "refresh_token"}, "token_endpoint_auth_method": "none",
		})
	}))
	t.Cleanup(document.Close)
	d.publisher = document.Listener.Addr().String()
	if id = document.URL + "/client.json"; by == byGateway {
		id = "https://tool.example.com/client.json"
	}
	return id
}

// admits has the pool take such documents.
func (d *demo) admits(t *testing.T) {
	t.Helper()
	d.tell(t, "CreateCIMDPolicy", fmt.Sprintf(`{"UserPoolId":%q,"ClientId":%q,"PolicyName":"tools","URLPatterns":["https://127.0.0.1:*/client.json"]}`, demoPool, agentClientID))
}

// TestTypeScriptClients does the same with both SDKs for TypeScript, for clients that
// register, have a document, and are known by an id.
func TestTypeScriptClients(t *testing.T) {
	if os.Getenv("CODEGRANT_TEST_CLIENTS") != "all" {
		t.Log("only with CODEGRANT_TEST_CLIENTS=all")
		return
	}
	node, programs := testenv.Node(t, "typescript")
	for _, sdk := range []string{"client", "sdk"} {
		for _, tt := range ways {
			t.Run(fmt.Sprintf("%s %s %s", sdk, tt.by, tt.how), func(t *testing.T) {
				d, ends := newDemo(t, tt.by), ""
				if tt.by == byGateway {
					ends = "ends"
				}
				program := exec.CommandContext(t.Context(), node, "client.mjs", sdk, d.url, d.idOf(t, tt.how), d.callback, ends)
				program.Dir = programs
				got, person := d.drive(t, program)
				// At the pool, such a client has registered for the scopes of the first challenge.
				once := tt.by == byPool && tt.how == registers
				want := map[string]string{
					"connect": "= connected", "list": "= search,write", "search": "= bob, there are 1: handbook", "delete": "you may not call delete_document",
					"write": "= bob wrote notes", "again": "= bob, there are 2: handbook, notes", "refreshed": "= bob, there are 2: handbook, notes", "renewed": "true", "ended": "! nobody is there",
				}
				if once {
					want["write"], want["again"], want["refreshed"] = "scope", "= bob, there are 1: handbook", "= bob, there are 1: handbook"
				}
				if sdk == "sdk" {
					want["unasked"] = "! Streamable HTTP error: Server returned 403 after trying upscoping"
				}
				if ends == "" {
					delete(want, "ended")
				}
				for step, text := range want {
					if !strings.Contains(got[step], text) {
						t.Errorf("%s: %q, want %q", step, got[step], text)
					}
				}
				asked := 2
				if once && sdk == "sdk" {
					asked = 3 // it has thrown its refresh token away for nothing
				}
				if len(d.scopes) != asked {
					t.Errorf("bob was asked to sign in %d times", len(d.scopes))
				}
				person.wasAsked(tt.by)
			})
		}
	}
}

// TestServersInOtherLanguages: the same three tools, made with the SDKs for TypeScript and
// Python, behind the same gateway.
func TestServersInOtherLanguages(t *testing.T) {
	if os.Getenv("CODEGRANT_TEST_CLIENTS") != "all" {
		t.Log("only with CODEGRANT_TEST_CLIENTS=all")
		return
	}
	for language, program := range map[string]func(t *testing.T) *exec.Cmd{
		"TypeScript": func(t *testing.T) *exec.Cmd {
			node, programs := testenv.Node(t, "typescript")
			return exec.CommandContext(t.Context(), node, filepath.Join(programs, "server.mjs"))
		},
		"Python": func(t *testing.T) *exec.Cmd {
			return exec.CommandContext(t.Context(), filepath.Join(testenv.Python(t, "mcp==2.3.0"), "python"), "python/server.py")
		},
	} {
		t.Run(language, func(t *testing.T) {
			server, address := program(t), testenv.FreeAddress(t)
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				t.Fatal(err)
			}
			server.Args, server.Stderr = append(server.Args, port), t.Output()
			if err := server.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
			for deadline := time.Now().Add(time.Minute); ; {
				if c, err := net.Dial("tcp", address); err == nil {
					_ = c.Close()
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("the server does not listen")
				}
				time.Sleep(20 * time.Millisecond)
			}
			for _, by := range []mode{byGateway, byPool} {
				d := newDemoBefore(t, by, "http://"+address)
				d.wholeStory(t, d.registers())
			}
		})
	}
}

// drive runs a client that prints what to open, and reads where that ended. It returns what
// the client says of each step, and who sat at the browser.
func (d *demo) drive(t *testing.T, c *exec.Cmd) (map[string]string, *person) {
	t.Helper()
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = t.Output()
	person, steps, signedOut := d.newPerson(t), make(map[string]string), false
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		step, text, _ := strings.Cut(lines.Text(), " ")
		switch {
		case step == "sign-out":
			person.signOut()
			signedOut = true
			fmt.Fprintln(in, "done")
			continue
		case step == "open" && signedOut:
			_ = in.Close() // nobody is there who would agree again
			continue
		case step != "open":
			steps[step] = text
			continue
		}
		arrived := person.visit(text)
		d.scopes = append(d.scopes, arrived.URL.Query().Get("error"))
		fmt.Fprintln(in, d.callback+"?"+arrived.URL.RawQuery)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	return steps, person
}
