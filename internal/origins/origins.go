package origins

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// Set is a list of origins. The zero value has none.
type Set struct{ known map[string]bool }

// New reads origins such as https://orders.example.com. The error names each that is none.
func New(list []string) (Set, error) {
	if len(list) == 0 {
		return Set{}, errors.New("name the origins that they may go to")
	}
	s := Set{make(map[string]bool)}
	var faults []error
	for _, raw := range list {
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
			faults = append(faults, fmt.Errorf("%q is not an origin such as https://orders.example.com", raw))
			continue
		}
		if u.Scheme != "https" && !(u.Scheme == "http" && IsLoopback(u.Hostname())) {
			faults = append(faults, fmt.Errorf("%q does not begin with https; http is accepted only for this machine", raw))
			continue
		}
		s.known[of(u)] = true
	}
	return s, errors.Join(faults...)
}

// Has reports whether a URL is of one of them.
func (s Set) Has(u *url.URL) bool { return u != nil && s.known[of(u)] }

// of is scheme, host and port, in one form.
func of(u *url.URL) string {
	scheme, port := strings.ToLower(u.Scheme), u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[scheme]
	}
	return scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// IsLoopback reports whether a host is this machine.
func IsLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// Unsent ends a request that is not sent.
func Unsent(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}
