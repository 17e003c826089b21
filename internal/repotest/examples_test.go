package repotest

import (
	"go/ast"
	"go/doc"
	"strings"
	"testing"
)

// withoutOutput are packages whose examples print nothing that go test could compare, with
// the reason.
var withoutOutput = map[string]string{
	"replica/replicatest": "a suite, which needs a test to run in",
}

// TestExamples: each package that users can import shows in go doc how it is used, by an
// example that go test runs, and whose output it compares.
func TestExamples(t *testing.T) {
	public, files := make(map[string]bool), make(map[string][]*ast.File)
	for _, f := range goFiles(t) {
		dir := f.dir()
		if !f.product || strings.Contains("/"+dir+"/", "/internal/") || strings.HasPrefix(dir, "cmd") || strings.HasPrefix(f.syntax.Name.Name, "main") {
			continue
		}
		if f.test {
			files[dir] = append(files[dir], f.syntax)
		} else {
			public[dir] = true
		}
	}
	if len(public) < 20 {
		t.Fatalf("found %d public packages: the pattern is broken", len(public))
	}
	for dir := range public {
		shown, compared := false, false
		for _, file := range files[dir] {
			for _, example := range doc.Examples(file) {
				shown, compared = true, compared || example.Output != ""
			}
		}
		switch reason, listed := withoutOutput[dir]; {
		case !shown:
			t.Errorf("package %s has no example: add one to example_test.go", dir)
		case !compared && !listed:
			t.Errorf("no example of package %s has an output that go test compares (// Output:)", dir)
		case compared && listed:
			t.Errorf("withoutOutput: package %s has an example with an output: remove it from the list (%s)", dir, reason)
		}
	}
	for dir := range withoutOutput {
		if !public[dir] {
			t.Errorf("withoutOutput: there is no package %s", dir)
		}
	}
}
