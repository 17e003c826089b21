package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

// dependency is somebody that sign-ins or sessions need, as last heard of.
type dependency struct {
	Name  string    `json:"name"`
	OK    bool      `json:"ok"`
	Since time.Time `json:"since"`
	Error string    `json:"error,omitempty"`

	answered bool // at least once
}

// readiness knows who answers. It asks by itself: whoever looks makes no work.
type readiness struct {
	mu       sync.Mutex
	checks   []dependency
	stopping time.Time // zero: not
}

// report is the answer of /readyz.
type report struct {
	Ready  bool         `json:"ready"`
	Checks []dependency `json:"checks"`
}

func (r *readiness) report() report {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := report{Ready: len(r.checks) > 0, Checks: slices.Clone(r.checks)}
	for _, c := range r.checks {
		// A short fault that all processes see must not take all of them out of the
		// balancer's hands: what needs no answer goes on, and what does says 503.
		out.Ready = out.Ready && (c.OK || c.answered && time.Since(c.Since) < readyGrace)
	}
	if !r.stopping.IsZero() {
		out.Ready = false
		out.Checks = append(out.Checks, dependency{Name: "process", Since: r.stopping, Error: "it is stopping"})
	}
	return out
}

func (r *readiness) stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stopping = time.Now()
}

// record takes what was found out, and keeps since when it is so.
func (r *readiness) record(found []dependency) (changed []dependency) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range found {
		j := slices.IndexFunc(r.checks, func(c dependency) bool { return c.Name == found[i].Name })
		found[i].answered = found[i].OK || j >= 0 && r.checks[j].answered
		if j >= 0 && r.checks[j].OK == found[i].OK {
			found[i].Since = r.checks[j].Since
		} else if j >= 0 || !found[i].OK {
			changed = append(changed, found[i])
		}
	}
	r.checks = found
	return changed
}

const (
	askEvery   = 5 * time.Second
	askTimeout = 2 * time.Second

	// readyGrace is how long somebody may not answer, who did before, until the
	// process is not ready any more.
	readyGrace = 15 * time.Second
)

// watchDependencies asks until the context ends.
func (p *process) watchDependencies(ctx context.Context) {
	tick := time.NewTicker(askEvery)
	defer tick.Stop()
	for {
		p.askDependencies(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-p.replaced:
		}
	}
}

func (p *process) askDependencies(ctx context.Context) {
	g := p.enter()
	defer g.leave()
	type question struct {
		name string
		ask  func(context.Context) error
	}
	var questions []question
	if store := g.stores.sessions; store != nil {
		questions = append(questions, question{"sessions", func(ctx context.Context) error {
			_, err := store.Get(ctx, "nobody's")
			return unless(err, session.ErrNotFound)
		}})
	}
	if store := g.stores.replica; store != nil {
		questions = append(questions, question{"replica", func(ctx context.Context) error {
			_, err := store.UserBySubject(ctx, "https://nobody.invalid", "nobody")
			return unless(err, replica.ErrNotFound)
		}})
	}
	if len(g.stores.migrate) > 0 {
		questions = append(questions, question{"tables", func(context.Context) error {
			if !g.stores.prepared.Load() {
				return errors.New("they are not up to date yet")
			}
			return nil
		}})
	}
	for name, pool := range g.pools {
		questions = append(questions, question{"keys of pool " + name, pool.auth.Warm})
	}

	found := make([]dependency, len(questions))
	var all sync.WaitGroup
	for i, q := range questions {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, askTimeout)
			defer cancel()
			err := q.ask(ctx)
			found[i] = dependency{Name: q.name, OK: err == nil, Since: time.Now()}
			if err != nil {
				found[i].Error = err.Error()
			}
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return // what failed now says nothing
	}
	slices.SortFunc(found, func(a, b dependency) int { return strings.Compare(a.Name, b.Name) })
	for _, d := range p.ready.record(found) {
		if d.OK {
			p.log.Info("dependency answers again", "dependency", d.Name)
		} else {
			p.log.Error("dependency does not answer", "dependency", d.Name, "reason", d.Error)
		}
	}
}

func unless(err, fine error) error {
	if errors.Is(err, fine) {
		return nil
	}
	return err
}

// operations are the endpoints that are not for the public.
func (p *process) operations() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		report := p.ready.report()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if !report.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(report)
	})
	mux.Handle("GET /metrics", p.metrics.handler())
	return mux
}
