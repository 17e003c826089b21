package verify

import (
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// Claims are the claims of a verified token. All callers that verify the same token share
// them while it is cached: do not write to them.
type Claims struct {
	Issuer   string // iss
	Subject  string // sub: with Issuer, the only name of a person that never changes
	ClientID string // aud of an ID token, client_id of an access token
	TokenUse string // "id" or "access"
	Username string // cognito:username of an ID token, username of an access token

	Groups        []string // cognito:groups, in no particular order; nil where there are none
	Roles         []string // cognito:roles, ARNs
	PreferredRole string   // cognito:preferred_role
	Scopes        []string // scope of an access token

	Profile

	AuthTime  time.Time // auth_time: of the sign-in, also after refreshes; zero where the token does not say
	IssuedAt  time.Time // iat
	ExpiresAt time.Time // exp
	ACR       string    // acr: the class of authentication that took place, if stated
	AMR       []string  // amr: its methods, if stated

	// Actor acts for the person with an exchanged token. Nil: the person acts. A token does
	// not show impersonation.
	Actor *Actor // act

	ID       string // jti
	OriginID string // origin_jti: one for all tokens of a sign-in
	EventID  string // event_id
	Nonce    string // nonce of an ID token

	document
}

// Profile is the pool's data about a person. The scopes, and what the app client may read,
// decide how much of it a token has.
type Profile struct {
	Email               string
	EmailVerified       bool // only then is Email the person's own
	PhoneNumber         string
	PhoneNumberVerified bool
	Name                string
	GivenName           string
	FamilyName          string
	PreferredUsername   string // chosen by the person, and changed by them
	Locale              string
	Picture             string // a URL
	Address             string // as one text: "formatted" of the claim (OpenID Connect Core, section 5.1.1)

	// Identities are the accounts at other providers through which the person
	// signs in.
	Identities []Identity

	// Custom has the attributes that the pool's owner defined, by name with the prefix
	// "custom:". Cognito makes them strings, but a trigger can make them anything. People can
	// change their own unless the app client may not write them. So never decide a role by
	// one.
	Custom map[string]json.RawMessage
}

// Identity is a person's account at another provider.
type Identity struct {
	UserID       string // at the provider
	ProviderName string // as the pool calls it
	ProviderType string // such as SAML, OIDC, Google
	Issuer       string // of a SAML provider
	Primary      bool
	Created      time.Time // of the link; zero where it is not stated
}

// HasGroup reports whether the token names the group, byte for byte.
func (c *Claims) HasGroup(name string) bool { return slices.Contains(c.Groups, name) }

// HasScope reports whether an access token has the scope, byte for byte.
func (c *Claims) HasScope(scope string) bool { return slices.Contains(c.Scopes, scope) }

// Machine reports whether the token belongs to an app client (the grant client_credentials)
// and not to a person. It must not become a user.
func (c *Claims) Machine() bool {
	return c.TokenUse == useAccess && (c.Subject == c.ClientID || c.Username == "")
}

// String names the person of the token, without what a log must not contain.
func (c *Claims) String() string {
	return fmt.Sprintf("%s token of %s, client %s", c.TokenUse, c.Subject, c.ClientID)
}

// LogValue is String in parts.
func (c *Claims) LogValue() slog.Value {
	return slog.GroupValue(slog.String("token_use", c.TokenUse), slog.String("sub", c.Subject), slog.String("client_id", c.ClientID))
}

// document is a JSON object as it was signed.
type document struct {
	members   []member
	hasCustom bool // one of them is for Profile.Custom
}

func newDocument(members []member) document {
	return document{members, slices.ContainsFunc(members, isCustom)}
}

// customPrefix begins the names of attributes that the pool's owner defined.
const customPrefix = "custom:"

func isCustom(m member) bool { return strings.HasPrefix(m.name, customPrefix) }

// Raw returns one claim as it was signed.
func (d document) Raw(name string) (json.RawMessage, bool) {
	for _, m := range d.members {
		if m.name == name {
			return json.RawMessage(m.raw), true
		}
	}
	return nil, false
}

// Text returns one claim that is a string, or "".
func (d document) Text(name string) string {
	for _, m := range d.members {
		if m.name == name {
			text, _ := asText(m.raw)
			return text
		}
	}
	return ""
}

// All yields every claim as it was signed, in the order of the token.
func (d document) All() iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		for _, m := range d.members {
			if !yield(m.name, json.RawMessage(m.raw)) {
				return
			}
		}
	}
}

// custom returns the claims that become [Profile.Custom].
func (d document) custom() map[string]json.RawMessage {
	if !d.hasCustom {
		return nil
	}
	custom := make(map[string]json.RawMessage)
	for _, m := range d.members {
		if isCustom(m) {
			custom[m.name] = json.RawMessage(m.raw)
		}
	}
	return custom
}
