package pages

import (
	"net/http"
	"slices"

	"github.com/codegrant/codegrant/localpool/internal/oauth"
	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
	"github.com/codegrant/codegrant/localpool/internal/webauthn"
)

// The ways to begin a sign-in, by their names at the JSON API.
const (
	byPassword = "PASSWORD"
	byEmail    = state.EmailMFA
	bySMS      = "SMS_OTP"
	byPasskey  = "WEB_AUTHN"
)

// sentTo are the attributes that codes to begin a sign-in with are sent to.
var sentTo = map[string]string{byEmail: "email", bySMS: "phone_number"}

// choosing reports whether people say who they are before they choose how to sign in: where
// the pool allows more than the password, and the client the flow of choice.
func (p *Pages) choosing(a *oauth.Authorization) (rules state.Rules, ok bool) {
	pool, err := p.state.Describe(a.Client.PoolID)
	if err != nil || !a.Client.AllowsAuth("USER_AUTH") || !pool.Managed() {
		return rules, false
	}
	rules = pool.Rules()
	allowed := rules.Policies.SignInPolicy.AllowedFirstAuthFactors
	return rules, slices.ContainsFunc(allowed, func(f string) bool { return f != byPassword })
}

// ways are how somebody may begin: of who does not exist, what others may.
func (p *Pages) ways(v *view, rules state.Rules) (list []string, u state.User) {
	poolID := v.authorization.Client.PoolID
	u, err := p.state.User(poolID, v.Email)
	if err != nil {
		list = slices.DeleteFunc(slices.Clone(rules.Policies.SignInPolicy.AllowedFirstAuthFactors), func(f string) bool { return f == byPasskey })
		return list, u
	}
	list = u.FirstFactors(rules)
	if level := p.oauth.Level(v.authorization, u); level > 0 {
		list = slices.DeleteFunc(list, func(f string) bool { return !p.state.Reaches(poolID, u.Sub(), f, level) })
	}
	return list, u
}

// begin goes on with a person who has said who they are: to what they may choose, or to
// the only way that there is.
func (p *Pages) begin(w http.ResponseWriter, r *http.Request, v *view, rules state.Rules) {
	list, u := p.ways(v, rules)
	switch len(list) {
	case 0:
		p.askPassword(w, r, v)
	case 1:
		p.first(w, r, v, u, list[0])
	default:
		v.Data = list
		p.show(w, r, http.StatusOK, "ways.html", "Sign in", v)
	}
}

func (p *Pages) askPassword(w http.ResponseWriter, r *http.Request, v *view) {
	v.Known = true
	p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
}

// choose is the answer to how somebody wants to sign in.
func (p *Pages) choose(w http.ResponseWriter, r *http.Request, v *view) {
	rules, ok := p.choosing(v.authorization)
	if !ok || r.Method != http.MethodPost || v.Email == "" {
		p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
		return
	}
	list, u := p.ways(v, rules)
	if way := r.PostFormValue("way"); slices.Contains(list, way) {
		p.first(w, r, v, u, way)
		return
	}
	p.begin(w, r, v, rules)
}

// first asks for the first thing that a person shows.
func (p *Pages) first(w http.ResponseWriter, r *http.Request, v *view, u state.User, way string) {
	if way == byPassword {
		p.askPassword(w, r, v)
		return
	}
	c := v.authorization.Client
	err := p.triggers.Begin(r.Context(), c, v.Email, triggers.Sent{})
	if err == nil && u.Sub() != "" && !u.Enabled {
		err = &state.Error{Type: state.NotAuthorized, Message: "User is disabled."}
	}
	if err == nil && way == byPasskey {
		err = p.askPasskey(w, r, v, u)
		if err == nil {
			return
		}
	}
	if err == nil && u.Sub() != "" {
		_, err = p.state.SendSignIn(c.PoolID, u.Sub(), sentTo[way])
	}
	if err != nil {
		p.refuse(v, err)
		p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
		return
	}
	v.Data, v.Error = askedCode{Username: v.Email, Sent: true}, ""
	v.Token = p.remember(challenge{poolID: c.PoolID, sub: u.Sub(), until: p.state.Now().Add(challengeLifetime), factor: way, first: true})
	p.show(w, r, http.StatusOK, "mfa.html", "Sign in", v)
}

// askPasskey asks a browser for a passkey.
func (p *Pages) askPasskey(w http.ResponseWriter, r *http.Request, v *view, u state.User) error {
	pool, err := p.state.Describe(v.authorization.Client.PoolID)
	if err != nil {
		return err
	}
	settings, err := webauthn.Settings(pool.Rules())
	if err != nil {
		return err
	}
	v.Error = ""
	v.Token = p.remember(challenge{poolID: pool.ID, sub: u.Sub(), until: p.state.Now().Add(challengeLifetime), factor: byPasskey, first: true})
	v.Data = passkeyPage{Action: "/passkey", Options: webauthn.Request(settings, u, v.Token)}
	p.show(w, r, http.StatusOK, "passkey.html", "Sign in", v)
	return nil
}

// passkeyPage is what the page is told that speaks with an authenticator.
type passkeyPage struct {
	Action  string
	Options string // of navigator.credentials, as JSON has them
	New     bool   // one is registered
}

// passkey takes what an authenticator answers at a sign-in.
func (p *Pages) passkey(w http.ResponseWriter, r *http.Request, v *view) {
	token := r.PostFormValue("challenge")
	c, u, ok := p.challenged(r, v, token)
	if !ok || c.factor != byPasskey {
		v.Error = errExpired
		p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
		return
	}
	p.end(token) // of one challenge there is one answer
	k, err := p.checkPasskey(c, u, token, r.PostFormValue("credential"))
	if err == nil && u.Status == state.Unconfirmed {
		err = &state.Error{Type: state.UserNotConfirmed, Message: "User is not confirmed."}
	}
	if err != nil {
		v.Email = u.Username
		p.refuse(v, err)
		p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
		return
	}
	p.complete(w, r, v, u, state.Showed(k.Method()))
}

func (p *Pages) checkPasskey(c challenge, u state.User, token, credential string) (k state.Passkey, err error) {
	pool, err := p.state.Describe(c.poolID)
	if err != nil {
		return k, err
	}
	settings, err := webauthn.Settings(pool.Rules())
	if err != nil {
		return k, err
	}
	given, err := webauthn.Parse(credential)
	if err != nil {
		return k, err
	}
	k, count, err := given.SignedBy(settings, u, token)
	if err != nil {
		return k, err
	}
	return k, p.state.UsePasskey(c.poolID, u.Sub(), k, count)
}

// registering is the factor of a challenge that a new passkey answers.
const registering = "WEB_AUTHN_REGISTRATION"

// addPasskey registers a passkey of a person who is signed in, and goes back to the app.
func (p *Pages) addPasskey(w http.ResponseWriter, r *http.Request, v *view) {
	a := v.authorization
	_, u, ok := p.oauth.SignedIn(r, a)
	pool, err := p.state.Describe(a.Client.PoolID)
	if !ok || err != nil {
		http.Redirect(w, r, p.place.Here(r)+"/login?"+string(v.Query), http.StatusFound)
		return
	}
	settings, err := webauthn.Settings(pool.Rules())
	if err == nil && r.Method == http.MethodPost {
		if err = p.register(v, u, settings, r.PostFormValue("credential")); err == nil {
			http.Redirect(w, r, a.RedirectURI, http.StatusFound)
			return
		}
	}
	if err != nil {
		v.Error = message(err)
		if refused(err, "WebAuthnNotEnabledException") {
			p.show(w, r, http.StatusBadRequest, "error.html", "Error", v)
			return
		}
	}
	v.Token = p.challenge(pool.ID, u.Sub(), registering, state.Shown{})
	v.Data = passkeyPage{Action: "/passkeys/add", Options: mustJSON(webauthn.Creation(settings, u, v.Token)), New: true}
	p.show(w, r, http.StatusOK, "passkey.html", "Add a passkey", v)
}

func (p *Pages) register(v *view, u state.User, settings state.WebAuthnConfiguration, credential string) error {
	given, err := webauthn.Parse(credential)
	if err != nil {
		return err
	}
	poolID := v.authorization.Client.PoolID
	k, err := given.Registered(settings, func(token string) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		c, ok := p.challenges[token]
		delete(p.challenges, token)
		return ok && c.factor == registering && c.poolID == poolID && c.sub == u.Sub() && p.state.Now().Before(c.until)
	})
	if err != nil {
		return err
	}
	return p.state.AddPasskey(poolID, u.Sub(), k)
}
