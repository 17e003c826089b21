package extauthz

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"golang.org/x/net/http/httpguts"
	"google.golang.org/grpc/peer"
)

var errQuestion = errors.New("the question is malformed")

// requestOf is the request that Envoy asks about, as far as it told.
func requestOf(ctx context.Context, question *authv3.CheckRequest) (*http.Request, error) {
	asked := question.GetAttributes().GetRequest().GetHttp()
	if asked == nil {
		return nil, fmt.Errorf("%w: it is not about an HTTP request; use the HTTP filter, not the network one", errQuestion)
	}
	if asked.GetQuery() != "" || asked.GetFragment() != "" {
		return nil, fmt.Errorf("%w: it has a query beside its path", errQuestion)
	}
	header, err := headerOf(asked)
	if err != nil {
		return nil, err
	}
	r := &http.Request{
		Method: asked.GetMethod(), Host: asked.GetHost(), RequestURI: asked.GetPath(), URL: new(url.URL),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, Body: http.NoBody,
	}
	r.RemoteAddr = peerOf(ctx)
	return r.WithContext(ctx), nil
}

// peerOf is the address of whoever asks; empty where it has none.
func peerOf(ctx context.Context) string {
	if p, ok := peer.FromContext(ctx); ok && p.Addr != nil {
		return p.Addr.String()
	}
	return ""
}

// headerOf reads the headers in whichever of its two forms Envoy sends them.
func headerOf(asked *authv3.AttributeContext_HttpRequest) (http.Header, error) {
	raw := asked.GetHeaderMap().GetHeaders()
	if len(raw) > 0 && len(asked.GetHeaders()) > 0 {
		return nil, fmt.Errorf("%w: it has headers in two forms", errQuestion)
	}
	h := make(http.Header, len(raw)+len(asked.GetHeaders()))
	for name, value := range asked.GetHeaders() {
		if err := add(h, asked, name, value); err != nil {
			return nil, err
		}
	}
	for _, one := range raw {
		value := one.GetValue()
		if len(one.GetRawValue()) > 0 {
			if value != "" {
				return nil, fmt.Errorf("%w: a header has two values", errQuestion)
			}
			value = string(one.GetRawValue())
		}
		if err := add(h, asked, one.GetKey(), value); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// add keeps one header. What HTTP/2 calls pseudo-headers are attributes of their own,
// and have to say the same.
func add(h http.Header, asked *authv3.AttributeContext_HttpRequest, name, value string) error {
	name = strings.ToLower(name)
	var same string
	switch name {
	case ":method":
		same = asked.GetMethod()
	case ":path":
		same = asked.GetPath()
	case ":authority", "host":
		same = asked.GetHost()
	case ":scheme", ":protocol":
		return nil
	default:
		if !httpguts.ValidHeaderFieldName(name) || !httpguts.ValidHeaderFieldValue(value) {
			return fmt.Errorf("%w: the header %.64q is not valid", errQuestion, name)
		}
		h.Add(name, value)
		return nil
	}
	if value != same {
		return fmt.Errorf("%w: its header %s says something else", errQuestion, name)
	}
	return nil
}

// narrowOf is what an Envoy route asks for.
func narrowOf(question *authv3.CheckRequest) url.Values {
	narrow := make(url.Values)
	for name, value := range question.GetAttributes().GetContextExtensions() {
		narrow.Set(name, value)
	}
	return narrow
}
