package api

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/webauthn"
)

// passkeyConfig is what a pool is told of passkeys, with what AWS has where nothing was
// given: the relying party is the pool's domain.
func passkeyConfig(p state.Pool, w state.WebAuthnConfiguration) (json.RawMessage, error) {
	w.RelyingPartyId = cmp.Or(w.RelyingPartyId, p.CustomDomain)
	if w.RelyingPartyId == "" && p.Domain != "" {
		region, _, _ := strings.Cut(p.ID, "_")
		w.RelyingPartyId = p.Domain + ".auth." + region + ".amazoncognito.com"
	}
	w.UserVerification = cmp.Or(w.UserVerification, "preferred")
	w.FactorConfiguration = cmp.Or(w.FactorConfiguration, "SINGLE_FACTOR")
	if w.RelyingPartyId == "" {
		return nil, invalid("RelyingPartyId is required for a user pool without a domain.")
	}
	return json.Marshal(map[string]string{
		"RelyingPartyId": w.RelyingPartyId, "UserVerification": w.UserVerification, "FactorConfiguration": w.FactorConfiguration,
	})
}

const (
	passkeyChallenge = "WEB_AUTHN"
	registering      = "WEB_AUTHN_REGISTRATION"
)

// passkeys are the settings of a pool that takes them.
func (a *API) passkeys(poolID string) (state.WebAuthnConfiguration, error) {
	p, err := a.state.Describe(poolID)
	if err != nil {
		return state.WebAuthnConfiguration{}, err
	}
	return webauthn.Settings(p.Rules())
}

func (a *API) startWebAuthnRegistration(in *onOwn) (any, error) {
	pool, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	w, err := a.passkeys(pool)
	if err != nil {
		return nil, err
	}
	// The challenge stands for the registration, as a session does.
	challenge := a.sessions.start(challenge{name: registering, poolID: pool, sub: u.Sub()}, a.state.Now(), webauthn.RegistrationTime)
	return map[string]any{"CredentialCreationOptions": webauthn.Creation(w, u, challenge)}, nil
}

type completeRegistration struct {
	AccessToken string
	Credential  webauthn.Credential
}

func (a *API) completeWebAuthnRegistration(in *completeRegistration) (any, error) {
	pool, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	w, err := a.passkeys(pool)
	if err != nil {
		return nil, err
	}
	k, err := in.Credential.Registered(w, func(challenge string) bool {
		begun, err := a.sessions.take(challenge, registering, "", a.state.Now())
		return err == nil && begun.poolID == pool && begun.sub == u.Sub()
	})
	if err != nil {
		return nil, err
	}
	return empty, a.state.AddPasskey(pool, u.Sub(), k)
}

type onCredentials struct {
	AccessToken  string
	CredentialId string
	NextToken    string
	MaxResults   *int
}

func (a *API) listWebAuthnCredentials(in *onCredentials) (any, error) {
	_, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	type item struct {
		CredentialId            string
		FriendlyCredentialName  string
		RelyingPartyId          string
		AuthenticatorAttachment string `json:",omitempty"`
		AuthenticatorTransports []string
		CreatedAt               epoch
	}
	page, next, err := pageOf(a, in.NextToken, u.Sub(), sortedBy(u.Passkeys, func(k state.Passkey) string { return k.ID }), min(limitOf(in.MaxResults), 20), func(k state.Passkey) string { return k.ID })
	if err != nil {
		return nil, err
	}
	list := make([]item, 0, len(page))
	for _, k := range page {
		transports := k.Transports
		if transports == nil {
			transports = []string{}
		}
		list = append(list, item{k.ID, k.Name, k.RP, k.Attachment, transports, epoch(k.Created)})
	}
	return struct {
		Credentials []item
		NextToken   string `json:",omitempty"`
	}{list, next}, nil
}

func (a *API) deleteWebAuthnCredential(in *onCredentials) (any, error) {
	pool, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	return empty, a.state.DeletePasskey(pool, u.Sub(), in.CredentialId)
}
