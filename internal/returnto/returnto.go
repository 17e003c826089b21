package returnto

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrRefused is in the chain of every refusal.
var ErrRefused = errors.New("redirect target refused")

// maxTarget is how long a target may be, in bytes: as long as a request of the gateway.
const maxTarget = 16 << 10

// Rules says which targets are allowed: paths, and URLs of certain origins. The
// zero value allows paths alone.
type Rules struct {
	// Encoded allows paths, too, that servers read in several ways: with encoded
	// slashes, backslashes and percent signs, and with empty segments, but for the
	// first one, which would name a host.
	Encoded bool

	origins map[string]bool
}

// New allows paths, and URLs whose origin (scheme, host and port) is exactly
// that of base or one of the others. Origins are https, or http on this machine.
// The error names every origin that is not one.
func New(base string, others []string) (*Rules, error) {
	rules := &Rules{origins: make(map[string]bool)}
	var faults []error
	for _, raw := range append([]string{base}, others...) {
		origin, rest, err := parseOrigin(strings.TrimSuffix(raw, "/"))
		if err == nil && rest != "" {
			err = errors.New("it has more than scheme, host and port")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%q is not an origin such as https://www.example.com: %w", raw, err))
			continue
		}
		rules.origins[origin] = true
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return rules, nil
}

// Check returns the string to write to Location, or [ErrRefused] with a reason:
// a path with a single slash in front, or a URL of an allowed origin. What it
// returns is byte for byte what was checked, and is what a browser will visit:
// write it with [Redirect], and do not clean, join or decode it again.
func (rules *Rules) Check(target string) (string, error) {
	if target == "" {
		return "", refused("it is empty")
	}
	if len(target) > maxTarget {
		return "", refused("it is longer than %d bytes", maxTarget)
	}
	for i := range len(target) {
		// A browser strips tabs and newlines, reads a backslash as a slash and
		// percent-encodes the rest: it would visit something else.
		if c := target[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return "", refused("it holds a space, a control character, a backslash or a byte beyond ASCII at offset %d", i)
		}
	}
	if target[0] == '/' {
		if err := rules.checkPath(target); err != nil {
			return "", err
		}
		return target, nil
	}
	origin, rest, err := parseOrigin(target)
	if err != nil {
		return "", refused("%v", err)
	}
	if !rules.origins[origin] {
		return "", refused("its origin %s is not allowed", origin)
	}
	if rest == "" || rest[0] != '/' {
		rest = "/" + rest
	}
	if err := rules.checkPath(rest); err != nil {
		return "", err
	}
	if target = origin + rest; len(target) > maxTarget {
		return "", refused("it is longer than %d bytes", maxTarget)
	}
	return target, nil
}

// encodedTwice finds an escape, such as is left of an encoding after one decoding.
var encodedTwice = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

// checkPath takes a path with query and fragment. A second slash at the front
// would name a host, and anything that a server or proxy may resolve, decode or
// collapse could make one appear: none of it is allowed anywhere in the path, or
// with Encoded none that could.
func (rules *Rules) checkPath(target string) error {
	path := target
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return refused("its path has a broken percent-encoding")
	}
	if rules.Encoded {
		err = checkReadings(path)
	} else {
		err = checkPlain(path, decoded)
	}
	if err != nil {
		return err
	}
	if u, err := url.Parse(target); err != nil || u.Host != "" || u.Scheme != "" || u.Path != decoded {
		return refused("it does not parse as a path")
	}
	return nil
}

// checkPlain refuses a path that can be read in several ways.
func checkPlain(path, decoded string) error {
	switch {
	case !utf8.ValidString(decoded):
		return refused("its path is not UTF-8")
	case strings.Contains(path, "//"):
		return refused("its path has two slashes in a row")
	case strings.Count(decoded, "/") != strings.Count(path, "/") || strings.Contains(decoded, `\`):
		return refused("its path hides a slash or a backslash")
	case strings.ContainsFunc(decoded, unicode.IsControl):
		return refused("its path hides a control character")
	case encodedTwice.MatchString(decoded):
		return refused("its path is encoded twice")
	}
	return checkSegments(decoded)
}

// maxDecoded is how often a path may be encoded.
const maxDecoded = 8

// checkReadings refuses a path that leads elsewhere however often it is decoded.
func checkReadings(path string) error {
	for range maxDecoded {
		switch {
		case len(path) > 1 && (path[1] == '/' || path[1] == '\\'):
			return refused("its path hides two slashes at the front")
		case !utf8.ValidString(path):
			return refused("its path is not UTF-8")
		case strings.ContainsFunc(path, unicode.IsControl):
			return refused("its path hides a control character")
		}
		if err := checkSegments(strings.ReplaceAll(path, `\`, "/")); err != nil {
			return err
		}
		decoded := encodedTwice.ReplaceAllStringFunc(path, func(escape string) string {
			one, _ := url.PathUnescape(escape) // it is well-formed
			return one
		})
		if decoded == path {
			return nil
		}
		path = decoded
	}
	return refused("its path is encoded too often")
}

// checkSegments refuses those that are resolved away.
func checkSegments(path string) error {
	for segment := range strings.SplitSeq(path, "/") {
		// Some servers set parameters aside before they resolve: /..;x/.
		if segment, _, _ = strings.Cut(segment, ";"); segment == "." || segment == ".." {
			return refused("its path has a dot segment")
		}
	}
	return nil
}

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}
