package localpool

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/localpool/internal/model"
)

// screen is how many lines one has.
const screen = 30

// TestDifferent: the documentation has the list's entries and no other, on one screen, and
// the number of operations is the model's.
func TestDifferent(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "local-pool.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(page), "## What is different\n")
	section, _, _ = strings.Cut(section, "\n## ")
	if !ok {
		t.Fatal("docs/local-pool.md has no section of what is different")
	}
	if lines := strings.Count(section, "\n"); lines > screen {
		t.Errorf("it has %d lines, and a screen %d", lines, screen)
	}
	got := strings.Split(strings.TrimPrefix(strings.TrimSpace(section), "- "), "\n- ")
	for i := range got {
		got[i] = strings.Join(strings.Fields(got[i]), " ")
	}
	if want := strings.Join(different, "\n"); strings.Join(got, "\n") != want {
		t.Errorf("docs/local-pool.md differs from the list. It has:\n%s\nThe list has:\n%s", strings.Join(got, "\n"), want)
	}
	if count := "all " + strconv.Itoa(len(model.Operations())) + " operations"; !strings.Contains(strings.Join(different, " "), count) {
		t.Errorf("the list does not say %q", count)
	}
	if longest := model.ShapeOf("SessionType").Max; longest == nil || *longest != 4096 || !strings.Contains(strings.Join(different, " "), "they can have 4,096") {
		t.Errorf("the list does not say how long a session is: %v", longest)
	}
}
