package state

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Settings are the members that a pool, or an app client, was given by the JSON API, as
// they were written, with what AWS has where nothing was given. They are replaced, never
// changed.
type Settings map[string]json.RawMessage

// Rules are those settings of a pool that something follows from here.
type Rules struct {
	Policies struct {
		PasswordPolicy PasswordPolicy
		SignInPolicy   struct{ AllowedFirstAuthFactors []string }
	}
	DeletionProtection          string
	LambdaConfig                LambdaConfig
	MfaConfiguration            string
	AutoVerifiedAttributes      []string
	AliasAttributes             []string
	UsernameAttributes          []string
	UserAttributeUpdateSettings struct{ AttributesRequireVerificationBeforeUpdate []string }
	DeviceConfiguration         *struct {
		ChallengeRequiredOnNewDevice, DeviceOnlyRememberedOnUserPrompt bool
	}
	AdminCreateUserConfig  struct{ AllowAdminCreateUserOnly bool }
	UsernameConfiguration  *struct{ CaseSensitive bool }
	AccountRecoverySetting struct{ RecoveryMechanisms []recoveryMechanism }
	UserPoolTier           string
	UserPoolAddOns         struct{ AdvancedSecurityMode string }
	SchemaAttributes       []SchemaAttribute
	KeyConfiguration       struct{ KeyType string }

	IssuerConfiguration struct{ Type string }
	AcrConfiguration    map[string]struct{ AcrValue string }
	DcrConfiguration    *Registration

	messages messages

	// Of SetUserPoolMfaConfig.
	SmsConfiguration              json.RawMessage
	SoftwareTokenMfaConfiguration struct{ Enabled bool }
	SmsMfaConfiguration           json.RawMessage
	EmailMfaConfiguration         json.RawMessage
	WebAuthnConfiguration         *WebAuthnConfiguration
}

type recoveryMechanism struct {
	Priority int
	Name     string
}

// WebAuthnConfiguration is what passkeys a pool takes.
type WebAuthnConfiguration struct {
	RelyingPartyId      string
	UserVerification    string
	FactorConfiguration string
}

// Texts is a setting that is a list of texts.
func (s Settings) Texts(name string) (list []string) {
	_ = json.Unmarshal(s[name], &list) // none, where there are none
	return list
}

// standing are the settings of a pool that nobody has changed. (What DescribeUserPool of
// a live pool says that was made with a name alone; AWS, API reference.)
var standing = Settings{
	"Policies":                    json.RawMessage(`{"PasswordPolicy":{"MinimumLength":8,"RequireUppercase":true,"RequireLowercase":true,"RequireNumbers":true,"RequireSymbols":true}}`),
	"DeletionProtection":          json.RawMessage(`"INACTIVE"`),
	"LambdaConfig":                json.RawMessage(`{}`),
	"MfaConfiguration":            json.RawMessage(`"OFF"`),
	"VerificationMessageTemplate": json.RawMessage(`{}`),
	"EmailConfiguration":          json.RawMessage(`{}`),
	"UserPoolTags":                json.RawMessage(`{}`),
	"AdminCreateUserConfig":       json.RawMessage(`{}`),
	"AccountRecoverySetting":      json.RawMessage(`{}`),
	"UserPoolTier":                json.RawMessage(`"ESSENTIALS"`),
}

// inner are the members that structures of settings have, also where one was given
// without them.
var inner = map[string]Settings{
	"Policies": {
		"PasswordPolicy": json.RawMessage(`{"MinimumLength":8,"RequireUppercase":true,"RequireLowercase":true,"RequireNumbers":true,"RequireSymbols":true}`),
		"SignInPolicy":   json.RawMessage(`{"AllowedFirstAuthFactors":["PASSWORD"]}`),
	},
	"VerificationMessageTemplate": {"DefaultEmailOption": json.RawMessage(`"CONFIRM_WITH_CODE"`)},
	"EmailConfiguration":          {"EmailSendingAccount": json.RawMessage(`"COGNITO_DEFAULT"`)},
	"AdminCreateUserConfig":       {"AllowAdminCreateUserOnly": json.RawMessage(`false`)},
	"DcrConfiguration":            {"EnableStatus": json.RawMessage(`"Enabled"`), "OpenDcrEnabled": json.RawMessage(`false`)},
}

// passwordPolicy is what a policy has that was given in part.
var passwordPolicy = Settings{
	"MinimumLength": json.RawMessage(`8`), "RequireUppercase": json.RawMessage(`false`), "RequireLowercase": json.RawMessage(`false`),
	"RequireNumbers": json.RawMessage(`false`), "RequireSymbols": json.RawMessage(`false`),
}

// twins are settings that have two names: either sets both.
var twins = [][3]string{
	{"EmailVerificationMessage", "VerificationMessageTemplate", "EmailMessage"},
	{"EmailVerificationSubject", "VerificationMessageTemplate", "EmailSubject"},
	{"SmsVerificationMessage", "VerificationMessageTemplate", "SmsMessage"},
}

// Complete returns the settings of a pool, with what AWS has where nothing was given.
func (s Settings) Complete() (Settings, error) {
	c := maps.Clone(s)
	if c == nil {
		c = make(Settings)
	}
	maps.DeleteFunc(c, func(_ string, v json.RawMessage) bool { return len(v) == 0 })
	for name, value := range standing {
		if c[name] == nil {
			c[name] = value
		}
	}
	for name, members := range inner {
		if c[name] == nil {
			continue
		}
		if err := c.fill(name, members); err != nil {
			return nil, err
		}
	}
	for _, t := range twins {
		if err := c.mirror(t[0], t[1], t[2]); err != nil {
			return nil, err
		}
	}
	if err := c.tokenFunction(); err != nil {
		return nil, err
	}
	return c, c.policies()
}

// tokenFunction gives the function of the tokens both of its names: the older one is that of
// the first version of its event.
func (s Settings) tokenFunction() error {
	functions, err := s.structure("LambdaConfig")
	if err != nil {
		return err
	}
	const older, newer = "PreTokenGeneration", "PreTokenGenerationConfig"
	function, err := functions.structure(newer)
	if err != nil {
		return err
	}
	switch {
	case len(function) == 0 && functions[older] == nil:
		return nil
	case len(function) == 0:
		functions[newer] = mustJSON(Settings{"LambdaVersion": json.RawMessage(`"V1_0"`), "LambdaArn": functions[older]})
	default:
		functions[older] = function["LambdaArn"]
	}
	s["LambdaConfig"] = mustJSON(functions)
	return nil
}

// policies completes the password policy. How long a temporary password works, and how
// long an account may go unused, are one setting with two names.
func (s Settings) policies() error {
	policies, err := s.structure("Policies")
	if err != nil {
		return err
	}
	if err := policies.fill("PasswordPolicy", passwordPolicy); err != nil {
		return err
	}
	policy, err := policies.structure("PasswordPolicy")
	if err != nil {
		return err
	}
	create, err := s.structure("AdminCreateUserConfig")
	if err != nil {
		return err
	}
	const days, unused = "TemporaryPasswordValidityDays", "UnusedAccountValidityDays"
	switch {
	case policy[days] == nil && create[unused] == nil:
		policy[days], create[unused] = json.RawMessage(`7`), json.RawMessage(`7`)
	case policy[days] == nil:
		policy[days] = create[unused]
	case create[unused] == nil:
		create[unused] = policy[days]
	}
	for _, put := range []struct {
		in   Settings
		name string
		what Settings
	}{{policies, "PasswordPolicy", policy}, {s, "Policies", policies}, {s, "AdminCreateUserConfig", create}} {
		if put.in[put.name], err = json.Marshal(put.what); err != nil {
			return err
		}
	}
	return nil
}

// structure reads a setting that has members.
func (s Settings) structure(name string) (Settings, error) {
	var m Settings
	if len(s[name]) > 0 {
		if err := json.Unmarshal(s[name], &m); err != nil {
			return nil, fmt.Errorf("read the setting %s: %w", name, err)
		}
	}
	if m == nil {
		m = make(Settings)
	}
	return m, nil
}

// fill gives a structure the members that it lacks.
func (s Settings) fill(name string, members Settings) error {
	m, err := s.structure(name)
	if err != nil {
		return err
	}
	for member, value := range members {
		if m[member] == nil {
			m[member] = value
		}
	}
	s[name], err = json.Marshal(m)
	return err
}

// mirror gives both names of a setting what one of them has.
func (s Settings) mirror(name, structure, member string) error {
	m, err := s.structure(structure)
	if err != nil {
		return err
	}
	switch {
	case m[member] != nil:
		s[name] = m[member]
		return nil
	case s[name] == nil:
		return nil
	}
	m[member] = s[name]
	s[structure], err = json.Marshal(m)
	return err
}

// seeded are the settings of a pool that a seed made, or a file of before has.
func (p *Pool) seeded() (Settings, error) {
	keepEmail := []string{}
	if p.KeepEmail {
		keepEmail = append(keepEmail, "email")
	}
	given := map[string]any{
		"AutoVerifiedAttributes":      []string{"email"},
		"UserAttributeUpdateSettings": map[string]any{"AttributesRequireVerificationBeforeUpdate": keepEmail},
		"UsernameConfiguration":       map[string]any{"CaseSensitive": p.CaseSensitive},
		"AccountRecoverySetting":      map[string]any{"RecoveryMechanisms": []map[string]any{{"Name": "verified_email", "Priority": 1}}},
		"AdminCreateUserConfig":       map[string]any{"AllowAdminCreateUserOnly": !p.SelfSignUp},
		"MfaConfiguration":            p.mfa(),
		"LambdaConfig":                p.Lambda,
		"Policies": map[string]any{"PasswordPolicy": map[string]any{
			"MinimumLength": p.PasswordMin, "RequireUppercase": true, "RequireLowercase": true, "RequireNumbers": true, "RequireSymbols": true,
		}},
		"SoftwareTokenMfaConfiguration": map[string]any{"Enabled": p.mfa() != MFAOff},
	}
	if p.FirstFactors != nil {
		policies, _ := given["Policies"].(map[string]any)
		policies["SignInPolicy"] = map[string]any{"AllowedFirstAuthFactors": p.FirstFactors}
	}
	if p.Plan != "" {
		given["UserPoolTier"] = p.Plan
	}
	if p.Registration != nil {
		given["DcrConfiguration"] = p.Registration
	}
	schema := Schema(nil)
	if p.EmailAsUsername {
		given["UsernameAttributes"] = []string{"email"}
		i := slices.IndexFunc(schema, func(a SchemaAttribute) bool { return a.Name == "email" })
		schema[i].Required = true
	} else {
		given["AliasAttributes"] = []string{"email"}
	}
	given["SchemaAttributes"] = schema
	s := make(Settings)
	for name, value := range given {
		b, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("write the setting %s: %w", name, err)
		}
		s[name] = b
	}
	return s.Complete()
}

// settle makes what the local pool does of a pool's settings. A pool without any is a
// seed's, or of a file of before.
func (p *Pool) settle() (err error) {
	p.AnySchema = p.AnySchema || p.Settings == nil
	if p.Settings == nil {
		if p.Settings, err = p.seeded(); err != nil {
			return err
		}
	}
	b, err := json.Marshal(p.Settings)
	if err != nil {
		return fmt.Errorf("read the settings of a pool: %w", err)
	}
	r := &Rules{}
	for _, into := range []any{r, &r.messages} {
		if err := json.Unmarshal(b, into); err != nil {
			return fmt.Errorf("read the settings of a pool: %w", err)
		}
	}
	p.rules = r
	p.EmailAsUsername = len(r.UsernameAttributes) > 0
	p.CaseSensitive = r.UsernameConfiguration == nil || r.UsernameConfiguration.CaseSensitive
	p.SelfSignUp = !r.AdminCreateUserConfig.AllowAdminCreateUserOnly
	p.PasswordMin, p.MFA, p.Lambda = r.Policies.PasswordPolicy.MinimumLength, r.MfaConfiguration, r.LambdaConfig
	return nil
}

// Rules are the pool's settings that something follows from.
func (p Pool) Rules() Rules {
	if p.rules == nil {
		return Rules{}
	}
	return *p.rules
}
