package repotest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// said is what a program does not say: in errors, in its log, in help, in answers to
// programs and in the names of cases of our suites.
var said = []word{
	{regexp.MustCompile(`(?i)\bwhoever\b`), "a person who …, a program that …"},
	{regexp.MustCompile(`\b(?:is|are) to be\b`), "must be"},
	{regexp.MustCompile(`\bgoes? with\b`), "needs"},
	{regexp.MustCompile(`(?i)\bmend(?:s|ed|ing)?\b`), "fix"},
	{regexp.MustCompile(`\b(?:is|are|was) none\b`), "is not a …, is not valid"},
	{regexp.MustCompile(`\bis no [a-z]`), "is not a …"},
	{regexp.MustCompile(`\bwho does\b`), "a person who …"},
	{regexp.MustCompile(`\b(?:not|is|are|was|were|be|been) told\b`), "gets, is notified"},
	{regexp.MustCompile(`\bgo(?:es)? on\b`), "continue"},
	{regexp.MustCompile(`\bunder way\b`), "in progress"},
	{regexp.MustCompile(`\btakes? no\b`), "does not accept"},
	{regexp.MustCompile(`\btells? of\b`), "reports"},
	{regexp.MustCompile(`\b(?:is|are) had\b`), "has"},
	{regexp.MustCompile(`\bof whom\b`), "whose"},
	{regexp.MustCompile(`\blook whether\b`), "check that"},
	{regexp.MustCompile(`(?:^|[.:;] )(?:Who|What|Whom|who|what) [a-z][^?]*(?:\.|$)`), "a subject: a person who …, the value …"},
}

// unsaid are uses of these words that are plain.
var unsaid = regexp.MustCompile(`\b[Tt]here (?:is|are|was) (?:none|no)\b|\bis no (?:longer|such|reason|way|more|fewer|less)\b|print what is wrong|Show who`)

// TestWordsOfMessages refuses them in every text of the code: what people, operators and
// programs read.
func TestWordsOfMessages(t *testing.T) {
	n := 0
	walk(t, func(name string, _ bool) {
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, filepath.Join(root, name), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			literal, ok := node.(*ast.BasicLit)
			if !ok || literal.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(literal.Value)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(text, " ") {
				return true
			}
			n++
			text = unsaid.ReplaceAllString(text, "")
			for line := range strings.SplitSeq(text, "\n") {
				for _, w := range said {
					if bad := w.pattern.FindString(line); bad != "" {
						t.Errorf("%s:%d: %q: write %s", name, files.Position(literal.Pos()).Line, bad, w.instead)
					}
				}
			}
			return true
		})
	})
	if n < 5000 {
		t.Fatalf("found %d texts: the walk is broken", n)
	}
}

// spellings are of American English, as in the names of Cognito, of HTTP and of Go.
var spellings = []word{
	{regexp.MustCompile(`(?i)organi[s](?:ation|e)`), "organization, organize"},
	{regexp.MustCompile(`(?i)(?:synchroni|authori|recogni|normali|initiali|canonicali|seriali)[s](?:e[sd]?|ing|ation)\b`), "-ize, -ization"},
	{regexp.MustCompile(`(?i)\b(?:col|fav|hon|neighb)[o]ur`), "-or"},
	{regexp.MustCompile(`\bbehavi[o]ur`), "behavior"},
	{regexp.MustCompile(`(?i)\b(?:un)?label[l]ed\b|\blicen[c]e`), "labeled, license"},
}

// stems are parts of these words: a file without one needs no slow search.
var stems = []string{"rganis", "hronis", "horis", "cognis", "malis", "tialis", "nicalis", "erialis", "olour", "avour", "onour", "ighbour", "haviour", "abelled", "icence"}

// spelled are the kinds of files that people read.
var spelled = []string{".go", ".md", ".yaml", ".yml", ".json", ".txt", ".html", ".sh", ".txtar", ".css", ".js"}

// TestSpelling refuses British spellings, so that a search for a word finds all of it.
func TestSpelling(t *testing.T) {
	n := 0
	walk(t, func(name string, _ bool) {
		slashed := filepath.ToSlash(name)
		if !slices.Contains(spelled, path.Ext(name)) || strings.HasPrefix(slashed, "internal/pages/texts/") && path.Base(slashed) != "en.txt" {
			return
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		n++
		lower := strings.ToLower(string(text))
		if !slices.ContainsFunc(stems, func(stem string) bool { return strings.Contains(lower, stem) }) {
			return
		}
		for i, line := range strings.Split(string(text), "\n") {
			for _, w := range spellings {
				if bad := w.pattern.FindString(line); bad != "" {
					t.Errorf("%s:%d: %q: write %s", name, i+1, bad, w.instead)
				}
			}
		}
	})
	if n < 500 {
		t.Fatalf("found %d files: the walk is broken", n)
	}
}
