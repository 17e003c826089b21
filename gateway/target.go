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

	"github.com/codegrant/codegrant/internal/quotas"
)

// target is what a request asks for in the one form that routes are matched
// against and upstreams are sent.
type target struct {
	host  string // lower case, without port or trailing dot
	given string // host as it came, with port
	path  string // decoded: the literal reading
	raw   string // path as it came, and is sent on
	query string // as it came
	mark  bool   // there is a ? although the query is empty

	readings []string // all of them, where there is more than one
	settled  bool     // no server folds the path into another one
	doubt    error    // why it is only for upstreams of routes that say so; nil: it is for all
}

var errTarget = errors.New("the request's target is ambiguous")

// maxTarget bounds path and query together.
const maxTarget = 16 << 10

// maxLogin bounds those of a link to sign in, which has a target in its query: escaped
// once more, each byte can take three.
const maxLogin = 3*maxTarget + 1<<10

// newTarget refuses targets that no server is to be asked: dot segments in any reading,
// control characters, what is not UTF-8. Those that two servers could read in two ways
// have a doubt: empty segments, encoded slashes, backslashes, dots and percent signs,
// parameters of segments.
func newTarget(method, host, rawPath, query string) (target, error) {
	refuse := func(why string) (target, error) { return target{}, fmt.Errorf("%w: %s", errTarget, why) }
	name, err := canonicalHost(host)
	if err != nil {
		return refuse("host: " + err.Error())
	}
	limit := maxTarget
	if strings.HasSuffix(rawPath, "/login") {
		limit = maxLogin
	}
	if len(rawPath)+len(query) > limit {
		return refuse("it is too long")
	}
	if !strings.HasPrefix(rawPath, "/") || method == http.MethodConnect || method == http.MethodTrace {
		return refuse("it is not a path of a resource")
	}
	t := target{host: name, given: strings.ToLower(host), path: rawPath, raw: rawPath, query: query}
	// Nothing of what is looked for can be found in plain ones.
	if t.settled = isSettled(rawPath); !t.settled && !isPlainPath(rawPath) {
		readings, doubt, err := readingsOf(rawPath)
		if err != nil {
			return refuse(err.Error())
		}
		t.path, t.doubt = readings[0], doubt
		if len(readings) > 1 {
			t.readings = readings
		}
	}
	// Upstreams may read a query differently than net/url: refuse one that is ambiguous.
	if query != "" {
		if strings.ContainsAny(query, "#\x00\r\n ") || strings.Count(query, "&") > 1000 {
			return refuse("its query is malformed")
		}
		if t.doubt == nil && strings.IndexByte(query, ';') >= 0 {
			t.doubt = errors.New("it has ; in its query")
		}
	}
	return t, nil
}

// plainTarget is newTarget for where nothing may be in doubt.
func plainTarget(method, host, rawPath, query string) (target, error) {
	t, err := newTarget(method, host, rawPath, query)
	if err == nil && t.doubt != nil {
		err = fmt.Errorf("%w: %w", errTarget, t.doubt)
	}
	return t, err
}

// pathOf is the path of a request as the client wrote it, and whether a question mark
// stands behind it without a query.
func pathOf(r *http.Request) (raw string, mark bool) {
	raw, _, _ = strings.Cut(r.RequestURI, "?")
	if raw == r.URL.Path {
		return raw, r.URL.ForceQuery
	}
	// A handler in front of the gateway in this process may have changed the URL.
	if path, err := url.PathUnescape(raw); err != nil || path != r.URL.Path || raw == "" {
		raw = r.URL.EscapedPath()
	}
	return raw, r.URL.ForceQuery
}

// upstreamURL is what an upstream is asked for, byte for byte what the client asked for:
// less the route's path where that is to be taken off.
func upstreamURL(t target, r *route) url.URL {
	raw := t.raw
	if r.StripPrefix {
		// It was matched by whole segments, each of which is one here too.
		for range strings.Count(strings.TrimSuffix(r.Path, "/"), "/") {
			i := strings.IndexByte(raw[1:], '/')
			if i < 0 {
				raw = "/"
				break
			}
			raw = raw[1+i:]
		}
	}
	out := url.URL{Scheme: "http", Host: "upstream.invalid", Path: raw, RawPath: raw, RawQuery: t.query, ForceQuery: t.mark}
	if isPlainPath(raw) {
		return out
	}
	if path, err := url.PathUnescape(raw); err == nil {
		out.Path = path
	}
	if !strings.HasPrefix(raw, "//") && out.EscapedPath() != raw {
		out.Opaque = raw // net/url would write it in another way
	}
	return out
}

// isSettled reports whether a path has one reading, and no server folds it into another
// one: small letters, digits, dashes and underscores between single slashes, none of
// them at its end.
func isSettled(path string) bool {
	before := byte(0)
	for i := range len(path) {
		c := path[i]
		if !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '/' && before != '/') {
			return false
		}
		before = c
	}
	return before != '/' || len(path) == 1
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
			return "", errors.New("its port is not a number")
		}
		if strings.Contains(h, ":") != strings.HasPrefix(host, "[") {
			return "", errors.New("brackets are for addresses of IPv6")
		}
		host = h
	} else if inner, ok := strings.CutPrefix(host, "["); ok {
		if host, ok = strings.CutSuffix(inner, "]"); !ok || !strings.Contains(host, ":") {
			return "", errors.New("it is not a host name")
		}
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if strings.Contains(host, ":") || strings.Trim(host, "0123456789.") == "" { // others are no addresses
		if ip, err := netip.ParseAddr(host); err == nil && ip.Zone() == "" {
			if ip.Is4() {
				return host, nil // there is one way to write it
			}
			return ip.String(), nil
		}
	}
	if host == "" || len(host) > 253 || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-._") != "" ||
		host[0] == '.' || host[len(host)-1] == '.' || strings.Contains(host, "..") {
		return "", errors.New("it is not a host name")
	}
	return host, nil
}

// bearerIssuer reads, without believing it, whose token a request carries.
func bearerIssuer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || len(token) > quotas.TokenBytes {
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
