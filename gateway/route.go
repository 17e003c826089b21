package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/codegrant/codegrant"
)

// Route says where requests go and who may make them. The most specific route that
// matches decides: one with a host before one without, an exact path before a
// prefix, a longer path before a shorter one, one with methods before one without.
type Route struct {
	// Name is for logs and metrics, and the audience of assertions. Defaults to
	// host and path.
	Name string
	// Host is compared exactly, without a port. Empty: every host.
	Host string
	// Path matches itself and everything below it, by whole segments: "/api"
	// matches /api and /api/orders, and not /apis. Defaults to "/".
	Path string
	// Exact has Path match itself alone.
	Exact bool
	// Methods that the route takes; HEAD goes with GET. Empty: all.
	Methods []string
	// Tenant names whose people these are. Empty: by host. Where two tenants answer for a
	// host, and not each of them has an Issuer of its own, it is needed.
	Tenant string

	// Public lets everybody through. Upstreams learn who is asking, if anybody.
	Public bool
	// Permissions are all needed. None, on a route that is not public: being
	// signed in is enough.
	Permissions []codegrant.Permission

	// Actors are those who may act for people on the route, by a token that says so (act,
	// RFC 8693): see [codegrant.AllowActors]. None: such tokens are refused.
	Actors []string
	// Machines lets services in that call with a token of their own, and with all of these
	// scopes: see [codegrant.Machine]. Permissions are then asked of people alone. None:
	// machines may not pass.
	Machines []string

	// Guard asks who is asking, in place of [codegrant.Auth.Require], for resources that
	// have a protocol of their own. It ends by itself what lasts. No proxy can ask about
	// its requests: what it looks at, no proxy shows.
	Guard Guard

	// Upstream serves the route. At most one of Upstream, Files and Handler is set; none
	// on routes that only forward-auth asks about.
	Upstream *Upstream
	// Handler answers by itself.
	Handler http.Handler
	// Files serves a folder: what is not in it gets index.html where a page is
	// asked for, as single-page applications need.
	Files fs.FS
	// StripPrefix takes Path off before the upstream sees it.
	StripPrefix bool

	// EncodedPaths hands on paths that servers read in several ways, byte for byte:
	// those with encoded slashes, percent signs and the like, with semicolons and
	// empty segments. The permissions of all routes are asked that one of these
	// readings leads to. Without it, such requests are refused. People come back to
	// such a path from a sign-in where [codegrant.Config] has EncodedReturnPaths.
	EncodedPaths bool
	// Many servers take paths for one that differ in case, in dots or blanks at the
	// end of a segment, in a slash at the end, or in an extension. A request whose
	// path could be taken for another route's so has to have the permissions of both.
	// Where the server behind either route tells them apart, these say so.
	CaseSensitive, DotSensitive, SlashSensitive, ExtensionSensitive bool

	// Handover finds the token that the upstream is sent, as a bearer token, in place of
	// an Authorization header of the client's. Where it finds none, the upstream is not
	// asked. No proxy can ask about such a route: it would send on what the client sent.
	// Defaults to none.
	Handover Handover
	// PassAccessToken sends the access token to the upstream, as a bearer token.
	PassAccessToken bool
	// PassAuthorization leaves an Authorization header of the client's in place.
	PassAuthorization bool
	// PassHeaders names headers of the client's that the upstream gets although they
	// name another method or target than was decided on (X-HTTP-Method-Override), or,
	// from trusted proxies alone, who somebody else says is asking (Remote-User).
	PassHeaders []string
	// Assertion sends a signed one.
	Assertion bool
	// SendGroups are the groups that the upstream gets, if the person is in them,
	// so that headers and assertions stay small. They give no permission. Nil: all.
	SendGroups []string
	// ClearCookies names cookies of an application's own sessions. They are the
	// person's who was signed in when they came up: another one's requests are sent
	// without them, and Codegrant has the browser delete them then and at a sign-out.
	ClearCookies []string
}

// Guard lets requests through that may pass, with who it is in their context, as
// [codegrant.From] finds it, and answers all others.
type Guard interface {
	Require(auth *codegrant.Auth, permissions ...codegrant.Permission) func(http.Handler) http.Handler
}

// Upstream is where a route's requests go.
type Upstream struct {
	// URLs of equal servers, tried in turn. At least one; http or https, without
	// a path.
	URLs []string
	// Health is a path that answers 2xx while a server is well. Empty: servers
	// are taken to be well.
	Health string
	// HealthEvery is how often it is asked. Defaults to 5 seconds.
	HealthEvery time.Duration
	// Timeout is how long a server may take to begin its answer, from the end of the
	// request's body, and to take the next piece of that body. Defaults to 30
	// seconds. Clients that send, answers and WebSockets may take as long as they
	// like.
	Timeout time.Duration
	// Retries is how many more servers get a request without a body that is safe
	// to repeat and was not answered. Defaults to 1; negative: none.
	Retries int
	// MaxBody bounds request bodies, in bytes. Defaults to 10 MiB; negative:
	// no bound.
	MaxBody int64
	// Host is the Host header that servers see. Empty: that of the request.
	Host string
}

type route struct {
	Route
	tenant      *tenant
	permissions []codegrant.Permission
	guards      map[*tenant]http.Handler // ask the permissions
	passed      map[string]bool          // PassHeaders, in canonical form
	servers     *servers

	prefix    string                // that is taken off, as upstreams are told
	keeps     folds                 // that are turned off
	canonical [foldPlain + 1]string // Path, by folds
	because   []*route              // whose permissions it asks for beyond its own, for one request
}

func (r *route) takes(method string) bool {
	return len(r.Methods) == 0 || slices.Contains(r.Methods, method) || method == http.MethodHead && slices.Contains(r.Methods, http.MethodGet)
}

// passes reports whether the upstream gets a header although it means something here.
func (r *route) passes(name string) bool { return len(r.passed) > 0 && r.passed[name] }

func (r *route) matches(t target) bool {
	if !r.takesHost(t.host) {
		return false
	}
	if r.Exact {
		return t.path == r.Path
	}
	rest, ok := strings.CutPrefix(t.path, strings.TrimSuffix(r.Path, "/"))
	return ok && (rest == "" || rest[0] == '/')
}

func newRoute(c Route, tenants []*tenant, signs bool) (*route, error) {
	c.Path = cmp.Or(c.Path, "/")
	c.Methods = slices.Clone(c.Methods)
	r := &route{Route: c}
	r.Name, r.prefix = cmp.Or(c.Name, c.Host+c.Path), prefixOf(&r.Route)
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if c.Host != "" {
		host, err := canonicalHost(c.Host)
		if strings.Contains(c.Host, "*") {
			fault("host %q is a pattern; a route has one host, or none for all", c.Host)
		} else if err != nil {
			fault("host %q: %w", c.Host, err)
		}
		r.Host = host
	}
	escaped := (&url.URL{Path: c.Path}).EscapedPath()
	if !strings.HasPrefix(c.Path, "/") {
		fault("path %q does not begin with /", c.Path)
	} else if prefix, ok := patternBefore(c.Path); ok {
		fault("path %q is a pattern, and is compared letter by letter; write %s, which takes everything below it too", c.Path, prefix)
	} else if slices.ContainsFunc(strings.Split(c.Path, "/")[1:], func(s string) bool { return s != "" && strings.TrimSpace(s) == "" }) {
		fault("path %q has a segment that is a blank", c.Path)
	} else if _, err := plainTarget(http.MethodGet, "host", escaped, ""); err != nil {
		fault("path %q is one that no request can have: %w", c.Path, err)
	}
	if c.EncodedPaths && c.Files != nil {
		fault("it has encoded paths and files: no file has such a path")
	}
	r.fold()
	for i, m := range c.Methods {
		r.Methods[i] = strings.ToUpper(m)
		if m == "" || strings.Trim(r.Methods[i], "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
			fault("method %q is not an HTTP method", m)
		}
	}
	if c.Public && len(c.Actors) > 0 {
		fault("actors: the route is public, so that it does not know who acts for whom: remove them")
	}
	if c.Public && len(c.Permissions) > 0 {
		fault("it is public and has permissions: remove one of the two")
	}
	var err error
	if r.passed, err = passedOf(c.PassHeaders); err != nil {
		faults = append(faults, err)
	}
	r.permissions = slices.Clone(c.Permissions)
	if slices.Contains(c.Permissions, nil) {
		fault("a permission is nil")
	}
	if len(c.Machines) > 0 && slices.Contains(c.Machines, "") {
		fault("machines: one of the scopes is empty")
	} else if len(c.Machines) > 0 && c.Public {
		fault("machines: the route is public, and everybody passes: remove them")
	} else if len(c.Machines) > 0 && c.Guard != nil {
		fault("machines: its guard allows only people, not machines: remove them")
	} else if len(c.Machines) > 0 && len(r.permissions) > 0 && !slices.Contains(r.permissions, nil) {
		r.permissions = []codegrant.Permission{codegrant.Any(codegrant.All(r.permissions...), codegrant.Machine(c.Machines...))}
	} else if len(c.Machines) > 0 && len(r.permissions) == 0 {
		r.permissions = []codegrant.Permission{codegrant.Any(codegrant.SignedIn(), codegrant.Machine(c.Machines...))}
	}
	if any := slices.Contains(c.Actors, codegrant.AnyActor); slices.Contains(c.Actors, "") || any && len(c.Actors) > 1 {
		fault("actors: name each, or write only %s", codegrant.AnyActor)
	} else if len(c.Actors) > 0 {
		r.permissions = append(r.permissions, codegrant.AllowActors(c.Actors...))
	}
	if c.Tenant != "" {
		i := slices.IndexFunc(tenants, func(t *tenant) bool { return t.Name == c.Tenant })
		if i < 0 {
			fault("there is no tenant %q", c.Tenant)
		} else {
			r.tenant = tenants[i]
		}
	}
	for _, name := range c.ClearCookies {
		if !httpguts.ValidHeaderFieldName(name) || isMark(name) {
			fault("clear_cookies: %q cannot be the name of an application's cookie", name)
		} else if slices.ContainsFunc(tenants, func(t *tenant) bool { return t.Auth.OwnsCookie(name) }) {
			fault("clear_cookies: %s is the gateway's own", name)
		}
	}
	if c.Upstream != nil && c.Files != nil {
		fault("it has an upstream and files: remove one of the two")
	}
	if c.Handler != nil && (c.Upstream != nil || c.Files != nil) {
		fault("it has a handler beside an upstream or files: remove one")
	}
	if c.Handover != nil {
		switch {
		case c.Upstream == nil:
			fault("it hands on a token, and has no upstream that gets the token")
		case c.Public:
			fault("it hands on a token of the caller, and is public: remove one of the two")
		case len(c.Machines) > 0:
			fault("machines: it hands on tokens of people; give machines a route of their own")
		case c.PassAccessToken || c.PassAuthorization:
			fault("it hands on a token in place of the person's, and the person's too: remove one of the two")
		}
	}
	if c.Guard != nil && c.Public {
		fault("it is public and has a guard: remove one of the two")
	}
	if c.Assertion && !signs {
		fault("it asks for an assertion and Assertions is not set")
	}
	if c.Upstream != nil {
		servers, err := newServers(*c.Upstream)
		if err != nil {
			faults = append(faults, err)
		}
		r.servers = servers
	}
	if len(faults) == 0 {
		r.guards = make(map[*tenant]http.Handler, len(tenants))
		for _, t := range tenants {
			r.guards[t] = guardOf(t, r)
		}
	}
	return r, errors.Join(faults...)
}

// patternBefore finds what other gateways take for a pattern, and the path before it.
func patternBefore(path string) (prefix string, ok bool) {
	at := strings.IndexAny(path, "*{}<>[]^|")
	for _, sign := range [...]string{"/:", "(?", "(.", "(/"} {
		if i := strings.Index(path, sign); i >= 0 && (at < 0 || i < at) {
			at = i + 1
		}
	}
	if at < 0 && strings.HasSuffix(path, "$") {
		at = len(path) - 1
	}
	if at < 0 {
		return "", false
	}
	prefix = path[:at]
	return "/" + strings.Trim(prefix[:strings.LastIndexByte(prefix, '/')+1], "/"), true
}
