package pages

import (
	"net/http"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

// second asks a person who has shown the password for a code of their
// authenticator app, or to set one up, where the pool wants that.
func (p *Pages) second(w http.ResponseWriter, r *http.Request, v *view, u state.User) {
	poolID := v.authorization.Client.PoolID
	factor, err := p.state.SecondFactor(poolID, u.Sub())
	if err == nil && factor == "" {
		p.complete(w, r, v, u)
		return
	}
	if factor == state.MFASetup {
		v.Data, err = p.state.AssociateToken(poolID, u.Sub())
	}
	if err != nil {
		v.Error = message(err)
		p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
		return
	}
	v.Error, v.Token = "", p.challenge(poolID, u.Sub(), factor)
	p.show(w, r, http.StatusOK, "mfa.html", "Sign in", v)
}

func (p *Pages) mfa(w http.ResponseWriter, r *http.Request, v *view) {
	token := r.PostFormValue("challenge")
	c, u, ok := p.challenged(r, v, token)
	if !ok || c.factor == "" {
		v.Error = "Your session has expired. Please sign in again."
		p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
		return
	}
	code := strings.TrimSpace(r.PostFormValue("code"))
	var err error
	if c.factor == state.MFASetup {
		err = p.state.VerifyToken(c.poolID, c.sub, code, "")
	} else {
		err = p.state.CheckToken(c.poolID, c.sub, code)
	}
	if err != nil {
		if c.factor == state.MFASetup && u.Token != nil {
			v.Data = u.Token.Pending
		}
		v.Error, v.Token = message(err), token
		p.show(w, r, http.StatusOK, "mfa.html", "Sign in", v)
		return
	}
	p.end(token)
	p.complete(w, r, v, u)
}

// complete sends a person on who has shown all that they were asked for.
func (p *Pages) complete(w http.ResponseWriter, r *http.Request, v *view, u state.User) {
	c := v.authorization.Client
	if err := p.triggers.PostAuthentication(r.Context(), triggers.About{PoolID: c.PoolID, ClientID: c.ID, User: u}); err != nil {
		p.refuse(v, err)
		p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
		return
	}
	p.oauth.Complete(w, r, v.authorization, u)
}

// challenged finds who is asked for more by a challenge that a form carries.
func (p *Pages) challenged(r *http.Request, v *view, token string) (challenge, state.User, bool) {
	p.mu.Lock()
	c, ok := p.challenges[token]
	p.mu.Unlock()
	u, err := p.state.User(c.poolID, c.sub)
	ok = ok && r.Method == http.MethodPost && c.poolID == v.authorization.Client.PoolID && p.state.Now().Before(c.until) && err == nil && u.Enabled
	return c, u, ok
}

func (p *Pages) end(token string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.challenges, token)
}
