package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/codegrant/codegrant"
)

// Headers names what an upstream is told about who is asking. Each is sent with
// every request, empty where there is nothing to tell, so that a value of the
// client's can never stand in its place. Values are ASCII: other characters, and
// percent signs and control characters, are percent-encoded as UTF-8; within
// Groups and Scopes a comma too.
type Headers struct {
	Subject   string // sub. Defaults to X-Auth-Subject
	Username  string // Defaults to X-Auth-Username
	Email     string // if verified. Defaults to X-Auth-Email
	Name      string // Defaults to X-Auth-Name
	Groups    string // separated by commas. Defaults to X-Auth-Groups
	Scopes    string // separated by commas. Defaults to X-Auth-Scopes
	UserID    string // row of the replica. Defaults to X-Auth-User-Id
	Issuer    string // Defaults to X-Auth-Issuer
	Assertion string // signed. Defaults to X-Auth-Assertion
}

// headerNames is Headers with defaults, in canonical form.
type headerNames struct {
	Headers
	all    []string
	folded map[string]bool
	// lengths has a bit for each length of a name, so that most headers of a
	// request are told from ours by that alone.
	lengths uint64
}

// managed reports whether a header could be taken for one of ours.
func (n *headerNames) managed(name string) bool {
	if len(name) < 64 && n.lengths&(1<<len(name)) == 0 {
		return false
	}
	return n.folded[fold(name)]
}

func (h Headers) resolve() (headerNames, error) {
	n := headerNames{Headers: h, folded: make(map[string]bool)}
	var faults []error
	for _, name := range []struct {
		field    *string
		fallback string
	}{
		{&n.Subject, "X-Auth-Subject"}, {&n.Username, "X-Auth-Username"}, {&n.Email, "X-Auth-Email"}, {&n.Name, "X-Auth-Name"},
		{&n.Groups, "X-Auth-Groups"}, {&n.Scopes, "X-Auth-Scopes"}, {&n.UserID, "X-Auth-User-Id"}, {&n.Issuer, "X-Auth-Issuer"},
		{&n.Assertion, "X-Auth-Assertion"},
	} {
		if *name.field == "" {
			*name.field = name.fallback
		}
		*name.field = http.CanonicalHeaderKey(*name.field)
		if !httpguts.ValidHeaderFieldName(*name.field) || slices.Contains(reservedHeaders, *name.field) {
			faults = append(faults, fmt.Errorf("%q cannot be the name of an identity header", *name.field))
		}
		if n.folded[fold(*name.field)] {
			faults = append(faults, fmt.Errorf("%s is used twice", *name.field))
		}
		n.folded[fold(*name.field)] = true
		if len(*name.field) < 64 {
			n.lengths |= 1 << len(*name.field)
		}
		n.all = append(n.all, *name.field)
	}
	return n, errors.Join(faults...)
}

// reservedHeaders mean something else to everybody.
var reservedHeaders = []string{"Host", "Cookie", "Set-Cookie", "Authorization", "Connection", "Content-Length", "Content-Type", "Transfer-Encoding", "Upgrade", "Te", "Trailer", "Location"}

// fold makes one name of all that CGI, WSGI and their kin make one variable of.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return '-'
	}, name)
}

// withoutIdentity returns the request without headers that could be taken for the
// gateway's own, and with nothing that could take the gateway's own away. That
// somebody sent such headers is told: it is an attack, or a proxy that is set up
// wrongly.
func (g *Gateway) withoutIdentity(r *http.Request) *http.Request {
	out := r
	var removed []string
	for name := range r.Header {
		if g.headers.managed(name) {
			if out == r {
				out = r.Clone(r.Context())
			}
			delete(out.Header, name)
			removed = append(removed, name)
		}
	}
	if len(removed) > 0 {
		g.tellRemoved(r, removed)
	}
	return out
}

// poolFor names the tenant that a request is judged by, for the log; empty where its
// host is none.
func (g *Gateway) poolFor(r *http.Request) slog.Attr {
	name := ""
	if t, err := newTarget(r.Method, r.Host, "/", ""); err == nil {
		name = g.tenantOf(r, t).Name
	}
	return slog.String("pool", name)
}

// maxRemovedNames bounds what one line says of what a client sent.
const maxRemovedNames = 16

func (g *Gateway) tellRemoved(r *http.Request, names []string) {
	slices.Sort(names)
	names = names[:min(len(names), maxRemovedNames)]
	for i, name := range names {
		names[i] = name[:min(len(name), 64)]
	}
	g.log.LogAttrs(r.Context(), slog.LevelWarn, "identity headers removed", g.poolFor(r),
		slog.String("reason", "the client sent headers that only the gateway may set"), slog.Any("headers", names))
}

// tell sets every identity header of one answer or request.
func (g *Gateway) tell(h http.Header, id *codegrant.Identity) {
	n := &g.headers
	if id == nil {
		for _, name := range n.all {
			h[name] = nothing
		}
		return
	}
	values := make([]string, 0, len(n.all)) // of all headers, each of which has one
	set := func(name, value string) {
		if value == "" {
			h[name] = nothing
			return
		}
		values = append(values, value)
		h[name] = values[len(values)-1 : len(values) : len(values)]
	}
	email, userID := "", ""
	if id.EmailVerified {
		email = id.Email
	}
	if id.UserID != 0 {
		userID = strconv.FormatInt(id.UserID, 10)
	}
	set(n.Subject, encode(id.Subject, false))
	set(n.Username, encode(id.Username, false))
	set(n.Email, encode(email, false))
	set(n.Name, encode(id.Name, false))
	set(n.Issuer, encode(id.Issuer, false))
	set(n.Groups, encodeList(id.Groups))
	set(n.Scopes, encodeList(id.Scopes))
	set(n.UserID, userID)
	set(n.Assertion, "")
}

// nothing is the value of headers that have nothing to tell. It is shared: whoever
// adds to a header gets a copy, as it has no room.
var nothing = []string{""}[:1:1]

// maxHeaderValue bounds one value: beyond it a server would refuse the request, or
// cut a list where it means something else.
const maxHeaderValue = 4 << 10

func encodeList(items []string) string {
	var b strings.Builder
	size := 0
	for _, item := range items {
		size += len(item) + 1
	}
	b.Grow(min(size, maxHeaderValue))
	for i, item := range items {
		encoded := encode(item, true)
		if b.Len()+len(encoded)+1 > maxHeaderValue {
			break // fewer rights, never more
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(encoded)
	}
	return b.String()
}

func encode(s string, inList bool) string {
	if isPlain(s) {
		return s
	}
	const hex = "0123456789ABCDEF"
	plain := func(c byte) bool {
		return c > 0x20 && c < 0x7f && c != '%' && !(inList && c == ',') || c == ' ' && !inList
	}
	if s != strings.TrimSpace(s) {
		plain = func(c byte) bool { return c > 0x20 && c < 0x7f && c != '%' && !(inList && c == ',') }
	}
	var b strings.Builder
	b.Grow(min(len(s), maxHeaderValue))
	for i := range len(s) {
		if b.Len() > maxHeaderValue-3 {
			break
		}
		if c := s[i]; plain(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}

// isPlain reports whether a value is sent as it is, wherever: most are.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '%' || c == ',' {
			return false
		}
	}
	return len(s) <= maxHeaderValue-3
}

// forwardedHeaders say what a request was before a proxy had it.
var forwardedHeaders = []string{
	"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Method", "X-Forwarded-Uri", "X-Forwarded-Port",
	"X-Forwarded-Prefix", "X-Forwarded-Server", "X-Forwarded-Scheme", "X-Original-Url", "X-Original-Uri", "X-Original-Method", "X-Original-Host", "X-Rewrite-Url", "X-Real-Ip",
}

// otherTargets name another target than the request itself, and some servers believe
// them.
var otherTargets = []string{"X-Original-Url", "X-Original-Uri", "X-Original-Method", "X-Rewrite-Url", "X-Forwarded-Uri", "X-Forwarded-Method"}

// present makes of a client's headers, less those that withoutIdentity takes, the ones
// that an upstream sees.
func (g *Gateway) present(h http.Header, route *route, id *codegrant.Identity) error {
	for _, name := range otherTargets {
		delete(h, name)
	}
	withoutCookies(h, g.ownsCookie)
	if id != nil && (id.Method == codegrant.MethodBearer || id.Method == codegrant.MethodBasic) && !route.PassAuthorization {
		delete(h, "Authorization") // it proved who is asking, here
	}
	g.tell(h, id)
	if id != nil && route.PassAccessToken {
		if token := id.AccessToken().Reveal(); token != "" {
			h.Set("Authorization", "Bearer "+token)
		}
	}
	return g.assert(h, route, id)
}

// dropForwarded removes them where nobody who may say so has, and reports whether
// somebody has.
func (g *Gateway) dropForwarded(r *http.Request) (trusted bool) {
	if g.fromTrusted(r) {
		return true
	}
	for _, name := range forwardedHeaders {
		delete(r.Header, name)
	}
	return false
}

// fromTrusted reports whether a listed proxy sent the request.
func (g *Gateway) fromTrusted(r *http.Request) bool { return g.Trusts(r.RemoteAddr) }

// Trusts reports whether an address, with its port, is one of the trusted proxies: for
// servers of protocols that begin with a connection, before they read what it says.
// [Gateway.CheckOriginal] asks again.
func (g *Gateway) Trusts(address string) bool {
	if len(g.trusted) == 0 {
		return false
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	ip = ip.Unmap().WithZone("")
	return slices.ContainsFunc(g.trusted, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// ownsCookie: also another tenant's on the same host is for no upstream.
func (g *Gateway) ownsCookie(name string) bool {
	return slices.ContainsFunc(g.tenants, func(t *tenant) bool { return t.Auth.OwnsCookie(name) })
}

// withoutCookies removes the tenant's own cookies from what an upstream sees.
func withoutCookies(h http.Header, owned func(string) bool) {
	lines := h["Cookie"]
	if len(lines) == 0 {
		return
	}
	var kept []string
	for _, line := range lines {
		for part := range strings.SplitSeq(line, ";") {
			part = strings.TrimSpace(part)
			name, _, _ := strings.Cut(part, "=")
			if part != "" && !owned(strings.TrimSpace(name)) {
				kept = append(kept, part)
			}
		}
	}
	if len(kept) == 0 {
		delete(h, "Cookie")
		return
	}
	h["Cookie"] = []string{strings.Join(kept, "; ")}
}
