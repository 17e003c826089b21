package repotest

import (
	"go/ast"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const promises = "docs/security.md"

var (
	// TestS005_Header, TestS065_S066_CrossOriginRequests.
	namedInTest = regexp.MustCompile(`^(?:Test|Fuzz|Benchmark)((?:S\d{3}_)+)`)
	idInName    = regexp.MustCompile(`S(\d{3})_`)
	idInText    = regexp.MustCompile(`\bS-(\d{3})\b`)
	cited       = regexp.MustCompile("`([^`]+)`")
)

// A promise is a row of the tables of the page.
type promise struct {
	line  int
	id    string
	says  string
	tests []string // names of functions, and paths of files and folders
}

// TestS175_EveryPromiseIsShown holds the page to the tests and the tests to the page:
// each id that a test carries has one row, and each row a test that carries its id.
func TestS175_EveryPromiseIsShown(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, promises))
	if err != nil {
		t.Fatal(err)
	}
	rows, without := readPromises(t, string(text))
	shown, exists := shownInTests(t)
	if len(rows) < 100 || len(shown) < 100 {
		t.Fatalf("found %d rows and %d ids: the patterns are broken", len(rows), len(shown))
	}

	seen := make(map[string]int) // id: its line
	for _, row := range rows {
		if first, ok := seen[row.id]; ok {
			t.Errorf("%s:%d: %s has a row already, in line %d", promises, row.line, row.id, first)
		}
		seen[row.id] = row.line
		if row.says == "" || len(row.tests) == 0 {
			t.Errorf("%s:%d: %s says nothing, or names no test", promises, row.line, row.id)
		}
		carries := false
		for _, name := range row.tests {
			if !exists[name] {
				t.Errorf("%s:%d: there is no test %s", promises, row.line, name)
			}
			carries = carries || slices.Contains(shown[row.id], name)
		}
		if !carries {
			t.Errorf("%s:%d: none of the tests of %s carries the id; %v do", promises, row.line, row.id, shown[row.id])
		}
	}
	for id, where := range shown {
		if seen[id] == 0 {
			t.Errorf("%s has no row in %s, and %s carries it", id, promises, where[0])
		}
	}
	for id, line := range without {
		if seen[id] != 0 {
			t.Errorf("%s:%d: %s is not promised here, and promised in line %d", promises, line, id, seen[id])
		}
	}
}

// readPromises reads the rows of the page, whose ids are in order within a table, and
// the ids of what is not promised, with their lines.
func readPromises(t *testing.T, text string) (rows []promise, without map[string]int) {
	t.Helper()
	without = make(map[string]int)
	last, refusing := "", false
	for i, line := range strings.Split(text, "\n") {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			last, refusing = "", title == "Not promised"
		}
		if refusing {
			for _, id := range idInText.FindAllString(line, -1) {
				without[id] = i + 1
			}
			continue
		}
		if !strings.HasPrefix(line, "| S-") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), " | ")
		if len(cells) != 3 {
			t.Errorf("%s:%d: has %d cells, want id, promise and tests", promises, i+1, len(cells))
			continue
		}
		row := promise{line: i + 1, id: strings.TrimSpace(cells[0]), says: strings.TrimSpace(cells[1])}
		if idInText.FindString(row.id) != row.id {
			t.Errorf("%s:%d: %s is not an id", promises, i+1, row.id)
		}
		for _, name := range cited.FindAllStringSubmatch(cells[2], -1) {
			row.tests = append(row.tests, name[1])
		}
		if row.id < last {
			t.Errorf("%s:%d: %s comes after %s", promises, i+1, row.id, last)
		}
		last = row.id
		rows = append(rows, row)
	}
	return rows, without
}

// shownInTests finds what tests carry each id: by their own names, by the names of the
// cases in them, by those of a suite, or in a script. All that a row may cite exists.
func shownInTests(t *testing.T) (shown map[string][]string, exists map[string]bool) {
	t.Helper()
	shown, exists = make(map[string][]string), make(map[string]bool)
	show := func(id string, names ...string) {
		for _, name := range names {
			if !slices.Contains(shown["S-"+id], name) {
				shown["S-"+id] = append(shown["S-"+id], name)
			}
		}
	}
	for _, f := range goFiles(t) {
		suite := strings.HasSuffix(f.dir(), "test") && !f.test // session/sessiontest, replica/replicatest
		if !f.test && !suite {
			continue
		}
		if suite {
			exists[f.path], exists[f.dir()] = true, true
		}
		for _, declaration := range f.syntax.Decls {
			names := []string{f.path, f.dir()}
			if function, ok := declaration.(*ast.FuncDecl); ok && f.test && function.Recv == nil {
				names = []string{function.Name.Name}
				if match := namedInTest.FindStringSubmatch(function.Name.Name); match != nil {
					for _, id := range idInName.FindAllStringSubmatch(match[1], -1) {
						show(id[1], function.Name.Name)
					}
				}
				exists[function.Name.Name] = true
			}
			if f.path == "internal/repotest/promises_test.go" {
				continue // what it says about ids is not what it shows
			}
			ast.Inspect(declaration, func(n ast.Node) bool {
				if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
					for _, id := range idInText.FindAllStringSubmatch(literal.Value, -1) {
						show(id[1], names...)
					}
				}
				return true
			})
		}
	}
	scripts, err := filepath.Glob(filepath.Join(root, "cmd", "*", "testdata", "script", "*.txtar"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("found %d scripts, %v: the pattern is broken", len(scripts), err)
	}
	for _, script := range scripts {
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		rel, err := filepath.Rel(root, script)
		if err != nil {
			t.Fatal(err)
		}
		name := path.Clean(filepath.ToSlash(rel))
		exists[name] = true
		for _, id := range idInText.FindAllStringSubmatch(string(text), -1) {
			show(id[1], name)
		}
	}
	return shown, exists
}
