package cognito

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/codegrant/codegrant/internal/quotas"
)

// maxAnswer bounds what is read of an answer: more than the tokens of any user.
const maxAnswer = quotas.AnswerBytes

// maxWait is the longest that a call waits between two tries.
const maxWait = 10 * time.Second

// NewTransport returns a new one of what [Config].HTTPClient defaults to, for a client
// that wraps it, to trace what is sent for one. It is like [http.DefaultTransport],
// which others may replace, with bounds. A code that is sent on a connection which the pool is about to close is
// lost, so that idle ones are closed early; and one that died unnoticed must not
// hold up everything that HTTP/2 puts on it.
func NewTransport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout:    5 * time.Second,
		ForceAttemptHTTP2:      true,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: 5 * time.Second, PingTimeout: 5 * time.Second},
		MaxConnsPerHost:        maxCalls + maxRevocations,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        20 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// post sends a form as the app client, up to so many times as long as again finds
// reason in the error, and returns a 200.
func (c *Client) post(ctx context.Context, endpoint string, form url.Values, tries int, again func(error) bool) (answer, error) {
	return c.again(ctx, tries, again, func(secret string) (answer, error) { return c.once(ctx, endpoint, form, secret) })
}

// again sends as the app client, as post does.
func (c *Client) again(ctx context.Context, tries int, again func(error) bool, send func(secret string) (answer, error)) (answer, error) {
	for try := 1; ; try++ {
		a, err := c.secrets.authenticate(ctx, send)
		if err == nil || try == tries || !again(err) || !pause(ctx, delay(try, err)) {
			return a, err
		}
	}
}

// notSent reports whether no connection to the pool came about, so that nothing
// can have been sent on it.
func notSent(err error) bool {
	var dial *net.OpError
	return errors.As(err, &dial) && dial.Op == "dial"
}

// delay is how long to wait after a failed try: longer each time, as long as the
// pool says, and not the same for everybody.
func delay(try int, err error) time.Duration {
	d := 100 * time.Millisecond << try
	d = d/2 + rand.N(d)
	var unavailable *UnavailableError
	if errors.As(err, &unavailable) {
		d += unavailable.RetryAfter
	}
	return d
}

// pause waits, and reports whether there was the time to.
func pause(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); d > maxWait || ok && time.Until(deadline) < d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// once makes one request. What it was sent stays out of the error, whatever the
// other side makes of it.
func (c *Client) once(ctx context.Context, endpoint string, form url.Values, secret string) (answer, error) {
	gate := c.gate
	if endpoint == c.endpoints.Revoke {
		gate = c.revokes
	}
	return c.turn(ctx, gate, c.timeoutOf(ctx, form), endpoint, c.scrub(form, secret), func(ctx context.Context) (answer, error) {
		return c.roundTrip(ctx, endpoint, form, secret)
	})
}

// turn waits for one, makes a request, and says what became of it without what was sent.
func (c *Client) turn(ctx context.Context, gate *gate, timeout time.Duration, endpoint string, by scrubber, send func(context.Context) (answer, error)) (answer, error) {
	if err := gate.enter(ctx, c.timeout); err != nil {
		return answer{}, err
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	outcome := undecided // as long as the transport may panic
	defer func() { gate.leave(outcome) }()
	a, err := send(ctx)
	outcome = outcomeOf(err, caller)
	if err == nil {
		err = a.fault()
	}
	if err != nil {
		return answer{}, by.clean(err, endpoint)
	}
	return a, nil
}

// timeoutOf is how long an answer may take: that to a refresh as long as the caller
// has, for it may be the only place that has a rotated token. It is a moment less, so
// that a pool that did not answer is known for one.
func (c *Client) timeoutOf(ctx context.Context, form url.Values) time.Duration {
	deadline, ok := ctx.Deadline()
	if !ok || form.Get("grant_type") != "refresh_token" {
		return c.timeout
	}
	return max(c.timeout, time.Until(deadline)-100*time.Millisecond)
}

func outcomeOf(err error, caller context.Context) outcome {
	var network net.Error
	switch {
	case err == nil:
		return answered
	case caller.Err() == nil && errors.As(err, &network) && network.Timeout():
		return timedOut
	}
	return undecided
}

func (c *Client) roundTrip(ctx context.Context, endpoint string, form url.Values, secret string) (answer, error) {
	if secret == "" {
		form.Set("client_id", c.clientID)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if secret != "" {
		// RFC 6749, section 2.3.1: both are form-encoded first.
		r.SetBasicAuth(url.QueryEscape(c.clientID), url.QueryEscape(secret))
	}
	return c.do(r)
}

// do sends a request and reads its answer.
func (c *Client) do(r *http.Request) (answer, error) {
	response, err := c.http.Do(r)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // its own text is the URL, which clean adds the host of
		}
		return answer{}, err
	}
	defer response.Body.Close()
	// Believe the header only up to the longest answer that is accepted.
	var body bytes.Buffer
	body.Grow(int(min(max(response.ContentLength, 0), maxAnswer)) + bytes.MinRead)
	if _, err := body.ReadFrom(io.LimitReader(response.Body, maxAnswer+1)); err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	return answer{response.StatusCode, response.Header, body.Bytes()}, nil
}
