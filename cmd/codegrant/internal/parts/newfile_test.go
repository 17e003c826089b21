package parts

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestName: a finished file gets its name, and takes none of another.
func TestName(t *testing.T) {
	dir := t.TempDir()
	part, path := filepath.Join(dir, "a.part"), filepath.Join(dir, "a")
	for i, want := range []string{"first", "first"} {
		if err := os.WriteFile(part, []byte([]string{"first", "second"}[i]), 0o600); err != nil {
			t.Fatal(err)
		}
		err := Name(part, path)
		if (err != nil) != (i > 0) || err != nil && !strings.Contains(err.Error(), "name another file") {
			t.Errorf("file %d: %v", i, err)
		}
		if text, err := os.ReadFile(path); err != nil || string(text) != want {
			t.Errorf("file %d: it has %q, %v", i, text, err)
		}
	}
	if _, err := os.Stat(part); err != nil {
		t.Errorf("the second file is gone: %v", err)
	}
	if err := Name(filepath.Join(dir, "none"), filepath.Join(dir, "b")); err == nil {
		t.Error("a file that is not there has a name")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "b*")); left != nil {
		t.Errorf("left are %v", left)
	}
}
