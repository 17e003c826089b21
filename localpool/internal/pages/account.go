package pages

import (
	"errors"
	"net/http"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/oauth"
	"github.com/codegrant/codegrant/localpool/internal/quota"
	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

var errDifferent error = &state.Error{Type: state.InvalidPassword, Message: "The passwords are not the same."}

var errNoCode error = &state.Error{Type: state.CodeMismatch, Message: "Invalid verification code provided, please try again."}

func (p *Pages) confirm(w http.ResponseWriter, r *http.Request, v *view) {
	if r.Method == http.MethodPost {
		err := p.triggers.ConfirmSignUp(r.Context(), v.authorization.Client, v.Email, strings.TrimSpace(r.PostFormValue("code")), false, triggers.Sent{})
		if err == nil {
			v.Notice = "Your account is confirmed. Sign in to continue."
			p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
			return
		}
		p.refuse(v, err)
	}
	p.show(w, r, http.StatusOK, "confirm.html", "Confirm your account", v)
}

// confirmUser is where the link of a message leads to, for pools that send one.
func (p *Pages) confirmUser(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	v := &view{Notice: "Your registration has been confirmed!"}
	c, err := p.oauth.Client(r, q.Get("client_id"))
	if err != nil || !p.limiter.Take(quota.UserCreation) {
		v.Notice, v.Error = "", "An error was encountered with the requested page."
	} else if p.state.Paused(c.PoolID) {
		v.Notice, v.Error = "", message(state.ErrPaused)
	} else if err := p.triggers.ConfirmSignUp(r.Context(), c, q.Get("user_name"), q.Get("confirmation_code"), false, triggers.Sent{}); err != nil {
		v.Notice, v.Error = "", message(err)
		if refused(err, state.UserNotFound) {
			v.Error = message(errNoCode)
		}
	}
	p.show(w, r, http.StatusOK, "confirmed.html", "Confirm your account", v)
}

func (p *Pages) resend(w http.ResponseWriter, r *http.Request, v *view) {
	if r.Method == http.MethodPost {
		p.resendTo(v.authorization, v.Email)
		v.Notice = "We sent you a new code."
	}
	p.show(w, r, http.StatusOK, "confirm.html", "Confirm your account", v)
}

// resendTo does not tell whether there is such a user.
func (p *Pages) resendTo(a *oauth.Authorization, username string) {
	_, _ = p.state.ResendCode(a.Client.PoolID, username)
}

func (p *Pages) forgot(w http.ResponseWriter, r *http.Request, v *view) {
	if r.Method == http.MethodGet {
		p.show(w, r, http.StatusOK, "forgot.html", "Reset your password", v)
		return
	}
	var refusal *state.Error
	if err := p.migrate(r.Context(), v.authorization.Client, v.Email, ""); err != nil {
		p.refuse(v, err)
		p.show(w, r, http.StatusOK, "forgot.html", "Reset your password", v)
		return
	}
	if _, err := p.state.ForgotPassword(v.authorization.Client.PoolID, v.Email); err != nil && !errors.As(err, &refusal) {
		v.Error = message(err)
		p.show(w, r, http.StatusOK, "forgot.html", "Reset your password", v)
		return
	}
	v.Notice = "If there is such an account, we sent a code to its address."
	p.show(w, r, http.StatusOK, "reset.html", "Reset your password", v)
}

func (p *Pages) reset(w http.ResponseWriter, r *http.Request, v *view) {
	if r.Method == http.MethodPost {
		err := p.triggers.ConfirmForgotPassword(r.Context(), v.authorization.Client, v.Email, strings.TrimSpace(r.PostFormValue("code")), r.PostFormValue("password"), triggers.Sent{})
		if err == nil {
			v.Notice = "Your password is changed. Sign in to continue."
			p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
			return
		}
		if refused(err, state.UserNotFound) || refused(err, state.NotAuthorized) {
			err = errNoCode // nobody was sent one
		}
		p.refuse(v, err)
	}
	p.show(w, r, http.StatusOK, "reset.html", "Reset your password", v)
}
