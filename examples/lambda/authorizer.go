package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/aws/aws-lambda-go/events"

	"github.com/codegrant/codegrant/verify"
)

// errUnauthorized is what API Gateway answers with 401 for. Its text must be this word
// alone: with any other, the answer is 500.
var errUnauthorized = errors.New("Unauthorized") //nolint:staticcheck // the text is API Gateway's

// connects is the method of a WebSocket that is opened: the one route of a WebSocket API
// that has an authorizer.
const connects = "$connect"

// rule is what requests need whose path is path, or below it.
type rule struct {
	method string // empty: any
	path   string // empty: any
	scope  string // empty: none
	group  string // empty: none
}

func (r rule) isFor(method, path string) bool {
	if r.method != "" && r.method != method {
		return false
	}
	return r.path == "" || path == r.path || strings.HasPrefix(path, r.path+"/")
}

func (r rule) allows(claims *verify.Claims) bool {
	if r.scope == "" && r.group == "" {
		return false // it would say nothing
	}
	return (r.scope == "" || claims.HasScope(r.scope)) && (r.group == "" || !claims.Machine() && claims.HasGroup(r.group))
}

type authorizer struct {
	verifier *verify.Verifier
	rules    []rule
	log      *slog.Logger
}

// request is a question of API Gateway in one form.
type request struct {
	method, path string
	token        string
	arn          string // of what is asked for; the answer names it again
	simple       bool   // the answer is yes or no, and no policy
}

// handle answers API Gateway. An error with the text of errUnauthorized is a 401 to the
// client, a no is a 403, and every other error a 500: the keys of the pool could not be
// had, say, which says nothing about the token.
func (a *authorizer) handle(ctx context.Context, event json.RawMessage) (any, error) {
	asked, err := read(event)
	if err != nil {
		a.log.ErrorContext(ctx, "not understood", "reason", err)
		return nil, err
	}
	if asked.token == "" {
		return nil, errUnauthorized
	}
	claims, err := a.verifier.AccessToken(ctx, asked.token)
	switch {
	case errors.Is(err, verify.ErrInvalid):
		a.log.WarnContext(ctx, "token refused", "reason", err)
		return nil, errUnauthorized
	case err != nil:
		a.log.ErrorContext(ctx, "token not verified", "reason", err)
		return nil, errors.New("the pool's keys cannot be had; try again")
	}
	allowed := a.allows(asked, claims)
	a.log.InfoContext(ctx, "asked", "allowed", allowed, "method", asked.method, "path", asked.path, "token", claims)
	if asked.simple {
		return events.APIGatewayV2CustomAuthorizerSimpleResponse{IsAuthorized: allowed, Context: identity(claims)}, nil
	}
	effect := "Deny"
	if allowed {
		effect = "Allow"
	}
	return events.APIGatewayCustomAuthorizerResponse{
		PrincipalID: claims.Subject,
		PolicyDocument: events.APIGatewayCustomAuthorizerPolicy{
			Version:   "2012-10-17",
			Statement: []events.IAMPolicyStatement{{Action: []string{"execute-api:Invoke"}, Effect: effect, Resource: []string{asked.arn}}},
		},
		Context: identity(claims),
	}, nil
}

func (a *authorizer) allows(asked request, claims *verify.Claims) bool {
	if strings.ContainsAny(asked.path, "*?") {
		return false // in the resource of a policy they would stand for other paths as well
	}
	for _, r := range a.rules {
		if r.isFor(asked.method, asked.path) {
			return r.allows(claims)
		}
	}
	return false
}

// identity is what the function behind the gateway finds in requestContext.authorizer. The
// values of a REST API are strings, numbers and booleans.
func identity(claims *verify.Claims) map[string]any {
	groups, _ := json.Marshal(claims.Groups) // names may have blanks and commas
	if claims.Groups == nil || claims.Machine() {
		groups = []byte("[]")
	}
	return map[string]any{
		"sub": claims.Subject, "clientId": claims.ClientID, "username": claims.Username, "machine": claims.Machine(),
		"groups": string(groups), "scope": strings.Join(claims.Scopes, " "), "expires": claims.ExpiresAt.Unix(),
	}
}

// read tells the kinds of questions apart, which API Gateway does not name.
func read(event json.RawMessage) (request, error) {
	var kind struct {
		Type      string `json:"type"`
		Version   string `json:"version"`
		MethodARN string `json:"methodArn"`
	}
	if err := json.Unmarshal(event, &kind); err != nil {
		return request{}, fmt.Errorf("read the event: %w", err)
	}
	switch {
	case kind.Version == "2.0":
		var e events.APIGatewayV2CustomAuthorizerV2Request
		if err := json.Unmarshal(event, &e); err != nil {
			return request{}, fmt.Errorf("read the event of an HTTP API: %w", err)
		}
		path, stage := e.RawPath, e.RequestContext.Stage
		if stage != "" && stage != "$default" { // the one stage that is not in the path
			path = strings.TrimPrefix(path, "/"+stage)
		}
		return request{method: e.RequestContext.HTTP.Method, path: path, token: bearer(e.Headers, nil), arn: e.RouteArn, simple: true}, nil

	case kind.Type == "TOKEN":
		var e events.APIGatewayCustomAuthorizerRequest
		if err := json.Unmarshal(event, &e); err != nil {
			return request{}, fmt.Errorf("read the event: %w", err)
		}
		method, path := ofARN(e.MethodArn)
		return request{method: method, path: path, token: afterBearer(e.AuthorizationToken), arn: e.MethodArn}, nil

	case kind.Type == "REQUEST" && kind.MethodARN != "":
		var e events.APIGatewayCustomAuthorizerRequestTypeRequest
		if err := json.Unmarshal(event, &e); err != nil {
			return request{}, fmt.Errorf("read the event: %w", err)
		}
		method, path := ofARN(e.MethodArn)
		token := bearer(e.Headers, e.MultiValueHeaders)
		if token == "" && method == connects {
			token = ofProtocols(e.Headers, e.MultiValueHeaders)
		}
		return request{method: method, path: path, token: token, arn: e.MethodArn}, nil
	}
	return request{}, fmt.Errorf("no event of an authorizer: type %.16q, version %.16q", kind.Type, kind.Version)
}

// ofARN takes method and path out of what a policy is about:
// arn:aws:execute-api:eu-west-1:123456789012:api/stage/GET/orders/1. An event's own path
// may have a base path of a custom domain in front of it.
func ofARN(arn string) (method, path string) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return "", ""
	}
	segments := strings.SplitN(parts[5], "/", 4)
	if len(segments) < 3 {
		return "", ""
	}
	if len(segments) == 4 {
		path = "/" + segments[3]
	}
	return segments[2], path
}

// bearer is the token of the one Authorization header, in any case of its name: REST APIs
// pass names on as they came.
func bearer(headers map[string]string, all map[string][]string) string {
	value, ok := header("authorization", headers, all)
	if !ok {
		return ""
	}
	return afterBearer(value)
}

func afterBearer(value string) string {
	scheme, token, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimLeft(token, " ")
}

// ofProtocols is the token of a page, which cannot give a WebSocket a header of its own:
// new WebSocket(url, ["bearer", token]). The integration of $connect has to answer with
// Sec-WebSocket-Protocol: bearer, or the browser closes.
func ofProtocols(headers map[string]string, all map[string][]string) string {
	value, ok := header("sec-websocket-protocol", headers, all)
	if !ok {
		return ""
	}
	word, token, ok := strings.Cut(value, ",")
	if !ok || strings.TrimSpace(word) != "bearer" {
		return ""
	}
	return strings.TrimSpace(token)
}

// header finds a header that was sent once.
func header(name string, headers map[string]string, all map[string][]string) (value string, ok bool) {
	found := 0
	for n, values := range all {
		if strings.EqualFold(n, name) {
			found += len(values)
			for _, v := range values {
				value = v
			}
		}
	}
	if found == 0 {
		for n, v := range headers {
			if strings.EqualFold(n, name) {
				found++
				value = v
			}
		}
	}
	return value, found == 1
}
