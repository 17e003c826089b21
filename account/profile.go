package account

import (
	"strings"

	"github.com/codegrant/codegrant/internal/pages"
)

// profile are the attributes that have no page of their own.
func (p *Pages) profile() []Attribute {
	var own []Attribute
	for _, a := range p.Attributes {
		if _, ok := contacts[a.Name]; !ok {
			own = append(own, a)
		}
	}
	return own
}

// label is what people read of an attribute.
func (v *visit) label(a Attribute) string {
	if a.Label != "" {
		return a.Label
	}
	if t, ok := labels[a.Name]; ok {
		return v.say(t)
	}
	return strings.TrimPrefix(a.Name, "custom:")
}

// fields are how browsers show and fill in an attribute.
var fields = map[string]pages.Input{
	"name": {Complete: "name"}, "given_name": {Complete: "given-name"}, "family_name": {Complete: "family-name"}, "middle_name": {Complete: "additional-name"},
	"nickname": {Complete: "nickname"}, "preferred_username": {Complete: "username"}, "birthdate": {Complete: "bday", Type: "date"}, "gender": {Complete: "sex"},
	"locale": {Complete: "language"}, "website": {Complete: "url", Type: "url"}, "profile": {Type: "url"}, "picture": {Complete: "photo", Type: "url"}, "address": {Complete: "street-address"},
}

func (p *Pages) showProfile(v *visit) {
	if u, ok := p.user(v); ok {
		p.profileForm(v, u.value, "")
	}
}

func (p *Pages) profileForm(v *visit, value func(name string) string, why string) {
	s := pages.Section{}
	form := pages.Form{URL: p.home + "/profile", Text: v.say(toSave)}
	for _, a := range p.profile() {
		if a.ReadOnly {
			s.Items = append(s.Items, pages.Item{Title: v.label(a), Lines: []string{value(a.Name)}})
			continue
		}
		field := fields[a.Name]
		field.Name, field.Label, field.Value, field.Most = a.Name, v.label(a), value(a.Name), 2048
		form.Inputs = append(form.Inputs, field)
	}
	if len(form.Inputs) > 0 {
		s.Forms = []pages.Form{form}
	}
	p.show(v, yourProfile, why, s)
}

// saveProfile sends what is another value than the pool has: the app client may lack the
// right to write what nobody has touched.
func (p *Pages) saveProfile(v *visit) {
	if !p.may(v, change) {
		return
	}
	u, ok := p.user(v)
	if !ok {
		return
	}
	type attribute struct{ Name, Value string }
	var others []attribute
	for _, a := range p.profile() {
		values, given := v.form[a.Name]
		if a.ReadOnly || !given {
			continue
		}
		if value := strings.TrimSpace(values[0]); value != u.value(a.Name) {
			others = append(others, attribute{a.Name, value})
		}
	}
	if len(others) == 0 {
		p.done(v, "/profile", "nothing")
		return
	}
	err := p.call(v, "UpdateUserAttributes", map[string]any{"UserAttributes": others}, nil)
	if err != nil {
		if why, ok := p.failed(v, err); ok {
			p.profileForm(v, func(name string) string {
				if given, ok := v.form[name]; ok {
					return given[0]
				}
				return u.value(name)
			}, why)
		}
		return
	}
	p.changed(v, "profile", true)
	p.done(v, "/profile", "saved")
}
