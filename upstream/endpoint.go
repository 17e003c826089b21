package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// answer is what a token endpoint grants.
type answer struct {
	Access, Refresh string
	ExpiresIn       time.Duration // 0: it does not say
}

// refusal is the word of the other server that a code or a refresh token is no good.
type refusal struct{ code string }

func (r *refusal) Error() string { return "the other server answered " + r.code }

const (
	maxAnswer = 64 << 10
	maxToken  = 16 << 10
)

// ask asks the token endpoint, once.
func (u *Upstream) ask(ctx context.Context, form url.Values) (answer, error) {
	status, body, err := u.post(ctx, u.TokenURL, form)
	if err != nil {
		return answer{}, err
	}
	return parse(status, body)
}

func (u *Upstream) post(ctx context.Context, to string, form url.Values) (int, []byte, error) {
	if u.SecretInForm || u.ClientSecret == "" {
		form.Set("client_id", u.ClientID)
		if u.ClientSecret != "" {
			form.Set("client_secret", u.ClientSecret.Reveal())
		}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "application/json")
	if !u.SecretInForm && u.ClientSecret != "" {
		r.SetBasicAuth(url.QueryEscape(u.ClientID), url.QueryEscape(u.ClientSecret.Reveal()))
	}
	response, err := u.client.Do(r)
	if err != nil {
		var own *url.Error
		if errors.As(err, &own) {
			err = own.Err // without the URL, which says nothing new
		}
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err == nil && len(body) > maxAnswer {
		err = errors.New("the answer is too long")
	}
	return response.StatusCode, body, err
}

// parse reads the answer of a token endpoint (RFC 6749, section 5). Some servers, such as
// GitHub's, answer 200 with an error.
func parse(status int, body []byte) (answer, error) {
	var in struct {
		Access    string          `json:"access_token"`
		Refresh   string          `json:"refresh_token"`
		Kind      string          `json:"token_type"`
		ExpiresIn json.RawMessage `json:"expires_in"`
		Error     string          `json:"error"`
	}
	err := json.Unmarshal(body, &in)
	switch {
	case status == http.StatusTooManyRequests || status >= 500 || status >= 300 && status < 400:
		return answer{}, fmt.Errorf("the other server answered with the status %d", status)
	case err != nil:
		return answer{}, fmt.Errorf("the other server answered with the status %d, and no JSON", status)
	case in.Error != "":
		code := in.Error[:min(len(in.Error), 64)]
		if !isVisible(code) {
			code = "an error without a code"
		}
		switch code {
		case "invalid_client", "unauthorized_client", "unsupported_grant_type", "server_error", "temporarily_unavailable", "incorrect_client_credentials", "slow_down":
			return answer{}, errors.New("the other server answered " + code) // nothing is wrong with what the person has
		}
		return answer{}, &refusal{code}
	case status != http.StatusOK:
		return answer{}, fmt.Errorf("the other server answered with the status %d", status)
	case !isToken(in.Access) || in.Refresh != "" && !isToken(in.Refresh) || !strings.EqualFold(in.Kind, "bearer"):
		return answer{}, errors.New("the other server's answer has no bearer token")
	}
	out := answer{Access: in.Access, Refresh: in.Refresh}
	var seconds float64
	if len(in.ExpiresIn) > 0 && string(in.ExpiresIn) != "null" {
		if json.Unmarshal([]byte(strings.Trim(string(in.ExpiresIn), `"`)), &seconds) != nil || seconds < 0 || seconds > 400*24*3600 {
			return answer{}, errors.New("the other server's answer has no sane expires_in")
		}
	}
	out.ExpiresIn = time.Duration(seconds) * time.Second
	return out, nil
}

func isToken(s string) bool {
	return s != "" && len(s) <= maxToken && isVisible(s) && !strings.ContainsAny(s, `",`)
}

// revoke has the other server end a token (RFC 7009), if it can.
func (u *Upstream) revoke(ctx context.Context, h held) error {
	if u.RevokeURL == "" {
		return errors.New("no URL is set for that")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	token, hint := h.Refresh, "refresh_token"
	if token == "" {
		token, hint = h.Access, "access_token"
	}
	var status int
	var err error
	for range 2 {
		if status, _, err = u.post(ctx, u.RevokeURL, url.Values{"token": {token}, "token_type_hint": {hint}}); err == nil && status < 500 {
			break
		}
	}
	if err == nil && status >= 300 {
		err = fmt.Errorf("the other server answered with the status %d", status)
	}
	outcome := revoked
	if err != nil {
		outcome = failed
		u.Logger.LogAttrs(ctx, slog.LevelWarn, "upstream token not revoked", slog.String("upstream", u.Name), slog.String("sub", h.Subject), slog.String("reason", err.Error()))
	}
	u.event(ctx, TokenRevoked, outcome, 0)
	return err
}
