package cognito

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// NewForMachine is [New] for an app client that has tokens of its own (the grant
// client_credentials). Its pool may lack a Domain: [Client.ClientToken] then asks the
// API of user pools, and the client is good for nothing else.
func NewForMachine(config Config) (*Client, error) {
	c, err := newWithout(config)
	if err == nil && c.secrets.source == nil {
		err = errors.New("client secret is missing; without one nobody could tell the app client from others")
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// newWithout is New for a pool that may lack a Domain.
func newWithout(config Config) (*Client, error) {
	withoutDomain := config.Pool.Domain == ""
	if withoutDomain {
		config.Pool.Domain = "none.invalid"
	}
	c, err := New(config)
	if err != nil {
		return nil, err
	}
	if withoutDomain {
		c.api = c.endpoints.API
		c.endpoints = Endpoints{Issuer: c.endpoints.Issuer, JWKS: c.endpoints.JWKS, API: c.endpoints.API}
	}
	return c, nil
}

// apiOf is where the API of user pools is: the host of the issuer, of either type (AWS,
// developer guide, "Multi-Region replication"), or of the Region that is set.
func apiOf(pool Pool, issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	host := strings.TrimPrefix(u.Host, "issuer-")
	if first, rest, ok := strings.Cut(host, "."); ok && first == "cognito-idp" && pool.Region != "" {
		if _, suffix, ok := strings.Cut(rest, "."); ok {
			host = "cognito-idp." + pool.Region + "." + suffix
		}
	}
	return u.Scheme + "://" + host + "/"
}

// ClientToken fetches a token of the app client's own (RFC 6749, section 4.4), or, where
// the pool has no Domain, by GetClientToken. Without scopes it has all that the app client
// may have. To ask twice does no harm, so that it is tried up to three times where the
// pool is unavailable.
func (c *Client) ClientToken(ctx context.Context, scopes ...string) (TokenSet, error) {
	unavailable := func(err error) bool { return errors.Is(err, ErrUnavailable) }
	var a answer
	var err error
	if c.api == "" {
		form := url.Values{"grant_type": {"client_credentials"}}
		if len(scopes) > 0 {
			form.Set("scope", strings.Join(scopes, " "))
		}
		a, err = c.post(ctx, c.endpoints.Token, form, 3, unavailable)
	} else {
		a, err = c.again(ctx, 3, unavailable, func(secret string) (answer, error) { return c.onceAPI(ctx, scopes, secret) })
	}
	var tokens TokenSet
	if err == nil {
		tokens, err = a.tokens()
	}
	if err != nil {
		return TokenSet{}, fmt.Errorf("fetch a token of the app client: %w", err)
	}
	return TokenSet{AccessToken: tokens.AccessToken, ExpiresIn: tokens.ExpiresIn}, nil
}

// onceAPI calls GetClientToken once. What it answers is as the token endpoint's.
func (c *Client) onceAPI(ctx context.Context, scopes []string, secret string) (answer, error) {
	body, err := json.Marshal(struct {
		ClientId, Secret string
		Scopes           []string `json:",omitempty"`
	}{c.clientID, secret, scopes})
	if err != nil {
		return answer{}, err
	}
	return c.turn(ctx, c.gate, c.timeout, c.api, c.scrub(nil, secret), func(ctx context.Context) (answer, error) {
		a, err := c.postAPI(ctx, "GetClientToken", body)
		if err != nil {
			return answer{}, err
		}
		return a.fromAPI("GetClientToken", func(body []byte) (string, string, int, error) {
			var out struct {
				ClientAuthenticationResult struct {
					AccessToken, TokenType string
					ExpiresIn              int
				}
			}
			err := json.Unmarshal(body, &out)
			r := out.ClientAuthenticationResult
			return r.AccessToken, r.TokenType, r.ExpiresIn, err
		})
	})
}

// postAPI asks for one operation of the API of user pools.
func (c *Client) postAPI(ctx context.Context, operation string, body []byte) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.api, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
	return c.do(r)
}

// fromAPI makes an answer of an operation of the API one of the token endpoint.
func (a answer) fromAPI(operation string, read func(body []byte) (token, kind string, expiresIn int, err error)) (answer, error) {
	if len(a.body) > maxAnswer || a.status == http.StatusTooManyRequests || a.status >= 500 || a.status < 400 && a.status != http.StatusOK {
		return a, nil // as it is there
	}
	var out any
	if a.status == http.StatusOK {
		token, kind, expiresIn, err := read(a.body)
		if err != nil {
			return answer{}, unusable("read the answer of %s: it is not what was asked for", operation)
		}
		out = map[string]any{"access_token": token, "token_type": kind, "expires_in": expiresIn}
	} else {
		var in struct {
			Type    string `json:"__type"`
			Message string `json:"message"`
		}
		if err := json.Unmarshal(a.body, &in); err != nil || in.Type == "" {
			return answer{}, unusable("status %d without an error of the API", a.status)
		}
		code, ok := refusals[in.Type[strings.LastIndexByte(in.Type, '#')+1:]]
		if !ok {
			return answer{}, unusable("%s answered %s", operation, plain(in.Type, maxReason))
		}
		out = map[string]any{"error": code, "error_description": in.Message}
	}
	body, err := json.Marshal(out)
	if err != nil {
		return answer{}, err
	}
	return answer{status: a.status, header: http.Header{"Content-Type": {"application/json"}}, body: body}, nil
}

// refusals are OAuth's words for those of the API. The others, such as
// TooManyRequestsException, say nothing about what was sent.
var refusals = map[string]string{
	"NotAuthorizedException":        "invalid_client",
	"ResourceNotFoundException":     "invalid_client",
	"InvalidParameterException":     "invalid_request",
	"OperationNotEnabledException":  "unauthorized_client",
	"ForbiddenException":            "access_denied",
	"UserNotFoundException":         "invalid_grant",
	"UserLambdaValidationException": "access_denied",
}
