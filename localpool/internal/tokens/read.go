package tokens

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// Claims are those of an access token that the pool's own endpoints look at.
type Claims struct {
	Issuer   string         `json:"iss"`
	Use      string         `json:"token_use"`
	Sub      string         `json:"sub"`
	Username string         `json:"username"`
	ClientID string         `json:"client_id"`
	Scope    string         `json:"scope"`
	Family   string         `json:"origin_jti"`
	Expires  int64          `json:"exp"`
	AuthTime int64          `json:"auth_time"`
	Audience any            `json:"aud"` // of an ID token the client
	ACR      string         `json:"acr"`
	AMR      []string       `json:"amr"`
	Actor    map[string]any `json:"act"` // who acts in the person's place
	PoolID   string         `json:"-"`
}

// Has reports whether the token has a scope.
func (c Claims) Has(scope string) bool { return slices.Contains(strings.Fields(c.Scope), scope) }

// Expired reports whether the token is past its time.
func (c Claims) Expired(now time.Time) bool { return now.Unix() >= c.Expires }

// ErrForeign is what Read says of a token that none of the pools signed.
var ErrForeign = errors.New("not an access token of these pools")

// SignedIn is when the person signed in.
func (c Claims) SignedIn() time.Time { return time.Unix(c.AuthTime, 0) }

// Client is the app client that the token was issued to.
func (c Claims) Client() string {
	if audience, ok := c.Audience.(string); ok && c.Use == "id" {
		return audience
	}
	return c.ClientID
}

// Read reads an access token that one of the pools signed. It may have expired, or
// be revoked.
func (m *Maker) Read(token string) (Claims, error) { return m.ReadAs(token, "access") }

// ReadAs reads a token of a use, access or id.
func (m *Maker) ReadAs(token, use string) (Claims, error) {
	var c Claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, ErrForeign
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &c) != nil || c.Use != use {
		return c, ErrForeign
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return c, ErrForeign
	}
	for _, id := range m.state.Pools() {
		if m.Issuer(id) != c.Issuer {
			continue
		}
		key, err := m.state.PublicKey(id, use)
		if err != nil {
			return c, err
		}
		sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
		if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) != nil {
			return c, ErrForeign
		}
		c.PoolID = id
		return c, nil
	}
	return c, ErrForeign
}
