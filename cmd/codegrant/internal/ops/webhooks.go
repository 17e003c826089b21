package ops

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/codegrant/codegrant/webhook"
)

// Webhooks are the metrics of a process that sends them.
type Webhooks struct {
	queue *webhook.Queue
	names []string
	tries *prometheus.CounterVec
	took  *prometheus.HistogramVec
}

// countTime is how long the database may take to count.
const countTime = 3 * time.Second

// NewWebhooks returns metrics that are to be registered, and told of tries.
func NewWebhooks(queue *webhook.Queue, endpoints []webhook.Endpoint) *Webhooks {
	w := &Webhooks{
		queue: queue,
		tries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "codegrant", Subsystem: "webhook", Name: "tries_total", Help: "Tries of this process to send a message, by what came of them.",
		}, []string{"endpoint", "result"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "codegrant", Subsystem: "webhook", Name: "try_duration_seconds", Help: "How long they took.", Buckets: []float64{.01, .05, .1, .5, 1, 5, 15},
		}, []string{"endpoint"}),
	}
	for _, e := range endpoints {
		w.names = append(w.names, e.Name)
		w.took.WithLabelValues(e.Name)
		for _, result := range webhook.Results {
			w.tries.WithLabelValues(e.Name, string(result))
		}
	}
	return w
}

// Tried hears of a try.
func (w *Webhooks) Tried(t webhook.Try) {
	w.tries.WithLabelValues(t.Endpoint, string(t.Result)).Inc()
	w.took.WithLabelValues(t.Endpoint).Observe(t.Took.Seconds())
}

// Describe implements [prometheus.Collector]: without descriptions, what is there may
// differ from time to time.
func (*Webhooks) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (w *Webhooks) Collect(to chan<- prometheus.Metric) {
	w.tries.Collect(to)
	w.took.Collect(to)
	ctx, cancel := context.WithTimeout(context.Background(), countTime)
	defer cancel()
	sizes, err := w.queue.Sizes(ctx)
	if err != nil {
		return // whether the database answers is said elsewhere
	}
	of := make(map[string]webhook.Size)
	for _, name := range w.names {
		of[name] = webhook.Size{Endpoint: name}
	}
	for _, s := range sizes {
		of[s.Endpoint] = s
	}
	gauge := func(name, help string, value float64, endpoint string) {
		to <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, []string{"endpoint"}, nil), prometheus.GaugeValue, value, endpoint)
	}
	for name, s := range of {
		age := 0.0
		if !s.Oldest.IsZero() {
			age = time.Since(s.Oldest).Seconds()
		}
		gauge("codegrant_webhook_waiting", "Messages that are still to be sent.", float64(s.Waiting), name)
		gauge("codegrant_webhook_oldest_age_seconds", "How long the oldest of them waits.", age, name)
		gauge("codegrant_webhook_given_up", "Messages that were given up, and that nobody has sent again or discarded.", float64(s.Dead), name)
	}
}
