package oauth

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/metadata"
	"github.com/codegrant/codegrant/localpool/internal/place"
	"github.com/codegrant/codegrant/localpool/internal/quota"
	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/tokens"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

// Endpoints serves the OAuth endpoints of every pool of a state.
type Endpoints struct {
	state *state.State
	maker *tokens.Maker
	place place.Place

	limiter   *quota.Limiter
	documents *metadata.Documents
}

// New returns the endpoints of a place.
func New(s *state.State, maker *tokens.Maker, at place.Place, limiter *quota.Limiter, documents *metadata.Documents) *Endpoints {
	return &Endpoints{state: s, maker: maker, place: at, limiter: limiter, documents: documents}
}

// Client finds the app client that a request names: by its id, or by the URL of a document
// that says who it is.
func (e *Endpoints) Client(r *http.Request, id string) (state.Client, error) {
	if !metadata.IsURL(id) {
		if c, ok := e.state.Client(id); ok {
			return c, nil
		}
		return state.Client{}, metadata.ErrUnknown
	}
	pools := e.state.Pools()
	if here := e.place.Here(r); here != e.place.Base {
		pools = slices.DeleteFunc(pools, func(id string) bool { return e.place.Domain(id) != here })
	}
	return e.documents.Client(r.Context(), id, pools)
}

// stranger refuses a client that is none.
func stranger(err error) *Refusal {
	f := &Refusal{Code: "invalid_request", Description: "Client does not exist."}
	if !errors.Is(err, metadata.ErrUnknown) {
		f.Description = "Client metadata document: " + err.Error()
	}
	return f
}

// Issuer returns the issuer of a pool.
func (e *Endpoints) Issuer(poolID string) string { return e.maker.Issuer(poolID) }

// Authorization is an authorization request whose client and redirect URI are
// known to belong together.
type Authorization struct {
	Client       state.Client
	RedirectURI  string
	ResponseType string
	State        string
	HasState     bool
	Scopes       []string
	Nonce        string
	Challenge    string
	Resource     string
	Prompt       []string
	ACRValues    []string
	LoginHint    string
	MaxAge       time.Duration // negative: not given
	// Provider is the identity provider that was asked for; empty: the login page.
	Provider string
}

// Refusal is an authorization request that cannot go on. With RedirectURI, the
// app is told; without, it cannot be trusted to be the app's, and the browser is
// shown a page.
type Refusal struct {
	RedirectURI string
	ClientID    string
	Came        string // a redirect URI that is not the app's
	Fragment    bool
	Code        string
	Description string
	State       string
	HasState    bool
}

// ParseAuthorization reads the query of /oauth2/authorize, /login and the pages
// between. Exactly one of its results is nil.
func (e *Endpoints) ParseAuthorization(r *http.Request, q url.Values) (*Authorization, *Refusal) {
	client, err := e.Client(r, q.Get("client_id"))
	if err != nil {
		return nil, stranger(err)
	}
	a := &Authorization{
		Client: client, RedirectURI: q.Get("redirect_uri"), ResponseType: q.Get("response_type"),
		State: q.Get("state"), HasState: q.Has("state"), Nonce: q.Get("nonce"), Challenge: q.Get("code_challenge"),
		Resource: q.Get("resource"), LoginHint: q.Get("login_hint"), MaxAge: -1,
	}
	if p, err := e.state.Describe(client.PoolID); err == nil && p.Rules().UserPoolTier == "LITE" {
		a.Resource = "" // that plan binds tokens to nothing
	}
	if a.RedirectURI == "" {
		a.RedirectURI = client.DefaultRedirectURI
	}
	if a.RedirectURI == "" && len(client.CallbackURLs) == 1 {
		a.RedirectURI = client.CallbackURLs[0]
	}
	if !client.Calls(a.RedirectURI) {
		return nil, &Refusal{Code: "redirect_mismatch", ClientID: client.Named(), Came: a.RedirectURI}
	}
	refuse := func(code, description string) (*Authorization, *Refusal) {
		return nil, &Refusal{RedirectURI: a.RedirectURI, Fragment: a.ResponseType == "token", Code: code, Description: description, State: a.State, HasState: a.HasState}
	}
	switch a.ResponseType {
	case "code":
		if !client.Allows("code") {
			return refuse("unauthorized_client", "")
		}
	case "token":
		if !client.Allows("implicit") {
			return refuse("unauthorized_client", "")
		}
	default:
		return refuse("invalid_request", "")
	}
	method := q.Get("code_challenge_method")
	if (a.Challenge == "") != (method == "") || (method != "" && method != "S256") || (a.Challenge != "" && len(a.Challenge) != 43) {
		return refuse("invalid_request", "")
	}
	a.Scopes = strings.Fields(q.Get("scope"))
	if len(a.Scopes) == 0 {
		a.Scopes = slices.Clone(client.Scopes)
	}
	for _, scope := range a.Scopes {
		if !slices.Contains(client.Scopes, scope) {
			return refuse("invalid_request", "invalid_scope") // as live pools say it
		}
	}
	pool, err := e.state.Describe(client.PoolID)
	if err != nil {
		return refuse("server_error", "")
	}
	if pool.Managed() {
		a.Prompt = strings.Fields(q.Get("prompt"))
	}
	if raw := q.Get("max_age"); raw != "" && pool.StepsUp() {
		age, err := strconv.ParseUint(raw, 10, 31)
		if err != nil {
			return refuse("invalid_request", "")
		}
		a.MaxAge = time.Duration(age) * time.Second
	}
	if pool.StepsUp() {
		a.ACRValues = strings.Fields(q.Get("acr_values"))
	}
	if a.Provider, err = e.provider(client, q); err != nil {
		return nil, a.Fault(err)
	}
	return a, nil
}

// Authorize serves GET /oauth2/authorize: a code at once for a browser with a
// session, the login page for any other.
func (e *Endpoints) Authorize(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", "GET")
		http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	q := r.URL.Query()
	a, refusal := e.ParseAuthorization(r, q)
	if refusal != nil {
		e.Refuse(w, r, refusal)
		return
	}
	x, u, signedIn := e.SignedIn(r, a)
	met := signedIn && x.Shown.Level >= e.Level(a, u)
	fresh := slices.Contains(a.Prompt, "login")
	switch {
	case slices.Contains(a.Prompt, "none") && !met:
		e.Refuse(w, r, &Refusal{RedirectURI: a.RedirectURI, Fragment: a.ResponseType == "token", Code: "login_required", State: a.State, HasState: a.HasState})
	case met && !fresh:
		e.finish(w, r, a, u, x)
	case signedIn && !fresh && x.Shown.Has(state.ByPassword):
		redirect(w, e.place.Here(r)+"/stepup?"+r.URL.RawQuery)
	case a.Provider != "":
		redirect(w, e.place.Here(r)+"/idp?"+r.URL.RawQuery)
	default:
		redirect(w, e.place.Here(r)+"/login?"+r.URL.RawQuery)
	}
}

// SessionCookie is Cognito's name for the browser's session on the login pages.
const SessionCookie = "cognito"

// SignedIn finds the browser's session, if the app client takes it over: one that is older
// than max_age counts for nothing.
func (e *Endpoints) SignedIn(r *http.Request, a *Authorization) (x state.Session, u state.User, ok bool) {
	for _, c := range r.CookiesNamed(SessionCookie) {
		if x, ok = e.state.Session(c.Value, a.Client); !ok {
			continue
		}
		if a.MaxAge >= 0 && e.state.Now().Sub(x.AuthTime) > a.MaxAge {
			break
		}
		u, err := e.state.User(x.PoolID, x.Sub)
		return x, u, err == nil
	}
	return state.Session{}, state.User{}, false
}

// Level is the one that a request asks for and a user can reach: the first of acr_values.
// Zero: any. Where none can be reached the sign-in goes on, and the app is to look at acr.
// (Unconfirmed: "acr_values that nobody can reach".)
func (e *Endpoints) Level(a *Authorization, u state.User) int {
	level, _ := e.state.Asked(a.Client.PoolID, u.Sub(), a.ACRValues)
	return level
}

// Complete is where the login pages come back to: it begins the browser's session
// and sends it to the app with a code.
func (e *Endpoints) Complete(w http.ResponseWriter, r *http.Request, a *Authorization, u state.User, shown state.Shown) {
	begin := state.Session{PoolID: a.Client.PoolID, Username: u.Username, Sub: u.Sub(), ClientID: a.Client.ID, Shown: shown, Device: r.UserAgent(), IP: addressOf(r)}
	begin.Device = begin.Device[:min(len(begin.Device), maxDevice)]
	for _, c := range r.CookiesNamed(SessionCookie) { // whose place it takes
		if before := e.state.EndSession(c.Value); before.PoolID == begin.PoolID && before.Sub == begin.Sub {
			begin.ID = before.ID
		}
	}
	value, x, lifetime := e.state.StartSession(begin)
	http.SetCookie(w, e.cookie(r, value, seconds(lifetime)))
	e.finish(w, r, a, u, x)
}

const maxDevice = 1024

func addressOf(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}

func (e *Endpoints) cookie(r *http.Request, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: SessionCookie, Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true,
		Secure: strings.HasPrefix(e.place.Here(r), "https:"), SameSite: http.SameSiteLaxMode,
	}
}

// finish answers a request that a signed-in person made.
func (e *Endpoints) finish(w http.ResponseWriter, r *http.Request, a *Authorization, u state.User, x state.Session) {
	if a.ResponseType == "token" {
		e.finishImplicit(w, r, a, u, x)
		return
	}
	acr, amr := e.state.Context(a.Client.PoolID, x.Shown)
	code := e.state.IssueCode(state.Code{
		ClientID: a.Client.Named(), Username: u.Username, Sub: u.Sub(), RedirectURI: a.RedirectURI,
		Scopes: a.Scopes, Nonce: a.Nonce, Challenge: a.Challenge, Resource: a.Resource, AuthTime: x.AuthTime,
		ACR: acr, AMR: amr, Origin: x.ID, Device: x.Device, IP: x.IP,
	})
	q := "code=" + url.QueryEscape(code)
	if a.HasState {
		q += "&state=" + url.QueryEscape(a.State)
	}
	redirect(w, join(a.RedirectURI, "?", q))
}

func (e *Endpoints) finishImplicit(w http.ResponseWriter, r *http.Request, a *Authorization, u state.User, x state.Session) {
	acr, amr := e.state.Context(a.Client.PoolID, x.Shown)
	t, err := e.maker.Mint(r.Context(), a.Client, u, tokens.Terms{
		Scopes: a.Scopes, Nonce: a.Nonce, Resource: a.Resource, AuthTime: x.AuthTime, ACR: acr, AMR: amr, Source: triggers.HostedAuth,
	})
	var refusal *state.Error
	if errors.As(err, &refusal) {
		e.Refuse(w, r, a.refusedBy(refusal))
		return
	}
	if err != nil {
		e.Refuse(w, r, &Refusal{RedirectURI: a.RedirectURI, Fragment: true, Code: "server_error", State: a.State, HasState: a.HasState})
		return
	}
	q := url.Values{"access_token": {t.Access}, "token_type": {"Bearer"}, "expires_in": {strconv.Itoa(t.ExpiresIn)}}
	if t.ID != "" {
		q.Set("id_token", t.ID)
	}
	if a.HasState {
		q.Set("state", a.State)
	}
	redirect(w, join(a.RedirectURI, "#", q.Encode()))
}

// refusedBy is how the app is told of what a trigger said: with a space after it.
func (a *Authorization) refusedBy(refusal *state.Error) *Refusal {
	return &Refusal{
		RedirectURI: a.RedirectURI, Fragment: a.ResponseType == "token", Code: "invalid_request", Description: refusal.Message + " ",
		State: a.State, HasState: a.HasState,
	}
}

// FederatedError is where Cognito would send a person of an identity provider whom
// a trigger refuses. It is empty where no trigger does.
func (e *Endpoints) FederatedError(a *Authorization, err error) string {
	var refusal *state.Error
	if !errors.As(err, &refusal) || !ofTrigger(refusal) {
		return ""
	}
	return a.refusedBy(refusal).location()
}

// Refuse tells the app, or shows the error page where the redirect URI cannot be
// trusted.
func (e *Endpoints) Refuse(w http.ResponseWriter, r *http.Request, f *Refusal) {
	if f.RedirectURI == "" {
		q := "error=" + url.QueryEscape(f.Code)
		if f.Description != "" {
			q += "&error_description=" + url.QueryEscape(f.Description)
		}
		if f.ClientID != "" {
			q += "&client_id=" + url.QueryEscape(f.ClientID)
		}
		if f.Came != "" { // Cognito leaves it out; the page here shows it
			q += "&redirect_uri=" + url.QueryEscape(f.Came)
		}
		redirect(w, e.place.Here(r)+"/error?"+q)
		return
	}
	redirect(w, f.location())
}

// location is where the app is told.
func (f *Refusal) location() string {
	// The order in which Cognito sends them.
	var q []string
	if f.Description != "" {
		q = append(q, "error_description="+url.QueryEscape(f.Description))
	}
	if f.HasState {
		q = append(q, "state="+url.QueryEscape(f.State))
	}
	q = append(q, "error="+url.QueryEscape(f.Code))
	separator := "?"
	if f.Fragment {
		separator = "#"
	}
	return join(f.RedirectURI, separator, strings.Join(q, "&"))
}

func join(uri, separator, query string) string {
	if separator == "?" && strings.Contains(uri, "?") {
		separator = "&"
	}
	return uri + separator + query
}

func redirect(w http.ResponseWriter, location string) {
	h := w.Header()
	h.Set("Location", location)
	h.Set("Cache-Control", "no-cache, no-store, max-age=0, must-revalidate")
	w.WriteHeader(http.StatusFound)
}

// Logout serves GET /logout: it forgets the browser's session and goes to a
// sign-out URL, or to a new sign-in.
func (e *Endpoints) Logout(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") == "" {
		http.Error(w, "Required String parameter 'client_id' is not present", http.StatusBadRequest)
		return
	}
	client, err := e.Client(r, q.Get("client_id"))
	if err != nil {
		e.Refuse(w, r, stranger(err))
		return
	}
	target := ""
	switch {
	case slices.Contains(client.LogoutURLs, q.Get("logout_uri")):
		target = q.Get("logout_uri")
	case client.Calls(q.Get("redirect_uri")):
		q.Del("logout_uri")
		target = e.place.Here(r) + "/login?" + q.Encode()
	default:
		// Misleading, and what Cognito says, also of a logout_uri that differs
		// in a trailing slash.
		http.Error(w, "Required String parameter 'redirect_uri' is not present", http.StatusBadRequest)
		return
	}
	for _, c := range r.CookiesNamed(SessionCookie) {
		e.state.EndSession(c.Value)
	}
	http.SetCookie(w, e.cookie(r, "", -1))
	redirect(w, target)
}
