//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// row is something that each server is asked, by number.
type row struct {
	name string
	do   func(ctx context.Context, s *server, n int) error
}

// call calls an operation of the JSON API.
func (s *server) call(ctx context.Context, operation string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	r, err := request(ctx, s.url, operation, body)
	if err != nil {
		return err
	}
	answer, err := s.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: status %d: %s", operation, answer.StatusCode, said)
	}
	return json.Unmarshal(said, out)
}

func request(ctx context.Context, url, operation string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
	// Signed in form: none of the servers looks closer.
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20260101/"+region+"/cognito-idp/aws4_request, SignedHeaders=host, Signature="+strings.Repeat("0", 64))
	return r, nil
}

// rows are what is measured: each form of a filter, for somebody in the middle.
func rows(users int) (list []row) {
	filters := []struct{ attribute, operator, value string }{}
	for _, name := range []string{"username", "email", "phone_number", "name", "given_name", "family_name", "preferred_username", "sub"} {
		value := func(n int) string {
			if name == "username" {
				return username(n)
			}
			return attributes(n)[name]
		}
		middle := value(users / 2)
		filters = append(filters, struct{ attribute, operator, value string }{name, "=", middle}, struct{ attribute, operator, value string }{name, "^=", middle[:len(middle)-2]})
	}
	filters = append(filters, []struct{ attribute, operator, value string }{
		{"cognito:user_status", "=", "CONFIRMED"}, {"cognito:user_status", "^=", "FORCE"}, {"status", "=", "Disabled"}, {"status", "^=", "Enab"},
	}...)
	listing := func(filter string) func(context.Context, *server, int) error {
		return func(ctx context.Context, s *server, _ int) error {
			var out struct{ Users []any }
			in := map[string]any{"UserPoolId": s.pool, "Limit": 60}
			if filter != "" {
				in["Filter"] = filter
			}
			return s.call(ctx, "ListUsers", in, &out)
		}
	}
	list = append(list, row{"ListUsers", listing("")})
	for _, f := range filters {
		list = append(list, row{"ListUsers " + f.attribute + " " + f.operator, listing(fmt.Sprintf("%s %s %q", f.attribute, f.operator, f.value))})
	}
	return append(list,
		row{"AdminGetUser", func(ctx context.Context, s *server, n int) error {
			var out struct{ Username string }
			return s.call(ctx, "AdminGetUser", map[string]any{"UserPoolId": s.pool, "Username": username(n % users)}, &out)
		}},
		row{"sign-in by password", func(ctx context.Context, s *server, n int) error {
			return s.begin(ctx, "USER_PASSWORD_AUTH", map[string]string{"USERNAME": loginOf(n), "PASSWORD": password}, nil)
		}},
		row{"sign-in by SRP, both calls and the client's part", func(ctx context.Context, s *server, n int) error {
			return s.bySRP(ctx, loginOf(n))
		}},
	)
}

// loginOf is one of those who have a password, and are not disabled.
func loginOf(n int) string {
	if n %= withLogin; disabled(n) {
		n--
	}
	return username(n)
}

type signIn struct {
	AuthenticationResult *struct{ AccessToken string }
	ChallengeName        string
	ChallengeParameters  map[string]string
	Session              string
}

// begin begins a sign-in that is to end there, or, with asked, to ask for more.
func (s *server) begin(ctx context.Context, flow string, parameters map[string]string, asked *signIn) error {
	var out signIn
	if err := s.call(ctx, "InitiateAuth", map[string]any{"AuthFlow": flow, "ClientId": s.client, "AuthParameters": parameters}, &out); err != nil {
		return err
	}
	if asked != nil {
		*asked = out
		return nil
	}
	return out.done()
}

func (s signIn) done() error {
	if s.AuthenticationResult == nil || s.AuthenticationResult.AccessToken == "" {
		return fmt.Errorf("there are no tokens, but %s", s.ChallengeName)
	}
	return nil
}

func (s *server) bySRP(ctx context.Context, name string) error {
	var asked signIn
	if err := s.begin(ctx, "USER_SRP_AUTH", map[string]string{"USERNAME": name, "SRP_A": ourA.Text(16)}, &asked); err != nil {
		return err
	}
	answers, err := prove(strings.SplitN(s.pool, "_", 2)[1], asked.ChallengeParameters, time.Now())
	if err != nil {
		return err
	}
	var out signIn
	if err := s.call(ctx, "RespondToAuthChallenge", map[string]any{
		"ChallengeName": "PASSWORD_VERIFIER", "ClientId": s.client, "Session": orNone(asked.Session), "ChallengeResponses": answers,
	}, &out); err != nil {
		return err
	}
	return out.done()
}

// orNone leaves out a session that there is none of.
func orNone(session string) any {
	if session == "" {
		return nil
	}
	return session
}
