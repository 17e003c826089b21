package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/listen"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/ops"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/console"
	"github.com/codegrant/codegrant/gateway/extauthz"
	"github.com/codegrant/codegrant/gateway/spoe"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/session"
)

type Command struct {
	explainFlags
	Config       string        `default:"codegrant.yaml" type:"path" placeholder:"FILE" help:"Configuration file. Defaults to codegrant.yaml."`
	Check        bool          `env:"-" help:"Check the configuration, print what is wrong, and exit."`
	Schema       bool          `env:"-" help:"Print the JSON Schema of the configuration file, for editors, and exit."`
	DrainTimeout time.Duration `default:"30s" help:"When stopping: how long requests that have begun may continue."`
	DrainDelay   time.Duration `default:"0s" help:"When stopping: how long to accept new requests while /readyz already reports 503. Set it to the time that your load balancer needs to notice."`
	ReloadEvery  time.Duration `default:"5s" help:"How often to check the files of the configuration for changes; 0 reads them again only on SIGHUP."`
}

// Help is shown by codegrant serve --help.
func (Command) Help() string {
	return `Signs people in for services in any language. It runs as a reverse proxy in front of
them, or another proxy asks it whether a request may pass (forward-auth).

It reads the configuration again on SIGHUP, and when one of its files changes. No
connection is dropped. If the new configuration has a fault, it logs the fault and
keeps the old one.

Examples:
  codegrant serve --check --config codegrant.yaml
  codegrant serve --check --as alice@example.com --groups admins --request 'GET https://app.example.com/admin'
  codegrant serve --config codegrant.yaml
  codegrant serve --schema > codegrant.schema.json

A configuration:
  listen: 127.0.0.1:8080
  base_url: https://app.example.com
  pools:
    - id: eu-west-1_Ab12Cd34E
      domain: acme.auth.eu-west-1.amazoncognito.com
      client_id: ${COGNITO_CLIENT_ID}
  routes:
    - path: /
      upstream: http://127.0.0.1:3000`
}

// Validate is called with the flags.
func (c Command) Validate() error {
	if c.DrainTimeout < 0 || c.DrainDelay < 0 || c.ReloadEvery < 0 {
		return errors.New("--drain-timeout, --drain-delay and --reload-every cannot be negative")
	}
	return c.validate(c.Check)
}

func (c Command) Run(ctx context.Context, out *terminal.Streams) error {
	if c.Schema {
		_, err := out.Stdout.Write(settings.Schema())
		return err
	}
	keys := session.RandomKeyring()
	s, err := c.load(keys)
	if err != nil {
		return err
	}
	if c.Check {
		for _, w := range s.Warnings {
			fmt.Fprintln(out.Stderr, "warning:", w)
		}
		if d, ok := certificateState(s.Certificate, time.Now()); ok && !d.OK {
			return errors.New(d.Error)
		} else if d.Warning != "" {
			fmt.Fprintln(out.Stderr, "warning:", d.Warning)
		}
		fmt.Fprintf(out.Stdout, "%s is valid: %s, %s, sessions in %s\n", c.Config, terminal.Plural(len(s.Pools), "pool"), terminal.Plural(len(s.Routes), "route"), s.Sessions)
		if len(s.Routes) == 0 && len(s.TrustedProxies) == 0 {
			fmt.Fprintln(out.Stderr, "warning: there are no routes and no trusted proxies: every request is answered with 404; add routes, or list the proxy that asks here in trusted_proxies")
		} else if len(s.Routes) == 0 {
			fmt.Fprintln(out.Stdout, "It has no routes: it forwards no requests. It serves only the endpoints of the pools, and answers proxies.")
		}
		return c.explain(ctx, s, out)
	}
	return c.serve(ctx, s, keys, out)
}

// load reads the configuration. Keys are those of this process, in case that it has
// none.
func (c Command) load(keys *session.Keyring) (*settings.Settings, error) {
	return parts.Load(c.Config, settings.Options{Keys: keys, Secrets: parts.OpenClientSecret})
}

// serve runs until the context ends, then drains.
func (c Command) serve(ctx context.Context, s *settings.Settings, keys *session.Keyring, out *terminal.Streams) error {
	level := new(slog.LevelVar)
	level.Set(s.Log.Level)
	options := &slog.HandlerOptions{Level: level}
	log := slog.New(slog.NewTextHandler(out.Stderr, options))
	if s.Log.JSON {
		log = slog.New(slog.NewJSONHandler(out.Stderr, options))
	}
	traces, err := newTracer(s.Tracing, log)
	if err != nil {
		return err
	}
	journal := new(console.Journal)
	log = slog.New(callerHandler{journal.Handler(traces.Handler(log.Handler()))})
	if s.Sessions == settings.Memory && !s.KeysGiven {
		log.Info("sessions are in memory and end with the process; write sessions: database to keep them")
	}
	if s.Sessions == settings.InRedis && s.Database.URL == "" {
		log.Info("sign-outs are on record only in Redis: one that restarts from an old snapshot, or fails over, may bring a session back; set database to keep them")
	}
	on, err := listen.All(c.Config, listen.Addresses{
		Listen: s.Listen, OpsListen: s.OpsListen, ExtAuthzListen: s.ExtAuthzListen, SPOEListen: s.SPOEListen, SocketMode: s.SocketMode,
	})
	if err != nil {
		return err
	}
	defer on.Close()

	hangUps := make(chan os.Signal, 1)
	signal.Notify(hangUps, syscall.SIGHUP)
	defer signal.Stop(hangUps)
	p := newProcess(s, keys, log, level, traces)
	p.journal = journal
	p.limitMemory()
	defer p.flush(time.Time{}) // where it never came to serve
	served := make(chan error, 4)
	var listening, beside sync.WaitGroup
	operations := ops.Server(p.operations(), p.log)
	if on.Ops != nil { // first: it says how far things are
		listening.Go(func() { served <- p.serveOn(operations, on.Ops, false) })
		log.Info("serving operations", "listen", on.Ops.Addr().String())
	}
	defer listening.Wait()
	defer operations.Close()
	if err := p.start(ctx, s); err != nil {
		return err
	}
	for _, w := range s.Warnings {
		log.Warn("configuration", "warning", w.Error())
	}

	envoy, err := extauthz.New(extauthz.Config{Gateway: p, Drain: c.DrainTimeout, Logger: log})
	if err != nil {
		return err
	}
	haproxy, err := spoe.New(spoe.Config{Gateway: p, Drain: c.DrainTimeout, Logger: log})
	if err != nil {
		return err
	}
	base, cut := context.WithCancel(context.Background())
	defer cut()
	server := p.server(base, s)
	entrance := newDoor(on.Main, on.Passed(on.Main), p.trustsNow, p.crowded)
	listening.Go(func() { served <- p.serveOn(server, entrance, s.Certificate != nil) })
	questions := newQuestions()
	defer questions.cut()
	if on.ExtAuthz != nil {
		questions.serve(newHatch(on.ExtAuthz, on.Passed(on.ExtAuthz)), envoy.Serve, served)
		log.Info("serving ext_authz", "listen", on.ExtAuthz.Addr().String())
	}
	if on.SPOE != nil {
		questions.serve(newHatch(on.SPOE, on.Passed(on.SPOE)), haproxy.Serve, served)
		log.Info("serving SPOE", "listen", on.SPOE.Addr().String())
	}
	watching, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	beside.Go(func() { newWatcher(c, p, s).run(watching, hangUps) })
	beside.Go(func() { p.watchDependencies(watching) })
	beside.Go(func() { p.revokeKept(watching) })
	beside.Go(func() { p.sweepUpstreams(watching, sweepEvery) })
	beside.Go(func() { ops.TrimHistory(watching, p.trimHistory, p.log) })
	beside.Go(func() { p.countSessions(watching) })
	beside.Go(func() { p.watchPasses(watching) })
	hooking, stopHooks := context.WithCancel(context.WithoutCancel(ctx))
	defer stopHooks()
	var hooked sync.WaitGroup
	hooked.Go(func() { p.tellHooks(hooking) })
	hooked.Go(func() { p.sendHooks(watching) })
	tuneCollector(watching)
	beside.Go(func() { p.forgetStart(watching) })
	beside.Go(func() { p.tellOthers(watching) })
	beside.Go(func() { p.watchPools(watching) })
	log.Info("serving", "listen", on.Main.Addr().String(), "pools", len(s.Pools), "routes", len(s.Routes), "sessions", s.Sessions)
	p.tellSystemd("READY=1", "STATUS=serving on "+on.Main.Addr().String())

	select {
	case err = <-served:
	case <-ctx.Done():
	}
	p.tellSystemd("STOPPING=1")
	p.ready.stop()
	if err == nil && c.DrainDelay > 0 {
		log.Info("stopping soon", "delay", c.DrainDelay)
		select {
		case err = <-served:
		case <-time.After(c.DrainDelay):
		}
	}
	stopWatching()
	beside.Wait()
	drained := time.Now().Add(c.DrainTimeout)
	late := time.AfterFunc(patience, questions.end)
	c.drain(p, server, entrance, cut)
	late.Stop()
	questions.end()
	questions.wait()
	stopHooks()
	hooked.Wait()
	if err := p.close(); err != nil {
		log.Warn("not everything was closed in time", "reason", err.Error())
	}
	p.flush(drained)
	log.Info("stopped")
	return err
}

func (p *process) tellSystemd(lines ...string) {
	if err := listen.Notify(lines...); err != nil {
		p.log.Warn("systemd not notified", "reason", err.Error())
	}
}

// server takes requests for whichever configuration is in use.
func (p *process) server(base context.Context, s *settings.Settings) *http.Server {
	return &http.Server{
		Handler:           p,
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    s.Limits.HeaderBytes,
		ErrorLog:          slog.NewLogLogger(p.log.Handler(), slog.LevelDebug), // what strangers send is not a warning
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnState:         follow,
		ConnContext:       withGuest,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 100, SendPingTimeout: time.Minute, PingTimeout: readEach, WriteByteTimeout: writeEach},
		TLSConfig: &tls.Config{
			MinVersion: tls.VersionTLS12,
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				if cert := p.current.Load().cert; cert != nil {
					return cert, nil
				}
				return nil, errors.New("there is no certificate")
			},
		},
	}
}

func (p *process) serveOn(server *http.Server, listener net.Listener, secure bool) error {
	serve := server.Serve
	if secure {
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	if err := serve(listener); !doorClosed(err) {
		return fmt.Errorf("serve %s: %w", listener.Addr(), err)
	}
	return nil
}

// drain takes no more connections, answers what has come in, and waits for requests
// under way: WebSockets too, which the server knows nothing of.
func (c Command) drain(p *process, server *http.Server, entrance *door, cut context.CancelFunc) {
	p.log.Info("stopping", "drain", c.DrainTimeout)
	ctx, cancel := context.WithTimeout(context.Background(), c.DrainTimeout)
	defer cancel()
	p.stopping.Store(true)
	p.current.Load().letGo()
	entrance.close(ctx)
	entrance.empty(ctx)
	err := server.Shutdown(ctx)
	for idle := time.NewTicker(20 * time.Millisecond); err == nil && p.inFlight.Load() > 0; {
		select {
		case <-idle.C:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if err != nil {
		p.log.Warn("requests cut off", "requests", p.inFlight.Load())
		cut()
		_ = server.Close()
	}
}
