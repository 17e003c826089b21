package codegrant

import (
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/internal/returnto"
	"github.com/codegrant/codegrant/session"
)

// logout ends the session, then everything that was derived from it, then sends
// the browser to the pool's own sign-out. Each step stands when a later one
// fails.
func (out *signOut) logout(w http.ResponseWriter, r *http.Request) {
	if out.goesOn(w, r) {
		return
	}
	switch r.Method {
	case http.MethodGet:
		if !visits(r) || causedByAnotherSite(r, out.BaseURL) && !out.fromTrustedPage(r) {
			out.confirmSignOut(w, r)
			return
		}
	case http.MethodPost:
		if err := out.checkOrigin(r); err != nil {
			out.confirmSignOut(w, r)
			return
		}
	default:
		out.methodNotAllowed(w, r, "GET, POST")
		return
	}

	out.leave(w, r)
}

// leave signs this browser out.
func (out *signOut) leave(w http.ResponseWriter, r *http.Request) {
	err := out.sessions.End(r.Context(), w, r)
	out.clearCookies(w, r)
	if errors.Is(err, session.ErrTooManyCookies) {
		out.tooManyCookies(w, r, err)
		return
	}
	if err != nil {
		// The browser has forgotten the session, the store may not have.
		out.unavailable(w, r, unavailable("end the session", err))
		return
	}
	target := out.client.LogoutURL(out.leaveThrough(w, out.linkTarget(r.URL.Query())))
	if background(r) {
		// A script cannot follow a redirect to another origin; it can navigate.
		writeJSON(w, http.StatusOK, map[string]string{"logout_url": target})
		return
	}
	returnto.Redirect(w, target, http.StatusSeeOther)
}

// signOutURL is the registered sign-out URL that the target names, or else our own
// endpoint, which leads on, or one of the target's origin, or the first. Cognito takes
// no other: an exact comparison, to the trailing slash.
func (s *site) signOutURL(target string) string {
	hop := s.signOutHop()
	others := slices.DeleteFunc(slices.Clone(s.SignOutURLs), func(u string) bool { return u == hop })
	if checked, err := s.rules.Check(target); target != "" && err == nil {
		if checked[0] == '/' {
			checked = s.BaseURL + checked
		}
		if slices.Contains(others, checked) {
			return checked
		}
		if hop != "" {
			return hop
		}
		for _, u := range others {
			if s.MigrationLinks && originOf(u) == originOf(checked) {
				return u
			}
		}
	}
	if len(others) == 0 {
		return hop
	}
	return others[0]
}

// clearCookies takes back everything that a sign-in handed out.
func (out *signOut) clearCookies(w http.ResponseWriter, r *http.Request) {
	if out.files.signedCookies != nil {
		out.files.signedCookies.Clear(w, r)
	}
	out.signIn.clearAttempts(w, r)
	out.signIn.notes.flashCookie().Clear(w)
	out.signIn.loopCookie().Clear(w)
	out.signIn.provenCookie().Clear(w)
}

// causedByAnotherSite reports whether a page of another origin may have made the
// browser send this GET. Browsers say so in Sec-Fetch-Site, which no page can
// alter. Older ones say where they come from in Referer, which a page can have them
// leave out; a client that sends neither and wants no page is not a browser.
func causedByAnotherSite(r *http.Request, origin string) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "":
		referer, err := url.Parse(r.Header.Get("Referer"))
		if err != nil || referer.Host == "" {
			return err != nil || pages.Accepts(r, "text/html")
		}
		return referer.Scheme+"://"+referer.Host != origin
	default:
		return true
	}
}
