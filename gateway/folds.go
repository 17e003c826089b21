package gateway

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

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
