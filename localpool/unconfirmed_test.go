package localpool

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestUnconfirmed: the documentation has the table's rows and no other, and a comment that
// says so names a row.
func TestUnconfirmed(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "local-pool.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(page), "## Unconfirmed")
	section, _, _ = strings.Cut(section, "\n## ")
	if !ok {
		t.Fatal("docs/local-pool.md has no section of what is unconfirmed")
	}
	var want strings.Builder
	for _, row := range unconfirmed {
		fmt.Fprintf(&want, "| %s | %s |\n", row.where, row.here)
	}
	if _, rows, _ := strings.Cut(section, "| --- | --- |\n"); strings.TrimSpace(rows) != strings.TrimSpace(want.String()) {
		t.Errorf("docs/local-pool.md differs from the table. It should have:\n%s", want.String())
	}
	mark := regexp.MustCompile(`[Uu]nconfirmed(: "([^"]+)")?[.)]`)
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		for line := range bytes.Lines(b) {
			_, comment, ok := strings.Cut(string(line), "//")
			found := mark.FindStringSubmatch(comment)
			if !ok || found == nil {
				continue
			}
			known := false
			for _, row := range unconfirmed {
				known = known || row.where == found[2]
			}
			if !known {
				t.Errorf("%s: %s: no row of the table is %q", path, strings.TrimSpace(comment), found[2])
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
