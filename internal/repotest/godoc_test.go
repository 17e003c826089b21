package repotest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestWordsOfGodoc refuses, in the documentation of packages that others can import, what
// pages do not say.
func TestWordsOfGodoc(t *testing.T) {
	refused := slices.Concat(words, strict, strictDocs)
	n := 0
	walk(t, func(name string, _ bool) {
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || !importable(filepath.ToSlash(name)) {
			return
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, filepath.Join(root, name), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, doc := range documentation(file) {
			n++
			for sentence := range strings.SplitSeq(prose(doc.Text()), ". ") {
				for _, w := range refused {
					if found := w.pattern.FindString(sentence + "."); found != "" {
						t.Errorf("%s:%d: %q: write %s", name, files.Position(doc.Pos()).Line, strings.TrimSpace(found), w.instead)
					}
				}
			}
		}
	})
	if n < 1000 {
		t.Fatalf("found %d comments: the walk is broken", n)
	}
}

// importable reports whether a program elsewhere can import the package of a file.
func importable(name string) bool {
	for _, own := range []string{"cmd/", "internal/", "bench/", "e2e/", "examples/", "scripts/"} {
		if strings.HasPrefix(name, own) {
			return false
		}
	}
	return !strings.Contains(name, "/internal/")
}

// prose is a comment without its code, as one line.
func prose(comment string) string {
	var kept []string
	for line := range strings.SplitSeq(comment, "\n") {
		if !strings.HasPrefix(line, "\t") {
			kept = append(kept, strings.TrimSpace(line))
		}
	}
	return strings.Join(kept, " ")
}

// documentation are the comments that go doc shows.
func documentation(file *ast.File) []*ast.CommentGroup {
	found := []*ast.CommentGroup{file.Doc}
	for _, declared := range file.Decls {
		switch d := declared.(type) {
		case *ast.FuncDecl:
			if d.Name.IsExported() {
				found = append(found, d.Doc)
			}
		case *ast.GenDecl:
			if d.Tok == token.IMPORT {
				continue
			}
			exported := false
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					if spec.Name.IsExported() {
						exported = true
						found = append(found, spec.Doc)
						found = append(found, fields(spec.Type)...)
					}
				case *ast.ValueSpec:
					if slices.ContainsFunc(spec.Names, (*ast.Ident).IsExported) {
						exported = true
						found = append(found, spec.Doc, spec.Comment)
					}
				}
			}
			if exported {
				found = append(found, d.Doc)
			}
		}
	}
	return slices.DeleteFunc(found, func(c *ast.CommentGroup) bool { return c == nil })
}

// fields are the comments of the exported fields and methods of a type.
func fields(of ast.Expr) (found []*ast.CommentGroup) {
	list := (*ast.FieldList)(nil)
	switch of := of.(type) {
	case *ast.StructType:
		list = of.Fields
	case *ast.InterfaceType:
		list = of.Methods
	}
	if list == nil {
		return nil
	}
	for _, f := range list.List {
		if len(f.Names) == 0 || slices.ContainsFunc(f.Names, (*ast.Ident).IsExported) {
			found = append(found, f.Doc, f.Comment)
		}
	}
	return found
}
