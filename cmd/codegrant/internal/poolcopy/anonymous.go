package poolcopy

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Person is somebody of a pool, as a source has them.
type Person struct {
	Username   string
	Attributes map[string]string
	Enabled    bool
	Status     string
	Groups     []string
	Factors    []string // second factors, by the API's names, the preferred one first
}

// nobody is a person of the seed.
type nobody struct {
	Username            string            `json:"username"`
	Status              string            `json:"status,omitempty"`
	Disabled            bool              `json:"disabled,omitempty"`
	Groups              []string          `json:"groups,omitempty"`
	Attributes          map[string]string `json:"attributes,omitempty"`
	Authenticator       string            `json:"authenticator,omitempty"`
	AuthenticatorAlways bool              `json:"authenticator_always,omitempty"`
	Codes               []string          `json:"codes,omitempty"`
}

// Attribute is what a pool's schema says of one.
type Attribute struct {
	Type     string // String, Number, Boolean or DateTime
	Min, Max *int64 // of a number, or of the length of a text
}

// shape is what an anonymizer has to know of a pool.
type shape struct {
	byAddress     bool // usernames are addresses, and the pool makes up others
	schema        map[string]Attribute
	authenticator string // key of every app
}

// statuses are those that a seed takes; of others there is no way in.
var statuses = []string{"UNCONFIRMED", "CONFIRMED", "EXTERNAL_PROVIDER", "RESET_REQUIRED", "FORCE_CHANGE_PASSWORD"}

// standing are what standard attributes become. The last value of each takes the place of
// the first where somebody has just that.
var standing = map[string][2]string{
	"email":              {"person-%d@example.com", "person-%d@mail.example.com"},
	"phone_number":       {"+1555%07d", "+1556%07d"},
	"name":               {"Person %d", "Somebody %d"},
	"given_name":         {"Person", "Somebody"},
	"family_name":        {"Number %d", "No. %d"},
	"middle_name":        {"M%d", "N%d"},
	"nickname":           {"p%d", "n%d"},
	"preferred_username": {"preferred-%d", "chosen-%d"},
	"profile":            {"https://example.com/people/%d", "https://example.com/profiles/%d"},
	"picture":            {"https://example.com/pictures/%d", "https://example.com/photos/%d"},
	"website":            {"https://example.com/sites/%d", "https://example.com/homes/%d"},
	"gender":             {"unknown", "other"},
	"birthdate":          {"2000-01-01", "2001-02-02"},
	"zoneinfo":           {"Etc/UTC", "Etc/GMT"},
	"locale":             {"en", "en-GB"},
	"address":            {"%d Example Street", "%d Example Road"},
	"updated_at":         {"1700000000", "1700000001"},
}

// anonymous is a person with the n-th person's values in place of their own. It keeps
// groups, status, second factors, which attributes they have, and which addresses are
// verified.
func (s shape) anonymous(p Person, n int) nobody {
	made := nobody{Status: p.Status, Disabled: !p.Enabled, Groups: p.Groups, Attributes: make(map[string]string)}
	if p.Status != "" && !slices.Contains(statuses, p.Status) { // a replica may not know it
		made.Status = "RESET_REQUIRED"
	}
	if made.Status == "CONFIRMED" {
		made.Status = "" // the default
	}
	for name, value := range p.Attributes {
		switch {
		case value == "", name == "sub", strings.HasPrefix(name, "cognito:"):
		case name == "email_verified", name == "phone_number_verified":
			made.Attributes[name] = strconv.FormatBool(value == "true")
		case name == "identities":
			made.Attributes[name] = identities(value, n)
		default:
			made.Attributes[name] = s.value(name, value, n)
		}
	}
	made.Username = s.username(p, made.Attributes, n)
	for _, factor := range p.Factors {
		switch factor {
		case "SOFTWARE_TOKEN_MFA":
			made.Authenticator, made.AuthenticatorAlways = s.authenticator, p.Factors[0] == factor
		case "SMS_MFA", "EMAIL_OTP":
			made.Codes = append(made.Codes, factor)
		}
	}
	return made
}

func numbered(format string, n int) string {
	if !strings.Contains(format, "%") {
		return format
	}
	return fmt.Sprintf(format, n)
}

// username is one in the form that the pool gives: an address, or a name of ours behind the
// provider's.
func (s shape) username(p Person, made map[string]string, n int) string {
	name := fmt.Sprintf("person-%d", n)
	if name == p.Username {
		name = fmt.Sprintf("somebody-%d", n)
	}
	if p.Status == "EXTERNAL_PROVIDER" {
		provider := "external"
		if list := identitiesOf(p.Attributes["identities"]); len(list) > 0 {
			provider = strings.ToLower(list[0].Provider)
		}
		return provider + "_" + name
	}
	if s.byAddress {
		for _, address := range []string{"email", "phone_number"} {
			if made[address] != "" {
				return made[address]
			}
		}
		return name + "@example.com" // which the seed needs
	}
	return name
}

// value is what stands for a value of an attribute, and is another.
func (s shape) value(name, real string, n int) string {
	if formats, ok := standing[name]; ok {
		if made := numbered(formats[0], n); made != real {
			return made
		}
		return numbered(formats[1], n)
	}
	a := s.schema[name]
	for try := range 3 {
		if made := a.made(n + try); made != real {
			return made
		}
	}
	return a.made(n) // the schema takes no other
}

// made is a value of the attribute's kind, within its limits.
func (a Attribute) made(n int) string {
	switch a.Type {
	case "Boolean":
		return "true" // whatever it was
	case "DateTime":
		return fmt.Sprintf("2000-01-01T00:%02d:%02dZ", n/60%60, n%60)
	case "Number":
		return strconv.FormatInt(a.number(n), 10)
	}
	text := fmt.Sprintf("value-%d", n)
	if a.Max != nil && int64(len(text)) > *a.Max {
		text = text[int64(len(text))-max(*a.Max, 0):] // the end differs from person to person
	}
	if a.Min != nil && int64(len(text)) < *a.Min {
		text += strings.Repeat("x", int(min(*a.Min, 2048))-len(text))
	}
	return text
}

// number is one within the limits, which can be as far apart as numbers are.
func (a Attribute) number(n int) int64 {
	const room = 1 << 31
	low, high := int64(0), int64(room)
	switch {
	case a.Min != nil && a.Max != nil:
		low, high = *a.Min, *a.Max
	case a.Min != nil:
		low, high = *a.Min, min(*a.Min, math.MaxInt64-room)+room
	case a.Max != nil:
		low, high = min(0, max(*a.Max, math.MinInt64+1000)-1000), *a.Max
	}
	if high <= low {
		return low
	}
	offset := uint64(n)
	if span := uint64(high) - uint64(low); span < math.MaxUint64 {
		offset %= span + 1
	}
	return int64(uint64(low) + offset)
}

// identity is one at a provider, as the attribute identities has it.
type identity struct {
	UserID   string  `json:"userId"`
	Provider string  `json:"providerName"`
	Type     string  `json:"providerType"`
	Issuer   *string `json:"issuer"`
	Primary  anyBool `json:"primary"`
	Created  int64   `json:"dateCreated"`
}

// anyBool is true or false, which some pools write as texts.
type anyBool bool

// UnmarshalJSON implements [json.Unmarshaler].
func (b *anyBool) UnmarshalJSON(text []byte) error {
	*b = strings.Trim(string(text), `"`) == "true"
	return nil
}

func identitiesOf(text string) (list []identity) {
	var all []struct {
		Provider string  `json:"providerName"`
		Type     string  `json:"providerType"`
		Primary  anyBool `json:"primary"`
	}
	_ = json.Unmarshal([]byte(text), &all) // none, where it is not a list
	for _, one := range all {
		list = append(list, identity{Provider: one.Provider, Type: one.Type, Primary: one.Primary})
	}
	return list
}

// identities keeps of a person's identities which providers they are at.
func identities(text string, n int) string {
	list := identitiesOf(text)
	for i := range list {
		list[i].UserID = fmt.Sprintf("person-%d", n)
		if i > 0 {
			list[i].UserID = fmt.Sprintf("person-%d-%d", n, i+1)
		}
	}
	b, err := json.Marshal(list)
	if err != nil || list == nil {
		return "[]"
	}
	return string(b)
}
