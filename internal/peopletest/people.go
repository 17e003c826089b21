package peopletest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/codegrant/codegrant/internal/quotas"
)

// Person is what a pool says of somebody.
type Person struct {
	Subject    string
	Username   string
	Attributes map[string]string // email, name, custom: ones and so on
	Groups     []string          // no name twice
}

// Maker makes people. It is not for concurrent use.
type Maker struct {
	random *rand.Rand
	count  int
	groups []string // of the pool: no more than it may have
}

// New returns a maker whose people follow from the seed.
func New(seed uint64) *Maker { return &Maker{random: rand.New(rand.NewPCG(seed, 0))} }

// alphabets are of names: Latin, Greek, Cyrillic, Hebrew, Arabic, Devanagari, Thai, Han,
// Hangul, letters that differ in case or accent alone, symbols, and beyond the basic plane.
var alphabets = []string{
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "äöüßéèêëñçøåÄÖÜÉ", "αβγδεζηθσς", "абвгдеёжзийк", "אבגדהוזחט", "ابتثجحخ",
	"अआइईउऊक", "กขฃคฅฆง", "山田太郎花子組織", "김이박최정", "ıİiIſsKK", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", "𝄞𝒜👩🚀🇧🇪", "e\u0301a\u0308o\u0302",
}

func (m *Maker) text(characters int) string {
	alphabet := []rune(alphabets[m.random.IntN(len(alphabets))])
	var b strings.Builder
	for range characters {
		if m.random.IntN(8) == 0 {
			alphabet = []rune(alphabets[m.random.IntN(len(alphabets))])
		}
		b.WriteRune(alphabet[m.random.IntN(len(alphabet))])
	}
	return b.String()
}

// name is of the pattern that Cognito has for usernames and groups:
// [\p{L}\p{M}\p{S}\p{N}\p{P}]{1,128}.
func (m *Maker) name() string {
	length := 1 + m.random.IntN(20)
	if m.random.IntN(20) == 0 {
		length = quotas.GroupNameCharacters
	}
	return m.text(length)
}

// value is an attribute: of any characters, and sometimes as long as may be.
func (m *Maker) value() string {
	switch m.random.IntN(20) {
	case 0:
		return m.long(quotas.AttributeBytes)
	case 1:
		return m.text(3) + string([]rune("\n\t\r\u0085\x1b\x00\x7f")[m.random.IntN(7)]) + m.text(3)
	case 2:
		return m.text(2) + "\u202e\u2066\u200d " + m.text(2)
	}
	return m.text(1 + m.random.IntN(30))
}

func (m *Maker) username() string {
	switch m.random.IntN(5) {
	case 0:
		return fmt.Sprintf("Google_%021d", m.random.Uint64())
	case 1:
		return fmt.Sprintf("+%d", 10_000_000+m.random.IntN(1<<30))
	case 2:
		return fmt.Sprintf("%d@example.com", m.random.Uint64())
	}
	return m.name()
}

// Next makes a person.
func (m *Maker) Next() Person {
	m.count++
	p := Person{
		Subject:  fmt.Sprintf("%08x-%04x-4000-8000-%012x", m.random.Uint32(), m.count&0xffff, m.random.Uint64()>>16),
		Username: m.username(),
	}
	p.Attributes = map[string]string{
		"email": fmt.Sprintf("%s%d@example.com", []string{"p", "P", "o'neill+", "ü", "😀"}[m.random.IntN(5)], m.count), "email_verified": []string{"true", "false"}[m.random.IntN(2)],
		"phone_number": fmt.Sprintf("+%d", 10_000_000+m.random.Uint32()), "phone_number_verified": []string{"true", "false"}[m.random.IntN(2)],
	}
	m.Change(&p)
	return p
}

// Largest makes a person with as much as a pool allows, apart from roles.
func (m *Maker) Largest() Person {
	p := m.Next()
	p.Username = m.text(quotas.UsernameCharacters)
	for _, name := range strings.Fields("name given_name family_name middle_name nickname profile picture website gender birthdate zoneinfo locale address") {
		p.Attributes[name] = m.long(quotas.AttributeBytes)
	}
	for i := range quotas.CustomAttributes {
		p.Attributes[fmt.Sprintf("custom:%d", i)] = m.long(quotas.AttributeBytes)
	}
	p.Groups = nil
	for i := range quotas.GroupsPerUser {
		p.Groups = append(p.Groups, fmt.Sprintf("%03d", i)+m.text(quotas.GroupNameCharacters-3))
	}
	return p
}

// long is a text of up to so many bytes.
func (m *Maker) long(bytes int) string {
	s := strings.Repeat(m.text(16), bytes/16)
	for len(s) > bytes {
		_, last := utf8.DecodeLastRuneInString(s[:bytes+1])
		s = strings.ToValidUTF8(s[:bytes+1-last], "")
	}
	return s
}

// Change makes another of a person, as between two sign-ins: attributes and groups.
func (m *Maker) Change(p *Person) {
	for _, name := range []string{"name", "given_name", "family_name", "locale", "address"} {
		if delete(p.Attributes, name); m.random.IntN(2) == 0 {
			p.Attributes[name] = m.value()
		}
	}
	for range m.random.IntN(4) {
		p.Attributes[fmt.Sprintf("custom:%d", m.random.IntN(quotas.CustomAttributes))] = m.value()
	}
	groups := m.random.IntN(4)
	switch m.random.IntN(50) {
	case 0:
		groups = quotas.GroupsPerUser
	case 1:
		groups = m.random.IntN(quotas.GroupsPerUser + 1)
	}
	p.Groups = nil
	has := make(map[string]bool)
	for len(p.Groups) < groups {
		name := m.group()
		if len(p.Groups) > 0 && m.random.IntN(6) == 0 {
			name = twin(p.Groups[m.random.IntN(len(p.Groups))])
		}
		if !has[name] && name != "" {
			has[name] = true
			p.Groups = append(p.Groups, name)
		}
	}
}

// group is one of the pool's.
func (m *Maker) group() string {
	if known := len(m.groups); known > quotas.GroupsPerPool/2 || known > 0 && m.random.IntN(3) > 0 {
		return m.groups[m.random.IntN(known)]
	}
	m.groups = append(m.groups, m.name())
	return m.groups[len(m.groups)-1]
}

// twin is another name that looks or sorts like the one, where a collation folds case
// or accents.
func twin(name string) string {
	r := []rune(name)
	if unicode.IsUpper(r[0]) {
		r[0] = unicode.ToLower(r[0])
	} else {
		r[0] = unicode.ToUpper(r[0])
	}
	if string(r) == name && len(r) < quotas.GroupNameCharacters {
		return name + "\u0301"
	}
	return string(r)
}
