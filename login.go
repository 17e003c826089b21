package codegrant

import (
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/returnto"
)

// login starts a sign-in: it seals an authorization request in a cookie and
// sends the browser to the pool. With code or error in the query it is also a
// callback, for app clients registered with the one URL.
func (a *Auth) login(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if query.Has("code") || query.Has("error") {
		a.callback(w, r)
		return
	}
	if r.Method != http.MethodGet {
		a.methodNotAllowed(w, r, "GET")
		return
	}
	if background(r) {
		// A sign-in begun by a script, an image or a prefetch has nobody to
		// finish it, and would push out one that has.
		a.unauthorized(w, r, nil)
		return
	}
	returnTo := a.returnTo(a.linkTarget(query))
	if a.begunOnAnotherHost(w, r, query, returnTo) {
		return
	}
	a.begin(w, r, returnTo)
}

// begunAt in a link to sign in says that the browser came by another host, once.
const begunAt = "begun_at"

// begunOnAnotherHost sends a browser to the host of BaseURL that came to /login by
// another name of this service: the pool sends it back there, and cookies of the one
// host do not reach the other. A proxy that does not hand on the Host header makes every
// request look so, so that it is tried once.
func (a *Auth) begunOnAnotherHost(w http.ResponseWriter, r *http.Request, query url.Values, returnTo string) bool {
	if query.Has(begunAt) {
		// Who is signed in there needs no other sign-in.
		if held, _ := a.sessions.Look(r); held != nil && !query.Has("prompt") {
			a.arrive(w, r, returnTo)
			return true
		}
		return false
	}
	if a.onOwnHost(r) {
		return false
	}
	if origin := a.siblingOrigin(r.Host); origin != "" && strings.HasPrefix(returnTo, "/") {
		returnTo = origin + returnTo
	}
	query = maps.Clone(query)
	query.Set("redirect_uri", returnTo)
	query.Set(begunAt, "other")
	a.audit(r.Context(), slog.LevelDebug, "sign-in begun on another host", slog.String("host", bounded(r.Host)))
	returnto.Redirect(w, a.BaseURL+a.path("/login")+"?"+query.Encode(), http.StatusFound)
	return true
}

// onOwnHost reports whether a request is for the host of BaseURL, as far as it says.
func (a *Auth) onOwnHost(r *http.Request) bool {
	host, scheme := strings.ToLower(r.Host), "http"
	if a.secure {
		scheme = "https"
	}
	host = strings.TrimSuffix(host, map[string]string{"http": ":80", "https": ":443"}[scheme])
	return host == "" || host == originHost(a.BaseURL)
}

// begin sends the browser to the pool, to come back to a target that was checked.
func (a *Auth) begin(w http.ResponseWriter, r *http.Request, returnTo string) {
	query := r.URL.Query()
	if a.loops(w, r) {
		a.refuseSignIn(w, r, returnTo, ErrSignInLoop)
		return
	}
	at := newAttempt(a.Now(), returnTo)
	a.rememberAttempt(w, r, at)
	returnto.Redirect(w, a.client.AuthorizeURL(cognito.AuthorizationRequest{
		RedirectURI:      a.callbackURL(),
		State:            at.state(),
		Nonce:            at.nonce(),
		CodeChallenge:    cognito.CodeChallenge(at.codeVerifier()),
		Scopes:           a.Scopes,
		IdentityProvider: passOn(query.Get("identity_provider")),
		IDPIdentifier:    passOn(query.Get("idp_identifier")),
		Lang:             passOn(query.Get("lang")),
		LoginHint:        passOn(query.Get("login_hint")),
		Prompt:           passOn(query.Get("prompt")),
	}), http.StatusFound)
	a.audit(r.Context(), slog.LevelDebug, "sign-in started")
}

// passOn bounds what a link may have Cognito told.
func passOn(value string) string {
	if len(value) > 256 {
		return ""
	}
	return value
}

// returnTo is where a sign-in ends: the target, or the default page where that
// is missing, refused, or one of our own endpoints, which would loop.
func (a *Auth) returnTo(target string) string {
	if target == "" {
		return a.DefaultReturnURL
	}
	checked, err := a.rules.Check(target)
	if err != nil || a.isOwnEndpoint(checked) {
		return a.DefaultReturnURL
	}
	return checked
}
