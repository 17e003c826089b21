// Package axe has axe-core, pinned, look at pages in a browser, for what keeps people from
// using them. It owns the version and the rules that are asked, which are all that axe-core
// has. It refuses to make exceptions.
package axe

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/e2e/browser"
	"github.com/codegrant/codegrant/internal/testenv"
)

// Axe is the program, as a script for a page.
type Axe struct{ script string }

// New fetches it, or skips the test where there is no npm.
func New(t testing.TB) *Axe {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	folder := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(here), name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, installed := testenv.Node(t, folder)
	script, err := os.ReadFile(filepath.Join(installed, "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return &Axe{string(script)}
}

// Check fails the test for each thing that it finds on the page which the browser shows.
// The script runs beside the page's own policy, as an extension's would.
func (a *Axe) Check(t testing.TB, b *browser.Browser, name string) {
	t.Helper()
	if b.Eval("typeof axe") == "undefined" {
		b.Eval(a.script + ";''")
	}
	found := b.Eval(`axe.run(document).then(r => JSON.stringify(r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.map(n => n.html + " " + n.failureSummary)}))))`)
	var violations []struct {
		ID, Help string
		Nodes    []string
	}
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		t.Fatalf("axe-core on %s: %v in %q", name, err, found)
	}
	for _, v := range violations {
		t.Errorf("%s: %s: %s", name, v.ID, fmt.Sprintf("%s\n\t%s", v.Help, strings.Join(v.Nodes, "\n\t")))
	}
}
