package codegrant

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/cognito"
)

// ConfigFromEnv reads a configuration from the environment, under the names that
// the Python package cognito_code_grant uses. Three settings are enough:
//
//	AUTH_COGNITO_CLIENT_ID       the app client
//	AUTH_COGNITO_CODE_GRANT_URL  https://<domain>/oauth2/token; the domain follows from it
//	AUTH_COGNITO_JWKS_URL        <issuer>/.well-known/jwks.json; the issuer follows from it
//
// Further names of the package:
//
//	AUTH_COGNITO_REDIRECT_URL    the page after a sign-in that did not begin at a page (DefaultReturnURL)
//	SITE_LOGIN_URL               the callback URL registered at Cognito (CallbackURL, BaseURL)
//	LOGIN_FORM_VIEW_URL          the page that shows sign-in errors (ErrorURL)
//	SHARED_TOKENS                true: tokens in cookies of SHARED_TOKENS_DOMAIN (InsecureSharedTokensDomain)
//	SHARED_TOKENS_DOMAIN         such as example.com
//	CLOUDFRONT_SIGNED_COOKIES    true: signed cookies for private files (CloudFront), with
//	  ..._KEY_PAIR_ID            the id of the public key
//	  ..._PRIVATE_KEY            the key itself, PEM; or ..._PRIVATE_KEY_FILE
//	  ..._RESOURCE               such as https://assets.example.com/private/*; a path such as
//	                             * is one on the host assets-v2 of the cookies' domain
//	  ..._DOMAIN                 the cookies' domain; the registrable domain of the site unless set
//
// Codegrant has these in addition:
//
//	CODEGRANT_CLIENT_SECRET      the app client's secret, if it has one
//	CODEGRANT_SECOND_CLIENT_SECRET  the second secret, while you rotate secrets
//	CODEGRANT_CLIENT_SECRET_ARN  or the ARN of the secret in Secrets Manager; set Pool.Secrets (package secret/awssecret) too
//	CODEGRANT_BASE_URL           the origin that browsers see
//	CODEGRANT_SIGN_OUT_URLS      registered sign-out URLs, separated by commas
//	CODEGRANT_SCOPES             scopes, separated by spaces
//	CODEGRANT_RETURN_ORIGINS     further origins to return to, separated by commas
//	CODEGRANT_TRUSTED_ORIGINS    further origins whose pages may send unsafe requests, separated by commas
//	CODEGRANT_MIGRATION_LINKS    true: accepts links made for the Python package (MigrationLinks)
//	CODEGRANT_ACCEPT_TOKENS      true: POST /session accepts tokens that a client has (AcceptTokens)
//	CODEGRANT_COOKIE_SESSIONS    true: sessions in cookies alone (CookieSessions)
//	CODEGRANT_COOKIE_NAME        name of the session cookie (CookieName)
//	CODEGRANT_COOKIE_DOMAIN      shares the session cookie with siblings (InsecureCookieDomain)
//	CODEGRANT_KEYS               sealing keys, 32 bytes each in base64, separated by commas, the newest first
//	CODEGRANT_KEYS_DIR           or a directory of them, one a file, followed as it changes: see [session.WatchKeys]
//	CODEGRANT_GROUPS             the source of groups: token, replica or both (Groups)
//	CODEGRANT_USER_MAX_AGE       such as 30s (UserMaxAge)
//	CODEGRANT_IDLE_TIMEOUT       such as 12h
//	CODEGRANT_ABSOLUTE_TIMEOUT   such as 168h
//
// CODEGRANT_CLIENT_SECRET_FILE, CODEGRANT_SECOND_CLIENT_SECRET_FILE and
// CODEGRANT_KEYS_FILE name files to read the secrets from instead; the first is read
// again for each call of the pool. The error names every fault at once; no value of a
// secret is part of it.
func ConfigFromEnv() (Config, error) { return configFrom(os.LookupEnv) }

type environment struct {
	lookup func(string) (string, bool)
	faults []error
}

func configFrom(lookup func(string) (string, bool)) (Config, error) {
	env := &environment{lookup: lookup}
	c := Config{
		Groups:               env.groups("CODEGRANT_GROUPS"),
		UserMaxAge:           env.duration("CODEGRANT_USER_MAX_AGE"),
		BaseURL:              env.get("CODEGRANT_BASE_URL"),
		CallbackURL:          env.get("SITE_LOGIN_URL"),
		DefaultReturnURL:     env.get("AUTH_COGNITO_REDIRECT_URL"),
		ErrorURL:             env.get("LOGIN_FORM_VIEW_URL"),
		SignOutURLs:          env.list("CODEGRANT_SIGN_OUT_URLS", ","),
		Scopes:               env.list("CODEGRANT_SCOPES", " "),
		AllowedReturnOrigins: env.list("CODEGRANT_RETURN_ORIGINS", ","),
		TrustedOrigins:       env.list("CODEGRANT_TRUSTED_ORIGINS", ","),
		MigrationLinks:       env.boolean("CODEGRANT_MIGRATION_LINKS"),
		AcceptTokens:         env.boolean("CODEGRANT_ACCEPT_TOKENS"),
		CookieSessions:       env.boolean("CODEGRANT_COOKIE_SESSIONS"),
		CookieName:           env.get("CODEGRANT_COOKIE_NAME"),
		InsecureCookieDomain: env.get("CODEGRANT_COOKIE_DOMAIN"),
		IdleTimeout:          env.duration("CODEGRANT_IDLE_TIMEOUT"),
		AbsoluteTimeout:      env.duration("CODEGRANT_ABSOLUTE_TIMEOUT"),
		Keys:                 env.keys("CODEGRANT_KEYS"),
	}
	clientID, grantURL, jwksURL := env.required("AUTH_COGNITO_CLIENT_ID"),
		env.required("AUTH_COGNITO_CODE_GRANT_URL"), env.required("AUTH_COGNITO_JWKS_URL")
	if clientID != "" && grantURL != "" && jwksURL != "" {
		pool, err := cognito.PoolFromURLs(clientID, grantURL, jwksURL)
		if err != nil {
			env.fault("AUTH_COGNITO_CLIENT_ID, AUTH_COGNITO_CODE_GRANT_URL, AUTH_COGNITO_JWKS_URL", err)
		}
		c.Pool = pool
	}
	if shared, domain := env.boolean("SHARED_TOKENS"), env.get("SHARED_TOKENS_DOMAIN"); shared && domain == "" {
		env.fault("SHARED_TOKENS_DOMAIN", errors.New("is not set, and SHARED_TOKENS is on; set it to the domain that the backends share"))
	} else if shared {
		c.InsecureSharedTokensDomain = domain
	}
	if env.boolean("CLOUDFRONT_SIGNED_COOKIES") {
		c.CloudFront = env.cloudFront(cmp.Or(c.BaseURL, c.CallbackURL))
	}
	env.clientSecret(&c.Pool)

	// The package's settings are whole URLs of an application that may live on
	// another origin than its API; naming them there is allowing them.
	for _, target := range []string{c.DefaultReturnURL, c.ErrorURL} {
		if u, err := url.Parse(target); err == nil && u.Host != "" {
			if origin := u.Scheme + "://" + u.Host; !slices.Contains(c.AllowedReturnOrigins, origin) {
				c.AllowedReturnOrigins = append(c.AllowedReturnOrigins, origin)
			}
		}
	}
	if len(env.faults) > 0 {
		return Config{}, fmt.Errorf("read settings from the environment: %w", errors.Join(env.faults...))
	}
	return c, nil
}

func (e *environment) fault(name string, err error) {
	e.faults = append(e.faults, fmt.Errorf("%s: %w", name, err))
}

func (e *environment) get(name string) string {
	value, _ := e.lookup(name)
	return strings.TrimSpace(value)
}

func (e *environment) required(name string) string {
	value := e.get(name)
	if value == "" {
		e.fault(name, errors.New("is not set"))
	}
	return value
}

// boolean also understands what Python prints.
func (e *environment) boolean(name string) bool {
	value := strings.ToLower(e.get(name))
	switch value {
	case "true", "1", "yes", "on":
		return true
	case "", "false", "0", "no", "off", "none":
		return false
	}
	e.fault(name, fmt.Errorf("%q is neither true nor false", value))
	return false
}

func (e *environment) groups(name string) GroupSource {
	value := e.get(name)
	if value == "token" {
		return GroupsOfToken
	}
	return GroupSource(value) // which New judges
}

func (e *environment) list(name, separator string) []string {
	var items []string
	for item := range strings.SplitSeq(e.get(name), separator) {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

func (e *environment) duration(name string) time.Duration {
	value := e.get(name)
	if value == "" {
		return 0
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		e.fault(name, fmt.Errorf("%q is not a duration such as 12h or 30m", value))
	}
	return d
}
