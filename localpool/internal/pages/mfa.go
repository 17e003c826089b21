package pages

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

// chooseFactor is the factor of a challenge for who has several, and has not chosen.
const chooseFactor = "SELECT_MFA_TYPE"

var errNoFactor error = &state.Error{Type: state.InvalidParameter, Message: "This pool asks everybody for a code by e-mail or SMS, and you have no verified address. Ask an administrator to set one."}

// addresses are the attributes that codes of a factor are sent to.
var addresses = map[string]string{state.EmailMFA: "email", state.SMSMFA: "phone_number"}

// second asks a person who has shown the password for another factor, or to set one up,
// where the pool, they themselves, or the app want that.
func (p *Pages) second(w http.ResponseWriter, r *http.Request, v *view, u state.User, shown state.Shown) {
	factors, setUp, err := p.secondFactors(v, u)
	switch {
	case err != nil:
	case len(factors) > 1:
		v.Error, v.Data = "", factors
		v.Token = p.challenge(v.authorization.Client.PoolID, u.Sub(), chooseFactor, shown)
		p.show(w, r, http.StatusOK, "factors.html", "Sign in", v)
		return
	case len(factors) == 1:
		p.ask(w, r, v, u, factors[0], shown)
		return
	case slices.Contains(setUp, state.SoftwareTokenMFA):
		p.ask(w, r, v, u, state.MFASetup, shown)
		return
	case len(setUp) > 0:
		err = errNoFactor
	default:
		p.complete(w, r, v, u, shown)
		return
	}
	v.Error = message(err)
	p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
}

func (p *Pages) secondFactors(v *view, u state.User) (factors, setUp []string, err error) {
	return p.state.SecondFactors(v.authorization.Client.PoolID, u.Sub(), p.oauth.Level(v.authorization, u))
}

// stepUp asks a person who is signed in for the factor that the app wants besides, and who
// is not, to sign in.
func (p *Pages) stepUp(w http.ResponseWriter, r *http.Request, v *view) {
	x, u, ok := p.oauth.SignedIn(r, v.authorization)
	factors, _, err := p.secondFactors(v, u)
	missing := ok && err == nil && len(factors) > 0 && x.Shown.Level < p.oauth.Level(v.authorization, u)
	if !missing || !x.Shown.Has(state.ByPassword) || slices.Contains(v.authorization.Prompt, "login") {
		p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
		return
	}
	p.second(w, r, v, u, x.Shown)
}

// ask asks for one factor.
func (p *Pages) ask(w http.ResponseWriter, r *http.Request, v *view, u state.User, factor string, shown state.Shown) {
	poolID := v.authorization.Client.PoolID
	asked := askedCode{Username: u.Username}
	var err error
	switch factor {
	case state.MFASetup:
		asked.Secret, err = p.state.AssociateToken(poolID, u.Sub())
	case state.EmailMFA, state.SMSMFA:
		asked.Sent = true
		_, err = p.state.SendSignIn(poolID, u.Sub(), addresses[factor])
	}
	if err != nil {
		v.Error = message(err)
		p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
		return
	}
	v.Error, v.Data, v.Token = "", asked, p.challenge(poolID, u.Sub(), factor, shown)
	p.show(w, r, http.StatusOK, "mfa.html", "Sign in", v)
}

// askedCode is what the page shows that asks for a code.
type askedCode struct {
	Username string
	Secret   string // of an authenticator app that is being set up
	Sent     bool   // by e-mail or SMS
}

func (p *Pages) mfa(w http.ResponseWriter, r *http.Request, v *view) {
	token := r.PostFormValue("challenge")
	c, u, ok := p.challenged(r, v, token)
	if !ok || c.factor == "" || c.factor == byPasskey || c.factor == registering {
		v.Error = errExpired
		p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
		return
	}
	if c.factor == chooseFactor {
		factors, _, err := p.secondFactors(v, u)
		p.end(token)
		if factor := r.PostFormValue("factor"); err == nil && slices.Contains(factors, factor) {
			p.ask(w, r, v, u, factor, c.shown)
			return
		}
		p.second(w, r, v, u, c.shown)
		return
	}
	if (c.factor == state.MFASetup || c.factor == state.SoftwareTokenMFA) && p.state.Paused(c.poolID) {
		p.pause(w, r, v)
		return
	}
	code := strings.TrimSpace(r.PostFormValue("code"))
	asked := askedCode{Username: u.Username}
	method := state.Method(c.factor)
	var err error
	switch c.factor {
	case state.MFASetup:
		method = state.ByApp
		if u.Token != nil {
			asked.Secret = u.Token.Pending
		}
		err = p.state.VerifyToken(c.poolID, c.sub, code, "")
	case state.EmailMFA, state.SMSMFA, bySMS:
		asked.Sent = true
		if c.sub == "" {
			err = errNoCode // nobody was sent one
			break
		}
		if u, err = p.state.CheckSignIn(c.poolID, c.sub, code, c.first); errors.Is(err, state.ErrWrongSignInCode) {
			err = errNoCode
		}
	default:
		err = p.state.CheckToken(c.poolID, c.sub, code)
	}
	if err != nil {
		v.Error, v.Data, v.Token = message(err), asked, token
		p.show(w, r, http.StatusOK, "mfa.html", "Sign in", v)
		return
	}
	p.end(token)
	p.complete(w, r, v, u, c.shown.With(method))
}

// complete sends a person on who has shown all that they were asked for.
func (p *Pages) complete(w http.ResponseWriter, r *http.Request, v *view, u state.User, shown state.Shown) {
	c := v.authorization.Client
	if err := p.triggers.PostAuthentication(r.Context(), triggers.About{PoolID: c.PoolID, ClientID: c.ID, User: u}); err != nil {
		p.refuse(v, err)
		p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
		return
	}
	p.oauth.Complete(w, r, v.authorization, u, shown)
}

// challenged finds who is asked for more by a challenge that a form carries.
func (p *Pages) challenged(r *http.Request, v *view, token string) (challenge, state.User, bool) {
	p.mu.Lock()
	c, ok := p.challenges[token]
	p.mu.Unlock()
	u, err := p.state.User(c.poolID, c.sub)
	if c.first && c.sub == "" { // somebody who does not exist, and is not told
		u, err = state.User{Username: v.Email, Enabled: true}, nil
	}
	ok = ok && r.Method == http.MethodPost && c.poolID == v.authorization.Client.PoolID && p.state.Now().Before(c.until) && err == nil && u.Enabled
	return c, u, ok
}

func (p *Pages) end(token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.challenges, token)
}
