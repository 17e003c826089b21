package terminal

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// maxShown bounds, in characters, what a server said before it comes to a terminal.
const maxShown = 200

// Printable is a text of somebody else's as a terminal may show it: every character that
// is printed, as it is. Controls and what turns the direction of a line around are shown
// escaped, as is what is not UTF-8: they could hide or move what stands beside them.
func Printable(s string) string {
	var b strings.Builder
	shown := 0
	for i := 0; i < len(s); shown++ {
		if shown == maxShown {
			b.WriteString("…")
			break
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\t' || r == '\n' || r == '\r':
			b.WriteString(map[rune]string{'\t': `\t`, '\n': `\n`, '\r': `\r`}[r])
		case hidden(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
		i += size
	}
	return b.String()
}

// hidden reports whether a character would not be seen, or would act on others. Joiners
// and variation selectors are parts of what is seen.
func hidden(r rune) bool {
	switch {
	case r == '\u200c' || r == '\u200d':
		return false
	case unicode.IsGraphic(r):
		return r == '\u2028' || r == '\u2029' || r == '\u115f' || r == '\u1160' || r == '\u3164' || r == '\uffa0'
	}
	return true // controls, direction overrides and isolates, tags, what is private or no character
}

// column widths: East Asian characters take two columns, combining ones none.
var widths = func() *runewidth.Condition {
	c := runewidth.NewCondition()
	c.EastAsianWidth = false // whether ambiguous ones are wide is for the terminal to say; most say no
	return c
}()

// Table prints rows in columns.
func Table(w io.Writer, header string, rows [][]string) error {
	lines := append([][]string{strings.Split(header, "\t")}, rows...)
	var columns []int
	for n, row := range lines {
		for i, cell := range row {
			if n > 0 {
				cell = Printable(cell)
				row[i] = cell
			}
			if i == len(columns) {
				columns = append(columns, 0)
			}
			columns[i] = max(columns[i], widths.StringWidth(cell))
		}
	}
	var b strings.Builder
	for _, row := range lines {
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", columns[i]-widths.StringWidth(cell)+2))
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func PrintJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

func ShortTime(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

func Plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
