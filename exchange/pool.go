package exchange

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
)

// PoolConfig is what [NewPool] needs. Pool is required.
type PoolConfig struct {
	// Pool is the user pool, and the app client that may exchange tokens. Without a
	// Domain, the API of user pools is asked (GetDerivedToken), whose form Amazon has
	// published; with one, its token endpoint.
	Pool cognito.Pool
	// ActorToken returns a token of the service's own, which tells the pool who acts for
	// the person: that of a machine.Source. Required with [Config.Actor].
	ActorToken func(ctx context.Context) (string, error)
	// HTTPClient speaks to Cognito. Defaults to one with timeouts of its own.
	HTTPClient *http.Client
}

// Pool has the user pool issue tokens. Pools of the Lite plan cannot. Make one with
// [NewPool].
type Pool struct {
	client *cognito.Client
	actor  func(ctx context.Context) (string, error)
}

// NewPool checks the configuration. It sends nothing.
func NewPool(config PoolConfig) (*Pool, error) {
	client, err := cognito.NewToDerive(cognito.Config{Pool: config.Pool, HTTPClient: config.HTTPClient})
	if err != nil {
		return nil, fmt.Errorf("configure exchange: %w", err)
	}
	return &Pool{client, config.ActorToken}, nil
}

func (p *Pool) check(c Config) error {
	if c.Actor && p.actor == nil {
		return errors.New("actor: the pool learns who acts from a token of the service's own: set ActorToken")
	}
	return nil
}

// subject is the token that is exchanged.
func (p *Pool) subject(id *codegrant.Identity) (any, error) {
	token := id.AccessToken().Reveal()
	if token == "" {
		return nil, fmt.Errorf("%w: the person came without a token of the pool, and only these can be exchanged there", codegrant.ErrForbidden)
	}
	return token, nil
}

func (p *Pool) issue(ctx context.Context, id *codegrant.Identity, w want) (string, time.Time, error) {
	d := cognito.Derivation{SubjectToken: id.AccessToken(), Audience: w.audience, Scopes: w.scopes}
	if w.actor {
		token, err := p.actor(ctx)
		if err == nil && token == "" {
			err = errors.New("there is none")
		}
		if err != nil {
			return "", time.Time{}, fmt.Errorf("%w: fetch the token of who acts: %w", codegrant.ErrUnavailable, err)
		}
		d.ActorToken = cognito.Secret(token)
	}
	tokens, err := p.client.Derive(ctx, d)
	switch {
	case errors.Is(err, cognito.ErrUnavailable), errors.Is(err, cognito.ErrMisconfigured):
		return "", time.Time{}, fmt.Errorf("%w: %w", codegrant.ErrUnavailable, err)
	case err != nil:
		return "", time.Time{}, fmt.Errorf("%w: %w", codegrant.ErrForbidden, err)
	}
	token := tokens.AccessToken.Reveal()
	if err := fits(token, id, w); err != nil {
		return "", time.Time{}, fmt.Errorf("%w: the pool's answer is not what was asked for: %w", codegrant.ErrForbidden, err)
	}
	return token, w.now.Add(tokens.ExpiresIn), nil
}

// derived is what is looked at of a token that the pool has issued a moment ago. Who gets
// the token verifies it.
type derived struct {
	Issuer   string          `json:"iss"`
	Subject  string          `json:"sub"`
	Audience json.RawMessage `json:"aud"`
	Actor    *acting         `json:"act"`
}

// acting is who acts for the person, and who did before (RFC 8693, section 4.1).
type acting struct {
	Issuer   string  `json:"iss,omitempty"`
	Subject  string  `json:"sub,omitempty"`
	ClientID string  `json:"client_id,omitempty"`
	Before   *acting `json:"act,omitempty"`
}

const (
	maxToken  = 64 << 10
	maxActors = 16
)

// read opens a token without verifying it.
func read(token string) (c derived, err error) {
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 3 || !isVisible(token) {
		return c, errors.New("it is not a JWT")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(payload, &c)
	}
	if err != nil {
		return derived{}, errors.New("it is not a JWT with an object")
	}
	n := 0
	for a := c.Actor; a != nil; a = a.Before {
		if n++; n > maxActors {
			return derived{}, errors.New("too many programs have acted to list them")
		}
	}
	return c, nil
}

// audiences are one or several.
func (c derived) audiences() (all []string) {
	var one string
	if json.Unmarshal(c.Audience, &one) == nil && one != "" {
		return []string{one}
	}
	_ = json.Unmarshal(c.Audience, &all)
	return all
}

// fits refuses a token of somebody else, for something else, or that hides who has acted.
func fits(token string, id *codegrant.Identity, w want) error {
	c, err := read(token)
	switch {
	case err != nil:
		return err
	case token == id.AccessToken().Reveal():
		return errors.New("it is the person's own token")
	case c.Issuer != id.Issuer || c.Subject != id.Subject:
		return errors.New("it is of somebody else")
	case !slices.Equal(c.audiences(), []string{w.audience}):
		return fmt.Errorf("it is for %.200q", c.audiences())
	case w.actor && c.Actor == nil:
		return errors.New("it does not say who acts")
	}
	if id.Actor == nil {
		return nil
	}
	for a := c.Actor; a != nil; a = a.Before {
		if (a.Issuer == id.Actor.Issuer || a.Issuer == c.Issuer && id.Actor.Issuer == "") && a.Subject == id.Actor.Subject && a.ClientID == id.Actor.ClientID {
			return nil
		}
	}
	return errors.New("it does not name the programs that acted for the person before")
}
