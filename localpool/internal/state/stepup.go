package state

import (
	"slices"
	"strconv"
	"strings"
)

// The methods of a sign-in, as tokens name them in amr.
const (
	ByPassword = "pwd"
	ByApp      = "otp"
	BySMS      = "sms"
	ByEmail    = "email_otp"
	ByPlatform = "swk" // a passkey of the device
	ByRoaming  = "hwk" // a passkey of a key that one carries
	ByProvider = "fed"
	bySeveral  = "mfa"
)

// ways are all of them: of a provider's amr no other is kept.
var ways = []string{ByPassword, ByApp, BySMS, ByEmail, ByPlatform, ByRoaming, bySeveral}

// methodOf is what a second factor is in amr.
var methodOf = map[string]string{SoftwareTokenMFA: ByApp, SMSMFA: BySMS, EmailMFA: ByEmail}

// Method is what a challenge's factor is in amr.
func Method(factor string) string {
	if factor == "SMS_OTP" {
		return BySMS
	}
	return methodOf[factor]
}

// Shown is what a person has shown at a sign-in. It is replaced, never changed.
type Shown struct {
	Methods []string `json:"methods,omitempty"`
	Level   int      `json:"level,omitempty"`
	// Federated: a provider says so, and not this pool.
	Federated bool `json:"federated,omitempty"`
}

// Showed is what methods come to. (AWS, developer guide: a passkey is below the password
// with an authenticator app.)
func Showed(methods ...string) Shown {
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(methods, name) })
	}
	s := Shown{Methods: methods, Level: 1}
	switch {
	case has(ByPassword) && has(ByApp):
		s.Level = 4
	case has(ByPlatform, ByRoaming), has(ByPassword) && has(BySMS, ByEmail):
		s.Level = 3
	case has(BySMS, ByEmail):
		s.Level = 2
	}
	return s
}

// With is Shown with one method more.
func (s Shown) With(method string) Shown {
	if method == "" || s.Has(method) {
		return s
	}
	return Showed(append(slices.Clone(s.Methods), method)...)
}

// Has reports whether a method was shown.
func (s Shown) Has(method string) bool { return slices.Contains(s.Methods, method) }

// AMR is how tokens say it: several factors are named besides.
func (s Shown) AMR() []string {
	list := append([]string{}, s.Methods...)
	if len(list) > 1 && !s.Federated {
		list = append(list, bySeveral)
	}
	return list
}

// How a pool treats acr_values and max_age. Not every pool supports them.
const (
	StepUpOn      = "" // all of it
	StepUpIgnored = "ignored"
	StepUpAbsent  = "absent" // tokens say nothing of it either
)

// SetStepUp sets what a pool makes of acr_values and max_age.
func (s *State) SetStepUp(poolID, mode string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return err
	}
	p.StepUp = mode
	return s.saveLocked()
}

// acrOf is what a pool calls a level.
func (p *Pool) acrOf(level int) string {
	if given := p.rules.AcrConfiguration["Level"+strconv.Itoa(level)].AcrValue; given != "" {
		return given
	}
	return "urn:cognito:loa:" + strconv.Itoa(level)
}

// Context is what tokens say of a sign-in; nothing in a pool that does not know of it.
func (s *State) Context(poolID string, shown Shown) (acr string, amr []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil || p.StepUp == StepUpAbsent || shown.Level == 0 {
		return "", nil
	}
	return p.acrOf(shown.Level), shown.AMR()
}

// Managed reports whether the pages are those of managed login, and not the older ones,
// which are all that the cheapest plan has: these know no prompt, lang and step-up.
func (p Pool) Managed() bool {
	if p.rules != nil && p.rules.UserPoolTier == "LITE" {
		return false
	}
	for _, name := range []string{p.CustomDomain, p.Domain} {
		if d, ok := p.Documents["domain"][name]; ok {
			return string(d.Members["ManagedLoginVersion"]) != "1"
		}
	}
	return true
}

// StepsUp reports whether the pages look at acr_values and max_age.
func (p Pool) StepsUp() bool { return p.StepUp == StepUpOn && p.Managed() }

// Asked is the level that acr_values ask for: the first that the pool has and the user can
// reach. Zero: none. known reports whether the pool has one of them at all.
func (s *State) Asked(poolID, name string, values []string) (level int, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return 0, false
	}
	u := p.user(name)
	if u == nil {
		return 0, false
	}
	for _, value := range values {
		for l := 1; l <= 4; l++ {
			if p.acrOf(l) != value {
				continue
			}
			if known = true; l <= p.reach(u, "") {
				return l, true
			}
		}
	}
	return 0, known
}

// Reaches reports whether a sign-in of a user that begins with a factor can reach a level.
// The empty factor is any.
func (s *State) Reaches(poolID, name, factor string, level int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return false
	}
	u := p.user(name)
	return u != nil && p.reach(u, factor) >= level
}

// reach is the highest level of a sign-in that begins with a factor, or with any.
func (p *Pool) reach(u *User, factor string) (level int) {
	for _, first := range append([]string{"PASSWORD"}, p.rules.Policies.SignInPolicy.AllowedFirstAuthFactors...) {
		if factor != "" && factor != first {
			continue
		}
		switch {
		case first == "PASSWORD" && u.Password != "":
			l := 1
			for _, second := range p.stepFactors(u, 0) {
				l = max(l, Showed(ByPassword, methodOf[second]).Level)
			}
			level = max(level, l)
		case first == EmailMFA && u.Attributes["email"] != "", first == "SMS_OTP" && u.Attributes["phone_number"] != "":
			level = max(level, 2)
		case first == "WEB_AUTHN" && len(u.Passkeys) > 0:
			level = max(level, 3)
		}
	}
	return level
}

// stepFactors are the second factors that a user has set up, whether they are asked for
// them or not, and that reach a level beside the password.
func (p *Pool) stepFactors(u *User, level int) (names []string) {
	if p.mfa() == MFAOff {
		return nil
	}
	for _, name := range []string{SoftwareTokenMFA, SMSMFA, EmailMFA} {
		has := u.Token != nil && u.Token.Secret != ""
		if name != SoftwareTokenMFA {
			has = p.sends(name) && u.Attributes[byCode[name]] != "" && (u.MFA[name].On || isVerified(u.Attributes, byCode[name]))
		}
		if has && Showed(ByPassword, methodOf[name]).Level >= level {
			names = append(names, name)
		}
	}
	return names
}

// ShownAt is what a provider says of a sign-in there: the level that its acr stands for,
// and what is known of its amr.
func (p Provider) ShownAt(claims map[string]string) Shown {
	s := Shown{Level: 1, Federated: true}
	for level := 1; level <= 4; level++ {
		if value := p.AcrMapping["Level"+strconv.Itoa(level)]; value != "" && value == claims["acr"] {
			s.Level = level
		}
	}
	for _, method := range listOf(claims["amr"]) {
		if slices.Contains(ways, method) && !s.Has(method) {
			s.Methods = append(s.Methods, method)
		}
	}
	if s.Methods == nil {
		s.Methods = []string{ByProvider}
	}
	return s
}

// listOf reads a claim with several values, as attributes have them: in brackets.
func listOf(text string) (list []string) {
	text, ok := strings.CutPrefix(strings.TrimSuffix(text, "]"), "[")
	if !ok && text == "" {
		return nil
	}
	return strings.Split(text, ",")
}

// AddToken gives a user an authenticator app of a key, or, where that is empty, of one that
// is made up. A pool without second factors has them from then on, for those who have one.
func (s *State) AddToken(poolID, name, key string, on bool) error {
	if key == "" {
		key = newTokenKey()
	}
	if b, err := secretEncoding.DecodeString(key); err != nil || len(b) < 10 {
		return refuse(InvalidParameter, "The key of an authenticator app is base32, of 16 characters or more.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return err
	}
	u := p.user(name)
	if u == nil {
		return errNoUser
	}
	if p.mfa() == MFAOff {
		err := s.resettle(p, Settings{"MfaConfiguration": mustJSON(MFAOptional), "SoftwareTokenMfaConfiguration": mustJSON(map[string]bool{"Enabled": true})})
		if err != nil {
			return err
		}
	}
	u.Token = &Token{Secret: key, On: on || p.mfa() == MFARequired, Prefer: on || p.mfa() == MFARequired}
	return s.saveLocked()
}

// TokenCode is the next code of a user's authenticator app that was not used.
func (s *State) TokenCode(poolID, name string) (string, error) {
	u, err := s.User(poolID, name)
	if err != nil {
		return "", err
	}
	if u.Token == nil || u.Token.Secret == "" {
		return "", refuse(SoftwareTokenMFANotFound, "Software Token MFA has not been associated")
	}
	key, err := secretEncoding.DecodeString(u.Token.Secret)
	if err != nil {
		return "", err
	}
	return tokenCode(key, max(s.now().Unix()/codeInterval, u.Token.Used+1)), nil
}
