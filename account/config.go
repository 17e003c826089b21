package account

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/replica"
)

// Scope is the scope that an access token needs to change an account. Add it to the scopes
// of Auth ([codegrant.Config].Scopes), and allow it for the app client.
const Scope = "aws.cognito.signin.user.admin"

// Config configures [Pages]. Auth and Pool are required.
type Config struct {
	// Auth signs people in, and asks for [Scope].
	Auth *codegrant.Auth
	// Pool is that of Auth.
	Pool cognito.Pool
	// Prefix is where Auth is mounted. Defaults to /auth: the pages are below /auth/account.
	Prefix string

	// Attributes are what people see and change in their profile, in this order. The app
	// client must be allowed to read and write them. The e-mail address and the phone number
	// have their own pages, with a code. Defaults to [StandardAttributes].
	Attributes []Attribute
	// Hide leaves out pages, such as the password page if people sign in elsewhere. Defaults
	// to none.
	Hide []Page
	// SignInWithin is the maximum age of a sign-in for changes other than to the profile. If
	// it is older, people must sign in again. Defaults to 10 minutes; a minute to a day.
	SignInWithin time.Duration
	// Name is what authenticator apps call this service. Defaults to the host of Auth.Origin.
	Name string

	// PasskeyReturn is where managed login sends people after they add a passkey: a callback
	// URL of the app client, such as https://app.example.com/auth/account/passkeys. Defaults
	// to the callback URL of Auth at Prefix. From there, people go to
	// [codegrant.Config].DefaultReturnURL.
	PasskeyReturn string

	// Replica is updated when an account is deleted. Defaults to none.
	Replica replica.Store
	// LinkIdentities adds a page on which people link another way to sign in with the account, and
	// unlink it. Replica must be a [replica.Linker]. Your application is notified of it as of
	// every merge of people, and moves its rows. Defaults to false.
	LinkIdentities bool
	// HTTPClient speaks to Cognito. Defaults to one with timeouts of its own.
	HTTPClient *http.Client
	// Logger gets what people change, never the values. Defaults to [slog.Default].
	Logger *slog.Logger
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

// Page is one of the pages.
type Page string

// The pages that [Config].Hide can leave out.
const (
	PasswordPage      Page = "password"
	AuthenticatorPage Page = "authenticator"
	PasskeysPage      Page = "passkeys"
	DeletionPage      Page = "delete"
)

// Attribute is an attribute of a profile.
type Attribute struct {
	// Name is the pool's, such as given_name or custom:team.
	Name string
	// Label is what people read. Defaults to a word in the language of the page for standard
	// attributes, and to Name for others.
	Label string
	// ReadOnly shows the attribute, but nobody can change it.
	ReadOnly bool
}

// StandardAttributes returns the e-mail address and the most common standard attributes.
func StandardAttributes() []Attribute {
	return []Attribute{{Name: email}, {Name: "name"}, {Name: "given_name"}, {Name: "family_name"}, {Name: "nickname"}, {Name: "birthdate"}, {Name: "website"}, {Name: "locale"}, {Name: "zoneinfo"}}
}

// Pages are the handler of the pages. It is safe for concurrent use. Make one with [New].
type Pages struct {
	Config
	client   *cognito.Client
	people   replica.Linker
	home     string // path of the first page
	attempts attempts
	pages    map[string]http.Handler
}

var attributeName = regexp.MustCompile(`^(custom:)?[A-Za-z0-9_.-]{1,32}$`)

// notToChange are attributes that say what the pool has found out, or who somebody is.
var notToChange = []string{"sub", "email_verified", "phone_number_verified", "identities", "updated_at"}

// Check returns all mistakes in the configuration, except a missing Auth.
func (c Config) Check() error {
	_, err := c.build()
	return err
}

// New checks the configuration. It makes no network calls.
func New(config Config) (*Pages, error) {
	if config.Auth == nil {
		return nil, errors.Join(errors.New("configure account: Auth: it is missing"), config.Check())
	}
	if _, ok := config.Replica.(replica.Linker); config.LinkIdentities && !ok {
		return nil, errors.Join(errors.New("configure account: LinkIdentities: Replica cannot link identities"), config.Check())
	}
	return config.build()
}

func (c Config) build() (*Pages, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Prefix = "/" + strings.Trim(cmp.Or(c.Prefix, "/auth"), "/")
	if strings.ContainsAny(c.Prefix, "?#%;\\ ") || strings.Contains(c.Prefix, "//") || strings.Contains(c.Prefix, "/.") {
		fault("Prefix: %q is not a path such as /auth", c.Prefix)
	}
	if c.Attributes == nil {
		c.Attributes = StandardAttributes()
	}
	for i, a := range c.Attributes {
		switch {
		case !attributeName.MatchString(a.Name):
			fault("Attributes[%d]: %q is not a name of an attribute", i, a.Name)
		case slices.ContainsFunc(c.Attributes[:i], func(o Attribute) bool { return o.Name == a.Name }):
			fault("Attributes[%d]: %s is there twice", i, a.Name)
		case !a.ReadOnly && slices.Contains(notToChange, a.Name):
			fault("Attributes[%d]: nobody can write %s; make it ReadOnly", i, a.Name)
		}
	}
	for i, page := range c.Hide {
		if !slices.Contains([]Page{PasswordPage, AuthenticatorPage, PasskeysPage, DeletionPage}, page) {
			fault("Hide[%d]: %q is not one of password, authenticator, passkeys and delete", i, page)
		}
	}
	c.SignInWithin = cmp.Or(c.SignInWithin, 10*time.Minute)
	if c.SignInWithin < time.Minute || c.SignInWithin > 24*time.Hour {
		fault("SignInWithin: %v is not between a minute and a day", c.SignInWithin)
	}
	if u, err := url.Parse(c.PasskeyReturn); err != nil || c.PasskeyReturn != "" && (u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		fault("PasskeyReturn: %q is not a URL such as https://app.example.com/auth/account/passkeys", c.PasskeyReturn)
	}
	if c.Name == "" && c.Auth != nil {
		if u, err := url.Parse(c.Auth.Origin()); err == nil {
			c.Name = u.Hostname()
		}
	}
	p := &Pages{Config: c, home: strings.TrimSuffix(c.Prefix, "/") + "/account", attempts: attempts{now: c.Now}}
	client, err := cognito.New(cognito.Config{Pool: c.Pool, HTTPClient: c.HTTPClient, Logger: c.Logger})
	if err != nil {
		fault("Pool: %w", err)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("configure account: %w", err)
	}
	p.client = client
	p.people, _ = c.Replica.(replica.Linker)
	p.mount()
	return p, nil
}
