package keep

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/prove"
	"github.com/codegrant/codegrant/verify"
)

// carried is what the two keepers have in common for which the browser holds the
// state: its rows are in the memory of this process.
type carried struct {
	rows   *recent
	once   once
	prover *prove.Prover
	life   Lifetimes
	clock  func() time.Time
	log    *slog.Logger
}

func (c *carried) Carried() bool { return true }

func (c *carried) Now(_ context.Context, h *Held) (*Held, error)  { return c.rows.now(h) }
func (c *carried) Swap(_ context.Context, h *Held) (*Held, error) { return c.rows.swap(h) }
func (c *carried) End(_ context.Context, h *Held) (*Held, error)  { return c.rows.end(h), nil }

// Refused ends these tokens and not the sign-in: another process may have renewed it,
// and its tokens are on their way to the browser.
func (c *carried) Refused(_ context.Context, h *Held, _ error) (*Held, error) {
	return c.rows.refused(h)
}

// presented says what the tokens of a request prove. of is what is known of the sign-in
// from elsewhere; of.Subject is empty where that is the ID token alone.
func (c *carried) presented(ctx context.Context, tokens cognito.TokenSet, of prove.Sign) (*Held, error) {
	h := &Held{Refreshes: tokens.RefreshToken != "", set: &prove.Set{ID: tokens.IDToken, Access: tokens.AccessToken, Refresh: tokens.RefreshToken}}
	who, claims, err := c.prover.Tokens(ctx, tokens, verify.IDExpectations{})
	switch {
	case err == nil:
		h.Person, h.claims = who, claims
	case fault.IsUnavailable(err):
		return nil, err
	default:
		// They prove nothing any more. Whose they were decides whose a renewal may be.
		h.why = err
		if of.Subject == "" {
			if claims, err = c.prover.Of(ctx, tokens.IDToken); err != nil {
				if fault.IsUnavailable(err) {
					return nil, err
				}
				return nil, h.why
			}
			h.Issued = claims.IssuedAt
		} else if claims, err := c.prover.Of(ctx, tokens.IDToken); err == nil && claims.Subject == of.Subject {
			of.ACR, of.AMR = claims.ACR, claims.AMR
		}
	}
	if of.Subject == "" {
		of = prove.Sign{Subject: claims.Subject, AuthTime: claims.AuthTime, ACR: claims.ACR, AMR: claims.AMR, Nonce: claims.Nonce, Origin: claims.OriginID}
	}
	if h.Subject != "" && h.Subject != of.Subject {
		return nil, fault.SubjectMismatch
	}
	if h.ACR == "" && len(h.AMR) == 0 {
		h.ACR, h.AMR = of.ACR, of.AMR
	}
	h.Issuer = c.prover.Issuer()
	h.Subject, h.AuthTime, h.set.Nonce, h.origin = of.Subject, of.AuthTime, of.Nonce, of.Origin
	return h, nil
}

// keyOf names the sign-in that an ID token is of.
func keyOf(of *Held) Key {
	text := "origin " + of.origin
	if of.origin == "" {
		text = "sub " + of.Subject + " at " + strconv.FormatInt(of.AuthTime.Unix(), 10)
	}
	sum := sha256.Sum256([]byte(text))
	return Key(base64.RawURLEncoding.EncodeToString(sum[:]))
}

// refuse says in the log why cookies prove nothing.
func (c *carried) refuse(r *http.Request, err error) error {
	c.log.LogAttrs(r.Context(), slog.LevelInfo, "shared tokens refused", slog.String("reason", err.Error()))
	return ErrSpent
}
