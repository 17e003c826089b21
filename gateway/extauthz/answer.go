package extauthz

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/kept"
)

// answer is the gateway's, for Envoy to be told.
type answer struct{ kept.Response }

// passed lets the request through.
func (a *answer) passed(pass *gateway.Pass) *authv3.CheckResponse {
	ok := new(authv3.OkHttpResponse)
	for _, name := range slices.Sorted(maps.Keys(pass.Set)) {
		ok.Headers = append(ok.Headers, option(name, strings.Join(pass.Set[name], ","), instead))
	}
	for _, name := range pass.Remove {
		ok.HeadersToRemove = append(ok.HeadersToRemove, strings.ToLower(name))
	}
	for _, cookie := range a.Header()["Set-Cookie"] {
		ok.ResponseHeadersToAdd = append(ok.ResponseHeadersToAdd, option("Set-Cookie", cookie, besides))
	}
	if len(ok.ResponseHeadersToAdd) > 0 {
		// The upstream does not know that its answer carries somebody's cookie.
		ok.ResponseHeadersToAdd = append(ok.ResponseHeadersToAdd, option("Cache-Control", "no-store", instead))
	}
	return &authv3.CheckResponse{Status: statusOf(codes.OK), HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: ok}}
}

// denied has the client get the answer.
func (a *answer) denied() *authv3.CheckResponse {
	denied := &authv3.DeniedHttpResponse{Body: strings.ToValidUTF8(a.Body.String(), "\uFFFD")}
	code := codes.PermissionDenied
	switch {
	case a.Status < 300 || a.Status > 599: // nothing that a refusal can be
		a.Status, a.Sent, denied.Body = http.StatusForbidden, nil, ""
	case a.Status >= 500:
		code = codes.Unavailable
	case a.Status == http.StatusUnauthorized || a.Status < 400:
		code = codes.Unauthenticated
	}
	denied.Status = &typev3.HttpStatus{Code: typev3.StatusCode(a.Status)}
	for _, name := range slices.Sorted(maps.Keys(a.Sent)) {
		if kept.MadeByProxies(name) {
			continue
		}
		how := instead // of what Envoy would say itself
		for _, value := range a.Sent[name] {
			denied.Headers = append(denied.Headers, option(name, value, how))
			how = besides
		}
	}
	return &authv3.CheckResponse{Status: statusOf(code), HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: denied}}
}

// deny is the answer to a question that never came to the gateway.
func deny(status int) *authv3.CheckResponse {
	a := new(answer)
	a.Header().Set("Cache-Control", "no-store")
	http.Error(a, http.StatusText(status), status)
	return a.denied()
}

const (
	instead = corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
	besides = corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD
)

// option is one header. The deprecated field append stays unset: Envoys that do not
// know append_action replace then, and others would join cookies by commas.
func option(name, value string, how corev3.HeaderValueOption_HeaderAppendAction) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:         &corev3.HeaderValue{Key: strings.ToLower(name), Value: strings.ToValidUTF8(value, "!")},
		AppendAction:   how,
		KeepEmptyValue: true, // an empty identity header stands in the client's way
	}
}

func statusOf(code codes.Code) *status.Status { return &status.Status{Code: int32(code)} }
