package codegrant

import "strings"

// OwnsCookie reports whether cookies of this name are of this Auth: sessions,
// sign-ins under way, messages, and those of CloudFront where it gives them. What forwards requests to others takes them out.
func (a *Auth) OwnsCookie(name string) bool {
	if name == a.gate.cookie.Name || name == a.gate.notes.flashCookie().Name || name == a.signIn.loopCookie().Name || strings.HasPrefix(name, a.signIn.attemptPrefix()) || strings.HasPrefix(name, a.signIn.attemptPartPrefix()) {
		return true
	}
	// Cookies of other ports of this machine reach this one: what another service of ours
	// has there is for nobody here.
	if !a.gate.secure && (name == "codegrant" || strings.HasPrefix(name, "codegrant-")) {
		return true
	}
	return a.sessions.Owns(name)
}
