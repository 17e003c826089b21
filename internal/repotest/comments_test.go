package repotest

import (
	"go/ast"
	"regexp"
	"strings"
	"testing"
)

// clauses are comments that begin with a clause in place of a subject.
var clauses = regexp.MustCompile(`^(?:Who|Whom|What|Whose|Whoever|Whatever) `)

// TestCommentsHaveSubjects: a comment of code that ships begins with a subject, or with an
// imperative: "The answers to …", "A person who …", "Keep …". A question may begin with a
// pronoun.
func TestCommentsHaveSubjects(t *testing.T) {
	n := 0
	for _, f := range goFiles(t) {
		if f.test {
			continue
		}
		for _, comment := range f.syntax.Comments {
			n++
			text := strings.Join(strings.Fields(comment.Text()), " ")
			first, _, _ := strings.Cut(text, ". ")
			found := clauses.FindString(text)
			if found == "" || strings.Contains(first, "?") || names(f, found) {
				continue
			}
			t.Errorf("%s: %.60q: begin with a subject, or an imperative", f.path, text)
		}
	}
	if n < 5000 {
		t.Fatalf("found %d comments: the walk is broken", n)
	}
}

// names reports whether a file declares a function of the name that a comment begins with.
func names(f goFile, word string) bool {
	for _, d := range f.syntax.Decls {
		if function, ok := d.(*ast.FuncDecl); ok && function.Name.Name == strings.TrimSpace(word) {
			return true
		}
	}
	return false
}
