package codegrant

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/pages"
	"github.com/codegrant/codegrant/internal/returnto"
)

// problemTypes is where each type of problem (RFC 9457) is explained.
const problemTypes = "https://github.com/codegrant/codegrant/blob/main/docs/problems.md#"

// problemDocument is an RFC 9457 problem, with what a client needs to go on.
type problemDocument struct {
	Type        string `json:"type"`
	Title       string `json:"title"`
	Status      int    `json:"status"`
	Detail      string `json:"detail,omitempty"`
	LoginURL    string `json:"login_url,omitempty"`
	Correlation string `json:"correlation,omitempty"`

	// Requirements for a new sign-in, if the present one is not enough (RFC 9470).
	ACRValues []string `json:"acr_values,omitempty"`
	MaxAge    int64    `json:"max_age,omitempty"` // seconds
}

func writeProblem(w http.ResponseWriter, p problemDocument) {
	w.Header().Set("Content-Type", "application/problem+json")
	write(w, p.Status, p)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	write(w, status, v)
}

func write(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // documents of our own types
	}
	h := w.Header()
	h["X-Content-Type-Options"] = []string{"nosniff"}
	h["Content-Length"] = []string{strconv.Itoa(len(body) + 1)}
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// unauthorized answers a request that nobody is signed in on: a browser that
// navigates is sent to sign in and back to here, anything else is challenged. What a form
// has sent would be lost on the way: a page says so first, and the policy of the form's
// page does not hold its link back, as it would a redirect to the pool.
func (d *desk) unauthorized(w http.ResponseWriter, r *http.Request, failure error) {
	login, origin := d.path("/login"), d.siblingOrigin(r.Host)
	if origin != "" {
		login = d.BaseURL + login
	}
	query := url.Values{}
	switch {
	case !navigates(r) || d.isOwnPath(r.URL.Path):
		d.challenge(w, r, failure)
	case isSafe(r.Method):
		query.Set("redirect_uri", d.returnTo(origin+r.RequestURI))
		returnto.Redirect(w, login+"?"+query.Encode(), http.StatusFound)
	default:
		w.Header().Set("WWW-Authenticate", `Bearer realm="codegrant"`) // no scheme for which a browser asks by itself
		d.signInFirst(w, r, login, query)
	}
}

// siblingOrigin is the allowed origin on another host than ours that a request is
// for: people there sign in here, and go back. The Host header selects among what
// is configured and adds nothing to it.
func (s *site) siblingOrigin(host string) string {
	host = strings.ToLower(host)
	if host == originHost(s.BaseURL) {
		return ""
	}
	for _, origin := range s.AllowedReturnOrigins {
		if originHost(origin) == host {
			return strings.TrimSuffix(origin, "/")
		}
	}
	return ""
}

func originHost(origin string) string {
	_, host, _ := strings.Cut(origin, "://")
	return strings.ToLower(strings.TrimSuffix(host, "/"))
}

// challenge answers 401 with what would help.
func (d *desk) challenge(w http.ResponseWriter, r *http.Request, failure error) {
	// The kind of proof that was refused, or else the first in the chain.
	chain := d.chain
	var refused *proofError
	if errors.As(failure, &refused) {
		chain = append([]Authenticator{refused.by}, chain...)
	}
	for i, authenticator := range chain {
		var cause error
		if refused != nil && i == 0 {
			cause = refused.err
		}
		if c := authenticator.Challenge(cause); c != "" {
			w.Header().Set("WWW-Authenticate", c)
			break
		}
	}
	p := problemDocument{
		Type: problemTypes + "unauthenticated", Title: "Not signed in", Status: http.StatusUnauthorized,
		Detail: "Sign in at login_url, or send an access token of the user pool as a bearer token.", LoginURL: d.BaseURL + d.path("/login"),
	}
	if failure != nil {
		p.Type, p.Title = problemTypes+"invalid-proof", "Proof of identity refused"
		p.Detail = "The credentials that the request carries are expired or not for this service."
		if errors.Is(failure, fault.Revoked) {
			p.Type, p.Title = problemTypes+"revoked", "Signed out everywhere"
			p.Detail = "The person was signed out everywhere, disabled or deleted after the sign-in that the credentials are of. Sign in again."
		}
	}
	writeProblem(w, p)
}

// refuse answers somebody who is signed in, and whom a permission does not allow.
func (d *desk) refuse(w http.ResponseWriter, r *http.Request, id *Identity, err error) {
	var again *StepUpError
	switch {
	case isUnavailable(err):
		d.unavailable(w, r, err)
	case errors.As(err, &again):
		d.stepUp(w, r, id, again)
	default:
		d.forbidden(w, r, id, err)
	}
}

// forbidden answers 403: signed in, and not allowed.
func (d *desk) forbidden(w http.ResponseWriter, r *http.Request, id *Identity, err error) {
	correlation := correlation()
	d.audit(r.Context(), slog.LevelWarn, "request refused", append(actorAttrs(id), slog.String("sub", id.Subject), slog.String("reason", err.Error()),
		slog.String("method", bounded(r.Method)), slog.String("path", bounded(r.URL.Path)), slog.String("correlation", correlation))...)
	p := problemDocument{
		Type: problemTypes + "forbidden", Title: "Not allowed", Status: http.StatusForbidden,
		Detail: "You are signed in, but lack the permission.", Correlation: correlation,
	}
	if errors.Is(err, fault.CrossOrigin) {
		p.Type, p.Title = problemTypes+"cross-origin", "Request from another site"
		p.Detail = "Another site made this browser send the request. If it is one of yours, list its origin in TrustedOrigins."
	}
	switch {
	case !navigates(r):
		writeProblem(w, p)
	case errors.Is(err, fault.CrossOrigin):
		d.look.Render(w, r, p.Status, pages.FromElsewhere{Home: d.DefaultReturnURL, Correlation: p.Correlation})
	default:
		d.showForbidden(w, r, id, p)
	}
}

// unavailable answers 503: it could not be found out who is asking, or whether
// they may. It never says 401, which would make clients throw their session away.
func (d *desk) unavailable(w http.ResponseWriter, r *http.Request, err error) {
	correlation := correlation()
	level := slog.LevelError
	if errors.Is(r.Context().Err(), context.Canceled) {
		level = slog.LevelDebug // the client has gone; nobody reads the answer
	}
	d.audit(r.Context(), level, "request failed", slog.String("reason", err.Error()), slog.String("correlation", correlation))
	w.Header().Set("Retry-After", strconv.Itoa(retryAfter(err)))
	p := problemDocument{
		Type: problemTypes + "unavailable", Title: "Temporarily unavailable", Status: http.StatusServiceUnavailable,
		Detail: "A service that the answer depends on does not respond. Your session is kept; try again.", Correlation: correlation,
	}
	if navigates(r) {
		d.showUnavailable(w, r, p)
		return
	}
	writeProblem(w, p)
}

func (d *desk) tooManyCookies(w http.ResponseWriter, r *http.Request, err error) {
	d.audit(r.Context(), slog.LevelWarn, "request refused", slog.String("reason", err.Error()))
	d.problem(w, r, http.StatusRequestHeaderFieldsTooLarge, err)
}

func (d *desk) methodNotAllowed(w http.ResponseWriter, r *http.Request, allow string) {
	w.Header().Set("Allow", allow)
	d.problem(w, r, http.StatusMethodNotAllowed, nil)
}

// problem answers with a status that needs no more words than its own: a page or a problem.
func (d *desk) problem(w http.ResponseWriter, r *http.Request, status int, err error) {
	if navigates(r) {
		d.look.Answer(w, r, status)
		return
	}
	p := problemDocument{Type: "about:blank", Title: http.StatusText(status), Status: status}
	if err != nil {
		p.Detail = "The request carries more cookies than a browser should hold. Delete this site's cookies and try again."
	}
	writeProblem(w, p)
}

// isOwnEndpoint reports whether a checked target is below the mounted prefix, where
// a sign-in must never end.
func (s *site) isOwnEndpoint(target string) bool {
	u, err := url.Parse(strings.TrimPrefix(target, s.BaseURL))
	return err != nil || s.isOwnPath(u.Path)
}

// isOwnPath is isOwnEndpoint for a path as it is decoded.
func (s *site) isOwnPath(path string) bool {
	prefix := *s.prefix.Load()
	for _, endpoint := range [...]string{"/login", "/callback", "/logout", "/user", "/flash", "/session", "/step-up", "/check"} {
		if rest, ok := strings.CutPrefix(path, prefix+endpoint); ok && (rest == "" || rest == "/") {
			return true
		}
	}
	return false
}

// bounded keeps what a client sent from filling a log.
func bounded(s string) string {
	const most = 256
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
