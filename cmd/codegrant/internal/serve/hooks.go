package serve

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/ops"
	"github.com/codegrant/codegrant/webhook"
)

// hooks tell other programs of sessions and refusals. No transaction has these: they wait in the
// memory of the process for a second at most, and those that find no room are counted. It also
// sends messages, if the configuration says so.
type hooks struct {
	wanted  atomic.Bool
	mu      sync.Mutex
	waiting []webhook.Event
	refused int // of those that wait, refusals
	dropped atomic.Int64

	senders atomic.Pointer[ops.Webhooks] // nil: this process sends none
}

const (
	maxHeard    = 2000 // that wait
	maxRefusals = 100  // of these: strangers can cause them
	hearEvery   = time.Second
	tellTimeout = 5 * time.Second
)

// heard is what a message says of a session or a refusal.
type heard struct {
	Pool      string `json:"pool"`
	Issuer    string `json:"issuer"`
	Subject   string `json:"sub,omitempty"`
	Session   string `json:"session,omitempty"` // a part of a hash, as the log has it
	Reason    string `json:"reason,omitempty"`
	Method    string `json:"method,omitempty"`
	Path      string `json:"path,omitempty"`
	Reference string `json:"reference,omitempty"` // that the person sees
}

// toldOf are the lines of a pool's log that become messages.
var toldOf = map[string][2]string{ // kind, type
	"signed in":             {webhook.Sessions, webhook.TypeSessionStarted},
	"signed out":            {webhook.Sessions, webhook.TypeSessionEnded},
	"session ended":         {webhook.Sessions, webhook.TypeSessionEnded},
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
	what := heard{Pool: pool, Issuer: issuer}
	r.Attrs(func(a slog.Attr) bool {
		value := clip(a.Value.String(), 300)
		switch a.Key {
		case "sub":
			what.Subject = value
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
	event := webhook.Event{Kind: told[0], Type: told[1], Subject: what.Subject, At: r.Time, Data: what}
	if what.Subject != "" {
		event.Issuer = issuer
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	refusal := told[0] == webhook.Refusals
	if len(h.waiting) >= maxHeard || refusal && h.refused >= maxRefusals {
		h.dropped.Add(1)
		return
	}
	h.waiting = append(h.waiting, event)
	if refusal {
		h.refused++
	}
}

// endpoints are those of the configuration in use.
func (p *process) endpoints() []webhook.Endpoint {
	if g := p.current.Load(); g != nil {
		return g.Webhooks
	}
	return nil // nobody is served yet
}

// take returns what waits.
func (h *hooks) take() []webhook.Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := h.waiting
	h.waiting, h.refused = nil, 0
	return all
}

// tellHooks queues what was heard, until the context ends, and then what is left.
func (p *process) tellHooks(ctx context.Context) {
	var left []webhook.Event // that the database did not take
	failing := false
	tell := func(ctx context.Context) {
		all := append(left, p.hooks.take()...)
		if len(all) > maxHeard {
			p.hooks.dropped.Add(int64(len(all) - maxHeard))
			all = all[len(all)-maxHeard:]
		}
		left = nil
		if len(all) == 0 {
			return
		}
		g := p.enter()
		defer g.leave()
		if g.stores.queue == nil {
			p.hooks.dropped.Add(int64(len(all)))
			return
		}
		try, cancel := context.WithTimeout(ctx, tellTimeout)
		defer cancel()
		err := g.stores.queue.Post(try, g.Webhooks, all...)
		switch {
		case err == nil:
			failing = false
		case !failing:
			failing = true
			p.log.Warn("webhooks not told of sessions; trying again", "reason", err.Error())
		}
		if err != nil {
			left = all
		}
	}
	for {
		select {
		case <-ctx.Done():
			tell(context.WithoutCancel(ctx))
			p.hooks.dropped.Add(int64(len(left)))
			return
		case <-time.After(hearEvery):
			tell(ctx)
		}
	}
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

var droppedDesc = prometheus.NewDesc("codegrant_webhook_events_dropped_total", "Sessions and refusals of this process that became no message: there were too many, or the database did not answer.", nil, nil)

// Collect implements [prometheus.Collector].
func (h *hooks) Collect(to chan<- prometheus.Metric) {
	if n := h.dropped.Load(); h.wanted.Load() || n > 0 {
		to <- prometheus.MustNewConstMetric(droppedDesc, prometheus.CounterValue, float64(n))
	}
	if m := h.senders.Load(); m != nil {
		m.Collect(to)
	}
}
