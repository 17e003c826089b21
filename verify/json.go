package verify

import (
	"errors"
	"iter"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxDepth = 16  // of objects and arrays in one another
	maxNames = 512 // in one object: comparing them must stay cheap
)

// The faults of a JSON text. The caller says what they mean for the whole.
var (
	errNotJSON      = errors.New("it is not JSON")
	errNotObject    = errors.New("it is not one JSON object")
	errTooDeep      = errors.New("it is nested too deeply")
	errTooManyNames = errors.New("an object has too many names")
	errRepeatedName = errors.New("a name is repeated, or differs from another only in case")
)

// member is one name of an object, with its value as it was sent.
type member struct{ name, raw string }

// readObject reads one JSON object (RFC 8259) and nothing else: valid UTF-8, no
// broken surrogate, and no name twice in one object, also not with letters that
// fold to the same, apart from those of custom attributes. encoding/json takes the last of several such names and other
// readers the first: what one of them checked, another would not use.
func readObject(s string) ([]member, error) {
	r := reader{s: s, compared: true}
	r.space()
	if r.peek() != '{' {
		return nil, errNotObject
	}
	most := min(strings.Count(s, ":"), maxNames) // each name has one behind it
	r.members, r.names = make([]member, 0, most), make([]uint64, 0, most)
	if err := r.object(1); err != nil {
		return nil, err
	}
	r.space()
	if r.i != len(s) {
		return nil, errNotObject
	}
	return r.members, nil
}

// checkValue is readObject for a JSON text of any kind.
func checkValue(s string) error {
	r := reader{s: s, compared: true}
	if err := r.value(0); err != nil {
		return err
	}
	if r.i != len(s) {
		return errNotJSON
	}
	return nil
}

// reader goes over a JSON text once.
type reader struct {
	s        string
	i        int
	compared bool     // the names of an object, with one another
	names    []uint64 // fold hashes of the names of the objects that are open
	members  []member // of the outermost object
}

// peek returns the next byte, or 0, which is not JSON anywhere.
func (r *reader) peek() byte {
	if r.i < len(r.s) {
		return r.s[r.i]
	}
	return 0
}

func (r *reader) space() {
	for r.i < len(r.s) && (r.s[r.i] == ' ' || r.s[r.i] == '\t' || r.s[r.i] == '\n' || r.s[r.i] == '\r') {
		r.i++
	}
}

func (r *reader) object(depth int) error {
	if depth > maxDepth {
		return errTooDeep
	}
	first := len(r.names)
	r.i++ // {
	r.space()
	for more := r.peek() != '}'; more; {
		start := r.i
		if err := r.str(); err != nil {
			return err
		}
		name := unquote(r.s[start:r.i])
		if r.compared {
			if err := r.addName(first, name); err != nil {
				return err
			}
		}
		r.space()
		if r.peek() != ':' {
			return errNotJSON
		}
		r.i++
		r.space()
		start = r.i
		if err := r.value(depth); err != nil {
			return err
		}
		if depth == 1 {
			r.members = append(r.members, member{name, r.s[start:r.i]})
		}
		var err error
		if more, err = r.comma('}'); err != nil {
			return err
		}
	}
	r.i++ // }
	r.names = r.names[:first]
	return nil
}

func (r *reader) array(depth int) error {
	if depth > maxDepth {
		return errTooDeep
	}
	r.i++ // [
	r.space()
	for more := r.peek() != ']'; more; {
		if err := r.value(depth); err != nil {
			return err
		}
		var err error
		if more, err = r.comma(']'); err != nil {
			return err
		}
	}
	r.i++ // ]
	return nil
}

// comma reports whether another value follows before end.
func (r *reader) comma(end byte) (more bool, err error) {
	r.space()
	switch r.peek() {
	case ',':
		r.i++
		r.space()
		return true, nil
	case end:
		return false, nil
	}
	return false, errNotJSON
}

// addName compares a name with those that the object, whose names start at
// first, has so far. Two names with one hash are taken for the same: of the names
// that Cognito makes no two have one, and who looks for others finds a refusal.
func (r *reader) addName(first int, name string) error {
	hash := foldHash(name)
	if strings.HasPrefix(name, customPrefix) {
		hash = exactHash(name) // a pool may have custom:Team and custom:team
	}
	for _, other := range r.names[first:] {
		if other == hash {
			return errRepeatedName
		}
	}
	if len(r.names)-first >= maxNames {
		return errTooManyNames
	}
	r.names = append(r.names, hash)
	return nil
}

// value reads a value within an object or array at the given depth.
func (r *reader) value(depth int) error {
	switch r.peek() {
	case '{':
		return r.object(depth + 1)
	case '[':
		return r.array(depth + 1)
	case '"':
		return r.str()
	case 't':
		return r.word("true")
	case 'f':
		return r.word("false")
	case 'n':
		return r.word("null")
	}
	return r.number()
}

func (r *reader) word(word string) error {
	if !strings.HasPrefix(r.s[r.i:], word) {
		return errNotJSON
	}
	r.i += len(word)
	return nil
}

func (r *reader) number() error {
	if r.peek() == '-' {
		r.i++
	}
	if r.peek() == '0' {
		r.i++
	} else if !r.digits() {
		return errNotJSON
	}
	if r.peek() == '.' {
		r.i++
		if !r.digits() {
			return errNotJSON
		}
	}
	if r.peek() == 'e' || r.peek() == 'E' {
		r.i++
		if r.peek() == '+' || r.peek() == '-' {
			r.i++
		}
		if !r.digits() {
			return errNotJSON
		}
	}
	return nil
}

func (r *reader) digits() bool {
	start := r.i
	for c := r.peek(); c >= '0' && c <= '9'; c = r.peek() {
		r.i++
	}
	return r.i > start
}

func (r *reader) str() error {
	if r.peek() != '"' {
		return errNotJSON
	}
	s := r.s
	for i := r.i + 1; i < len(s); {
		switch c := s[i]; {
		case c == '"':
			r.i = i + 1
			return nil
		case c >= ' ' && c < utf8.RuneSelf && c != '\\':
			i++
		case c == '\\':
			size := escape(s[i:])
			if size == 0 {
				return errNotJSON
			}
			i += size
		default:
			_, size := utf8.DecodeRuneInString(s[i:])
			if c < ' ' || size == 1 {
				return errNotJSON
			}
			i += size
		}
	}
	return errNotJSON
}

// escape returns the length of the escape that s begins with, or 0. Half of a
// surrogate pair is none: it stands for no character, and decoders differ in what
// they put in its place.
func escape(s string) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
	default:
		return 0
	}
	high, ok := hex4(s[2:])
	if !ok {
		return 0
	}
	if !utf16.IsSurrogate(high) {
		return 6
	}
	if strings.HasPrefix(s[6:], `\u`) {
		if low, ok := hex4(s[8:]); ok && utf16.DecodeRune(high, low) != unicode.ReplacementChar {
			return 12
		}
	}
	return 0
}

// hex4 reads the four digits that s begins with.
func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(s[:4], 16, 16)
	return rune(n), err == nil
}

// unquote decodes a JSON string that a reader has passed.
func unquote(raw string) string {
	inner := raw[1 : len(raw)-1]
	plain := strings.IndexByte(inner, '\\')
	if plain < 0 {
		return inner
	}
	var b strings.Builder
	for ; plain >= 0; plain = strings.IndexByte(inner, '\\') {
		b.WriteString(inner[:plain])
		c := inner[plain+1]
		inner = inner[plain+2:]
		switch c {
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'u':
			char, _ := hex4(inner)
			inner = inner[4:]
			if utf16.IsSurrogate(char) {
				low, _ := hex4(inner[2:])
				char, inner = utf16.DecodeRune(char, low), inner[6:]
			}
			b.WriteRune(char)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteString(inner)
	return b.String()
}

// elements yields the elements of a JSON array that a reader has passed.
func elements(raw string) iter.Seq[string] {
	return func(yield func(string) bool) {
		r := reader{s: raw, i: 1}
		r.space()
		for more := r.peek() != ']'; more; {
			start := r.i
			if r.value(1) != nil || !yield(r.s[start:r.i]) {
				return
			}
			more, _ = r.comma(']')
		}
	}
}
