package repotest

import (
	"maps"
	"regexp"
	"slices"
	"testing"

	"github.com/goccy/go-yaml"
)

// TestIdentityHeaders: docs/headers.md and the answer of /auth/check in docs/openapi.yaml have
// the identity headers of the gateway, and no others.
func TestIdentityHeaders(t *testing.T) {
	sent := make(map[string]bool)
	for _, m := range regexp.MustCompile(`\{&n\.\w+, "([^"]+)"\}`).FindAllStringSubmatch(read(t, "gateway/names.go"), -1) {
		sent[m[1]] = true
	}
	if len(sent) < 16 {
		t.Fatalf("found %d headers in gateway/names.go: the pattern is broken", len(sent))
	}
	page := make(map[string]bool)
	for _, m := range regexp.MustCompile("(?m)^\\| `(X-Auth-[^`]+)` \\|").FindAllStringSubmatch(read(t, "docs/headers.md"), -1) {
		page[m[1]] = true
	}
	var file struct {
		Paths map[string]struct {
			Get struct {
				Responses map[string]struct {
					Headers map[string]struct {
						Required bool
					}
				}
			}
		}
	}
	if err := yaml.Unmarshal([]byte(read(t, "docs/openapi.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	described := make(map[string]bool)
	for name, header := range file.Paths["/auth/check"].Get.Responses["200"].Headers {
		described[name] = true
		if !header.Required {
			t.Errorf("docs/openapi.yaml: /auth/check sends %s always: it is required", name)
		}
	}
	for where, have := range map[string]map[string]bool{"docs/headers.md": page, "docs/openapi.yaml at /auth/check": described} {
		if !maps.Equal(have, sent) {
			t.Errorf("%s has\n%q, the gateway sends\n%q", where, slices.Sorted(maps.Keys(have)), slices.Sorted(maps.Keys(sent)))
		}
	}
}
