package doctor

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
)

// exact is what a fix names: a command, a variable of the environment, an option, a permission,
// or a key of the file.
var exact = regexp.MustCompile(`\baws (cognito-idp|logs) |\bcodegrant (doctor|migrate|serve|sync|users)|\b(systemctl|journalctl|GRANT|DELETE FROM) |` +
	`\b[A-Z][A-Z0-9]*(_[A-Z0-9]+)+\b|--[a-z]|\bcognito-idp:[A-Z]|\b(broker|trusted_proxies|cookie_name|limits|redis|routes|replica|ops_listen|tls\.certificate_file)\b`)

// literals are the strings that an expression is made of, also those of what it names in the
// package.
type literals struct {
	named map[string][]ast.Node // by what they are named, in whichever function
	seen  map[string]bool
	text  strings.Builder
}

func (l *literals) collect(node ast.Node) {
	ast.Inspect(node, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if n.Kind == token.STRING {
				l.text.WriteString(strings.Trim(n.Value, "`\"") + " ")
			}
		case *ast.Ident:
			if !l.seen[n.Name] {
				l.seen[n.Name] = true
				for _, of := range l.named[n.Name] {
					l.collect(of)
				}
			}
		}
		return true
	})
}

// TestEachFixIsExact: whatever doctor finds, its fix names a command, a variable, an option or a
// key. The code is read, so that no finding is forgotten.
func TestEachFixIsExact(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[string][]ast.Node)
	var calls []*ast.CallExpr
	set := token.NewFileSet()
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil || n.Name.Name == "mendRefusal" {
					named[n.Name.Name] = append(named[n.Name.Name], n.Body)
				}
			case *ast.ValueSpec:
				for i, name := range n.Names {
					if i < len(n.Values) {
						named[name.Name] = append(named[name.Name], n.Values[i])
					}
				}
			case *ast.AssignStmt:
				for i, left := range n.Lhs {
					if name, ok := left.(*ast.Ident); ok && len(n.Lhs) == len(n.Rhs) {
						named[name.Name] = append(named[name.Name], n.Rhs[i])
					}
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && (f.Sel.Name == "fault" || f.Sel.Name == "warn") && len(n.Args) > 2 {
					calls = append(calls, n)
				}
			}
			return true
		})
	}
	if len(calls) < 50 {
		t.Fatalf("%d findings with a fix: they are found in another way now", len(calls))
	}
	for _, call := range calls {
		l := &literals{named: named, seen: map[string]bool{"err": true, "c": true, "e": true, "s": true, "endpoints": true, "config": true}}
		l.collect(call.Args[1])
		// Those of accounts in people's way are of another package, and have a test there.
		if of, ok := call.Args[1].(*ast.CallExpr); ok && isSelector(of.Fun, "Printable") {
			continue
		}
		if !exact.MatchString(l.text.String()) {
			t.Errorf("%s: a fix that names nothing: %q", set.Position(call.Pos()), l.text.String())
		}
	}
}

func isSelector(e ast.Expr, name string) bool {
	s, ok := e.(*ast.SelectorExpr)
	return ok && s.Sel.Name == name
}

// TestDoctorNamesTheVariableThatWasSet: origins of the pages of the Python package come from
// their own variables, and not from one that nobody set.
func TestDoctorNamesTheVariableThatWasSet(t *testing.T) {
	for _, tt := range []struct {
		variable, value string
		level           level
		found           string
	}{
		{"AUTH_COGNITO_REDIRECT_URL", "https://www.example.com/start", warning, "https://www.example.com (AUTH_COGNITO_REDIRECT_URL) is a return origin"},
		{"LOGIN_FORM_VIEW_URL", "https://login.example.com/form", warning, "https://login.example.com (LOGIN_FORM_VIEW_URL) is a return origin"},
		{"CODEGRANT_RETURN_ORIGINS", "https://shop.example.com", warning, "https://shop.example.com (CODEGRANT_RETURN_ORIGINS) is a return origin"},
		{"AUTH_COGNITO_REDIRECT_URL", "http://www.example.com/start", fault, `AUTH_COGNITO_REDIRECT_URL: "http://www.example.com" is not an origin`},
		{"LOGIN_FORM_VIEW_URL", "http://login.example.com/form", fault, `LOGIN_FORM_VIEW_URL: "http://login.example.com" is not an origin`},
	} {
		t.Run(tt.variable+" "+tt.value, func(t *testing.T) {
			commandtest.Healthy(t)
			t.Setenv(tt.variable, tt.value)
			findings, _ := examine(t)
			if !slices.ContainsFunc(findings, func(f finding) bool { return f.Level == tt.level && strings.Contains(f.Found, tt.found) }) {
				t.Errorf("want %s in %+v", tt.found, findings)
			}
			for _, f := range findings {
				if tt.variable != "CODEGRANT_RETURN_ORIGINS" && strings.Contains(f.Found, "CODEGRANT_RETURN_ORIGINS") && f.Level == warning {
					t.Errorf("nobody set this: %+v", f)
				}
			}
		})
	}
}

// TestUpdatePoolKeepsTheRest: the command that fixes a pool gives the API all that was there, and
// the one change. All that the API would set back is in the list.
func TestUpdatePoolKeepsTheRest(t *testing.T) {
	text, err := os.ReadFile("../../../../localpool/internal/model/facts.json")
	if err != nil {
		t.Fatal(err)
	}
	var facts struct {
		Shapes map[string]struct{ M [][2]string }
	}
	if err := json.Unmarshal(text, &facts); err != nil {
		t.Fatal(err)
	}
	var members []string
	for _, m := range facts.Shapes["UpdateUserPoolRequest"].M {
		if m[0] != "UserPoolId" && m[0] != "PoolName" {
			members = append(members, m[0])
		}
	}
	if ours := slices.Sorted(slices.Values(poolSettings)); !slices.Equal(ours, slices.Sorted(slices.Values(members))) {
		t.Errorf("the API takes %q, the command keeps %q", members, ours)
	}
	if _, err := exec.LookPath("jq"); err != nil {
		return // the command is for people who have it
	}
	dir := t.TempDir()
	aws := `#!/bin/sh
case "$2" in
describe-user-pool) echo '{"Id":"eu-west-1_Ab12Cd34E","Name":"shop","Arn":"a","CreationDate":1,"UserPoolTier":"LITE","MfaConfiguration":"ON","AdminCreateUserConfig":{"AllowAdminCreateUserOnly":true,"UnusedAccountValidityDays":7}}' ;;
update-user-pool) cat "${4#file://}" > sent.json ;;
esac
`
	if err := os.WriteFile(filepath.Join(dir, "aws"), []byte(aws), 0o700); err != nil {
		t.Fatal(err)
	}
	shell := exec.CommandContext(t.Context(), "sh", "-c", updatePool("eu-west-1_Ab12Cd34E", `.UserPoolTier = "ESSENTIALS"`))
	shell.Dir, shell.Env = dir, append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	if out, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	sent, err := os.ReadFile(filepath.Join(dir, "sent.json"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(sent, &got); err != nil {
		t.Fatal(err)
	}
	again, _ := json.Marshal(got)
	if want := `{"AdminCreateUserConfig":{"AllowAdminCreateUserOnly":true},"MfaConfiguration":"ON","PoolName":"shop","UserPoolId":"eu-west-1_Ab12Cd34E","UserPoolTier":"ESSENTIALS"}`; string(again) != want {
		t.Errorf("sent %s, want %s", again, want)
	}
}
