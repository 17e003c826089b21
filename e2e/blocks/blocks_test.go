package blocks

import (
	"strings"
	"testing"
)

const root = "../.."

func read(t *testing.T) []Block {
	t.Helper()
	all, err := Read(root)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 100 {
		t.Fatalf("found %d blocks: the pattern is broken", len(all))
	}
	return all
}

// TestGo compiles every block of Go.
func TestGo(t *testing.T) {
	all := read(t)
	c := newCompiler(t)
	byPage := make(map[string][]Block)
	for _, b := range all {
		byPage[b.Page] = append(byPage[b.Page], b)
	}
	for _, b := range all {
		if b.Language != "go" || elsewhere[b.Key()] != "" {
			continue
		}
		if err := c.compile(b, byPage[b.Page]); err != nil {
			t.Errorf("%s:%d does not compile:\n%s\n%v", b.Page, b.Line, indent(b.Text), err)
		}
	}
}

func indent(text string) string {
	return "\t" + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n\t")
}
