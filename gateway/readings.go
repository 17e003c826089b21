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

// behindFrontController is what PHP is told as PATH_INFO.
func behindFrontController(s string) string {
	if i := indexFold(s, frontController+"/"); i >= 0 {
		return s[i+len(frontController):]
	}
	return s
}

const frontController = "/index.php"

// indexFold is strings.Index for a lower-case ASCII substr.
func indexFold(s, substr string) int {
	for i := 0; i+len(substr) <= len(s); i++ {
		if s[i] == '/' && strings.EqualFold(s[i:i+len(substr)], substr) {
			return i
		}
	}
	return -1
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

// folds are what servers take for one path, as bits.
type folds uint8

const (
	foldCase      folds = 1 << iota // letters in upper and lower case
	foldDots                        // a segment with and without dots and blanks at its ends
	foldSlash                       // a path with and without a slash at its end
	foldFront                       // a path with and without the script that serves all, such as /index.php/a
	foldExtension                   // a path with and without an extension such as .json

	foldPlain = foldCase | foldDots | foldSlash | foldFront // those that canonical does
	foldAll   = foldPlain | foldExtension
)

// canonical makes one of all that servers with these folds take for one. Of most paths
// it is the path itself.
func canonical(path string, by folds) string {
	if !isCanonical(path) {
		if by&foldCase != 0 {
			path = lower(path)
		}
		if by&foldDots != 0 {
			path = withoutDots(path)
		}
	}
	if by&foldFront != 0 {
		path = behindFrontController(path)
	}
	if by&foldSlash != 0 && len(path) > 1 && path[len(path)-1] == '/' {
		path = "/" + strings.Trim(path, "/")
	}
	return path
}

// withoutDots takes dots and blanks from the ends of segments, and segments that are
// nothing else.
func withoutDots(path string) string {
	segments := strings.Split(path, "/")
	kept := segments[:0]
	for i, segment := range segments {
		trimmed := strings.TrimRightFunc(strings.TrimLeftFunc(segment, unicode.IsSpace), func(r rune) bool { return r == '.' || unicode.IsSpace(r) })
		if trimmed == "" && segment != "" && i > 0 {
			continue
		}
		kept = append(kept, trimmed)
	}
	if len(kept) == 1 {
		kept = append(kept, "")
	}
	return strings.Join(kept, "/")
}

// isCanonical reports whether a path is canonical at first sight, but for a slash at its
// end.
func isCanonical(path string) bool {
	for i := range len(path) {
		if c := path[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '/' || c == '~') {
			return c == '.' && isCanonicalWithDots(path[i:])
		}
	}
	return true
}

// isCanonicalWithDots is isCanonical for what begins with a dot: none stands before a slash
// or the end.
func isCanonicalWithDots(rest string) bool {
	for i := range len(rest) {
		switch c := rest[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_', c == '~':
		case c == '.' && i+1 < len(rest) && rest[i+1] != '/':
		case c == '/':
		default:
			return false
		}
	}
	return true
}

// lower makes one of letters that differ in case, width or form alone.
func lower(s string) string {
	ascii := true
	for i := range len(s) {
		ascii = ascii && s[i] < utf8.RuneSelf
	}
	if ascii {
		return strings.ToLower(s)
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case r == 'ı' || r == 'İ': // the i of Turkish, which other languages' upper case has in common
			return 'i'
		case unicode.Is(unicode.Cf, r), r == '\u0307':
			return -1 // nobody sees it, and some file systems do not either
		}
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return unicode.ToLower(least)
	}, norm.NFKC.String(s))
	return norm.NFKC.String(s)
}

// withoutExtension is the path that a server takes for one with a format at its end,
// such as /admin for /admin.json; empty where there is none.
func withoutExtension(path string) string {
	slash := strings.LastIndexByte(path, '/')
	if dot := strings.LastIndexByte(path, '.'); dot > slash+1 && dot < len(path)-1 {
		return path[:dot]
	}
	return ""
}
