package exchange

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/internal/origins"
)

// Transport returns what sends requests to the service with its token, in the name of whom
// [codegrant.From] finds in the context of each: to the origins that are named, such as
// https://orders.example.com, and to no other, where a redirect may lead. base sends them;
// nil is [http.DefaultTransport]. An error names what is not an origin.
//
// It replaces an Authorization header that a request has, and sends none to other origins:
// what is in it may be the person's own token. Where there is nobody, or no
// token, nothing is sent, and the error is that of [Tokens.Token].
func (t *Tokens) Transport(base http.RoundTripper, to ...string) (http.RoundTripper, error) {
	if base == nil {
		base = http.DefaultTransport
	}
	known, err := origins.New(to)
	if err != nil {
		return nil, fmt.Errorf("send exchanged tokens: %w", err)
	}
	return &transport{t, base, known}, nil
}

type transport struct {
	tokens *Tokens
	base   http.RoundTripper
	to     origins.Set
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !t.to.Has(r.URL) {
		out := r.Clone(r.Context())
		out.Header.Del("Authorization")
		return t.base.RoundTrip(out)
	}
	id, ok := codegrant.From(r.Context())
	if !ok {
		origins.Unsent(r)
		return nil, errors.Join(codegrant.ErrForbidden, errors.New("send an exchanged token: the request's context has nobody: make it with that of a request that has passed Require"))
	}
	token, err := t.tokens.Token(r.Context(), id)
	if err != nil {
		origins.Unsent(r)
		return nil, err
	}
	out := r.Clone(r.Context())
	out.Header["Authorization"] = []string{"Bearer " + token}
	return t.base.RoundTrip(out)
}
