package repotest

import (
	"go/ast"
	"go/constant"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const limits = "docs/people.md"

var (
	number        = regexp.MustCompile(`\d[\d,]*`)
	namedConstant = regexp.MustCompile(`^([a-z][a-z0-9/]*)\.([A-Za-z]\w*)$`)
)

// ofQueries are limits of what an application asks of the replica.
var ofQueries = map[string]bool{"MaxPage": true, "MaxSearchKey": true}

// TestS512_EveryLimitIsShown holds the table of limits to the constants, the files of the
// examples and the tests that it names; and what a replica takes, and what a pool allows, is
// in it.
func TestS512_EveryLimitIsShown(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, limits))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "<!-- limits: a test holds them -->\n")
	table, _, ok2 := strings.Cut(rest, "<!-- end -->")
	if !ok || !ok2 {
		t.Fatalf("%s has no table of limits", limits)
	}
	constants := constantsOf(t)
	_, exists := shownInTests(t)
	named, rows := make(map[string]bool), 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if strings.HasPrefix(line, "| what |") || strings.HasPrefix(line, "| ---") || strings.HasPrefix(line, "| **") {
			continue
		}
		if rows++; len(cells) != 5 {
			t.Errorf("%d cells, want 5: %s", len(cells), line)
			continue
		}
		what, numbers := strings.TrimSpace(cells[0]), number.FindAllString(cells[1], -1)
		file, used := "", 0
		for _, cite := range cited.FindAllStringSubmatch(cells[2], -1) {
			switch match := namedConstant.FindStringSubmatch(cite[1]); {
			case slices.Contains([]string{".go", ".conf", ".cfg", ".yaml"}, path.Ext(cite[1])):
				file = cite[1]
			case file == "" && match != nil:
				value, ok := constants.value(match[1], match[2])
				if !ok {
					t.Errorf("%s: there is no constant %s", what, cite[1])
				} else if used >= len(numbers) || strings.ReplaceAll(numbers[used], ",", "") != value {
					t.Errorf("%s: %s is %s, and the table says %s", what, cite[1], value, cells[1])
				}
				named[cite[1]] = true
				used++
			default:
				content, err := os.ReadFile(filepath.Join(root, file))
				if err != nil || file == "" || !strings.Contains(string(content), cite[1]) {
					t.Errorf("%s: %q does not have %q: %v", what, file, cite[1], err)
				}
			}
		}
		tests := cited.FindAllStringSubmatch(cells[4], -1)
		if len(tests) == 0 {
			t.Errorf("%s: no test", what)
		}
		for _, test := range tests {
			if !exists[test[1]] {
				t.Errorf("%s: there is no test %s", what, test[1])
			}
		}
	}
	if rows < 20 {
		t.Fatalf("found %d rows: the pattern is broken", rows)
	}
	for _, dir := range []string{"replica", "internal/quotas"} {
		for name := range constants[dir] {
			if cited := dir + "." + name; ast.IsExported(name) && (dir != "replica" || strings.HasPrefix(name, "Max")) && !named[cited] && !ofQueries[name] {
				t.Errorf("%s is not in the table", cited)
			}
		}
	}
}

// constants are the expressions of all packages, by folder and name, with the file that they
// are in.
type constants map[string]map[string]expression

type expression struct {
	ast.Expr
	file *ast.File
}

func constantsOf(t *testing.T) constants {
	t.Helper()
	all := make(constants)
	for _, f := range goFiles(t) {
		if f.test {
			continue
		}
		for _, declaration := range f.syntax.Decls {
			general, ok := declaration.(*ast.GenDecl)
			if !ok || general.Tok != token.CONST {
				continue
			}
			for _, spec := range general.Specs {
				values := spec.(*ast.ValueSpec)
				for i, name := range values.Names {
					if i >= len(values.Values) {
						continue
					}
					if all[f.dir()] == nil {
						all[f.dir()] = make(map[string]expression)
					}
					all[f.dir()][name.Name] = expression{values.Values[i], f.syntax}
				}
			}
		}
	}
	return all
}

// value is that of a constant, as a whole number.
func (c constants) value(dir, name string) (string, bool) {
	if dir == "codegrant" {
		dir = "."
	}
	e, ok := c[dir][name]
	if !ok {
		return "", false
	}
	v := c.eval(dir, e)
	return v.ExactString(), v.Kind() == constant.Int
}

func (c constants) eval(dir string, e expression) constant.Value {
	in := func(x ast.Expr) constant.Value { return c.eval(dir, expression{x, e.file}) }
	switch x := e.Expr.(type) {
	case *ast.BasicLit:
		return constant.MakeFromLiteral(x.Value, x.Kind, 0)
	case *ast.ParenExpr:
		return in(x.X)
	case *ast.Ident:
		if other, ok := c[dir][x.Name]; ok {
			return c.eval(dir, other)
		}
	case *ast.SelectorExpr:
		for _, spec := range e.file.Imports {
			path := strings.Trim(spec.Path.Value, `"`)
			other, ok := strings.CutPrefix(path, "github.com/codegrant/codegrant/")
			if id, is := x.X.(*ast.Ident); ok && is && strings.HasSuffix(path, "/"+id.Name) {
				if found, ok := c[other][x.Sel.Name]; ok {
					return c.eval(other, found)
				}
			}
		}
	case *ast.BinaryExpr:
		left, right := in(x.X), in(x.Y)
		if left.Kind() != constant.Int || right.Kind() != constant.Int {
			break
		}
		switch x.Op {
		case token.SHL, token.SHR:
			by, _ := constant.Uint64Val(right)
			return constant.Shift(left, x.Op, uint(by))
		case token.QUO:
			return constant.BinaryOp(left, token.QUO_ASSIGN, right)
		}
		return constant.BinaryOp(left, x.Op, right)
	}
	return constant.MakeUnknown()
}
