//go:build unix

package faults

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestTable holds the table of docs/reliability.md to the tests: one to a row, and each
// of them in it.
func TestTable(t *testing.T) {
	page, err := os.ReadFile("../../docs/reliability.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := make(map[string]bool)
	rows := 0
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 5 || strings.Contains(line, "---") || strings.Contains(line, "| shown by |") {
			continue
		}
		rows++
		names := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(cells[4], -1)
		if len(names) == 0 {
			t.Errorf("no test shows what is said of:%s", cells[0])
		}
		for _, name := range names {
			shown[name[1]] = true
		}
	}
	if rows < 20 {
		t.Errorf("%d rows: is it still the table?", rows)
	}

	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			f, ok := declaration.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(f.Name.Name, "Test") || f.Name.Name == "TestMain" || f.Name.Name == t.Name() {
				continue
			}
			if !shown[f.Name.Name] {
				t.Errorf("%s is not in the table", f.Name.Name)
			}
			delete(shown, f.Name.Name)
		}
	}
	// Faults of one process are shown beside the command, or the library, and those of two
	// gateways beside the proxies.
	var beside []string
	for _, folder := range []string{"../..", "../../cmd/codegrant/internal/serve", "../proxies"} {
		found, err := filepath.Glob(folder + "/*_test.go")
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d files of tests, %v", folder, len(found), err)
		}
		beside = append(beside, found...)
	}
	for _, name := range beside {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			if f, ok := declaration.(*ast.FuncDecl); ok {
				delete(shown, f.Name.Name)
			}
		}
	}
	for name := range shown {
		t.Errorf("the table names %s, which does not exist", name)
	}
}
