package codegrant

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/returnto"
	"github.com/codegrant/codegrant/session"
)

// Links that front ends of the Python package cognito_code_grant make, and that people
// have in their bookmarks: see [Config.MigrationLinks].

// ownState is what [attempt.state] makes. No URL looks like that.
var ownState = regexp.MustCompile(`^[0-9a-f]{8}[0-9A-Za-z_-]{43}$`)

// begunElsewhere reports whether a front end began the sign-in that a callback ends, and
// this service did not. Its code is not redeemed: nothing ties it to this browser.
func (in *signIn) begunElsewhere(r *http.Request, answer cognito.Callback) bool {
	return in.MigrationLinks && answer.Code != "" && !ownState.MatchString(answer.State) && !background(r)
}

// linkTarget is where a link asks to go afterwards: redirect_uri, or the package's state.
func (s *site) linkTarget(query url.Values) string {
	target := query.Get("redirect_uri")
	if target == "" && s.MigrationLinks {
		target = query.Get("state")
	}
	return target
}

const (
	afterSignOutPurpose  = "after sign-out"
	afterSignOutLifetime = 5 * time.Minute
)

// afterSignOutCookie holds where a person goes who comes back from the pool's sign-out,
// which takes registered URLs alone and passes nothing on.
func (out *signOut) afterSignOutCookie() session.Cookie {
	return session.Cookie{Name: out.cookieName("__Host-", "after-sign-out"), Path: "/", Secure: out.secure, SameSite: http.SameSiteLaxMode}
}

// signOutHop is our own sign-out endpoint, if it is registered as a sign-out URL.
func (s *site) signOutHop() string {
	for _, hop := range []string{s.BaseURL + s.path("/logout/"), s.BaseURL + s.path("/logout")} {
		if s.MigrationLinks && slices.Contains(s.SignOutURLs, hop) {
			return hop
		}
	}
	return ""
}

// leaveThrough returns the registered URL that the pool's sign-out is to end at, and
// remembers the rest of the way where that URL is our own endpoint.
func (out *signOut) leaveThrough(w http.ResponseWriter, target string) string {
	registered := out.signOutURL(target)
	if hop := out.signOutHop(); hop != "" && registered == hop {
		plain := []byte(out.Now().Add(afterSignOutLifetime).UTC().Format(time.RFC3339) + " " + out.returnTo(target))
		out.afterSignOutCookie().Set(w, out.Keys.Seal(afterSignOutPurpose, plain, []byte(out.binding)), afterSignOutLifetime)
	}
	return registered
}

// onwards is where a sign-out with that target ends, as an absolute URL.
func (s *site) onwards(target string) string {
	registered := s.signOutURL(target)
	if registered != s.signOutHop() {
		return registered
	}
	if target = s.returnTo(target); target[0] == '/' {
		target = s.BaseURL + target
	}
	return target
}

// goesOn sends a person on who comes back from the pool's sign-out. It ends nothing.
func (out *signOut) goesOn(w http.ResponseWriter, r *http.Request) bool {
	if !out.MigrationLinks || r.Method != http.MethodGet || background(r) {
		return false
	}
	cookie := out.afterSignOutCookie()
	values, err := cookie.Values(r)
	if err != nil || len(values) == 0 {
		return false
	}
	cookie.Clear(w)
	plain, err := out.Keys.Open(afterSignOutPurpose, values[0], []byte(out.binding))
	if err != nil {
		return false
	}
	const layout = len("2006-01-02T15:04:05Z")
	if len(plain) <= layout {
		return false
	}
	until, err := time.Parse(time.RFC3339, string(plain[:layout]))
	if err != nil || out.Now().After(until) {
		return false
	}
	returnto.Redirect(w, out.returnTo(string(plain[layout+1:])), http.StatusSeeOther)
	return true
}

// fromTrustedPage reports whether a page of TrustedOrigins made the browser send this
// GET. No page can make a browser name another page than itself in Referer.
func (s *site) fromTrustedPage(r *http.Request) bool {
	referer, err := url.Parse(r.Header.Get("Referer"))
	if err != nil || referer.Host == "" {
		return false
	}
	origin := referer.Scheme + "://" + referer.Host
	return slices.ContainsFunc(s.TrustedOrigins, func(trusted string) bool { return trusted == origin })
}
