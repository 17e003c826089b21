package verify

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The values of token_use.
const (
	useID     = "id"
	useAccess = "access"
)

// decoded is what a token's payload says, before anything has been checked.
type decoded struct {
	Claims
	audience        []string
	clientID        string // client_id
	username        string // username
	cognitoUsername string // cognito:username
	scopes          []string
	authorizedParty string
	accessTokenHash string
	notBefore       time.Time
}

// registered are the names that mean something here. A name that only folds to
// one of them is refused: another reader of the token may take it for that one.
var registered = func() map[string]bool {
	names := make(map[string]bool)
	for name := range strings.FieldsSeq(`iss sub aud client_id token_use username cognito:username cognito:groups cognito:roles
		cognito:preferred_role scope auth_time iat exp nbf acr amr act jti origin_jti event_id nonce at_hash azp
		email email_verified phone_number phone_number_verified name given_name family_name preferred_username locale picture
		address identities`) {
		names[name] = true
	}
	return names
}()

// decode gives the claims their types. One of the wrong type is refused, never
// ignored.
func decode(payload string) (*decoded, error) {
	members, err := readClaims(payload)
	if err != nil {
		return nil, err
	}
	d := &decoded{Claims: Claims{document: newDocument(members)}}
	for _, m := range members {
		if !d.set(m.name, m.raw) {
			return nil, fmt.Errorf("%w: %s", ErrClaim, m.name)
		}
	}
	return d, nil
}

// readClaims reads a payload and refuses names that pass for another.
func readClaims(payload string) ([]member, error) {
	members, err := readObject(payload)
	if err != nil {
		return nil, fmt.Errorf("%w: payload: %w", ErrMalformed, err)
	}
	for _, m := range members {
		if name := fold(m.name); name != m.name && registered[name] {
			return nil, fmt.Errorf("%w: payload: a name differs from %s only in case", ErrMalformed, name)
		}
	}
	return members, nil
}

// set takes one claim. What some of them mean depends on the kind of token: see
// rules.go.
func (d *decoded) set(name, raw string) (ok bool) {
	switch name {
	case "iss":
		d.Issuer, ok = asText(raw)
	case "sub":
		d.Subject, ok = asText(raw)
	case "aud":
		d.audience, ok = asTextOrTexts(raw)
	case "client_id":
		d.clientID, ok = asText(raw)
	case "username":
		d.username, ok = asText(raw)
	case "cognito:username":
		d.cognitoUsername, ok = asText(raw)
	case "scope":
		var scope string
		scope, ok = asText(raw)
		d.scopes = strings.Fields(scope)
	case "token_use":
		d.TokenUse, ok = asText(raw)
	case "cognito:groups":
		d.Groups, ok = asTexts(raw)
	case "cognito:roles":
		d.Roles, ok = asTexts(raw)
	case "cognito:preferred_role":
		d.PreferredRole, ok = asText(raw)
	case "auth_time":
		d.AuthTime, ok = asMoment(raw)
	case "iat":
		d.IssuedAt, ok = asMoment(raw)
	case "exp":
		d.ExpiresAt, ok = asMoment(raw)
	case "nbf":
		d.notBefore, ok = asMoment(raw)
	case "acr":
		d.ACR, ok = asText(raw)
	case "amr":
		d.AMR, ok = asTexts(raw)
	case "act":
		d.Actor, ok = asActor(raw, 1)
	case "jti":
		d.ID, ok = asText(raw)
	case "origin_jti":
		d.OriginID, ok = asText(raw)
	case "event_id":
		d.EventID, ok = asText(raw)
	case "nonce":
		d.Nonce, ok = asText(raw)
	case "at_hash":
		d.accessTokenHash, ok = asText(raw)
	case "azp":
		d.authorizedParty, ok = asText(raw)
	default:
		return d.Profile.set(name, raw)
	}
	return ok
}

// set takes one claim, if it is about the person.
func (p *Profile) set(name, raw string) (ok bool) {
	switch name {
	case "email":
		p.Email, ok = asText(raw)
	case "email_verified":
		p.EmailVerified, ok = asTruth(raw)
	case "phone_number":
		p.PhoneNumber, ok = asText(raw)
	case "phone_number_verified":
		p.PhoneNumberVerified, ok = asTruth(raw)
	case "name":
		p.Name, ok = asText(raw)
	case "given_name":
		p.GivenName, ok = asText(raw)
	case "family_name":
		p.FamilyName, ok = asText(raw)
	case "preferred_username":
		p.PreferredUsername, ok = asText(raw)
	case "locale":
		p.Locale, ok = asText(raw)
	case "picture":
		p.Picture, ok = asText(raw)
	case "address":
		p.Address, ok = asAddress(raw)
	case "identities":
		p.Identities, ok = identities(raw)
	default:
		ok = true
	}
	return ok
}

// asAddress takes the object of a token, and the text that the attribute is elsewhere.
func asAddress(raw string) (string, bool) {
	if raw[0] != '{' {
		return asText(raw)
	}
	members, err := readObject(raw)
	if err != nil {
		return "", false
	}
	for _, m := range members {
		if m.name == "formatted" {
			return asText(m.raw)
		}
	}
	return "", true
}

// identities takes the array of an ID token, whose members are strings, and the
// one that userInfo wraps in a string, whose members have types of their own.
func identities(raw string) ([]Identity, bool) {
	if inner, ok := asText(raw); ok {
		raw = strings.TrimSpace(inner)
		if checkValue(raw) != nil {
			return nil, false
		}
	}
	if raw[0] != '[' {
		return nil, false
	}
	var list []Identity
	for element := range elements(raw) {
		members, err := readObject(element)
		if err != nil {
			return nil, false
		}
		var id Identity
		for _, m := range members {
			if !id.set(m.name, m.raw) {
				return nil, false
			}
		}
		list = append(list, id)
	}
	return list, true
}

func (id *Identity) set(name, raw string) (ok bool) {
	if raw == "null" {
		return true
	}
	switch name {
	case "userId":
		id.UserID, ok = asText(raw)
	case "providerName":
		id.ProviderName, ok = asText(raw)
	case "providerType":
		id.ProviderType, ok = asText(raw)
	case "issuer":
		id.Issuer, ok = asText(raw)
	case "primary":
		id.Primary, ok = asTruth(raw)
	case "dateCreated":
		if text, quoted := asText(raw); quoted {
			raw = text
		}
		milliseconds, err := strconv.ParseInt(raw, 10, 64)
		if err != nil || milliseconds < 0 || milliseconds > maxMoment*1000 {
			return false
		}
		id.Created, ok = time.UnixMilli(milliseconds), true
	default:
		ok = true
	}
	return ok
}

func asText(raw string) (string, bool) {
	if raw[0] != '"' {
		return "", false
	}
	return unquote(raw), true
}

func asTexts(raw string) ([]string, bool) {
	if raw[0] != '[' {
		return nil, false
	}
	var list []string
	for element := range elements(raw) {
		text, ok := asText(element)
		if !ok {
			return nil, false
		}
		list = append(list, text)
	}
	return list, true
}

func asTextOrTexts(raw string) ([]string, bool) {
	if text, ok := asText(raw); ok {
		return []string{text}, true
	}
	return asTexts(raw)
}

// truth takes the booleans of tokens, and the strings that userInfo and some
// federated attributes have in their place. Only "true" is true: whatever else somebody
// wrote into the attribute, Cognito does not take it for that.
func asTruth(raw string) (value, ok bool) {
	switch raw {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	text, ok := asText(raw)
	return text == "true", ok
}

// maxMoment is the end of the year 9999. What is later was stated in another unit.
const maxMoment = 253402300799

// moment takes seconds since the epoch as a JSON number (RFC 7519, section 2).
// Fractions are dropped.
func asMoment(raw string) (time.Time, bool) {
	if raw == "" || raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return time.Time{}, false
	}
	seconds, err := strconv.ParseInt(raw, 10, 64)
	if err != nil {
		float, err := strconv.ParseFloat(raw, 64)
		if err != nil || float < 0 || float > maxMoment {
			return time.Time{}, false
		}
		seconds = int64(float)
	}
	if seconds < 0 || seconds > maxMoment {
		return time.Time{}, false
	}
	return time.Unix(seconds, 0), true
}
