package account

import (
	"errors"
	"regexp"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/pages"
)

func (p *Pages) showPassword(v *visit, why string) {
	field := func(name string, label text, complete string, hint ...text) pages.Input {
		in := pages.Input{Name: name, Label: v.say(label), Type: "password", Complete: complete, Most: 256, Needed: name != "current"}
		for _, h := range hint {
			in.Hint = v.say(h)
		}
		return in
	}
	p.show(v, yourPassword, why, pages.Section{Message: v.say(passwordNote), Forms: []pages.Form{{
		URL: p.home + "/password", Text: v.say(changePassword), Inputs: []pages.Input{
			field("current", currentPassword, "current-password", emptyIfNone), field("new", newPassword, "new-password"), field("again", samePassword, "new-password"),
		},
	}}})
}

// mayBePassword is what the API takes for one, by its model.
var mayBePassword = regexp.MustCompile(`^\S+.*\S+$`)

func (p *Pages) changePassword(v *visit) {
	if v.form.Get("new") != v.form.Get("again") {
		p.showPassword(v, v.say(notTheSame))
		return
	}
	if !p.may(v, guess) {
		return
	}
	in := map[string]any{"ProposedPassword": cognito.Secret(v.form.Get("new"))}
	if current := v.form.Get("current"); current != "" { // who signs in by a passkey may have none
		in["PreviousPassword"] = cognito.Secret(current)
	}
	if err := p.call(v, "ChangePassword", in, nil); err != nil {
		if why, ok := p.failed(v, err); ok {
			var e *cognito.APIError
			if errors.As(err, &e) && e.Code == "InvalidParameterException" && !mayBePassword.MatchString(v.form.Get("current")) {
				why = v.say(wrongPassword) // of the two fields, it is this one
			}
			p.showPassword(v, why)
		}
		return
	}
	p.changed(v, "password", false)
	p.done(v, "/password", "password")
}
