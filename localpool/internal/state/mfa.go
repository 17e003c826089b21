package state

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" // what authenticator apps use, and Cognito alone takes
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"
)

// The settings of MFA in a pool.
const (
	MFAOff      = "OFF"
	MFAOptional = "OPTIONAL" // users turn it on
	MFARequired = "ON"
)

// The challenges after the password.
const (
	SoftwareTokenMFA = "SOFTWARE_TOKEN_MFA"
	MFASetup         = "MFA_SETUP"
)

// Token is the authenticator app of a user.
type Token struct {
	Secret   string `json:"secret,omitempty"` // empty until the first code was right
	Pending  string `json:"pending,omitempty"`
	Name     string `json:"name,omitempty"`
	Used     int64  `json:"used,omitempty"` // the interval whose code was used last
	Failures int    `json:"failures,omitempty"`
	On       bool   `json:"on,omitempty"`
	Prefer   bool   `json:"prefer,omitempty"`
}

const (
	errTokenOff  = "Software Token MFA has not been enabled by the userPool"
	codeInterval = 30 // seconds
)

func (p *Pool) mfa() string {
	if p.MFA == "" {
		return MFAOff
	}
	return p.MFA
}

// SetPoolMFA sets what MFA a pool has.
func (s *State) SetPoolMFA(poolID, mode string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return err
	}
	return s.resettle(p, Settings{"MfaConfiguration": mustJSON(mode)})
}

var secretEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

func newTokenKey() string {
	b := make([]byte, 32)
	rand.Read(b)
	return secretEncoding.EncodeToString(b)
}

// AssociateToken makes a secret for an authenticator app. One that the user has
// works until a code of the new one was right.
func (s *State) AssociateToken(poolID, name string) (secret string, err error) {
	err = s.change(poolID, name, func(p *Pool, u *User) error {
		if p.mfa() == MFAOff {
			return refuse(SoftwareTokenMFANotFound, errTokenOff)
		}
		secret = newTokenKey()
		t := Token{}
		if u.Token != nil {
			t = *u.Token
		}
		t.Pending = secret
		u.Token = &t
		return nil
	})
	return secret, err
}

// VerifyToken takes the first code of a new authenticator app.
func (s *State) VerifyToken(poolID, name, code, device string) error {
	return s.change(poolID, name, func(p *Pool, u *User) error {
		if p.mfa() == MFAOff {
			return refuse(SoftwareTokenMFANotFound, errTokenOff)
		}
		if u.Token == nil || u.Token.Pending == "" {
			return refuse(SoftwareTokenMFANotFound, "Software Token MFA has not been associated")
		}
		if s.now().Before(u.LockedUntil) {
			return errLocked
		}
		step, ok := matches(u.Token.Pending, code, s.now())
		if !ok {
			s.wrongCode(u)
			return refuse("EnableSoftwareTokenMFAException", "Code mismatch and fail enable Software Token MFA")
		}
		// One that takes the place of another is as much in use as that was.
		u.Token = &Token{
			Secret: u.Token.Pending, Name: device, Used: step,
			On: u.Token.On || p.mfa() == MFARequired, Prefer: u.Token.Prefer || p.mfa() == MFARequired,
		}
		return nil
	})
}

// CheckToken takes a code at a sign-in. Each is good once.
func (s *State) CheckToken(poolID, name, code string) error {
	return s.change(poolID, name, func(_ *Pool, u *User) error {
		if u.Token == nil || u.Token.Secret == "" {
			return refuse(SoftwareTokenMFANotFound, "Software Token MFA has not been associated")
		}
		if s.now().Before(u.LockedUntil) {
			return errLocked
		}
		t := *u.Token
		step, ok := matches(t.Secret, code, s.now())
		if !ok {
			s.wrongCode(u)
			return refuse(CodeMismatch, "Invalid code received for user")
		}
		if step <= t.Used {
			return refuse(ExpiredCode, "Your software token has already been used once.")
		}
		t.Used, t.Failures = step, 0
		u.Token = &t
		return nil
	})
}

// wrongCode counts wrong codes apart from passwords: who knows the password could
// otherwise go on for ever. The caller holds the lock.
func (s *State) wrongCode(u *User) {
	t := *u.Token
	t.Failures++
	u.Token = &t
	s.lockAfter(u, t.Failures)
}

// Factor is what a user set of a second factor that is a code by SMS or e-mail.
type Factor struct {
	On     bool `json:"on,omitempty"`
	Prefer bool `json:"prefer,omitempty"`
}

// Codes that are sent as a second factor.
const (
	SMSMFA   = "SMS_MFA"
	EmailMFA = "EMAIL_OTP"
)

// byCode are the addresses that codes of second factors are sent to.
var byCode = map[string]string{SMSMFA: "phone_number", EmailMFA: "email"}

// SetFactor turns codes by SMS or e-mail on or off as a second factor of a user.
func (s *State) SetFactor(poolID, name, factor string, on, prefer bool) error {
	return s.change(poolID, name, func(_ *Pool, u *User) error {
		switch {
		case (on || prefer) && u.Attributes[byCode[factor]] == "":
			return refuse(InvalidParameter, fmt.Sprintf("User does not have delivery config set to turn on %s", factor))
		case prefer && !on:
			return refuse(InvalidParameter, fmt.Sprintf("%s cannot be preferred unless it is enabled", factor))
		}
		all := maps.Clone(u.MFA)
		if all == nil {
			all = make(map[string]Factor)
		}
		if prefer {
			u.prefer(all)
		}
		all[factor] = Factor{on, prefer}
		u.MFA = all
		return nil
	})
}

// prefer has no factor be preferred any more.
func (u *User) prefer(all map[string]Factor) {
	for other, f := range all {
		f.Prefer = false
		all[other] = f
	}
	if u.Token != nil {
		t := *u.Token
		t.Prefer = false
		u.Token = &t
	}
}

// DeleteToken takes a user's authenticator app away.
func (s *State) DeleteToken(poolID, name string) error {
	return s.change(poolID, name, func(_ *Pool, u *User) error {
		if u.Token == nil || u.Token.Secret == "" {
			return refuse(ResourceNotFound, "Software token does not exist for the user.")
		}
		u.Token = nil
		return nil
	})
}

// SecondFactors are what a user who has shown the password may be asked: of several, they
// choose. With none, setUp are what they have to set up first, where the pool asks for a
// second factor of everybody. level is one that the sign-in is to reach; zero: none.
func (s *State) SecondFactors(poolID, name string, level int) (factors, setUp []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return nil, nil, err
	}
	u := p.user(name)
	switch {
	case u == nil:
		return nil, nil, errNoUser
	case p.mfa() == MFAOff:
		return nil, nil, nil
	}
	factors = p.factorsOf(u)
	if level > 1 {
		reaching := p.stepFactors(u, level)
		enough := slices.DeleteFunc(slices.Clone(factors), func(f string) bool { return !slices.Contains(reaching, f) })
		if factors = enough; len(enough) == 0 {
			factors = reaching
		}
	}
	if len(factors) == 0 && p.mfa() == MFARequired {
		setUp = p.factorsToSetUp()
	}
	return factors, setUp, nil
}

// factorsOf are the second factors that a user is asked for at each sign-in.
func (p *Pool) factorsOf(u *User) (factors []string) {
	required := p.mfa() == MFARequired
	has := u.Token != nil && u.Token.Secret != ""
	if has && (required || u.Token.On) {
		if u.Token.Prefer {
			return []string{SoftwareTokenMFA}
		}
		factors = append(factors, SoftwareTokenMFA)
	}
	for _, name := range []string{SMSMFA, EmailMFA} {
		if !p.sends(name) || u.Attributes[byCode[name]] == "" {
			continue
		}
		switch f := u.MFA[name]; {
		case f.On && f.Prefer:
			return []string{name}
		case f.On:
			factors = append(factors, name)
		case required && len(factors) == 0 && !anyOn(u) && isVerified(u.Attributes, byCode[name]):
			factors = append(factors, name)
		}
	}
	return factors
}

// factorsToSetUp are those that a user without any is to set up.
func (p *Pool) factorsToSetUp() (names []string) {
	if p.rules.SoftwareTokenMfaConfiguration.Enabled {
		names = append(names, SoftwareTokenMFA)
	}
	for _, name := range []string{SMSMFA, EmailMFA} {
		if p.sends(name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		names = []string{SoftwareTokenMFA}
	}
	return names
}

func anyOn(u *User) bool {
	for _, f := range u.MFA {
		if f.On {
			return true
		}
	}
	return u.Token != nil && u.Token.On
}

// sends reports whether the pool has codes by SMS or e-mail as a second factor.
func (p *Pool) sends(factor string) bool {
	if factor == SMSMFA {
		return len(p.rules.SmsMfaConfiguration) > 0
	}
	return len(p.rules.EmailMfaConfiguration) > 0
}

// Factors are what a user can begin a sign-in with, of what the pool allows. With a temporary
// password there is nothing else.
func (u User) Factors(r Rules) (list []string) {
	for _, factor := range r.Policies.SignInPolicy.AllowedFirstAuthFactors {
		has := false
		switch factor {
		case "PASSWORD":
			has = u.Password != ""
		case EmailMFA:
			has = u.Attributes["email"] != ""
		case "SMS_OTP":
			has = u.Attributes["phone_number"] != ""
		case "WEB_AUTHN":
			has = len(u.Passkeys) > 0
		}
		if has && (factor == "PASSWORD" || u.Status != ForceChangePassword) {
			list = append(list, factor)
		}
	}
	return list
}

// FirstFactors are what a user may begin a sign-in with, in a pool's order. With a second
// factor it is the password alone, unless a passkey counts as both.
func (u User) FirstFactors(r Rules) (list []string) {
	second := r.MfaConfiguration == MFARequired || r.MfaConfiguration == MFAOptional && anyOn(&u)
	both := r.WebAuthnConfiguration != nil && r.WebAuthnConfiguration.FactorConfiguration == "MULTI_FACTOR_WITH_USER_VERIFICATION"
	for _, factor := range u.Factors(r) {
		if factor == "PASSWORD" || !second || factor == "WEB_AUTHN" && both {
			list = append(list, factor)
		}
	}
	return list
}

// SetMFA turns a user's authenticator app on or off.
func (s *State) SetMFA(poolID, name string, on, prefer bool) error {
	return s.change(poolID, name, func(_ *Pool, u *User) error {
		if u.Token == nil || u.Token.Secret == "" {
			if !on && !prefer {
				return nil
			}
			return refuse(InvalidParameter, fmt.Sprintf("User does not have delivery config set to turn on %s", SoftwareTokenMFA))
		}
		if prefer && !on {
			return refuse(InvalidParameter, fmt.Sprintf("%s cannot be preferred unless it is enabled", SoftwareTokenMFA))
		}
		if prefer {
			all := maps.Clone(u.MFA)
			u.prefer(all)
			u.MFA = all
		}
		t := *u.Token
		t.On, t.Prefer = on, prefer
		u.Token = &t
		return nil
	})
}

// SetPasskeyMFA keeps whether a user's passkeys are to count as a second factor too.
func (s *State) SetPasskeyMFA(poolID, name string, on bool) error {
	return s.change(poolID, name, func(_ *Pool, u *User) error {
		u.PasskeyMFA = on
		return nil
	})
}

// matches reports whether a code is of now, or of the interval before or after
// (RFC 6238), and of which.
func matches(secret, code string, now time.Time) (step int64, ok bool) {
	key, err := secretEncoding.DecodeString(secret)
	if err != nil {
		return 0, false
	}
	current := now.Unix() / codeInterval
	for _, step := range []int64{current, current - 1, current + 1} {
		if subtle.ConstantTimeCompare([]byte(tokenCode(key, step)), []byte(code)) == 1 {
			return step, true
		}
	}
	return 0, false
}

// tokenCode is RFC 4226, section 5.3.
func tokenCode(key []byte, step int64) string {
	mac := hmac.New(sha1.New, key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0x0f
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:at+4])&0x7fffffff%1_000_000)
}
