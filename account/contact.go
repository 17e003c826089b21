package account

import (
	"net/mail"
	"regexp"
	"strings"

	"github.com/codegrant/codegrant/internal/pages"
)

// contact is an attribute that somebody is reached at, and has to show to be theirs.
type contact struct {
	name      string // of the attribute
	path      string
	title     text
	field     pages.Input
	label     text
	hint      text
	plain     func(string) (string, bool)
	notOfForm text
}

var contacts = map[string]contact{
	email: {
		name: email, path: "/email", title: yourEmail, label: newAddress, notOfForm: noAddress, plain: plainAddress,
		field: pages.Input{Name: "to", Type: "email", Complete: "email", Most: 254, Needed: true},
	},
	phone: {
		name: phone, path: "/phone", title: yourPhone, label: newNumber, hint: phoneForm, notOfForm: noNumber, plain: plainNumber,
		field: pages.Input{Name: "to", Type: "tel", Complete: "tel", Most: 32, Needed: true},
	},
}

// plainAddress is an address without a name before it.
func plainAddress(s string) (string, bool) {
	s = strings.TrimSpace(s)
	a, err := mail.ParseAddress(s)
	return s, err == nil && a.Address == s && len(s) <= 254
}

var number = regexp.MustCompile(`^\+[0-9]{6,15}$`)

// plainNumber takes out what people write between digits (E.164 has none of it).
func plainNumber(s string) (string, bool) {
	s = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "", "/", "", ".", "", "\u00a0", "").Replace(s)
	return s, number.MatchString(s)
}

// contact says what the pool has, and whether it is known to be the person's.
func (v *visit) contact(c contact, u user) pages.Item {
	item := pages.Item{Title: v.say(c.title), Lines: []string{v.say(notSet)}}
	if value := u.value(c.name); value != "" {
		item.Lines[0] = value
		if u.value(c.name+"_verified") == "true" {
			item.Tag = v.say(isConfirmed)
		} else {
			item.Lines = append(item.Lines, v.say(notConfirmed))
		}
	}
	return item
}

func (p *Pages) showContact(v *visit, c contact, why string) {
	u, ok := p.user(v)
	if !ok {
		return
	}
	field := c.field
	field.Label = v.say(c.label)
	if c.hint != "" {
		field.Hint = v.say(c.hint)
	}
	if v.form.Get("do") == "change" {
		field.Value = v.form.Get("to")
	}
	here := p.home + c.path
	do := func(what string) []pages.Field { return []pages.Field{{Name: "do", Value: what}} }
	first := pages.Section{Items: []pages.Item{v.contact(c, u)}, Forms: []pages.Form{{URL: here, Text: v.say(toChange), Fields: do("change"), Inputs: []pages.Input{field}}}}
	code := pages.Section{Title: v.say(haveCode), Message: v.say(codeComes), Forms: []pages.Form{
		{URL: here, Text: v.say(toConfirm), Fields: do("confirm"), Inputs: []pages.Input{
			{Name: "code", Label: v.say(theCode), Complete: "one-time-code", Mode: "numeric", Most: 64, Needed: true},
		}},
		{URL: here, Text: v.say(sendAgain), Fields: do("again"), Quiet: true},
	}}
	if outcome := v.r.URL.Query().Get("done"); v.form.Get("do") == "confirm" || outcome == "sent" {
		first, code = code, first // what is to be done next comes first
	}
	p.show(v, c.title, why, first, code)
}

func (p *Pages) changeContact(v *visit, c contact) {
	var outcome string
	var err error
	switch v.form.Get("do") {
	case "change":
		to, ok := c.plain(v.form.Get("to"))
		if !ok {
			p.showContact(v, c, v.say(c.notOfForm))
			return
		}
		if !p.may(v, message) {
			return
		}
		err = p.call(v, "UpdateUserAttributes", map[string]any{"UserAttributes": []map[string]string{{"Name": c.name, "Value": to}}}, nil)
		outcome = "sent"
	case "again":
		if !p.may(v, message) {
			return
		}
		err = p.call(v, "GetUserAttributeVerificationCode", map[string]any{"AttributeName": c.name}, nil)
		outcome = "sent"
	default:
		if !p.may(v, guess) {
			return
		}
		err = p.call(v, "VerifyUserAttribute", map[string]any{"AttributeName": c.name, "Code": strings.TrimSpace(v.form.Get("code"))}, nil)
		outcome = "confirmed"
	}
	if err != nil {
		if why, ok := p.failed(v, err); ok {
			p.showContact(v, c, why)
		}
		return
	}
	if v.form.Get("do") != "again" {
		p.changed(v, c.name+" "+v.form.Get("do"), true)
	}
	p.done(v, c.path, outcome)
}
