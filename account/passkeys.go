package account

import (
	"cmp"
	"net/url"
	"strings"
	"time"

	"github.com/codegrant/codegrant/internal/pages"
)

// passkey is one that the pool has of a person.
type passkey struct {
	CredentialID           string `json:"CredentialId"`
	FriendlyCredentialName string
	CreatedAt              float64 // seconds since 1970
}

// addURL is where managed login adds a passkey: the browser holds them to the pool's domain.
func (p *Pages) addURL(v *visit) string {
	back := cmp.Or(p.PasskeyReturn, p.Auth.Origin()+p.Prefix+"/callback")
	return strings.TrimSuffix(p.Auth.Endpoints().Authorize, "/oauth2/authorize") + "/passkeys/add?" +
		url.Values{"client_id": {v.id.ClientID}, "redirect_uri": {back}}.Encode()
}

func (p *Pages) showPasskeys(v *visit, why string) {
	var out struct {
		Credentials []passkey
		NextToken   string
	}
	s := pages.Section{Message: v.say(passkeysAre)}
	switch err := p.call(v, "ListWebAuthnCredentials", map[string]any{"MaxResults": 20}, &out); {
	case err != nil:
		refused, ok := p.failed(v, err)
		if !ok {
			return
		}
		p.show(v, yourPasskeys, cmp.Or(why, refused), s)
		return
	case len(out.Credentials) == 0:
		s.Items = []pages.Item{{Title: v.say(noPasskeys)}}
	}
	for _, k := range out.Credentials {
		name := cmp.Or(k.FriendlyCredentialName, v.say(aPasskey))
		s.Items = append(s.Items, pages.Item{
			Title: name, Lines: []string{v.say(addedOn, time.Unix(int64(k.CreatedAt), 0))},
			Forms: []pages.Form{{URL: p.home + "/passkeys", Text: v.say(toRemove), For: name, Fields: []pages.Field{{Name: "remove", Value: k.CredentialID}}, Quiet: true}},
		})
	}
	if out.NextToken != "" {
		s.Items = append(s.Items, pages.Item{Title: v.say(noneRemembers)})
	}
	s.Links = []pages.Link{{URL: p.addURL(v), Text: v.say(addPasskey)}}
	p.show(v, yourPasskeys, why, s)
}

func (p *Pages) removePasskey(v *visit) {
	if !p.may(v, change) {
		return
	}
	if err := p.call(v, "DeleteWebAuthnCredential", map[string]any{"CredentialId": v.form.Get("remove")}, nil); err != nil {
		if why, ok := p.failed(v, err); ok {
			p.showPasskeys(v, why)
		}
		return
	}
	p.changed(v, "passkey removed", false)
	p.done(v, "/passkeys", "removed")
}
