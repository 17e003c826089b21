package rehearsal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// Shape is what a person is like, without who they are. Texts are stand-ins of the same
// length, and equal where the real ones are.
type Shape struct {
	Who        string            `json:"who"` // stands for the sub
	Username   string            `json:"username"`
	Attributes map[string]string `json:"attributes"`
	Status     string            `json:"status"`
	Disabled   bool              `json:"disabled,omitempty"`
	Groups     []string          `json:"groups,omitempty"` // by their real names
	Factors    []string          `json:"factors,omitempty"`
	Accounts   []Account         `json:"accounts,omitempty"` // at identity providers
}

// Account is one at an identity provider.
type Account struct {
	Provider string `json:"provider"`
	ID       string `json:"id"`
}

// External reports whether the person has no account of the pool's own.
func (s Shape) External() bool { return s.Status == string(types.UserStatusTypeExternalProvider) }

// verified is an address or number that the pool has verified, or "".
func (s Shape) verified(name string) string {
	if strings.EqualFold(s.Attributes[name+"_verified"], "true") {
		return s.Attributes[name]
	}
	return ""
}

// Masks make stand-ins. The same key makes the same ones, so that a run goes on where one
// was cut off.
type Masks struct{ key []byte }

// NewMasks returns them. Whoever has the key can find out whether a stand-in is of somebody
// whom they know, and nothing else.
func NewMasks(key []byte) Masks { return Masks{key: slices.Clone(key)} }

var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func (m Masks) sum(kind, value string) []byte {
	h := hmac.New(sha256.New, m.key)
	h.Write([]byte("codegrant rehearsal 1\x00" + kind + "\x00" + value))
	return h.Sum(nil)
}

// name stands for a name: two that differ in capital letters alone do so here.
func (m Masks) name(kind, value string) string {
	small := strings.ToLower(value)
	out := []byte("x" + letters.EncodeToString(m.sum(kind, small))[:15])
	if value == small {
		return string(out)
	}
	for i, b := range m.sum(kind+" capitals", value)[:len(out)] {
		if i == 0 || b&1 == 1 { // one at least
			out[i] = byte(unicode.ToUpper(rune(out[i])))
		}
	}
	return string(out)
}

func (m Masks) email(value string) string { return m.name("email", value) + "@rehearsal.example" }

// digits stand for a number of so many.
func (m Masks) digits(value string) string {
	out := []byte(strings.Repeat("1", min(len(value), 18)))
	for i, b := range m.sum("digits", value) {
		if at := len(out) - 1 - i; at > 0 {
			out[at] = '0' + b%10
		}
	}
	return string(out)
}

// text stands for a text: as many characters, and of as many bytes each.
func (m Masks) text(name, value string) string {
	random := letters.EncodeToString(m.sum(name, value))
	var out strings.Builder
	for i, r := range []rune(value) {
		if r < utf8.RuneSelf {
			out.WriteByte(random[i%len(random)])
		} else {
			out.WriteRune(another(r, int(random[i%len(random)])))
		}
	}
	return out.String()
}

// another is a letter of the same script and of as many bytes, and never the same one.
func another(r rune, chance int) rune {
	size := utf8.RuneLen(r)
	var some []rune
	for _, script := range unicode.Scripts {
		if !unicode.Is(script, r) {
			continue
		}
		take := func(from, to, stride rune) {
			for c := from; c <= to && len(some) < 16; c += stride {
				if c != r && utf8.RuneLen(c) == size && unicode.IsLetter(c) {
					some = append(some, c)
				}
			}
		}
		for _, x := range script.R16 {
			take(rune(x.Lo), rune(x.Hi), rune(x.Stride))
		}
		for _, x := range script.R32 {
			take(rune(x.Lo), rune(x.Hi), rune(x.Stride)) // #nosec G115 -- a rune
		}
	}
	if len(some) > 0 {
		return some[chance%len(some)]
	}
	for _, c := range "éèあい😀😁" { // of no script
		if c != r && utf8.RuneLen(c) == size {
			return c
		}
	}
	return '?'
}

// kept are attributes that say nothing of who somebody is, and whose values matter.
var kept = []string{"email_verified", "phone_number_verified"}

// attribute stands for the value of an attribute of that type of data.
func (m Masks) attribute(name, kind, value string) string {
	switch {
	case slices.Contains(kept, name) || kind == string(types.AttributeDataTypeBoolean):
		is, err := strconv.ParseBool(strings.ToLower(value))
		return strconv.FormatBool(err == nil && is)
	case name == "email":
		return m.email(value)
	case name == "phone_number":
		return fmt.Sprintf("+1%012d", binary.BigEndian.Uint64(m.sum(name, value))%1e12)
	case name == "preferred_username":
		return m.name(name, value)
	case name == "birthdate":
		return "1970-01-01"
	case kind == string(types.AttributeDataTypeDatetime):
		return "0"
	case kind == string(types.AttributeDataTypeNumber) || name == "updated_at":
		return m.digits(value)
	}
	return m.text(name, value)
}

// person is what is read of somebody.
type person struct {
	sub, username, status string
	enabled               bool
	attributes            map[string]string
	groups, factors       []string
}

// shape makes a person nobody. kinds are types of data by attribute.
func (m Masks) shape(p person, kinds map[string]string) Shape {
	s := Shape{Who: m.Who(p.sub), Status: p.status, Disabled: !p.enabled, Groups: p.groups, Factors: p.factors, Attributes: make(map[string]string)}
	for name, value := range p.attributes {
		switch {
		case name == "identities":
			s.Accounts = m.accounts(value)
		case name == "sub" || value == "" || strings.HasPrefix(name, "cognito:"):
		default:
			s.Attributes[name] = m.attribute(name, kinds[name], value)
		}
	}
	if s.Username = m.name("username", p.username); s.External() && len(s.Accounts) > 0 {
		s.Username = s.Accounts[0].Provider + "_" + s.Accounts[0].ID
	}
	return s
}

// Who returns the stand-in for a sub.
func (m Masks) Who(sub string) string { return letters.EncodeToString(m.sum("sub", sub))[:26] }

func (m Masks) accounts(identities string) (all []Account) {
	var list []struct{ ProviderName, UserID string }
	if json.Unmarshal([]byte(identities), &list) != nil {
		return nil
	}
	for _, a := range list {
		all = append(all, Account{a.ProviderName, m.name("account", a.UserID)})
	}
	return all
}
