package settings

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const logo = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"><rect width="8" height="8"/></svg>`

func TestPages(t *testing.T) {
	path := write(t, onePool+`
pages:
  name: Acme
  logo: logo.svg
  colors: {accent: "#7a1fa2"}
  templates: looks
`, map[string]string{"logo.svg": logo, "looks/denied.html": "<h1>{{.Title}}</h1>{{.Correlation}}", "looks/.hidden/x": "", "looks/style.css": "main { color: red }"})
	s, err := Load(path, Options{Keys: processKeys})
	if err != nil {
		t.Fatal(err)
	}
	p := s.Pools[0].Config.Pages
	if p.Name != "Acme" || string(p.Logo) != logo || p.Colors.Accent != "#7a1fa2" {
		t.Errorf("%+v", p)
	}
	if text, err := fs.ReadFile(p.Templates, "denied.html"); err != nil || !strings.Contains(string(text), "{{.Title}}") {
		t.Errorf("%s %v", text, err)
	}
	for _, name := range []string{"logo.svg", "looks", "looks/denied.html", "looks/style.css"} {
		if !slices.Contains(s.Files, filepath.Join(filepath.Dir(path), name)) {
			t.Errorf("%s is not watched: %v", name, s.Files)
		}
	}
	// Whatever is changed changes the pool, so that it is made anew.
	before := s
	for name, text := range map[string]string{"logo.svg": logo + " ", "looks/style.css": "main { color: blue }", "looks/denied.html": "<h1>{{.Title}}!</h1>{{.Correlation}}"} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		after, err := Load(path, Options{Keys: processKeys})
		if err != nil || after.Digest == before.Digest || after.Pools[0].Digest == before.Pools[0].Digest {
			t.Errorf("%s was changed, and nothing is: %v", name, err)
		}
		before = after
	}
}

// TestS723_PagesThatAreNone: a fault is in its file, at its line.
func TestS723_PagesThatAreNone(t *testing.T) {
	for _, tt := range []struct {
		name, yaml string
		files      map[string]string
		want       []string
	}{
		{"a logo that is not there", "  name: A\n  logo: gone.svg\n", nil, []string{"codegrant.yaml:9: pages.logo: "}},
		{"a logo that is none", "  name: A\n  logo: a.svg\n", map[string]string{"a.svg": "x"}, []string{"codegrant.yaml:9: pages.logo: it is not an SVG"}},
		{"colors", "  colors:\n    accent: \"#ffee00\"\n", nil, []string{"codegrant.yaml:8: pages.colors: accent #ffee00 on card #ffffff has a contrast of 1.20"}},
		{"an unknown key", "  paints: {}\n", nil, []string{"codegrant.yaml:8: pages.paints: "}},
		{"no folder", "  templates: gone\n", nil, []string{"codegrant.yaml:8: pages.templates: "}},
		{"templates", "  templates: looks\n", map[string]string{
			"looks/denied.html": "<h1>{{.Title}}</h1>\n\n{{.Nothing}}", "looks/other.html": "x", "looks/confirm-sign-out.html": "<h1>{{.Title}}</h1>\n{{if}}", "looks/style.css": "\n@import 'x'",
		}, []string{"looks/other.html: pages.templates: no page is called so", "looks/confirm-sign-out.html:2: pages.templates: ", "looks/style.css:2: pages.templates: "}},
		{"a value that is not there", "  templates: looks\n", map[string]string{"looks/denied.html": "<h1>{{.Title}}</h1>\n\n{{.Nothing}}"}, []string{"looks/denied.html:3: pages.templates: "}},
		{"a folder in it", "  templates: looks\n", map[string]string{"looks/a/denied.html": "x"}, []string{"looks/a: pages.templates: a folder of templates has no folders"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(write(t, onePool+"pages:\n"+tt.yaml, tt.files), Options{Keys: processKeys})
			if err == nil {
				t.Fatal("it is taken")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v\nlacks %q", err, want)
				}
			}
		})
	}
}
