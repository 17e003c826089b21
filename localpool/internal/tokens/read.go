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
	Issuer   string `json:"iss"`
	Use      string `json:"token_use"`
	Sub      string `json:"sub"`
	Username string `json:"username"`
	ClientID string `json:"client_id"`
	Scope    string `json:"scope"`
	Family   string `json:"origin_jti"`
	Expires  int64  `json:"exp"`
	PoolID   string `json:"-"`
}

// Has reports whether the token has a scope.
func (c Claims) Has(scope string) bool { return slices.Contains(strings.Fields(c.Scope), scope) }

// Expired reports whether the token is past its time.
func (c Claims) Expired(now time.Time) bool { return now.Unix() >= c.Expires }

// ErrForeign is what Read says of a token that none of the pools signed.
var ErrForeign = errors.New("not an access token of these pools")

// Read reads an access token that one of the pools signed. It may have expired, or
// be revoked.
func (m *Maker) Read(token string) (Claims, error) {
	var c Claims
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return c, ErrForeign
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(payload, &c) != nil || c.Use != "access" {
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
		key, err := m.state.PublicKey(id, "access")
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
