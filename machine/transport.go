package machine

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Transport returns what sends requests with a token of the source: to the origins that
// are named, such as https://orders.example.com, and to no other, where a redirect may
// lead. base sends them; nil is [http.DefaultTransport]. An error names what is no origin.
//
// A request that has an Authorization header already keeps it. Where there is no token,
// nothing is sent, and the error is that of [Source.TokenContext].
func (s *Source) Transport(base http.RoundTripper, origins ...string) (http.RoundTripper, error) {
	if base == nil {
		base = http.DefaultTransport
	}
	if len(origins) == 0 {
		return nil, errors.New("send tokens of a machine: name the origins that they may go to")
	}
	t := &transport{source: s, base: base, origins: make(map[string]bool)}
	var faults []error
	for _, raw := range origins {
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
			faults = append(faults, fmt.Errorf("%q is not an origin such as https://orders.example.com", raw))
			continue
		}
		if u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
			faults = append(faults, fmt.Errorf("%q does not begin with https; http is accepted for this machine alone", raw))
			continue
		}
		t.origins[originOf(u)] = true
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("send tokens of a machine: %w", errors.Join(faults...))
	}
	return t, nil
}

type transport struct {
	source  *Source
	base    http.RoundTripper
	origins map[string]bool
}

func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if len(r.Header["Authorization"]) > 0 || !t.origins[originOf(r.URL)] {
		return t.base.RoundTrip(r)
	}
	token, err := t.source.TokenContext(r.Context())
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
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

// originOf is scheme, host and port, in one form.
func originOf(u *url.URL) string {
	scheme, port := strings.ToLower(u.Scheme), u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[scheme]
	}
	return scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}
