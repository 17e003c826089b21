package organization

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http/httptest"
	"strconv"
	"testing"

	"github.com/codegrant/codegrant/internal/pages"
)

// TestEveryTextIsInEveryLanguage holds each text of the package to the catalogue.
func TestEveryTextIsInEveryLanguage(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "words.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for n := range ast.Preorder(file) {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			continue
		}
		english, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		seen++
		for _, tag := range pages.Languages[1:] {
			if said := pages.Text(httptest.NewRequest("GET", "/?lang="+tag.String(), nil), english); said == english {
				t.Errorf("%s: %q is not translated", tag, english)
			}
		}
	}
	if seen < 30 {
		t.Errorf("%d texts were found", seen)
	}
}
