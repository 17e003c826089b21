package pages

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"embed"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/oauth"
	"github.com/codegrant/codegrant/localpool/internal/place"
	"github.com/codegrant/codegrant/localpool/internal/quota"
	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

//go:embed *.html *.js *.txt style.css
var files embed.FS

var (
	css      = mustRead("style.css")
	pin      = sha256.Sum256([]byte(css))
	stylePin = "'sha256-" + base64.StdEncoding.EncodeToString(pin[:]) + "'"
	// templates are read when a page is first shown: every command of the program has them.
	templates = sync.OnceValue(func() *template.Template {
		return template.Must(template.New("").Funcs(template.FuncMap{
			"style": func() template.CSS { return template.CSS(css) },
			"clock": func(t time.Time) string { return t.Format("15:04:05") },
			"join":  strings.Join,

			"authenticator": authenticator,
			"qr":            qrCode,
			"script":        script,
		}).ParseFS(files, "*.html"))
	})
)

func mustRead(name string) string {
	b, err := files.ReadFile(name)
	if err != nil {
		panic(err) // embedded
	}
	return string(b)
}

// Pages serves the pages of every pool of a state.
type Pages struct {
	state *state.State
	oauth *oauth.Endpoints
	place place.Place
	csrf  *http.CrossOriginProtection
	mux   *http.ServeMux

	limiter  *quota.Limiter
	triggers *triggers.Triggers

	mu         sync.Mutex
	challenges map[string]challenge // people who are asked for more
}

// challenge is a sign-in that got as far as the password.
type challenge struct {
	poolID, sub string // a new user of the same name is another person
	until       time.Time
	factor      string // asked for; empty: a new password
	at          atProvider
	shown       state.Shown // so far
	first       bool        // that they show something
}

const (
	maxForm           = 64 << 10
	challengeLifetime = 5 * time.Minute
	maxChallenges     = 1000
)

// New returns the pages.
func New(s *state.State, endpoints *oauth.Endpoints, t *triggers.Triggers, at place.Place, limiter *quota.Limiter) *Pages {
	p := &Pages{
		state: s, oauth: endpoints, triggers: t, place: at, csrf: http.NewCrossOriginProtection(),
		mux: http.NewServeMux(), challenges: make(map[string]challenge), limiter: limiter,
	}
	for path, step := range map[string]struct {
		category string
		serve    func(http.ResponseWriter, *http.Request, *view)
		writes   bool // which waits while a recovery is looked at
	}{
		"/login": {quota.UserAuthentication, p.login, false}, "/mfa": {quota.UserAuthentication, p.mfa, false},
		"/signup": {quota.UserCreation, p.signUp, true}, "/confirm": {quota.UserCreation, p.confirm, true}, "/resendcode": {quota.UserResourceRead, p.resend, false},
		"/forgotPassword": {quota.UserAccountRecovery, p.forgot, false}, "/confirmforgotPassword": {quota.UserAccountRecovery, p.reset, true},
		"/newpassword": {quota.UserAccountRecovery, p.newPassword, true}, "/idp": {quota.UserAuthentication, p.idp, false},
		"/stepup": {quota.UserAuthentication, p.stepUp, false}, "/choose": {quota.UserAuthentication, p.choose, false},
		"/passkey": {quota.UserAuthentication, p.passkey, false}, "/passkeys/add": {quota.UserAuthentication, p.addPasskey, true},
	} {
		p.mux.HandleFunc(path, p.authorized(step.category, step.writes, step.serve))
	}
	p.mux.HandleFunc("GET /{$}", p.index)
	p.mux.HandleFunc("GET /oauth2/idpresponse", p.idpResponse)
	p.mux.HandleFunc("GET /confirmUser", p.confirmUser)
	p.mux.HandleFunc("GET /codes", p.codes)
	p.mux.HandleFunc("GET /setup", p.setup)
	p.mux.HandleFunc("GET /error", p.fault)
	return p
}

// ServeHTTP implements [http.Handler].
func (p *Pages) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

// view is what every template is given.
type view struct {
	Title  string
	Query  template.URL // of the authorization request, kept from page to page
	CSRF   string
	Error  string
	App    string // where Cognito would send people of an identity provider with the error
	Notice string
	Email  string // what the person typed, to not have to type it again
	Token  string
	Data   any

	Lang    language
	Looks   looks
	Choices []choice // identity providers
	Own     bool     // the pool's own users sign in here
	Chooses bool     // people say who they are before they choose how to sign in
	Known   bool     // and have said so

	authorization *oauth.Authorization
	policy        state.PasswordPolicy
}

// T is a text in the language of the page.
func (v *view) T(english string, value ...string) string { return v.Lang.text(english, value...) }

// Policy says what the pool asks of passwords.
func (v *view) Policy() string {
	texts := []string{v.T("At least {} characters", strconv.Itoa(v.policy.MinimumLength))}
	for _, one := range []struct {
		on   bool
		text string
	}{{v.policy.RequireUppercase, "upper case"}, {v.policy.RequireLowercase, "lower case"}, {v.policy.RequireNumbers, "a number"}, {v.policy.RequireSymbols, "a symbol"}} {
		if one.on {
			texts = append(texts, v.T(one.text))
		}
	}
	return strings.Join(texts, ", ")
}

// authorized wraps the pages of a sign-in: each carries a whole authorization
// request in its query, which is checked again at every step.
func (p *Pages) authorized(category string, writes bool, h func(http.ResponseWriter, *http.Request, *view)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodPost {
			w.Header().Set("Allow", "GET, POST")
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
			return
		}
		q := r.URL.Query()
		if r.URL.Path == "/passkeys/add" { // which is not an authorization, and is on the way to none
			q.Set("response_type", "code")
			r = withQuery(r, q)
		}
		a, refusal := p.oauth.ParseAuthorization(r, q)
		if refusal != nil {
			p.oauth.Refuse(w, r, refusal)
			return
		}
		v := &view{Query: template.URL(r.URL.Query().Encode()), authorization: a, Email: a.LoginHint}
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
			if err := r.ParseForm(); err != nil {
				http.Error(w, "Bad Request", http.StatusBadRequest)
				return
			}
			if p.csrf.Check(r) != nil || !p.csrfMatches(r) {
				v.Error = "An error was encountered with the requested page. Please try again."
				p.show(w, r, http.StatusForbidden, "login.html", "Sign in", v)
				return
			}
			if !p.limiter.Take(category) {
				v.Error = "Rate exceeded"
				p.show(w, r, http.StatusTooManyRequests, "login.html", "Sign in", v)
				return
			}
			v.Email = r.PostFormValue("username")
		}
		if writes && p.state.Paused(a.Client.PoolID) {
			p.pause(w, r, v)
			return
		}
		h(w, r, v)
	}
}

// pause says that a change has to wait. Sign-ins that change nothing go on.
func (p *Pages) pause(w http.ResponseWriter, r *http.Request, v *view) {
	v.Error = message(state.ErrPaused)
	p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
}

const csrfCookie = "XSRF-TOKEN"

func (p *Pages) csrfMatches(r *http.Request) bool {
	c, err := r.Cookie(csrfCookie)
	return err == nil && c.Value != "" && subtle.ConstantTimeCompare([]byte(c.Value), []byte(r.PostFormValue("_csrf"))) == 1
}

func randomValue() string {
	b := make([]byte, 24)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// show renders a page.
func (p *Pages) show(w http.ResponseWriter, r *http.Request, status int, name, title string, v *view) {
	v.Title = title
	if v.authorization != nil {
		if err := p.triggers.Deliver(r.Context(), v.authorization.Client.ID, nil); err != nil {
			p.refuse(v, err)
		}
	}
	p.clothe(w, r, v)
	if c, err := r.Cookie(csrfCookie); err == nil && len(c.Value) == 32 {
		v.CSRF = c.Value
	} else {
		v.CSRF = randomValue()
		http.SetCookie(w, &http.Cookie{
			Name: csrfCookie, Value: v.CSRF, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(p.place.Here(r), "https:"),
		})
	}
	// Browsers check the redirects that follow a form against this too, those from the
	// callback to a page on another origin among them.
	action := "'self'"
	if a := v.authorization; a != nil {
		if u, err := url.Parse(a.RedirectURI); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
			action += " http: https:"
		} else if err == nil && u.Scheme != "" {
			action += " " + u.Scheme + ":"
		}
	}
	if v.authorization != nil && name == "login.html" {
		v.Choices, v.Own = p.choices(v.authorization, r.URL.Query())
		if _, ok := p.choosing(v.authorization); ok {
			v.Chooses = !v.Known
		}
	}
	var body bytes.Buffer
	if err := templates().ExecuteTemplate(&body, name, v); err != nil {
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src "+stylePin+stylePinOf(v.Looks.Style)+pictureSource(v.Looks.Logo)+scripts(name)+"; form-action "+action+"; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

func (p *Pages) login(w http.ResponseWriter, r *http.Request, v *view) {
	if r.Method == http.MethodGet {
		p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
		return
	}
	c := v.authorization.Client
	rules, chooses := p.choosing(v.authorization)
	if chooses && r.PostFormValue("password") == "" {
		p.begin(w, r, v, rules)
		return
	}
	v.Known = chooses
	err := p.migrate(r.Context(), c, r.PostFormValue("username"), r.PostFormValue("password"))
	if err == nil {
		err = p.triggers.Begin(r.Context(), c, r.PostFormValue("username"), triggers.Sent{})
	}
	if err != nil {
		p.refuse(v, err)
		p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
		return
	}
	u, err := p.state.Authenticate(c.PoolID, r.PostFormValue("username"), r.PostFormValue("password"))
	switch {
	case refused(err, state.UserNotConfirmed):
		p.resendTo(v.authorization, u.Username)
		v.Notice = "Your account is not confirmed yet. We sent you a new code."
		p.show(w, r, http.StatusOK, "confirm.html", "Confirm your account", v)
	case refused(err, state.PasswordResetRequired):
		v.Notice = "You have to reset your password."
		p.show(w, r, http.StatusOK, "forgot.html", "Reset your password", v)
	case err != nil:
		v.Error = message(err)
		p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
	case u.Status == state.ForceChangePassword:
		v.Token = p.challenge(c.PoolID, u.Sub(), "", state.Showed(state.ByPassword))
		p.show(w, r, http.StatusOK, "newpassword.html", "Choose a new password", v)
	default:
		p.second(w, r, v, u, state.Showed(state.ByPassword))
	}
}

// migrate has a trigger bring somebody whom the pool does not know. Whoever it does not
// know either is refused as everybody is.
func (p *Pages) migrate(ctx context.Context, c state.Client, username, password string) error {
	if _, err := p.state.User(c.PoolID, username); err == nil || username == "" {
		return nil
	}
	_, err := p.triggers.Migrate(ctx, c, username, password, triggers.Sent{})
	if refused(err, state.UserNotFound) {
		return nil
	}
	return err
}

// challenge remembers a person who is asked for more.
func (p *Pages) challenge(poolID, sub, factor string, shown state.Shown) string {
	return p.remember(challenge{poolID: poolID, sub: sub, until: p.state.Now().Add(challengeLifetime), factor: factor, shown: shown})
}

func (p *Pages) remember(asked challenge) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.state.Now()
	for token, c := range p.challenges {
		if now.After(c.until) || len(p.challenges) >= maxChallenges {
			delete(p.challenges, token)
		}
	}
	token := randomValue()
	p.challenges[token] = asked
	return token
}

func (p *Pages) newPassword(w http.ResponseWriter, r *http.Request, v *view) {
	token := r.PostFormValue("challenge")
	c, u, ok := p.challenged(r, v, token)
	if !ok || c.factor != "" || u.Status != state.ForceChangePassword {
		v.Error = errExpired
		p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
		return
	}
	v.Token = token
	password := r.PostFormValue("password")
	err := errDifferent
	if password == r.PostFormValue("again") {
		err = p.state.SetPassword(c.poolID, c.sub, password, true)
	}
	if err != nil {
		v.Error = message(err)
		p.show(w, r, http.StatusOK, "newpassword.html", "Choose a new password", v)
		return
	}
	p.end(token)
	p.second(w, r, v, u, c.shown)
}

const errExpired = "Your session has expired. Please sign in again."

// index says what this is, for whoever opens the address.
func (p *Pages) index(w http.ResponseWriter, r *http.Request) {
	type poolView struct {
		state.Pool
		Issuer string
		Users  []state.User
	}
	var pools []poolView
	for _, id := range p.state.Pools() {
		pool, err := p.state.Describe(id)
		users, _, err2 := p.state.ListUsers(id, state.Filter{}, 0, 100)
		if err == nil && err2 == nil {
			pools = append(pools, poolView{pool, p.oauth.Issuer(id), users})
		}
	}
	p.show(w, r, http.StatusOK, "index.html", "Local pool", &view{Data: pools})
}

func (p *Pages) codes(w http.ResponseWriter, r *http.Request) {
	p.show(w, r, http.StatusOK, "codes.html", "Codes", &view{Data: p.state.Messages()})
}

// mismatch is a callback URL that is not registered.
type mismatch struct {
	ClientID, Came string
	Registered     []string
}

// fault is where the browser ends when the app cannot be told.
func (p *Pages) fault(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	v := &view{Error: "An error was encountered with the requested page."}
	switch {
	case q.Get("error") == "redirect_mismatch":
		v.Notice = "redirect_mismatch: the redirect_uri is not one of the app client's callback URLs. They are compared to the letter, trailing slash included."
		if client, err := p.oauth.Client(r, q.Get("client_id")); err == nil {
			v.Data = mismatch{ClientID: client.Named(), Came: q.Get("redirect_uri"), Registered: client.CallbackURLs}
		}
	case q.Get("error_description") != "":
		v.Notice = q.Get("error_description")
	}
	p.show(w, r, http.StatusBadRequest, "error.html", "Error", v)
}

// refuse shows why something was not done. What a trigger says to a person of an
// identity provider is shown by the app, which developers can try from here.
func (p *Pages) refuse(v *view, err error) {
	v.Error, v.App = message(err), p.oauth.FederatedError(v.authorization, err)
}

func refused(err error, kind string) bool {
	var e *state.Error
	return errors.As(err, &e) && e.Type == kind
}

// message is what Cognito's page would say.
func message(err error) string {
	var e *state.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return "Something went wrong. Please try again."
}
