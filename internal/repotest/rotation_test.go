package repotest

import (
	"regexp"
	"strings"
	"testing"
)

// rotates are words about the rotation of sealing keys.
var rotates = regexp.MustCompile(`(?i)\b(?:old|new) (?:sealing )?key\b|\brotate(?:s|d)? (?:the )?(?:sealing )?keys\b|\bcodegrant/keys$`)

// otherKeys are files that speak of other keys.
var otherKeys = map[string]string{
	"docs/cloudfront.md":  "keys of CloudFront",
	"docs/local-pool.md":  "keys of a local pool",
	"docs/library.md":     "keys of a local pool in tests",
	"docs/machines.md":    "keys of a pool",
	"docs/security.md":    "promises, with their tests",
	"docs/reliability.md": "keys of pools too",
}

// TestKeyRotationHasOneSource: docs/gateway.md has the steps that rotate the sealing keys. Other
// pages and files of a deployment link there, so that they cannot contradict it.
func TestKeyRotationHasOneSource(t *testing.T) {
	const source, anchor = "docs/gateway.md", "#rotate-the-sealing-keys"
	if !strings.Contains(read(t, source), "\n## Rotate the sealing keys\n") {
		t.Fatalf("%s has no section with the steps", source)
	}
	n := 0
	walk(t, func(name string, _ bool) {
		if !strings.HasPrefix(name, "docs/") && !strings.HasPrefix(name, "deploy/") || name == source {
			return
		}
		if !strings.HasSuffix(name, ".md") && !strings.HasSuffix(name, ".yaml") {
			return
		}
		said := read(t, name)
		linked := strings.Contains(said, anchor)
		if linked {
			n++
		}
		if found := rotates.FindString(said); found != "" && !linked && otherKeys[name] == "" {
			t.Errorf("%s says %q: link to docs/gateway.md%s", name, found, anchor)
		}
	})
	if n < 6 {
		t.Errorf("%d files link to the steps: docs/scaling.md, assertions.md, reliability.md, mcp.md and both deployments on Kubernetes do", n)
	}
}
