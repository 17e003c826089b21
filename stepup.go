package codegrant

import (
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/keep"
	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/internal/returnto"
)

// stepUp answers somebody who is signed in, and not well enough or not lately enough: a
// browser that navigates is sent to sign in again and back to here, anything else is
// challenged. What a form has sent would be lost on the way: a page says so first.
func (d *desk) stepUp(w http.ResponseWriter, r *http.Request, id *Identity, need *StepUpError) {
	d.audit(r.Context(), slog.LevelInfo, "step-up asked for", slog.String("sub", id.Subject), slog.String("reason", need.Error()),
		slog.String("method", bounded(r.Method)), slog.String("path", bounded(r.URL.Path)))
	query := need.demand.query(d.standards)
	login, origin := d.path("/login"), d.siblingOrigin(r.Host)
	if origin != "" {
		login = d.BaseURL + login
	}
	switch {
	case !navigates(r) || d.isOwnPath(r.URL.Path):
		d.challengeStepUp(w, need, d.BaseURL+d.path("/login")+"?"+query.Encode())
	case isSafe(r.Method):
		query.Set("redirect_uri", d.returnTo(origin+r.RequestURI))
		returnto.Redirect(w, login+"?"+query.Encode(), http.StatusFound)
	default:
		w.Header().Set("WWW-Authenticate", need.Challenge())
		d.signInFirst(w, r, login, query)
	}
}

// signInFirst answers what a form has sent with a page that has a link to sign in, and back
// to the form's page where that is one of ours.
func (d *desk) signInFirst(w http.ResponseWriter, r *http.Request, login string, query url.Values) {
	query.Set("redirect_uri", d.returnTo(r.Header.Get("Referer")))
	w.Header().Set(redirectHeader, d.BaseURL+d.path("/step-up")+"?"+query.Encode())
	d.showStepUpFirst(w, r, http.StatusUnauthorized, login+"?"+query.Encode())
}

// redirectHeader carries where a page of ours is shown, for proxies that can pass on no
// page: nginx takes none from a server that it asks.
const redirectHeader = "X-Auth-Redirect"

func (d *desk) challengeStepUp(w http.ResponseWriter, need *StepUpError, login string) {
	w.Header().Set("WWW-Authenticate", need.Challenge())
	p := problemDocument{
		Type: problemTypes + "step-up", Title: "Sign in again", Status: http.StatusUnauthorized,
		Detail:   "You are signed in, but not as this asks for. Sign in again at login_url, or send a token of a sign-in that has acr_values and max_age.",
		LoginURL: login, ACRValues: need.Levels,
	}
	if need.MaxAge > 0 {
		p.MaxAge = int64(need.MaxAge / time.Second)
	}
	writeProblem(w, p)
}

// query is what a link to sign in says of the demand.
func (d demand) query(by *standards) url.Values {
	q := url.Values{}
	if levels := by.from(d.level); len(levels) > 0 {
		q.Set("acr_values", strings.Join(levels, " "))
	}
	if d.aged {
		q.Set("max_age", seconds(d.maxAge))
	}
	return q
}

// maxMaxAge is beyond every sign-in.
const maxMaxAge = 10 * 365 * 24 * time.Hour

// demandOf reads what a link asks for. Levels that are not known here, and ages that are
// none, ask for nothing, as at the pool: whatever is to be met is checked where it counts.
func (s *site) demandOf(query url.Values) demand {
	var d demand
	for level := range strings.FieldsSeq(passOn(query.Get("acr_values"))) {
		if rank := s.standards.rank(level); rank >= 0 && (d.level == "" || rank < s.standards.rank(d.level)) {
			d.level = level
		}
	}
	if n, err := strconv.ParseUint(query.Get("max_age"), 10, 31); err == nil && time.Duration(n)*time.Second <= maxMaxAge {
		d.maxAge, d.aged = time.Duration(n)*time.Second, true
	}
	return d
}

// request puts the demand into an authorization request.
func (d demand) request(into *cognito.AuthorizationRequest, by *standards) {
	into.ACRValues = by.from(d.level)
	if d.aged {
		into.MaxAge = &d.maxAge
	}
}

// met reports whether a sign-in has brought what it was to. Where it has not, the person
// is told, here and now: sending them to the page would send them to the pool again.
func (in *signIn) met(w http.ResponseWriter, r *http.Request, at attempt, held *keep.Held) bool {
	missing := at.demand.missing(in.standards, held.ACR, held.AuthTime)
	if missing.isNothing() {
		return true
	}
	in.withoutEffect(w, r, at, missing, held)
	return false
}

// deniedStepUp answers somebody who has come back from the pool with nothing, and is
// signed in as before: they did not finish, or have no factor for the level.
func (in *signIn) deniedStepUp(w http.ResponseWriter, r *http.Request, at attempt, denied *cognito.CallbackError) bool {
	if _, ok := cognito.ParseTriggerError(denied.Description); ok || at.demand.isNothing() {
		return false
	}
	held, _ := in.sessions.Look(r)
	if held == nil {
		return false
	}
	in.audit(r.Context(), slog.LevelInfo, "step-up not finished", slog.String("sub", held.Subject), slog.String("reason", denied.Error()))
	if in.met(w, r, at, held) {
		in.arrive(w, r, at.returnTo)
	}
	return true
}

func (in *signIn) withoutEffect(w http.ResponseWriter, r *http.Request, at attempt, missing demand, held *keep.Held) {
	id := correlation()
	var reasons []string
	view := pages.StepUpFailed{Home: in.DefaultReturnURL, Correlation: id}
	if missing.level != "" {
		view.Level, view.Reached = missing.level, held.ACR
		stated := "states no level (acr)"
		if held.ACR != "" {
			stated = "states the level " + held.ACR
		}
		reasons = append(reasons, "needs level "+missing.level+" and the token "+stated)
	}
	if missing.aged {
		view.Within, view.Aged = missing.maxAge, true
		reasons = append(reasons, "needs a sign-in within "+inWords(missing.maxAge)+" and the token is of one of "+held.AuthTime.UTC().Format(time.RFC3339))
	}
	in.audit(r.Context(), slog.LevelWarn, "step-up without effect", slog.String("sub", held.Subject), slog.String("reason", strings.Join(reasons, "; ")), slog.String("correlation", id))
	if background(r) {
		writeProblem(w, problemDocument{
			Type: problemTypes + "step-up-failed", Title: "Signing in again was not enough", Status: http.StatusForbidden,
			Detail: strings.Join(view.Why(), " "), Correlation: id,
		})
		return
	}
	query := at.demand.query(in.standards)
	query.Set("redirect_uri", in.returnTo(at.returnTo))
	query.Set("prompt", "login")
	view.TryAgain = in.path("/login") + "?" + query.Encode()
	in.look.Render(w, r, http.StatusForbidden, view)
}

// stepUpPage shows what a proxy could not pass on.
func (in *signIn) stepUpPage(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		in.methodNotAllowed(w, r, "GET, HEAD")
		return
	}
	query := in.demandOf(r.URL.Query()).query(in.standards)
	query.Set("redirect_uri", in.returnTo(r.URL.Query().Get("redirect_uri")))
	in.showStepUpFirst(w, r, http.StatusOK, in.path("/login")+"?"+query.Encode())
}

func (d *desk) showStepUpFirst(w http.ResponseWriter, r *http.Request, status int, login string) {
	d.look.Render(w, r, status, pages.StepUpFirst{SignIn: login, Home: d.DefaultReturnURL})
}
