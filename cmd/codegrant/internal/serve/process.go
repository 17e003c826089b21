package serve

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/console"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/device"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/internal/tracing"
	"github.com/codegrant/codegrant/mcp"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/upstream"
	"github.com/codegrant/codegrant/webhook"
)

// generation is one configuration in use. Requests hold it while they are under way,
// so that a new one takes nothing from under them.
type generation struct {
	*settings.Settings
	gateway   *gateway.Gateway
	stores    *stores
	pools     map[string]runningPool
	upstreams []*upstream.Upstream
	unsaved   *upstream.Unsaved // of all of them
	console   *console.Console  // nil: none
	servers   []*mcp.Resource   // MCP servers whose clients are the pool's
	cert      *tls.Certificate
	since     time.Time

	templates map[string]string // paths of routes, by name, for spans

	users   atomic.Int64
	retired atomic.Bool
	once    sync.Once
	process *process
}

// runningPool is kept over configurations that do not change it: it has the pool's
// keys, and tokens that it verified.
type runningPool struct {
	digest        [sha256.Size]byte
	auth          *codegrant.Auth
	account       http.Handler  // nil: none
	organizations http.Handler  // nil: none
	owed          *atomic.Int64 // revocations that are still to be made; below 0: not known

	begin    beginning                   // what the two below are known of
	callback *atomic.Int64               // whether it is registered
	page     *atomic.Pointer[signInPage] // nil in it: not asked for yet
}

const (
	// closeWait is how long stores and pools may take to answer before they are used.
	closeWait = 10 * time.Second
	// leaveWait is how long the work of requests that are over may take: as long as a
	// refresh. Until then a refresh may have in its hands, and nowhere else, what the pool
	// has rotated.
	leaveWait = 30 * time.Second
)

func (g *generation) leave() {
	if g.users.Add(-1) == 0 && g.retired.Load() {
		g.close()
	}
}

// retire has the generation closed once no request holds it.
func (g *generation) retire() {
	g.letGo()
	g.retired.Store(true)
	if g.users.Load() == 0 {
		g.close()
	}
}

// letGo ends what would otherwise last as long as somebody has a page open.
func (g *generation) letGo() {
	if g.console != nil {
		g.console.Close()
	}
}

func (g *generation) close() {
	g.once.Do(func() {
		g.process.open.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), leaveWait)
			defer cancel()
			saved := make(chan error, 1)
			go func() { saved <- g.saveTokens(ctx) }()
			if err := errors.Join(g.gateway.Close(ctx), <-saved, g.stores.release()); err != nil {
				g.process.log.Warn("configuration not closed cleanly", "reason", err.Error())
			}
			g.process.open.Done()
		})
	})
}

// process is what outlives configurations.
type process struct {
	log       *slog.Logger
	level     *slog.LevelVar
	keys      *session.Keyring // for configurations without
	memory    *session.MemoryStore
	records   cupboard.Store // of the broker, for configurations without a place to keep them
	transport *gateway.Transport
	current   atomic.Pointer[generation]
	open      sync.WaitGroup // generations
	inFlight  atomic.Int64   // requests
	stopping  atomic.Bool    // each answer is the last of its connection
	room      room           // of requests
	tunnels   room           // of those that ask to be taken over, such as WebSockets
	fullAt    atomic.Int64   // when there was last no room, Unix nanoseconds
	proxyTold atomic.Bool    // the log has named a proxy that is not listed
	metrics   *metrics
	ready     readiness
	signIns   limiter[netip.Prefix]
	people    limiter[account]
	accounts  limiter[account]                    // by pool and address
	tracing   *tracing.Tracer                     // nil: nothing is traced
	news      chan struct{}                       // dependencies are to be asked now
	state     view                                // as operators see it
	passes    atomic.Pointer[map[string]lastPass] // by pool; nil: not looked at yet
	journal   *console.Journal
	day       console.Day // what was counted of it
	hooks     hooks
}

func newProcess(s *settings.Settings, keys *session.Keyring, log *slog.Logger, level *slog.LevelVar, traces *tracing.Tracer) *process {
	p := &process{
		news: make(chan struct{}, 1), journal: new(console.Journal),
		log: log, level: level, keys: keys, tracing: traces,
		memory:  session.NewMemoryStore(session.MemoryConfig{MaxSessions: s.Limits.MaxSessions}),
		records: cupboard.NewMemory(nil),
		// One for all configurations, so that a new one finds connections open.
		transport: gateway.NewTransport(),
	}
	p.metrics = newMetrics(p)
	p.metrics.outside.changed = p.state.noteChange
	p.metrics.registry.MustRegister(&p.hooks)
	p.state.process, p.state.started = p, time.Now()
	return p
}

// enter returns the generation that a request belongs to, held.
func (p *process) enter() *generation {
	for {
		g := p.current.Load()
		g.users.Add(1)
		// A generation that is still the current one now cannot have been closed:
		// retire comes after the swap, and counts this user.
		if p.current.Load() == g {
			return g
		}
		g.leave()
	}
}

func (p *process) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if p.stopping.Load() {
		last(w, r)
	}
	g := p.begin()
	defer p.done(g)
	local(r)
	r = g.called(r)
	stay := g.admit(w, r)
	if stay == nil {
		return
	}
	callerOf(r.Context()).stay = stay
	defer g.leaveRoom(w, r, stay)
	if p.tracing != nil {
		g.traced(w, r)
		return
	}
	g.serve(w, r)
}

// CheckOriginal answers what Envoy and HAProxy ask, under the configuration in use.
func (p *process) CheckOriginal(w http.ResponseWriter, original *http.Request, narrow url.Values) *gateway.Pass {
	g := p.begin()
	defer p.done(g)
	stay := p.room.ask()
	if stay == nil {
		g.overloaded(w, original)
		return nil
	}
	defer stay.leave()
	original = g.called(original)
	if p.tracing != nil {
		return g.tracedQuestion(w, original, narrow)
	}
	return g.gateway.CheckOriginal(w, original, narrow)
}

// Trusts reports whether an address is one of the trusted proxies, under the
// configuration in use.
func (p *process) Trusts(address string) bool {
	g := p.enter()
	defer g.leave()
	return g.gateway.Trusts(address)
}

// begin counts a request. Call done in any case.
func (p *process) begin() *generation {
	p.inFlight.Add(1)
	return p.enter()
}

func (p *process) done(g *generation) {
	g.leave()
	p.inFlight.Add(-1)
}

// start takes the first configuration. Who does not answer yet may do so later.
func (p *process) start(ctx context.Context, s *settings.Settings) error {
	st, err := p.openStores(s)
	if err != nil {
		return err
	}
	g, err := p.build(s, st)
	if err != nil {
		return err
	}
	try, cancel := context.WithTimeout(ctx, closeWait)
	defer cancel()
	if err := st.prepare(try); err != nil {
		p.log.Error("tables not brought up to date; trying again", "reason", err.Error())
		st.prepareBeside(p.log)
	}
	for name, pool := range g.pools {
		if err := pool.auth.Warm(try); err != nil {
			p.log.Error("keys of the pool not fetched; trying again when they are needed", "pool", name, "reason", err.Error())
		}
	}
	p.use(g)
	return nil
}

// errNotReady: a new configuration may be right, and needs somebody who does not
// answer.
var errNotReady = errors.New("not ready")

// replace takes a further configuration, if it would serve as well as the one before.
func (p *process) replace(ctx context.Context, s *settings.Settings) error {
	before := p.current.Load()
	if now, ok := certificateState(s.Certificate, time.Now()); ok && !now.OK {
		if was, ok := certificateState(before.Certificate, time.Now()); ok && was.OK {
			return errors.New(now.Error)
		}
	}
	st := before.stores
	if storesOf(s) == st.storesKey {
		st.hold()
	} else {
		var err error
		if st, err = p.openStores(s); err != nil {
			return err
		}
		try, cancel := context.WithTimeout(ctx, closeWait)
		defer cancel()
		if err := st.prepare(try); err != nil {
			_ = st.release()
			return fmt.Errorf("%w: %w", errNotReady, err)
		}
		if err := st.answer(try); err != nil {
			_ = st.release()
			return fmt.Errorf("%w: %w", errNotReady, err)
		}
	}
	g, err := p.build(s, st)
	if err != nil {
		return err
	}
	try, cancel := context.WithTimeout(ctx, closeWait)
	defer cancel()
	for name, pool := range g.pools {
		if err := pool.auth.Warm(try); err != nil {
			g.retire()
			return fmt.Errorf("%w: keys of pool %s: %w", errNotReady, name, err)
		}
	}
	p.use(g)
	return nil
}

func (p *process) use(g *generation) {
	p.level.Set(g.Log.Level)
	p.signIns.set(g.Limits.SignInRate, g.Limits.SignInBurst)
	p.room.set(g.Limits.Requests)
	p.tunnels.set(g.Limits.Tunnels)
	p.accounts.allow(accountRequests/rate.Limit((24*time.Hour).Seconds()), accountRequests)
	p.people.set(g.Limits.AccountRate, g.Limits.AccountBurst)
	var pools, routes []string
	for _, pool := range g.Pools {
		pools = append(pools, pool.Name)
	}
	for _, route := range g.Routes {
		routes = append(routes, nameOf(route))
	}
	p.metrics.begin(pools, routes)
	p.metrics.outside.begin(pools, g.gateway.Servers())
	p.metrics.programs.begin(g)
	p.beginCalls(g)
	if g.Console != nil || g.OpsListen != "" {
		p.journal.Start()
		p.day.Start()
	}
	p.hooks.wanted.Store(g.stores.queue != nil && (webhook.Wanted(g.Webhooks, webhook.Sessions) || webhook.Wanted(g.Webhooks, webhook.Refusals)))
	g.since = time.Now()
	p.askForClients(g.servers)
	if before := p.current.Swap(g); before != nil {
		before.retire()
	}
	p.askSoon()
}

// askSoon has dependencies be asked now.
func (p *process) askSoon() {
	select {
	case p.news <- struct{}{}:
	default: // they are about to be
	}
}

// build joins the parts of a configuration. It takes over the stores.
func (p *process) build(s *settings.Settings, st *stores) (_ *generation, err error) {
	defer func() {
		if err != nil {
			_ = st.release()
		}
	}()
	g := &generation{Settings: s, stores: st, pools: make(map[string]runningPool), process: p}
	if s.Certificate != nil {
		pair, err := tls.X509KeyPair(s.Certificate.Chain, s.Certificate.Key)
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		g.cert = &pair
	}
	before := p.current.Load()
	config := gateway.Config{
		TrustedProxies: s.TrustedProxies, Headers: s.Headers, Assertions: s.Assertions, HSTS: s.HSTS,
		Transport: p.tracing.Upstream(p.transport), Logger: slog.New(noting{p.log.Handler(), &p.state}), OnRequest: g.decided, OnPass: g.pass, OnUpstream: p.metrics.outside.upstream,
		InAnyGroup: s.People.InAnyGroup, AnyRole: s.AnyRole,
	}
	for i, pool := range s.Pools {
		running := runningPool{digest: pool.Digest, begin: beginningOf(&s.Pools[i])}
		if before != nil && before.stores == st && before.pools[pool.Name].digest == pool.Digest {
			running = before.pools[pool.Name]
		} else {
			running.owed, running.callback, running.page = new(atomic.Int64), new(atomic.Int64), new(atomic.Pointer[signInPage])
			running.callback.Store(callbackUnknown)
			if before != nil && before.pools[pool.Name].begin == running.begin {
				running.callback, running.page = before.pools[pool.Name].callback, before.pools[pool.Name].page
			}
			c := pool.Config
			c.Logger = slog.New(counting{p.log.Handler(), p.metrics.events, pool.Name, p.tracing, &p.day, &p.hooks, pool.Issuer}).With("pool", pool.Name)
			c.Replica, c.Admit, c.Marks = st.replica, p.admitting(c.Admit), st.marks
			if st.acting != nil {
				c.Organization, c.KeepOrganization = st.acting.Active, st.acting.Keep
			}
			old, err := oldPool(context.Background(), pool.Moved, p.log)
			if err != nil {
				return nil, fmt.Errorf("pool %s: %w", pool.Name, err)
			}
			c.SamePerson = inOrder(samePerson(pool.Moved, pool.Issuer, st.replica, old), merging(pool.TrustedProviders, st.replica))
			c.Own.DescribeAgent = device.Describe
			if issuer, region := pool.Issuer, c.Pool.Region; pool.SignOutAtPool {
				c.Own.GlobalSignOut = func(ctx context.Context, username string) error {
					return parts.SignOutAtPool(ctx, issuer, region, username, p.log)
				}
			}
			c.Own.ClientAddress = func(r *http.Request) string { return p.current.Load().addressFor(r).String() }
			if s.KeysGiven {
				c.Cupboard = st.cupboard
			}
			c.HTTPClient, c.OnWork = p.poolClient(pool.Name), p.tracing.Work(pool.Name)
			if !c.CookieSessions && c.InsecureSharedTokensDomain == "" {
				c.Sessions = st.sessions
			}
			if running.auth, err = codegrant.New(c); err != nil {
				return nil, fmt.Errorf("pool %s: %w", pool.Name, err)
			}
			if running.account, err = accountPages(pool, running.auth, c); err != nil {
				return nil, fmt.Errorf("pool %s: %w", pool.Name, err)
			}
			if running.organizations, err = organizationPages(g, &s.Pools[i], st, running.auth, c); err != nil {
				return nil, fmt.Errorf("pool %s: %w", pool.Name, err)
			}
		}
		g.pools[pool.Name] = running
		config.Tenants = append(config.Tenants, gateway.Tenant{
			Name: pool.Name, Auth: running.auth, Prefix: pool.Prefix, Hosts: pool.Hosts, Issuer: pool.Issuer, Account: running.account, Organization: running.organizations,
		})
	}
	authority, err := p.newBroker(g)
	if err != nil {
		return nil, err
	}
	if config.Routes, err = s.AllRoutes(p.hearCalls, authority); err != nil {
		return nil, err
	}
	for _, route := range config.Routes {
		if server, ok := route.Guard.(*mcp.Resource); ok && server.PoolClients {
			g.servers = append(g.servers, server)
		}
	}
	if config.Routes, err = p.handOver(s, config.Routes); err != nil {
		return nil, err
	}
	if config.Routes, err = p.consented(g, config.Routes); err != nil {
		return nil, err
	}
	if config.Routes, err = p.consoled(g, config.Routes); err != nil {
		return nil, err
	}
	if p.tracing != nil {
		g.templates = templatesOf(config.Routes)
	}
	if g.gateway, err = gateway.New(config); err != nil {
		return nil, err
	}
	p.open.Add(1)
	return g, nil
}

// close ends the last configuration, and waits for all of them: a moment longer than
// each waits for its own work.
func (p *process) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), leaveWait+time.Second)
	defer cancel()
	p.current.Load().retire()
	defer p.transport.CloseIdleConnections()
	closed := make(chan struct{})
	go func() {
		p.open.Wait()
		close(closed)
	}()
	select {
	case <-closed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
