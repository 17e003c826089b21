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
func (a *Auth) begunElsewhere(r *http.Request, answer cognito.Callback) bool {
	return a.MigrationLinks && answer.Code != "" && !ownState.MatchString(answer.State) && !background(r)
}

// linkTarget is where a link asks to go afterwards: redirect_uri, or the package's state.
func (a *Auth) linkTarget(query url.Values) string {
	target := query.Get("redirect_uri")
	if target == "" && a.MigrationLinks {
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
func (a *Auth) afterSignOutCookie() session.Cookie {
	name := "codegrant-after-sign-out"
	if a.secure {
		name = "__Host-" + name
	}
	return session.Cookie{Name: name, Path: "/", Secure: a.secure, SameSite: http.SameSiteLaxMode}
}

// signOutHop is our own sign-out endpoint, if it is registered as a sign-out URL.
func (a *Auth) signOutHop() string {
	for _, hop := range []string{a.BaseURL + a.path("/logout/"), a.BaseURL + a.path("/logout")} {
		if a.MigrationLinks && slices.Contains(a.SignOutURLs, hop) {
			return hop
		}
	}
	return ""
}

// leaveThrough returns the registered URL that the pool's sign-out is to end at, and
// remembers the rest of the way where that URL is our own endpoint.
func (a *Auth) leaveThrough(w http.ResponseWriter, target string) string {
	registered := a.signOutURL(target)
	if hop := a.signOutHop(); hop != "" && registered == hop {
		plain := []byte(a.Now().Add(afterSignOutLifetime).UTC().Format(time.RFC3339) + " " + a.returnTo(target))
		a.afterSignOutCookie().Set(w, a.Keys.Seal(afterSignOutPurpose, plain, []byte(a.binding)), afterSignOutLifetime)
	}
	return registered
}

// onwards is where a sign-out with that target ends, as an absolute URL.
func (a *Auth) onwards(target string) string {
	registered := a.signOutURL(target)
	if registered != a.signOutHop() {
		return registered
	}
	if target = a.returnTo(target); target[0] == '/' {
		target = a.BaseURL + target
	}
	return target
}

// goesOn sends a person on who comes back from the pool's sign-out. It ends nothing.
func (a *Auth) goesOn(w http.ResponseWriter, r *http.Request) bool {
	if !a.MigrationLinks || r.Method != http.MethodGet || background(r) {
		return false
	}
	cookie := a.afterSignOutCookie()
	values, err := cookie.Values(r)
	if err != nil || len(values) == 0 {
		return false
	}
	cookie.Clear(w)
	plain, err := a.Keys.Open(afterSignOutPurpose, values[0], []byte(a.binding))
	if err != nil {
		return false
	}
	const layout = len("2006-01-02T15:04:05Z")
	if len(plain) <= layout {
		return false
	}
	until, err := time.Parse(time.RFC3339, string(plain[:layout]))
	if err != nil || a.Now().After(until) {
		return false
	}
	returnto.Redirect(w, a.returnTo(string(plain[layout+1:])), http.StatusSeeOther)
	return true
}

// fromTrustedPage reports whether a page of TrustedOrigins made the browser send this
// GET. No page can make a browser name another page than itself in Referer.
func (a *Auth) fromTrustedPage(r *http.Request) bool {
	referer, err := url.Parse(r.Header.Get("Referer"))
	if err != nil || referer.Host == "" {
		return false
	}
	origin := referer.Scheme + "://" + referer.Host
	return slices.ContainsFunc(a.TrustedOrigins, func(trusted string) bool { return trusted == origin })
}
