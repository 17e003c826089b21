package gateway

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Servers read one path in several ways. Two steps find them all: readingsOf undoes
// what some servers undo (escapes, parameters of segments, repeated slashes), and
// canonical makes one of what some servers take for one (case, dots and blanks at the
// end). Package gateway asks the permission of every route that is found by one.

const (
	maxReadings = 64      // of one path; what has more is refused
	maxDoubtful = 4 << 10 // bytes of a path that has several
	keptSlash   = "%2F"   // an encoded slash, in the reading that takes it for text
)

// readingsOf are the ways to read a path as it was sent, the literal one first: segments
// end at slashes that are not encoded, and everything else is decoded once. doubt says
// why such a path is not for every upstream; an error, that it is for none.
func readingsOf(raw string) (all []string, doubt, err error) {
	for i := range len(raw) {
		if c := raw[i]; c <= ' ' || c == 0x7f || c == '\\' || c == '#' || c == '?' {
			return nil, nil, fmt.Errorf("it has the byte %q in its path", c)
		}
	}
	literal, err := decodeOnce(raw)
	if err != nil {
		return nil, nil, err
	}
	doubt = doubtOf(raw)
	all = make([]string, 1, 4)
	all[0] = literal
	for _, early := range [...]func(string) string{undecoded, decodeLeniently} {
		if reading := early(raw); reading != literal {
			all = append(all, reading)
		}
	}
	if doubt != nil && len(raw) > maxDoubtful {
		return nil, nil, errors.New("it is too long for a path that can be read in several ways")
	}
	for i := 0; i < len(all); i++ {
		for _, other := range [...]func(string) string{decodeLeniently, backslashes, withoutParameters, merged, cut, norm.NFKC.String} {
			if reading := other(all[i]); !slices.Contains(all, reading) {
				all = append(all, reading)
			}
		}
		if len(all) > maxReadings {
			return nil, nil, errors.New("it can be read in too many ways")
		}
	}
	for _, reading := range all {
		if err := checkReading(reading); err != nil {
			return nil, nil, err
		}
	}
	return all, doubt, nil
}

// doubtOf names what upstreams are not sent unless a route says so.
func doubtOf(raw string) error {
	if strings.Contains(raw, "//") {
		return errors.New("it has // in its path")
	}
	if i := strings.IndexByte(raw, ';'); i >= 0 {
		return errors.New("it has ; in its path")
	}
	for rest := raw; ; {
		i := strings.IndexByte(rest, '%')
		if i < 0 {
			return nil
		}
		switch escape := strings.ToLower(rest[i:min(i+3, len(rest))]); escape {
		case "%2f", "%5c", "%3b", "%25", "%23", "%3f", "%2e":
			return errors.New("it has " + escape + " in its path")
		}
		rest = rest[i+1:]
	}
}

// decodeOnce is the literal reading.
func decodeOnce(raw string) (string, error) {
	if strings.IndexByte(raw, '%') < 0 {
		return checked(raw)
	}
	var b strings.Builder
	b.Grow(len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '%' {
			b.WriteByte(raw[i])
			continue
		}
		c, ok := escapeAt(raw, i)
		if !ok {
			return "", errors.New("its escapes are malformed")
		}
		if c == '/' {
			b.WriteString(keptSlash)
		} else {
			b.WriteByte(c)
		}
		i += 2
	}
	return checked(b.String())
}

func checked(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", errors.New("its escapes are malformed")
	}
	return s, nil
}

// escapeAt is the byte that the escape at s[i] stands for.
func escapeAt(s string, i int) (byte, bool) {
	if i+2 >= len(s) {
		return 0, false
	}
	high, ok := unhex(s[i+1])
	low, ok2 := unhex(s[i+2])
	return high<<4 | low, ok && ok2
}

func unhex(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// decodeLeniently decodes every escape, and leaves what is none.
func decodeLeniently(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if c, ok := escapeAt(s, i); s[i] == '%' && ok {
			b = append(b, c)
			i += 2
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

// undecoded is what a server sees that decodes no letter, digit, dash, dot or underscore,
// because nobody has to escape them.
func undecoded(raw string) string {
	if strings.IndexByte(raw, '%') < 0 {
		return raw
	}
	b := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if c, ok := escapeAt(raw, i); raw[i] == '%' && ok && c != '/' && !isUnreserved(c) {
			b = append(b, c)
			i += 2
			continue
		}
		b = append(b, raw[i])
	}
	return string(b)
}

func isUnreserved(c byte) bool {
	return isAlphanumeric(c) || c == '-' || c == '_' || c == '.' || c == '~'
}

func backslashes(s string) string { return strings.ReplaceAll(s, "\\", "/") }

// withoutParameters is for servers of Java, which set apart what follows a semicolon.
func withoutParameters(s string) string {
	if strings.IndexByte(s, ';') < 0 {
		return s
	}
	segments := strings.Split(s, "/")
	for i, segment := range segments {
		segments[i], _, _ = strings.Cut(segment, ";")
	}
	return strings.Join(segments, "/")
}

func merged(s string) string {
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	return s
}

// cut ends a path where one that was decoded too early ends.
func cut(s string) string {
	if i := strings.IndexAny(s, "?#"); i > 0 {
		return s[:i]
	}
	return s
}

// checkReading refuses what no server is to be asked in any reading: it leads elsewhere.
func checkReading(s string) error {
	if !utf8.ValidString(s) {
		return errors.New("its escapes are malformed")
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return errors.New("it has control characters")
	}
	for segment := range strings.SplitSeq(s[min(1, len(s)):], "/") {
		if isDots(segment) {
			return errors.New("it has dot segments")
		}
	}
	return nil
}

// isDots also finds dot segments with blanks, and more than two dots, which some servers
// shorten.
func isDots(segment string) bool {
	return strings.IndexByte(segment, '.') >= 0 && strings.TrimFunc(segment, func(r rune) bool { return r == '.' || unicode.IsSpace(r) }) == ""
}
