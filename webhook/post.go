package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"syscall"
	"time"

	"github.com/codegrant/codegrant/internal/origins"
	"github.com/codegrant/codegrant/internal/publicnet"
)

// Bounds of one try.
const (
	postTime  = 15 * time.Second
	maxAnswer = 16 << 10 // of which nothing is kept
	maxWait   = time.Hour
)

var errAddress = errors.New("is not a public internet address; set private_network: true if you mean a private one")

// transport connects to the addresses that an endpoint may have, which are asked about
// when names have been looked up.
func transport(e Endpoint) http.RoundTripper {
	allowed := publicnet.Has
	if u, err := url.Parse(e.URL); err == nil && origins.IsLoopback(u.Hostname()) {
		allowed = func(a netip.Addr) bool { return a.Unmap().IsLoopback() }
	} else if e.Private {
		allowed = func(a netip.Addr) bool { return publicnet.Has(a) || publicnet.IsPrivate(a) }
	}
	dialer := &net.Dialer{Timeout: postTime, Control: func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !allowed(at.Addr()) {
			return fmt.Errorf("%s %w", address, errAddress)
		}
		return nil
	}}
	return &http.Transport{ // without a proxy, which would dial for us
		DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}, TLSHandshakeTimeout: postTime,
		MaxResponseHeaderBytes: maxAnswer, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: atOnce, IdleConnTimeout: time.Minute,
	}
}

// outcome is what became of a try.
type outcome struct {
	failure string        // empty: the receiver has the message
	away    bool          // it says nothing about the message: the receiver is down, or busy
	gone    bool          // the receiver wants no such message again
	wait    time.Duration // that it has asked for
}

// post sends a message once.
func (t *target) post(ctx context.Context, d *Delivery, now time.Time) outcome {
	ctx, cancel := context.WithTimeout(ctx, postTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL, bytes.NewReader(d.body))
	if err != nil {
		return outcome{failure: "the URL cannot be used"}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "codegrant")
	request.Header.Set("Webhook-Id", d.Message)
	request.Header.Set("Webhook-Timestamp", strconv.FormatInt(now.Unix(), 10))
	request.Header.Set("Webhook-Signature", signature(t.Secrets, d.Message, now, d.body))
	answer, err := t.client.Do(request)
	if err != nil {
		// The URL may hold a secret.
		if named, ok := errors.AsType[*url.Error](err); ok {
			err = named.Err
		}
		return outcome{failure: err.Error(), away: true}
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer)
	if answer.StatusCode >= 200 && answer.StatusCode < 300 {
		return outcome{}
	}
	o := outcome{failure: "answered " + strconv.Itoa(answer.StatusCode)}
	if text := http.StatusText(answer.StatusCode); text != "" {
		o.failure += " " + text
	}
	switch answer.StatusCode {
	case http.StatusGone:
		o.gone = true
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		o.away = true
		if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
			o.wait = min(time.Duration(min(seconds, 1<<20))*time.Second, maxWait)
		}
	}
	return o
}
