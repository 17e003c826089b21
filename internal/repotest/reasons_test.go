package repotest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestReasonsAreTheCodes: what docs/sign-in-problems.md quotes from the log is in the code, and
// what it quotes from Codegrant's pages is on one, to the letter, because people search for it.
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
	seen, _, _ := strings.Cut(string(page), "## What the log says")
	pagesAreQuoted(t, seen)
}

// pagesAreQuoted holds the quotations in the rows of a table that are about Codegrant's own
// pages against the lines of their texts.
func pagesAreQuoted(t *testing.T, table string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "internal/pages/texts/*/en.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.Split(string(text), "\n")...)
	}
	quoted := regexp.MustCompile(`"([^"]+)"`)
	found := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(line, " | ")
		if len(cells) < 2 || cells[1] != "Codegrant" {
			continue
		}
		for _, m := range quoted.FindAllStringSubmatch(cells[0], -1) {
			if found++; !slices.Contains(lines, m[1]) {
				t.Errorf("no page says %q", m[1])
			}
		}
	}
	if found < 4 {
		t.Errorf("%d texts of pages are quoted: the test does not see the table", found)
	}
}
