package tokens

import (
	"context"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

// Exchange asks for a token in the place of another. Types are of Cognito's API:
// ACCESS_TOKEN or ID_TOKEN.
type Exchange struct {
	Subject, SubjectType string
	Actor, ActorType     string // none: nobody acts for the person
	Scopes               []string
	Audience             string // or a resource
}

// Exchanged is what came of it.
type Exchanged struct {
	Set
	Scopes []string
}

// Exchange exchanges the token of a person for another: for fewer scopes, for another
// audience, or for who acts in their place. What AWS does not say of it is as in RFC 8693.
// (Unconfirmed: "`act`, `sub`, lifetime and `aud` of derived tokens".)
// Its refusals are of the type [*state.Error].
func (m *Maker) Exchange(ctx context.Context, c state.Client, in Exchange) (out Exchanged, err error) {
	refuse := func(kind, message string) (Exchanged, error) {
		return Exchanged{}, &state.Error{Type: kind, Message: message}
	}
	flow := "TOKEN_EXCHANGE_IMPERSONATION"
	if in.Actor != "" {
		flow = "TOKEN_EXCHANGE_DELEGATION"
	}
	if !c.AllowsAuth(flow) {
		return refuse(state.NotAuthorized, flow+" is not enabled for the client.")
	}
	subject, u, err := m.presented(c, in.Subject, in.SubjectType)
	if err != nil {
		return out, err
	}
	terms := Terms{AuthTime: m.state.Now(), Family: subject.Family, API: true, Source: triggers.Authentication, Resource: in.Audience, ACR: subject.ACR, AMR: subject.AMR}
	if subject.AuthTime != 0 {
		terms.AuthTime = subject.SignedIn()
	}
	terms.Actor = subject.Actor // who has acted before is in the token of whoever comes next
	if in.Actor != "" {
		actor, err := m.acting(c, in.Actor, in.ActorType)
		if err != nil {
			return out, err
		}
		terms.Actor = map[string]any{"sub": actor.Sub, "client_id": actor.Client()}
		if subject.Actor != nil {
			terms.Actor["act"] = subject.Actor
		}
	}
	asked := in.Scopes
	if len(asked) == 0 {
		asked = strings.Fields(subject.Scope)
	}
	allowed := c.Given()
	for _, s := range asked {
		if (subject.Use == "id" || subject.Has(s)) && (slices.Contains(allowed, s) || s == AdminScope && subject.Has(s)) {
			terms.Scopes = append(terms.Scopes, s)
		}
	}
	if len(in.Scopes) > 0 && len(terms.Scopes) == 0 {
		return refuse(state.InvalidParameter, "Invalid scope requested: "+strings.Join(in.Scopes, " "))
	}
	out.Scopes = terms.Scopes
	out.Set, err = m.Mint(ctx, c, u, terms)
	return out, err
}

// acting reads the token of who acts: a person's, or an app client's own.
func (m *Maker) acting(c state.Client, token, kind string) (Claims, error) {
	claims, err := m.ReadAs(token, "access")
	if err == nil && kind == "ACCESS_TOKEN" && claims.PoolID == c.PoolID && claims.Sub == claims.ClientID && claims.Username == "" && !claims.Expired(m.state.Now()) {
		return claims, nil
	}
	claims, _, err = m.presented(c, token, kind)
	return claims, err
}

// presented reads a token of the client's pool, which is to be good still, and finds whose
// it is.
func (m *Maker) presented(c state.Client, token, kind string) (claims Claims, u state.User, err error) {
	refuse := func(message string) error { return &state.Error{Type: state.NotAuthorized, Message: message} }
	claims, err = m.ReadAs(token, map[string]string{"ACCESS_TOKEN": "access", "ID_TOKEN": "id"}[kind])
	switch {
	case err != nil || claims.PoolID != c.PoolID:
		return claims, u, refuse("Invalid token")
	case claims.Expired(m.state.Now()):
		return claims, u, refuse("The token has expired")
	case m.state.Live(c.PoolID, claims.Family, claims.Sub) != nil:
		return claims, u, refuse("The token has been revoked")
	}
	u, err = m.state.User(c.PoolID, claims.Sub)
	return claims, u, err
}
