package oauth

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/tokens"
)

// tokenExchange is the grant by which a token is had for another (RFC 8693).
// (Unconfirmed: "the form fields of token exchange at `/oauth2/token`".)
const tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"

const tokenType = "urn:ietf:params:oauth:token-type:"

// kinds of tokens, in the words of Cognito's API.
var kinds = map[string]string{tokenType + "access_token": "ACCESS_TOKEN", tokenType + "id_token": "ID_TOKEN", tokenType + "jwt": "ACCESS_TOKEN"}

func (e *Endpoints) exchange(ctx context.Context, w http.ResponseWriter, client state.Client, form url.Values) {
	in := tokens.Exchange{
		Subject: form.Get("subject_token"), SubjectType: kinds[form.Get("subject_token_type")],
		Actor: form.Get("actor_token"), ActorType: kinds[form.Get("actor_token_type")],
		Scopes: strings.Fields(form.Get("scope")), Audience: form.Get("audience"),
	}
	if in.Audience == "" {
		in.Audience = form.Get("resource")
	}
	wanted := form.Get("requested_token_type")
	switch {
	case in.Subject == "" || in.SubjectType == "", (in.Actor == "") != (form.Get("actor_token_type") == ""), in.Actor != "" && in.ActorType == "",
		wanted != "" && kinds[wanted] == "", len(form["audience"])+len(form["resource"]) > 1:
		oauthError(w, http.StatusBadRequest, "invalid_request", "")
		return
	case in.Actor == "" && !client.AllowsAuth("TOKEN_EXCHANGE_IMPERSONATION"), in.Actor != "" && !client.AllowsAuth("TOKEN_EXCHANGE_DELEGATION"):
		oauthError(w, http.StatusBadRequest, "unauthorized_client", "")
		return
	}
	out, err := e.maker.Exchange(ctx, client, in)
	var refusal *state.Error
	if errors.As(err, &refusal) && refusal.Type == state.InvalidParameter {
		oauthError(w, http.StatusBadRequest, "invalid_scope", "")
		return
	}
	if err != nil {
		refused(w, err)
		return
	}
	// There is no refresh token.
	answer := map[string]any{
		"access_token": out.Access, "issued_token_type": tokenType + "access_token", "token_type": "Bearer", "expires_in": out.ExpiresIn,
		"scope": strings.Join(out.Scopes, " "),
	}
	if kinds[wanted] == "ID_TOKEN" {
		answer = map[string]any{"access_token": out.ID, "issued_token_type": tokenType + "id_token", "token_type": "N_A", "expires_in": seconds(client.IDTokenValidity)}
	}
	writeJSON(w, http.StatusOK, answer)
}
