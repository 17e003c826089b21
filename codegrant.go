package codegrant

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/behind"
	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/keep"
	"github.com/codegrant/codegrant/internal/prove"
	"github.com/codegrant/codegrant/verify"
)

// Auth signs people in and says who makes a request. It is safe for concurrent use. Make
// one with [New].
type Auth struct {
	gate     *gate          // who is asking
	signIn   *signIn        // from the link to the arrival
	signOut  *signOut       // and out again
	own      *own           // what people see and end of theirs
	sessions *keep.Sessions // what is held between requests
	verifier *verify.Verifier
	bearer   bearerAuthenticator
	behind   *behind.Work // Close waits for it
}

// New checks the configuration and joins the parts. It makes no network calls: keys are
// fetched when the first token needs them. The error names every mistake in the
// configuration.
func New(config Config) (*Auth, error) {
	s, faults := config.resolve()

	client, err := cognito.New(cognito.Config{Pool: s.Pool, HTTPClient: s.HTTPClient, Logger: s.Logger})
	if err != nil {
		return nil, fmt.Errorf("configure codegrant: %w", errors.Join(fmt.Errorf("pool: %w", err), faults))
	}
	endpoints := client.Endpoints()
	verifier, err := verify.New(verify.Config{
		Issuer:     endpoints.Issuer,
		JWKSURL:    endpoints.JWKS,
		ClientIDs:  append([]string{s.Pool.ClientID}, s.BearerClientIDs...),
		Resources:  s.BearerResources,
		HTTPClient: s.HTTPClient,
		Now:        s.Now,
	})
	if err != nil {
		faults = errors.Join(faults, fmt.Errorf("pool: %w", err))
	}
	var alb *verify.ALB
	if s.LoadBalancer != nil {
		config := *s.LoadBalancer
		config.Issuer = cmp.Or(config.Issuer, endpoints.Issuer)
		config.ClientID = cmp.Or(config.ClientID, s.Pool.ClientID)
		config.HTTPClient = cmp.Or(config.HTTPClient, s.HTTPClient)
		if config.Now == nil {
			config.Now = s.Now
		}
		if alb, err = verify.NewALB(config); err != nil {
			faults = errors.Join(faults, fmt.Errorf("LoadBalancer: %w", err))
		}
	}
	csrf := http.NewCrossOriginProtection()
	for _, origin := range s.TrustedOrigins {
		if err := csrf.AddTrustedOrigin(origin); err != nil {
			faults = errors.Join(faults, fmt.Errorf("TrustedOrigins: %w", err))
		}
	}
	look, err := s.Pages.look()
	if err != nil {
		faults = errors.Join(faults, fmt.Errorf("Pages: %w", err))
	}
	if faults != nil {
		return nil, fmt.Errorf("configure codegrant: %w", faults)
	}
	s.binding = keep.Binding(endpoints.Issuer, s.Pool.ClientID)

	marks := s.marks()
	place := &site{settings: s, endpoints: endpoints, csrf: csrf, look: look}
	place.setPrefix("/auth")
	prover := prove.New(verifier, endpoints.Issuer, s.Pool.ClientID, s.BearerIDTokens)
	prover.Marks = marks
	work, folk := behind.New(s.Logger, s.OnWork), place.people(endpoints.Issuer)
	lifetimes := keep.Lifetimes{Idle: s.IdleTimeout, Absolute: s.AbsoluteTimeout}
	older, err := place.old(lifetimes, work)
	if err != nil {
		return nil, fmt.Errorf("configure codegrant: %w", err)
	}
	sessions := keep.New(keep.Config{
		Before: older.kept(),
		Keeper: s.keeper(endpoints, prover, lifetimes, work), Pool: client, Prover: prover, People: folk, Behind: work,
		Lifetimes: lifetimes, Leeway: s.RefreshLeeway, Now: s.Now, Logger: s.Logger, Owed: s.owed(),
		Notes: s.notes(), Limit: keep.Limit{Max: s.Own.PerPerson, Refuse: s.Own.RefuseFurther},
	})
	signed := &files{site: place}
	if s.CloudFront != nil {
		if signed.signedCookies, err = place.newSignedCookies(); err != nil {
			return nil, fmt.Errorf("configure codegrant: CloudFront: %w", err)
		}
	}
	bearer := bearerAuthenticator{place, prover, older}
	chain := []Authenticator{bearer}
	if alb != nil {
		chain = append(chain, albAuthenticator{place, prover, alb})
	}
	answers, told := &desk{place, append(chain, s.Authenticators...)}, &notes{place}
	s.logCannot(sessions.Cannot())
	if s.InsecureCookieDomain != "" {
		s.Logger.Warn("session cookie is shared with every host of a domain: each of them can read and plant it",
			"domain", s.InsecureCookieDomain)
	}
	in := &signIn{desk: answers, client: client, sessions: sessions, files: signed, notes: told, room: make(chan struct{}, maxSignIns)}
	door := &gate{desk: answers, sessions: sessions, people: folk, files: signed, notes: told, old: older}
	out := &signOut{desk: answers, client: client, sessions: sessions, files: signed, signIn: in, old: older}
	return &Auth{
		gate: door, signIn: in, signOut: out, own: &own{gate: door, out: out},
		sessions: sessions, verifier: verifier, bearer: bearer, behind: work,
	}, nil
}

// Origin is the origin that browsers see: [Config.BaseURL], with its default.
func (a *Auth) Origin() string { return a.gate.BaseURL }

// Endpoints returns the endpoints of the pool.
func (a *Auth) Endpoints() cognito.Endpoints { return a.gate.endpoints }

// Mount registers the endpoints under prefix, such as "/auth", with and without
// a trailing slash. Other routers take [Auth.Handler].
func (a *Auth) Mount(mux *http.ServeMux, prefix string) {
	h := a.Handler(prefix)
	mux.Handle(*a.gate.prefix.Load()+"/", h)
}

// Handler returns the endpoints as one handler for requests whose path begins
// with prefix. Call it, or [Auth.Mount], once: the callback URL follows from it.
func (a *Auth) Handler(prefix string) http.Handler {
	a.gate.setPrefix(prefix)
	return http.HandlerFunc(a.serve)
}

func (s *site) setPrefix(prefix string) {
	prefix = "/" + strings.Trim(prefix, "/")
	if prefix == "/" {
		prefix = ""
	}
	s.prefix.Store(&prefix)
}

func (s *site) path(endpoint string) string { return *s.prefix.Load() + endpoint }

func (a *Auth) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Cache-Control"] = noStore
	h["Referrer-Policy"] = noReferrer
	path, ok := strings.CutPrefix(r.URL.Path, *a.gate.prefix.Load())
	if !ok {
		path = r.URL.Path // a router that strips the prefix itself
	}
	switch strings.TrimSuffix(path, "/") {
	case "/login":
		a.signIn.login(w, r)
	case "/callback":
		a.signIn.callback(w, r)
	case "/logout":
		a.signOut.logout(w, r)
	case "/user":
		a.gate.user(w, r)
	case "/session":
		a.signIn.handOverSession(w, r)
	case "/sessions":
		a.own.serve(w, r)
	case "/flash":
		a.signIn.flash(w, r)
	case "/step-up":
		a.signIn.stepUpPage(w, r)
	default:
		a.gate.notFound(w, r)
	}
}

// callbackURL is the redirect_uri that this service has at the app client.
func (s *site) callbackURL() string {
	if s.CallbackURL != "" {
		return s.CallbackURL
	}
	return s.BaseURL + s.path("/callback")
}

// Warm fetches the pool's keys. With it, a program can fail or wait at its start if it
// cannot reach the pool. Calling it is optional.
func (a *Auth) Warm(ctx context.Context) error { return a.verifier.Warm(ctx) }

// RevokeKept revokes refresh tokens that the pool did not revoke before. [Config.Cupboard]
// keeps them. RevokeKept tries those that are due, and returns how many are left. Sign-ins
// and sign-outs do this too. To not depend on them, call it from time to time, such as
// every minute. codegrant serve does.
func (a *Auth) RevokeKept(ctx context.Context) (left int, err error) {
	left, err = a.sessions.RevokeOwed(ctx)
	if err != nil {
		err = fault.Away("revoke what was kept", err)
	}
	return left, err
}

// Close waits until open refreshes and revocations are done, or until ctx ends. It stops
// background reads. It does not close the stores.
func (a *Auth) Close(ctx context.Context) error {
	if a.gate.ownMarks {
		_ = a.gate.Marks.Close()
	}
	if err := a.behind.Wait(ctx); err != nil {
		return fmt.Errorf("wait for refreshes and revocations: %w", err)
	}
	return nil
}

var (
	noStore    = []string{"no-store"}
	noReferrer = []string{"no-referrer"}
	varies     = []string{"Cookie, Authorization"}
)

// correlation returns a short id that a person can read out and an operator can
// search the log for.
func correlation() string {
	var b [9]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// audit writes one security event. Attributes never hold a secret.
func (s *site) audit(ctx context.Context, level slog.Level, event string, attrs ...slog.Attr) {
	s.Logger.LogAttrs(ctx, level, event, attrs...)
}
