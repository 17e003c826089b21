package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
)

// Headers names the headers with which an upstream learns who is asking. Each is sent with
// every request, empty where there is nothing to tell, so that a value of the
// client's can never stand in its place. Values are ASCII: other characters, and
// percent signs and control characters, are percent-encoded as UTF-8; within
// Groups, Scopes and AMR a comma too.
type Headers struct {
	Subject   string // sub. Defaults to X-Auth-Subject
	Username  string // Defaults to X-Auth-Username
	Email     string // if verified. Defaults to X-Auth-Email
	Name      string // Defaults to X-Auth-Name
	Groups    string // separated by commas. Defaults to X-Auth-Groups
	Scopes    string // separated by commas. Defaults to X-Auth-Scopes
	UserID    string // row of the replica. Defaults to X-Auth-User-Id
	Issuer    string // Defaults to X-Auth-Issuer
	Actor     string // who acts for them; empty: nobody. Defaults to X-Auth-Actor
	Machine   string // app client of a service that calls by itself; Subject is then empty. Defaults to X-Auth-Machine
	ACR       string // level of the sign-in. Defaults to X-Auth-Acr
	AMR       string // by what, separated by commas. Defaults to X-Auth-Amr
	AuthTime  string // of the sign-in, in seconds since 1970. Defaults to X-Auth-Time
	Assertion string // signed. Defaults to X-Auth-Assertion

	Organization     string // id of what the person acts for. Defaults to X-Auth-Organization
	OrganizationRole string // of the person in it. Defaults to X-Auth-Organization-Role
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
	subject, machine := id.Subject, ""
	if id.Machine {
		// A service that knows only people must see nobody.
		subject, machine = "", machineOf(id)
	}
	set(n.Subject, encode(subject, false))
	set(n.Machine, encode(machine, false))
	set(n.Username, encode(id.Username, false))
	set(n.Email, encode(email, false))
	set(n.Name, encode(id.Name, false))
	set(n.Issuer, encode(id.Issuer, false))
	var lists lister
	lists.grow(id.Groups, id.Scopes, id.AMR)
	set(n.Groups, lists.encode(id.Groups))
	set(n.Scopes, lists.encode(id.Scopes))
	set(n.UserID, userID)
	set(n.Actor, encode(id.Actor.String(), false))
	set(n.ACR, encode(id.ACR, false))
	set(n.AMR, lists.encode(id.AMR))
	set(n.AuthTime, lists.seconds(id.AuthTime))
	organization, role := organizationOf(id)
	set(n.Organization, encode(organization, false))
	set(n.OrganizationRole, encode(role, false))
	set(n.Assertion, "")
}

// organizationOf is what a person acts for, and their role in it; empty where that is nothing.
func organizationOf(id *codegrant.Identity) (organization, role string) {
	if id.Machine || id.Organization == nil {
		return "", ""
	}
	return id.Organization.ID, id.Organization.Role
}

// nothing is the value of headers that have nothing to tell. It is shared: whoever
// adds to a header gets a copy, as it has no room.
var nothing = []string{""}[:1:1]

// maxIdentity bounds what all identity headers of a request hold, in bytes. Most servers
// refuse requests with much less; what they would take is never cut to fit, as a list
// of which the end is missing means something else to whoever denies by it.
const maxIdentity = 64 << 10

// errIdentity comes with which header takes the most room.
var errIdentity = errors.New("the identity headers are too large to be sent whole")

// fits reports whether a route's upstream can be told of somebody whole. What is plainly
// short costs a look at the lengths.
func (g *Gateway) fits(id *codegrant.Identity, r *route) error {
	escaped := 3 // a byte in a header
	if r.Assertion {
		escaped += 6 * 4 / 3 // and once more in JSON, as base64url
	}
	size := len(id.Subject) + len(id.Username) + len(id.Email) + len(id.Name) + len(id.Issuer) + len(id.Actor.String()) + len(id.ACR)
	if o := id.Organization; o != nil {
		size += len(o.ID) + len(o.Name) + len(o.Role)
	}
	for _, list := range [...][]string{id.Groups, id.Scopes, id.AMR} {
		for _, item := range list {
			size += len(item) + 3
		}
	}
	if size*escaped < maxIdentity/2 {
		return nil
	}
	h := make(http.Header)
	g.tell(h, id)
	if err := g.assert(h, r, id); err != nil {
		return nil // who presents the headers finds out, and says so
	}
	size, largest := 0, ""
	for _, name := range g.headers.all {
		value := h[name][0]
		if size += len(value); name != g.headers.Assertion && (largest == "" || len(value) > len(h[largest][0])) {
			largest = name
		}
	}
	if size <= maxIdentity {
		return nil
	}
	return fmt.Errorf("%w: together they have %d bytes, at most %d are sent, and %s has %d of them; set send_groups to send only the groups that this upstream needs",
		errIdentity, size, maxIdentity, largest, len(h[largest][0]))
}

// shown is the person as the route's upstream is told of them.
func (r *route) shown(id *codegrant.Identity) *codegrant.Identity {
	if id == nil || r.SendGroups == nil {
		return id
	}
	own := *id
	own.Groups = nil
	for _, name := range id.Groups {
		if slices.Contains(r.SendGroups, name) {
			own.Groups = append(own.Groups, name)
		}
	}
	return &own
}

// lister writes lists one behind the other, into one piece of memory as a rule.
type lister struct{ strings.Builder }

// maxSeconds is how long a time is in seconds, at most.
const maxSeconds = 20

func (l *lister) grow(lists ...[]string) {
	size := maxSeconds
	for _, list := range lists {
		for _, item := range list {
			size += len(item) + 1
		}
	}
	l.Grow(size)
}

func (l *lister) encode(items []string) string {
	begin := l.Len()
	for i, item := range items {
		if i > 0 {
			l.WriteByte(',')
		}
		l.WriteString(encode(item, true))
	}
	return l.String()[begin:]
}

// seconds is a time in seconds since 1970; empty where it is not known.
func (l *lister) seconds(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	begin := l.Len()
	var room [maxSeconds]byte
	l.Write(strconv.AppendInt(room[:0], at.Unix(), 10))
	return l.String()[begin:]
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
	b.Grow(len(s))
	for i := range len(s) {
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
	return true
}

// present makes of a client's headers the ones that an upstream sees. asked says that a
// proxy of another protocol asks about them, which has set few of them itself.
func (g *Gateway) present(h http.Header, c *call, asked bool) error {
	for name := range h {
		m, plain := g.headers.of(name)
		switch {
		case m == unknown:
		case name == "Cookie":
			withoutCookies(h, g.ownsCookie)
			if len(c.leftover) > 0 {
				withoutPairs(h, c.leftover)
			}
		case plain && (m == wire || m == proof),
			plain && m == trail && (!asked || saidByProxies(name)),
			c.route.passes(name) && (m == elsewhere || c.trusted): // which no other spelling is
		default:
			delete(h, name)
		}
	}
	g.authorize(h, c)
	g.tell(h, c.told)
	return g.assert(h, c.route, c.told)
}

// saidByProxies: proxies say this themselves of the request that they ask about, and take
// away what clients say. Nothing here can tell the one from the other.
func saidByProxies(name string) bool {
	return strings.HasPrefix(name, "X-Forwarded-") || name == "X-Real-Ip"
}

// authorize leaves the Authorization header that an upstream is to see.
func (g *Gateway) authorize(h http.Header, c *call) {
	route, id := c.route, c.id
	switch {
	case route.Handover != nil:
		delete(h, "Authorization")
		if c.token != "" {
			h["Authorization"] = []string{"Bearer " + c.token}
		}
	case route.PassAccessToken:
		// An upstream that is told to believe this header gets what was verified, or none.
		delete(h, "Authorization")
		if id == nil {
			return
		}
		if token := id.AccessToken().Reveal(); token != "" {
			h.Set("Authorization", "Bearer "+token)
		}
	case id == nil:
		// It is between the client and the upstream.
	case !route.PassAuthorization, id.Method == codegrant.MethodSession, id.Method == codegrant.MethodLoadBalancer:
		delete(h, "Authorization") // it proved who is asking, here, or it proved nothing
	}
}

// ownsCookie: also another tenant's on the same host is for no upstream.
func (g *Gateway) ownsCookie(name string) bool {
	return isMark(name) || slices.ContainsFunc(g.tenants, func(t *tenant) bool { return t.Auth.OwnsCookie(name) })
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
