package returnto

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// ErrRefused is in the chain of every refusal.
var ErrRefused = errors.New("redirect target refused")

// maxTarget is what a target may be long, in bytes.
const maxTarget = 2 << 10

// Rules says which targets are allowed: paths, and URLs of certain origins. The
// zero value allows paths alone.
type Rules struct {
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

// Check returns the string to write to Location, or [ErrRefused]. What it
// returns is byte for byte what was checked: write it with [Redirect], and do
// not clean, join or decode it again.
func (rules *Rules) Check(target string) (string, error) {
	if target == "" || len(target) > maxTarget {
		return "", refused("it is empty or longer than %d bytes", maxTarget)
	}
	for i := range len(target) {
		// A browser strips tabs and newlines, reads a backslash as a slash and
		// percent-encodes the rest: it would visit something else.
		if c := target[i]; c <= ' ' || c >= 0x7f || c == '\\' {
			return "", refused("it holds a space, a control character, a backslash or a byte beyond ASCII at offset %d", i)
		}
	}
	if target[0] == '/' {
		if err := checkPath(target); err != nil {
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
	if err := checkPath(rest); err != nil {
		return "", err
	}
	return origin + rest, nil
}

// checkPath takes a path with query and fragment. A second slash at the front
// would name a host, and anything that a server or proxy may resolve, decode or
// collapse could make one appear, so none of it is allowed anywhere in the path.
func checkPath(target string) error {
	path := target
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	if strings.Contains(path, "//") {
		return refused("its path has two slashes in a row")
	}
	lower := strings.ToLower(path)
	for _, hidden := range [...]string{"%2f", "%5c", "%00", "%25"} {
		if strings.Contains(lower, hidden) {
			return refused("its path hides a slash, backslash, NUL or percent sign behind %s", hidden)
		}
	}
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return refused("its path has a broken percent-encoding")
	}
	for segment := range strings.SplitSeq(decoded, "/") {
		if segment == "." || segment == ".." {
			return refused("its path has a dot segment")
		}
	}
	for i := range len(decoded) {
		if decoded[i] < ' ' || decoded[i] == 0x7f {
			return refused("its path hides a control character")
		}
	}
	if u, err := url.Parse(target); err != nil || u.Host != "" || u.Scheme != "" {
		return refused("it does not parse as a path")
	}
	return nil
}

// parseOrigin splits an absolute URL by hand: scheme, host and port in the form
// in which origins are compared, and the rest.
func parseOrigin(target string) (origin, rest string, err error) {
	scheme, after, ok := strings.Cut(target, "://")
	scheme = strings.ToLower(scheme)
	if !ok || (scheme != "https" && scheme != "http") {
		return "", "", errors.New("it is neither a path nor an https URL")
	}
	authority := after
	if i := strings.IndexAny(after, "/?#"); i >= 0 {
		authority, rest = after[:i], after[i:]
	}
	authority = strings.ToLower(authority)
	host, port := authority, ""
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && !strings.HasSuffix(authority, "]") {
		host, port = authority[:i], authority[i+1:]
		if port == "" || len(port) > 5 || strings.Trim(port, "0123456789") != "" || port[0] == '0' {
			return "", "", errors.New("its port is not a number")
		}
	}
	loopback, err := checkHost(host)
	if err != nil {
		return "", "", err
	}
	if scheme == "http" && !loopback {
		return "", "", errors.New("plain http is for this machine alone")
	}
	if port != "" && !(scheme == "https" && port == "443") && !(scheme == "http" && port == "80") {
		host += ":" + port
	}
	return scheme + "://" + host, rest, nil
}

// checkHost takes a lower-case host: names of letters, digits, hyphens and dots,
// and the loopback addresses in their one usual form.
func checkHost(host string) (loopback bool, err error) {
	if host == "127.0.0.1" || host == "[::1]" || host == "localhost" || strings.HasSuffix(host, ".localhost") {
		loopback = true
	}
	if host == "[::1]" {
		return true, nil
	}
	if host == "" || len(host) > 253 {
		return false, errors.New("it has no host")
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || label[0] == '-' {
			return false, errors.New("its host is not a plain name")
		}
	}
	// Browsers take 0x7f.1, 2130706433 and the like for IPv4 addresses.
	if last := labels[len(labels)-1]; last[0] >= '0' && last[0] <= '9' && !loopback {
		if addr, err := netip.ParseAddr(host); err != nil || !addr.Is4() {
			return false, errors.New("its host is an unusual way to write an address")
		}
	}
	return loopback, nil
}

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}

// Redirect sends the browser to a target that was checked, or that we made. It
// writes it verbatim, unlike [http.Redirect], which cleans paths and can thereby
// name a host. Nothing about the redirect is kept by caches or told in Referer.
func Redirect(w http.ResponseWriter, target string, status int) {
	h := w.Header()
	h.Set("Location", target)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
}
