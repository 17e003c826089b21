package serve

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestExamplesPassTheirCheck: every configuration that is shipped for a proxy is one that
// serve --check takes, without a warning.
func TestExamplesPassTheirCheck(t *testing.T) {
	root := filepath.Join("..", "..", "..", "..")
	checked := 0
	err := filepath.WalkDir(filepath.Join(root, "examples", "gateway"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || !strings.Contains(string(text), "\nbase_url:") {
			return err // a proxy's own
		}
		checked++
		stdout, stderr, status := say(t, "serve", "--check", "--config", path)
		if status != 0 || strings.Contains(stdout+stderr, "warning") {
			t.Errorf("%s: %d %s%s", path, status, stdout, stderr)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked < 4 {
		t.Errorf("%d configurations found", checked)
	}
}
