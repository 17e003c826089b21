package repotest

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// words are what the documentation does not say, and what to say instead. Readers search
// for the right-hand side, and many read English as a second language.
var words = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`(?i)\bmend(s|ed|ing)?\b`), "fix"},
	{regexp.MustCompile(`(?:^|[.:] |\| |\*\*)Who(?:ever)? [a-z]+ [^?|.]*(?:\.|\||$)`), "a subject: a person who …, a program that …"},
	{regexp.MustCompile(`(?i)\bis gone on with\b`), "continue with"},
	{regexp.MustCompile(`(?i)\bends nowhere\b`), "has no end"},
	{regexp.MustCompile(`(?i)\b(?:here|there|where)(?:by|of|in|upon|with|unto)\b`), "by it, of it, in it"},
	{regexp.MustCompile(`(?i)\bunless told otherwise\b`), "by default"},
	{regexp.MustCompile(`(?i)\bbilled for\b`), "it costs"},
	{regexp.MustCompile(`(?i)\b(?:utili[sz]e|leverage)\b`), "use"},
	{regexp.MustCompile(`(?i)\bin order to\b`), "to"},
}

// TestWords refuses words that make pages slow to read, or that nobody searches for.
func TestWords(t *testing.T) {
	n := 0
	walk(t, func(name string, _ bool) {
		if path.Ext(name) != ".md" || name == "CHANGELOG.md" {
			return
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		n++
		prose := fenced.ReplaceAllStringFunc(string(text), func(block string) string {
			return strings.Repeat("\n", strings.Count(block, "\n")) // lines keep their numbers
		})
		for i, line := range strings.Split(prose, "\n") {
			for _, w := range words {
				if found := w.pattern.FindString(line); found != "" {
					t.Errorf("%s:%d: %q: write %s", name, i+1, strings.TrimSpace(found), w.instead)
				}
			}
		}
	})
	if n < 20 {
		t.Fatalf("found %d pages: the walk is broken", n)
	}
}
