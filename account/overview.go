package account

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/internal/pages"
)

// overview is the first page: what there is, with links to where it is changed.
func (p *Pages) overview(v *visit) {
	u, ok := p.user(v)
	if !ok {
		return
	}
	link := func(path string, t text, of ...text) []pages.Link {
		l := pages.Link{URL: path, Text: v.say(t)}
		for _, what := range of {
			l.For = v.say(what)
		}
		return []pages.Link{l}
	}
	var sections []pages.Section
	if own := p.profile(); len(own) > 0 {
		s := pages.Section{Title: v.say(yourProfile), Links: link(p.home+"/profile", toChange, yourProfile)}
		for _, a := range own {
			s.Items = append(s.Items, pages.Item{Title: v.label(a), Lines: []string{cmp.Or(u.value(a.Name), v.say(notSet))}})
		}
		sections = append(sections, s)
	}
	for _, a := range p.Attributes {
		c, ok := contacts[a.Name]
		if !ok {
			continue
		}
		s := pages.Section{Items: []pages.Item{v.contact(c, u)}}
		if !a.ReadOnly {
			s.Items[0].Links = link(p.home+c.path, toChange, c.title)
		}
		sections = append(sections, s)
	}
	if p.has("/password") {
		s := pages.Section{Title: v.say(yourPassword)}
		if at := u.elsewhere(); at != "" {
			s.Message = v.say(signsInBy, at)
		} else {
			s.Links = link(p.home+"/password", changePassword)
		}
		sections = append(sections, s)
	}
	if p.has("/authenticator") && u.elsewhere() == "" {
		state := turnedOff
		if slices.Contains(u.UserMFASettingList, softwareToken) {
			state = turnedOn
		}
		sections = append(sections, pages.Section{Title: v.say(yourAuthenticator), Message: v.say(state), Links: link(p.home+"/authenticator", toChange, yourAuthenticator)})
	}
	if p.has("/passkeys") {
		sections = append(sections, pages.Section{Title: v.say(yourPasskeys), Message: v.say(passkeysAre), Links: link(p.home+"/passkeys", toChange, yourPasskeys)})
	}
	if p.has(identitiesPath) {
		sections = append(sections, pages.Section{Title: v.say(yourIdentities), Message: v.say(identitiesAre), Links: link(p.home+identitiesPath, toChange, yourIdentities)})
	}
	sections = append(sections, p.recovery(v, u), pages.Section{
		Title: v.say(yourSessions), Message: v.say(sessionsAre), Links: link(p.Prefix+"/sessions", showSessions),
	})
	if p.has("/delete") {
		sections = append(sections, pages.Section{Links: link(p.home+"/delete", deleteAccount)})
	}
	p.show(v, yourAccount, "", sections...)
}

// recovery says what helps somebody who cannot sign in.
func (p *Pages) recovery(v *visit, u user) pages.Section {
	s := pages.Section{Title: v.say(recovery)}
	if u.elsewhere() == "" {
		var sure []string
		for _, name := range []string{email, phone} {
			if u.value(name+"_verified") == "true" {
				sure = append(sure, u.value(name))
			}
		}
		s.Items = []pages.Item{{Title: v.say(yourPassword), Lines: []string{v.say(recoverByNone)}}}
		if len(sure) > 0 {
			s.Items[0].Lines[0] = v.say(recoverBy, strings.Join(sure, ", "))
		}
	}
	if slices.Contains(u.UserMFASettingList, softwareToken) {
		s.Items = append(s.Items, pages.Item{Title: v.say(yourAuthenticator), Lines: []string{v.say(losePhone)}})
	}
	return s
}

// elsewhere is the identity provider of somebody who has no password at the pool; empty
// for everybody else.
func (u user) elsewhere() string {
	var identities []struct{ ProviderName, UserID string }
	if json.Unmarshal([]byte(u.value("identities")), &identities) != nil {
		return ""
	}
	for _, i := range identities {
		// The pool makes up the name of a user whom a provider has brought. One of its own
		// who is linked to a provider has another name.
		if i.ProviderName != "" && strings.EqualFold(u.Username, i.ProviderName+"_"+i.UserID) {
			return i.ProviderName
		}
	}
	return ""
}
