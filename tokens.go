package codegrant

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/verify"
)

// verifyTokens checks a token set of our own app client as a whole: both
// tokens, of one person, bound to one another.
func (a *Auth) verifyTokens(ctx context.Context, tokens cognito.TokenSet, want verify.IDExpectations) (*payload, *verify.Claims, error) {
	return a.verifyWith(ctx, a.verifier, tokens, want)
}

// verifyIssued is verifyTokens for tokens that the pool has just handed over.
func (a *Auth) verifyIssued(ctx context.Context, tokens cognito.TokenSet, want verify.IDExpectations) (*payload, *verify.Claims, error) {
	return a.verifyWith(ctx, a.issued, tokens, want)
}

func (a *Auth) verifyWith(ctx context.Context, verifier *verify.Verifier, tokens cognito.TokenSet, want verify.IDExpectations) (*payload, *verify.Claims, error) {
	want.AccessToken = tokens.AccessToken.Reveal()
	id, err := verifier.IDToken(ctx, tokens.IDToken.Reveal(), want)
	if err != nil {
		return nil, nil, tokenFault("verify the ID token", err)
	}
	access, err := verifier.AccessToken(ctx, tokens.AccessToken.Reveal())
	if err != nil {
		return nil, nil, tokenFault("verify the access token", err)
	}
	switch {
	case id.ClientID != a.Pool.ClientID || access.ClientID != a.Pool.ClientID:
		return nil, nil, fmt.Errorf("%w: issued to another app client of the pool", ErrTokenRefused)
	case access.Machine():
		return nil, nil, ErrMachineToken
	case id.Subject != access.Subject:
		return nil, nil, ErrSubjectMismatch
	}
	p := &payload{identity: Identity{
		Issuer: id.Issuer, Subject: id.Subject,
		Username: id.Username, Email: id.Email, EmailVerified: id.EmailVerified, Name: id.Name,
		Groups: a.permissionGroups(id.Groups), Scopes: access.Scopes, ClientID: id.ClientID,
		Method: MethodSession, AuthTime: id.AuthTime, Expires: access.ExpiresAt,
	}, tokens: tokenPart{id: tokens.IDToken, access: tokens.AccessToken, refresh: tokens.RefreshToken}, issued: access.IssuedAt, refreshes: tokens.RefreshToken != ""}
	if id.ExpiresAt.Before(access.ExpiresAt) {
		p.identity.Expires = id.ExpiresAt
	}
	return p, id, nil
}

func tokenFault(what string, err error) error {
	if isUnavailable(err) {
		return unavailable(what, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrTokenRefused, what, err)
}

// isProviderGroup tells the groups that Cognito makes by itself for each
// identity provider, named after the pool, which say where a person came from
// and must not decide what they may do.
func (a *Auth) isProviderGroup(name string) bool {
	pool := path.Base(a.endpoints.Issuer)
	return strings.HasPrefix(name, pool+"_")
}

func (a *Auth) permissionGroups(groups []string) []string {
	kept := make([]string, 0, len(groups))
	for _, name := range groups {
		if !a.isProviderGroup(name) {
			kept = append(kept, name)
		}
	}
	return kept
}
