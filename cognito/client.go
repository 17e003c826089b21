package cognito

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// Config configures a [Client].
type Config struct {
	// Pool is required.
	Pool Pool
	// HTTPClient sends the requests. Whatever it says, redirects are not followed
	// and cookies are not kept. Defaults to one of our own that gives up on slow
	// connections and holds a bounded number of them.
	HTTPClient *http.Client
	// Timeout bounds one request to the pool, from its first byte to the last of
	// the answer. Defaults to 10 s. A call can take longer by the time that it
	// waits for its turn (at most Timeout) and between tries; ctx bounds it all. A
	// refresh whose ctx has a later deadline waits for the answer until then instead.
	Timeout time.Duration
	// Logger receives which of several client secrets the pool accepts, never a
	// secret. Defaults to none.
	Logger *slog.Logger
}

// Client speaks to one user pool. It is safe for concurrent use.
type Client struct {
	clientID  string
	endpoints Endpoints
	api       string // of user pools, where there is no domain to ask
	http      http.Client
	timeout   time.Duration
	gate      *gate
	revokes   *gate // a place of their own: they are not urgent, and can be many
	secrets   credentials
}

// TokenSet is what the token endpoint grants. Nothing in it has been verified.
type TokenSet struct {
	// IDToken is empty after a refresh of tokens without the scope openid.
	IDToken     Secret
	AccessToken Secret
	// RefreshToken is empty after a refresh, unless the app client rotates them.
	// Empty: the old one stays good. Otherwise this one takes its place, and the
	// old one is worthless, at once or after the app client's grace period.
	RefreshToken Secret
	// ExpiresIn is the life of the access token from now.
	ExpiresIn time.Duration
}

// New checks the configuration. It sends nothing.
func New(config Config) (*Client, error) {
	endpoints, err := config.Pool.Endpoints()
	if err != nil {
		return nil, err
	}
	c := &Client{clientID: config.Pool.ClientID, endpoints: endpoints, timeout: config.Timeout, gate: newGate(maxCalls), revokes: newGate(maxRevocations)}
	c.secrets.source, c.secrets.log = config.Pool.secrets(), config.Logger
	if c.secrets.log == nil {
		c.secrets.log = slog.New(slog.DiscardHandler)
	}
	if c.timeout <= 0 {
		c.timeout = 10 * time.Second
	}
	if config.HTTPClient != nil {
		c.http = *config.HTTPClient
	} else {
		c.http.Transport = NewTransport()
	}
	// Credentials are for the configured host alone.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http.Jar = nil
	return c, nil
}

// Endpoints returns the URLs of the pool.
func (c *Client) Endpoints() Endpoints { return c.endpoints }

// Exchange is an authorization code and what proves that it is ours.
type Exchange struct {
	Code         string
	CodeVerifier string // of the challenge that was in the authorization request
	RedirectURI  string // the one of the authorization request
}

// Exchange redeems an authorization code (RFC 6749, section 4.1.3). The code is
// sent at most once: one whose answer got lost is spent. An answer without an ID
// token is an [ErrMisconfigured], since only the request can have left it out; the
// tokens that came instead are revoked.
func (c *Client) Exchange(ctx context.Context, e Exchange) (TokenSet, error) {
	tokens, err := c.tokens(ctx, url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {e.Code},
		"code_verifier": {e.CodeVerifier},
		"redirect_uri":  {e.RedirectURI},
	})
	if err == nil && tokens.IDToken == "" {
		err = fmt.Errorf("%w: it granted no id_token; add openid to the scopes", ErrMisconfigured)
		if tokens.RefreshToken != "" {
			_ = c.Revoke(ctx, tokens.RefreshToken) // best effort; nobody holds it
		}
	}
	if err != nil {
		return TokenSet{}, fmt.Errorf("redeem authorization code: %w", err)
	}
	return tokens, nil
}

// Refresh fetches new tokens (RFC 6749, section 6). It is tried again only where
// no connection came about. Where one did, do not call it again blindly with the
// same token: with rotation a token whose answer got lost is spent, and to present
// it again after the app client's grace period ends the whole family of tokens.
// Have one caller at a time refresh, and keep what it gets before using it. For the
// same reason the answer is waited for as long as ctx allows, if that has a deadline
// beyond Config.Timeout.
func (c *Client) Refresh(ctx context.Context, refreshToken Secret) (TokenSet, error) {
	tokens, err := c.tokens(ctx, url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {refreshToken.Reveal()},
	})
	if err != nil {
		return TokenSet{}, fmt.Errorf("refresh tokens: %w", err)
	}
	return tokens, nil
}

// tokens calls the token endpoint, a second time only where no connection to it
// came about at first.
func (c *Client) tokens(ctx context.Context, form url.Values) (TokenSet, error) {
	answer, err := c.post(ctx, c.endpoints.Token, form, 2, notSent)
	if err != nil {
		return TokenSet{}, err
	}
	return answer.tokens()
}

// Revoke ends a refresh token and what was made from it (RFC 7009). One that is
// unknown or revoked already is not an error. To revoke twice does no harm, so that it
// is tried up to three times where the pool is unavailable.
func (c *Client) Revoke(ctx context.Context, refreshToken Secret) error {
	unavailable := func(err error) bool { return errors.Is(err, ErrUnavailable) }
	answer, err := c.post(ctx, c.endpoints.Revoke, url.Values{"token": {refreshToken.Reveal()}}, 3, unavailable)
	// Cognito's own answer is empty. A page is of something in between.
	if err == nil && len(answer.body) > 0 && !answer.isJSON() {
		err = unusable("the answer is neither empty nor JSON")
	}
	if err != nil {
		return fmt.Errorf("revoke refresh token: %w", err)
	}
	return nil
}
