package keep

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/prove"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/verify"
)

// SharedConfig configures a [Shared].
type SharedConfig struct {
	Domain    string
	Secure    bool
	SameSite  http.SameSite
	Prover    *prove.Prover
	Lifetimes Lifetimes
	Now       func() time.Time
	Logger    *slog.Logger
	OldIssuer string // whose tokens are for [Config.Before] to judge; empty: nobody's
}

// Shared keeps sign-ins in the cookies of a domain, which every sibling backend, in
// whatever language, finds tokens in.
type Shared struct {
	carried
	access, id, refresh session.Cookie
	oldIssuer           string
}

// NewShared returns a keeper.
func NewShared(c SharedConfig) *Shared {
	cookie := func(name string) session.Cookie {
		return session.Cookie{Name: name, Domain: c.Domain, Path: "/", Secure: c.Secure, SameSite: c.SameSite}
	}
	return &Shared{
		carried: carried{rows: newRecent(false, c.Now), prover: c.Prover, life: c.Lifetimes, clock: c.Now, log: c.Logger},
		access:  cookie("access_token"), id: cookie("id_token"), refresh: cookie("refresh_token"), oldIssuer: c.OldIssuer,
	}
}

// maxCookie is what browsers keep of one cookie, name and value together (RFC
// 6265bis, section 5.6).
const maxCookie = 4096

// Cannot implements [Keeper].
func (s *Shared) Cannot() []Exception {
	return append([]Exception{{"S-055", "there is no idle timeout, because other services do not say when they last saw the browser"}}, withoutStore...)
}

func (s *Shared) cookies() []session.Cookie { return []session.Cookie{s.access, s.id, s.refresh} }

// Owns implements [Keeper].
func (s *Shared) Owns(name string) bool {
	return slices.ContainsFunc(s.cookies(), func(c session.Cookie) bool { return c.Name == name })
}

func (s *Shared) read(r *http.Request) (tokens cognito.TokenSet, err error) {
	for i, into := range [...]*cognito.Secret{&tokens.AccessToken, &tokens.IDToken, &tokens.RefreshToken} {
		cookie := s.cookies()[i]
		values, err := cookie.Values(r)
		if err != nil {
			return cognito.TokenSet{}, err
		}
		for _, value := range values {
			// A cookie of the same name on another path or domain. Which of the
			// two the siblings mean cannot be known.
			if *into != "" && into.Reveal() != value {
				return cognito.TokenSet{}, fault.AmbiguousCookie
			}
			*into = cognito.Secret(value)
		}
	}
	return tokens, nil
}

// held says what tokens prove.
func (s *Shared) held(ctx context.Context, tokens cognito.TokenSet) (*Held, error) {
	h, err := s.presented(ctx, tokens, prove.Sign{})
	if err != nil {
		return nil, err
	}
	s.complete(h)
	return h, nil
}

func (s *Shared) complete(h *Held) {
	h.Method, h.ask, h.Key, h.loose = prove.BySharedTokens, askAll, keyOf(h), true
	// Cookies do not say when the sign-in was made, and what counts is when the person
	// last proved who they are.
	h.Record.Created, h.Record.Expires = h.Issued, s.clock().Add(s.life.Absolute)
	if !h.AuthTime.IsZero() {
		h.Record.Expires = h.AuthTime.Add(s.life.Absolute)
	}
}

// Find implements [Keeper].
func (s *Shared) Find(r *http.Request) (*Held, error) {
	tokens, err := s.read(r)
	if err != nil {
		return nil, err
	}
	if tokens == (cognito.TokenSet{}) {
		return nil, nil
	}
	if s.oldIssuer != "" && prove.ClaimedIssuer(tokens.IDToken.Reveal()) == s.oldIssuer {
		return nil, ErrSpent
	}
	h, err := s.held(r.Context(), tokens)
	switch {
	case err != nil && fault.IsUnavailable(err):
		return nil, err
	case err != nil:
		// Nobody knows whose the refresh token is: the pool is not asked.
		return nil, s.refuse(r, err)
	case !s.clock().Before(h.Record.Expires):
		s.log.LogAttrs(r.Context(), slog.LevelInfo, "shared sign-in ended", slog.String("sub", h.Subject), slog.String("reason", "its absolute lifetime is over"))
		return nil, ErrEnded
	}
	return s.rows.now(h)
}

// All implements [Keeper]. Which refresh token goes with which ID token cannot be seen
// from them: each is revoked that stands beside one that the pool has signed, be its
// time up or not. Of others nobody knows whether they exist.
func (s *Shared) All(r *http.Request) ([]*Held, error) {
	var all []*Held
	var unknown error
	_, err := s.id.Matching(r, func(value string) bool {
		h, err := s.held(r.Context(), cognito.TokenSet{IDToken: cognito.Secret(value)})
		if err == nil && len(all) < maxPresented {
			all = append(all, h)
		}
		if err != nil && fault.IsUnavailable(err) {
			unknown = err
		}
		return err == nil
	}, maxPresented)
	tokens, refreshErr := s.refresh.Matching(r, nil, maxPresented)
	if err == nil {
		err = refreshErr
	}
	if len(all) == 0 {
		if unknown != nil && len(tokens) > 0 {
			s.log.LogAttrs(r.Context(), slog.LevelWarn, "refresh token not revoked", slog.String("sub", ""), slog.String("reason", unknown.Error()))
		}
		return nil, err
	}
	for i, token := range tokens {
		if i == len(all) {
			all = append(all, &Held{set: new(prove.Set)})
		}
		all[i].set.Refresh = cognito.Secret(token)
	}
	return all, err
}

// Create implements [Keeper].
func (s *Shared) Create(_ context.Context, h *Held) (*Held, error) {
	own := *h
	own.origin = h.claims.OriginID
	s.complete(&own)
	s.rows.begin(own.Key)
	return &own, nil
}

// Hand implements [Keeper].
func (s *Shared) Hand(w http.ResponseWriter, h *Held) error {
	values := [...]cognito.Secret{h.set.Access, h.set.ID, h.set.Refresh}
	for i, cookie := range s.cookies() {
		if size := len(cookie.Name) + len(values[i]); size > maxCookie {
			return fmt.Errorf("%w: %s has %d bytes and browsers keep %d; most of it are %s: leave those out of what the app client may read, or share a session store instead",
				ErrTooLarge, cookie.Name, size, maxCookie, verify.LargestClaims(values[i].Reveal()))
		}
	}
	lifetime := h.Record.Expires.Sub(s.clock())
	for i, cookie := range s.cookies() {
		if values[i] == "" {
			cookie.Clear(w)
			continue
		}
		cookie.Set(w, values[i].Reveal(), lifetime)
	}
	return nil
}

// Forget implements [Keeper]. It takes back also what something planted for this host
// alone.
func (s *Shared) Forget(w http.ResponseWriter) {
	for _, cookie := range s.cookies() {
		cookie.Clear(w)
		cookie.Domain = ""
		cookie.Clear(w)
	}
}
