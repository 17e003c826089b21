package repotest

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// conflict is what git leaves where two changes of one place meet.
var conflict = regexp.MustCompile(`(?m)^(?:<{7}|>{7}|\|{7})(?: |$)`)

// TestNoConflicts: no file has the marks of a merge that nobody has ended.
func TestNoConflicts(t *testing.T) {
	n := 0
	walk(t, func(name string, _ bool) {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		n++
		if at := conflict.FindIndex(text); at != nil {
			t.Errorf("%s: %q", name, text[at[0]:min(len(text), at[0]+60)])
		}
	})
	if n < 1000 {
		t.Fatalf("found %d files: the walk is broken", n)
	}
}
