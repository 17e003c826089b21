package codegrant

import (
	"net/url"
	"strings"

	"github.com/codegrant/codegrant/internal/keep"
)

// atPort is what names of cookies have on this machine: cookies do not tell ports apart, and
// two services here would take each other's away.
func atPort(base *url.URL) string {
	if port := base.Port(); port != "" && isLoopback(base.Hostname()) {
		return "-" + port
	}
	return ""
}

// cookieName is that of a cookie beside the session's.
func (s *site) cookieName(prefix, what string) string {
	name := "codegrant" + s.atPort + "-" + what
	if s.secure {
		name = prefix + name
	}
	return name
}

// OwnsCookie reports whether this Auth sets cookies of this name: sessions, open sign-ins,
// messages, ways back from the pool, and CloudFront's cookies if it sets them. If you
// forward requests to other servers, remove these cookies.
func (a *Auth) OwnsCookie(name string) bool {
	in, out := a.signIn, a.signOut
	switch name {
	case in.notes.flashCookie().Name, in.loopCookie().Name, in.provenCookie().Name, out.afterSignOutCookie().Name:
		return true
	}
	if strings.HasPrefix(name, in.attemptPrefix()) || strings.HasPrefix(name, in.attemptPartPrefix()) {
		return true
	}
	// Cookies of other ports of this machine reach this one: what another service of ours
	// has there is for nobody here.
	if a.gate.loopback {
		if rest, ours := strings.CutPrefix(strings.TrimPrefix(strings.TrimPrefix(name, "__Host-"), "__Secure-"), "codegrant"); ours && (rest == "" || rest[0] == '-') {
			return true
		}
	}
	if signed := a.gate.files.signedCookies; signed != nil && signed.Owns(name) {
		return true
	}
	// Also what browsers have of another way to keep sessions, of before.
	return keep.IsPart(a.gate.cookie, name) || a.sessions.Owns(name)
}
