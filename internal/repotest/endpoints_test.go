package repotest

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// endpoints are the paths that the code answers at, by the package and the pattern as the
// code has it ("*" is what only the program that runs knows), and where docs/http.md has them.
var endpoints = map[string]string{
	".: */":                           "/auth/login", // where all of them are mounted
	".: /login":                       "/auth/login",
	".: /callback":                    "/auth/callback",
	".: /logout":                      "/auth/logout",
	".: /user":                        "/auth/user",
	".: /flash":                       "/auth/flash",
	".: /session":                     "/auth/session",
	".: /sessions":                    "/auth/sessions",
	".: /step-up":                     "/auth/step-up",
	"account: */":                     "/auth/account /auth/account/{page}",
	"account: /*":                     "/auth/account/{page}",
	"account: /profile":               "/auth/account/{page}",
	"account: /identities":            "/auth/account/{page}",
	"organization: */":                "/auth/organization",
	"organization: /members":          "/auth/organization/members",
	"organization: /invitation":       "/auth/organization/invitation",
	"gateway: /.well-known/jwks.json": "/auth/.well-known/jwks.json",
	"gateway: /account":               "/auth/account",
	"gateway: /account/":              "/auth/account/{page}",
	"gateway: /organization":          "/auth/organization",
	"gateway: /organization/":         "/auth/organization/members /auth/organization/invitation",
	"gateway: /check":                 "/auth/check",
	"gateway: /check/":                "/auth/check",
	"gateway: /logout":                "/auth/logout",
	"broker: */authorize":             "/oauth/authorize",
	"broker: */consent":               "/oauth/consent",
	"broker: */grants":                "/oauth/grants",
	"broker: */token":                 "/oauth/token",
	"broker: */revoke":                "/oauth/revoke",
	"broker: */register":              "/oauth/register",
	"broker: */jwks.json":             "/oauth/jwks.json",
	"broker: /.well-known/oauth-authorization-server*":     "/.well-known/oauth-authorization-server",
	"broker: /.well-known/openid-configuration*":           "/.well-known/openid-configuration",
	"broker: */.well-known/openid-configuration":           "/.well-known/openid-configuration",
	"mcp: /.well-known/oauth-protected-resource":           "/.well-known/oauth-protected-resource",
	"mcp: /.well-known/oauth-protected-resource*":          "/.well-known/oauth-protected-resource/{path}",
	"mcp: /.well-known/oauth-authorization-server*":        "/.well-known/oauth-authorization-server/{path}",
	"exchange: */jwks.json":                                "/exchange/jwks.json",
	"exchange: */.well-known/openid-configuration":         "/exchange/.well-known/openid-configuration",
	"exchange: /.well-known/oauth-authorization-server*":   "/.well-known/oauth-authorization-server/{path}",
	"upstream: */connect":                                  "/upstream/{name}/connect",
	"upstream: */callback":                                 "/upstream/{name}/callback",
	"console: */":                                          "/console/",
	"console: /":                                           "/console/",
	"console: GET */*":                                     "/console/", // pictures and styles
	"console: GET */state/events":                          "/console/state/events",
	"console: /people":                                     "/console/people",
	"console: GET */person":                                "/console/person",
	"console: POST */people/act":                           "/console/people/act",
	"console: /organizations":                              "/console/organizations",
	"console: GET */organization":                          "/console/organization",
	"console: POST */organizations/act":                    "/console/organizations/act",
	"console: /webhooks":                                   "/console/webhooks",
	"console: POST */webhooks/act":                         "/console/webhooks/act",
	"console: /refused":                                    "/console/refused",
	"console: /pictures":                                   "/console/pictures",
	"console: /ask":                                        "/console/ask",
	"cmd/codegrant/internal/ops: GET /healthz":             "/healthz",
	"cmd/codegrant/internal/ops: GET /readyz":              "/readyz",
	"cmd/codegrant/internal/ops: GET /metrics":             "/metrics",
	"cmd/codegrant/internal/ops: GET /debug/pprof/profile": "/debug/pprof/{profile}",
	"cmd/codegrant/internal/ops: GET /debug/pprof/*":       "/debug/pprof/{profile}",
	"cmd/codegrant/internal/serve: GET /state":             "/state",
	"cmd/codegrant/internal/syncing: GET /healthz":         "/healthz",
	"cmd/codegrant/internal/syncing: /events":              "/events",
}

// pagesAlone is where pages for operators are, which docs/openapi.yaml does not have.
const pagesAlone = "/console/"

// notEndpoints are packages whose endpoints are not the product's: a pool's, a demo's.
var notEndpoints = regexp.MustCompile(`^(localpool|codegranttest|cmd/codegrant/internal/(demo|pool|commandtest)|internal/(gatewaytest|proxytest|testenv|tools))(/|$)`)

// TestEndpoints reads the routes of the code. docs/http.md and docs/openapi.yaml have each of
// them, and nothing that is not there.
func TestEndpoints(t *testing.T) {
	constants := make(map[string]map[string]string) // by folder and name
	var files []goFile
	for _, f := range goFiles(t) {
		if !f.product || f.test || notEndpoints.MatchString(f.dir()) {
			continue
		}
		files = append(files, f)
		if constants[f.dir()] == nil {
			constants[f.dir()] = make(map[string]string)
		}
		for _, d := range f.syntax.Decls {
			if general, ok := d.(*ast.GenDecl); ok && general.Tok == token.CONST {
				for _, spec := range general.Specs {
					for i, name := range spec.(*ast.ValueSpec).Names {
						if values := spec.(*ast.ValueSpec).Values; i < len(values) {
							constants[f.dir()][name.Name] = pattern(values[i], constants[f.dir()])
						}
					}
				}
			}
		}
	}
	found := make(map[string]bool)
	for _, f := range files {
		for _, p := range routesOf(f, constants[f.dir()]) {
			found[f.dir()+": "+p] = true
		}
	}
	if len(found) < 40 {
		t.Fatalf("found %d routes: the pattern is broken", len(found))
	}
	for route := range found {
		if endpoints[route] == "" {
			t.Errorf("%s: add it to docs/http.md, to docs/openapi.yaml, and to endpoints in this test", route)
		}
	}
	for route := range endpoints {
		if !found[route] {
			t.Errorf("endpoints: the code has no route %q", route)
		}
	}

	page := read(t, "docs/http.md")
	listed := make(map[string]bool)
	for _, m := range regexp.MustCompile("(?m)^\\| \\[`(/[^`]+)`\\]\\(#").FindAllStringSubmatch(page, -1) {
		listed[m[1]] = true
	}
	described := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^  (/\S+):$`).FindAllStringSubmatch(read(t, "docs/openapi.yaml"), -1) {
		described[m[1]] = true
	}
	known := make(map[string]bool)
	for route, all := range endpoints {
		for path := range strings.FieldsSeq(all) {
			known[path] = true
			if !listed[path] {
				t.Errorf("docs/http.md lists no %s, for %s", path, route)
			}
			if described[path] == strings.HasPrefix(path, pagesAlone) {
				t.Errorf("docs/openapi.yaml has %s: %t", path, described[path])
			}
		}
	}
	for path := range listed {
		if !known[path] {
			t.Errorf("docs/http.md lists %s, and no route of the code leads there", path)
		}
	}
	for path := range described {
		if !known[path] {
			t.Errorf("docs/openapi.yaml has %s, and no route of the code leads there", path)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// pattern is a string of the code as far as it is written there; "*" is the rest.
func pattern(e ast.Expr, constants map[string]string) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			text, _ := strconv.Unquote(e.Value)
			return text
		}
	case *ast.Ident:
		if c, ok := constants[e.Name]; ok {
			return c
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return strings.ReplaceAll(pattern(e.X, constants)+pattern(e.Y, constants), "**", "*")
		}
	case *ast.CallExpr:
		if called(e) == "path" && len(e.Args) == 1 { // a method that puts a prefix in front
			return "*" + pattern(e.Args[0], constants)
		}
	}
	return "*"
}

func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.Ident:
		return f.Name
	}
	return ""
}

// isRoute reports whether a pattern has a path in it.
func isRoute(p string) bool { return strings.Contains(p, "/") && !strings.Contains(p, "://") }

// routesOf are the patterns that a file answers at: what it registers, the keys of its maps of
// handlers, the paths that it says it has, and those that it compares a request's path with.
func routesOf(f goFile, constants map[string]string) (all []string) {
	add := func(e ast.Expr) {
		if p := pattern(e, constants); isRoute(p) {
			all = append(all, p)
		}
	}
	for _, d := range f.syntax.Decls {
		function, ok := d.(*ast.FuncDecl)
		if !ok || function.Body == nil {
			continue
		}
		serves := false // it has a request, or a target of one, to look at
		for _, p := range function.Type.Params.List {
			var text strings.Builder
			ast.Inspect(p.Type, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok {
					text.WriteString(id.Name)
				}
				return true
			})
			serves = serves || strings.Contains(text.String(), "ResponseWriter") || text.String() == "target"
		}
		names := function.Name.Name
		paths := names == "Paths" || strings.HasSuffix(names, "MetadataPath")
		ast.Inspect(function.Body, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if name := called(n); (name == "Handle" || name == "HandleFunc" || name == "page") && len(n.Args) > 0 {
					add(n.Args[0])
				}
			case *ast.CompositeLit:
				if m, ok := n.Type.(*ast.MapType); ok && isHandler(m.Value) {
					for _, e := range n.Elts {
						add(e.(*ast.KeyValueExpr).Key)
					}
				}
				if _, ok := n.Type.(*ast.ArrayType); ok && paths {
					for _, e := range n.Elts {
						add(e)
					}
				}
			case *ast.AssignStmt:
				if index, ok := n.Lhs[0].(*ast.IndexExpr); ok {
					add(index.Index)
				}
			case *ast.ReturnStmt:
				if paths && len(n.Results) == 1 {
					add(n.Results[0])
				}
			case *ast.CaseClause:
				for _, e := range n.List {
					if serves {
						compared(e, add)
					}
				}
			case *ast.BinaryExpr:
				if serves && n.Op == token.EQL {
					compared(n, add)
				}
			}
			return true
		})
	}
	return all
}

func isHandler(e ast.Expr) bool {
	s, ok := e.(*ast.SelectorExpr)
	return ok && s.Sel.Name == "Handler"
}

// compared adds the paths that a condition compares with.
func compared(e ast.Expr, add func(ast.Expr)) {
	ast.Inspect(e, func(n ast.Node) bool {
		if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING && strings.HasPrefix(text.Value, `"/`) && len(text.Value) > 3 {
			add(text)
		}
		return true
	})
}
