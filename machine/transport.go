package machine

import (
	"fmt"
	"net/http"

	"github.com/codegrant/codegrant/internal/origins"
)

// Transport returns what sends requests with a token of the source: to the origins that
// are named, such as https://orders.example.com, and to no other, where a redirect may
// lead. base sends them; nil is [http.DefaultTransport]. An error names what is not an origin.
//
// A request that has an Authorization header already keeps it. Where there is no token,
// nothing is sent, and the error is that of [Source.TokenContext].
func (s *Source) Transport(base http.RoundTripper, to ...string) (http.RoundTripper, error) {
	if base == nil {
		base = http.DefaultTransport
	}
	known, err := origins.New(to)
	if err != nil {
		return nil, fmt.Errorf("send tokens of a machine: %w", err)
	}
	return &transport{source: s, base: base, origins: known}, nil
}

type transport struct {
	source  *Source
	base    http.RoundTripper
	origins origins.Set
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if len(r.Header["Authorization"]) > 0 || !t.origins.Has(r.URL) {
		return t.base.RoundTrip(r)
	}
	token, err := t.source.TokenContext(r.Context())
	if err != nil {
		origins.Unsent(r)
		return nil, err
	}
	out := r.Clone(r.Context())
	out.Header.Set("Authorization", "Bearer "+token.AccessToken)
	response, err := t.base.RoundTrip(out)
	if err == nil && response.StatusCode == http.StatusUnauthorized {
		t.source.drop(token.AccessToken)
	}
	return response, err
}
