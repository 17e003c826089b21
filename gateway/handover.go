package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"

	"github.com/codegrant/codegrant"
)

// Handover finds the token that an upstream is sent in place of what proved who is asking,
// such as one that is good at that upstream alone.
type Handover interface {
	// Token returns it. Of an error that has an [http.Handler] in its chain, that answers
	// the request; of any other, [codegrant.Auth.Refuse] does.
	Token(ctx context.Context, id *codegrant.Identity) (string, error)
}

// handOver finds the token of a request that may pass. It has answered the request where
// it reports false: without that token, the upstream sees nothing of it.
func (c *call) handOver(w http.ResponseWriter, r *http.Request) bool {
	if c.route.Handover == nil {
		return true
	}
	if c.id == nil {
		c.passed = false // guards that let nobody through do not come this far
		c.gateway.refuse(w, r, http.StatusForbidden, errors.New("nobody is asking whose token could be exchanged"))
		return false
	}
	token, err := c.route.Handover.Token(r.Context(), c.told)
	if err == nil && !isToken(token) {
		err = errors.Join(codegrant.ErrUnavailable, errors.New("the token for the upstream cannot be sent in a header"))
	}
	if err == nil {
		c.token = token
		return true
	}
	c.passed, c.withheld = false, true
	var answers http.Handler
	if errors.As(err, &answers) {
		c.gateway.log.LogAttrs(r.Context(), slog.LevelInfo, "request withheld", slog.String("route", c.route.Name), slog.String("sub", c.id.Subject), slog.String("reason", err.Error()))
		w.Header().Set("Cache-Control", "no-store")
		answers.ServeHTTP(w, r)
		return false
	}
	c.tenant.Auth.Refuse(w, r, c.id, err)
	return false
}

// isToken knows what an Authorization header can carry, and nothing that could be taken
// for the end of one.
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == ',' || c == '"' {
			return false
		}
	}
	return s != "" && len(s) <= maxIdentity
}
