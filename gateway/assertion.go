package gateway

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/internal/sign"
)

// Assertions signs who is asking, as a JWT that an upstream verifies with any library
// and the keys at /.well-known/jwks.json under the tenant's prefix. Its audience is the name of the route, so that what one upstream
// is sent is worth nothing at another.
type Assertions struct {
	// Keys sign with EdDSA (RFC 8037), the first one; all are published. To rotate,
	// put a new one in front and take the last away after Lifetime. At least one,
	// where they sign.
	Keys []ed25519.PrivateKey
	// ECKeys are the same for ES256: keys of P-256.
	ECKeys []*ecdsa.PrivateKey
	// RSAKeys are the same for RS256: keys of 2048 bits or more.
	RSAKeys []*rsa.PrivateKey
	// Algorithm is EdDSA, the default, or ES256, which more libraries know, or RS256,
	// which all do. Keys of the others are published too, so that it can be changed.
	Algorithm string
	// Issuer is the claim iss, such as https://app.example.com. Required.
	Issuer string
	// Lifetime of a token. Defaults to 5 minutes, at most an hour. Requests of the
	// same person to the same route are sent the same token for half of it, so that
	// each one that arrives is good for the other half at least.
	Lifetime time.Duration
}

type signer struct {
	Assertions
	keys *sign.Signer
	now  func() time.Time

	mu         sync.Mutex // guards the fields below
	young, old map[string]signedToken
}

// signedToken is kept, by what it says.
type signedToken struct {
	token string
	until time.Time // after which there is another one
}

// maxSigned bounds the tokens that are kept: twice as many, of about a kilobyte.
const maxSigned = 8 << 10

// maxKept bounds one of them, with what it says: of who has more to be told, a token is
// signed each time.
const maxKept = 8 << 10

func newSigner(a Assertions, now func() time.Time) (*signer, error) {
	a.Lifetime = cmp.Or(a.Lifetime, 5*time.Minute)
	s := &signer{Assertions: a, now: now}
	switch {
	case a.Issuer == "":
		return nil, errors.New("the issuer is missing")
	case a.Lifetime < time.Second || a.Lifetime > time.Hour:
		return nil, fmt.Errorf("a lifetime of %v is not between a second and an hour", a.Lifetime)
	}
	var err error
	s.keys, err = sign.New(sign.Keys{Ed25519: a.Keys, EC: a.ECKeys, RSA: a.RSAKeys, Algorithm: a.Algorithm})
	return s, err
}

// claims of an assertion.
type claims struct {
	Issuer        string   `json:"iss"`
	Audience      string   `json:"aud"`
	Subject       string   `json:"sub,omitempty"`     // empty: a machine
	Machine       string   `json:"machine,omitempty"` // its app client
	IssuedAt      int64    `json:"iat"`
	Expires       int64    `json:"exp"`
	PoolIssuer    string   `json:"pool_iss"`
	Username      string   `json:"username,omitempty"`
	Email         string   `json:"email,omitempty"`
	EmailVerified bool     `json:"email_verified"`
	Name          string   `json:"name,omitempty"`
	Groups        []string `json:"groups"`
	Scopes        []string `json:"scopes"`
	UserID        int64    `json:"user_id,omitempty"`
	Actor         *actor   `json:"act,omitempty"`
	Session       string   `json:"sid,omitempty"`
	ACR           string   `json:"acr,omitempty"`
	AMR           []string `json:"amr,omitempty"`
	AuthTime      int64    `json:"auth_time,omitempty"`

	Organization *organization `json:"organization,omitempty"` // that the person acts for
}

type organization struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Role string `json:"role"`
}

// actor is who acts for the person, as RFC 8693 has it.
type actor struct {
	Issuer   string `json:"iss,omitempty"`
	Subject  string `json:"sub,omitempty"`
	ClientID string `json:"client_id,omitempty"`
	Before   *actor `json:"act,omitempty"`
}

// actorOf names the issuer with each actor: an assertion has another one than the token.
func actorOf(a *codegrant.Actor, issuer string) *actor {
	if a == nil {
		return nil
	}
	return &actor{Issuer: cmp.Or(a.Issuer, issuer), Subject: a.Subject, ClientID: a.ClientID, Before: actorOf(a.Before, issuer)}
}

// sign returns a token for an audience, which may be one that was signed before.
func (s *signer) sign(audience string, id *codegrant.Identity) (string, error) {
	now := s.now()
	key := appendSaid(make([]byte, 0, 512), audience, id)
	s.mu.Lock()
	kept, ok := s.young[string(key)]
	if !ok {
		kept = s.old[string(key)]
	}
	s.mu.Unlock()
	if now.Before(kept.until) {
		return kept.token, nil
	}
	token, err := s.signAt(now, audience, id)
	if err != nil {
		return "", err
	}
	if len(key)+len(token) > maxKept {
		return token, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.young == nil || len(s.young) >= maxSigned {
		s.young, s.old = make(map[string]signedToken), s.young
	}
	// A second less: what a token says is in whole ones, rounded down.
	s.young[string(key)] = signedToken{token, now.Add(s.Lifetime/2 - time.Second)}
	return token, nil
}

// appendSaid appends what a token says apart from when, each part behind its length.
func appendSaid(b []byte, audience string, id *codegrant.Identity) []byte {
	add := func(s string) {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	for _, s := range [...]string{audience, id.Subject, id.Issuer, id.Username, id.Email, id.Name, id.SessionID(), id.ACR, machineOf(id)} {
		add(s)
	}
	for _, list := range [...][]string{id.Groups, id.Scopes, id.AMR} {
		b = binary.AppendUvarint(b, uint64(len(list)))
		for _, s := range list {
			add(s)
		}
	}
	for a := id.Actor; a != nil; a = a.Before {
		b = append(b, 1)
		for _, s := range [...]string{a.Issuer, a.Subject, a.ClientID} {
			add(s)
		}
	}
	b = append(b, 0)
	if o := id.Organization; o != nil && !id.Machine {
		for _, s := range [...]string{o.ID, o.Name, o.Role} {
			add(s)
		}
	} else {
		add("")
	}
	b = binary.AppendVarint(b, id.UserID)
	b = binary.AppendVarint(b, secondsOf(id.AuthTime))
	if id.EmailVerified {
		b = append(b, 1)
	}
	return b
}

// secondsOf is a time in seconds since 1970, 0 where it is not known.
func secondsOf(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.Unix()
}

// machineOf is the app client of a service that calls by itself; empty where it is a person.
func machineOf(id *codegrant.Identity) string {
	if !id.Machine {
		return ""
	}
	return cmp.Or(id.ClientID, id.Subject)
}

func (s *signer) signAt(now time.Time, audience string, id *codegrant.Identity) (string, error) {
	subject, machine := id.Subject, machineOf(id)
	if machine != "" {
		subject = ""
	}
	var acting *organization
	if o := id.Organization; o != nil && machine == "" {
		acting = &organization{o.ID, o.Name, o.Role}
	}
	return s.keys.Token("JWT", claims{
		Issuer: s.Issuer, Audience: audience, Subject: subject, Machine: machine, IssuedAt: now.Unix(), Expires: now.Add(s.Lifetime).Unix(),
		PoolIssuer: id.Issuer, Username: id.Username, Email: id.Email, EmailVerified: id.EmailVerified, Name: id.Name,
		Groups: orEmpty(id.Groups), Scopes: orEmpty(id.Scopes), UserID: id.UserID, Session: id.SessionID(), Actor: actorOf(id.Actor, id.Issuer),
		ACR: id.ACR, AMR: id.AMR, AuthTime: secondsOf(id.AuthTime), Organization: acting,
	})
}

// assert adds the assertion to what an upstream is told, where the route has one.
func (g *Gateway) assert(h http.Header, r *route, id *codegrant.Identity) error {
	if !r.Assertion || id == nil {
		return nil
	}
	token, err := g.signer.sign(r.Name, id)
	if err != nil {
		return err
	}
	h[g.headers.Assertion] = []string{token}
	return nil
}

// jwks publishes the keys.
func (g *Gateway) jwks(w http.ResponseWriter, r *http.Request) {
	if g.signer == nil {
		g.refuse(w, r, http.StatusNotFound, nil)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("Cache-Control", "public, max-age=300")
	_, _ = w.Write(g.signer.keys.JWKS())
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
