package cognito

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Config configures a [Client].
type Config struct {
	// Pool is required.
	Pool Pool
	// HTTPClient sends the requests; redirects are not followed, whatever it
	// says. Defaults to one of our own with bounded connections.
	HTTPClient *http.Client
	// Timeout bounds one call, all of its tries included. Defaults to 10 s.
	Timeout time.Duration
}

// Client speaks to one user pool. It is safe for concurrent use.
type Client struct {
	pool      Pool
	endpoints Endpoints
	http      *http.Client
	timeout   time.Duration
}

// TokenSet is what the token endpoint grants.
type TokenSet struct {
	IDToken     Secret
	AccessToken Secret
	// RefreshToken is empty after a refresh, unless the app client rotates
	// them: then the old one is worthless and this one takes its place.
	RefreshToken Secret
	ExpiresIn    time.Duration // of the access token
}

// New checks the configuration. It sends nothing.
func New(config Config) (*Client, error) {
	endpoints, err := config.Pool.Endpoints()
	if err != nil {
		return nil, err
	}
	c := &Client{pool: config.Pool, endpoints: endpoints, timeout: config.Timeout}
	if c.timeout <= 0 {
		c.timeout = 10 * time.Second
	}
	base := config.HTTPClient
	if base == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxConnsPerHost = 64
		transport.MaxIdleConnsPerHost = 16
		transport.ResponseHeaderTimeout = c.timeout
		base = &http.Client{Transport: transport}
	}
	client := *base
	// Credentials are for the configured host alone.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &client
	return c, nil
}

// Endpoints returns the URLs of the pool.
func (c *Client) Endpoints() Endpoints { return c.endpoints }

// Exchange is an authorization code and what proves that it is ours.
type Exchange struct {
	Code         string
	CodeVerifier string
	RedirectURI  string // the one of the authorization request
}

// Exchange redeems an authorization code (RFC 6749, section 4.1.3). It is sent at
// most once: a code whose request got lost may be spent.
func (c *Client) Exchange(ctx context.Context, e Exchange) (TokenSet, error) {
	tokens, err := c.tokens(ctx, url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {e.Code},
		"code_verifier": {e.CodeVerifier},
		"redirect_uri":  {e.RedirectURI},
	})
	if err != nil {
		return TokenSet{}, fmt.Errorf("redeem authorization code: %w", err)
	}
	if tokens.IDToken == "" {
		return TokenSet{}, fmt.Errorf("redeem authorization code: %w", unusable("no id_token in the answer; the scope openid is missing"))
	}
	return tokens, nil
}

// Refresh fetches new tokens (RFC 6749, section 6). It is tried again only where
// the request did not reach the pool: with rotation, a refresh token whose answer
// got lost is spent.
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

// Revoke ends a refresh token and what was made from it (RFC 7009). One that is
// unknown or revoked already is no error. It is tried three times.
func (c *Client) Revoke(ctx context.Context, refreshToken Secret) error {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var err error
	for try := range 3 {
		if try > 0 && !pause(ctx, time.Duration(try)*200*time.Millisecond) {
			break
		}
		if _, err = c.post(ctx, c.endpoints.Revoke, url.Values{"token": {refreshToken.Reveal()}}); err == nil {
			return nil
		}
		if !errors.Is(err, ErrUnavailable) {
			break
		}
	}
	return fmt.Errorf("revoke refresh token: %w", err)
}

// tokens calls the token endpoint, and once more where the first connection was
// refused: then nothing was sent.
func (c *Client) tokens(ctx context.Context, form url.Values) (TokenSet, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	body, err := c.post(ctx, c.endpoints.Token, form)
	if notSent(err) && pause(ctx, 100*time.Millisecond) {
		body, err = c.post(ctx, c.endpoints.Token, form)
	}
	if err != nil {
		return TokenSet{}, err
	}
	return parseTokens(body)
}

func notSent(err error) bool {
	var dial *net.OpError
	return errors.Is(err, syscall.ECONNREFUSED) && errors.As(err, &dial) && dial.Op == "dial"
}

// pause waits for d with jitter, and reports whether there is time left.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d/2 + rand.N(d))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// maxAnswer bounds what is read of an answer. A user may be in 100 groups, and
// both tokens name them.
const maxAnswer = 1 << 20

// post sends a form as the app client and returns the body of a 200.
func (c *Client) post(ctx context.Context, endpoint string, form url.Values) ([]byte, error) {
	if c.pool.ClientSecret == "" {
		form.Set("client_id", c.pool.ClientID)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if c.pool.ClientSecret != "" {
		// RFC 6749, section 2.3.1: both are form-encoded first.
		r.SetBasicAuth(url.QueryEscape(c.pool.ClientID), url.QueryEscape(c.pool.ClientSecret.Reveal()))
	}
	response, err := c.http.Do(r)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // its text would repeat the URL
		}
		return nil, &UnavailableError{cause: fmt.Errorf("%s: %w", host(endpoint), err)}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, &UnavailableError{cause: fmt.Errorf("read answer of %s: %w", host(endpoint), err)}
	case len(body) > maxAnswer:
		return nil, unusable("the answer is longer than %d bytes", maxAnswer)
	case response.StatusCode == http.StatusOK:
		return body, nil
	case response.StatusCode == http.StatusTooManyRequests || response.StatusCode >= 500:
		return nil, &UnavailableError{
			RetryAfter: retryAfter(response.Header),
			cause:      fmt.Errorf("%s answered status %d", host(endpoint), response.StatusCode),
		}
	case response.StatusCode < 400:
		return nil, unusable("%s answered status %d; redirects are not followed with credentials", host(endpoint), response.StatusCode)
	}
	return nil, parseRefusal(response, body)
}

// parseRefusal reads an OAuth error. A page of a proxy in between is none.
func parseRefusal(response *http.Response, body []byte) error {
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if !isJSON(response.Header) || json.Unmarshal(body, &answer) != nil || answer.Error == "" {
		return unusable("status %d without an OAuth error", response.StatusCode)
	}
	return &Error{Code: bounded(answer.Error, 64), Description: bounded(answer.Description, 256), Status: response.StatusCode}
}

func isJSON(h http.Header) bool {
	mediaType, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && mediaType == "application/json"
}

func retryAfter(h http.Header) time.Duration {
	seconds, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || seconds < 0 || seconds > 3600 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

func host(endpoint string) string {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "pool"
	}
	return u.Host
}

func unusable(format string, args ...any) error {
	return &UnavailableError{cause: fmt.Errorf(format, args...)}
}

// bounded makes text of strangers fit for a log line.
func bounded(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) || r == 0x2028 || r == 0x2029 || r == '\uFFFD' {
			return ' '
		}
		return r
	}, s)
	for i := range s {
		if i > n {
			return s[:i] + "…"
		}
	}
	return s
}
