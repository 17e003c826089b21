package syncing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/awsapi"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/ops"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/directory/sqsqueue"
)

// grace is how long events under way are dealt with when the process is to end.
const grace = 10 * time.Second

var errNoEvents = errors.New("there is no source of events; set --queue, --listen, or events in the configuration, or repeat passes with --every")

// follow makes a pass, and then follows events, with a pass now and then in case that
// some were lost, until the context ends.
func (s *syncing) follow(ctx context.Context) error {
	queueURL, listen := cmp.Or(s.Queue, s.settings.Events.Queue), cmp.Or(s.Listen, s.settings.Events.Listen)
	if queueURL == "" && listen == "" {
		return errNoEvents
	}
	pools := make(directory.Pools)
	for _, p := range s.pools {
		pools[p.id] = p.Sync
	}
	var worker *directory.Worker
	if queueURL != "" {
		var err error
		if worker, err = s.worker(ctx, queueURL, pools); err != nil {
			return err
		}
	}
	var server *http.Server
	var listener net.Listener
	if listen != "" {
		var err error
		if server, err = s.receiver(pools); err != nil {
			return err
		}
		if listener, err = net.Listen("tcp", listen); err != nil {
			return fmt.Errorf("take events: %w", err)
		}
	}

	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all sync.WaitGroup
	every := cmp.Or(s.Every, time.Hour)
	if err := s.serveOperations(ctx, &all, every, stop); err != nil {
		return err
	}
	if server != nil {
		s.log.Info("taking events that are posted", slog.String("listen", listener.Addr().String()))
		all.Go(func() {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				stop(fmt.Errorf("take events: %w", err))
			}
		})
	}
	if worker != nil {
		s.log.Info("taking events from the queue", slog.String("queue", queueURL))
		all.Go(func() { _ = worker.Run(ctx) }) // it ends with its context alone
	}
	s.sendWebhooks(ctx, &all)
	s.passAll(ctx, &all, every, true)

	<-ctx.Done()
	s.log.Info("stopping")
	if server != nil {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if err := server.Shutdown(closing); err != nil {
			s.log.Warn("events cut off: the sender sends them again", slog.Any("error", err))
			_ = server.Close()
		}
	}
	all.Wait()
	s.log.Info("stopped")
	return context.Cause(ctx)
}

// keepPassing makes passes until the context ends.
func (s *syncing) keepPassing(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all sync.WaitGroup
	if err := s.serveOperations(ctx, &all, s.Every, stop); err != nil {
		return err
	}
	s.sendWebhooks(ctx, &all)
	all.Go(func() { ops.TrimHistory(ctx, s.Users.TrimHistory, s.log) })
	s.passAll(ctx, &all, s.Every, s.Full)
	all.Wait()
	return context.Cause(ctx)
}

// passAll has passes made over every pool. Events say who is in which group, and an
// incremental pass does not: where one was lost, a full pass finds out.
func (s *syncing) passAll(ctx context.Context, all *sync.WaitGroup, every time.Duration, full bool) {
	var mu sync.Mutex // one report at a time
	for _, p := range s.pools {
		all.Go(func() {
			err := p.Passes(ctx, directory.Schedule{
				Every: every, First: s.options(p.name, s.Full), Options: s.options(p.name, full),
				Done: func(r directory.Report, err error) {
					mu.Lock()
					defer mu.Unlock()
					s.endProgress()
					if ctx.Err() == nil || err == nil {
						s.seen.done(p.name, r, err)
					}
					if err = parts.NoPool(err, p.id); !s.Follow || s.JSON {
						err = s.tell(p, r, err)
					}
					if err != nil && ctx.Err() == nil {
						s.log.Warn("pass failed", slog.String("pool", p.name), slog.Any("error", err))
					}
				},
			})
			if ctx.Err() == nil {
				s.log.Error("no more passes", slog.String("pool", p.name), slog.Any("error", err))
			}
		})
	}
}

// worker takes events from SQS. That the queue can be used is asked first: whoever
// starts the process hears of it, and not the log alone.
func (s *syncing) worker(ctx context.Context, url string, pools directory.Pools) (*directory.Worker, error) {
	client, err := awsapi.Way{Region: sqsqueue.Region(url), Endpoint: s.QueueEndpoint, Log: s.log}.SQS(ctx)
	if err != nil {
		return nil, err
	}
	queue, err := sqsqueue.New(sqsqueue.Config{Client: client, URL: url})
	if err != nil {
		return nil, err
	}
	state, err := queue.Check(ctx)
	switch {
	case errors.Is(err, sqsqueue.ErrRefused):
		return nil, err
	case err != nil:
		s.log.Warn("the queue does not answer yet", slog.Any("error", err))
	default:
		s.log.Info("the queue answers", slog.Int("waiting", state.Waiting), slog.Int("in_flight", state.InFlight), slog.Bool("dead_letter_queue", state.DeadLetter))
	}
	return directory.NewWorker(directory.WorkerConfig{Queue: queue, Pools: pools, Grace: grace, Logger: s.log})
}

// receiver takes events that are posted.
func (s *syncing) receiver(pools directory.Pools) (*http.Server, error) {
	secrets, err := s.eventSecrets()
	if err != nil {
		return nil, err
	}
	if len(secrets) == 0 {
		return nil, errors.New("senders of events need a secret; create one with openssl rand -hex 32, and set --event-secret-file to its file")
	}
	receiver, err := directory.NewReceiver(directory.ReceiverConfig{Pools: pools, Secrets: secrets, Logger: s.log})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/events", receiver)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n"))
	})
	return &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: 3 * time.Minute, // a look takes two at most
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 16 << 10, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}, nil
}

// eventSecrets are those of the flag, the environment or the configuration.
func (s *syncing) eventSecrets() (secrets []directory.Secret, err error) {
	text := os.Getenv("CODEGRANT_EVENT_SECRETS")
	if s.EventSecretFile != "" {
		content, err := os.ReadFile(s.EventSecretFile)
		if err != nil {
			return nil, fmt.Errorf("read the secrets: %w", err)
		}
		text = string(content)
	}
	for _, secret := range strings.Fields(text) {
		secrets = append(secrets, directory.Secret(secret))
	}
	if text == "" {
		for _, secret := range s.settings.Events.Secrets {
			secrets = append(secrets, directory.Secret(secret.Reveal()))
		}
	}
	return secrets, nil
}
