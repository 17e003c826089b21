package codegrant

import (
	"log/slog"
	"net/http"

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
	a.begin(w, r, a.returnTo(a.linkTarget(query)))
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
