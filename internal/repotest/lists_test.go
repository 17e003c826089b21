package repotest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestExamplesAreListed: examples/README.md has each folder that is beside it.
func TestExamplesAreListed(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "examples/README.md"))
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(root, "examples"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if !e.IsDir() || e.Name() == "shop" { // what the routers share; the page has its routes
			continue
		}
		if n++; !strings.Contains(string(readme), "["+e.Name()+"]("+e.Name()+"/") {
			t.Errorf("the page does not link to %s", e.Name())
		}
	}
	if n < 10 {
		t.Errorf("found %d folders", n)
	}
}

// TestProblemsHaveStatuses: each problem of docs/problems.md has its status, as the first word of
// its text or of an item.
func TestProblemsHaveStatuses(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/problems.md"))
	if err != nil {
		t.Fatal(err)
	}
	status := regexp.MustCompile(`(?m)^(?:- )?[45]\d\d[ ,.:]`)
	sections := strings.Split(string(page), "\n## ")[1:]
	for _, section := range sections {
		if !status.MatchString(section) {
			name, _, _ := strings.Cut(section, "\n")
			t.Errorf("%s has no status", name)
		}
	}
	if len(sections) < 10 {
		t.Errorf("found %d problems", len(sections))
	}
}
