package cognito

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
)

// SecretSource names the secrets of an app client, for secrets that change while the
// process runs. Package secret reads them from a file, and package secret/awssecret
// from AWS Secrets Manager. It must be safe for concurrent use.
type SecretSource interface {
	// Secrets returns the secret to send, and after it those that the pool may
	// still accept, such as the former one. There is at least one. again says that
	// the pool refused what was returned before: skip every cache. An error means
	// that no secret is known; a source that cannot be reached returns what it
	// knew before.
	Secrets(ctx context.Context, again bool) ([]string, error)
}

// fixed is the source of secrets that are set and never change. It is used by its
// address, which is what fmt prints of it inside of a [Client].
type fixed []string

func (f *fixed) Secrets(context.Context, bool) ([]string, error) { return *f, nil }

// secrets returns where the secrets of the pool's app client come from; nil for a
// public client.
func (p Pool) secrets() SecretSource {
	switch {
	case p.Secrets != nil:
		return p.Secrets
	case p.ClientSecret == "":
		return nil
	case p.SecondSecret == "":
		return &fixed{p.ClientSecret.Reveal()}
	}
	return &fixed{p.ClientSecret.Reveal(), p.SecondSecret.Reveal()}
}

// credentials sends what a client sends with the secret that the pool accepts.
type credentials struct {
	source   SecretSource // nil: a public client
	accepted atomic.Pointer[string]
	log      *slog.Logger
}

// maxSecrets is how many secrets one request is tried with: an app client has two at
// most (AWS, API reference, AddUserPoolClientSecret), and a third time is for one that
// was replaced between.
const maxSecrets = 3

// authenticate calls send with the secret that the pool accepted last. Where the pool
// refuses the secret, it calls send again with the others. A pool that refuses the
// secret has not looked at the code or token beside it (RFC 6749, section 3.2.1), so
// that these are not spent.
func (c *credentials) authenticate(ctx context.Context, send func(secret string) (answer, error)) (answer, error) {
	if c.source == nil {
		return send("")
	}
	secrets, err := c.source.Secrets(ctx, false)
	if err != nil {
		return answer{}, noSecret(err)
	}
	if len(secrets) == 0 {
		return answer{}, noSecret(errors.New("the source returned none"))
	}
	first := secrets[0]
	if last := c.accepted.Load(); last != nil && slices.Contains(secrets, *last) {
		first = *last
	}
	a, err := send(first)
	if !errors.Is(err, ErrInvalidClient) {
		c.note(err, first, secrets)
		return a, err
	}
	if again, err := c.source.Secrets(ctx, true); err == nil {
		secrets = again
	}
	tried := []string{first}
	for _, secret := range secrets {
		if slices.Contains(tried, secret) || len(tried) == maxSecrets {
			continue
		}
		tried = append(tried, secret)
		if a, err = send(secret); !errors.Is(err, ErrInvalidClient) {
			c.note(err, secret, secrets)
			return a, err
		}
	}
	return a, err
}

// likely is the secret that the pool will accept, as far as that is known.
func (c *credentials) likely(ctx context.Context) (string, error) {
	if c.source == nil {
		return "", nil
	}
	secrets, err := c.source.Secrets(ctx, false)
	if err == nil && len(secrets) == 0 {
		err = errors.New("the source returned none")
	}
	if err != nil {
		return "", noSecret(err)
	}
	if last := c.accepted.Load(); last != nil && slices.Contains(secrets, *last) {
		return *last, nil
	}
	return secrets[0], nil
}

// note remembers the secret that the pool accepted: every answer but a refusal of the
// client says so. A change is logged, by the place of the secret and not its value.
func (c *credentials) note(err error, secret string, secrets []string) {
	if err != nil && (errors.Is(err, ErrUnavailable) || errors.Is(err, ErrMisconfigured)) {
		return
	}
	last := c.accepted.Load()
	if last != nil && *last == secret || !c.accepted.CompareAndSwap(last, &secret) {
		return
	}
	place := slices.Index(secrets, secret) + 1
	if last == nil && place <= 1 {
		return // as it should be
	}
	level := slog.LevelInfo
	if place != 1 {
		level = slog.LevelWarn
	}
	c.log.LogAttrs(context.Background(), level, "client secret accepted",
		slog.Int("secret", place), slog.Int("secrets", len(secrets)))
}

// noSecret says nothing about what would have been sent.
func noSecret(err error) *UnavailableError {
	return &UnavailableError{text: "client secret: " + plain(err.Error(), maxReason), cause: err}
}
