package triggers

import (
	"context"
	"fmt"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// InboundFederation is told what an identity provider says of a person, before it is
// mapped.
const InboundFederation = "InboundFederation"

// Of people whom an identity provider signs in.
const (
	externalProvider = "PreSignUp_ExternalProvider"
	inbound          = "InboundFederation_ExternalProvider"
)

// Federate finds or makes the user of an identity at a provider, with the triggers
// around it. Claims are what the provider says, all texts. first reports that the user is
// a new one.
func (t *Triggers) Federate(ctx context.Context, c state.Client, provider state.Provider, claims map[string]string) (u state.User, first bool, err error) {
	claims, err = t.inbound(ctx, c, provider, claims)
	if err != nil {
		return u, false, err
	}
	userID := claims[provider.Source()]
	if userID == "" {
		return u, false, &state.Error{Type: state.InvalidParameter, Message: fmt.Sprintf("attributes required: [%s]", provider.Source())}
	}
	about := func(u state.User) About { return About{PoolID: c.PoolID, ClientID: c.ID, User: u} }
	u, first, err = t.state.Federate(c.PoolID, provider, userID, claims, func(draft state.User) error {
		_, err := t.PreSignUp(ctx, externalProvider, about(draft))
		return err
	})
	switch {
	case err != nil:
		return u, false, err
	case first:
		return u, true, t.PostConfirmation(ctx, ConfirmSignUp, about(u))
	}
	if err := t.PreAuthentication(ctx, about(u)); err != nil {
		return u, false, err
	}
	return u, false, t.PostAuthentication(ctx, about(u))
}

// inbound asks what claims are to be mapped: those that a function leaves out are
// dropped, and one that names none changes nothing.
func (t *Triggers) inbound(ctx context.Context, c state.Client, provider state.Provider, claims map[string]string) (map[string]string, error) {
	if _, ok := t.hook(c.PoolID, InboundFederation); !ok {
		return claims, nil
	}
	said := map[string]any{"idToken": claims, "userInfo": claims, "tokenResponse": map[string]string{}}
	if provider.Type == "SAML" {
		said = map[string]any{"samlResponse": claims}
	}
	request := map[string]any{"providerName": provider.Name, "providerType": provider.Type, "attributes": said}
	about := About{PoolID: c.PoolID, ClientID: c.ID, User: state.User{Username: provider.Name + "_" + claims[provider.Source()]}}
	answer, err := t.call(ctx, InboundFederation, inbound, about, "1", request, map[string]any{"userAttributesToMap": map[string]string{}})
	if answer == nil || err != nil {
		return claims, err
	}
	changed, err := parseInbound(answer)
	if err != nil {
		return nil, t.shape(InboundFederation, err)
	}
	if len(changed) == 0 {
		return claims, nil
	}
	return changed, nil
}

func parseInbound(m members) (map[string]string, error) {
	return read[map[string]string](m, "userAttributesToMap")
}
