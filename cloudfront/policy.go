package cloudfront

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// lastTime is the end of year 9999, beyond which a timestamp is a mistake.
const lastTime = 253402300799

// Policy says what one set of signed cookies gives access to. A policy holds exactly one statement, as
// CloudFront demands (Developer Guide, "Set signed cookies using a custom policy").
type Policy struct {
	// Resource is the URL of the files, required: CloudFront reads a policy without one as access to every
	// distribution that trusts the key. It starts with http:// or https:// and a host without wildcards. After
	// the host, * stands for any characters and ? for exactly one; a ? that starts a query matches itself. Text
	// that users can influence goes through [Segment] first.
	Resource string

	// Expires ends the access, required. The fraction of a second is cut off. A download that has begun
	// goes on.
	Expires time.Time

	// NotBefore starts the access, just after this time; a fraction is rounded up. Zero: at once.
	NotBefore time.Time

	// SourceIP limits the access to one address or range. IPv4 only: CloudFront cannot name IPv6 addresses,
	// and the distribution must then be served over IPv4 alone. Zero: any address.
	SourceIP netip.Prefix
}

// ParsePolicy reads the value of a CloudFront-Policy cookie. It accepts only the exact text that this package
// writes, so that what was compared is what CloudFront evaluates, and does not check the signature.
// The error wraps [ErrPolicy].
func ParsePolicy(value string) (Policy, error) {
	raw, err := encoding.DecodeString(value)
	if err != nil {
		return Policy{}, fmt.Errorf("decode policy: %w: %w", ErrPolicy, err)
	}
	var doc policyJSON
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		return Policy{}, fmt.Errorf("decode policy: %w: %w", ErrPolicy, err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return Policy{}, fmt.Errorf("decode policy: %w: text after its end", ErrPolicy)
	}
	if len(doc.Statement) != 1 {
		return Policy{}, fmt.Errorf("decode policy: %w: %d statements, CloudFront takes one", ErrPolicy, len(doc.Statement))
	}
	s := doc.Statement[0]
	p := Policy{Resource: s.Resource, Expires: time.Unix(s.Condition.DateLessThan.EpochTime, 0).UTC()}
	if start := s.Condition.DateGreaterThan; start != nil {
		p.NotBefore = time.Unix(start.EpochTime, 0).UTC()
	}
	if ip := s.Condition.IPAddress; ip != nil {
		if p.SourceIP, err = netip.ParsePrefix(ip.SourceIP); err != nil {
			return Policy{}, fmt.Errorf("decode policy: %w: %w", ErrPolicy, err)
		}
	}
	text, err := p.text()
	if err != nil {
		return Policy{}, err
	}
	if encoding.EncodeToString(text) != value {
		return Policy{}, fmt.Errorf("decode policy: %w: not in the form that this package writes", ErrPolicy)
	}
	return p, nil
}

type policyJSON struct {
	Statement []struct {
		Resource  string
		Condition struct {
			DateLessThan    epochJSON
			DateGreaterThan *epochJSON
			IPAddress       *struct {
				SourceIP string `json:"AWS:SourceIp"`
			} `json:"IpAddress"`
		}
	}
}

type epochJSON struct {
	EpochTime int64 `json:"AWS:EpochTime"`
}

// text returns the policy as the JSON that is signed: no white space, fixed order. For a policy of resource
// and end alone these are the very bytes that CloudFront puts together itself to check a canned policy.
func (p Policy) text() ([]byte, error) {
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("build policy for %q: %w", p.Resource, err)
	}
	// The checked resource has no character that JSON would escape.
	b := make([]byte, 0, 192+len(p.Resource))
	b = append(b, `{"Statement":[{"Resource":"`...)
	b = append(b, p.Resource...)
	b = append(b, `","Condition":{"DateLessThan":{"AWS:EpochTime":`...)
	b = strconv.AppendInt(b, p.Expires.Unix(), 10)
	b = append(b, '}')
	if !p.NotBefore.IsZero() {
		b = append(b, `,"DateGreaterThan":{"AWS:EpochTime":`...)
		b = strconv.AppendInt(b, ceilUnix(p.NotBefore), 10)
		b = append(b, '}')
	}
	if p.SourceIP != (netip.Prefix{}) {
		b = append(b, `,"IpAddress":{"AWS:SourceIp":"`...)
		b = p.SourceIP.Masked().AppendTo(b)
		b = append(b, `"}`...)
	}
	return append(b, `}}]}`...), nil
}

func (p Policy) check() error {
	if _, _, _, err := splitURL(p.Resource); err != nil {
		return fmt.Errorf("%w: %w", ErrPolicy, err)
	}
	if p.Expires.IsZero() {
		return fmt.Errorf("%w: Expires is missing", ErrPolicy)
	}
	if end := p.Expires.Unix(); end <= 0 || end > lastTime {
		return fmt.Errorf("%w: Expires is outside the years 1970 to 9999", ErrPolicy)
	}
	if !p.NotBefore.IsZero() {
		if start := ceilUnix(p.NotBefore); start < 0 || start >= p.Expires.Unix() {
			return fmt.Errorf("%w: NotBefore is not before Expires", ErrPolicy)
		}
	}
	if p.SourceIP != (netip.Prefix{}) && (!p.SourceIP.IsValid() || !p.SourceIP.Addr().Is4()) {
		return fmt.Errorf("%w: SourceIP %s: CloudFront takes IPv4 addresses and ranges only", ErrPolicy, p.SourceIP)
	}
	return nil
}

func ceilUnix(t time.Time) int64 {
	s := t.Unix()
	if t.Nanosecond() > 0 {
		s++
	}
	return s
}

// splitURL takes a resource apart and refuses what CloudFront could read differently from what was meant.
func splitURL(raw string) (scheme, host, path string, err error) {
	if raw == "" {
		return "", "", "", fmt.Errorf("the resource is missing, which CloudFront would read as every file of every distribution")
	}
	for i := range len(raw) {
		if c := raw[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"\\<>^`{|}#", c) >= 0 {
			return "", "", "", fmt.Errorf("character %q: percent-encode it, and write the host in punycode", c)
		}
	}
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || scheme != "https" && scheme != "http" {
		return "", "", "", fmt.Errorf("start it with https:// or http://, in lower case")
	}
	slash := strings.IndexByte(rest, '/')
	if slash < 0 {
		return "", "", "", fmt.Errorf("name a path after the host, for example /private/*")
	}
	host, path = rest[:slash], rest[slash:]
	name, port, hasPort := strings.Cut(host, ":")
	if hasPort {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || strconv.FormatUint(n, 10) != port {
			return "", "", "", fmt.Errorf("port %q is not a number from 1 to 65535", port)
		}
	}
	if err := checkHost(name); err != nil {
		return "", "", "", err
	}
	directory, _, _ := strings.Cut(path, "?")
	for segment := range strings.SplitSeq(directory, "/") {
		if segment == "." || segment == ".." {
			return "", "", "", fmt.Errorf("path segment %q: browsers remove it before they ask", segment)
		}
	}
	return scheme, name, path, nil
}

// checkHost accepts a host name in the one form in which browsers send it: lower case, punycode, no
// wildcard, no dot at its end.
func checkHost(host string) error {
	if strings.ContainsAny(host, "*?") {
		return fmt.Errorf("host %q: a wildcard would cover hosts that are not yours; name the host", host)
	}
	if host == "" || len(host) > 253 {
		return fmt.Errorf("host %q: between 1 and 253 characters are needed", host)
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return fmt.Errorf("host %q is not a host name", host)
		}
		for i := range len(label) {
			if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return fmt.Errorf("host %q: write it in lower case and punycode, without %q", host, c)
			}
		}
	}
	return nil
}

// Segment returns a text that users can influence, a subject or a file name, unchanged if it can stand as one
// path segment of a resource: letters, digits, and - . _ ~ between them. Anything else is refused with
// [ErrSegment] rather than encoded: * and ? would widen the resource, / would move it, and a percent-encoded
// text matches only requests that encode it the same way.
func Segment(text string) (string, error) {
	if text == "" || text == "." || text == ".." || len(text) > 255 {
		return "", fmt.Errorf("use %q in a resource: %w", text, ErrSegment)
	}
	for i := range len(text) {
		c := text[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte("-._~", c) < 0 {
			return "", fmt.Errorf("use %q in a resource: %w: character %q", text, ErrSegment, c)
		}
	}
	return text, nil
}
