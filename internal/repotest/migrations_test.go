package repotest

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestMigrationsAreNumbered: two migrations of one number come of two branches that did not
// know of each other, and no database takes them.
func TestMigrationsAreNumbered(t *testing.T) {
	folders := make(map[string][]int)
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		number, _, ok := strings.Cut(filepath.Base(path), "_")
		if err == nil && ok && strings.HasSuffix(path, ".sql") && strings.Contains(path, "/migrations/") {
			if n, err := strconv.Atoi(number); err == nil {
				folders[filepath.Dir(path)] = append(folders[filepath.Dir(path)], n)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(folders) < 9 {
		t.Errorf("only %d folders of migrations were found", len(folders))
	}
	for folder, numbers := range folders {
		for i, n := range numbers { // in the order of their names
			if n != i+1 {
				t.Errorf("%s: the numbers are %v", folder, numbers)
				break
			}
		}
	}
}
