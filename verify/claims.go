package verify

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// Claims are what a verified token says. They are shared by all who verify the
// same token: read them, do not write them.
type Claims struct {
	Issuer   string
	Subject  string
	ClientID string // aud of an ID token, client_id of an access token
	TokenUse string // "id" or "access"
	Username string // cognito:username, or username

	Groups        []string // cognito:groups, without order
	Roles         []string // cognito:roles
	PreferredRole string   // cognito:preferred_role
	Scopes        []string // of an access token

	Email               string
	EmailVerified       bool // true for the JSON true alone, or the string that userInfo uses for it
	PhoneNumber         string
	PhoneNumberVerified bool
	Name                string
	GivenName           string
	FamilyName          string
	Locale              string

	AuthTime  time.Time // zero where the token does not say
	IssuedAt  time.Time
	ExpiresAt time.Time

	ID       string // jti
	OriginID string // origin_jti: the same for all tokens of one sign-in
	EventID  string
	Nonce    string

	// Custom are the attributes that the pool's owner added, with their prefix
	// "custom:". Users can change theirs unless the app client may not write
	// them: never decide a role by one.
	Custom map[string]json.RawMessage

	accessTokenHash string
	audience        []string
	notBefore       time.Time
	authorizedParty string
	members         []member
}

// Raw returns one claim as the JSON that the pool signed.
func (c *Claims) Raw(name string) (json.RawMessage, bool) {
	for _, m := range c.members {
		if m.name == name {
			return slices.Clone(m.raw), true
		}
	}
	return nil, false
}

// All returns every claim as the JSON that the pool signed.
func (c *Claims) All() map[string]json.RawMessage {
	all := make(map[string]json.RawMessage, len(c.members))
	for _, m := range c.members {
		all[m.name] = slices.Clone(m.raw)
	}
	return all
}

// HasGroup reports whether the token names the group, byte for byte.
func (c *Claims) HasGroup(name string) bool { return slices.Contains(c.Groups, name) }

// HasScope reports whether the access token has the scope.
func (c *Claims) HasScope(scope string) bool { return slices.Contains(c.Scopes, scope) }

// Machine reports whether the token is of an app client itself (the grant
// client_credentials) and not of a person.
func (c *Claims) Machine() bool {
	return c.TokenUse == "access" && (c.Subject == c.ClientID || c.Username == "")
}

// registered are the names that are decoded below. A name that only folds to one
// of them is refused: another reader of the token may take it for that one.
var registered = func() map[string]bool {
	names := make(map[string]bool)
	for name := range strings.FieldsSeq(`iss sub aud client_id token_use username cognito:username cognito:groups cognito:roles
		cognito:preferred_role scope email email_verified phone_number phone_number_verified name given_name family_name locale
		auth_time iat exp nbf jti origin_jti event_id nonce at_hash azp`) {
		names[name] = true
	}
	return names
}()

// decodeClaims gives the claims their types. A claim of the wrong type is
// refused, never ignored.
func decodeClaims(members []member) (*Claims, error) {
	c := &Claims{members: members}
	for _, m := range members {
		if !registered[m.name] {
			if registered[folded(m.name)] {
				return nil, fmt.Errorf("%w: a name differs from a registered one in case alone", ErrMalformed)
			}
			if strings.HasPrefix(m.name, "custom:") {
				if c.Custom == nil {
					c.Custom = make(map[string]json.RawMessage)
				}
				c.Custom[m.name] = m.raw
			}
			continue
		}
		if err := c.set(m.name, m.raw); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *Claims) set(name string, raw []byte) (err error) {
	switch name {
	case "iss":
		c.Issuer, err = text(raw)
	case "sub":
		c.Subject, err = text(raw)
	case "aud":
		c.audience, err = textOrTexts(raw)
	case "client_id":
		c.ClientID, err = text(raw)
	case "token_use":
		c.TokenUse, err = text(raw)
	case "username", "cognito:username":
		c.Username, err = text(raw)
	case "cognito:groups":
		c.Groups, err = texts(raw)
	case "cognito:roles":
		c.Roles, err = texts(raw)
	case "cognito:preferred_role":
		c.PreferredRole, err = text(raw)
	case "scope":
		var s string
		s, err = text(raw)
		c.Scopes = strings.Fields(s)
	case "email":
		c.Email, err = text(raw)
	case "email_verified":
		c.EmailVerified, err = truth(raw)
	case "phone_number":
		c.PhoneNumber, err = text(raw)
	case "phone_number_verified":
		c.PhoneNumberVerified, err = truth(raw)
	case "name":
		c.Name, err = text(raw)
	case "given_name":
		c.GivenName, err = text(raw)
	case "family_name":
		c.FamilyName, err = text(raw)
	case "locale":
		c.Locale, err = text(raw)
	case "auth_time":
		c.AuthTime, err = moment(raw)
	case "iat":
		c.IssuedAt, err = moment(raw)
	case "exp":
		c.ExpiresAt, err = moment(raw)
	case "nbf":
		c.notBefore, err = moment(raw)
	case "jti":
		c.ID, err = text(raw)
	case "origin_jti":
		c.OriginID, err = text(raw)
	case "event_id":
		c.EventID, err = text(raw)
	case "nonce":
		c.Nonce, err = text(raw)
	case "at_hash":
		c.accessTokenHash, err = text(raw)
	case "azp":
		c.authorizedParty, err = text(raw)
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, name)
	}
	return nil
}

func text(raw []byte) (string, error) {
	if raw[0] != '"' {
		return "", ErrClaim
	}
	return unquote(raw)
}

func texts(raw []byte) ([]string, error) {
	var items []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &items) != nil {
		return nil, ErrClaim
	}
	list := make([]string, 0, len(items))
	for _, item := range items {
		s, err := text(item)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

func textOrTexts(raw []byte) ([]string, error) {
	if raw[0] == '"' {
		s, err := text(raw)
		return []string{s}, err
	}
	return texts(raw)
}

// truth takes the booleans of tokens and the strings that userInfo and some
// federated attributes have in their place. Anything else is not true.
func truth(raw []byte) (bool, error) {
	switch string(raw) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	s, err := text(raw)
	return err == nil && strings.EqualFold(s, "true"), err
}

// maxMoment is the year 9999: anything later is a mistake of units.
const maxMoment = 253402300799

// moment takes seconds since the epoch as a JSON number.
func moment(raw []byte) (time.Time, error) {
	var seconds float64
	if (raw[0] != '-' && (raw[0] < '0' || raw[0] > '9')) || json.Unmarshal(raw, &seconds) != nil {
		return time.Time{}, ErrClaim
	}
	if math.IsNaN(seconds) || seconds < 0 || seconds > maxMoment {
		return time.Time{}, ErrClaim
	}
	return time.Unix(int64(seconds), 0), nil
}
