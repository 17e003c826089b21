package codegrant

import (
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/returnto"
)

// login starts a sign-in: it seals an authorization request in a cookie and
// sends the browser to the pool. With code or error in the query it is also a
// callback, for app clients registered with the one URL.
func (in *signIn) login(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if query.Has("code") || query.Has("error") {
		in.callback(w, r)
		return
	}
	if r.Method != http.MethodGet {
		in.methodNotAllowed(w, r, "GET")
		return
	}
	if background(r) {
		// A sign-in begun by a script, an image or a prefetch has nobody to
		// finish it, and would push out one that has.
		in.unauthorized(w, r, nil)
		return
	}
	returnTo := in.returnTo(in.linkTarget(query))
	if in.begunOnAnotherHost(w, r, query, returnTo) {
		return
	}
	in.begin(w, r, returnTo)
}

// begunAt in a link to sign in says that the browser came by another host, once.
const begunAt = "begun_at"

// begunOnAnotherHost sends a browser to the host of BaseURL that came to /login by
// another name of this service: the pool sends it back there, and cookies of the one
// host do not reach the other. A proxy that does not hand on the Host header makes every
// request look so, so that it is tried once.
func (in *signIn) begunOnAnotherHost(w http.ResponseWriter, r *http.Request, query url.Values, returnTo string) bool {
	if query.Has(begunAt) {
		// A person who is signed in there needs no other sign-in.
		if held, _ := in.sessions.Look(r); held != nil && !query.Has("prompt") && in.demandOf(query).isNothing() {
			in.arrive(w, r, returnTo)
			return true
		}
		return false
	}
	if in.onOwnHost(r) {
		return false
	}
	if origin := in.siblingOrigin(r.Host); origin != "" && strings.HasPrefix(returnTo, "/") {
		returnTo = origin + returnTo
	}
	query = maps.Clone(query)
	query.Set("redirect_uri", returnTo)
	query.Set(begunAt, "other")
	in.audit(r.Context(), slog.LevelDebug, "sign-in begun on another host", slog.String("host", bounded(r.Host)))
	returnto.Redirect(w, in.BaseURL+in.path("/login")+"?"+query.Encode(), http.StatusFound)
	return true
}

// onOwnHost reports whether a request is for the host of BaseURL, as far as it says.
func (s *site) onOwnHost(r *http.Request) bool {
	host, scheme := strings.ToLower(r.Host), "http"
	if s.secure {
		scheme = "https"
	}
	host = strings.TrimSuffix(host, map[string]string{"http": ":80", "https": ":443"}[scheme])
	return host == "" || host == originHost(s.BaseURL)
}

// begin sends the browser to the pool, to come back to a target that was checked.
func (in *signIn) begin(w http.ResponseWriter, r *http.Request, returnTo string) {
	in.beginWith(w, r, returnTo, r.URL.Query().Get("prompt"))
}

// beginWith is begin with a prompt of our own.
func (in *signIn) beginWith(w http.ResponseWriter, r *http.Request, returnTo, prompt string) {
	query := r.URL.Query()
	if in.loops(w, r) {
		in.refuseSignIn(w, r, returnTo, fault.SignInLoop)
		return
	}
	in.send(w, r, newAttempt(in.Now(), returnTo, in.demandOf(query)), query, prompt)
}

// send has the browser make an authorization request.
func (in *signIn) send(w http.ResponseWriter, r *http.Request, at attempt, query url.Values, prompt string) {
	state := at.state()
	in.rememberAttempt(w, r, at, state)
	request := cognito.AuthorizationRequest{
		RedirectURI:      in.callbackURL(),
		State:            state,
		Nonce:            at.nonce(),
		CodeChallenge:    cognito.CodeChallenge(at.codeVerifier()),
		Scopes:           in.Scopes,
		IdentityProvider: passOn(query.Get("identity_provider")),
		IDPIdentifier:    passOn(query.Get("idp_identifier")),
		Lang:             passOn(query.Get("lang")),
		LoginHint:        passOn(query.Get("login_hint")),
		Prompt:           passOn(prompt),
	}
	if in.ProviderFor != nil && request.LoginHint != "" && request.IdentityProvider == "" && request.IDPIdentifier == "" {
		request.IdentityProvider, request.IDPIdentifier = in.ProviderFor(request.LoginHint)
	}
	at.demand.request(&request, in.standards)
	returnto.Redirect(w, in.client.AuthorizeURL(request), http.StatusFound)
	in.audit(r.Context(), slog.LevelDebug, "sign-in started")
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
func (s *site) returnTo(target string) string {
	if target == "" {
		return s.DefaultReturnURL
	}
	checked, err := s.rules.Check(target)
	if err != nil || s.isOwnEndpoint(checked) {
		return s.DefaultReturnURL
	}
	return checked
}
