package webhook

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// Outbox is the source of changes, such as a [sqlreplica.Store]. Writes of f through tx
// are committed together with the removal of the changes.
type Outbox interface {
	Outbox(ctx context.Context, n int, f func(ctx context.Context, tx *sql.Tx, entries []sqlreplica.Entry) error) (int, error)
}

// Config configures a [Sender]. Only Logger and Tried are optional.
type Config struct {
	// Outbox must be in the database of Queue. No other program may take changes out of it.
	Outbox Outbox
	Queue  *Queue

	// Endpoints get the changes that leave the outbox from now on. Messages for other
	// endpoints wait until these are here again.
	Endpoints []Endpoint

	// Logger gets the messages that were not accepted. Defaults to [slog.Default].
	Logger *slog.Logger

	// Tried is called after each try. Defaults to none.
	Tried func(Try)
}

// Try is a try to send a message.
type Try struct {
	Endpoint string
	Result   Result
	Took     time.Duration
}

// Result is what came of it.
type Result string

// The results.
const (
	Sent   Result = "sent"
	Failed Result = "failed"   // and it comes again
	Dead   Result = "given_up" // and it does not
)

// Results are all of them.
var Results = []Result{Sent, Failed, Dead}

// Sender takes changes out of the outbox and sends them. Make one with [NewSender]. Any
// number of processes may run one.
type Sender struct {
	Config
	targets []*target
	claim   string
	pace    pace
}

// pace is when things are done, for tests to be quick.
type pace struct {
	pause     time.Duration   // between looks where nothing was found
	firstWait time.Duration   // of an endpoint that does not answer
	lastWait  time.Duration   // the longest
	held      time.Duration   // by one process: longer than a try, and than clocks differ
	schedule  []time.Duration // how long after a failure the next try comes, give or take a fifth
}

var usual = pace{
	pause: time.Second, firstWait: time.Second, lastWait: time.Minute, held: time.Minute,
	schedule: []time.Duration{
		5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute,
		2 * time.Hour, 5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour,
	},
}

// target is an endpoint as a sender sees it.
type target struct {
	Endpoint
	client            *http.Client
	ordered, refusals *lane
}

// lane is a way to an endpoint that no other message can block.
type lane struct {
	atOnce int
	next   func(ctx context.Context, endpoint, claim string, now, until time.Time) (*Delivery, error)
	more   chan struct{} // there may be something to send

	mu     sync.Mutex
	failed int       // tries since one was taken, or refused for itself
	until  time.Time // nothing is sent
}

const (
	atOnce    = 4 // messages to one endpoint, of a process, beside one refusal
	atATime   = 100
	graceTime = 10 * time.Second

	// How long the database may take. What it does not answer is asked again.
	lookTime  = 10 * time.Second
	writeTime = 10 * time.Second
	takeTime  = time.Minute
)

// NewSender returns a sender. It does not touch the database. The error names every fault
// at once.
func NewSender(config Config) (*Sender, error) {
	if config.Outbox == nil || config.Queue == nil || len(config.Endpoints) == 0 {
		return nil, errors.New("configure webhooks: they need an outbox, a table and an endpoint")
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	s := &Sender{Config: config, claim: rand16(), pace: usual}
	var faults []error
	names := make(map[string]bool)
	for _, e := range config.Endpoints {
		if err := e.Check(); err != nil {
			faults = append(faults, fmt.Errorf("configure webhook %q: %w", e.Name, err))
		}
		if names[e.Name] {
			faults = append(faults, fmt.Errorf("configure webhook %q: there are two of this name", e.Name))
		}
		names[e.Name] = true
		s.targets = append(s.targets, newTarget(e, config.Queue))
	}
	return s, errors.Join(faults...)
}

func newTarget(e Endpoint, q *Queue) *target {
	return &target{
		Endpoint: e,
		client: &http.Client{
			Transport:     transport(e),
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		ordered:  &lane{atOnce: atOnce, next: q.next, more: make(chan struct{}, 1)},
		refusals: &lane{atOnce: 1, next: q.nextRefusal, more: make(chan struct{}, 1)},
	}
}

// Run sends until the context ends. Then it finishes what it has begun, for ten seconds at
// most, and returns.
func (s *Sender) Run(ctx context.Context) {
	finish, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	stop := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(graceTime):
			cut()
		case <-finish.Done():
		}
	})
	defer stop()
	var all sync.WaitGroup
	all.Go(func() { s.empty(ctx) })
	for _, t := range s.targets {
		all.Go(func() { s.send(ctx, finish, t, t.ordered) })
		all.Go(func() { s.send(ctx, finish, t, t.refusals) })
	}
	all.Wait()
	for _, t := range s.targets {
		t.client.CloseIdleConnections()
	}
}

// empty has what is in the outbox become messages, until the context ends.
func (s *Sender) empty(ctx context.Context) {
	failed := 0
	for ctx.Err() == nil {
		n, err := s.take(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			failed++
			s.Logger.Warn("changes not taken out of the outbox", slog.Any("error", err))
			rest(ctx, spread(s.pace.grown(failed)), nil)
		case n == 0:
			failed = 0
			rest(ctx, s.pace.pause, nil)
		default:
			failed = 0
		}
	}
}

// take has some changes become messages.
func (s *Sender) take(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, takeTime)
	defer cancel()
	now := time.Now()
	n, err := s.Outbox.Outbox(ctx, atATime, func(ctx context.Context, tx *sql.Tx, entries []sqlreplica.Entry) error {
		all, err := deliveries(s.Endpoints, entries, now)
		if err != nil {
			return err
		}
		return s.Queue.add(ctx, tx, all)
	})
	if n > 0 {
		for _, t := range s.targets {
			t.ordered.wake()
		}
	}
	return n, err
}

// send sends the messages of a lane, some at once, until the context ends.
func (s *Sender) send(ctx, finish context.Context, t *target, l *lane) {
	var tries sync.WaitGroup
	defer tries.Wait()
	slots := make(chan struct{}, l.atOnce)
	for {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		d := s.next(ctx, t, l)
		if d == nil {
			<-slots
			continue
		}
		tries.Go(func() {
			s.try(finish, t, l, d)
			<-slots
			l.wake() // the next one about the same person may go
		})
	}
}

// next takes hold of a message that is due, or waits a while and returns nil.
func (s *Sender) next(ctx context.Context, t *target, l *lane) *Delivery {
	if wait := time.Until(l.free()); wait > 0 {
		rest(ctx, wait, nil)
		return nil
	}
	now := time.Now()
	look, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	d, err := l.next(look, t.Name, s.claim+rand16(), now, now.Add(s.pace.held))
	switch {
	case err != nil && ctx.Err() == nil:
		s.Logger.Warn("webhooks cannot be looked at", slog.String("endpoint", t.Name), slog.Any("error", err))
		rest(ctx, spread(s.pace.lastWait/4), nil)
		return nil
	case d == nil:
		rest(ctx, s.pace.pause, l.more)
	}
	return d
}

// try sends a message, and writes down what came of it. Where that cannot be written, the
// message is sent again when nobody holds it any more.
func (s *Sender) try(ctx context.Context, t *target, l *lane, d *Delivery) {
	began := time.Now()
	o := t.post(ctx, d, began)
	if ctx.Err() != nil { // we hung up: that is not a failure of the receiver's
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		if err := s.Queue.letGo(release, d); err != nil {
			s.Logger.Warn("a webhook whose sending was interrupted could not be released", slog.Any("error", err))
		}
		return
	}
	d.Attempts++
	now := time.Now()
	l.heard(o, now, s.pace)
	result, write := Sent, func(ctx context.Context) error { return s.Queue.taken(ctx, d) }
	attributes := []any{slog.String("endpoint", t.Name), slog.String("message", d.Message), slog.Int("attempts", d.Attempts), slog.String("reason", o.failure)}
	switch {
	case o.failure == "":
	case o.gone || d.Attempts > len(s.pace.schedule):
		result, write = Dead, func(ctx context.Context) error { return s.Queue.giveUp(ctx, d, now, o.failure) }
		s.Logger.Error("webhook given up; codegrant webhooks resend sends it again", attributes...)
	default:
		due := now.Add(max(spread(s.pace.schedule[d.Attempts-1]), o.wait))
		result, write = Failed, func(ctx context.Context) error { return s.Queue.later(ctx, d, due, o.failure) }
		s.Logger.Warn("webhook not taken", append(attributes, slog.Time("again", due))...)
	}
	if s.Tried != nil {
		s.Tried(Try{t.Name, result, now.Sub(began)})
	}
	for n := 1; ; n++ {
		short, cancel := context.WithTimeout(ctx, writeTime)
		err := write(short)
		cancel()
		if err == nil {
			return
		}
		if n == 3 || ctx.Err() != nil {
			s.Logger.Error("the result of a webhook cannot be stored; it will be sent again", slog.String("endpoint", t.Name), slog.Any("error", err))
			return
		}
		rest(ctx, spread(s.pace.pause), nil)
	}
}

// wake has whoever waits for something to send look.
func (l *lane) wake() {
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// free is when the next message may be sent.
func (l *lane) free() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until
}

// heard has an endpoint that does not answer left alone for a while: one that is down is
// not asked once for each message. One that has enough of refusals still gets the others.
func (l *lane) heard(o outcome, now time.Time, p pace) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !o.away {
		l.failed, l.until = 0, time.Time{}
		return
	}
	l.failed++
	l.until = now.Add(max(spread(p.grown(l.failed)), o.wait))
}

// grown is how long to wait after so many failures.
func (p pace) grown(failed int) time.Duration {
	return min(p.firstWait<<min(failed-1, 10), p.lastWait)
}

// spread is a time, give or take a fifth of it, so that not everything comes at once.
func spread(d time.Duration) time.Duration {
	return d - d/5 + mathrand.N(2*d/5+1)
}

func rand16() string { return rand.Text()[:16] }

// rest waits for a time, or until there is more, or the context ends.
func rest(ctx context.Context, d time.Duration, more <-chan struct{}) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-more:
	case <-ctx.Done():
	}
}
