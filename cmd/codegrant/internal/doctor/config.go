package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/session"
)

// Checks speak of variables of the environment. Who wrote a file is told its keys, and
// nobody the names that programs in Go know settings by. Longer names go first.
var (
	wordsOfFile = strings.NewReplacer(
		"CODEGRANT_CLIENT_SECRET_ARN=", "client_secret_arn: ", "CODEGRANT_CLIENT_SECRET_ARN", "client_secret_arn",
		"CODEGRANT_SECOND_CLIENT_SECRET", "second_client_secret", "CODEGRANT_CLIENT_SECRET_FILE", "client_secret_file", "CODEGRANT_CLIENT_SECRET", "client_secret",
		"AUTH_COGNITO_CLIENT_ID", "client_id", "AUTH_COGNITO_CODE_GRANT_URL", "code_grant_url (or domain)", "AUTH_COGNITO_JWKS_URL", "jwks_url (or id)",
		"CODEGRANT_SCOPES", "scopes", "CODEGRANT_TRUSTED_ORIGINS", "trusted_origins", "CODEGRANT_SIGN_OUT_URLS", "sign_out_urls",
		"CODEGRANT_COOKIE_DOMAIN", "cookie_domain", "CODEGRANT_BASE_URL", "base_url", "SITE_LOGIN_URL", "callback_url", "check --database", "check database", "the user in --database", "the user in database",
	)
	wordsOfEnvironment = strings.NewReplacer(
		"CallbackURLs", "CallbackURLs", // of the app client, in commands
		"ErrorURL", "LOGIN_FORM_VIEW_URL", "Scopes: ", "CODEGRANT_SCOPES: ", "Groups: ", "CODEGRANT_GROUPS: ", "Keys: ", "CODEGRANT_KEYS: ",
		"CloudFront: ", "CLOUDFRONT_SIGNED_COOKIES: ", "Resources[0]", "CLOUDFRONT_SIGNED_COOKIES_RESOURCE", "; set Domain", "; set CLOUDFRONT_SIGNED_COOKIES_DOMAIN",
		"leave Sessions and InsecureSharedTokensDomain empty", "leave SHARED_TOKENS_DOMAIN empty",
		"set Replica, and UserMaxAge not below 0", "set CODEGRANT_USER_MAX_AGE to 0 or more",
		"InsecureSharedTokensDomain", "SHARED_TOKENS_DOMAIN", "InsecureCookieDomain", "CODEGRANT_COOKIE_DOMAIN", "AllowedReturnOrigins", "CODEGRANT_RETURN_ORIGINS",
		"TrustedOrigins", "CODEGRANT_TRUSTED_ORIGINS", "DefaultReturnURL", "AUTH_COGNITO_REDIRECT_URL", "SignOutURLs", "CODEGRANT_SIGN_OUT_URLS",
		"AbsoluteTimeout", "CODEGRANT_ABSOLUTE_TIMEOUT", "IdleTimeout", "CODEGRANT_IDLE_TIMEOUT", "CookieSessions", "CODEGRANT_COOKIE_SESSIONS",
		"CookieName", "CODEGRANT_COOKIE_NAME", "CallbackURL", "SITE_LOGIN_URL", "UserMaxAge", "CODEGRANT_USER_MAX_AGE", "BaseURL", "CODEGRANT_BASE_URL",
	)
)

// configuration looks at all that a configuration of codegrant serve names.
func (e *examination) configuration(ctx context.Context, file string) {
	e.file = file
	s, err := parts.Load(file, settings.Options{Keys: session.RandomKeyring(), Secrets: parts.OpenClientSecret})
	if err != nil {
		var faults *settings.Error
		if !errors.As(err, &faults) {
			e.fault("settings", "name the configuration with --config", "%v", err)
			return
		}
		for _, f := range faults.Faults {
			e.fault("settings", mendLine(f)+", then run codegrant serve --check --config "+file, "%v", f)
		}
		return
	}
	e.fine("settings", "%s: %s, %s, sessions in %s", file, terminal.Plural(len(s.Pools), "pool"), terminal.Plural(len(s.Routes), "route"), s.Sessions)
	for _, w := range s.Warnings {
		e.warn("settings", mendLine(w)+" as this says: docs/gateway.md has its key; codegrant serve --check --config "+file+" reads it again", "%v", w)
	}
	for _, p := range s.Pools {
		c := p.Config
		if c.CallbackURL == "" {
			c.CallbackURL = strings.TrimSuffix(c.BaseURL, "/") + p.Prefix + "/callback"
		}
		e.of = p.Name
		e.pool(ctx, c)
		e.unknownClients(ctx, s, p)
	}
	e.of = ""
	e.running(ctx, s)
	e.front(s)
	if s.Database.URL != "" {
		e.database(ctx, s.Database.URL.Reveal(), s.Replica.Django)
		e.tablesOfFeatures(ctx, s)
	}
	if s.Replica.Enabled {
		e.sync(ctx, s)
	}
	if s.RedisURL != "" {
		e.redis(ctx, s.RedisURL.Reveal())
	}
	e.certificate(s.Certificate)
	seen := make(map[string]bool)
	for _, route := range s.Routes {
		if route.Upstream == nil {
			continue
		}
		for _, target := range route.Upstream.URLs {
			if !seen[target] {
				seen[target] = true
				e.upstream(ctx, target)
			}
		}
	}
}

// mendLine names what is to be changed.
func mendLine(f settings.Fault) string {
	text := "correct "
	if f.Key != "" {
		text += f.Key + " in "
	}
	text += f.File
	if f.Line > 0 {
		text += fmt.Sprintf(", line %d", f.Line)
	}
	return text
}

func (e *examination) redis(ctx context.Context, raw string) {
	if err := parts.AskRedis(ctx, raw); err != nil {
		e.fault("redis", "check redis: host, port, user and password, and that the server runs", "does not answer: %v", err)
		return
	}
	e.fine("redis", "answers")
}

// expiresSoon leaves a week and two tries to whoever renews certificates monthly.
const expiresSoon = 21 * 24 * time.Hour

func (e *examination) certificate(c *settings.Certificate) {
	if c == nil || c.Expires.IsZero() {
		return
	}
	const fix = "replace the file in tls.certificate_file; codegrant serve reads it again without a restart"
	at := c.Expires.UTC().Format(time.RFC3339)
	switch left := c.Expires.Sub(e.now()); {
	case left <= 0:
		e.fault("tls", fix, "the certificate expired at %s", at)
	case left < expiresSoon:
		e.warn("tls", fix, "the certificate expires at %s", at)
	default:
		e.fine("tls", "the certificate is valid until %s", at)
	}
}

// upstream says whether anybody takes connections at a server.
func (e *examination) upstream(ctx context.Context, target string) {
	u, err := url.Parse(target)
	if err != nil {
		return // said with the settings
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		e.fault("upstream", "start it, or correct its URL in routes: [{upstream: …}]; requests for it get 502", "%s://%s does not accept connections: %v", u.Scheme, u.Host, err)
		return
	}
	_ = conn.Close()
	e.fine("upstream", "%s://%s accepts connections", u.Scheme, u.Host)
}
