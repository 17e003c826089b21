package oauth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// minting is what the tokens of one answer have in common.
type minting struct {
	scopes   []string
	nonce    string
	resource string
	authTime time.Time
	family   string // origin_jti
}

// mint makes the access token, and with the scope openid the ID token.
func (e *Endpoints) mint(client state.Client, u state.User, m minting) (tokenAnswer, error) {
	now := e.state.Now()
	if m.family == "" {
		m.family = newUUID()
	}
	event := newUUID()
	common := map[string]any{
		"sub": u.Sub(), "iss": e.Issuer(client.PoolID), "iat": now.Unix(), "auth_time": m.authTime.Unix(),
		"event_id": event, "origin_jti": m.family,
	}
	if len(u.Groups) > 0 {
		common["cognito:groups"] = u.Groups
	}
	access := clone(common)
	access["token_use"], access["client_id"], access["username"] = "access", client.ID, u.Username
	access["scope"], access["version"], access["jti"] = strings.Join(m.scopes, " "), 2, newUUID()
	access["exp"] = now.Add(client.AccessTokenValidity).Unix()
	if m.resource != "" {
		access["aud"] = m.resource
	}
	// A client whose tokens can be neither revoked nor rotated has no use for ids.
	if !client.Revocation && !client.Rotation {
		delete(common, "origin_jti")
		delete(access, "origin_jti")
		delete(access, "jti")
	}
	signed, err := e.state.Sign(client.PoolID, access)
	if err != nil {
		return tokenAnswer{}, err
	}
	answer := tokenAnswer{AccessToken: signed, ExpiresIn: seconds(client.AccessTokenValidity), TokenType: "Bearer"}
	if !slices.Contains(m.scopes, "openid") {
		return answer, nil
	}

	id := clone(common)
	id["token_use"], id["aud"], id["cognito:username"] = "id", client.ID, u.Username
	if id["origin_jti"] != nil {
		id["jti"] = newUUID()
	}
	id["exp"] = now.Add(client.IDTokenValidity).Unix()
	sum := sha256.Sum256([]byte(signed))
	id["at_hash"] = base64.RawURLEncoding.EncodeToString(sum[:16])
	if m.nonce != "" {
		id["nonce"] = m.nonce
	}
	for name, value := range readable(u, m.scopes) {
		if name == "email_verified" || name == "phone_number_verified" {
			id[name] = strings.EqualFold(value, "true") // a boolean here, a string in userInfo
			continue
		}
		id[name] = value
	}
	answer.IDToken, err = e.state.Sign(client.PoolID, id)
	return answer, err
}

// profile is what the scope of that name shows.
var profile = strings.Fields("name family_name given_name middle_name nickname preferred_username profile picture website gender birthdate zoneinfo locale updated_at")

// readable selects a user's attributes by scope: openid alone shows all of them.
func readable(u state.User, scopes []string) map[string]string {
	out := make(map[string]string)
	all := !slices.ContainsFunc(scopes, func(s string) bool { return s == "email" || s == "phone" || s == "profile" })
	for name, value := range u.Attributes {
		show := all || strings.HasPrefix(name, "custom:")
		switch {
		case name == "sub":
			show = false // not an attribute among others
		case name == "email" || name == "email_verified":
			show = all || slices.Contains(scopes, "email")
		case name == "phone_number" || name == "phone_number_verified":
			show = all || slices.Contains(scopes, "phone")
		case slices.Contains(profile, name):
			show = all || slices.Contains(scopes, "profile")
		}
		if show {
			out[name] = value
		}
	}
	return out
}

func clone(m map[string]any) map[string]any {
	c := make(map[string]any, len(m)+12)
	for k, v := range m {
		c[k] = v
	}
	return c
}

func newUUID() string {
	var b [16]byte
	rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// jsonNumber reads an integer claim.
func jsonNumber(raw json.RawMessage) int64 {
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil {
		return 0
	}
	return n
}
