package verify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// member is one name of an object with its value as it was sent.
type member struct {
	name string
	raw  []byte
}

const maxDepth = 16

// readObject reads one JSON object strictly: valid UTF-8, nothing after it, no
// name twice and no two that differ in case alone, at any depth. encoding/json
// takes the last of several names, and folds case: what one reader checks,
// another would not use.
func readObject(b []byte) ([]member, error) {
	if !utf8.Valid(b) {
		return nil, fmt.Errorf("%w: it is not UTF-8", ErrMalformed)
	}
	// The standard library judges the grammar; the walk below can then rely on it.
	if !json.Valid(b) {
		return nil, fmt.Errorf("%w: it is not JSON", ErrMalformed)
	}
	w := walker{b: b}
	w.space()
	if w.b[w.i] != '{' {
		return nil, fmt.Errorf("%w: it is not an object", ErrMalformed)
	}
	return w.object(1)
}

// walker walks JSON that is known to be valid.
type walker struct {
	b []byte
	i int
}

func (w *walker) space() {
	for w.i < len(w.b) && (w.b[w.i] == ' ' || w.b[w.i] == '\t' || w.b[w.i] == '\n' || w.b[w.i] == '\r') {
		w.i++
	}
}

func (w *walker) object(depth int) ([]member, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%w: it is nested too deeply", ErrMalformed)
	}
	members := make([]member, 0, 24)
	w.i++ // {
	w.space()
	for w.b[w.i] != '}' {
		start := w.i
		w.skipString()
		name, err := unquote(w.b[start:w.i])
		if err != nil {
			return nil, err
		}
		w.space()
		w.i++ // :
		w.space()
		start = w.i
		if err := w.value(depth + 1); err != nil {
			return nil, err
		}
		for _, m := range members {
			if sameFolded(m.name, name) {
				return nil, fmt.Errorf("%w: a name is repeated, or differs from another in case alone", ErrMalformed)
			}
		}
		members = append(members, member{name, w.b[start:w.i]})
		w.space()
		if w.b[w.i] == ',' {
			w.i++
			w.space()
		}
	}
	w.i++ // }
	return members, nil
}

func (w *walker) value(depth int) error {
	switch w.b[w.i] {
	case '{':
		_, err := w.object(depth)
		return err
	case '[':
		if depth > maxDepth {
			return fmt.Errorf("%w: it is nested too deeply", ErrMalformed)
		}
		w.i++
		w.space()
		for w.b[w.i] != ']' {
			if err := w.value(depth + 1); err != nil {
				return err
			}
			w.space()
			if w.b[w.i] == ',' {
				w.i++
				w.space()
			}
		}
		w.i++
	case '"':
		w.skipString()
	default: // a number, true, false or null
		for w.i < len(w.b) && !strings.ContainsRune(",]} \t\r\n", rune(w.b[w.i])) {
			w.i++
		}
	}
	return nil
}

func (w *walker) skipString() {
	for w.i++; w.b[w.i] != '"'; w.i++ {
		if w.b[w.i] == '\\' {
			w.i++
		}
	}
	w.i++
}

// unquote decodes a JSON string. A lone surrogate, which decoders replace by
// different things, is refused.
func unquote(raw []byte) (string, error) {
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') < 0 {
		return string(inner), nil
	}
	var s string
	if json.Unmarshal(raw, &s) != nil || (strings.ContainsRune(s, utf8.RuneError) && !bytes.Contains(raw, []byte(string(utf8.RuneError)))) {
		return "", fmt.Errorf("%w: a string has a broken escape", ErrMalformed)
	}
	return s, nil
}

func sameFolded(a, b string) bool {
	if a == b {
		return true
	}
	if len(a) == len(b) && isASCII(a) && isASCII(b) {
		return strings.EqualFold(a, b)
	}
	return !(isASCII(a) && isASCII(b)) && strings.EqualFold(a, b)
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// folded returns the form in which registered names are compared: lower case,
// also for the letters beyond ASCII that fold to ASCII ones (ſ and the Kelvin
// sign).
func folded(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return strings.Map(func(r rune) rune {
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			if f < utf8.RuneSelf {
				return unicode.ToLower(f)
			}
		}
		return unicode.ToLower(r)
	}, s)
}
