package gateway

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"
)

// target is what a request asks for in the one form that routes are matched
// against and upstreams are sent.
type target struct {
	host  string // lower case, without port or trailing dot
	given string // host as it came, with port
	path  string // decoded
	raw   string // path as it is sent on: the same, escaped once
	query string // as it came
}

var errTarget = errors.New("the request's target is ambiguous")

// maxTarget bounds path and query together.
const maxTarget = 16 << 10

// newTarget refuses targets that two servers could read in two ways: dot segments,
// empty segments, encoded slashes, backslashes, dots and percent signs, parameters
// of segments, control characters, what is no UTF-8.
func newTarget(method, host, rawPath, query string) (target, error) {
	refuse := func(why string) (target, error) { return target{}, fmt.Errorf("%w: %s", errTarget, why) }
	name, err := canonicalHost(host)
	if err != nil {
		return refuse("host: " + err.Error())
	}
	if len(rawPath)+len(query) > maxTarget {
		return refuse("it is too long")
	}
	if !strings.HasPrefix(rawPath, "/") || method == http.MethodConnect || method == http.MethodTrace {
		return refuse("it is no path of a resource")
	}
	path, raw := rawPath, rawPath
	if !isPlainPath(rawPath) { // nothing of what is looked for can be found in those that are
		if path, raw, err = readPath(rawPath); err != nil {
			return refuse(err.Error())
		}
	}
	// What net/url reads differently than others is not for upstreams either.
	if query != "" && (strings.ContainsAny(query, ";#\x00\r\n ") || strings.Count(query, "&") > 1000) {
		return refuse("its query is malformed")
	}
	return target{host: name, given: strings.ToLower(host), path: path, raw: raw, query: query}, nil
}

// readPath decodes a path, and escapes it again.
func readPath(rawPath string) (path, raw string, err error) {
	lower := strings.ToLower(rawPath)
	for _, trick := range [...]string{"//", "\\", ";", "#", "?", "%2f", "%5c", "%2e", "%25", "%00", "%3b", "%23", "%3f"} {
		if strings.Contains(lower, trick) {
			return "", "", errors.New("it has " + trick + " in its path")
		}
	}
	path, err = url.PathUnescape(rawPath)
	if err != nil || !utf8.ValidString(path) {
		return "", "", errors.New("its escapes are malformed")
	}
	if strings.ContainsFunc(path, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return "", "", errors.New("it has control characters")
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if segment == "." || segment == ".." {
			return "", "", errors.New("it has dot segments")
		}
	}
	return path, (&url.URL{Path: path}).EscapedPath(), nil
}

// isPlainPath reports whether a path has one reading at first sight: letters, digits,
// dashes and underscores between single slashes, and dots where a letter or digit
// stands before them.
func isPlainPath(path string) bool {
	before := byte(0)
	for i := range len(path) {
		switch c := path[i]; {
		case isAlphanumeric(c), c == '-', c == '_':
		case c == '/' && before != '/':
		case c == '.' && isAlphanumeric(before):
		default:
			return false
		}
		before = path[i]
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// canonicalHost is a Host header as routes write it.
func canonicalHost(host string) (string, error) {
	if !strings.Contains(host, ":") {
		// There is no port to split off.
	} else if h, port, err := net.SplitHostPort(host); err == nil {
		if strings.Trim(port, "0123456789") != "" {
			return "", errors.New("its port is no number")
		}
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if strings.Contains(host, ":") || strings.Trim(host, "0123456789.") == "" { // others are no addresses
		if _, err := netip.ParseAddr(host); err == nil {
			return host, nil
		}
	}
	if host == "" || len(host) > 253 || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") != "" || strings.Contains(host, "..") {
		return "", errors.New("it is no host name")
	}
	return host, nil
}

// bearerIssuer reads, without believing it, whose token a request carries.
func bearerIssuer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || len(token) > 16<<10 {
		return ""
	}
	parts := strings.Split(strings.TrimSpace(token), ".")
	if len(parts) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return ""
	}
	return claims.Issuer
}
