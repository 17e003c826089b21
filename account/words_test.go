package account

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/pages"
)

// TestEveryTextIsInEveryLanguage holds each text of the package to the catalogue.
func TestEveryTextIsInEveryLanguage(t *testing.T) {
	files := token.NewFileSet()
	seen := 0
	for _, name := range []string{"words.go", "reasons.go"} {
		file, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		check := func(n ast.Node) {
			literal, ok := n.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return
			}
			english, err := strconv.Unquote(literal.Value)
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
		for n := range ast.Preorder(file) {
			switch n := n.(type) {
			case *ast.ValueSpec:
				if kind, ok := n.Type.(*ast.Ident); ok && kind.Name == "text" {
					check(n.Values[0])
				}
				if n.Names[0].Name == "labels" {
					for _, e := range n.Values[0].(*ast.CompositeLit).Elts {
						check(e.(*ast.KeyValueExpr).Value)
					}
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "say" {
					if _, literal := n.Args[0].(*ast.BasicLit); literal {
						t.Errorf("%s: a text that is not a constant", files.Position(n.Pos()))
					}
				}
			}
		}
	}
	if seen < 100 {
		t.Errorf("%d texts were found", seen)
	}
}

// TestEveryErrorIsASentence goes through the errors that AWS's own model has for the
// operations that the pages use.
func TestEveryErrorIsASentence(t *testing.T) {
	raw, err := os.ReadFile("../localpool/internal/model/facts.json")
	if err != nil {
		t.Fatal(err)
	}
	var model struct {
		Operations map[string]struct{ Errors []string }
	}
	if err := json.Unmarshal(raw, &model); err != nil {
		t.Fatal(err)
	}
	away := []string{"InternalErrorException", "InternalServerException", "TooManyRequestsException", "OperationNotEnabledException"} // cognito.ErrUnavailable
	set := []string{                                                                                                                  // what operators have set up, and no person can mend
		"ResourceNotFoundException", "InvalidLambdaResponseException", "UnexpectedLambdaException", "InvalidEmailRoleAccessPolicyException",
		"InvalidSmsRoleAccessPolicyException", "InvalidSmsRoleTrustRelationshipException", "InvalidUserPoolConfigurationException",
	}
	v := &visit{r: httptest.NewRequest("GET", "/", nil)}
	operations := []string{"GetUser", "UpdateUserAttributes", "GetUserAttributeVerificationCode", "VerifyUserAttribute", "ChangePassword",
		"AssociateSoftwareToken", "VerifySoftwareToken", "SetUserMFAPreference", "ListWebAuthnCredentials", "DeleteWebAuthnCredential", "DeleteUser"}
	for _, operation := range operations {
		known := model.Operations[operation].Errors
		if len(known) < 3 {
			t.Fatalf("%s has %d errors", operation, len(known))
		}
		for _, code := range known {
			if strings.Contains(strings.Join(away, " "), code) {
				continue
			}
			e := &cognito.APIError{Operation: operation, Code: code}
			own, general := reasons[operation+" "+code], reasons[code]
			switch said := v.sentence(e); {
			case isOver(e), own != "", general != "":
				if strings.Contains(said, code) && !isOver(e) {
					t.Errorf("%s, %s: %q", operation, code, said)
				}
			case !strings.Contains(strings.Join(set, " "), code):
				t.Errorf("%s, %s: nobody has thought of it: %q", operation, code, said)
			}
		}
	}
}
