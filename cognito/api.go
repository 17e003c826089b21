package cognito

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// APIError is a refusal of the user pools API. It is no [ErrUnavailable]: the same call
// is refused again.
type APIError struct {
	Operation string
	Code      string // such as NotAuthorizedException
	Message   string // Cognito's own, for the log: it may name the person
	Status    int
}

func (e *APIError) Error() string {
	return fmt.Sprintf("%s: %s: %s", e.Operation, e.Code, e.Message)
}

// Secrets that a request of the API names, and that no error may repeat.
var secretMembers = []string{"AccessToken", "Token", "Password", "PreviousPassword", "ProposedPassword", "Code", "UserCode", "Session", "ClientSecret", "SecretCode"}

// Call makes one call of the user pools API that needs no AWS credentials: those that an
// access token of the person authorizes (with the scope aws.cognito.signin.user.admin),
// or the app client. in has the members of the request, out is what the answer is
// decoded into; nil: nowhere. A refusal is an [*APIError]; that the pool throttles or
// does not answer is [ErrUnavailable]. It is tried once.
func (c *Client) Call(ctx context.Context, operation string, in map[string]any, out any) error {
	if err := c.gate.enter(ctx, c.timeout); err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	outcome := undecided
	defer func() { c.gate.leave(outcome) }()
	a, err := c.callOnce(ctx, operation, in)
	outcome = outcomeOf(err, caller)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, scrubCall(in).clean(err, c.endpoints.API))
	}
	if a.status == http.StatusOK {
		if out == nil {
			return nil
		}
		if err := json.Unmarshal(a.body, out); err != nil {
			return fmt.Errorf("%s: %w", operation, unusable("the answer is not JSON of that operation"))
		}
		return nil
	}
	return apiFault(operation, a, scrubCall(in))
}

// scrubCall takes out of a text what a request must not have repeated.
func scrubCall(in map[string]any) scrubber {
	var s scrubber
	for _, name := range secretMembers {
		switch v := in[name].(type) {
		case Secret:
			s.add(v.Reveal())
		case string:
			s.add(v)
		}
	}
	return s
}

func (c *Client) callOnce(ctx context.Context, operation string, in map[string]any) (answer, error) {
	plain := make(map[string]any, len(in))
	for name, value := range in {
		if secret, ok := value.(Secret); ok {
			value = secret.Reveal()
		}
		plain[name] = value
	}
	body, err := json.Marshal(plain)
	if err != nil {
		return answer{}, errors.New("the request cannot be written as JSON")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoints.API, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
	response, err := c.http.Do(r)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return answer{}, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return answer{}, fmt.Errorf("read the answer: %w", err)
	}
	return answer{response.StatusCode, response.Header, content}, nil
}

// apiFault reads a refusal. Throttling and faults of the service say nothing about the
// person.
func apiFault(operation string, a answer, scrub scrubber) error {
	var said struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	_ = json.Unmarshal(a.body, &said)
	code := said.Type
	if header := a.header.Get("X-Amzn-Errortype"); header != "" {
		code = header
	}
	if i := strings.LastIndexByte(code, '#'); i >= 0 {
		code = code[i+1:]
	}
	code, _, _ = strings.Cut(code, ":")
	if strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") != "" {
		code = "" // it is not Cognito that answers
	}
	switch {
	case a.status >= 500, a.status == http.StatusTooManyRequests, code == "", code == "TooManyRequestsException", code == "ThrottlingException",
		code == "InternalErrorException", code == "OperationNotEnabledException":
		return fmt.Errorf("%s: %w", operation, unusable("status %d %s", a.status, scrub.text(code, 64)))
	}
	return &APIError{Operation: operation, Code: scrub.text(code, 64), Message: scrub.text(said.Message, maxReason), Status: a.status}
}

// RevokeLinked is [Client.Revoke] that also ends the pool's login session which the token
// came out of, where the pool tracks sessions (RevokeToken with RevokeAssociatedSessions):
// that of one browser, and no other token of it. Elsewhere it ends the token alone.
func (c *Client) RevokeLinked(ctx context.Context, refreshToken Secret) error {
	secret, err := c.secrets.likely(ctx)
	if err != nil {
		return fmt.Errorf("revoke refresh token: %w", err)
	}
	in := map[string]any{"Token": refreshToken, "ClientId": c.clientID, "RevokeAssociatedSessions": "LINKED"}
	if secret != "" {
		in["ClientSecret"] = Secret(secret)
	}
	return c.Call(ctx, "RevokeToken", in, nil)
}

// GlobalSignOut has the pool revoke every refresh token of the person whose access token
// it is, which needs the scope aws.cognito.signin.user.admin. Login sessions of the pool
// go on.
func (c *Client) GlobalSignOut(ctx context.Context, accessToken Secret) error {
	return c.Call(ctx, "GlobalSignOut", map[string]any{"AccessToken": accessToken}, nil)
}
