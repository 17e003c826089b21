package settings

import (
	"strings"
	"testing"
)

// TestYAMLInWords: what is wrong with lines, spaces and quotes is said in words of the file.
func TestYAMLInWords(t *testing.T) {
	for _, tt := range []struct {
		text string
		line int
		want string
	}{
		{"base_url: x\npools:\n\t- id: a\n", 3, "indented with a tab"},
		{"base_url: x\n\tlisten: y\n", 2, "indented with a tab"},
		{"pools:\n  - id: a\n  \tdomain: b\n", 3, "indented with a tab"},
		{"pools:\n  - id: a\n    domain: b\n   client_id: c\n", 4, "line 4 is indented by 3 spaces, which fits no line above it; lines that belong together begin at one column: 0 spaces as line 1, 4 spaces as line 2"},
		{"routes:\n  - path: /\n  upstream: x\n", 3, "line 3 is indented by 2 spaces, which fits no line above it; lines that belong together begin at one column: 0 spaces as line 1, 4 spaces as line 2"},
		{"pools:\n  id: a\n domain: b\n", 3, "line 3 is indented by 1 space, which fits no line above it"},
		{"listen: a\n  base_url: b\n", 1, "line 2 is indented by 2 spaces and belongs to a key that has its value already; begin it where line 1 begins, after 0 spaces"},
		{"pools:\n- id: a\n   domain: b\n", 2, "line 3 is indented by 3 spaces and belongs to a key that has its value already; begin it where line 2 begins, after 2 spaces"},
		{"listen: \"a\nbase_url: b\n", 1, "no closing quote of a text in double quotes"},
		{"a: 'b\n", 1, "no closing quote of a text in single quotes"},
		{"a: [b\nc: d\n", 2, "a list in brackets has no end"},
		{"listen:8080\nbase_url: x\n", 1, "no space after the colon"},
		{"listen: a: b\n", 1, "two keys on the line"},
		{"listen: @x\n", 1, "quote it"},
		{"listen: %x\n", 1, "quote it"},
	} {
		_, line, err := parseYAML([]byte(tt.text))
		if err == nil || line != tt.line || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: line %d: %v, want line %d: %s", tt.text, line, err, tt.line, tt.want)
		}
	}
}
