package cognito

import (
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
)

// scrubber takes out of a text what no log may hold. Servers and proxies that
// repeat a request in their answer exist.
type scrubber struct{ secrets []string }

// scrub makes a scrubber of everything secret in a request.
func (c *Client) scrub(form url.Values, secret string) scrubber {
	var s scrubber
	for _, name := range [...]string{"code", "code_verifier", "refresh_token", "token", "subject_token", "actor_token"} {
		s.add(form.Get(name))
	}
	if secret != "" {
		s.add(secret)
		s.add(base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(c.clientID) + ":" + url.QueryEscape(secret))))
	}
	return s
}

func (s *scrubber) add(secret string) {
	if len(secret) < 8 {
		return // shorter than any, and part of other words
	}
	s.secrets = append(s.secrets, secret)
	if escaped := url.QueryEscape(secret); escaped != secret {
		s.secrets = append(s.secrets, escaped)
	}
}

// text also bounds what it returns.
func (s scrubber) text(text string, n int) string {
	for _, secret := range s.secrets {
		text = strings.ReplaceAll(text, secret, redacted)
	}
	return plain(text, n)
}

const maxReason = 256

// clean makes the error that a caller may log of one that may repeat the request.
func (s scrubber) clean(err error, endpoint string) error {
	var refusal *Error
	if errors.As(err, &refusal) {
		return &Error{Code: s.text(refusal.Code, 64), Description: s.text(refusal.Description, maxReason), Status: refusal.Status}
	}
	unavailable := &UnavailableError{cause: err}
	var given *UnavailableError
	if errors.As(err, &given) {
		unavailable.RetryAfter, unavailable.cause = given.RetryAfter, given.cause
	}
	host := "the pool"
	if u, err := url.Parse(endpoint); err == nil {
		host = u.Host
	}
	unavailable.text = host + ": " + s.text(err.Error(), maxReason)
	return unavailable
}
