package state

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// StandardAttributes are those that every pool has, in Cognito's order.
var StandardAttributes = []string{
	"sub", "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website",
	"email", "email_verified", "gender", "birthdate", "zoneinfo", "locale", "phone_number", "phone_number_verified", "address", "updated_at",
}

const maxAttribute = 2048

var (
	customPattern = regexp.MustCompile(`^(custom|dev:custom|dev):[\p{L}\p{M}\p{S}\p{N}\p{P}]{1,20}$`)
	phonePattern  = regexp.MustCompile(`^\+[0-9]{5,15}$`)
)

// Who changes attributes: users cannot say that an address is verified.
type author int

const (
	byAdmin author = iota
	byUser
)

// checkAttributes holds attributes to the schema, in which every custom attribute
// is a string and none is missing.
func checkAttributes(attributes map[string]string, by author) error {
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		value := attributes[name]
		switch {
		case name == "sub", by == byUser && (name == "email_verified" || name == "phone_number_verified"):
			return refuse(InvalidParameter, "Cannot modify the non-mutable attribute "+name)
		case !slices.Contains(StandardAttributes, name) && !customPattern.MatchString(name):
			return refuse(InvalidParameter, fmt.Sprintf("Attributes did not conform to the schema: Type for attribute {%s} could not be determined", name))
		case len(value) > maxAttribute:
			return refuse(InvalidParameter, fmt.Sprintf("Attributes did not conform to the schema: %s: String must be no longer than %d characters", name, maxAttribute))
		case value == "":
		case name == "email" && !plausibleEmail(value):
			return refuse(InvalidParameter, "Invalid email address format.")
		case name == "phone_number" && !phonePattern.MatchString(value):
			return refuse(InvalidParameter, "Invalid phone number format.")
		}
	}
	return nil
}

// plausibleEmail: one @ between something and a host, and nothing that is not
// part of an address.
func plausibleEmail(s string) bool {
	local, host, ok := strings.Cut(s, "@")
	return ok && local != "" && strings.Contains(host, ".") && !strings.Contains(host, "@") && len(s) <= 254 &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`,"<>`, r) })
}

// folded are attributes that are kept in lower case where case does not count.
var folded = []string{"email", "preferred_username"}

func (p *Pool) fold(attributes map[string]string) {
	for _, name := range folded {
		if value, ok := attributes[name]; ok && !p.CaseSensitive {
			attributes[name] = strings.ToLower(value)
		}
	}
}

// holder finds another user than u for whom an address stands already, and would
// not if it came to stand for u.
func (p *Pool) holder(u *User, email string, verified bool) *User {
	if email == "" || (!p.EmailAsUsername && !verified) {
		return nil
	}
	for _, other := range p.index.emails[strings.ToLower(email)] {
		if other != u && p.key(other.Attributes["email"]) == p.key(email) && (p.EmailAsUsername || other.verified()) {
			return other
		}
	}
	return nil
}

// UpdateAttributes changes attributes as an administrator does; those with an
// empty value go. An address that changes has to be verified anew, unless the
// change says that it is.
func (s *State) UpdateAttributes(poolID, name string, attributes map[string]string) error {
	return s.change(poolID, name, func(p *Pool, u *User) error {
		_, err := s.setAttributes(p, u, attributes, byAdmin)
		return err
	})
}

// UpdateOwn changes attributes as the user does. It returns the attributes for
// which codes were sent.
func (s *State) UpdateOwn(poolID, name string, attributes map[string]string) (sent map[string]string, err error) {
	err = s.change(poolID, name, func(p *Pool, u *User) (err error) {
		sent, err = s.setAttributes(p, u, attributes, byUser)
		return err
	})
	return sent, err
}

// setAttributes returns the attributes that it sent codes for. The caller holds
// the lock.
func (s *State) setAttributes(p *Pool, u *User, attributes map[string]string, by author) (sent map[string]string, err error) {
	if err := checkAttributes(attributes, by); err != nil {
		return nil, err
	}
	after := maps.Clone(u.Attributes)
	maps.Copy(after, attributes)
	p.fold(after)
	changed := after["email"] != u.Attributes["email"]
	for _, a := range []string{"email", "phone_number"} {
		if _, said := attributes[a+"_verified"]; !said && after[a] != u.Attributes[a] {
			after[a+"_verified"] = "false"
		}
		if after[a] == "" {
			if attributes[a+"_verified"] != "" {
				return nil, refuse(InvalidParameter, fmt.Sprintf("%s is required to verify/un-verify %s", a, a))
			}
			delete(after, a+"_verified")
		}
	}
	maps.DeleteFunc(after, func(_, value string) bool { return value == "" })
	verified := strings.EqualFold(after["email_verified"], "true")
	switch {
	case p.EmailAsUsername && after["email"] == "":
		return nil, refuse(InvalidParameter, "user.email: Attribute cannot be deleted.")
	case p.holder(u, after["email"], verified) != nil:
		return nil, errAlias
	}
	u.Attributes = after
	if changed && after["email"] != "" && !verified {
		s.sendCode(p, u, verifyEmail)
		sent = map[string]string{"email": after["email"]}
	}
	return sent, nil
}

// DeleteAttributes removes attributes. One that the user does not have is no
// error.
func (s *State) DeleteAttributes(poolID, name string, names []string) error {
	gone := make(map[string]string, len(names))
	for _, n := range names {
		if n == "email_verified" || n == "phone_number_verified" {
			return refuse(InvalidParameter, "Cannot modify the non-mutable attribute "+n)
		}
		gone[n] = ""
	}
	return s.UpdateAttributes(poolID, name, gone)
}
