package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
)

// TestPythonClient does what TestOfficialClient and TestOfficialClientRegisters do, with the
// Python SDK.
func TestPythonClient(t *testing.T) {
	if os.Getenv("CODEGRANT_TEST_CLIENTS") != "all" {
		t.Log("only with CODEGRANT_TEST_CLIENTS=all")
		return
	}
	python := filepath.Join(testenv.Python(t, "mcp==2.3.0"), "python")
	for _, by := range []mode{byHand, byGateway, byPool} {
		d, client, ends := newDemo(t, by), "", ""
		switch by {
		case byHand:
			client = agentClientID
		case byGateway:
			ends = "ends"
		}
		got := d.drive(t, exec.CommandContext(t.Context(), python, "testdata/client.py", d.url, client, d.callback, ends))
		for step, want := range map[string]string{
			"list": "= search,write", "search": "there are 1: handbook", "delete": "you may not call delete_document", "write": "wrote notes", "again": "there are 2: handbook, notes",
			"refreshed": "there are 2: handbook, notes",
		} {
			if by == byPool && (step == "write" || step == "again" || step == "refreshed") {
				continue // it has registered for the scopes of the first challenge alone, and the pool gives it no other
			}
			if !strings.HasSuffix(got[step], want) {
				t.Errorf("%s: %s: %q, want %q", by, step, got[step], want)
			}
		}
		if refused := got["refused"]; by == byPool && refused != "invalid_scope" || by != byPool && refused != "" {
			t.Errorf("%s: refused with %q", by, refused)
		}
		if by == byGateway && !strings.HasPrefix(got["ended"], "!") {
			t.Errorf("%s: after a sign-out: %q", by, got["ended"])
		}
		if len(d.scopes) != 2 {
			t.Errorf("%s: bob was asked to sign in %d times", by, len(d.scopes))
		}
	}
}

// drive runs a client that prints what to open, and reads where that ended. It returns what
// the client says of each step.
func (d *demo) drive(t *testing.T, c *exec.Cmd) map[string]string {
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
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	browser, steps, signedOut := codegranttest.NewBrowser(t), make(map[string]string), false
	for lines := bufio.NewScanner(out); lines.Scan(); {
		step, text, _ := strings.Cut(lines.Text(), " ")
		switch {
		case step == "sign-out":
			d.signOut(t, browser)
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
		arrived := d.visit(browser, text, "bob@example.com")
		d.scopes = append(d.scopes, arrived.URL.Query().Get("error"))
		fmt.Fprintln(in, d.callback+"?"+arrived.URL.RawQuery)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
	return steps
}
