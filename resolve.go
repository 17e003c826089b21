package codegrant

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/codegrant/codegrant/internal/returnto"
	"github.com/codegrant/codegrant/session"
)

// settings is Config with defaults, checked.
type settings struct {
	Config
	secure    bool   // https, or any cookie rule that follows from it
	loopback  bool   // on this machine, where cookies of other ports come along
	atPort    string // in names of cookies there
	rules     *returnto.Rules
	cookie    session.Cookie // the session's
	binding   string         // what a session record is bound to
	unkeyed   bool           // Keys are of this process
	ownMarks  bool           // Marks were made here
	standards *standards     // what levels and ages are measured by
}

func (c Config) resolve() (settings, error) {
	var faults []error
	fault := func(field, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: %w", field, fmt.Errorf(format, args...)))
	}

	if c.BaseURL == "" && c.CallbackURL != "" {
		if u, err := url.Parse(c.CallbackURL); err == nil {
			c.BaseURL = u.Scheme + "://" + u.Host
		}
	}
	if c.BaseURL == "" {
		c.BaseURL = "http://localhost:8080"
	}
	base, err := parseOrigin(c.BaseURL)
	if err != nil {
		fault("BaseURL", "%w", err)
		base = &url.URL{Scheme: "https", Host: "invalid.invalid"}
	}
	c.BaseURL = base.Scheme + "://" + base.Host
	s := settings{secure: base.Scheme == "https", loopback: isLoopback(base.Hostname()), atPort: atPort(base)}

	if c.CallbackURL != "" && !onOrigin(c.CallbackURL, c.BaseURL) {
		fault("CallbackURL", "%q is not on BaseURL %s; the callback must come back to this service", c.CallbackURL, c.BaseURL)
	}
	c.TrustedOrigins = asBrowsersWrite(c.TrustedOrigins)
	s.rules, err = returnto.New(c.BaseURL, c.AllowedReturnOrigins)
	if err != nil {
		fault("AllowedReturnOrigins", "%w", err)
	} else {
		s.rules.Encoded = c.EncodedReturnPaths
	}
	if c.DefaultReturnURL == "" {
		c.DefaultReturnURL = "/"
	}
	if s.rules != nil {
		if c.DefaultReturnURL, err = s.rules.Check(c.DefaultReturnURL); err != nil {
			fault("DefaultReturnURL", "%w; use a path or list its origin in AllowedReturnOrigins", err)
		}
		if c.ErrorURL != "" {
			if c.ErrorURL, err = s.rules.Check(c.ErrorURL); err != nil {
				fault("ErrorURL", "%w; use a path or list its origin in AllowedReturnOrigins", err)
			}
		}
	}
	if len(c.SignOutURLs) == 0 {
		c.SignOutURLs = []string{c.DefaultReturnURL}
		if strings.HasPrefix(c.DefaultReturnURL, "/") {
			c.SignOutURLs[0] = c.BaseURL + c.DefaultReturnURL
		}
	}
	if len(c.Scopes) == 0 {
		c.Scopes = []string{"openid", "email", "profile"}
	}
	if !slices.Contains(c.Scopes, "openid") {
		fault("Scopes", "openid is missing; without it Cognito issues no ID token")
	}

	def := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	def(&c.IdleTimeout, 12*time.Hour)
	def(&c.AbsoluteTimeout, max(7*24*time.Hour, c.IdleTimeout))
	def(&c.RefreshLeeway, time.Minute)
	if c.IdleTimeout < time.Minute {
		fault("IdleTimeout", "%v is less than a minute", c.IdleTimeout)
	}
	if c.AbsoluteTimeout < c.IdleTimeout {
		fault("AbsoluteTimeout", "%v is less than IdleTimeout %v", c.AbsoluteTimeout, c.IdleTimeout)
	}
	if c.RefreshLeeway < 0 || c.RefreshLeeway > time.Hour {
		fault("RefreshLeeway", "%v is not between 0 and an hour", c.RefreshLeeway)
	}
	c.Own.check(fault)
	switch c.Groups {
	case GroupsOfToken:
	case GroupsOfReplica, GroupsOfBoth:
		if c.Replica == nil || c.UserMaxAge < 0 {
			fault("Groups", "%q needs a Replica that is looked at: set Replica, and UserMaxAge not below 0", c.Groups)
		}
		def(&c.UserMaxAge, defaultUserMaxAge)
	default:
		fault("Groups", "%q is neither empty, %q nor %q", c.Groups, GroupsOfReplica, GroupsOfBoth)
	}
	if others, ok := c.Replica.(interface{ WrittenByOthers() bool }); ok && others.WrittenByOthers() {
		def(&c.UserMaxAge, defaultUserMaxAge)
	}

	if s.standards = usual; len(c.Levels) > 0 || c.Now != nil {
		own := *usual
		if s.standards = &own; len(c.Levels) > 0 {
			own.levels = slices.Clone(c.Levels)
		}
		if c.Now != nil {
			own.now = c.Now
		}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if err := checkLevels(c.Levels); err != nil {
		fault("Levels", "%w", err)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	stored := c.Sessions != nil
	if c.Cupboard == nil {
		c.Cupboard = cupboardOf(c.Sessions)
	}
	if !stored {
		c.Sessions = session.NewMemoryStore(session.MemoryConfig{Now: c.Now})
	}
	if c.Keys == nil {
		s.unkeyed = true // what is sealed could not be read after a restart
		if shared, ok := c.Sessions.(interface{ Shared() bool }); ok && shared.Shared() {
			fault("Keys", "the session store is shared between processes, and so must the keys be; make one with session.NewKeyring")
		}
		c.Keys = session.RandomKeyring()
	}
	if err := checkActors(c.BearerActors); err != nil {
		fault("BearerActors", "%w", err)
	}
	if slices.Contains(c.Authenticators, nil) {
		fault("Authenticators", "one of them is nil")
	}

	s.cookie = session.Cookie{
		Name: c.CookieName, Domain: c.InsecureCookieDomain, Path: "/",
		Secure: s.secure, SameSite: http.SameSiteLaxMode,
	}
	if s.cookie.Name == "" {
		s.cookie.Name = "codegrant"
		if s.secure && c.InsecureCookieDomain == "" {
			s.cookie.Name = "__Host-codegrant"
		}
		if c.InsecureCookieDomain == "" {
			s.cookie.Name += s.atPort
		}
	}
	if c.SameSiteStrict {
		s.cookie.SameSite = http.SameSiteStrictMode
	}
	if err := s.cookie.Validate(); err != nil {
		fault("CookieName, InsecureCookieDomain", "%w", err)
	}
	if err := checkCookieDomain(c.InsecureCookieDomain, base.Hostname()); err != nil {
		fault("InsecureCookieDomain", "%w", err)
	}
	if err := checkCookieDomain(c.InsecureSharedTokensDomain, base.Hostname()); err != nil {
		fault("InsecureSharedTokensDomain", "%w", err)
	}
	if c.CookieSessions && (c.InsecureSharedTokensDomain != "" || stored) {
		fault("CookieSessions", "sessions are only in the browser: leave Sessions and InsecureSharedTokensDomain empty")
	}
	if c.InsecureCookieDomain != "" && c.InsecureSharedTokensDomain != "" {
		fault("InsecureCookieDomain, InsecureSharedTokensDomain", "choose one: siblings share the session cookie or the tokens")
	}
	s.Config = c
	return s, errors.Join(faults...)
}

// checkCookieDomain refuses a domain that browsers would drop a cookie for, or hand
// to strangers.
func checkCookieDomain(domain, host string) error {
	d := strings.TrimPrefix(strings.ToLower(domain), ".")
	if d == "" {
		return nil
	}
	if suffix, _ := publicsuffix.PublicSuffix(d); suffix == d {
		return fmt.Errorf("%s is a public suffix: strangers have hosts under it", d)
	}
	if host != d && !strings.HasSuffix(host, "."+d) {
		return fmt.Errorf("%s does not hold the host %s of BaseURL; browsers would drop the cookie", d, host)
	}
	if (&http.Cookie{Name: "x", Value: "x", Domain: domain}).Valid() != nil {
		return fmt.Errorf("%q is not a domain that cookies can have", domain)
	}
	return nil
}

// parseOrigin accepts https://host[:port], and http for this machine alone.
func parseOrigin(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || (u.Path != "" && u.Path != "/") {
		return nil, fmt.Errorf("%q is not an origin such as https://app.example.com", raw)
	}
	u.Host = strings.ToLower(u.Host)
	switch {
	case u.Scheme == "https":
		u.Host = strings.TrimSuffix(u.Host, ":443")
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		u.Host = strings.TrimSuffix(u.Host, ":80")
	default:
		return nil, fmt.Errorf("%q must begin with https; http is only for localhost, where cookies need no protection from the network", raw)
	}
	return u, nil
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}

func onOrigin(raw, origin string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Fragment != "" {
		return false
	}
	o, err := parseOrigin(u.Scheme + "://" + u.Host)
	return err == nil && o.Scheme+"://"+o.Host == origin
}
