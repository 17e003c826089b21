package repotest

import (
	"go/ast"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// asked are the packages and files that read queries and forms, and the paths of docs/http.md that they
// answer at. What a package reads is documented at one of its paths.
var asked = map[string]string{
	".":                          "/auth/login /auth/callback /auth/logout /auth/sessions /auth/step-up",
	"cognito/callback.go":        "/auth/callback",
	"account":                    "/auth/account /auth/account/{page}",
	"organization":               "/auth/organization /auth/organization/members /auth/organization/invitation",
	"gateway":                    "/auth/check",
	"broker":                     "/oauth/authorize /oauth/consent /oauth/grants /oauth/token /oauth/revoke",
	"upstream":                   "/upstream/{name}/connect /upstream/{name}/callback",
	"cmd/codegrant/internal/ops": "/debug/pprof/{profile}",
	"console":                    "", // pages for operators, which docs/openapi.yaml does not have
	"internal/pages":             "", // of every page: the beginning of docs/http.md
}

// refusedOnes are documented as what is refused, and are no part of docs/openapi.yaml.
var refusedOnes = []string{"broker: request", "broker: request_uri", "broker: client_secret", "broker: client_assertion"}

// TestParameters reads the names of parameters and fields out of the code. docs/http.md and
// docs/openapi.yaml have each of them at the endpoint that reads it.
func TestParameters(t *testing.T) {
	described := describedParameters(t)
	page := read(t, "docs/http.md")
	found := make(map[string]bool)
	for _, f := range goFiles(t) {
		if !f.product || f.test || notEndpoints.MatchString(f.dir()) {
			continue
		}
		where := f.dir()
		if _, ok := asked[f.path]; ok {
			where = f.path
		}
		if _, ok := asked[where]; ok {
			for _, name := range parametersOf(f) {
				found[where+": "+name] = true
			}
		} else if readsForms(f) {
			t.Errorf("%s reads a query or a form: add it to asked in this test", f.path)
		}
	}
	if len(found) < 60 {
		t.Fatalf("found %d parameters: the pattern is broken: %q", len(found), slices.Sorted(maps.Keys(found)))
	}
	for what := range found {
		dir, name, _ := strings.Cut(what, ": ")
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("docs/http.md has no `%s`, which %s reads", name, dir)
		}
		paths := strings.Fields(asked[dir])
		if len(paths) == 0 || slices.Contains(refusedOnes, what) {
			continue
		}
		if !slices.ContainsFunc(paths, func(path string) bool { return described[path][name] }) {
			t.Errorf("docs/openapi.yaml has no parameter and no field %s at %s, which %s reads", name, paths, dir)
		}
	}
	for _, what := range refusedOnes {
		if !found[what] {
			t.Errorf("no code reads %q", what)
		}
	}
}

// TestHeaders reads the names of headers that the code reads from requests and writes into
// answers. docs/http.md has each of them.
func TestHeaders(t *testing.T) {
	page := strings.ToLower(read(t, "docs/http.md"))
	found := make(map[string]string)
	for _, f := range goFiles(t) {
		if f.product && !f.test && !notEndpoints.MatchString(f.dir()) && !notServed.MatchString(f.dir()) {
			for _, name := range headersOf(f) {
				found[name] = f.path
			}
		}
	}
	if len(found) < 40 {
		t.Fatalf("found %d headers: the pattern is broken: %q", len(found), slices.Sorted(maps.Keys(found)))
	}
	for name, where := range found {
		short := strings.TrimPrefix(name, "Access-Control-Allow")
		if notOurs[name] == "" && !strings.Contains(page, "`"+strings.ToLower(name)+"`") && !strings.Contains(page, "`"+strings.ToLower(short)+"`") {
			t.Errorf("docs/http.md has no header `%s`, which %s has", name, where)
		}
	}
	for name := range notOurs {
		if found[name] == "" {
			t.Errorf("no code has the header %s", name)
		}
	}
}

// notServed are packages that ask others, and answer nobody.
var notServed = regexp.MustCompile(`^(secret|machine|webhook|verify|directory/(recovery|sqsqueue)|cmd/codegrant/internal/(doctor|parts|token))(/|$)`)

// notOurs are headers of HTTP itself, or of messages that the gateway passes on.
var notOurs = map[string]string{
	"Content-Length":   "of HTTP",
	"Content-Encoding": "of HTTP",
	"Connection":       "of HTTP",
	"User-Agent":       "of a request of the gateway to an upstream",
	"X-Amz-Target":     "of a request to the pool",
	"Http2-Settings":   "of an upgrade to HTTP/2, which the gateway does not make",
}

func headersOf(f goFile) (all []string) {
	for _, d := range f.syntax.Decls {
		function, ok := d.(*ast.FuncDecl)
		if !ok || function.Body == nil {
			continue
		}
		local := make(map[string]bool) // names of headers of a request, or of an answer
		for _, p := range function.Type.Params.List {
			if kind, ok := p.Type.(*ast.SelectorExpr); ok && kind.Sel.Name == "Header" {
				for _, name := range p.Names {
					local[name.Name] = true
				}
			}
		}
		isHeader := func(e ast.Expr) bool {
			switch e := e.(type) {
			case *ast.Ident:
				return local[e.Name]
			case *ast.SelectorExpr: // r.Header
				return e.Sel.Name == "Header" && endsIn(e.X, "r", "request")
			case *ast.CallExpr: // w.Header()
				s, ok := e.Fun.(*ast.SelectorExpr)
				return ok && s.Sel.Name == "Header" && endsIn(s.X, "w", "ResponseWriter")
			}
			return false
		}
		ast.Inspect(function.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				for i, e := range n.Rhs {
					if id, ok := n.Lhs[min(i, len(n.Lhs)-1)].(*ast.Ident); ok && isHeader(e) {
						local[id.Name] = true
					}
				}
			case *ast.CallExpr:
				s, ok := n.Fun.(*ast.SelectorExpr)
				if ok && slices.Contains([]string{"Get", "Set", "Add", "Values"}, s.Sel.Name) && isHeader(s.X) && len(n.Args) > 0 {
					all = append(all, literal(n.Args[0])...)
				}
			case *ast.IndexExpr:
				if isHeader(n.X) {
					all = append(all, literal(n.Index)...)
				}
			}
			return true
		})
	}
	return all
}

func endsIn(e ast.Expr, names ...string) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return slices.Contains(names, e.Name)
	case *ast.SelectorExpr:
		return slices.Contains(names, e.Sel.Name)
	}
	return false
}

func literal(e ast.Expr) []string {
	if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
		text, _ := strconv.Unquote(l.Value)
		return []string{text}
	}
	return nil
}

// readsForms reports whether a file reads a query or a form of a request.
func readsForms(f goFile) bool {
	reads := false
	ast.Inspect(f.syntax, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			switch s.Sel.Name {
			case "PostForm", "FormValue", "PostFormValue":
				reads = true
			case "Query": // r.URL.Query
				u, ok := s.X.(*ast.SelectorExpr)
				reads = reads || ok && u.Sel.Name == "URL" && endsIn(u.X, "r", "request")
			}
		}
		return true
	})
	return reads
}

// isParameter knows the names of parameters; headers are written in another way.
var isParameter = regexp.MustCompile(`^[a-z][a-z_]*$`)

// parametersOf are the names that a file reads from queries and forms: what is asked of a
// set of values, or of a function that asks one; keys; and what a name in a loop over values
// is compared with.
func parametersOf(f goFile) (all []string) {
	constants := make(map[string]string)
	add := func(e ast.Expr) {
		name := ""
		switch e := e.(type) {
		case *ast.Ident:
			name = constants[e.Name]
		default:
			name = strings.Join(literal(e), "")
		}
		if isParameter.MatchString(name) {
			all = append(all, name)
		}
	}
	for _, d := range f.syntax.Decls {
		if general, ok := d.(*ast.GenDecl); ok && general.Tok == token.CONST {
			for _, spec := range general.Specs {
				for i, name := range spec.(*ast.ValueSpec).Names {
					if values := spec.(*ast.ValueSpec).Values; i < len(values) {
						constants[name.Name] = strings.Join(literal(values[i]), "")
					}
				}
			}
		}
	}
	asks := func(n ast.Node) *ast.CallExpr { // the question of a set of values in it
		var found *ast.CallExpr
		ast.Inspect(n, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if s, ok := call.Fun.(*ast.SelectorExpr); ok && len(call.Args) == 1 && slices.Contains([]string{"Get", "Has", "FormValue", "PostFormValue"}, s.Sel.Name) && isValues(s.X) {
					found = call
				}
			}
			return true
		})
		return found
	}
	for _, d := range f.syntax.Decls {
		function, ok := d.(*ast.FuncDecl)
		if !ok || function.Body == nil {
			continue
		}
		askers := make(map[string]bool) // local functions that ask a set of values
		keys := make(map[string]bool)   // names in loops over values, and over lists of names
		ast.Inspect(function.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if name, ok := n.Lhs[0].(*ast.Ident); ok {
					if f, ok := n.Rhs[0].(*ast.FuncLit); ok && asks(f.Body) != nil {
						askers[name.Name] = true
					}
				}
			case *ast.RangeStmt:
				if key, ok := n.Key.(*ast.Ident); ok && isValues(n.X) {
					keys[key.Name] = true
				}
				if list, ok := n.X.(*ast.CompositeLit); ok && n.Value != nil { // names that are looked up
					looked := false
					ast.Inspect(n.Body, func(m ast.Node) bool {
						if index, ok := m.(*ast.IndexExpr); ok && isValues(index.X) && endsIn(index.Index, n.Value.(*ast.Ident).Name) {
							looked = true
						}
						return true
					})
					for _, e := range list.Elts {
						if looked {
							add(e)
						}
					}
				}
			case *ast.SwitchStmt:
				if tag, ok := n.Tag.(*ast.Ident); ok && keys[tag.Name] {
					for _, c := range n.Body.List {
						for _, e := range c.(*ast.CaseClause).List {
							add(e)
						}
					}
				}
			case *ast.CallExpr:
				if asks(n) == n || askers[called(n)] && len(n.Args) == 1 {
					add(n.Args[0])
				}
			case *ast.IndexExpr:
				if isValues(n.X) {
					add(n.Index)
				}
			}
			return true
		})
	}
	return all
}

// isValues knows sets of values by what they are called here.
func isValues(e ast.Expr) bool {
	if call, ok := e.(*ast.CallExpr); ok { // r.URL.Query()
		return called(call) == "Query" && len(call.Args) == 0
	}
	return endsIn(e, "form", "Form", "PostForm", "query", "q", "values")
}

// describedParameters are the parameters and the fields of docs/openapi.yaml, by path.
func describedParameters(t *testing.T) map[string]map[string]bool {
	t.Helper()
	var file struct {
		Paths      map[string]any `yaml:"paths"`
		Components struct {
			Parameters map[string]any `yaml:"parameters"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal([]byte(read(t, "docs/openapi.yaml")), &file); err != nil {
		t.Fatal(err)
	}
	all := make(map[string]map[string]bool)
	for path, item := range file.Paths {
		all[path] = make(map[string]bool)
		collect(item, file.Components.Parameters, all[path])
	}
	return all
}

// collect adds the names of parameters, and of properties of forms.
func collect(node any, shared map[string]any, into map[string]bool) {
	switch node := node.(type) {
	case []any:
		for _, n := range node {
			collect(n, shared, into)
		}
	case map[string]any:
		if ref, ok := node["$ref"].(string); ok {
			collect(shared[strings.TrimPrefix(ref, "#/components/parameters/")], nil, into)
		}
		if name, ok := node["name"].(string); ok && node["in"] == "query" {
			into[name] = true
		}
		if form, ok := node["application/x-www-form-urlencoded"]; ok {
			properties(form, into)
		}
		for _, n := range node {
			collect(n, shared, into)
		}
	}
}

func properties(node any, into map[string]bool) {
	switch node := node.(type) {
	case []any:
		for _, n := range node {
			properties(n, into)
		}
	case map[string]any:
		for key, n := range node {
			if fields, ok := n.(map[string]any); ok && key == "properties" {
				for name := range fields {
					into[name] = true
				}
			}
			properties(n, into)
		}
	}
}
