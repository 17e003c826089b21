package repotest

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// face lists what the root package exports, by what a program does with it. A name that is
// not there can be added at any time, and one that is there cannot be taken away: a new
// one is for what a program cannot do without it. Why an error is on the list is in
// errors.go, at the error; one that nobody can receive, or act on, is for the log.
var face = map[string]string{
	"to begin":                         "Auth Config ConfigFromEnv New",
	"to learn who is asking":           "From Identity",
	"to tell proofs apart":             "Method MethodBasic MethodBearer MethodLoadBalancer MethodSession MethodSharedTokens",
	"to add a proof":                   "Authenticator BasicAuth",
	"to say who may":                   "All Any HasScope InAnyGroup InGroup Not Permission PermissionFunc ReadOnly SignedIn",
	"to have people sign in again":     "MinimumLevel SignedInWithin StepUpError",
	"to let services call":             "Machine",
	"to say who may act for others":    "Actor AllowActors AnyActor",
	"to guard in words of its own":     "TokenRules",
	"to choose whose groups count":     "GroupSource GroupsOfBoth GroupsOfReplica GroupsOfToken",
	"to tell people of a sign-in":      "Flash FlashMessage",
	"to refuse a sign-in for a while":  "TooManySignIns",
	"to know what an answer means":     "ErrForbidden ErrInvalid ErrMachineToken ErrSessionEnded ErrUnavailable",
	"to trace work beside requests":    "WorkRefresh WorkRevocation",
	"to find an app client's sessions": "SessionPool",
	"to have pages look like its own":  "PageColors Pages",
	"to let people act for a company":  "InOrganization Organization",
	"to let people link identities":    "Proven",
	"to let people end their sessions": "Everywhere LiveSession NotDone OwnSessions",
}

// TestFace holds the root package to the list.
func TestFace(t *testing.T) {
	listed := make(map[string]bool)
	for _, names := range face {
		for name := range strings.FieldsSeq(names) {
			listed[name] = true
		}
	}
	exported := func(ident *ast.Ident) {
		if ident.IsExported() && !listed[ident.Name] {
			t.Errorf("the root package exports %s: unexport it, or list it in internal/repotest, by what a program does with it", ident.Name)
		}
		delete(listed, ident.Name)
	}
	for _, f := range goFiles(t) {
		if f.test || f.dir() != "." {
			continue
		}
		for _, decl := range f.syntax.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Recv == nil {
					exported(decl.Name)
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						exported(spec.Name)
					case *ast.ValueSpec:
						for _, ident := range spec.Names {
							exported(ident)
						}
					}
				}
			}
		}
	}
	var gone []string
	for name := range listed {
		gone = append(gone, name)
	}
	slices.Sort(gone)
	if len(gone) > 0 {
		t.Errorf("the root package no longer exports %v: take them off the list", gone)
	}
}
