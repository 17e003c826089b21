package account

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"rsc.io/qr"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/pages"
)

const softwareToken = "SOFTWARE_TOKEN_MFA"

// showAuthenticator says whether an app is asked for.
func (p *Pages) showAuthenticator(v *visit, why string) {
	u, ok := p.user(v)
	if !ok {
		return
	}
	on := slices.Contains(u.UserMFASettingList, softwareToken)
	s := pages.Section{Message: v.say(authenticatorIs)}
	state, begin := turnedOff, setUp
	if on {
		state, begin = turnedOn, setUpAnother
	}
	s.Items = []pages.Item{{Title: v.say(yourAuthenticator), Lines: []string{v.say(state)}}}
	s.Forms = []pages.Form{p.appForm(v, "begin", begin, on)}
	if on {
		s.Forms = append(s.Forms, p.appForm(v, "off", turnOff, true))
	}
	p.show(v, yourAuthenticator, why, s)
}

func (p *Pages) appForm(v *visit, do string, button text, quiet bool, inputs ...pages.Input) pages.Form {
	return pages.Form{URL: p.home + "/authenticator", Text: v.say(button), Fields: []pages.Field{{Name: "do", Value: do}}, Inputs: inputs, Quiet: quiet}
}

func (p *Pages) changeAuthenticator(v *visit) {
	switch v.form.Get("do") {
	case "begin":
		p.beginApp(v)
	case "off":
		if !p.may(v, change) {
			return
		}
		if p.prefer(v, false) {
			p.changed(v, "authenticator app turned off", false)
			p.done(v, "/authenticator", "off")
		}
	default:
		p.confirmApp(v)
	}
}

// beginApp shows the key of a new app: in the answer to a form alone, which nothing keeps.
func (p *Pages) beginApp(v *visit) {
	if !p.may(v, guess) {
		return
	}
	var out struct{ SecretCode cognito.Secret }
	if err := p.call(v, "AssociateSoftwareToken", map[string]any{}, &out); err != nil {
		if why, ok := p.failed(v, err); ok {
			p.showAuthenticator(v, why)
		}
		return
	}
	picture, err := p.pictureOf(v, out.SecretCode)
	if err != nil {
		p.failed(v, err)
		return
	}
	p.show(v, yourAuthenticator, "", pages.Section{Message: v.say(scanThis), Picture: picture, Forms: p.confirmForms(v)})
}

func (p *Pages) confirmForms(v *visit) []pages.Form {
	return []pages.Form{
		p.appForm(v, "confirm", turnOn, false,
			pages.Input{Name: "code", Label: v.say(theCode), Complete: "one-time-code", Mode: "numeric", Most: 6, Needed: true},
			pages.Input{Name: "device", Label: v.say(nameOfApp), Hint: v.say(optional), Complete: "off", Value: v.form.Get("device"), Most: 64}),
		p.appForm(v, "begin", beginAgain, true),
	}
}

func (p *Pages) confirmApp(v *visit) {
	if !p.may(v, guess) {
		return
	}
	in := map[string]any{"UserCode": cognito.Secret(strings.ReplaceAll(strings.TrimSpace(v.form.Get("code")), " ", ""))}
	if name := strings.TrimSpace(v.form.Get("device")); name != "" {
		in["FriendlyDeviceName"] = name
	}
	var out struct{ Status string }
	err := p.call(v, "VerifySoftwareToken", in, &out)
	why := ""
	switch {
	case err != nil:
		var ok bool
		if why, ok = p.failed(v, err); !ok {
			return
		}
	case out.Status != "SUCCESS":
		why = v.say(wrongAppCode)
	}
	if why != "" {
		p.show(v, yourAuthenticator, why, pages.Section{Message: v.say(enterItsCode), Forms: p.confirmForms(v)})
		return
	}
	if p.prefer(v, true) {
		p.changed(v, "authenticator app set up", false)
		p.done(v, "/authenticator", "on")
	}
}

// prefer has the pool ask for the app, or not. It has answered where it reports false.
func (p *Pages) prefer(v *visit, on bool) bool {
	err := p.call(v, "SetUserMFAPreference", map[string]any{"SoftwareTokenMfaSettings": map[string]bool{"Enabled": on, "PreferredMfa": on}}, nil)
	if err == nil {
		return true
	}
	if why, ok := p.failed(v, err); ok {
		p.showAuthenticator(v, why)
	}
	return false
}

// pictureOf is the key as authenticator apps take it.
func (p *Pages) pictureOf(v *visit, key cognito.Secret) (pages.Picture, error) {
	q := url.Values{"secret": {key.Reveal()}, "issuer": {p.Name}}
	label := url.PathEscape(p.Name + ":" + cmp.Or(v.id.Email, v.id.Username))
	code, err := qr.Encode("otpauth://totp/"+label+"?"+strings.ReplaceAll(q.Encode(), "+", "%20"), qr.M)
	if err != nil {
		return pages.Picture{}, fmt.Errorf("draw the key: %w", err)
	}
	const quiet = 4
	var path strings.Builder
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	return pages.Picture{Name: v.say(keyAsPicture), Size: code.Size + 2*quiet, Path: path.String(), Text: key.Reveal()}, nil
}
