package replica

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fit returns the part of a snapshot that a store takes. It is the one rule for texts of a
// pool, whatever their source. Cognito lets people and administrators write any character
// into an attribute, and a trigger can put anything into a token. A store should still take
// the person.
//
// Control characters, including line breaks, become a space. Several in a row become one
// space, and those at either end are removed. Custom attributes keep their tabs and line
// breaks. Invalid UTF-8 becomes U+FFFD. If this changes an address, the address is not
// verified.
//
// Fit leaves out what is still too long, or too much. The replica then keeps its value, and
// the error, which is [ErrInvalid], names it. Fit also leaves out a group with a name that
// no pool can have, because a cleaned name would be another group. A snapshot without a
// person or a time stays invalid.
func (s Snapshot) Fit() (Snapshot, error) {
	s = s.clean()
	err := s.Validate()
	if err != nil {
		s = s.reduce()
	}
	return s, err
}

// texts are the attributes with a place of their own.
func (s *Snapshot) texts() []*string {
	return []*string{&s.Username, &s.Email, &s.Name, &s.GivenName, &s.FamilyName, &s.PhoneNumber, &s.Locale, &s.Status}
}

func (s Snapshot) clean() Snapshot {
	email, phone := s.Email, s.PhoneNumber
	for _, text := range s.texts() {
		*text = clean(*text, "")
	}
	// Another address than the one that was verified.
	s.EmailVerified = s.EmailVerified && s.Email == email
	s.PhoneNumberVerified = s.PhoneNumberVerified && s.PhoneNumber == phone
	custom := s.Custom
	s.Custom = nil
	for name, value := range custom {
		if s.Custom == nil {
			s.Custom = make(map[string]string, len(custom))
		}
		s.Custom[name] = clean(value, allowedInCustom)
	}
	return s
}

// allowedInCustom are the controls that custom attributes keep.
const allowedInCustom = "\t\r\n"

func clean(text, allowed string) string {
	control := func(r rune) bool { return unicode.IsControl(r) && !strings.ContainsRune(allowed, r) }
	if utf8.ValidString(text) && !strings.ContainsFunc(text, control) {
		return text
	}
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "\uFFFD"), control), " ")
}

// reduce takes out of a snapshot what makes it invalid, until it is not.
func (s Snapshot) reduce() Snapshot {
	s.Complete = false
	valid := func(edit func(*Snapshot)) bool {
		alone := Snapshot{Issuer: s.Issuer, Subject: s.Subject, At: s.At, GroupsKnown: s.GroupsKnown}
		edit(&alone)
		return alone.Validate() == nil
	}
	for i, text := range s.texts() {
		if !valid(func(alone *Snapshot) { *alone.texts()[i] = *text }) {
			*text = ""
		}
	}
	custom := s.Custom
	s.Custom = nil
	for _, name := range slices.Sorted(maps.Keys(custom)) {
		if len(s.Custom) < MaxCustom && valid(func(alone *Snapshot) { alone.Custom = map[string]string{name: custom[name]} }) {
			if s.Custom == nil {
				s.Custom = make(map[string]string)
			}
			s.Custom[name] = custom[name]
		}
	}
	groups := s.Groups
	s.Groups = nil
	for _, g := range groups {
		if len(s.Groups) < MaxGroups && valid(func(alone *Snapshot) { alone.Groups, alone.GroupsKnown = []GroupRef{g}, true }) {
			s.Groups = append(s.Groups, g)
		}
	}
	return s
}
