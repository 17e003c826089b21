package pages

import (
	"net/http"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

// field is one of the sign-up page.
type field struct {
	Name, Label  string
	Type         string // of the input
	Autocomplete string
	Required     bool
	Value        string
	Least, Most  string // of its length or value; empty: any

	attribute string // empty: the name that the person will have
}

// signUpForm is what the page asks for.
type signUpForm struct {
	First  field // by which people sign in
	Fields []field
}

// inputs are how attributes are asked for: the label, the type, and what browsers fill in.
var inputs = map[string]struct{ label, kind, autocomplete string }{
	"name":               {"Name", "text", "name"},
	"given_name":         {"Given name", "text", "given-name"},
	"family_name":        {"Family name", "text", "family-name"},
	"middle_name":        {"Middle name", "text", "additional-name"},
	"nickname":           {"Nickname", "text", "nickname"},
	"preferred_username": {"Preferred username", "text", "username"},
	"profile":            {"Profile page", "url", "url"},
	"picture":            {"Picture", "url", "photo"},
	"website":            {"Website", "url", "url"},
	"email":              {"E-mail address", "email", "email"},
	"gender":             {"Gender", "text", "sex"},
	"birthdate":          {"Date of birth", "date", "bday"},
	"zoneinfo":           {"Time zone", "text", "off"},
	"locale":             {"Language", "text", "language"},
	"phone_number":       {"Phone number", "tel", "tel"},
	"address":            {"Address", "text", "street-address"},
	"updated_at":         {"Time of the last update", "number", "off"},
}

// signUpFields are the fields that a pool asks for, with what a person has entered.
func signUpFields(pool state.Pool, entered func(name string) string) signUpForm {
	rules := pool.Rules()
	first := inputs["email"]
	form := signUpForm{First: field{Name: "username", Label: first.label, Type: first.kind, Autocomplete: first.autocomplete, Required: true, attribute: "email"}}
	if pool.EmailAsUsername && slices.Contains(rules.UsernameAttributes, "phone_number") {
		phone := inputs["phone_number"]
		form.First = field{Name: "username", Label: phone.label, Type: phone.kind, Autocomplete: phone.autocomplete, Required: true, attribute: "phone_number"}
		if slices.Contains(rules.UsernameAttributes, "email") {
			form.First.Label, form.First.Type, form.First.Autocomplete, form.First.attribute = "E-mail address or phone number", "text", "username", ""
		}
	}
	form.First.Value = entered(form.First.Name)
	typed := form.First.attribute
	if typed == "" {
		typed = addressIn(form.First.Value)
	}
	asks := func(a state.SchemaAttribute) bool {
		switch {
		case a.Name == "sub" || strings.HasSuffix(a.Name, "_verified") || a.Name == form.First.attribute:
			return false
		case a.Name == "name" || a.Required:
			return true
		}
		// Without it nobody could be confirmed.
		return len(rules.AutoVerifiedAttributes) == 1 && rules.AutoVerifiedAttributes[0] == a.Name
	}
	for _, a := range rules.SchemaAttributes {
		if !asks(a) {
			continue
		}
		in, ok := inputs[a.Name]
		if !ok {
			in.label, in.kind, in.autocomplete = strings.TrimPrefix(a.Name, "custom:"), "text", "off"
			if a.AttributeDataType == "Number" {
				in.kind = "number"
			}
		}
		f := field{
			Name: "requiredAttributes[" + a.Name + "]", Label: in.label, Type: in.kind, Autocomplete: in.autocomplete,
			Required: a.Name != "name" || a.Required, attribute: a.Name,
		}
		if a.Name == "name" {
			f.Name = "name"
		}
		if a.Name == typed {
			f.Required = false // it was given above
		}
		if c := a.StringAttributeConstraints; c != nil && in.kind != "date" {
			f.Least, f.Most = c.MinLength, c.MaxLength
		}
		if c := a.NumberAttributeConstraints; c != nil {
			f.Least, f.Most = c.MinValue, c.MaxValue
		}
		f.Value = entered(f.Name)
		form.Fields = append(form.Fields, f)
	}
	return form
}

// addressIn is the attribute that a text is one of: of an address or of a phone number.
func addressIn(text string) string {
	if strings.Contains(text, "@") {
		return "email"
	}
	return "phone_number"
}

// attributes are those that a person has entered.
func (f signUpForm) attributes() map[string]string {
	attributes := make(map[string]string)
	for _, one := range f.Fields {
		if one.Value != "" {
			attributes[one.attribute] = one.Value
		}
	}
	first := f.First.attribute
	if first == "" {
		first = addressIn(f.First.Value)
	}
	attributes[first] = f.First.Value
	return attributes
}

func (p *Pages) signUp(w http.ResponseWriter, r *http.Request, v *view) {
	pool, err := p.state.Describe(v.authorization.Client.PoolID)
	if err != nil {
		p.refuse(v, err)
		p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
		return
	}
	form := signUpFields(pool, func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) })
	v.Data = form
	if r.Method == http.MethodGet {
		p.show(w, r, http.StatusOK, "signup.html", "Create an account", v)
		return
	}
	// Where an address is an alias only, people still sign up with it: the
	// username is made of the part before the @.
	username := form.First.Value
	if !pool.EmailAsUsername {
		username, _, _ = strings.Cut(username, "@")
	}
	u, err := p.triggers.SignUp(r.Context(), v.authorization.Client, username, r.PostFormValue("password"), form.attributes(), triggers.Sent{})
	if err != nil {
		p.refuse(v, err)
		p.show(w, r, http.StatusOK, "signup.html", "Create an account", v)
		return
	}
	v.Email = username
	if u.Status == state.Confirmed {
		v.Notice = "Your account is confirmed. Sign in to continue."
		p.show(w, r, http.StatusOK, "login.html", "Sign in", v)
		return
	}
	if sent := u.Confirming(); sent.To != "" {
		v.Notice = "We sent a code to " + sent.To + "."
	}
	p.show(w, r, http.StatusOK, "confirm.html", "Confirm your account", v)
}
