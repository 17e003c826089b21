package localpool

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// Seed is what a state begins with.
type Seed struct {
	// Pools may be empty, and not nil: programs that make pools begin without any.
	Pools []PoolSeed `yaml:"pools"`
	// Quotas are requests per second, over all pools, by category of operation such
	// as UserList; [DefaultQuotas] has them all. Those that are missing have no
	// limit. They are no part of the state: each start reads them.
	Quotas map[string]float64 `yaml:"quotas"`
	// Functions are URLs by the ARN of the Lambda function that they stand in for,
	// where LambdaConfig names it: for pools that the JSON API makes. Like Quotas and
	// the triggers of pools, they are no part of the state.
	Functions map[string]string `yaml:"functions"`
	// SenderKey seals the codes that functions are given which send messages: base64 of 16, 24
	// or 32 bytes, for AES-GCM. Defaults to none: they are given codes as they are.
	SenderKey string `yaml:"sender_key"`
	// Events are notified when users or groups change, as EventBridge tells of what
	// CloudTrail records. They are no part of the state either.
	Events []EventsSeed `yaml:"events"`
}

// EventsSeed is where change events are posted to: a [receiver] of Codegrant's, or
// anything that takes events of EventBridge. They are sent beside the requests, in
// their order, and again for up to ten minutes where they are not taken. A pool that
// ends, and one that has a thousand waiting, drops them.
//
// [receiver]: https://pkg.go.dev/github.com/codegrant/codegrant/directory#Receiver
type EventsSeed struct {
	URL    string `yaml:"url"`
	Secret string `yaml:"secret"` // in the header X-Codegrant-Secret; empty: no header
}

func (e EventsSeed) check() error {
	if strings.ContainsFunc(e.Secret, func(r rune) bool { return r < ' ' || r > '~' }) {
		return errors.New("a secret has characters that no header has")
	}
	return checkHookURL(e.URL)
}

// PoolSeed is one user pool.
type PoolSeed struct {
	ID              string               `yaml:"id"` // such as local_Demo12345
	Name            string               `yaml:"name"`
	EmailAsUsername bool                 `yaml:"email_as_username"` // usernames are subs, as in pools that people sign up to by e-mail
	CaseSensitive   bool                 `yaml:"case_sensitive"`
	NoSelfSignUp    bool                 `yaml:"no_self_sign_up"`
	KeepEmail       bool                 `yaml:"keep_email_until_verified"` // a new address replaces the former one when it is verified (AttributesRequireVerificationBeforeUpdate)
	PasswordLength  int                  `yaml:"password_length"`           // least; default 8
	MFA             string               `yaml:"mfa"`                       // OFF, OPTIONAL or ON; default OFF
	FirstFactors    []string             `yaml:"first_factors"`             // of PASSWORD, EMAIL_OTP, SMS_OTP and WEB_AUTHN; default PASSWORD
	StepUp          StepUp               `yaml:"step_up"`                   // on, ignored or absent; default on
	Plan            string               `yaml:"plan"`                      // LITE, ESSENTIALS or PLUS; default ESSENTIALS
	Recovery        time.Duration        `yaml:"recovery"`                  // how long a point-in-time recovery counts, and then goes back; default 0: it is done at once
	Registration    *RegistrationSeed    `yaml:"registration"`              // default none: clients do not register themselves
	Clients         []ClientSeed         `yaml:"clients"`
	Groups          []GroupSeed          `yaml:"groups"`
	Users           []UserSeed           `yaml:"users"`
	ResourceServers []ResourceServerSeed `yaml:"resource_servers"`
	Triggers        TriggersSeed         `yaml:"triggers"`

	// Configuration is what codegrant pool export writes of a pool, in the words of
	// Cognito's API: it says more than the fields above, and takes their place. App clients
	// of it are those in Clients, by their names.
	Configuration map[string]any `yaml:"configuration"`
	// Password is that of users who have none here and can have one.
	Password string `yaml:"password"`
}

// RegistrationSeed is who may register clients (RFC 7591), and for what.
type RegistrationSeed struct {
	Open   bool     `yaml:"open"`   // anybody may register; by default, only holders of an access token with the scope aws.cognito/dcr/register
	Scopes []string `yaml:"scopes"` // beside openid, email, phone and profile
}

// settings are those of the pool, or what is wrong with it.
func (p PoolSeed) settings() (plan string, registration *state.Registration, err error) {
	if !slices.Contains([]string{"", "LITE", "ESSENTIALS", "PLUS"}, p.Plan) {
		return "", nil, fmt.Errorf("plan is LITE, ESSENTIALS or PLUS, not %q", p.Plan)
	}
	if p.Registration == nil {
		return p.Plan, nil, nil
	}
	if p.Plan == "LITE" {
		return "", nil, errors.New("registration: the plan LITE does not have it")
	}
	return p.Plan, &state.Registration{EnableStatus: "Enabled", OpenDcrEnabled: p.Registration.Open, AllowedScopes: p.Registration.Scopes}, nil
}

// ClientSeed is one app client. With a secret it is confidential.
type ClientSeed struct {
	ID                   string        `yaml:"id"`
	Name                 string        `yaml:"name"` // default the id
	Secret               string        `yaml:"secret"`
	SecondSecret         string        `yaml:"second_secret"`   // while secrets are rotated
	SecretsManager       bool          `yaml:"secrets_manager"` // keeps the secret in Secrets Manager, which answers at the same address; it is made up unless secret is set
	CallbackURLs         []string      `yaml:"callback_urls"`
	LogoutURLs           []string      `yaml:"logout_urls"`
	Scopes               []string      `yaml:"scopes"`                 // default openid, email, profile
	Flows                []string      `yaml:"flows"`                  // of code, implicit, client_credentials; default code
	IDTokenValidity      time.Duration `yaml:"id_token_validity"`      // default 1h
	AccessTokenValidity  time.Duration `yaml:"access_token_validity"`  // default 1h
	RefreshTokenValidity time.Duration `yaml:"refresh_token_validity"` // default 720h
	Rotation             bool          `yaml:"refresh_token_rotation"`
	RotationGrace        time.Duration `yaml:"rotation_grace"` // at most 1m
	NoRevocation         bool          `yaml:"no_revocation"`
	AuthFlows            []string      `yaml:"auth_flows"`                    // of the JSON API, such as ALLOW_USER_PASSWORD_AUTH; default as Cognito's
	UserExistenceErrors  string        `yaml:"prevent_user_existence_errors"` // ENABLED or LEGACY; default ENABLED
}

// GroupSeed is one group.
type GroupSeed struct {
	Name        string `yaml:"name"`
	Description string `yaml:"description"`
	Precedence  *int   `yaml:"precedence"`
}

// UserSeed is one user. Passwords are plain text: they are a developer's own.
type UserSeed struct {
	Username   string            `yaml:"username"`
	Email      string            `yaml:"email"`
	Unverified bool              `yaml:"email_unverified"`
	Name       string            `yaml:"name"`
	Password   string            `yaml:"password"`
	Status     string            `yaml:"status"` // default CONFIRMED
	Disabled   bool              `yaml:"disabled"`
	Groups     []string          `yaml:"groups"`
	Attributes map[string]string `yaml:"attributes"`
	// Authenticator is the key of an authenticator app, in base32. With AuthenticatorAlways
	// it is asked for at each sign-in, and not only where the app asks for a level.
	Authenticator       string `yaml:"authenticator"`
	AuthenticatorAlways bool   `yaml:"authenticator_always"`
	// Codes are sent as second factors: SMS_MFA and EMAIL_OTP, of which the first is
	// preferred where there is no authenticator app that is asked for always.
	Codes []string `yaml:"codes"`
}

// ResourceServerSeed defines scopes of the form identifier/scope.
type ResourceServerSeed struct {
	Identifier string   `yaml:"identifier"`
	Scopes     []string `yaml:"scopes"`
}

// ParseSeed reads a seed from YAML. Texts are as the file has them, those that look
// like numbers too. Unknown keys are errors that name the line, and all other faults are
// reported at once. No error has a password or a secret in it.
func ParseSeed(b []byte) (Seed, error) {
	var seed Seed
	if err := decodeSeed(b, &seed); err != nil {
		return Seed{}, fmt.Errorf("parse seed: %w", seedFault(b, err))
	}
	if _, err := seed.pools(); err != nil {
		return Seed{}, err
	}
	return seed, nil
}

// addUsers makes the users of a new state.
func (s Seed) addUsers(st *state.State) error {
	var faults []error
	for _, p := range s.Pools {
		if configuration, err := p.configuration(); err != nil {
			return err
		} else if err := configuration.Configure(st, p.ID); err != nil {
			return fmt.Errorf("seed: pool %q: configuration: %w", p.ID, err)
		}
		for _, u := range p.Users {
			made, err := st.CreateUser(p.ID, u.userOf(p))
			if err != nil {
				faults = append(faults, fmt.Errorf("seed: pool %q: user %q: %w", p.ID, or(u.Username, u.Email), err))
				continue
			}
			if err := u.addFactors(st, p.ID, made.Username); err != nil {
				faults = append(faults, fmt.Errorf("seed: pool %q: user %q: %w", p.ID, or(u.Username, u.Email), err))
			}
		}
	}
	return errors.Join(faults...)
}

// Demo is what [DefaultSeed] calls its pool and clients.
const (
	DemoPoolID       = "local_Demo12345"
	DemoClientID     = "1demo2confidential3client"
	DemoClientSecret = "1local2demo3secret4which5protects6nothing7at8all"
	DemoPublicID     = "1demo2public3client4only5"
)

// DefaultSeed is one pool with alice (in admins and analysts) and bob (in
// editors), whose password is Passw0rd!, a confidential and a public client, both
// for an application at appURL.
func DefaultSeed(appURL string) Seed {
	app := strings.TrimSuffix(appURL, "/")
	urls := func(c ClientSeed) ClientSeed {
		c.CallbackURLs = []string{app + "/auth/callback", app + "/auth/login"}
		c.LogoutURLs = []string{app + "/"}
		return c
	}
	return Seed{Pools: []PoolSeed{{
		ID: DemoPoolID, Name: "demo",
		Clients: []ClientSeed{
			urls(ClientSeed{ID: DemoClientID, Name: "web", Secret: DemoClientSecret}),
			urls(ClientSeed{ID: DemoPublicID, Name: "single-page app"}),
		},
		Groups: []GroupSeed{{Name: "admins", Description: "May do everything"}, {Name: "analysts", Description: "Read reports"}, {Name: "editors", Description: "Change orders"}},
		Users: []UserSeed{
			{Username: "alice", Email: "alice@example.com", Name: "Alice Archer", Password: "Passw0rd!", Groups: []string{"admins", "analysts"}},
			{Username: "bob", Email: "bob@example.com", Name: "Bob Baker", Password: "Passw0rd!", Groups: []string{"editors"}},
		},
	}}}
}

var (
	poolIDPattern   = regexp.MustCompile(`^[\w-]+_[0-9a-zA-Z]+$`)
	clientIDPattern = regexp.MustCompile(`^[\w+]{1,128}$`)
	statuses        = []string{"", state.Unconfirmed, state.Confirmed, state.ExternalProvider, state.ResetRequired, state.ForceChangePassword}
	flows           = []string{"code", "implicit", "client_credentials"}
)

// pools checks the seed and makes the state's pools of it.
func (s Seed) pools() ([]*state.Pool, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if s.Pools == nil {
		fault("there is no pool; pools: [] begins without one")
	}
	for category, perSecond := range s.Quotas {
		if err := checkQuota(category, perSecond); err != nil {
			faults = append(faults, err)
		}
	}
	for arn, u := range s.Functions {
		if !strings.HasPrefix(arn, "arn:") { // it may be the end of a URL with a password
			fault("functions: a key is not an ARN; quote a URL that has a comma in it")
		} else if err := checkHookURL(u); err != nil {
			fault("function %q: %w", arn, err)
		}
	}
	if err := s.checkSenderKey(); err != nil {
		faults = append(faults, err)
	}
	for _, e := range s.Events {
		if err := e.check(); err != nil {
			fault("events: %w", err)
		}
	}
	var pools []*state.Pool
	clients := make(map[string]bool)
	for _, ps := range s.Pools {
		where := fmt.Sprintf("pool %q", ps.ID)
		if !poolIDPattern.MatchString(ps.ID) || len(ps.ID) > 55 {
			fault("%s: the id is not of the form local_Name1", where)
		}
		if slices.ContainsFunc(pools, func(p *state.Pool) bool { return p.ID == ps.ID }) {
			fault("%s: the id is there twice", where)
		}
		p := &state.Pool{
			ID: ps.ID, Name: ps.Name, EmailAsUsername: ps.EmailAsUsername, CaseSensitive: ps.CaseSensitive,
			SelfSignUp: !ps.NoSelfSignUp, KeepEmail: ps.KeepEmail, PasswordMin: or(ps.PasswordLength, 8), MFA: ps.MFA, StepUp: ps.StepUp.kept(),
			RecoveryTime: ps.Recovery,
		}
		if p.FirstFactors = ps.FirstFactors; len(ps.FirstFactors) > 0 {
			if err := checkFirst(ps.FirstFactors, ps.MFA); err != nil {
				fault("%s: first_factors: %w", where, err)
			}
		}
		var err error
		if p.Plan, p.Registration, err = ps.settings(); err != nil {
			fault("%s: %w", where, err)
		}
		if err := ps.StepUp.check(); err != nil {
			fault("%s: %w", where, err)
		}
		configuration, err := ps.configuration()
		if err == nil && ps.Configuration != nil {
			p.Settings, err = configuration.Settings()
		}
		if err != nil {
			fault("%s: %w", where, err)
		}
		if ps.Recovery < 0 {
			fault("%s: recovery is less than zero", where)
		}
		if !slices.Contains([]string{"", state.MFAOff, state.MFAOptional, state.MFARequired}, ps.MFA) {
			fault("%s: mfa is OFF, OPTIONAL or ON, not %q", where, ps.MFA)
		}
		for name, t := range ps.Triggers.triggers() {
			if err := t.check(); err != nil {
				fault("%s: trigger %s: %w", where, name, err)
			}
		}
		for _, rs := range ps.ResourceServers {
			p.ResourceServer = append(p.ResourceServer, state.ResourceServer{Identifier: rs.Identifier, Scopes: rs.Scopes})
		}
		for _, g := range ps.Groups {
			if g.Name == "" || len(g.Name) > 128 || strings.ContainsAny(g.Name, " \t\n") {
				fault("%s: group %q: a name has 1 to 128 characters and no space", where, g.Name)
			}
			p.Groups = append(p.Groups, &state.Group{Name: g.Name, Description: g.Description, Precedence: g.Precedence})
		}
		for _, cs := range ps.Clients {
			if clients[cs.ID] {
				fault("%s: client %q: the id is there twice", where, cs.ID)
			}
			clients[cs.ID] = true
			for _, err := range cs.check() {
				fault("%s: client %q: %w", where, cs.ID, err)
			}
			if cs.AuthFlows == nil && len(ps.FirstFactors) > 0 {
				cs.AuthFlows = []string{"ALLOW_USER_AUTH", "ALLOW_USER_SRP_AUTH"}
				if !cs.Rotation {
					cs.AuthFlows = append(cs.AuthFlows, "ALLOW_REFRESH_TOKEN_AUTH")
				}
			}
			p.Clients = append(p.Clients, cs.client(ps.ID))
		}
		for _, us := range ps.Users {
			if !slices.Contains(statuses, us.Status) {
				fault("%s: user %q: %q is not a status of Cognito's", where, or(us.Username, us.Email), us.Status)
			}
			for _, code := range us.Codes {
				if code != state.SMSMFA && code != state.EmailMFA {
					fault("%s: user %q: codes are SMS_MFA and EMAIL_OTP, not %q", where, or(us.Username, us.Email), code)
				}
			}
			if us.Username == "" && us.Email == "" {
				fault("%s: a user has neither username nor email", where)
			}
			for _, g := range us.Groups {
				if _, configured := configuration.Groups[g]; !configured && !slices.ContainsFunc(ps.Groups, func(gs GroupSeed) bool { return gs.Name == g }) {
					fault("%s: user %q: there is no group %q", where, or(us.Username, us.Email), g)
				}
			}
		}
		pools = append(pools, p)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("seed: %w", errors.Join(faults...))
	}
	return pools, nil
}

// checkFirst refuses what CreateUserPool does of SignInPolicy.
func checkFirst(factors []string, mfa string) error {
	for i, f := range factors {
		if !slices.Contains([]string{"PASSWORD", "EMAIL_OTP", "SMS_OTP", "WEB_AUTHN"}, f) || slices.Contains(factors[:i], f) {
			return fmt.Errorf("%q is not one of PASSWORD, EMAIL_OTP, SMS_OTP and WEB_AUTHN, or there twice", f)
		}
		if mfa == state.MFARequired && (f == "EMAIL_OTP" || f == "SMS_OTP") {
			return errors.New("codes are no first factor where mfa is ON")
		}
	}
	if len(factors) == 1 && factors[0] == "WEB_AUTHN" {
		return errors.New("WEB_AUTHN is not the only one")
	}
	return nil
}

func (c ClientSeed) check() (faults []error) {
	if !clientIDPattern.MatchString(c.ID) {
		faults = append(faults, errors.New("the id has characters that no client id has"))
	}
	for _, f := range c.Flows {
		if !slices.Contains(flows, f) {
			faults = append(faults, fmt.Errorf("%q is not one of %s", f, strings.Join(flows, ", ")))
		}
	}
	for _, f := range c.AuthFlows {
		if !slices.Contains(state.ExplicitAuthFlows, f) {
			faults = append(faults, fmt.Errorf("%q is not one of %s", f, strings.Join(state.ExplicitAuthFlows, ", ")))
		}
	}
	if c.Rotation && slices.Contains(c.AuthFlows, "ALLOW_REFRESH_TOKEN_AUTH") {
		faults = append(faults, errors.New("refresh_token_rotation and ALLOW_REFRESH_TOKEN_AUTH exclude each other"))
	}
	if !slices.Contains([]string{"", "ENABLED", "LEGACY"}, c.UserExistenceErrors) {
		faults = append(faults, errors.New("prevent_user_existence_errors is ENABLED or LEGACY"))
	}
	for _, u := range slices.Concat(c.CallbackURLs, c.LogoutURLs) {
		if err := state.CheckURL(u); err != nil {
			faults = append(faults, err)
		}
	}
	if c.IDTokenValidity < 0 || c.AccessTokenValidity < 0 || c.RefreshTokenValidity < 0 {
		faults = append(faults, errors.New("a validity is less than zero"))
	}
	if c.RotationGrace < 0 || c.RotationGrace > time.Minute {
		faults = append(faults, errors.New("rotation_grace is at most one minute"))
	}
	return faults
}

func (c ClientSeed) client(poolID string) *state.Client {
	client := &state.Client{
		ID: c.ID, Name: or(c.Name, c.ID), PoolID: poolID, CallbackURLs: c.CallbackURLs, LogoutURLs: c.LogoutURLs, Scopes: c.Scopes, Flows: c.Flows,
		IDTokenValidity: or(c.IDTokenValidity, time.Hour), AccessTokenValidity: or(c.AccessTokenValidity, time.Hour),
		RefreshTokenValidity: or(c.RefreshTokenValidity, 30*24*time.Hour),
		Revocation:           !c.NoRevocation, Rotation: c.Rotation, RotationGrace: c.RotationGrace,
		AuthFlows: c.AuthFlows, TellUnknown: c.UserExistenceErrors == "LEGACY",
	}
	for _, secret := range []string{c.Secret, c.SecondSecret} {
		if secret != "" {
			client.Secrets = append(client.Secrets, secret)
		}
	}
	if c.SecretsManager {
		if len(client.Secrets) == 0 {
			client.Secrets = []string{state.NewSecret()}
		}
		client.Publish()
	}
	if len(client.Scopes) == 0 {
		client.Scopes = []string{"openid", "email", "profile"}
	}
	if len(client.Flows) == 0 {
		client.Flows = []string{"code"}
	}
	return client
}

func (u UserSeed) user() state.NewUser {
	attributes := make(map[string]string)
	for name, value := range u.Attributes {
		attributes[name] = value
	}
	if u.Email != "" {
		attributes["email"], attributes["email_verified"] = u.Email, "true"
		if u.Unverified {
			attributes["email_verified"] = "false"
		}
	}
	if u.Name != "" {
		attributes["name"] = u.Name
	}
	return state.NewUser{Username: u.Username, Attributes: attributes, Password: u.Password, Status: u.Status, Groups: u.Groups, Enabled: !u.Disabled}
}

// userOf is the person of a seed's pool. The sub follows from pool and name, so that a
// pool without a file, started again, has the people that an app's database knows.
func (u UserSeed) userOf(p PoolSeed) state.NewUser {
	n, name := u.user(), or(u.Username, u.Email)
	if n.Password == "" && u.Status != state.ExternalProvider {
		n.Password = p.Password
	}
	if !p.CaseSensitive {
		name = strings.ToLower(name)
	}
	if n.Attributes["sub"] == "" {
		n.Attributes["sub"] = state.DerivedID("seed", p.ID, name)
	}
	return n
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
