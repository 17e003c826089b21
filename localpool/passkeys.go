package localpool

import (
	"net"
	"net/http"

	"github.com/codegrant/codegrant/localpool/internal/place"
	"github.com/codegrant/codegrant/localpool/internal/webauthn"
)

// local is the name of this machine that browsers take passkeys at, without TLS: at no
// address in numbers.
const local = "localhost"

// named has a request that reached the server as localhost stay there.
func (s *Server) named(r *http.Request) *http.Request {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil || host != local || s.place.AWS || !isLoopback(s.host) {
		return r
	}
	return place.By(r, s.scheme+"://"+net.JoinHostPort(local, port))
}

// atLocalhost sends browsers from an address in numbers to localhost, before they sign in
// to a pool that takes passkeys there.
func (s *Server) atLocalhost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, port, err := net.SplitHostPort(r.Host)
		if err != nil || r.Method != http.MethodGet || net.ParseIP(host) == nil || s.place.AWS || !isLoopback(host) || !s.takesPasskeys(r.URL.Query().Get("client_id")) {
			next.ServeHTTP(w, r)
			return
		}
		http.Redirect(w, r, s.scheme+"://"+net.JoinHostPort(local, port)+r.URL.RequestURI(), http.StatusFound)
	})
}

func (s *Server) takesPasskeys(clientID string) bool {
	c, ok := s.state.Client(clientID)
	if !ok {
		return false
	}
	p, err := s.state.Describe(c.PoolID)
	if err != nil {
		return false
	}
	settings, err := webauthn.Settings(p.Rules())
	return err == nil && settings.RelyingPartyId == local
}
