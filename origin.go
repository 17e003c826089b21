package codegrant

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/internal/fault"
)

var errOtherScheme = errors.New("the page that sent it came over another protocol than this site does")

// checkOrigin refuses an unsafe request that a page of another origin made the browser
// send. Where the browser says nothing of the site (Sec-Fetch-Site), net/http compares
// hosts; the page of an http twin, which anybody on the way can write, is another origin.
func (s *site) checkOrigin(r *http.Request) error {
	if err := s.csrf.Check(r); err != nil {
		return err
	}
	origin := r.Header.Get("Origin")
	if isSafe(r.Method) || origin == "" || r.Header.Get("Sec-Fetch-Site") != "" || slices.Contains(s.TrustedOrigins, origin) {
		return nil
	}
	scheme, _, _ := strings.Cut(origin, "://")
	if want := s.schemeOf(r); want != "" && !strings.EqualFold(scheme, want) {
		return errOtherScheme
	}
	return nil
}

// asBrowsersWrite returns origins in the one form that browsers write into Origin, which is
// what they are compared with. What is not an origin stays as it is.
func asBrowsersWrite(origins []string) []string {
	written := slices.Clone(origins)
	for i, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
			continue
		}
		host := strings.ToLower(u.Host)
		switch u.Scheme {
		case "https":
			host = strings.TrimSuffix(host, ":443")
		case "http":
			host = strings.TrimSuffix(host, ":80")
		}
		written[i] = u.Scheme + "://" + host
	}
	return written
}

// schemeOf is that under which browsers know the host of a request; empty where nobody
// has said so.
func (s *site) schemeOf(r *http.Request) string {
	host := strings.ToLower(r.Host)
	for _, origin := range append([]string{s.BaseURL}, s.AllowedReturnOrigins...) {
		if u, err := url.Parse(origin); err == nil && strings.ToLower(u.Host) == host {
			return u.Scheme
		}
	}
	if r.TLS != nil || strings.HasPrefix(s.BaseURL, "https:") {
		return "https"
	}
	return ""
}

// opensWebSocket reports whether a request is the handshake of a WebSocket, also where a
// proxy that asks about it has taken Upgrade away.
func opensWebSocket(r *http.Request) bool {
	h := r.Header
	return h.Get("Upgrade") != "" || h.Get("Sec-Websocket-Key") != "" || h.Get("Sec-Websocket-Version") != "" || h.Get("Sec-Fetch-Mode") == "websocket"
}

// crossOrigin refuses an unsafe request that another site made the browser send
// with a session cookie or another proof that it adds by itself. A WebSocket
// handshake is a GET, and opens a channel that is not for reading alone.
func (s *site) crossOrigin(r *http.Request) error {
	if s.InsecureNoCrossOriginProtection {
		return nil
	}
	if opensWebSocket(r) {
		r = r.WithContext(r.Context())
		r.Method = http.MethodPost
	}
	if err := s.checkOrigin(r); err != nil {
		return fmt.Errorf("%w: %w", fault.CrossOrigin, err)
	}
	return nil
}
