package repotest

import (
	"path"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// TestMenu: each page of the website is in one group of its menu.
func TestMenu(t *testing.T) {
	var menu map[string][]string
	if err := yaml.Unmarshal([]byte(read(t, "site/menu.yaml")), &menu); err != nil {
		t.Fatal(err)
	}
	for _, reader := range []string{"Start", "Build", "Operate", "Move", "Reference"} {
		if len(menu[reader]) < 3 {
			t.Errorf("site/menu.yaml: the group %s has %d pages", reader, len(menu[reader]))
		}
	}
	groups := make(map[string]string)
	for group, pages := range menu {
		for _, page := range pages {
			if groups[page] != "" {
				t.Errorf("site/menu.yaml has %s in %s and in %s", page, groups[page], group)
			}
			groups[page] = group
		}
	}
	n := 0
	walk(t, func(name string, _ bool) {
		// What scripts/site.sh takes.
		if path.Ext(name) != ".md" || strings.Contains(name, "/") && !strings.HasPrefix(name, "docs/") && !strings.HasPrefix(name, "examples/") && name != "deploy/README.md" {
			return
		}
		n++
		if groups[name] == "" {
			t.Errorf("%s is in no group of site/menu.yaml", name)
		}
		delete(groups, name)
	})
	if n < 40 {
		t.Errorf("found %d pages: the walk is broken", n)
	}
	for page := range groups {
		t.Errorf("site/menu.yaml has %s, which is no page", page)
	}
}
