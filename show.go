package codegrant

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/internal/returnto"
)

// signInFailed tells the person: on the application's page where there is one,
// else on ours, and a program by a problem document.
func (in *signIn) signInFailed(w http.ResponseWriter, r *http.Request, returnTo string, err error, correlation string) {
	message := describe(r, err)
	message.Correlation = correlation
	if message.Code == "sign_in_expired" && !in.onOwnHost(r) {
		message.Message = pages.Text(r, "This sign-in came to %s, and this service is at %s. Please sign in there.", bounded(r.Host), originHost(in.BaseURL))
	}
	status := http.StatusBadRequest
	if isUnavailable(err) {
		status = http.StatusServiceUnavailable
		if errors.Is(err, fault.TooManySignIns) {
			status = http.StatusTooManyRequests
		}
		w.Header().Set("Retry-After", strconv.Itoa(max(5, retryAfter(err))))
	}
	switch {
	case background(r):
		writeProblem(w, problemDocument{
			Type: problemTypes + "sign-in-failed", Title: "Sign-in failed", Status: status, Detail: message.Message, Correlation: correlation,
		})
	case in.ErrorURL != "":
		in.notes.setFlash(w, message)
		returnto.Redirect(w, in.ErrorURL, http.StatusSeeOther)
	default:
		in.look.Render(w, r, status, pages.SignInFailed{
			Message: message.Message, TryAgain: in.loginURL(returnTo), Correlation: correlation,
		})
	}
}

// loginURL is where a person starts over.
func (s *site) loginURL(returnTo string) string {
	if returnTo == "" {
		return s.path("/login")
	}
	return s.path("/login") + "?redirect_uri=" + url.QueryEscape(returnTo)
}

// confirmSignOut asks a person whom another site sent here. The form posts from
// our own page, which no other site can do.
func (out *signOut) confirmSignOut(w http.ResponseWriter, r *http.Request) {
	target := out.path("/logout")
	uri := out.linkTarget(r.URL.Query())
	if uri != "" {
		target += "?redirect_uri=" + url.QueryEscape(uri)
	}
	status := http.StatusOK
	if r.Method != http.MethodGet {
		status = http.StatusForbidden
	}
	out.look.Render(w, r, status, pages.ConfirmSignOut{
		Action: target, Stay: out.DefaultReturnURL,
		Redirects: []string{out.poolScheme(), originOf(out.signOutURL(uri)), originOf(out.onwards(uri))},
	})
}

// poolScheme is what the answer to a form that signs out leads through. The pool may pass the
// browser on to its identity provider, and knows alone where that is.
func (s *site) poolScheme() string {
	scheme, _, _ := strings.Cut(s.endpoints.Logout, "//")
	return scheme
}

func originOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func (d *desk) showForbidden(w http.ResponseWriter, r *http.Request, id *Identity, p problemDocument) {
	name := id.Email
	if name == "" {
		name = id.Username
	}
	d.look.Render(w, r, p.Status, pages.Denied{
		SignedInAs: name, Home: d.DefaultReturnURL, Switch: d.path("/login") + "?prompt=login", Correlation: p.Correlation,
	})
}

func (d *desk) showUnavailable(w http.ResponseWriter, r *http.Request, p problemDocument) {
	page := pages.Unavailable{Correlation: p.Correlation}
	if isSafe(r.Method) {
		page.TryAgain = d.returnTo(r.RequestURI)
	}
	d.look.Render(w, r, p.Status, page)
}

// notFound answers for what is not below our prefix.
func (d *desk) notFound(w http.ResponseWriter, r *http.Request) {
	if navigates(r) {
		d.look.Render(w, r, http.StatusNotFound, pages.NotFound{Home: d.DefaultReturnURL})
		return
	}
	d.problem(w, r, http.StatusNotFound, nil)
}
