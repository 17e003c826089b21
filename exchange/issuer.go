package exchange

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/internal/origins"
	"github.com/codegrant/codegrant/internal/sign"
	"github.com/codegrant/codegrant/session"
)

// IssuerConfig is what [NewIssuer] needs. URL and Keys are required.
type IssuerConfig struct {
	// URL is the claim iss, such as https://app.example.com/exchange. Services find the
	// keys below it, and by its metadata: see [Issuer.Handlers].
	URL string
	// Keys are those that signing keys follow from. Every process of one service needs
	// the same.
	Keys *session.Keyring
	// Algorithm is RS256, ES256 or EdDSA. Defaults to RS256, which every verifier of such
	// tokens knows.
	Algorithm string
	// Lifetime of a token, up to an hour. It ends sooner with the person's own token.
	// Defaults to 5 minutes.
	Lifetime time.Duration
}

// Issuer issues tokens by RFC 9068, signed by keys of its own, on any plan of a pool. Make
// one with [NewIssuer].
type Issuer struct {
	IssuerConfig
	signer   func() (*sign.Signer, error) // made with the first token: RSA keys take a moment
	metadata []byte
	path     string
}

// NewIssuer checks the configuration, and reports every fault of it.
func NewIssuer(config IssuerConfig) (*Issuer, error) {
	i := &Issuer{IssuerConfig: config}
	i.Algorithm, i.Lifetime = cmp.Or(i.Algorithm, sign.RS256), cmp.Or(i.Lifetime, 5*time.Minute)
	var faults []error
	u, err := url.Parse(i.URL)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.ContainsAny(i.URL, "\"\\ ?#%;") || !isVisible(i.URL),
		strings.Contains(u.Path, "//"), strings.Contains(u.Path, "/."):
		faults = append(faults, fmt.Errorf("URL: %.300q is not a URL such as https://app.example.com/exchange", i.URL))
	case u.Scheme != "https" && (u.Scheme != "http" || !origins.IsLoopback(u.Hostname())):
		faults = append(faults, fmt.Errorf("URL: %q does not begin with https; http is accepted only for this machine", i.URL))
	case strings.Trim(u.Path, "/") == "" || strings.HasSuffix(u.Path, "/"):
		faults = append(faults, fmt.Errorf("URL: %q has no path, or a slash at its end; give it one such as /exchange", i.URL))
	default:
		i.path = u.Path
	}
	if i.Lifetime < 10*time.Second || i.Lifetime > time.Hour {
		faults = append(faults, fmt.Errorf("lifetime %v is not between 10 seconds and an hour", i.Lifetime))
	}
	if !slices.Contains([]string{sign.RS256, sign.ES256, sign.EdDSA}, i.Algorithm) {
		faults = append(faults, fmt.Errorf("algorithm %q is not one of RS256, ES256 and EdDSA", i.Algorithm))
	}
	if i.Keys == nil {
		faults = append(faults, errors.New("keys are missing"))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("configure exchange: %w", errors.Join(faults...))
	}
	i.signer = sync.OnceValues(func() (*sign.Signer, error) {
		keys, err := sign.Derive(i.Keys, "exchange", i.Algorithm)
		if err != nil {
			return nil, err
		}
		return sign.New(keys)
	})
	i.metadata, err = json.Marshal(map[string]any{
		"issuer": i.URL, "jwks_uri": i.URL + jwksPath, "response_types_supported": []string{}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{i.Algorithm},
	})
	return i, err
}

const jwksPath = "/jwks.json"

// Paths are those of [Issuer.Handlers].
func (c IssuerConfig) Paths() []string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil
	}
	return []string{u.Path + jwksPath, u.Path + "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server" + u.Path}
}

// Handlers are what services read the keys at, by path: the keys, and the two documents
// that say where they are.
func (i *Issuer) Handlers() map[string]http.Handler {
	paths := i.Paths()
	document := serve("application/json", func() ([]byte, error) { return i.metadata, nil })
	keys := serve("application/jwk-set+json", func() ([]byte, error) {
		signer, err := i.signer()
		if err != nil {
			return nil, err
		}
		return signer.JWKS(), nil
	})
	return map[string]http.Handler{paths[0]: keys, paths[1]: document, paths[2]: document}
}

func serve(kind string, document func() ([]byte, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		body, err := document()
		if err != nil {
			http.Error(w, http.StatusText(http.StatusServiceUnavailable), http.StatusServiceUnavailable)
			return
		}
		h := w.Header()
		h.Set("Content-Type", kind)
		h.Set("Cache-Control", "public, max-age=300")
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(body)
	})
}

func (i *Issuer) check(Config) error { return nil }

// claims of a token (RFC 9068), but for those that say when.
type claims struct {
	Issuer   string   `json:"iss"`
	Subject  string   `json:"sub"`
	Audience string   `json:"aud"`
	Pool     string   `json:"pool_iss"` // whose person it is
	ClientID string   `json:"client_id,omitempty"`
	IssuedAt int64    `json:"iat"`
	Expires  int64    `json:"exp"`
	ID       string   `json:"jti,omitempty"`
	Scope    string   `json:"scope,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	AuthTime int64    `json:"auth_time,omitempty"`
	ACR      string   `json:"acr,omitempty"`
	AMR      []string `json:"amr,omitempty"`
	Actor    *acting  `json:"act,omitempty"`
}

// maxGroups bounds what a token says of groups, in bytes: of who has more, it says none.
const maxGroups = 4 << 10

func (i *Issuer) claims(id *codegrant.Identity) claims {
	c := claims{Issuer: i.URL, Subject: id.Subject, Pool: id.Issuer, ClientID: id.ClientID, Groups: id.Groups, ACR: id.ACR, AMR: id.AMR, Actor: actingOf(id.Actor, id.Issuer)}
	if !id.AuthTime.IsZero() {
		c.AuthTime = id.AuthTime.Unix()
	}
	size := 0
	for _, g := range id.Groups {
		size += len(g) + 3
	}
	if size > maxGroups {
		c.Groups = nil
	}
	return c
}

// actingOf names the issuer with each actor: the token has another one.
func actingOf(a *codegrant.Actor, issuer string) *acting {
	if a == nil {
		return nil
	}
	return &acting{Issuer: cmp.Or(a.Issuer, issuer), Subject: a.Subject, ClientID: a.ClientID, Before: actingOf(a.Before, issuer)}
}

// subject is all that a token says of somebody, and how long it may say so.
func (i *Issuer) subject(id *codegrant.Identity) (any, error) {
	return []any{i.claims(id), id.Scopes, id.Method, id.Expires.Unix()}, nil
}

func (i *Issuer) issue(_ context.Context, id *codegrant.Identity, w want) (string, time.Time, error) {
	scopes, err := scopesOf(id, w.scopes)
	if err != nil {
		return "", time.Time{}, err
	}
	until := earliest(w.now.Add(i.Lifetime), w.ends).Truncate(time.Second)
	if !until.After(w.now) {
		return "", time.Time{}, fmt.Errorf("%w: the person's own token has expired, and must be renewed first", codegrant.ErrUnavailable)
	}
	c := i.claims(id)
	c.Audience, c.IssuedAt, c.Expires, c.Scope = w.audience, w.now.Unix(), until.Unix(), strings.Join(scopes, " ")
	c.ID = session.NewHandle().RecordID()[:22]
	if w.actor {
		c.Actor = &acting{Issuer: i.URL, Subject: i.URL, Before: c.Actor}
	}
	signer, err := i.signer()
	if err != nil {
		return "", time.Time{}, fmt.Errorf("%w: sign the token: %w", codegrant.ErrUnavailable, err)
	}
	token, err := signer.Token("at+jwt", c)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("%w: sign the token: %w", codegrant.ErrUnavailable, err)
	}
	return token, until, nil
}

// scopesOf are those that somebody's token gives a service. A session is of the person
// themself, in an application of ours, whose tokens have scopes for the pool alone.
func scopesOf(id *codegrant.Identity, wanted []string) ([]string, error) {
	if len(wanted) == 0 {
		return id.Scopes, nil
	}
	if id.Method == codegrant.MethodSession && id.Actor == nil {
		return wanted, nil
	}
	var both []string
	for _, s := range wanted {
		if slices.Contains(id.Scopes, s) {
			both = append(both, s)
		}
	}
	if len(both) == 0 {
		return nil, fmt.Errorf("%w: the person's token has none of the scopes %s", codegrant.ErrForbidden, strings.Join(wanted, ", "))
	}
	return both, nil
}
