package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// meaning is what the name of a header means at this boundary. What may come from whom,
// and what may reach an upstream, follows from it.
type meaning uint8

const (
	unknown meaning = iota
	// own headers say who is asking, in the gateway's words. They come from nobody, and
	// reach an upstream from here alone.
	own
	// foreign headers say who is asking, in the words of another proxy. They reach an
	// upstream where its route passes them and a trusted proxy sent the request.
	foreign
	// elsewhere headers name another target or method than the request's own. Four of them
	// are a trusted proxy's question; the others reach an upstream where its route passes them.
	elsewhere
	// trail headers say where a request was before it came here. They come from trusted
	// proxies alone.
	trail
	// proof headers prove who is asking. What proved it here is not for an upstream.
	proof
	// wire headers belong to HTTP itself, or to one connection.
	wire
)

// meanings is the one table of names. A name that ends in * stands for all that begin so.
// A header that has a name of it in another spelling, such as X_Forwarded_For, is passed
// on by nobody: a server that folds names could take it for the real one.
var meanings = map[meaning][]string{
	foreign: {
		"Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups", "X-Remote-*", "Auth-User",
		"X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token",
		"X-Auth-Request-*", "X-Webauth-*", "X-Authenticated-*", "X-Authentik-*", "X-Vouch-*", "X-Pomerium-*", "X-Consumer-*", "X-Credential-*", "X-Userinfo",
		"X-Amzn-Oidc-*", "X-Amzn-Mtls-*", "X-Goog-Authenticated-*", "X-Goog-Iap-*", "Cf-Access-*", "X-Ms-Client-Principal*", "X-Ms-Token-*", "Tailscale-User-*",
		"X-Forwarded-Client-Cert", "X-Forwarded-Tls-Client-Cert*", "Client-Cert", "Client-Cert-Chain", "X-Client-Cert*", "X-Client-Dn", "X-Client-Verify", "X-Ssl-*", "Ssl-Client-*",
	},
	elsewhere: {
		"X-Original-*", "X-Rewrite-*", "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Path", "X-Envoy-Original-*",
		"X-Http-Method", "X-Http-Method-Override", "X-Method-Override", "X-Http-Path-Override", "X-Http-Destinationurl", "X-Proxy-Url", "Proxy", "Request-Uri",
	},
	trail: {
		"Forwarded", "X-Forwarded", "X-Forwarded-*", "Forwarded-*", "X-Real-Ip", "X-Client-Ip", "Client-Ip", "True-Client-Ip", "X-Cluster-Client-Ip", "X-Remote-Ip", "X-Remote-Addr",
		"Remote-Addr", "X-Originating-*", "X-Original-Host", "X-Original-Forwarded-*", "X-Host", "X-Http-Host-Override", "X-Url-Scheme", "X-Scheme", "X-Real-Scheme", "Front-End-Https",
		"X-Script-Name", "X-Envoy-External-Address", "X-Envoy-Internal", "X-Azure-Clientip", "X-Azure-Socketip", "X-Appengine-User-Ip", "X-Proxyuser-Ip", "Cf-Connecting-Ip*", "Fastly-Client-*",
		"X-Sendfile-Type", "X-Accel-Mapping",
	},
	proof: {"Authorization", "Cookie"},
	wire: {
		"Host", "Set-Cookie", "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authorization", "Proxy-Authenticate", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Http2-Settings",
		"Content-Length", "Content-Type", "Content-Encoding", "Location", "Expect", "Origin", "Sec-Fetch-*", "Sec-Websocket-*",
	},
}

// maxName bounds the names that the table knows.
const maxName = 63

// headerNames is Headers with defaults, in canonical form, and the table with them in it.
type headerNames struct {
	Headers
	all      []string
	exact    map[string]meaning // by folded name
	families []family
	// first has, for each length of a name, a bit for each letter that a known one of
	// that length begins with: most headers of a request are told from those by that.
	first [maxName + 1]uint32
}

// family is all names that begin alike.
type family struct {
	prefix []byte
	meaning
}

func (h Headers) resolve() (headerNames, error) {
	n := headerNames{Headers: h, exact: make(map[string]meaning)}
	for m, names := range meanings {
		for _, name := range names {
			n.add(name, m)
		}
	}
	var faults []error
	for _, name := range []struct {
		field    *string
		fallback string
	}{
		{&n.Subject, "X-Auth-Subject"}, {&n.Username, "X-Auth-Username"}, {&n.Email, "X-Auth-Email"}, {&n.Name, "X-Auth-Name"},
		{&n.Groups, "X-Auth-Groups"}, {&n.Scopes, "X-Auth-Scopes"}, {&n.UserID, "X-Auth-User-Id"}, {&n.Issuer, "X-Auth-Issuer"},
		{&n.Actor, "X-Auth-Actor"}, {&n.Machine, "X-Auth-Machine"}, {&n.ACR, "X-Auth-Acr"}, {&n.AMR, "X-Auth-Amr"}, {&n.AuthTime, "X-Auth-Time"},
		{&n.Assertion, "X-Auth-Assertion"}, {&n.Organization, "X-Auth-Organization"}, {&n.OrganizationRole, "X-Auth-Organization-Role"},
	} {
		if *name.field == "" {
			*name.field = name.fallback
		}
		*name.field = http.CanonicalHeaderKey(*name.field)
		switch m, _ := n.of(*name.field); {
		case m == own:
			faults = append(faults, fmt.Errorf("%s is used twice", *name.field))
		case m != unknown && m != foreign, !httpguts.ValidHeaderFieldName(*name.field), len(*name.field) > maxName:
			faults = append(faults, fmt.Errorf("%q cannot be the name of an identity header", *name.field))
			continue
		}
		n.add(*name.field, own)
		n.all = append(n.all, *name.field)
	}
	return n, errors.Join(faults...)
}

// add puts a name, or all that begin like it, into the table.
func (n *headerNames) add(name string, m meaning) {
	folded := string(fold(make([]byte, 0, maxName), name))
	if prefix, ok := strings.CutSuffix(name, "*"); ok {
		folded = folded[:len(prefix)]
		n.families = append(n.families, family{[]byte(folded), m})
		for length := len(folded); length <= maxName; length++ {
			n.first[length] |= letter(folded[0])
		}
		return
	}
	n.exact[folded] = m
	n.first[len(folded)] |= letter(folded[0])
}

// letter is a bit for the letter that a name begins with.
func letter(c byte) uint32 {
	if c |= 0x20; 'a' <= c && c <= 'z' {
		return 1 << (c - 'a')
	}
	return 1 << 26
}

// of is what a name means, and whether it is spelled as the table has it. Of two families
// that a name could be of, the one with the longer beginning counts.
func (n *headerNames) of(name string) (m meaning, plain bool) {
	if name == "" || n.first[min(len(name), maxName)]&letter(name[0]) == 0 {
		return unknown, true
	}
	return n.look(name)
}

func (n *headerNames) look(name string) (m meaning, plain bool) {
	var room [maxName]byte
	folded := fold(room[:0], name)
	plain = true
	for i := range min(len(name), maxName) {
		plain = plain && (name[i] == '-' || isAlphanumeric(name[i]))
	}
	if len(name) <= maxName {
		if m, ok := n.exact[string(folded)]; ok {
			return m, plain
		}
	}
	longest := 0
	for _, f := range n.families {
		if len(f.prefix) > longest && bytes.HasPrefix(folded, f.prefix) {
			m, longest = f.meaning, len(f.prefix)
		}
	}
	return m, plain || m == unknown
}

// managed reports whether a header could be taken for one of ours.
func (n *headerNames) managed(name string) bool {
	m, _ := n.of(name)
	return m == own
}

// fold appends what CGI, WSGI, PHP and their kin make one variable of: each byte that is
// neither letter nor digit is the same to them. Of longer names, the beginning.
func fold(b []byte, name string) []byte {
	for i := range min(len(name), maxName) {
		switch c := name[i]; {
		case 'A' <= c && c <= 'Z':
			b = append(b, c+'a'-'A')
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			b = append(b, c)
		default:
			b = append(b, '-')
		}
	}
	return b
}

// usual is the table with the gateway's names as they are by default.
var usual, _ = Headers{}.resolve()

// namesQuestion: a proxy names what it asks about in this header.
func namesQuestion(name string) bool {
	name = http.CanonicalHeaderKey(name)
	return slices.Contains(namedByNginx, name) || slices.Contains(namedByOthers, name)
}

// passedOf are PassHeaders of a route, in canonical form.
func passedOf(names []string) (map[string]bool, error) {
	passed := make(map[string]bool, len(names))
	var faults []error
	for _, name := range names {
		switch m, plain := usual.of(name); {
		case (m == foreign || m == elsewhere || m == trail) && plain && !namesQuestion(name):
			passed[http.CanonicalHeaderKey(name)] = true
		case m == unknown && httpguts.ValidHeaderFieldName(name):
			faults = append(faults, fmt.Errorf("pass_headers: %s reaches the upstream anyway; remove it", name))
		default:
			faults = append(faults, fmt.Errorf("pass_headers: %q cannot be passed", name))
		}
	}
	return passed, errors.Join(faults...)
}
