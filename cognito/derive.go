package cognito

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Derivation asks for a token of a person in the place of another one, for an audience.
type Derivation struct {
	SubjectToken Secret   // an access token of the person's. Required
	ActorToken   Secret   // of who acts for them; empty: nobody
	Audience     string   // what the token is for
	Scopes       []string // none: those of SubjectToken
}

// Derive exchanges an access token of the pool's for another (RFC 8693): by
// GetDerivedToken where the pool has no Domain, as [NewForMachine] allows, otherwise at
// the token endpoint. The app client needs the flow ALLOW_TOKEN_EXCHANGE_DELEGATION with
// an ActorToken, and ALLOW_TOKEN_EXCHANGE_IMPERSONATION without. Nothing in the answer has
// been verified. To ask twice does no harm, so that it is tried up to three times where
// the pool is unavailable.
func (c *Client) Derive(ctx context.Context, d Derivation) (TokenSet, error) {
	unavailable := func(err error) bool { return errors.Is(err, ErrUnavailable) }
	var a answer
	var err error
	if c.api == "" {
		a, err = c.post(ctx, c.endpoints.Token, d.form(), 3, unavailable)
	} else {
		a, err = c.again(ctx, 3, unavailable, func(secret string) (answer, error) { return c.onceDerived(ctx, d, secret) })
		// The API says NotAuthorizedException of a client and of a token alike: every
		// secret was tried, and nothing says which of the two it is.
		if own, ok := errors.AsType[*Error](err); ok && own.Code == ErrInvalidClient.Code {
			err = &Error{Code: "access_denied", Description: own.Description, Status: own.Status}
		}
	}
	var tokens TokenSet
	if err == nil {
		tokens, err = a.tokens()
	}
	if err == nil && tokens.RefreshToken+tokens.IDToken != "" {
		err = unusable("read tokens: more came than an access token")
	}
	if err != nil {
		return TokenSet{}, fmt.Errorf("exchange the token: %w", err)
	}
	return tokens, nil
}

const accessTokenType = "urn:ietf:params:oauth:token-type:access_token"

// form is that of RFC 8693, section 2.1.
func (d Derivation) form() url.Values {
	form := url.Values{
		"grant_type":    {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token": {d.SubjectToken.Reveal()}, "subject_token_type": {accessTokenType}, "requested_token_type": {accessTokenType},
	}
	if d.ActorToken != "" {
		form["actor_token"], form["actor_token_type"] = []string{d.ActorToken.Reveal()}, []string{accessTokenType}
	}
	if d.Audience != "" {
		form["audience"] = []string{d.Audience}
	}
	if len(d.Scopes) > 0 {
		form["scope"] = []string{strings.Join(d.Scopes, " ")}
	}
	return form
}

// onceDerived calls GetDerivedToken once. What it answers is as the token endpoint's.
func (c *Client) onceDerived(ctx context.Context, d Derivation, secret string) (answer, error) {
	in := struct {
		ClientId                       string
		ClientSecret                   string `json:",omitempty"`
		SubjectToken, SubjectTokenType string
		ActorToken, ActorTokenType     string   `json:",omitempty"`
		Audiences, Scopes              []string `json:",omitempty"`
		RequestedTokenType             string
	}{
		ClientId: c.clientID, ClientSecret: secret, SubjectToken: d.SubjectToken.Reveal(), SubjectTokenType: "ACCESS_TOKEN",
		ActorToken: d.ActorToken.Reveal(), Scopes: d.Scopes, RequestedTokenType: "ACCESS_TOKEN",
	}
	if d.ActorToken != "" {
		in.ActorTokenType = "ACCESS_TOKEN"
	}
	if d.Audience != "" {
		in.Audiences = []string{d.Audience}
	}
	body, err := json.Marshal(in)
	if err != nil {
		return answer{}, err
	}
	return c.turn(ctx, c.gate, c.timeout, c.api, c.scrub(d.form(), secret), func(ctx context.Context) (answer, error) {
		a, err := c.postAPI(ctx, "GetDerivedToken", body)
		if err != nil {
			return answer{}, err
		}
		return a.fromAPI("GetDerivedToken", func(body []byte) (string, string, int, error) {
			var out struct {
				IssuedToken, IssuedTokenType, TokenType string
				ExpiresIn                               int
			}
			err := json.Unmarshal(body, &out)
			if err == nil && out.IssuedTokenType != "ACCESS_TOKEN" {
				err = errors.New("it is not an access token")
			}
			return out.IssuedToken, out.TokenType, out.ExpiresIn, err
		})
	})
}

// NewToDerive is [New] for exchanges of tokens. The pool may lack a Domain:
// [Client.Derive] then asks the API of user pools, and the client is good for nothing else.
func NewToDerive(config Config) (*Client, error) { return newWithout(config) }
