package repotest

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	markdownLink = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading      = regexp.MustCompile(`(?m)^#{1,6} +(.+)$`)
	fenced       = regexp.MustCompile("(?ms)^ *```.*?^ *```")
	notOfAnchors = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are what the headings of a page can be linked to by, as GitHub makes them.
func anchors(page string) map[string]bool {
	all := make(map[string]bool)
	for _, m := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(page, ""), -1) {
		text := regexp.MustCompile(`\[([^]]*)\]\([^)]*\)`).ReplaceAllString(m[1], "$1")
		text = notOfAnchors.ReplaceAllString(strings.ToLower(strings.TrimSpace(text)), "")
		all[strings.ReplaceAll(text, " ", "-")] = true
	}
	return all
}

// TestIndex: README.md leads to every page of docs.
func TestIndex(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(pages) < 30 {
		t.Fatalf("found %d pages: %v", len(pages), err)
	}
	index := read(t, "README.md")
	for _, page := range pages {
		if name := "docs/" + filepath.Base(page); !strings.Contains(index, "]("+name+")") && !strings.Contains(index, "]("+name+"#") {
			t.Errorf("README.md has no link to %s", name)
		}
	}
}

// TestLinks follows every link from a page to a file of the repository, and to a heading.
func TestLinks(t *testing.T) {
	pages := make(map[string]string)
	walk(t, func(name string, _ bool) {
		if path.Ext(name) != ".md" {
			return
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		pages[name] = string(text)
	})
	n := 0
	for name, text := range pages {
		for _, m := range markdownLink.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			n++
			file, anchor, _ := strings.Cut(m[1], "#")
			target := name
			if file != "" {
				target = path.Join(path.Dir(name), file)
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s: link to %s, which is not there", name, m[1])
			} else if page, ok := pages[target]; ok && anchor != "" && !anchors(page)[anchor] {
				t.Errorf("%s: link to %s, and %s has no such heading", name, m[1], target)
			}
		}
	}
	if n < 100 {
		t.Fatalf("found %d links: the pattern is broken", n)
	}
}
