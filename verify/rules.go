package verify

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

const (
	maxLifetime = 24 * time.Hour // the longest that Cognito can be told that a token shall live
	maxSubject  = 255            // bytes; OpenID Connect Core, section 2
)

// check holds a token to the rules for its use, and settles what the claims mean
// that depend on it (AWS, developer guide, "Verifying JSON web tokens"; OpenID
// Connect Core, section 3.1.3.7).
func (v *Verifier) check(d *decoded, use string, also accepted) error {
	switch {
	case d.TokenUse != use:
		return fmt.Errorf("%w: token_use is not %q", ErrTokenUse, use)
	case d.Issuer != v.issuer:
		return fmt.Errorf("%w: iss is not %q", ErrIssuer, v.issuer)
	}
	if err := checkSubject(d.Subject); err != nil {
		return err
	}
	settle := v.settleAccess
	if use == useID {
		settle = v.settleID
	}
	if err := settle(d); err != nil {
		return err
	}
	d.Actor.settle(v.issuer)
	return v.checkUse(d, also)
}

// accepted is what one caller takes beside what every caller does.
type accepted struct {
	ended bool // a token whose time is up
	actor bool // one by which somebody acts for the person

	resource  string // one that is bound to this
	unbound   bool   // or to nothing
	anyClient bool   // of whatever app client, where it is bound to that
}

// checkUse is made for every use of a token, also of one that is remembered.
func (v *Verifier) checkUse(d *decoded, also accepted) error {
	if err := v.checkClient(d, also); err != nil {
		return err
	}
	if err := v.checkAudience(d, also); err != nil {
		return err
	}
	if d.Actor != nil && !also.actor {
		return ErrActor
	}
	return v.checkTime(d, also.ended)
}

// checkSubject refuses what no pool makes, and what a log or a header could not show.
func checkSubject(sub string) error {
	switch {
	case sub == "" || len(sub) > maxSubject:
		return fmt.Errorf("%w: sub is missing or too long", ErrSubject)
	case strings.ContainsFunc(sub, func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' }):
		return fmt.Errorf("%w: sub has characters that are not printed", ErrSubject)
	}
	return nil
}

// checkClient: an access token is from one app client, in client_id.
func (v *Verifier) checkClient(d *decoded, also accepted) error {
	if d.TokenUse != useAccess || slices.Contains(v.clients, d.clientID) {
		return nil
	}
	if also.anyClient && also.resource != "" && d.clientID != "" && slices.Contains(d.audience, also.resource) {
		return nil
	}
	return fmt.Errorf("%w: client_id is not one of the configured app clients", ErrAudience)
}

// checkAudience: an access token has an audience only where it is bound to a resource
// server, or a trigger added its app client.
func (v *Verifier) checkAudience(d *decoded, also accepted) error {
	if d.TokenUse != useAccess {
		return nil
	}
	bound := also.resource == "" || also.unbound && !slices.ContainsFunc(d.audience, func(aud string) bool { return aud != d.clientID })
	for _, audience := range d.audience {
		this := also.resource != "" && audience == also.resource
		if !this && audience != d.clientID && !slices.Contains(v.resources, audience) {
			return fmt.Errorf("%w: aud is not one of the configured resources", ErrAudience)
		}
		bound = bound || this
	}
	if !bound {
		return fmt.Errorf("%w: aud is not the resource %q", ErrAudience, also.resource)
	}
	return nil
}

// settleID: an ID token is for one app client, in aud.
func (v *Verifier) settleID(d *decoded) error {
	switch {
	case len(d.audience) != 1 || !slices.Contains(v.clients, d.audience[0]):
		return fmt.Errorf("%w: aud is not exactly one of the configured app clients", ErrAudience)
	case d.authorizedParty != "" && d.authorizedParty != d.audience[0]:
		return fmt.Errorf("%w: azp is not aud", ErrAudience)
	}
	d.ClientID, d.Username = d.audience[0], d.cognitoUsername
	return nil
}

func (v *Verifier) settleAccess(d *decoded) error {
	d.ClientID, d.Username, d.Scopes = d.clientID, d.username, d.scopes
	d.Nonce = "" // means something beside an authorization request alone
	return nil
}

// checkTime: times are whole seconds of four digits' years, so that nothing here can
// overflow.
func (v *Verifier) checkTime(d *decoded, ended bool) error {
	now := v.now()
	switch {
	case d.IssuedAt.IsZero() || now.Add(v.leeway).Before(d.IssuedAt):
		return fmt.Errorf("%w: is the clock of this machine right?", ErrIssuedAt)
	case now.Add(v.leeway).Before(d.notBefore):
		return ErrNotYetValid
	case d.ExpiresAt.IsZero() || !ended && !now.Before(d.ExpiresAt.Add(v.leeway)):
		return ErrExpired
	case d.ExpiresAt.Before(d.IssuedAt) || d.ExpiresAt.Sub(d.IssuedAt) > maxLifetime+v.leeway:
		return ErrLifetime
	}
	return nil
}

// check holds an ID token to what one caller expects of it.
func (want IDExpectations) check(d *decoded) error {
	switch {
	case want.Nonce == "":
	case d.Nonce == "" && want.NonceOptional:
	case subtle.ConstantTimeCompare([]byte(d.Nonce), []byte(want.Nonce)) != 1:
		return ErrNonce
	}
	if want.AccessToken != "" && d.accessTokenHash != "" {
		sum := hash(want.AccessToken)
		if d.accessTokenHash != base64.RawURLEncoding.EncodeToString(sum[:sha256.Size/2]) {
			return ErrAccessTokenHash
		}
	}
	return nil
}
