package keep

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/prove"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/verify"
)

// SealedConfig configures a [Sealed].
type SealedConfig struct {
	Cookie    session.Cookie // of the first part; the others have a number behind its name
	Keys      *session.Keyring
	Binding   string // what a sealed value is bound to
	Prover    *prove.Prover
	Lifetimes Lifetimes
	Now       func() time.Time
	Logger    *slog.Logger
}

// Sealed keeps sign-ins in cookies of ours: one sealed value, split.
type Sealed struct {
	carried
	cookie  session.Cookie
	keys    *session.Keyring
	binding string
}

// NewSealed returns a keeper.
func NewSealed(c SealedConfig) *Sealed {
	return &Sealed{
		carried: carried{rows: newRecent(true, c.Now), prover: c.Prover, life: c.Lifetimes, clock: c.Now, log: c.Logger},
		cookie:  c.Cookie, keys: c.Keys, binding: c.Binding,
	}
}

// Cannot implements [Keeper].
func (s *Sealed) Cannot() []Exception { return withoutStore }

var withoutStore = []Exception{
	{"S-026", "two processes may each take a callback with the same state, and the pool redeems its code once"},
	{"S-062", "no operator can list or end sign-ins"},
	{"S-071", "each process refreshes by itself, so that rotation of refresh tokens needs a grace period"},
	{"S-082", "a copy of the cookies works in other processes until its access token ends"},
	{"S-085", "the sign-ins of a person end by a not-before mark, which other processes know of where they share a cupboard"},
}

// Owns implements [Keeper].
func (s *Sealed) Owns(name string) bool { return IsPart(s.cookie, name) }

// IsPart reports whether the name is that of a session's cookie, or of one of the parts
// that [Sealed] splits it into.
func IsPart(cookie session.Cookie, name string) bool {
	rest, ok := strings.CutPrefix(name, cookie.Name)
	return ok && (rest == "" || (len(rest) == 2 && rest[0] == '-' && rest[1] >= '1' && rest[1] < '0'+maxParts))
}

// held says what one sign-in's cookies prove.
func (s *Sealed) held(ctx context.Context, u unsealed) (*Held, error) {
	h, err := s.presented(ctx, u.tokens, prove.Sign{Subject: u.subject, AuthTime: u.auth, Nonce: u.nonce})
	if err != nil {
		return nil, err
	}
	h.Method, h.ask = prove.BySession, askReplica
	h.Key, h.Record.Created = u.key, u.created
	if u.version != sealedVersion {
		h.Key, h.Record.Created = keyOf(h), h.AuthTime
	} else if h.Issued.IsZero() {
		h.Issued = u.issued
	}
	h.Record.LastSeen, h.Record.Expires = u.seen, s.life.end(h.Record.Created, u.seen)
	return h, nil
}

// Find implements [Keeper].
func (s *Sealed) Find(r *http.Request) (*Held, error) {
	opened, claimed, err := s.open(r)
	if err != nil {
		return nil, err
	}
	if len(opened) == 0 {
		if claimed {
			return nil, ErrSpent
		}
		return nil, nil
	}
	var found *Held
	why := ErrSpent
	for _, u := range opened {
		h, err := s.held(r.Context(), u)
		if err == nil {
			h, err = s.rows.now(h)
		}
		switch {
		case err != nil && fault.IsUnavailable(err):
			return nil, err
		case err != nil:
			if !errors.Is(err, fault.SessionEnded) {
				err = s.refuse(r, err)
			}
			why = err
		case !s.clock().Before(h.Record.Expires):
			s.log.LogAttrs(r.Context(), slog.LevelInfo, "shared sign-in ended", slog.String("sub", h.Subject), slog.String("reason", "its idle or absolute lifetime is over"))
			why = ErrEnded
		case found != nil && found.Subject != h.Subject:
			return nil, fault.AmbiguousCookie
		case found == nil:
			found = h
		}
	}
	if found == nil {
		return nil, why
	}
	return found, nil
}

// All implements [Keeper].
func (s *Sealed) All(r *http.Request) ([]*Held, error) {
	opened, _, err := s.open(r)
	var all []*Held
	for _, u := range opened {
		h, heldErr := s.held(r.Context(), u)
		if heldErr != nil {
			// It cannot be known whose it is; its refresh token is revoked all the same.
			h = &Held{Key: u.key, set: &prove.Set{Refresh: u.tokens.RefreshToken}}
			h.Subject = u.subject
		}
		all = append(all, h)
	}
	return all, err
}

// Create implements [Keeper].
func (s *Sealed) Create(_ context.Context, h *Held) (*Held, error) {
	own := *h
	var key [32]byte
	rand.Read(key[:])
	own.Key = Key(base64.RawURLEncoding.EncodeToString(key[:]))
	own.Method, own.ask = prove.BySession, askReplica
	own.Record.Expires = s.life.end(h.Record.Created, h.Record.LastSeen)
	return &own, nil
}

// Refused implements [Keeper]. The tokens were sealed together: an answer that is of
// another sign-in ends this one.
func (s *Sealed) Refused(ctx context.Context, h *Held, why error) (*Held, error) {
	if of := new(strange); errors.As(why, of) || h.set.Refresh == "" {
		return nil, ErrEnded
	}
	return s.carried.Refused(ctx, h, why)
}

// Hand implements [Keeper].
func (s *Sealed) Hand(w http.ResponseWriter, h *Held) error {
	packed := bytes.NewBuffer([]byte{sealedVersion})
	var head, tokens encoder
	head.str(string(h.Key))
	for _, at := range [...]time.Time{h.Record.Created, h.Record.LastSeen, h.Issued, h.AuthTime} {
		head.varint(at.Unix())
	}
	head.str(h.Subject)
	head.str(h.set.Nonce)
	packed.Write(head)
	tokens.str(h.set.Access.Reveal())
	tokens.str(h.set.ID.Reveal())
	tokens.str(h.set.Refresh.Reveal())
	// Tokens are base64 of text: a fourth of them is air.
	deflate := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(deflate)
	deflate.Reset(packed)
	_, err := deflate.Write(tokens)
	if err == nil {
		err = deflate.Close()
	}
	if err != nil {
		return err
	}
	value := s.keys.Seal(sealedPurpose, packed.Bytes(), []byte(s.binding))
	if len(value) > maxParts*partSize {
		return fmt.Errorf("%w: the session has %d bytes and cookies hold %d; most of it are %s: leave those out of what the app client may read, or keep sessions in a store",
			ErrTooLarge, len(value), maxParts*partSize, verify.LargestClaims(h.set.ID.Reveal()))
	}
	lifetime := h.Record.Created.Add(s.life.Absolute).Sub(s.clock())
	for i := range maxParts {
		size := min(len(value), partSize)
		if size == 0 {
			s.part(i).Clear(w) // of a larger session before
			continue
		}
		s.part(i).Set(w, value[:size], lifetime)
		value = value[size:]
	}
	return nil
}

// Forget implements [Keeper].
func (s *Sealed) Forget(w http.ResponseWriter) {
	for i := range maxParts {
		s.part(i).Clear(w)
	}
}
