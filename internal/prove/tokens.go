package prove

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/verify"
)

// Prover verifies tokens for one app client.
type Prover struct {
	Marks    Marks // nil: nobody has one
	verifier *verify.Verifier
	issued   *verify.Verifier // for tokens that the pool has just handed over
	issuer   string
	client   string
	provider string // how the groups begin that Cognito makes for identity providers
	idTokens bool   // an ID token is taken as a bearer token, too
}

// New returns a Prover for an app client of the issuer.
func New(v *verify.Verifier, issuer, client string, bearerIDTokens bool) *Prover {
	return &Prover{verifier: v, issued: v.Issued(), issuer: issuer, client: client, provider: path.Base(issuer) + "_", idTokens: bearerIDTokens}
}

// Issuer is that of the tokens.
func (p *Prover) Issuer() string { return p.issuer }

// Tokens checks a token set of our own app client as a whole: both tokens, of one
// person, bound to one another. The claims are those of the ID token.
func (p *Prover) Tokens(ctx context.Context, tokens cognito.TokenSet, want verify.IDExpectations) (Person, *verify.Claims, error) {
	return p.tokens(ctx, p.verifier, tokens, want)
}

// Issued is Tokens for a set that the pool has just handed over.
func (p *Prover) Issued(ctx context.Context, tokens cognito.TokenSet, want verify.IDExpectations) (Person, *verify.Claims, error) {
	return p.tokens(ctx, p.issued, tokens, want)
}

func (p *Prover) tokens(ctx context.Context, verifier *verify.Verifier, tokens cognito.TokenSet, want verify.IDExpectations) (Person, *verify.Claims, error) {
	want.AccessToken = tokens.AccessToken.Reveal()
	id, err := verifier.IDToken(ctx, tokens.IDToken.Reveal(), want)
	if err != nil {
		return Person{}, nil, fault.OfToken("verify the ID token", err)
	}
	access, err := verifier.AccessToken(ctx, tokens.AccessToken.Reveal())
	if err != nil {
		return Person{}, nil, fault.OfToken("verify the access token", err)
	}
	switch {
	case id.ClientID != p.client || access.ClientID != p.client:
		return Person{}, nil, fmt.Errorf("%w: issued to another app client of the pool", fault.TokenRefused)
	case access.Machine():
		return Person{}, nil, fault.MachineToken
	case id.Subject != access.Subject:
		return Person{}, nil, fault.SubjectMismatch
	}
	who := Person{
		Issuer: id.Issuer, Subject: id.Subject,
		Username: id.Username, Email: id.Email, EmailVerified: id.EmailVerified, Name: id.Name,
		Groups: p.groups(id.Groups), Scopes: access.Scopes, ClientID: id.ClientID,
		Method: BySession, AuthTime: id.AuthTime, ACR: id.ACR, AMR: id.AMR, Issued: access.IssuedAt, Expires: access.ExpiresAt,
	}
	if id.ExpiresAt.Before(access.ExpiresAt) {
		who.Expires = id.ExpiresAt
	}
	return who, id, nil
}

// Renewal checks the answer to a refresh: a token set as above, of the same person,
// sign-in and nonce as before (OpenID Connect Core, section 12.2).
func (p *Prover) Renewal(ctx context.Context, tokens cognito.TokenSet, of Sign) (Person, *verify.Claims, error) {
	who, claims, err := p.Issued(ctx, tokens, verify.IDExpectations{})
	switch {
	case err != nil:
		return Person{}, nil, err
	case who.Subject != of.Subject:
		return Person{}, nil, fault.SubjectMismatch
	case claims.Nonce != "" && claims.Nonce != of.Nonce:
		return Person{}, nil, fault.OfToken("verify the ID token", verify.ErrNonce)
	case who.AuthTime.IsZero():
		who.AuthTime = of.AuthTime
	case !who.AuthTime.Equal(of.AuthTime):
		return Person{}, nil, fmt.Errorf("%w: auth_time changed in a refresh", fault.TokenRefused)
	}
	if who.ACR == "" && len(who.AMR) == 0 {
		// Like auth_time, they are of the sign-in, which is the same.
		who.ACR, who.AMR = of.ACR, of.AMR
	}
	if of.Origin != "" && claims.OriginID != "" && claims.OriginID != of.Origin {
		return Person{}, nil, fmt.Errorf("%w: origin_jti changed in a refresh", fault.TokenRefused)
	}
	return who, claims, nil
}

// Of says whose an ID token is, and of which sign-in, though it may have ended.
func (p *Prover) Of(ctx context.Context, idToken cognito.Secret) (*verify.Claims, error) {
	claims, err := p.verifier.IDToken(ctx, idToken.Reveal(), verify.IDExpectations{Ended: true})
	if err != nil {
		return nil, fault.OfToken("verify the ID token", err)
	}
	if claims.ClientID != p.client {
		return nil, fmt.Errorf("%w: issued to another app client of the pool", fault.TokenRefused)
	}
	return claims, nil
}

// Bearer says whom a bearer token stands for, and whether it is an ID token. Whether
// somebody may act for them is for the caller to see to, and whether a machine may call: see
// Person.Actor and Machine.
func (p *Prover) Bearer(ctx context.Context, token string) (who Person, isID bool, err error) {
	claims, err := p.verifier.AccessTokenFor(ctx, token, verify.AccessExpectations{Actor: true})
	if p.idTokens && isTokenUse(err) {
		claims, err = p.verifier.IDToken(ctx, token, verify.IDExpectations{Actor: true})
	}
	if err != nil {
		return Person{}, false, fault.OfToken("verify the bearer token", err)
	}
	who, err = p.bearer(ctx, claims)
	return who, claims.TokenUse == "id", err
}

// Resource is what a token has to be bound to. Without a URL it is as for any other bearer
// token.
type Resource struct {
	URL     string
	Unbound bool // one that is bound to nothing will do

	AnyClient bool // of whatever app client, where it is bound to URL
}

// Token says whom an access token stands for that is for a resource.
func (p *Prover) Token(ctx context.Context, token string, of Resource) (Person, error) {
	claims, err := p.verifier.AccessTokenFor(ctx, token, verify.AccessExpectations{Actor: true, Resource: of.URL, Unbound: of.Unbound, AnyClient: of.AnyClient})
	if err != nil {
		return Person{}, fault.OfToken("verify the bearer token", err)
	}
	return p.bearer(ctx, claims)
}

func (p *Prover) bearer(ctx context.Context, claims *verify.Claims) (Person, error) {
	if claims.Machine() {
		if claims.Subject != claims.ClientID || claims.Username != "" || claims.Actor != nil {
			return Person{}, fault.MachineToken // and of which machine is not clear
		}
		// Groups, names and the like are of people, whatever a trigger has added.
		return Person{
			Issuer: claims.Issuer, Subject: claims.Subject, ClientID: claims.ClientID, Machine: true,
			Scopes: slices.Clone(claims.Scopes), Method: ByBearer, Issued: claims.IssuedAt, Expires: claims.ExpiresAt,
		}, nil
	}
	if err := p.Counts(ctx, claims.Subject, beganAt(claims.AuthTime, claims.IssuedAt), Strictly); err != nil {
		return Person{}, err
	}
	return Person{
		Issuer: claims.Issuer, Subject: claims.Subject,
		Username: claims.Username, Email: claims.Email, EmailVerified: claims.EmailVerified, Name: claims.Name,
		Groups: p.groups(claims.Groups), Scopes: slices.Clone(claims.Scopes), ClientID: claims.ClientID, Actor: claims.Actor,
		Method: ByBearer, AuthTime: claims.AuthTime, ACR: claims.ACR, AMR: claims.AMR, Issued: claims.IssuedAt, Expires: claims.ExpiresAt,
	}, nil
}

// groups leaves out those that Cognito makes by itself for each identity provider,
// named after the pool, which say where a person came from and must not decide what
// they may do.
func (p *Prover) groups(groups []string) []string {
	kept := make([]string, 0, len(groups))
	for _, name := range groups {
		if !strings.HasPrefix(name, p.provider) {
			kept = append(kept, name)
		}
	}
	return kept
}
