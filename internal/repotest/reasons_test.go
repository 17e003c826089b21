package repotest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReasonsAreTheCodes: what docs/sign-in-problems.md quotes from the log is in the code, to
// the letter, because people search for it.
func TestReasonsAreTheCodes(t *testing.T) {
	page, err := os.ReadFile("../../docs/sign-in-problems.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(page), "## What the log says")
	if table, _, _ = strings.Cut(table, "\n## "); !ok {
		t.Fatal("the table of reasons is missing")
	}
	var code strings.Builder
	for _, pattern := range []string{"*.go", "internal/*/*.go", "cognito/*.go", "verify/*.go", "replica/*.go"} {
		files, err := filepath.Glob("../../" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			code.Write(text)
		}
	}
	quoted := regexp.MustCompile("`([^`]+)`")
	rows := 0
	for line := range strings.Lines(table) {
		first, _, ok := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if !ok || !strings.HasPrefix(first, "`") {
			continue
		}
		for _, m := range quoted.FindAllStringSubmatch(first, -1) {
			if rows++; !strings.Contains(code.String(), `"`+m[1]) {
				t.Errorf("no text of the code begins with %q", m[1])
			}
		}
	}
	if rows < 15 {
		t.Errorf("%d reasons are quoted: the test does not see the table", rows)
	}
}
