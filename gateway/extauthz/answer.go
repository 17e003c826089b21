package extauthz

import (
	"bytes"
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
)

// answer is a response that is kept instead of sent.
type answer struct {
	header http.Header
	status int
	sent   http.Header // header as it was with the status
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 && status >= 200 {
		a.status, a.sent = status, a.header.Clone()
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(b)
}

// passed lets the request through.
func (a *answer) passed(pass *gateway.Pass) *authv3.CheckResponse {
	ok := new(authv3.OkHttpResponse)
	for _, name := range slices.Sorted(maps.Keys(pass.Set)) {
		ok.Headers = append(ok.Headers, option(name, strings.Join(pass.Set[name], ","), instead))
	}
	for _, name := range pass.Remove {
		ok.HeadersToRemove = append(ok.HeadersToRemove, strings.ToLower(name))
	}
	for _, cookie := range a.header["Set-Cookie"] {
		ok.ResponseHeadersToAdd = append(ok.ResponseHeadersToAdd, option("Set-Cookie", cookie, besides))
	}
	if len(ok.ResponseHeadersToAdd) > 0 {
		// The upstream does not know that its answer carries somebody's cookie.
		ok.ResponseHeadersToAdd = append(ok.ResponseHeadersToAdd, option("Cache-Control", "no-store", instead))
	}
	return &authv3.CheckResponse{Status: statusOf(codes.OK), HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: ok}}
}

// ofTheConnection are headers that Envoy makes itself.
var ofTheConnection = []string{"Connection", "Content-Length", "Date", "Keep-Alive", "Trailer", "Transfer-Encoding", "Upgrade"}

// denied has the client get the answer.
func (a *answer) denied() *authv3.CheckResponse {
	denied := &authv3.DeniedHttpResponse{Body: strings.ToValidUTF8(a.body.String(), "\uFFFD")}
	code := codes.PermissionDenied
	switch {
	case a.status < 300 || a.status > 599: // nothing that a refusal can be
		a.status, a.sent, denied.Body = http.StatusForbidden, nil, ""
	case a.status >= 500:
		code = codes.Unavailable
	case a.status == http.StatusUnauthorized || a.status < 400:
		code = codes.Unauthenticated
	}
	denied.Status = &typev3.HttpStatus{Code: typev3.StatusCode(a.status)}
	for _, name := range slices.Sorted(maps.Keys(a.sent)) {
		if slices.Contains(ofTheConnection, name) {
			continue
		}
		how := instead // of what Envoy would say itself
		for _, value := range a.sent[name] {
			denied.Headers = append(denied.Headers, option(name, value, how))
			how = besides
		}
	}
	return &authv3.CheckResponse{Status: statusOf(code), HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: denied}}
}

// deny is the answer to a question that never came to the gateway.
func deny(status int) *authv3.CheckResponse {
	a := &answer{header: http.Header{"Cache-Control": {"no-store"}}}
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
