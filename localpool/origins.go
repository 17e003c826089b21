package localpool

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// checkOrigin says what is wrong with an origin that is to be allowed.
func checkOrigin(origin string) error {
	u, err := url.Parse(origin)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || origin != u.Scheme+"://"+u.Host || strings.Contains(u.Host, "*") || u.Host != strings.ToLower(u.Host) {
		return fmt.Errorf("origin %q is not of the form https://app.example.com", origin)
	}
	return nil
}

// trusts reports whether pages of an origin may call: those of this machine and those
// that were allowed by name, and, where no signature is needed, those of apps with a
// callback URL.
func (s *Server) trusts(origin string, open bool) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	if s.ownHost(u.Host) || slices.Contains(s.origins, origin) {
		return true
	}
	return open && slices.ContainsFunc(s.state.Clients(), func(c state.Client) bool {
		return slices.ContainsFunc(c.CallbackURLs, func(callback string) bool { return strings.HasPrefix(callback, origin+"/") })
	})
}

// shared serves an endpoint that scripts of web pages call. Cognito lets all of them;
// here, those of strangers are refused.
func (s *Server) shared(methods string, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h, origin := w.Header(), r.Header.Get("Origin")
		if origin != "" && !s.trusts(origin, true) {
			http.Error(w, "This is a local pool. It does not answer web pages of other places: name them with --allow-origin.", http.StatusForbidden)
			return
		}
		h.Set("Access-Control-Allow-Origin", "*")
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", methods)
			if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
				h.Set("Access-Control-Allow-Headers", asked)
			}
			if r.Header.Get("Access-Control-Request-Private-Network") != "" {
				h.Set("Access-Control-Allow-Private-Network", "true")
			}
			h.Set("Access-Control-Max-Age", "600")
			h.Set("Allow", methods+", OPTIONS")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		if !strings.Contains(methods, "POST") && r.Method != http.MethodGet && r.Method != http.MethodHead {
			h.Set("Allow", methods)
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
			return
		}
		next(w, r)
	}
}
