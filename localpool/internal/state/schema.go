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

// author says who changes attributes: users cannot mark an address as verified.
type author int

const (
	byAdmin author = iota
	byUser
)

var errUnauthorizedWrite = refuse(NotAuthorized, "A client attempted to write unauthorized attribute")

// checkAttributes holds attributes to the schema. has are those that the user has; nil: a
// new user.
func (p *Pool) checkAttributes(attributes, has map[string]string, by author) error {
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		value := attributes[name]
		a, known := p.attribute(name)
		switch {
		case name == "sub", by == byUser && (name == "email_verified" || name == "phone_number_verified"):
			return refuse(InvalidParameter, "Cannot modify the non-mutable attribute "+name)
		case !known && has == nil:
			return refuse(InvalidParameter, fmt.Sprintf("Attributes did not conform to the schema: Type for attribute {%s} could not be determined", name))
		case !known:
			return refuse(InvalidParameter, fmt.Sprintf("user.%s: Attribute does not exist in the schema.", name))
		case a.DeveloperOnlyAttribute && by == byUser:
			return errUnauthorizedWrite
		case has != nil && !a.Mutable && has[name] != "" && has[name] != value:
			return refuse(InvalidParameter, fmt.Sprintf("user.%s: Attribute cannot be updated.", name))
		case value == "":
		case name == "email" && !plausibleEmail(value):
			return refuse(InvalidParameter, "Invalid email address format.")
		case name == "phone_number" && !phonePattern.MatchString(value):
			return refuse(InvalidParameter, "Invalid phone number format.")
		default:
			if what := a.conforms(value); what != "" {
				return refuse(InvalidParameter, fmt.Sprintf("Attributes did not conform to the schema: %s: %s", name, what))
			}
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

// aliases are the attributes that stand for a username.
func (p *Pool) aliases() []string {
	if p.EmailAsUsername {
		return p.rules.UsernameAttributes
	}
	return p.rules.AliasAttributes
}

// stands reports whether an attribute, with the others of a user, stands for the
// username: an address that is an alias does so once it is verified.
func (p *Pool) stands(attributes map[string]string, name string) bool {
	return attributes[name] != "" && slices.Contains(p.aliases(), name) &&
		(p.EmailAsUsername || name == "preferred_username" || isVerified(attributes, name))
}

// isVerified: the value may be in any case, as administrators write it.
func isVerified(attributes map[string]string, name string) bool {
	return strings.EqualFold(attributes[name+"_verified"], "true")
}

// holder finds another user than u for whom an attribute stands that would stand for u.
func (p *Pool) holder(u *User, attributes map[string]string) (*User, string) {
	for _, name := range p.aliases() {
		if !p.stands(attributes, name) {
			continue
		}
		for _, other := range p.index.addresses[name][strings.ToLower(attributes[name])] {
			if other != u && p.key(other.Attributes[name]) == p.key(attributes[name]) && p.stands(other.Attributes, name) {
				return other, name
			}
		}
	}
	return nil, ""
}

// taken is the refusal of an attribute that stands for somebody else.
func taken(name string) error {
	return refuse(AliasExists, "An account with the "+name+" already exists.")
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

// UpdateOwn changes attributes as the user does, by an app client. It returns the
// attributes for which codes were sent.
func (s *State) UpdateOwn(poolID, name string, c Client, attributes map[string]string) (sent map[string]string, err error) {
	if !c.Writes(attributes) {
		return nil, errUnauthorizedWrite
	}
	err = s.change(poolID, name, func(p *Pool, u *User) (err error) {
		sent, err = s.setAttributes(p, u, attributes, byUser)
		return err
	})
	return sent, err
}

var addresses = []string{"email", "phone_number"}

// setAttributes returns the attributes that it sent codes for. The caller holds
// the lock.
func (s *State) setAttributes(p *Pool, u *User, attributes map[string]string, by author) (sent map[string]string, err error) {
	if err := p.checkAttributes(attributes, u.Attributes, by); err != nil {
		return nil, err
	}
	after := maps.Clone(u.Attributes)
	maps.Copy(after, attributes)
	p.fold(after)
	changed := make(map[string]string) // addresses, to what
	for _, a := range addresses {
		if _, said := attributes[a+"_verified"]; !said && after[a] != u.Attributes[a] {
			after[a+"_verified"] = "false"
			changed[a] = after[a]
		}
		if after[a] == "" {
			if attributes[a+"_verified"] != "" {
				return nil, refuse(InvalidParameter, fmt.Sprintf("%s is required to verify/un-verify %s", a, a))
			}
			delete(after, a+"_verified")
			delete(changed, a)
		}
	}
	maps.DeleteFunc(after, func(_, value string) bool { return value == "" })
	for name := range attributes {
		if a, _ := p.attribute(name); a.Required && after[name] == "" || p.EmailAsUsername && after[name] == "" && p.stands(u.Attributes, name) && !p.standsElse(after) {
			return nil, refuse(InvalidParameter, fmt.Sprintf("user.%s: Attribute cannot be deleted.", name))
		}
	}
	if other, name := p.holder(u, after); other != nil {
		return nil, taken(name)
	}
	// An address that must be verified before it changes stays as it is until then.
	later := p.rules.UserAttributeUpdateSettings.AttributesRequireVerificationBeforeUpdate
	for _, name := range addresses {
		if _, ok := changed[name]; !ok || !slices.Contains(later, name) || u.Attributes[name] == "" {
			continue
		}
		before := u.Attributes
		after[name] = before[name]
		if after[name+"_verified"] = before[name+"_verified"]; before[name+"_verified"] == "" {
			delete(after, name+"_verified")
		}
	}
	u.Attributes = after
	for name, value := range changed {
		delete(u.Pending, verifications[name]) // it is of another address
		if value == "" || !slices.Contains(p.rules.AutoVerifiedAttributes, name) {
			continue
		}
		s.sendCodeTo(p, u, verifications[name], forUpdate, name, value)
		if sent == nil {
			sent = make(map[string]string)
		}
		sent[name] = value
	}
	return sent, nil
}

// standsElse reports whether any attribute stands for the username.
func (p *Pool) standsElse(attributes map[string]string) bool {
	return slices.ContainsFunc(p.aliases(), func(name string) bool { return p.stands(attributes, name) })
}

// DeleteAttributes removes attributes. One that the user does not have is no
// error.
func (s *State) DeleteAttributes(poolID, name string, names []string) error {
	gone, err := without(names)
	if err != nil {
		return err
	}
	if err := s.known(poolID, name, names); err != nil {
		return err
	}
	return s.UpdateAttributes(poolID, name, gone)
}

// known refuses attributes to delete that the schema does not have.
func (s *State) known(poolID, username string, names []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return err
	}
	if p.user(username) == nil {
		return errNoUser
	}
	var unknown strings.Builder
	for _, name := range names {
		if _, ok := p.attribute(name); !ok {
			fmt.Fprintf(&unknown, "user.%s: Attribute does not exist in the schema.\n", name)
		}
	}
	if unknown.Len() > 0 {
		return refuse(InvalidParameter, "Invalid user attributes: "+unknown.String())
	}
	return nil
}

// DeleteOwn removes attributes as the user does, by an app client.
func (s *State) DeleteOwn(poolID, name string, c Client, names []string) error {
	gone, err := without(names)
	if err != nil {
		return err
	}
	_, err = s.UpdateOwn(poolID, name, c, gone)
	return err
}

func without(names []string) (map[string]string, error) {
	gone := make(map[string]string, len(names))
	for _, n := range names {
		if n == "email_verified" || n == "phone_number_verified" {
			return nil, refuse(InvalidParameter, "Cannot modify the non-mutable attribute "+n)
		}
		gone[n] = ""
	}
	return gone, nil
}

// Writes reports whether the client may write attributes.
func (c Client) Writes(attributes map[string]string) bool {
	for name := range attributes {
		if c.WriteAttributes != nil && !slices.Contains(c.WriteAttributes, name) {
			return false
		}
	}
	return true
}

// Reads reports whether the client may read an attribute.
func (c Client) Reads(name string) bool {
	return c.ReadAttributes == nil || name == "sub" || name == "identities" || slices.Contains(c.ReadAttributes, name)
}

// Seen is the user with what an app client may read of them.
func (c Client) Seen(u User) User {
	if c.ReadAttributes == nil {
		return u
	}
	u.Attributes = maps.Clone(u.Attributes)
	maps.DeleteFunc(u.Attributes, func(name, _ string) bool { return !c.Reads(name) })
	return u
}
