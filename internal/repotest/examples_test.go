package repotest

import (
	"go/ast"
	"strings"
	"testing"
)

// withoutExample are packages whose guide has a whole program in place of an example.
var withoutExample = map[string]string{
	"account": "docs/account.md",
	"console": "docs/console.md",
}

// TestExamples: each package that users can import shows in go doc how it is used.
func TestExamples(t *testing.T) {
	public, shown := make(map[string]bool), make(map[string]bool)
	for _, f := range goFiles(t) {
		dir := f.dir()
		if !f.product || strings.Contains("/"+dir+"/", "/internal/") || strings.HasPrefix(dir, "cmd") || strings.HasPrefix(f.syntax.Name.Name, "main") {
			continue
		}
		if !f.test {
			public[dir] = true
			continue
		}
		for _, declaration := range f.syntax.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && strings.HasPrefix(function.Name.Name, "Example") {
				shown[dir] = true
			}
		}
	}
	if len(public) < 20 {
		t.Fatalf("found %d public packages: the pattern is broken", len(public))
	}
	for dir := range public {
		if !shown[dir] && withoutExample[dir] == "" {
			t.Errorf("package %s has no example: add one to example_test.go", dir)
		}
	}
	for dir := range withoutExample {
		if !public[dir] {
			t.Errorf("there is no package %s", dir)
		}
	}
}
