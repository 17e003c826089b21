package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/internal/origins"
	"github.com/codegrant/codegrant/session"
)

// Config is what [New] needs. Name, Auth, AuthorizeURL, TokenURL, ClientID and Keys are
// required.
type Config struct {
	// Name is of letters, digits and '-': the endpoints are below /upstream/ and it.
	Name string
	// Auth signs people in. Its sessions have to be in a store.
	Auth *codegrant.Auth

	// The endpoints of the other server. AuthorizeURL may have a query, such as
	// access_type=offline. Without RevokeURL, tokens are forgotten and not revoked.
	AuthorizeURL, TokenURL, RevokeURL string
	// Issuer is what answers have to name (iss, RFC 9207). Empty: nothing.
	Issuer string
	// ClientID and ClientSecret are what the other server knows this service by.
	ClientID     string
	ClientSecret cognito.Secret
	// SecretInForm sends the secret in the form, in place of the header Authorization.
	SecretInForm bool
	// Scopes to ask for.
	Scopes []string

	// Keys seal what is kept and what browsers carry.
	Keys *session.Keyring
	// Cupboard keeps tokens. Defaults to the memory of this process.
	Cupboard cupboard.Store
	// Unsaved has the tokens that Cupboard did not take. Give it to the Upstream that takes the
	// place of another in this process, on the same Cupboard. Defaults to one without tokens.
	Unsaved *Unsaved
	// HTTPClient speaks to the other server. It is made to follow no redirects. Defaults to
	// one with a timeout of ten seconds.
	HTTPClient *http.Client
	// OnEvent gets consents, renewals and revocations, for counters. It is called while
	// somebody waits. A panic of it is logged, and changes nothing. Defaults to nobody.
	OnEvent func(context.Context, Event)
	// Logger gets consents and their end, never a token. Defaults to [slog.Default].
	Logger *slog.Logger
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

// Upstream has people's tokens of one other server. It is safe for concurrent use. Make one
// with [New].
type Upstream struct {
	Config
	client http.Client

	mu         sync.Mutex // guards what follows
	young, old map[string]*known
}

// known is what was found a moment ago.
type known struct {
	mu    sync.Mutex // held by whoever asks: the others wait for the answer
	at    time.Time
	token string
	err   error
}

const (
	checkEvery = 500 * time.Millisecond // how long an answer counts
	maxKnown   = 8 << 10
	leeway     = 30 * time.Second // before its end a token is renewed
	leaseTime  = 20 * time.Second // for one renewal
	swapTime   = 5 * time.Second  // to keep its result
	keepTime   = 100 * 24 * time.Hour
)

// kinds are the shelves.
var (
	tokens = cupboard.Kind{Name: "upstream-token", MaxRecords: 1_000_000, MaxOfPerson: 64, MaxBytes: 128 << 10}
	states = cupboard.Kind{Name: "upstream-state", MaxRecords: 1_000_000, MaxOfPerson: 256, MaxBytes: 64}
)

// Check reports every fault of the configuration, but for a missing Auth.
func (c Config) Check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Name == "" || len(c.Name) > 32 || strings.Trim(c.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		fault("Name: %.64q is not of lower-case letters, digits and '-'", c.Name)
	}
	for _, at := range []struct {
		name, raw string
		optional  bool
	}{{"AuthorizeURL", c.AuthorizeURL, false}, {"TokenURL", c.TokenURL, false}, {"RevokeURL", c.RevokeURL, true}} {
		u, err := url.Parse(at.raw)
		switch {
		case at.raw == "" && at.optional:
		case err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || !isVisible(at.raw):
			fault("%s: %.200q is not a URL such as https://github.com/login/oauth/authorize", at.name, at.raw)
		case u.Scheme != "https" && (u.Scheme != "http" || !origins.IsLoopback(u.Hostname())):
			fault("%s: %.200q does not begin with https; http is accepted only for this machine", at.name, at.raw)
		}
	}
	if c.ClientID == "" || !isVisible(c.ClientID) {
		fault("ClientID: %.64q is not valid", c.ClientID)
	}
	for _, s := range c.Scopes {
		if s == "" || !isVisible(s) {
			fault("Scopes: %.64q is not a scope", s)
		}
	}
	if c.Keys == nil {
		fault("Keys: they are missing")
	}
	if len(faults) > 0 {
		return fmt.Errorf("configure upstream: %w", errors.Join(faults...))
	}
	return nil
}

// New checks the configuration. It sends nothing.
func New(config Config) (*Upstream, error) {
	if err := config.Check(); err != nil || config.Auth == nil {
		if config.Auth == nil {
			err = errors.Join(errors.New("configure upstream: Auth: it is missing"), err)
		}
		return nil, err
	}
	return build(config), nil
}

func build(config Config) *Upstream {
	u := &Upstream{Config: config}
	if u.Logger == nil {
		u.Logger = slog.Default()
	}
	if u.Now == nil {
		u.Now = time.Now
	}
	if u.Cupboard == nil {
		u.Cupboard = cupboard.NewMemory(u.Now)
	}
	if u.Unsaved == nil {
		u.Unsaved = new(Unsaved)
	}
	u.client.Timeout = 10 * time.Second
	if u.HTTPClient != nil {
		u.client = *u.HTTPClient
	}
	u.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	u.client.Jar = nil
	return u
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

// held is what somebody has agreed to, as it is kept.
type held struct {
	Access   string    `json:"access"`
	Refresh  string    `json:"refresh,omitempty"`
	Expires  time.Time `json:"expires"` // zero: nobody has said
	Leased   time.Time `json:"leased"`  // until then, somebody renews it; zero: nobody, and nobody began to
	Name     string    `json:"name"`
	Issuer   string    `json:"iss"`
	Subject  string    `json:"sub"`
	AuthTime time.Time `json:"auth_time"`
	Session  string    `json:"sid"`
}

const seal = "upstream token"

func (u *Upstream) key(issuer, subject string) string { return keyOf(u.Name, issuer, subject) }

func keyOf(name, issuer, subject string) string {
	return cupboard.Key("upstream", name, issuer, subject)
}

func (u *Upstream) record(h held, version int64) (cupboard.Record, error) {
	key := u.key(h.Issuer, h.Subject)
	text, err := json.Marshal(h)
	if err != nil {
		return cupboard.Record{}, err
	}
	return cupboard.Record{Key: key, Person: h.Subject, Version: version, Value: []byte(u.Keys.Seal(seal, text, []byte(key))), Until: u.Now().Add(keepTime)}, nil
}

// open reads a record of this server's.
func (u *Upstream) open(r cupboard.Record) (h held, ok bool) {
	h, ok = read(u.Keys, r)
	return h, ok && h.Name == u.Name
}

func (u *Upstream) of(key string) *known {
	u.mu.Lock()
	defer u.mu.Unlock()
	k, ok := u.young[key]
	if !ok {
		if k, ok = u.old[key]; !ok {
			k = new(known)
		}
		if u.young == nil || len(u.young) >= maxKnown {
			u.young, u.old = make(map[string]*known), u.young
		}
		u.young[key] = k
	}
	return k
}

// Token returns somebody's token at the other server. An error is a [ConsentError] where
// they have not agreed yet, [codegrant.ErrForbidden] where there is no person, and otherwise
// [codegrant.ErrUnavailable].
func (u *Upstream) Token(ctx context.Context, id *codegrant.Identity) (string, error) {
	if id == nil || id.Machine || id.Subject == "" {
		return "", fmt.Errorf("%w: the request has no person, and so no consent", codegrant.ErrForbidden)
	}
	k := u.of(u.key(id.Issuer, id.Subject))
	k.mu.Lock()
	defer k.mu.Unlock()
	if age := u.Now().Sub(k.at); !k.at.IsZero() && age >= 0 && age < checkEvery {
		return k.token, k.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseTime)
	defer cancel()
	k.token, k.err = u.find(ctx, id)
	if k.at = u.Now(); errors.As(k.err, new(*ConsentError)) {
		k.at = time.Time{} // they may agree now, in another process
	}
	return k.token, k.err
}

func away(what string, err error) error {
	return fmt.Errorf("%w: %s: %w", codegrant.ErrUnavailable, what, err)
}

// find looks for a token that is good, and renews it where that is due.
func (u *Upstream) find(ctx context.Context, id *codegrant.Identity) (string, error) {
	missing := &ConsentError{Name: u.Name, URL: u.Auth.Origin() + u.path("/connect")}
	for {
		r, err := u.Cupboard.Get(ctx, tokens, u.key(id.Issuer, id.Subject))
		if errors.Is(err, cupboard.ErrNotFound) {
			return "", missing
		}
		if err != nil {
			return "", away("look for the token", err)
		}
		h, ok := u.open(r)
		if !ok {
			return "", missing // sealed by keys that are gone: a new consent takes its place
		}
		if h.Session != id.SessionID() {
			over, err := u.over(ctx, h)
			if err != nil {
				return "", away("look for the session in which the person agreed", err)
			}
			if over {
				u.end(ctx, h, "the session in which the person agreed is over")
				return "", missing
			}
		}
		now := u.Now()
		if left, ok := u.carried(r.Key); ok && left.old.is(h) {
			_ = u.save(ctx, r.Key) // or later
			h = left.held
		}
		if h.Expires.IsZero() || now.Before(h.Expires.Add(-leeway)) {
			return h.Access, nil
		}
		if now.Before(h.Leased) {
			select { // another process renews it
			case <-time.After(100 * time.Millisecond):
				continue
			case <-ctx.Done():
				return "", away("wait for the renewal", ctx.Err())
			}
		}
		if !h.Leased.IsZero() && now.Before(h.Leased.Add(unsureTime)) {
			return "", errUnsure
		}
		token, again, err := u.renew(ctx, h, r.Version)
		switch {
		case again:
		case errors.Is(err, errGone):
			return "", missing
		default:
			return token, err
		}
	}
}

// over reports whether what somebody agreed to has ended.
func (u *Upstream) over(ctx context.Context, h held) (bool, error) {
	_, err := u.Auth.StillSignedIn(ctx, &codegrant.Identity{Issuer: h.Issuer, Subject: h.Subject, AuthTime: h.AuthTime}, h.Session)
	if errors.Is(err, codegrant.ErrUnavailable) {
		return false, err
	}
	return err != nil, nil
}

var errGone = errors.New("it is gone")

// renew has the one that swaps first renew the token, for all processes.
func (u *Upstream) renew(ctx context.Context, h held, version int64) (token string, again bool, err error) {
	if h.Refresh == "" {
		u.end(ctx, h, "it has expired")
		return "", false, errGone
	}
	swap := func(h held) error {
		// The result of the renewal is kept even if the renewal took all the time there was.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), swapTime)
		defer cancel()
		r, err := u.record(h, version)
		if err == nil {
			if r, err = u.Cupboard.Swap(ctx, tokens, r); err == nil {
				version = r.Version
			}
		}
		return err
	}
	h.Leased = u.Now().Add(leaseTime)
	switch err := swap(h); {
	case errors.Is(err, cupboard.ErrConflict):
		return "", true, nil
	case errors.Is(err, cupboard.ErrNotFound):
		return "", false, errGone
	case err != nil:
		return "", false, away("renew the token", err)
	}
	u.forget(u.key(h.Issuer, h.Subject), h.Access) // it is in the store now
	begun := time.Now()
	got, err := u.ask(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {h.Refresh}})
	took := time.Since(begun)
	if errors.As(err, new(*refusal)) {
		u.event(ctx, TokenRenewed, refused, took)
		u.end(ctx, h, err.Error())
		return "", false, errGone
	}
	if err != nil {
		u.event(ctx, TokenRenewed, failed, took)
		h.Leased = time.Time{}
		_ = swap(h) // or others wait until they are sure
		return "", false, away("renew the token", err)
	}
	u.event(ctx, TokenRenewed, refreshed, took)
	former := h
	h.take(got, u.Now())
	switch err := swap(h); {
	case errors.Is(err, cupboard.ErrNotFound):
		_ = u.revoke(ctx, h) // signed out meanwhile
		return "", false, errGone
	case errors.Is(err, cupboard.ErrConflict): // agreed anew, or the lease was too short
		u.carry(ctx, h, former, nil)
		_ = u.save(ctx, u.key(h.Issuer, h.Subject)) // or later
		return "", true, nil
	case err != nil:
		u.carry(ctx, h, former, err)
	}
	return h.Access, false, nil
}

// take has an answer take the place of what was there.
func (h *held) take(a answer, now time.Time) {
	h.Access, h.Leased, h.Expires = a.Access, time.Time{}, time.Time{}
	if a.Refresh != "" {
		h.Refresh = a.Refresh
	}
	if a.ExpiresIn > 0 {
		h.Expires = now.Add(a.ExpiresIn)
	}
}

// is reports whether both are the same token: some servers give the same access token, or
// the same refresh token, again.
func (h held) is(other held) bool {
	return h.Access == other.Access && h.Refresh == other.Refresh && h.Expires.Equal(other.Expires)
}

// end forgets a token, and has it revoked by the one that has taken it.
func (u *Upstream) end(ctx context.Context, h held, why string) {
	ctx = context.WithoutCancel(ctx)
	r, err := u.Cupboard.Take(ctx, tokens, u.key(h.Issuer, h.Subject))
	if errors.Is(err, cupboard.ErrNotFound) {
		return
	}
	attrs := []slog.Attr{slog.String("upstream", u.Name), slog.String("sub", h.Subject), slog.String("reason", why)}
	if err != nil {
		u.Logger.LogAttrs(ctx, slog.LevelError, "upstream token not ended", append(attrs, slog.String("fault", err.Error()))...)
		return
	}
	if now, ok := u.open(r); ok {
		h = now
	}
	u.Logger.LogAttrs(ctx, slog.LevelInfo, "upstream token ended", attrs...)
	_ = u.revoke(ctx, h) // the log knows
}

// Sweep ends, and has revoked, what people have agreed to in sessions that are over: after a
// sign-out too. Call it now and then, every half minute say; codegrant serve does. Any number
// of processes may.
func (u *Upstream) Sweep(ctx context.Context) error {
	u.saveAll(ctx)
	query := cupboard.Query{Limit: cupboard.DefaultLimit}
	for {
		records, err := u.Cupboard.List(ctx, tokens, query)
		if err != nil {
			return err
		}
		for _, r := range records {
			h, ok := u.open(r)
			if !ok {
				continue
			}
			over, err := u.over(ctx, h)
			if err != nil {
				return err
			}
			if over {
				u.end(ctx, h, "the session in which the person agreed is over")
			}
		}
		if len(records) < query.Limit {
			return nil
		}
		query.After = records[len(records)-1].Key
	}
}
