package state

import (
	"cmp"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Pool is one user pool.
type Pool struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	// EmailAsUsername: people sign up with an e-mail address, and their username
	// is their sub. Otherwise an e-mail address is an alias of a username.
	EmailAsUsername bool `json:"email_as_username"`
	// CaseSensitive is the default of pools made by the API.
	CaseSensitive  bool             `json:"case_sensitive"`
	KeepEmail      bool             `json:"-"` // of a seed: an address stays until the new one is verified
	SelfSignUp     bool             `json:"self_sign_up"`
	PasswordMin    int              `json:"password_min"`
	Keys           *Keys            `json:"keys"`
	Clients        []*Client        `json:"clients"`
	Groups         []*Group         `json:"groups"`
	Users          []*User          `json:"users"`
	ResourceServer []ResourceServer `json:"resource_servers"`
	Grants         []*Grant         `json:"grants"` // refresh tokens, by their hash
	Created        time.Time        `json:"created,omitzero"`
	Modified       time.Time        `json:"modified,omitzero"`
	MFA            string           `json:"mfa,omitempty"` // empty: OFF
	// Domain is a name that the pool was given. The server serves all pools under
	// one, which is no other.
	Domain       string `json:"domain,omitempty"`
	CustomDomain string `json:"custom_domain,omitempty"`
	// Lambda is replaced, never changed.
	Lambda LambdaConfig `json:"lambda,omitzero"`

	// Settings are all that the pool was given by the API, of which the fields above
	// follow, and Documents what else it was told.
	Settings  Settings                       `json:"settings,omitempty"`
	Documents map[string]map[string]Document `json:"documents,omitempty"` // by kind and key
	// StepUp is what the pool makes of acr_values and max_age; see StepUpOn.
	StepUp string `json:"step_up,omitempty"`
	// FirstFactors are what people of a seed's pool may begin a sign-in with; none: the
	// password.
	FirstFactors []string `json:"first_factors,omitempty"`
	// Plan and Registration are those of a seed's pool.
	Plan         string        `json:"plan,omitempty"`
	Registration *Registration `json:"registration,omitempty"`
	// RecoveryTime is how long a point-in-time recovery counts, and then how long it goes back.
	RecoveryTime time.Duration `json:"recovery_time,omitempty"`
	// AnySchema takes custom attributes that the schema does not have: in pools of seeds.
	AnySchema bool `json:"any_schema,omitempty"`

	rules   *Rules
	index   *index
	history []past
}

// LambdaConfig is what the JSON API was told of a pool's triggers, all of it.
type LambdaConfig struct {
	PreSignUp                   string          `json:",omitempty"`
	CustomMessage               string          `json:",omitempty"`
	PostConfirmation            string          `json:",omitempty"`
	PreAuthentication           string          `json:",omitempty"`
	PostAuthentication          string          `json:",omitempty"`
	DefineAuthChallenge         string          `json:",omitempty"`
	CreateAuthChallenge         string          `json:",omitempty"`
	VerifyAuthChallengeResponse string          `json:",omitempty"`
	PreTokenGeneration          string          `json:",omitempty"`
	UserMigration               string          `json:",omitempty"`
	PreTokenGenerationConfig    *LambdaFunction `json:",omitempty"`
	InboundFederation           *LambdaFunction `json:",omitempty"`
	CustomSMSSender             *LambdaFunction `json:",omitempty"`
	CustomEmailSender           *LambdaFunction `json:",omitempty"`
	KMSKeyID                    string          `json:",omitempty"`
}

// LambdaFunction is a function and the version of the events that it understands.
type LambdaFunction struct {
	LambdaVersion string
	LambdaArn     string
}

// Client is an app client.
type Client struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	PoolID  string   `json:"pool_id"`
	Secrets []string `json:"secrets"` // none: a public client; two may be live at once
	// SecretDates are when the secrets were made; none: with the client.
	SecretDates []time.Time `json:"secret_dates,omitempty"`
	// SecretARN names the secret in Secrets Manager; empty: it is not kept there.
	SecretARN string `json:"secret_arn,omitempty"`
	// RotationEvery is how often Secrets Manager replaces it; zero: as AWS does.
	RotationEvery time.Duration `json:"rotation_every,omitempty"`
	// OwnSecret: who made the client chose the secret.
	OwnSecret bool `json:"own_secret,omitempty"`

	CallbackURLs []string `json:"callback_urls"`
	LogoutURLs   []string `json:"logout_urls"`
	Scopes       []string `json:"scopes"`
	Flows        []string `json:"flows"` // code, implicit, client_credentials

	IDTokenValidity      time.Duration `json:"id_token_validity"`
	AccessTokenValidity  time.Duration `json:"access_token_validity"`
	RefreshTokenValidity time.Duration `json:"refresh_token_validity"`
	Revocation           bool          `json:"revocation"`
	Rotation             bool          `json:"rotation"`
	RotationGrace        time.Duration `json:"rotation_grace"`

	// AuthFlows are ExplicitAuthFlows of the JSON API. None: Cognito's default.
	AuthFlows []string `json:"auth_flows,omitempty"`
	// TellUnknown has the JSON API say that a user does not exist, as Cognito does
	// where PreventUserExistenceErrors is LEGACY.
	TellUnknown bool `json:"tell_unknown,omitempty"`

	// Attributes that the client may read, and write; nil: all of them.
	ReadAttributes  []string `json:"read_attributes,omitempty"`
	WriteAttributes []string `json:"write_attributes,omitempty"`
	// ChallengeLifetime is AuthSessionValidity; zero: three minutes.
	ChallengeLifetime time.Duration `json:"challenge_lifetime,omitempty"`
	// Settings are all that the client was given by the API, of which the fields
	// above follow.
	Settings Settings `json:"settings,omitempty"`

	// Dynamic: it registered itself.
	Dynamic bool `json:"dynamic,omitempty"`

	// URL is the id by which a client from outside uses this one; see [Client.Named].
	URL string `json:"-"`

	DefaultRedirectURI string    `json:"default_redirect_uri,omitempty"`
	Created            time.Time `json:"created,omitzero"`
	Modified           time.Time `json:"modified,omitzero"`
}

// ExplicitAuthFlows are what an app client may sign people in with. The first of
// them are Cognito's default.
var ExplicitAuthFlows = []string{
	"ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH",
	"ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_USER_AUTH",
	"ALLOW_CLIENT_TOKEN_AUTH", "ALLOW_TOKEN_EXCHANGE_IMPERSONATION", "ALLOW_TOKEN_EXCHANGE_DELEGATION",
}

// Explicit returns the client's ExplicitAuthFlows. A client that rotates refresh
// tokens has no use for ALLOW_REFRESH_TOKEN_AUTH.
func (c Client) Explicit() []string {
	if c.AuthFlows != nil {
		return c.AuthFlows
	}
	if c.Rotation {
		return ExplicitAuthFlows[1:3]
	}
	return ExplicitAuthFlows[:3]
}

// AllowsAuth reports whether the client may use a flow of the JSON API.
// Those that have no ALLOW before them are the older names.
func (c Client) AllowsAuth(flow string) bool {
	older := map[string]string{"CUSTOM_AUTH": "CUSTOM_AUTH_FLOW_ONLY", "ADMIN_USER_PASSWORD_AUTH": "ADMIN_NO_SRP_AUTH"}[flow]
	flows := c.Explicit()
	if legacy(flows) && (flow == "REFRESH_TOKEN_AUTH" || flow == "USER_SRP_AUTH" && !slices.Contains(flows, "CUSTOM_AUTH_FLOW_ONLY")) {
		return true // which no older name turns on
	}
	return slices.Contains(flows, "ALLOW_"+flow) || slices.Contains(flows, flow) || older != "" && slices.Contains(flows, older)
}

// legacy reports whether flows are named by their older names.
func legacy(flows []string) bool {
	return len(flows) > 0 && !strings.HasPrefix(flows[0], "ALLOW_")
}

// Named is the id by which the client came.
func (c Client) Named() string { return cmp.Or(c.URL, c.ID) }

// Calls reports whether a redirect URI is one of the client's. They are compared to the
// letter: scheme, host, port, path and trailing slash. Only programs that have a metadata
// document may listen on any port of this machine (RFC 8252, section 7.3).
func (c Client) Calls(uri string) bool {
	if slices.Contains(c.CallbackURLs, uri) || c.URL == "" {
		return slices.Contains(c.CallbackURLs, uri)
	}
	asked, ok := withoutPort(uri)
	return ok && slices.ContainsFunc(c.CallbackURLs, func(own string) bool {
		known, ok := withoutPort(own)
		return ok && known == asked
	})
}

// withoutPort takes the port off an http URL of this machine.
func withoutPort(uri string) (string, bool) {
	u, err := url.Parse(uri)
	if err != nil || CheckURL(uri) != nil || u.Scheme != "http" || u.User != nil {
		return "", false
	}
	return "http://" + u.Hostname() + strings.TrimPrefix(uri, "http://"+u.Host), true
}

// Allows reports whether the client may use a flow.
func (c Client) Allows(flow string) bool { return slices.Contains(c.Flows, flow) }

// Status of a user, in Cognito's words.
const (
	Unconfirmed         = "UNCONFIRMED"
	Confirmed           = "CONFIRMED"
	ExternalProvider    = "EXTERNAL_PROVIDER"
	ResetRequired       = "RESET_REQUIRED"
	ForceChangePassword = "FORCE_CHANGE_PASSWORD"
)

// User is a user. Attributes hold sub, email, email_verified and the like, all
// strings, as in Cognito's API.
type User struct {
	// Order is the user's place in the pool's list: a later user has a higher one.
	Order      int64             `json:"order"`
	Username   string            `json:"username"`
	Attributes map[string]string `json:"attributes"`
	Enabled    bool              `json:"enabled"`
	Status     string            `json:"status"`
	Groups     []string          `json:"groups"`
	Created    time.Time         `json:"created"`
	Modified   time.Time         `json:"modified"`
	Password   string            `json:"password"` // hashed
	SRP        string            `json:"srp,omitempty"`
	Passwords  []string          `json:"passwords,omitempty"` // of before, hashed, the last first
	// PasswordExpires is when a temporary password stops working.
	PasswordExpires time.Time `json:"password_expires,omitzero"`

	Failures    int                    `json:"failures"`
	LockedUntil time.Time              `json:"locked_until"`
	Pending     map[string]pendingCode `json:"pending,omitempty"`  // by purpose
	Token       *Token                 `json:"token,omitempty"`    // replaced, never changed
	MFA         map[string]Factor      `json:"mfa,omitempty"`      // SMS and e-mail, by name; replaced, never changed
	Devices     []Device               `json:"devices,omitempty"`  // replaced, never changed
	Passkeys    []Passkey              `json:"passkeys,omitempty"` // replaced, never changed
	PasskeyMFA  bool                   `json:"passkey_mfa,omitempty"`
	// Links are the attributes of identities that were linked by another than the subject
	// and have not signed in yet, by linkKey; replaced, never changed.
	Links map[string]string `json:"links,omitempty"`
}

// Sub is the one attribute that names the user for ever.
func (u User) Sub() string { return u.Attributes["sub"] }

func (u *User) clone() User {
	c := *u
	c.Attributes = maps.Clone(u.Attributes)
	c.Groups = slices.Clone(u.Groups)
	c.Pending = maps.Clone(u.Pending)
	c.Passwords = slices.Clone(u.Passwords)
	return c
}

// Group is a group of users.
type Group struct {
	Name        string    `json:"name"`
	Description string    `json:"description,omitempty"`
	RoleARN     string    `json:"role_arn,omitempty"`
	Precedence  *int      `json:"precedence,omitempty"`
	Created     time.Time `json:"created"`
	Modified    time.Time `json:"modified"`
}

// ResourceServer defines custom scopes, {Identifier}/{scope}.
type ResourceServer struct {
	Identifier   string            `json:"identifier"`
	Name         string            `json:"name,omitempty"`
	Scopes       []string          `json:"scopes"`
	Descriptions map[string]string `json:"descriptions,omitempty"` // of scopes
}

// Grant is one refresh token and what it is good for.
type Grant struct {
	Hash     string    `json:"hash"`
	ClientID string    `json:"client_id"`
	URL      string    `json:"url,omitempty"` // of a client from outside, that uses this one
	Username string    `json:"username"`
	Sub      string    `json:"sub"`
	Scopes   []string  `json:"scopes"`
	Resource string    `json:"resource,omitempty"`
	Family   string    `json:"family"`        // origin_jti
	API      bool      `json:"api,omitempty"` // of a sign-in by the JSON API
	AuthTime time.Time `json:"auth_time"`
	ACR      string    `json:"acr,omitempty"` // of the sign-in, for all of the grant's life
	AMR      []string  `json:"amr,omitempty"`
	Expires  time.Time `json:"expires"`
	Revoked  bool      `json:"revoked"`
	// Of a pool that counts the sessions of its users.
	Session string    `json:"session,omitempty"`
	Origin  string    `json:"origin,omitempty"` // the session of the browser that it came out of
	Created time.Time `json:"created,omitzero"`
	Active  time.Time `json:"active,omitzero"`
	Device  string    `json:"device,omitempty"`
	IP      string    `json:"ip,omitempty"`
	// DeviceKey is of the device that it was issued to, which has to be named again.
	DeviceKey string `json:"device_key,omitempty"`
	// Replaced is when a rotated token stops working: at once, or after a grace.
	Replaced time.Time `json:"replaced,omitzero"`
}

// Error is a refusal in the words of Cognito's API.
type Error struct {
	Type    string // such as NotAuthorizedException
	Message string
}

func (e *Error) Error() string { return e.Type + ": " + e.Message }

func refuse(kind, message string) error { return &Error{kind, message} }

// The refusals that pages and endpoints tell apart, by Type.
const (
	NotAuthorized         = "NotAuthorizedException"
	UserNotFound          = "UserNotFoundException"
	UserNotConfirmed      = "UserNotConfirmedException"
	PasswordResetRequired = "PasswordResetRequiredException"
	UsernameExists        = "UsernameExistsException"
	AliasExists           = "AliasExistsException"
	InvalidPassword       = "InvalidPasswordException"
	InvalidParameter      = "InvalidParameterException"
	CodeMismatch          = "CodeMismatchException"
	ExpiredCode           = "ExpiredCodeException"
	LimitExceeded         = "LimitExceededException"
	ResourceNotFound      = "ResourceNotFoundException"
	GroupExists           = "GroupExistsException"
	UnsupportedUserState  = "UnsupportedUserStateException"
	PasswordHistory       = "PasswordHistoryPolicyViolationException"

	// Of triggers.
	UserLambdaValidation  = "UserLambdaValidationException"
	UnexpectedLambda      = "UnexpectedLambdaException"
	InvalidLambdaResponse = "InvalidLambdaResponseException"

	SoftwareTokenMFANotFound = "SoftwareTokenMFANotFoundException"
)

var (
	errNoUser   = refuse(UserNotFound, "User does not exist.")
	errLocked   = refuse(NotAuthorized, "Password attempts exceeded")
	errDisabled = refuse(NotAuthorized, "User is disabled.")
	errNoGroup  = refuse(ResourceNotFound, "Group not found.")
)
