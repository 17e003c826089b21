package codegrant

import (
	"net/http"
	"net/url"

	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/internal/returnto"
)

// signInFailed tells the person: on the application's page where there is one,
// else on ours, and a program by a problem document.
func (a *Auth) signInFailed(w http.ResponseWriter, r *http.Request, returnTo string, err error, correlation string) {
	message := describe(r, err)
	message.Correlation = correlation
	status := http.StatusBadRequest
	if isUnavailable(err) {
		status = http.StatusServiceUnavailable
		w.Header().Set("Retry-After", "5")
	}
	switch {
	case background(r):
		writeProblem(w, problemDocument{
			Type: problemTypes + "sign-in-failed", Title: "Sign-in failed", Status: status, Detail: message.Message, Correlation: correlation,
		})
	case a.ErrorURL != "":
		a.setFlash(w, message)
		returnto.Redirect(w, a.ErrorURL, http.StatusSeeOther)
	default:
		pages.Render(w, r, status, pages.Page{
			Title: "You are not signed in", Message: message.Message, Correlation: correlation,
			Link: a.loginURL(returnTo), LinkText: "Sign in again",
		})
	}
}

// loginURL is where a person starts over.
func (a *Auth) loginURL(returnTo string) string {
	if returnTo == "" {
		return a.path("/login")
	}
	return a.path("/login") + "?redirect_uri=" + url.QueryEscape(returnTo)
}

// confirmSignOut asks a person whom another site sent here. The form posts from
// our own page, which no other site can do.
func (a *Auth) confirmSignOut(w http.ResponseWriter, r *http.Request) {
	target := a.path("/logout")
	if uri := r.URL.Query().Get("redirect_uri"); uri != "" {
		target += "?redirect_uri=" + url.QueryEscape(uri)
	}
	pool, err := url.Parse(a.endpoints.Logout)
	if err != nil {
		a.problem(w, r, http.StatusInternalServerError, nil)
		return
	}
	status := http.StatusOK
	if r.Method != http.MethodGet {
		status = http.StatusForbidden
	}
	pages.Render(w, r, status, pages.Page{
		Title: "Sign out?", Message: "You followed a link from another site. Nothing has happened yet.",
		Post: target, PostText: "Sign out", PostOrigin: pool.Scheme + "://" + pool.Host,
		Link: a.DefaultReturnURL, LinkText: "Stay signed in",
	})
}

func (a *Auth) showForbidden(w http.ResponseWriter, r *http.Request, id *Identity, p problemDocument) {
	page := pages.Page{
		Title: p.Title, Message: p.Detail, Correlation: p.Correlation,
		Link: a.DefaultReturnURL, LinkText: "Go to the start page",
	}
	if name := id.Email; name != "" || id.Username != "" {
		if name == "" {
			name = id.Username
		}
		page.Details = []string{"Signed in as " + name + "."}
	}
	pages.Render(w, r, p.Status, page)
}

func (a *Auth) showUnavailable(w http.ResponseWriter, r *http.Request, p problemDocument) {
	page := pages.Page{Title: p.Title, Message: "Something that this service depends on does not respond. You are still signed in; please try again in a moment.", Correlation: p.Correlation}
	if isSafe(r.Method) {
		page.Link, page.LinkText = a.returnTo(r.RequestURI), "Try again"
	}
	pages.Render(w, r, p.Status, page)
}
