package localpool

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant/localpool/internal/api"
	"github.com/codegrant/codegrant/localpool/internal/events"
	"github.com/codegrant/codegrant/localpool/internal/mail"
	"github.com/codegrant/codegrant/localpool/internal/metadata"
	"github.com/codegrant/codegrant/localpool/internal/oauth"
	"github.com/codegrant/codegrant/localpool/internal/pages"
	"github.com/codegrant/codegrant/localpool/internal/place"
	"github.com/codegrant/codegrant/localpool/internal/quota"
	"github.com/codegrant/codegrant/localpool/internal/state"
	"github.com/codegrant/codegrant/localpool/internal/tokens"
	"github.com/codegrant/codegrant/localpool/internal/triggers"
)

// Config configures a [Server]. Its zero value is the demo's pool in memory.
type Config struct {
	// Seed is what a new state begins with. Defaults to the demo's, for an
	// application at http://localhost:8080.
	Seed Seed
	// StateFile keeps users, keys and grants. It is written as a whole or not at
	// all: at each change, and, where it is larger than a megabyte, once for the changes
	// of up to some seconds; [Server.Close] writes the rest. With a file that exists,
	// the pools of Seed are not used, but for their triggers. Defaults to none.
	StateFile string
	// BaseURL is where browsers and services reach the server: the issuer is
	// BaseURL + "/" + the pool's id. Defaults to http://127.0.0.1:9229.
	BaseURL string
	// InsecureAnyHost answers requests for any host name. Otherwise only names
	// of this machine and that of BaseURL are served, which keeps web pages from
	// reaching the server by a name of theirs that resolves to this machine.
	InsecureAnyHost bool
	// AllowOrigins are origins, such as https://app.example.com, whose pages may call
	// the OAuth endpoints and the JSON API. Those of this machine may, on any port.
	AllowOrigins []string
	// SMTP is the address of a mail server for tests, such as 127.0.0.1:1025, that is
	// handed what Cognito would send by e-mail. Defaults to none.
	SMTP string
	// Region is that of pools which calls make that are of no region. Defaults to that
	// of the first pool.
	Region string
	// AsAWS gives the pools Amazon's host names, in tokens and in discovery. It needs
	// pools whose IDs begin with a region. Programs reach these names through
	// [Server.ServeAWS].
	AsAWS bool
	// Logger receives what Cognito would send by e-mail. Defaults to
	// [slog.Default].
	Logger *slog.Logger
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

// Server serves every pool of a state. It is an [http.Handler], safe for
// concurrent use.
type Server struct {
	state   *state.State
	base    string
	scheme  string
	place   place.Place
	host    string
	anyHost bool
	seed    Seed
	clock   *clock
	mail    *mail.Sender // nil: none
	origins []string
	oauth   *oauth.Endpoints
	api     *api.API
	mux     *http.ServeMux
	limiter *quota.Limiter

	triggers *triggers.Triggers
	trail    *events.Trail
	client   *http.Client

	mu     sync.Mutex // guards the fields below
	calls  map[string]int
	faults map[string]http.Handler
}

// New makes a server; it does not listen.
func New(config Config) (*Server, error) {
	if config.BaseURL == "" {
		config.BaseURL = "http://127.0.0.1:9229"
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Seed.Pools == nil {
		config.Seed = DefaultSeed("http://localhost:8080")
	}
	base, err := url.Parse(config.BaseURL)
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" || strings.Trim(base.Path, "/") != "" {
		return nil, fmt.Errorf("local pool: base URL %q is not of the form http://127.0.0.1:9229", config.BaseURL)
	}
	for _, origin := range config.AllowOrigins {
		if err := checkOrigin(origin); err != nil {
			return nil, fmt.Errorf("local pool: %w", err)
		}
	}
	pools, err := config.Seed.pools()
	if err != nil {
		return nil, fmt.Errorf("local pool: %w", err)
	}
	clock := &clock{now: config.Now}
	var sender *mail.Sender
	if config.SMTP != "" {
		if sender, err = mail.New(config.SMTP, config.Logger); err != nil {
			return nil, fmt.Errorf("local pool: %w", err)
		}
	}
	st, err := state.New(state.Config{Now: clock.time, Sent: mailed(sender), Region: config.Region, Logger: config.Logger, Path: config.StateFile, Begin: config.Seed.addUsers}, pools)
	if err != nil {
		return nil, fmt.Errorf("local pool: %w", err)
	}
	if config.AsAWS {
		if err := checkAWS(st.Pools()); err != nil {
			return nil, fmt.Errorf("local pool: %w", err)
		}
	}
	s := &Server{
		origins: config.AllowOrigins, seed: config.Seed, clock: clock, mail: sender,
		state: st, scheme: base.Scheme, base: base.Scheme + "://" + base.Host, host: strings.ToLower(base.Hostname()), anyHost: config.InsecureAnyHost,
		calls: make(map[string]int), faults: make(map[string]http.Handler), limiter: quota.New(clock.time), client: newClient(),
	}
	s.place = place.Place{Base: s.base, AWS: config.AsAWS, Prefix: func(poolID string) string {
		p, _ := st.Describe(poolID)
		return p.Domain
	}}
	for category, perSecond := range config.Seed.Quotas {
		s.limiter.Set(category, perSecond)
	}
	functions := make(map[string]triggers.Function)
	for arn, u := range config.Seed.Functions {
		functions[arn] = triggers.Remote(s.client, u)
	}
	s.triggers = triggers.New(triggers.Config{State: st, Logger: config.Logger, ARNs: functions, SenderKey: config.Seed.senderKey(), Link: s.confirmation})
	for _, p := range config.Seed.Pools {
		for name, t := range p.Triggers.triggers() {
			s.setTrigger(p.ID, name, t)
		}
	}
	s.trail = events.New(events.Config{Sinks: sinks(config.Seed.Events), Client: s.client, Logger: config.Logger, Now: clock.time, NewID: tokens.NewID})
	maker := tokens.New(st, s.triggers, s.place)
	documents := metadata.New(st)
	s.oauth = oauth.New(st, maker, s.place, s.limiter, documents)
	s.api = api.New(api.Config{
		State: st, Tokens: maker, Logger: config.Logger, Trusts: s.trusts, Limiter: s.limiter, Triggers: s.triggers, Trail: s.trail, Documents: documents,
	})
	s.route()
	return s, nil
}

func sinks(list []EventsSeed) (out []events.Sink) {
	for _, e := range list {
		out = append(out, events.Sink{URL: e.URL, Secret: e.Secret})
	}
	return out
}

// Close ends what the server does beside requests: changes that are not in the state
// file yet are written, and events that are not delivered are dropped. Call it when
// no requests are served any more; more than once does no harm.
func (s *Server) Close() error {
	s.trail.Close()
	s.client.CloseIdleConnections()
	if s.mail != nil {
		s.mail.Close()
	}
	if err := s.state.Close(); err != nil {
		return fmt.Errorf("local pool: %w", err)
	}
	return nil
}

func (s *Server) route() {
	s.mux = http.NewServeMux()
	handle := func(pattern, name string, h http.HandlerFunc) {
		s.mux.Handle(pattern, s.counted(name, h))
	}
	handle("/oauth2/authorize", Authorize, s.atLocalhost(http.HandlerFunc(s.oauth.Authorize)).ServeHTTP)
	handle("/authorize", Authorize, s.atLocalhost(http.HandlerFunc(s.oauth.Authorize)).ServeHTTP)
	handle("/oauth2/token", Token, s.shared("POST", s.oauth.Token))
	handle("/oauth2/userInfo", UserInfo, s.shared("GET, POST", s.oauth.UserInfo))
	handle("/oauth2/register", Register, s.shared("POST", s.oauth.Register))
	handle("/oauth2/revoke", Revoke, s.shared("POST", s.oauth.Revoke))
	handle("GET /logout", Logout, s.atLocalhost(http.HandlerFunc(s.oauth.Logout)).ServeHTTP)
	handle("/{pool}/.well-known/openid-configuration", Discovery, s.shared("GET", s.oauth.Discovery))
	handle("/{pool}/.well-known/jwks.json", JWKS, s.shared("GET", s.oauth.Keys))
	handle("PUT "+api.ImportPattern, API, s.api.Import)
	handle("POST /{$}", API, s.operation)
	handle("OPTIONS /{$}", API, s.api.ServeHTTP)
	s.operate(s.mux)
	s.mux.Handle("/", s.counted(Pages, s.atLocalhost(pages.New(s.state, s.oauth, s.triggers, s.place, s.limiter))))
}

// operation serves the JSON API, whose operations are counted by name too.
func (s *Server) operation(w http.ResponseWriter, r *http.Request) {
	if name := api.Operation(r); name != "" {
		s.counted(name, s.api).ServeHTTP(w, r)
		return
	}
	s.api.ServeHTTP(w, r)
}

// ServeHTTP implements [http.Handler].
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.anyHost && !s.ownHost(r.Host) {
		http.Error(w, "This is a local pool. It answers only to names of this machine.", http.StatusMisdirectedRequest)
		return
	}
	s.mux.ServeHTTP(w, s.named(r))
}

func (s *Server) ownHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	return host == s.host || isLoopback(host)
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// CheckListen refuses an address that other machines can reach: anybody there could
// sign in as any person.
func CheckListen(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("address %q is not of the form 127.0.0.1:9229", address)
	}
	if !isLoopback(host) {
		return errors.New("a local pool listens only on this machine: use 127.0.0.1, or allow it with --insecure-listen")
	}
	return nil
}
