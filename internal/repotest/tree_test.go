package repotest

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/codegrant/codegrant"
)

// A goFile is one Go file of the tree, parsed whatever its build constraints, so
// that no operating system or tag hides an import.
type goFile struct {
	path    string // from the root of the repository, with slashes
	test    bool   // *_test.go
	product bool   // belongs to the product's module, not to one nested in it
	lines   int
	syntax  *ast.File
}

func (f goFile) dir() string { return path.Dir(f.path) }

// imports lists the import paths of f.
func (f goFile) imports() []string {
	var paths []string
	for _, spec := range f.syntax.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		paths = append(paths, imported)
	}
	return paths
}

// folder turns the import path of one of the product's packages into its folder
// (".", "cognito", "internal/returnto") and leaves every other path alone.
func folder(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

// walk calls visit for each file of the repository but those that are hidden or
// test data, with its path from the root.
func walk(t *testing.T, visit func(name string, nested bool)) {
	t.Helper()
	var modules []string // folders with a go.mod of their own
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if entry.IsDir() {
			base := entry.Name()
			if rel != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "artifacts" || base == "node_modules") {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil && rel != "." {
				modules = append(modules, rel+"/")
			}
			return nil
		}
		visit(rel, slices.ContainsFunc(modules, func(m string) bool { return strings.HasPrefix(rel, m) }))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// goFiles parses every Go file of the repository.
func goFiles(t *testing.T) []goFile {
	t.Helper()
	var files []goFile
	walk(t, func(name string, nested bool) {
		if path.Ext(name) != ".go" {
			return
		}
		source, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		syntax, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, goFile{
			path:    name,
			test:    strings.HasSuffix(name, "_test.go"),
			product: !nested,
			lines:   bytes.Count(source, []byte("\n")),
			syntax:  syntax,
		})
	})
	if len(files) < 10 {
		t.Fatalf("found %d Go files: the walk is broken", len(files))
	}
	return files
}
