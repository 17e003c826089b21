package terminal

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// TestS269_TablesShowEveryName as it is, in columns, and nothing that acts on a terminal.
func TestS269_TablesShowEveryName(t *testing.T) {
	for name, want := range map[string]string{
		"Zoë Müller": "Zoë Müller", "Zoe\u0308": "Zoe\u0308", "山田 太郎": "山田 太郎", "Алиса": "Алиса", "أليس": "أليس", "𝄞": "𝄞", "👩‍🚀": "👩‍🚀", "50% \\": "50% \\",
		"a\nb": `a\nb`, "a\tb\r": `a\tb\r`, "\x1b[2J": `\u001b[2J`, "a\u0085b": `a\u0085b`, "\x00": `\u0000`, "a\u202eb": `a\u202eb`, "\u2066x\u2069": `\u2066x\u2069`,
		"\u200ex": `\u200ex`, "\ufeffx": `\ufeffx`, "a\u00adb": `a\u00adb`, "\xff": `\xff`, "\u2028": `\u2028`, "\u3164": `\u3164`,
	} {
		if got := Printable(name); got != want {
			t.Errorf("%q is shown as %q, want %q", name, got, want)
		}
	}
	if got := Printable(strings.Repeat("ü", 300)); utf8.RuneCountInString(got) != maxShown+1 || !utf8.ValidString(got) {
		t.Errorf("a long name is shown as %q", got)
	}
	var b strings.Builder
	if err := Table(&b, "ID\tNAME\tSTATE", [][]string{{"1", "Zoë Müller", "enabled"}, {"2", "山田 太郎", "enabled"}, {"30", "Zoe\u0308 M", "a\u202eb"}}); err != nil {
		t.Fatal(err)
	}
	want := "ID  NAME        STATE\n" +
		"1   Zoë Müller  enabled\n" +
		"2   山田 太郎   enabled\n" +
		"30  Zoe\u0308 M       a\\u202eb\n"
	if b.String() != want {
		t.Errorf("the table is\n%swant\n%s", b.String(), want)
	}
}

func FuzzPrintable(f *testing.F) {
	for _, seed := range []string{"Zoë", "山田", "\x1b[2J", "\u202e", "\xff\xfe", "👩‍🚀"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Printable(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return r < 0x20 || r == 0x7f || hidden(r) }) {
			t.Errorf("%q is shown as %q", s, got)
		}
	})
}
