package serve

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/ops"
)

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
		case <-p.news:
		}
	}
}

func (p *process) askDependencies(ctx context.Context) {
	g := p.enter()
	defer g.leave()
	questions := g.stores.questions()
	for name, pool := range g.pools {
		questions = append(questions, question{"keys of pool " + name, true, pool.auth.Warm})
		questions = append(questions, pool.askSignInPage(name)...)
	}
	found := askAll(ctx, questions)
	if ctx.Err() != nil {
		return // what failed now says nothing
	}
	if d, ok := certificateState(g.Certificate, time.Now()); ok {
		found = append(found, d)
	}
	p.tell(p.ready.record(found))
}

// tell says what has changed.
func (p *process) tell(changed []dependency, states []stateChange) {
	for _, d := range changed {
		p.state.noteChange(d.Name, d.inWords())
		switch {
		case !d.OK && d.expires:
			p.log.Error("certificate has expired", "reason", d.Error)
		case d.Warning != "":
			p.log.Warn("certificate expires soon", "reason", d.Warning)
		case d.expires:
			p.log.Info("certificate is good again")
		case d.OK:
			p.log.Info("dependency answers again", "dependency", d.Name)
		default:
			p.log.Error("dependency does not answer", "dependency", d.Name, "reason", d.Error)
		}
	}
	for _, s := range states {
		p.log.Log(context.Background(), s.level, s.text)
	}
}

func unless(err, fine error) error {
	if errors.Is(err, fine) {
		return nil
	}
	return err
}

// operations are the endpoints that are not for the public.
func (p *process) operations() *http.ServeMux {
	mux := ops.Mux(func() (bool, any) {
		report := p.ready.report()
		return report.Ready, report
	}, p.metrics.registry)
	mux.HandleFunc("GET /state", func(w http.ResponseWriter, r *http.Request) {
		if p.current.Load() == nil {
			http.Error(w, "it is starting", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(p.state.get(r.Context()))
	})
	return mux
}

// inWords is how somebody is now.
func (d dependency) inWords() string {
	switch {
	case !d.OK && d.expires:
		return "has expired: " + d.Error
	case !d.OK:
		return "does not answer: " + d.Error
	case d.Warning != "":
		return d.Warning
	case d.expires:
		return "is good again"
	}
	return "answers again"
}
