package replica

import (
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Fit returns what a store takes of a snapshot: the one rule for the texts of a pool,
// whoever read them. Cognito lets people and administrators write any character into
// an attribute, and a trigger put anything into a token; neither is a reason to know
// nothing of a person.
//
// Control characters, line breaks among them, become a space, several in a row become
// one, and those at either end go; custom attributes keep their tabs and line breaks.
// What is not UTF-8 becomes U+FFFD. An address that is another thereby is not verified.
//
// What then is still too long, or too much, is left out and stays in the replica as it
// is; the error, which is [ErrInvalid], names it. So is a group whose name is not one
// that a pool can have: cleaned, it would be another group. Nothing makes a snapshot
// valid that names no person, or no moment.
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
