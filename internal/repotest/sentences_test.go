package repotest

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// longestWritten is the number of words in a sentence of a page. Words in code, in
// parentheses and in quotation marks count as one.
const longestWritten = 25

var (
	counted = regexp.MustCompile("`[^`]*`|\\([^()]*\\)|\"[^\"]*\"")
	linked  = regexp.MustCompile(`\]\([^)]*\)`)
	ended   = regexp.MustCompile(`[.!?:;](?:\*\*)?(?: |$)| · `)
	item    = regexp.MustCompile(`^(?:[-*]|\d+\.|#+) `)
)

// TestLongSentences refuses sentences that many read twice, in pages and the changelog.
func TestLongSentences(t *testing.T) {
	n := 0
	walk(t, func(name string, _ bool) {
		if path.Ext(name) != ".md" {
			return
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paragraphs(string(text)) {
			for _, sentence := range ended.Split(counted.ReplaceAllString(linked.ReplaceAllString(p.text, "]"), "x"), -1) {
				n++
				if words := len(strings.Fields(sentence)); words > longestWritten {
					t.Errorf("%s:%d: a sentence of %d words: write two: %.80s", name, p.line, words, strings.TrimSpace(sentence))
				}
			}
		}
	})
	if n < 5000 {
		t.Fatalf("found %d sentences: the walk is broken", n)
	}
}

type paragraph struct {
	line int
	text string
}

// paragraphs are those of a page, with items of lists and cells of tables, without blocks
// of code.
func paragraphs(page string) (found []paragraph) {
	page = fenced.ReplaceAllStringFunc(page, func(block string) string {
		return strings.Repeat("\n", strings.Count(block, "\n"))
	})
	open := false
	for i, line := range strings.Split(page, "\n") {
		line = strings.TrimSpace(line)
		if cells, ok := strings.CutPrefix(line, "|"); ok {
			open = false
			for cell := range strings.SplitSeq(cells, "|") {
				found = append(found, paragraph{i + 1, cell})
			}
			continue
		}
		begins := item.MatchString(line)
		switch line = item.ReplaceAllString(line, ""); {
		case line == "":
			open = false
		case open && !begins:
			found[len(found)-1].text += " " + line
		default:
			found, open = append(found, paragraph{i + 1, line}), true
		}
	}
	return found
}
