package broker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/internal/sign"
	"github.com/codegrant/codegrant/session"
)

// Config is what [New] needs. Auth, Keys and Resources are required.
type Config struct {
	// Auth signs people in. Its sessions have to be in a store.
	Auth *codegrant.Auth
	// Issuer is who issues tokens: an origin such as https://app.example.com, or a URL with
	// a path. Defaults to Auth.Origin.
	Issuer string
	// Prefix is the path of the endpoints, on Issuer's origin. Defaults to /oauth.
	Prefix string
	// Resources are what tokens are for.
	Resources []Resource

	// Clients are those that need not register, and have no secret.
	Clients []Client
	// NoRegistration turns the registration of clients off, and NoDocuments the URLs of
	// documents as client ids. Default to false.
	NoRegistration, NoDocuments bool
	// RedirectHosts are the hosts that clients may have people sent to that register
	// themselves or have a document, over https: claude.ai, or *.example.com for those
	// below a domain. Programs on the person's own machine (http to localhost, 127.0.0.1 or
	// [::1], any port) may always. Defaults to no other.
	RedirectHosts []string
	// RedirectSchemes are the schemes of apps that such clients may have people sent to, in
	// reverse domain form (RFC 8252, section 7.1): com.example.app for
	// com.example.app:/callback. Any app on a device can claim a scheme, so that PKCE is all
	// that keeps a code from it. Defaults to none.
	RedirectSchemes []string

	// Keys seal what is kept and what browsers and clients carry; the keys that sign follow
	// from them. Every process of one server needs the same.
	Keys *session.Keyring
	// Algorithm is that of tokens: RS256, ES256 or EdDSA. Defaults to RS256, which every
	// verifier of such tokens knows.
	Algorithm string
	// Cupboard keeps what people have agreed to. Defaults to the memory of this process.
	Cupboard cupboard.Store

	// TokenLifetime is that of access tokens. Defaults to 10 minutes; at most an hour.
	TokenLifetime time.Duration
	// GrantLifetime is how long a client may refresh, at most: until then its tokens have
	// the groups that the pool's had when the person agreed, or where Auth has groups of a
	// replica, those of each refresh. It ends sooner with the session. Defaults to 24 hours; at most 90 days.
	GrantLifetime time.Duration

	// Wait returns how long the sender of a request must wait before it may register a
	// client or have a document fetched. 0: it may now. Defaults to 20 a minute for one
	// address. An IPv6 network of 64 bits counts as one address.
	Wait func(*http.Request) time.Duration
	// HTTPClient fetches documents. If you set it, make sure that it does not reach private
	// addresses. Defaults to a client that reaches only public addresses.
	HTTPClient *http.Client
	// OnEvent gets what was given and refused, for counters. It is called while
	// somebody waits. Defaults to nobody.
	OnEvent func(context.Context, Event)
	// Logger gets clients, what people agree to, and its end. Defaults to
	// [slog.Default].
	Logger *slog.Logger
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

// Resource is what tokens are for.
type Resource struct {
	// URL is the audience: exactly what clients are given, such as
	// https://app.example.com/mcp.
	URL string
	// Name is its name for people. Defaults to URL.
	Name string
	// Scopes may be granted. Default are those for clients that ask for none; nil: all.
	Scopes, Default []string
}

// Client is a client that need not register.
type Client struct {
	ID, Name     string
	RedirectURIs []string
}

// Broker is the authorization server. It is safe for concurrent use. Make one with [New].
type Broker struct {
	Config
	origin    string
	metadata  [2][]byte // by RFC 8414, and in the form of OpenID
	resources map[string]Resource
	clients   map[string]client
	macs      [][]byte
	signer    func() (*sign.Signer, error) // made with the first token: RSA keys take a moment
	checks    checks
	documents documents
	lasting   lasting
}

const (
	consentTime = 10 * time.Minute // to answer the page
	codeTime    = time.Minute      // to redeem a code
	unusedTime  = 24 * time.Hour   // for a client that has registered and that nobody has agreed to
	clientTime  = 90 * 24 * time.Hour
	maxGrant    = 90 * 24 * time.Hour
)

// Check reports every fault of the configuration at once, but for a missing Auth.
func (c Config) Check() error {
	_, err := c.build()
	return err
}

// New checks the configuration. It asks nobody anything.
func New(config Config) (*Broker, error) {
	if config.Auth == nil {
		return nil, errors.Join(errors.New("configure broker: Auth: it is missing"), config.Check())
	}
	return config.build()
}

func (c Config) build() (*Broker, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Issuer == "" && c.Auth != nil {
		c.Issuer = c.Auth.Origin()
	}
	c.Prefix = "/" + strings.Trim(cmp.Or(c.Prefix, "/oauth"), "/")
	c.Algorithm = cmp.Or(c.Algorithm, sign.RS256)
	c.TokenLifetime, c.GrantLifetime = cmp.Or(c.TokenLifetime, 10*time.Minute), cmp.Or(c.GrantLifetime, 24*time.Hour)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Cupboard == nil {
		c.Cupboard = cupboard.NewMemory(c.Now)
	}
	if c.Wait == nil {
		c.Wait = newWaiting(c.Now).wait
	}
	b := &Broker{Config: c, resources: make(map[string]Resource), clients: make(map[string]client)}
	issuer, err := urlOf(c.Issuer)
	if err != nil {
		fault("Issuer: %w", err)
		issuer = new(url.URL)
	}
	b.origin = issuer.Scheme + "://" + issuer.Host
	if strings.ContainsAny(c.Prefix, "?#%;\\ ") || strings.Contains(c.Prefix, "//") || strings.Contains(c.Prefix, "/.") {
		fault("Prefix: %q is not a path such as /oauth", c.Prefix)
	}
	if c.TokenLifetime < time.Minute || c.TokenLifetime > time.Hour {
		fault("TokenLifetime: %v is not between a minute and an hour", c.TokenLifetime)
	}
	if c.GrantLifetime < c.TokenLifetime || c.GrantLifetime > maxGrant {
		fault("GrantLifetime: %v is not between TokenLifetime and 90 days", c.GrantLifetime)
	}
	if len(c.Resources) == 0 {
		fault("Resources: one is needed, which tokens are for")
	}
	for i, r := range c.Resources {
		if _, err := urlOf(r.URL); err != nil {
			fault("Resources[%d]: %w", i, err)
		}
		if _, ok := b.resources[r.URL]; ok {
			fault("Resources[%d]: %s is there twice", i, r.URL)
		}
		for _, s := range append(append([]string(nil), r.Scopes...), r.Default...) {
			if !isScope(s) {
				fault("Resources[%d]: %q is not a scope", i, s)
			}
		}
		if r.Default == nil {
			r.Default = r.Scopes
		}
		b.resources[r.URL] = r
	}
	for i, host := range c.RedirectHosts {
		if bare := strings.TrimPrefix(host, "*."); bare == "" || strings.Trim(bare, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" || !strings.Contains(bare, ".") {
			fault("RedirectHosts[%d]: %q is not a host such as claude.ai or *.example.com, in lower case", i, host)
		}
	}
	for i, scheme := range c.RedirectSchemes {
		if !isOwnScheme(scheme) {
			fault("RedirectSchemes[%d]: %q is not a scheme in reverse domain form, such as com.example.app, in lower case", i, scheme)
		}
	}
	for i, own := range c.Clients {
		if own.ID == "" || !isVisible(own.ID) || len(own.ID) > 128 || isDocument(own.ID) || strings.HasPrefix(own.ID, registeredPrefix) {
			fault("Clients[%d]: %q is not an id of a client", i, own.ID)
		}
		for _, uri := range own.RedirectURIs {
			if _, err := parseRedirect(uri); err != nil {
				fault("Clients[%d]: %w", i, err)
			}
		}
		if len(own.RedirectURIs) == 0 {
			fault("Clients[%d]: it has no redirect URI", i)
		}
		b.clients[own.ID] = client{id: own.ID, Name: own.Name, Redirects: own.RedirectURIs}
	}
	if c.Keys == nil {
		fault("Keys: they are missing")
	} else {
		if b.macs, err = c.Keys.Derive("broker grants"); err != nil {
			fault("Keys: %w", err)
		}
		if _, ok := map[string]bool{sign.RS256: true, sign.ES256: true, sign.EdDSA: true}[c.Algorithm]; !ok {
			fault("Algorithm: %q is not one of RS256, ES256 and EdDSA", c.Algorithm)
		}
		b.signer = sync.OnceValues(func() (*sign.Signer, error) {
			keys, err := sign.Derive(c.Keys, "broker", c.Algorithm)
			if err != nil {
				return nil, err
			}
			return sign.New(keys)
		})
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("configure broker: %w", err)
	}
	b.documents.init(c.HTTPClient)
	b.metadata[0], b.metadata[1], err = b.newMetadata(issuer.EscapedPath())
	return b, err
}

// urlOf reads an issuer or a resource: https, or http on this machine.
func urlOf(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.ContainsAny(raw, "\"\\ #") || !isVisible(raw):
		return nil, fmt.Errorf("%q is not a URL such as https://app.example.com", raw)
	case u.Host != strings.ToLower(u.Host):
		return nil, fmt.Errorf("%q has a host in upper case, which clients compare as it is", raw)
	case u.Scheme != "https" && (u.Scheme != "http" || !isLocal(u.Hostname()) && !strings.HasSuffix(u.Hostname(), ".localhost")):
		return nil, fmt.Errorf("%q does not begin with https: plain http is only for this machine", raw)
	case strings.HasSuffix(u.Path, "/") && u.Path != "/" || raw == u.Scheme+"://"+u.Host+"/":
		return nil, fmt.Errorf("%q ends in a slash, which clients compare as it is", raw)
	}
	return u, nil
}

// isLocal reports whether a host is the person's own machine (RFC 8252, section 7.3).
func isLocal(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && (addr == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || addr == netip.IPv6Loopback())
}

// isVisible reports whether text is printable ASCII without blanks.
func isVisible(text string) bool {
	for _, c := range []byte(text) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// isScope knows RFC 6749, section 3.3.
func isScope(s string) bool {
	return s != "" && len(s) <= 256 && isVisible(s) && !strings.ContainsAny(s, `"\`)
}
