package repotest

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

type word struct {
	pattern *regexp.Regexp
	instead string
}

// words are what the documentation does not say, and what to say instead. Readers search
// for the right-hand side, and many read English as a second language.
var words = []word{
	{regexp.MustCompile(`(?i)\bmend(s|ed|ing)?\b`), "fix"},
	{regexp.MustCompile(`(?:^|[.:] |\| |\*\*|^ *(?:[-*]|\d+\.) )Who(?:ever)? [a-z]+ [^?|.]*(?:\.|\||$)`), "a subject: a person who …, a program that …"},
	{regexp.MustCompile(`(?i)\bis gone on with\b`), "continue with"},
	{regexp.MustCompile(`(?i)\bends nowhere\b`), "has no end"},
	{regexp.MustCompile(`(?i)\b(?:here|there|where)(?:by|of|in|upon|with|unto)\b`), "by it, of it, in it"},
	{regexp.MustCompile(`(?i)\bunless told otherwise\b`), "by default"},
	{regexp.MustCompile(`(?i)\bbilled for\b`), "it costs"},
	{regexp.MustCompile(`(?i)\b(?:utili[sz]e|leverage)\b`), "use"},
	{regexp.MustCompile(`(?i)\bin order to\b`), "to"},
}

// strict is what pages and the documentation of Go names do not say either.
var strict = []word{
	{regexp.MustCompile(`(?i)\bwhoever\b`), "a person who …, anybody who …"},
	{regexp.MustCompile(`(?:^|[.:] |\*\*|^ *(?:[-*]|\d+\.) )What [^?|]*?[.;]`), "a subject: the page …, the answer …"},
	{regexp.MustCompile(`\b(?:is|are) to (?:be [a-z]+ed|have|begin|say)\b`), "must"},
	{regexp.MustCompile(`\bgo(?:es)? on (?:[a-z]+ing|as|until|where|with|when|once)\b`), "continue"},
	{regexp.MustCompile(`\bof (?:its|their) own accord\b`), "without …"},
	{regexp.MustCompile(`\bunder way\b`), "in progress"},
	{regexp.MustCompile(`\b(?:is|are) had by\b`), "has"},
}

// strictPages is what pages alone do not say.
var strictPages = []word{
	{regexp.MustCompile(`(?:^|[.:] |\*\*)Where [^?|.]*,`), "if"},
	{regexp.MustCompile(`\b(?:is|are) none\b|\bthat is no\b`), "is not a …, there is no …"},
}

// strictDocs is what pages and the documentation of Go names do not say, apart from the
// changelog, which has older entries.
var strictDocs = []word{
	{regexp.MustCompile(`\b(?:is|are|was|were) told\b|\bhears? of\b|\b(?:need|has|have) to be told\b`), "gets, is notified of"},
	{regexp.MustCompile(`\b[a-z]+s of before\b|\bsecret of before\b`), "earlier tokens"},
	{regexp.MustCompile(`\bof use once\b|\bgone for good\b`), "works once, will not return"},
}

// inCode are names, which stay as they are.
var inCode = regexp.MustCompile("`[^`]*`")

// TestWords refuses words that make pages slow to read, or that nobody searches for.
func TestWords(t *testing.T) {
	n := 0
	walk(t, func(name string, _ bool) {
		if path.Ext(name) != ".md" {
			return
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		n++
		prose := fenced.ReplaceAllStringFunc(string(text), func(block string) string {
			return strings.Repeat("\n", strings.Count(block, "\n")) // lines keep their numbers
		})
		refused := slices.Concat(words, strict, strictPages)
		if name != "CHANGELOG.md" {
			refused = append(refused, strictDocs...)
		}
		for i, line := range strings.Split(prose, "\n") {
			line = inCode.ReplaceAllString(line, "x")
			for _, w := range refused {
				if found := w.pattern.FindString(line); found != "" {
					t.Errorf("%s:%d: %q: write %s", name, i+1, strings.TrimSpace(found), w.instead)
				}
			}
		}
	})
	if n < 20 {
		t.Fatalf("found %d pages: the walk is broken", n)
	}
}

// TestRepeatedParentheses refuses a text in parentheses that follows itself, as scripts that
// replace words leave it.
func TestRepeatedParentheses(t *testing.T) {
	parenthesized := regexp.MustCompile(`\([^()]+\)`)
	walk(t, func(name string, _ bool) {
		if path.Ext(name) != ".md" {
			return
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			at := parenthesized.FindAllStringIndex(line, -1)
			for j := 1; j < len(at); j++ {
				before, again := at[j-1], at[j]
				if strings.TrimSpace(line[before[1]:again[0]]) == "" && line[before[0]:before[1]] == line[again[0]:again[1]] {
					t.Errorf("%s:%d: %s is repeated", name, i+1, line[again[0]:again[1]])
				}
			}
		}
	})
}

// shown is what pages for people do not say.
var shown = []word{
	{regexp.MustCompile(`(?i)people who (?:run|make)\b`), "support, the developers"},
	{regexp.MustCompile(`(?:^|[.:] )(?:Who|Whoever|What) [^?]*[.:]`), "a subject: the program …, your request …"},
	{regexp.MustCompile(`(?i)\b(?:was not|could not be|is) told\b`), "notified"},
	{regexp.MustCompile(`(?i)\bgo(?:es)? on\b`), "continue"},
	{regexp.MustCompile(`(?i)\blook whether\b`), "check that"},
	{regexp.MustCompile(`(?i)\bis none of\b|\btakes? no\b`), "does not belong to you, does not accept"},
}

// longestShown is the number of words in a sentence that people still read at once.
const longestShown = 25

// TestWordsOfPages refuses them, and long sentences, on the pages that people see.
func TestWordsOfPages(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "internal/pages/texts/*/en.txt"))
	if err != nil || len(files) < 5 {
		t.Fatalf("found %d files: %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			at := filepath.Base(filepath.Dir(file))
			for _, w := range shown {
				if found := w.pattern.FindString(line); found != "" {
					t.Errorf("%s:%d: %q: write %s", at, i+1, found, w.instead)
				}
			}
			for sentence := range strings.SplitSeq(line, ". ") {
				if n := len(strings.Fields(sentence)); n > longestShown {
					t.Errorf("%s:%d: a sentence of %d words: write two", at, i+1, n)
				}
			}
		}
	}
}
