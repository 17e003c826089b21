package serve

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/ops"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/webhook"
)

// hooks tell other programs of sessions and refusals. No transaction has these: they wait in the
// memory of the process until the database takes them, for a second at most if it answers. Those
// that find no room are counted. It also sends messages, if the configuration says so.
type hooks struct {
	wanted atomic.Bool
	lines  [3]line

	senders atomic.Pointer[ops.Webhooks] // nil: this process sends none
}

// line is what waits of a kind, the oldest first. None takes room of another: strangers can cause
// any number of refusals, and so can a person who is signed in.
type line struct {
	mu      sync.Mutex
	waiting []webhook.Event
	dropped atomic.Int64
}

// The lines.
const (
	ofSessions = iota
	ofPeople   // refusals of people
	ofStrangers
)

var lineNames = [...]string{ofSessions: "sessions", ofPeople: "refusals of people", ofStrangers: "refusals of strangers"}

// maxHeard is how many wait: sessions of an outage of some minutes, refusals of a second.
var maxHeard = [...]int{ofSessions: 20_000, ofPeople: 100, ofStrangers: 100}

const (
	hearEvery   = time.Second
	tellTimeout = 5 * time.Second
	lastWords   = 10 * time.Second // of a process that ends
	atOnceTold  = 100              // events in one transaction
)

// toldOf are the lines of a pool's log that become messages.
var toldOf = map[string][2]string{ // kind, type
	"signed in":             {webhook.Sessions, webhook.TypeSessionStarted},
	"signed out":            {webhook.Sessions, webhook.TypeSessionEnded},
	"session ended":         {webhook.Sessions, webhook.TypeSessionEnded},
	"session replaced":      {webhook.Sessions, webhook.TypeSessionEnded},
	"sessions ended":        {webhook.Sessions, webhook.TypeSignedOutEverywhere},
	"signed out everywhere": {webhook.Sessions, webhook.TypeSignedOutEverywhere},
	"sign-in refused":       {webhook.Refusals, webhook.TypeSignInRefused},
	"request refused":       {webhook.Refusals, webhook.TypeRequestRefused},
}

// hear takes a line of the log of a pool.
func (h *hooks) hear(r slog.Record, pool, issuer string) {
	told, ok := toldOf[r.Message]
	if !ok || !h.wanted.Load() {
		return
	}
	what := parts.Happened{Pool: pool, Issuer: issuer}
	r.Attrs(func(a slog.Attr) bool {
		value := clip(a.Value.String(), 300)
		switch a.Key {
		case "sub":
			what.Subject = value
		case "issuer": // of another identity of the person
			what.Issuer = value
		case "session":
			what.Session = value
		case "reason":
			what.Reason = value
		case "method":
			what.Method = value
		case "path":
			what.Path = value
		case "correlation":
			what.Reference = value
		}
		return true
	})
	if told[1] == webhook.TypeRequestRefused && what.Subject == "" {
		return // of strangers: anybody can send any number of them
	}
	event := webhook.Event{ID: rand.Text(), Kind: told[0], Type: told[1], Subject: inColumn(what.Subject), At: r.Time, Data: what}
	if what.Subject != "" {
		event.Issuer = what.Issuer
	}
	// A session begins once and ends once, also if two processes see it.
	if what.Session != "" && told[0] == webhook.Sessions {
		event.ID = what.ID(told[1])
	}
	to := ofSessions
	switch {
	case told[0] == webhook.Refusals && what.Subject == "":
		to = ofStrangers
	case told[0] == webhook.Refusals:
		to = ofPeople
	}
	h.add(to, event)
}

// inColumn is text as a column of every engine takes it.
func inColumn(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text[:min(len(text), 255)], "\x00", ""), "")
}

func (h *hooks) add(to int, event webhook.Event) {
	l := &h.lines[to]
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) >= maxHeard[to] {
		l.dropped.Add(1)
		return
	}
	l.waiting = append(l.waiting, event)
}

// first returns the first that wait. They stay until done is told of them.
func (l *line) first() []webhook.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.waiting[:min(len(l.waiting), atOnceTold)])
}

// done takes away the first n.
func (l *line) done(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting = slices.Delete(l.waiting, 0, n)
	if len(l.waiting) == 0 {
		l.waiting = nil // what an outage made it is not kept
	}
}

func (l *line) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting)
}

// endpoints are those of the configuration in use.
func (p *process) endpoints() []webhook.Endpoint {
	if g := p.current.Load(); g != nil {
		return g.Webhooks
	}
	return nil // nobody is served yet
}

// post queues what waits, piece by piece, until nothing does or a piece is not taken. A later call
// begins with that piece: it may have been written, and its events keep their ids.
func (h *hooks) post(ctx context.Context, queue func(context.Context, ...webhook.Event) (dropped int, err error)) error {
	for i := range h.lines {
		l := &h.lines[i]
		for ctx.Err() == nil {
			some := l.first()
			if len(some) == 0 {
				break
			}
			try, cancel := context.WithTimeout(ctx, tellTimeout)
			dropped, err := queue(try, some...)
			cancel()
			if err != nil {
				return err
			}
			l.dropped.Add(int64(dropped))
			l.done(len(some))
		}
	}
	return ctx.Err()
}

// tellHooks queues what was heard, until the context ends, and then what is left.
func (p *process) tellHooks(ctx context.Context) {
	failing := false
	tell := func(ctx context.Context) {
		g := p.enter()
		defer g.leave()
		if g.stores.queue == nil {
			p.hooks.forget()
			return
		}
		err := p.hooks.post(ctx, func(ctx context.Context, events ...webhook.Event) (int, error) {
			known, err := ofKnown(ctx, g.stores.users, events)
			if err != nil || len(known) == 0 {
				return 0, err
			}
			return g.stores.queue.Post(ctx, g.Webhooks, known...)
		})
		switch {
		case err == nil:
			failing = false
		case !failing:
			failing = true
			p.log.Warn("events of sessions not queued for webhooks; trying again", "reason", err.Error())
		}
	}
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
			defer cancel()
			tell(last)
			if n := p.hooks.forget(); n > 0 {
				p.log.Error("events of sessions and refusals not queued for webhooks: the database does not answer, and the process ends", "events", n)
			}
			return
		case <-time.After(hearEvery):
			tell(ctx)
		}
	}
}

// ofKnown leaves out the ends of sessions of people whom the replica does not know: they were
// erased, and a browser that comes with a session of before must not have others hear of them.
func ofKnown(ctx context.Context, users replica.Store, events []webhook.Event) ([]webhook.Event, error) {
	known := make([]webhook.Event, 0, len(events))
	for _, e := range events {
		if e.Type == webhook.TypeSessionEnded && e.Subject != "" {
			_, err := users.UserBySubject(ctx, e.Issuer, e.Subject)
			if errors.Is(err, replica.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
		}
		known = append(known, e)
	}
	return known, nil
}

// forget drops what waits, and says how much that was.
func (h *hooks) forget() (all int) {
	for i := range h.lines {
		l := &h.lines[i]
		l.mu.Lock()
		all += len(l.waiting)
		l.dropped.Add(int64(len(l.waiting)))
		l.waiting = nil
		l.mu.Unlock()
	}
	return all
}

// sendHooks sends messages while the configuration in use says so, until the context ends, and
// begins anew with each configuration.
func (p *process) sendHooks(ctx context.Context) {
	for ctx.Err() == nil {
		g := p.enter()
		run, stop := context.WithCancel(ctx)
		var all sync.WaitGroup
		if st := g.stores; g.SendWebhooks && st.queue != nil {
			metrics := ops.NewWebhooks(st.queue, g.Webhooks)
			sender, err := webhook.NewSender(webhook.Config{Outbox: st.users, Queue: st.queue, Endpoints: g.Webhooks, Logger: p.log, Tried: metrics.Tried})
			if err != nil {
				p.log.Error("webhooks are not sent", "reason", err.Error())
			} else {
				p.log.Info("sending webhooks", "endpoints", len(g.Webhooks))
				p.hooks.senders.Store(metrics)
				all.Go(func() { sender.Run(run) })
			}
		}
		for ctx.Err() == nil && p.current.Load() == g {
			select {
			case <-ctx.Done():
			case <-time.After(hearEvery / 4):
			}
		}
		stop()
		all.Wait()
		p.hooks.senders.Store(nil)
		g.leave()
	}
}

// Describe implements [prometheus.Collector]: what is there differs between configurations.
func (*hooks) Describe(chan<- *prometheus.Desc) {}

var (
	droppedDesc = prometheus.NewDesc("codegrant_webhook_events_dropped_total", "Sessions and refusals of this process that became no message: there were too many, or the database did not answer until it ended.", []string{"kind"}, nil)
	unsaidDesc  = prometheus.NewDesc("codegrant_webhook_events_waiting", "Sessions and refusals of this process that the database has not taken yet.", []string{"kind"}, nil)
)

// Collect implements [prometheus.Collector].
func (h *hooks) Collect(to chan<- prometheus.Metric) {
	for i := range h.lines {
		l := &h.lines[i]
		if n := l.dropped.Load(); h.wanted.Load() || n > 0 {
			to <- prometheus.MustNewConstMetric(droppedDesc, prometheus.CounterValue, float64(n), label(lineNames[i]))
			to <- prometheus.MustNewConstMetric(unsaidDesc, prometheus.GaugeValue, float64(l.len()), label(lineNames[i]))
		}
	}
	if m := h.senders.Load(); m != nil {
		m.Collect(to)
	}
}
