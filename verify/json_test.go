package verify

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestReadObject(t *testing.T) {
	tests := []struct {
		name, text string
		want       []member
	}{
		{"empty", `{}`, nil},
		{"white space", " {\t\"a\" \n:\r 1 , \"b\":2 } ", []member{{"a", "1"}, {"b", "2"}}},
		{"every kind of value", `{"a":-1.5e+3,"b":"x","c":true,"d":false,"e":null,"f":[1,[]],"g":{"h":{}}}`,
			[]member{{"a", "-1.5e+3"}, {"b", `"x"`}, {"c", "true"}, {"d", "false"}, {"e", "null"}, {"f", "[1,[]]"}, {"g", `{"h":{}}`}}},
		{"escapes in a name", `{"\u0061\n\/\"":0}`, []member{{"a\n/\"", "0"}}},
		{"every escape in a name", `{"\"\\\/\b\f\n\r\t\u00e9":0}`, []member{{"\"\\/\b\f\n\r\té", "0"}}},
		{"a surrogate pair in a name", `{"\ud83d\ude00":0}`, []member{{"😀", "0"}}},
		{"one name in different objects", `{"a":{"a":[{"a":0},{"a":1}]}}`, []member{{"a", `{"a":[{"a":0},{"a":1}]}`}}},
		{"as deep as allowed", strings.Repeat(`{"a":`, maxDepth) + "1" + strings.Repeat("}", maxDepth),
			[]member{{"a", strings.Repeat(`{"a":`, maxDepth-1) + "1" + strings.Repeat("}", maxDepth-1)}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := readObject(tt.text)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("readObject(%s) = %q, %v, want %q", tt.text, got, err, tt.want)
			}
		})
	}
}

func TestS005_ReadObjectRefuses(t *testing.T) {
	tests := []struct {
		name, text string
		want       error
	}{
		{"nothing", ``, errNotObject},
		{"white space", ` `, errNotObject},
		{"an array", `[]`, errNotObject},
		{"a string", `"{}"`, errNotObject},
		{"two objects", `{}{}`, errNotObject},
		{"something after it", `{} x`, errNotObject},
		{"a NUL after it", "{}\x00", errNotObject},
		{"a byte order mark", "\ufeff{}", errNotObject},
		{"no end", `{"a":1`, errNotJSON},
		{"no end of an array", `{"a":[1`, errNotJSON},
		{"no end of a string", `{"a":"`, errNotJSON},
		{"no name", `{1:1}`, errNotJSON},
		{"no colon", `{"a" 1}`, errNotJSON},
		{"no value", `{"a":}`, errNotJSON},
		{"a comma too many", `{"a":1,}`, errNotJSON},
		{"a comma too many in an array", `{"a":[1,]}`, errNotJSON},
		{"the wrong bracket", `{"a":[1}}`, errNotJSON},
		{"a leading zero", `{"a":01}`, errNotJSON},
		{"a plus sign", `{"a":+1}`, errNotJSON},
		{"a lone minus", `{"a":-}`, errNotJSON},
		{"no digits after the point", `{"a":1.}`, errNotJSON},
		{"no digits in the exponent", `{"a":1e}`, errNotJSON},
		{"a hexadecimal number", `{"a":0x1}`, errNotJSON},
		{"NaN", `{"a":NaN}`, errNotJSON},
		{"a misspelt word", `{"a":tru}`, errNotJSON},
		{"a comment", `{/**/}`, errNotJSON},
		{"single quotes", `{'a':1}`, errNotJSON},
		{"a control character", "{\"a\n\":1}", errNotJSON},
		{"bad UTF-8", "{\"a\":\"\xff\"}", errNotJSON},
		{"an overlong form", "{\"a\":\"\xc0\xaf\"}", errNotJSON},
		{"a surrogate in UTF-8", "{\"a\":\"\xed\xa0\x80\"}", errNotJSON},
		{"an escape of nothing", `{"a":"\`, errNotJSON},
		{"an escape cut off", `{"a":"\u00`, errNotJSON},
		{"an unknown escape", `{"a":"\x"}`, errNotJSON},
		{"a short escape", `{"a":"\u12"}`, errNotJSON},
		{"an escape with a sign", `{"a":"\u+123"}`, errNotJSON},
		{"the first half of a pair", `{"a":"\ud800"}`, errNotJSON},
		{"the second half of a pair", `{"a":"\udc00"}`, errNotJSON},
		{"two first halves", `{"a":"\ud800\ud800"}`, errNotJSON},
		{"half a pair before a letter", `{"a":"\ud800x"}`, errNotJSON},
		{"a name twice", `{"a":1,"a":1}`, errRepeatedName},
		{"a name twice, once escaped", `{"a":1,"\u0061":1}`, errRepeatedName},
		{"a name in capitals", `{"ab":1,"aB":1}`, errRepeatedName},
		{"a long s", `{"sub":1,"ſub":1}`, errRepeatedName},
		{"a Kelvin sign", "{\"k\":1,\"\u212a\":1}", errRepeatedName},
		{"capitals beyond ASCII", `{"é":1,"É":1}`, errRepeatedName},
		{"three forms of one letter", `{"σ":1,"ς":1}`, errRepeatedName},
		{"a custom name twice", `{"custom:a":1,"custom:a":1}`, errRepeatedName},
		{"a custom name twice, once escaped", `{"custom:\u0061":1,"custom:a":1}`, errRepeatedName},
		{"a custom name with its prefix in capitals", `{"custom:a":1,"CUSTOM:a":1}`, errRepeatedName},
		{"a nested name twice", `{"a":[{"b":1,"B":1}]}`, errRepeatedName},
		{"too deep an object", strings.Repeat(`{"a":`, maxDepth+1) + "1" + strings.Repeat("}", maxDepth+1), errTooDeep},
		{"too deep an array", `{"a":` + strings.Repeat(`[`, maxDepth) + strings.Repeat("]", maxDepth) + "}", errTooDeep},
		{"a megabyte of brackets", `{"a":` + strings.Repeat(`[`, 1<<20), errTooDeep},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := readObject(tt.text); got != nil || !errors.Is(err, tt.want) {
				t.Errorf("readObject() = %q, %v, want %v", got, err, tt.want)
			}
		})
	}
}

func TestS005_TooManyNames(t *testing.T) {
	object := func(names int) string {
		var b strings.Builder
		for i := range names {
			b.WriteString(`,"`)
			b.WriteString(strings.Repeat("x", i/26))
			b.WriteByte(byte('a' + i%26))
			b.WriteString(`":1`)
		}
		return "{" + b.String()[1:] + "}"
	}
	if got, err := readObject(object(maxNames)); err != nil || len(got) != maxNames {
		t.Errorf("readObject() = %d names, %v, want %d", len(got), err, maxNames)
	}
	if _, err := readObject(object(maxNames + 1)); !errors.Is(err, errTooManyNames) {
		t.Errorf("readObject() = %v, want %v", err, errTooManyNames)
	}
}

// FuzzReadObject holds the reader to the standard library's: what it accepts
// means the same to both, and it refuses nothing but what it says.
func FuzzReadObject(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1,"b":[{"c":"d\n"}],"e":null}`, `{"a":1,"a":2}`, ` {"a" : -1.5e3 } `, `{"\u0061":"\"}\ud83d\ude00"}`,
		`{"a":"\ud800"}`, "{\"\xff\":1}", `{"a":01}`, `{"K":1,"\u212a":2}`, `{"a":[[],{}]}x`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		members, err := readObject(text)
		if errors.Is(err, errNotJSON) || errors.Is(err, errNotObject) {
			if json.Valid([]byte(text)) && utf8.ValidString(text) && strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "{") &&
				!strings.Contains(text, `\u`) {
				t.Errorf("readObject(%q) = %v, but encoding/json has no fault to find", text, err)
			}
		}
		if err != nil {
			return
		}
		want := make(map[string]json.RawMessage)
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatalf("readObject(%q) accepts what encoding/json refuses: %v", text, err)
		}
		if len(members) != len(want) {
			t.Fatalf("readObject(%q) has %d names, encoding/json %d", text, len(members), len(want))
		}
		for _, m := range members {
			if string(want[m.name]) != m.raw {
				t.Errorf("readObject(%q): %q is %q, want %q", text, m.name, m.raw, want[m.name])
			}
			switch m.raw[0] {
			case '"':
				var s string
				if err := json.Unmarshal([]byte(m.raw), &s); err != nil || s != unquote(m.raw) {
					t.Errorf("unquote(%s) = %q, want %q, %v", m.raw, unquote(m.raw), s, err)
				}
			case '[':
				var list []json.RawMessage
				if err := json.Unmarshal([]byte(m.raw), &list); err != nil {
					t.Fatal(err)
				}
				got := slices.Collect(elements(m.raw))
				if !slices.EqualFunc(got, list, func(a string, b json.RawMessage) bool { return a == string(b) }) {
					t.Errorf("elements(%s) = %q, want %q", m.raw, got, list)
				}
			}
		}
		for i, a := range members {
			for _, b := range members[:i] {
				if strings.EqualFold(a.name, b.name) || fold(a.name) == fold(b.name) {
					t.Errorf("readObject(%q) accepts %q beside %q", text, a.name, b.name)
				}
			}
		}
	})
}
