package webhook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// receiver takes messages as a program of somebody else's does, and refuses some.
type receiver struct {
	answer func(m Message, id string) int // nil: takes all

	mu   sync.Mutex
	got  map[string][]string // names, by person, in the order of their first arrival
	seen map[string]bool     // ids of messages that were taken
	asks int
}

func newReceiver() *receiver {
	return &receiver{got: make(map[string][]string), seen: make(map[string]bool)}
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	var m Message
	body, err := io.ReadAll(request.Body)
	if err != nil || json.Unmarshal(body, &m) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	id := request.Header.Get("Webhook-Id")
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asks++
	if r.answer != nil {
		if status := r.answer(m, id); status/100 != 2 {
			w.WriteHeader(status)
			return
		}
	}
	if !r.seen[id] {
		r.seen[id] = true
		r.got[m.Data.User.Subject] = append(r.got[m.Data.User.Subject], m.Data.User.Name)
	}
	w.WriteHeader(http.StatusNoContent)
}

func (r *receiver) RoundTrip(request *http.Request) (*http.Response, error) {
	if err := request.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, request)
	return w.Result(), nil
}

func (r *receiver) names(subject string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got[subject])
}

// fails is a transport that reaches nobody.
type fails struct{ err error }

func (f fails) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

// TestS750_NothingIsLost: processes are killed at any moment, receivers fail as they like,
// and each gets every message, those about one person in order.
func TestS750_NothingIsLost(t *testing.T) {
	const people, changes = 12, 6
	eachEngine(t, func(t *testing.T, r *rig) {
		random := rand.New(rand.NewPCG(7, 50))
		var mu sync.Mutex
		chance := func(n int) bool {
			mu.Lock()
			defer mu.Unlock()
			return random.IntN(n) == 0
		}
		var endpoints []Endpoint
		var receivers []*receiver
		for _, name := range []string{"crm", "search"} {
			to := newReceiver()
			to.answer = func(Message, string) int {
				switch {
				case chance(5):
					return http.StatusServiceUnavailable
				case chance(5):
					return http.StatusBadRequest
				case chance(5):
					time.Sleep(time.Millisecond)
				}
				return http.StatusOK
			}
			server := httptest.NewServer(to)
			t.Cleanup(server.Close)
			_, key := secret(t)
			endpoints = append(endpoints, Endpoint{Name: name, URL: server.URL, Secrets: []Secret{key}})
			receivers = append(receivers, to)
		}

		quick := pace{pause: 2 * time.Millisecond, firstWait: time.Millisecond, lastWait: 4 * time.Millisecond, held: 300 * time.Millisecond,
			schedule: slices.Repeat([]time.Duration{2 * time.Millisecond}, 500)}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		var processes sync.WaitGroup
		for range 2 {
			processes.Go(func() {
				// Each process lives a little longer than the one before it: on a busy machine, the
				// first ones end before they have sent anything.
				for age := time.Millisecond; ctx.Err() == nil; age += age / 16 {
					life, kill := context.WithCancelCause(ctx)
					s := r.sender(t, endpoints...)
					s.pace = quick
					// Whoever is killed writes nothing down: not what it has begun, nor that it ends.
					killed := time.AfterFunc(time.Duration(20+rand.IntN(150))*age, func() { kill(errors.New("killed")) })
					var threads sync.WaitGroup
					threads.Go(func() { s.empty(life) })
					for _, to := range s.targets {
						for range atOnce {
							threads.Go(func() {
								for life.Err() == nil {
									now := time.Now()
									d, err := r.queue.next(life, to.Name, rand16(), now, now.Add(quick.held))
									if err != nil || d == nil {
										rest(life, time.Millisecond, nil)
									} else if !chance(10) {
										s.try(life, to, to.ordered, d)
									}
								}
							})
						}
					}
					threads.Wait()
					killed.Stop()
				}
			})
		}
		for change := range changes {
			for person := range people {
				r.state(t, named(person), fmt.Sprint(change))
			}
		}
		var want []string
		for change := range changes {
			want = append(want, fmt.Sprint(change))
		}
		deadline := time.Now().Add(time.Minute)
		for left, before := 1, 0; left > 0; {
			if left != before { // they are on their way
				deadline = time.Now().Add(time.Minute)
			}
			before, left = left, 0
			for _, to := range receivers {
				for person := range people {
					left += len(want) - len(to.names(named(person)))
				}
			}
			if left > 0 && time.Now().After(deadline) {
				t.Fatalf("%d messages have not come", left)
			}
			time.Sleep(5 * time.Millisecond)
		}
		stop()
		processes.Wait()
		for i, to := range receivers {
			for person := range people {
				if got := to.names(named(person)); !slices.Equal(got, want) {
					t.Errorf("%s heard of %s: %v, want %v", endpoints[i].Name, named(person), got, want)
				}
			}
		}
	})
}

// TestS753_TriesForTwoDays: a message that is not taken comes again, later and later, is
// then kept apart, and those after it are sent. An operator has it sent again.
func TestS753_TriesForTwoDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, key := secret(t)
		s := r.sender(t, Endpoint{Name: "crm", URL: "https://crm.example.com/hooks?token=hidden", Secrets: []Secret{key}})
		refused := true
		to := newReceiver()
		var at []time.Time
		to.answer = func(m Message, _ string) int {
			if refused && m.Data.User.Subject == "alice" && m.Data.User.Name == "first" {
				at = append(at, time.Now())
				return http.StatusTeapot
			}
			return http.StatusOK
		}
		s.targets[0].client.Transport, s.pace.pause = to, 5*time.Minute // there are many hours of them
		r.state(t, "alice", "first")
		r.state(t, "alice", "second")
		r.state(t, "bob", "only")
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.Run(ctx); close(done) }()

		time.Sleep(11 * time.Minute)
		if got := to.names("bob"); len(got) != 1 {
			t.Errorf("bob waits for alice: %v", got)
		}
		time.Sleep(30 * time.Hour)
		if got := to.names("alice"); len(got) != 0 {
			t.Errorf("alice's second message overtook the first: %v", got)
		}
		time.Sleep(50 * time.Hour)
		if got := to.names("alice"); !slices.Equal(got, []string{"second"}) {
			t.Errorf("alice after the first was given up: %v", got)
		}
		if len(at) != 1+len(usual.schedule) {
			t.Fatalf("%d tries, want %d", len(at), 1+len(usual.schedule))
		}
		for i, wait := range usual.schedule {
			if got := at[i+1].Sub(at[i]); got < wait*4/5 || got > wait*6/5+s.pace.pause {
				t.Errorf("try %d came after %s, want %s give or take a fifth", i+2, got, wait)
			}
		}
		dead, err := r.queue.Dead(t.Context(), DeadQuery{})
		if err != nil || len(dead) != 1 || dead[0].Subject != "alice" || dead[0].Failure != "answered 418 I'm a teapot" || dead[0].Attempts != 11 || dead[0].Died.IsZero() {
			t.Fatalf("given up: %+v, %v", dead, err)
		}
		if none, err := r.queue.Dead(t.Context(), DeadQuery{Endpoint: "other"}); err != nil || len(none) != 0 {
			t.Errorf("given up of another endpoint: %v, %v", none, err)
		}

		if n, err := r.queue.Resend(t.Context(), DeadQuery{IDs: []int64{dead[0].ID + 1000}}, time.Now()); n != 0 || err != nil {
			t.Errorf("resent what is not there: %d, %v", n, err)
		}
		to.mu.Lock()
		refused = false
		to.mu.Unlock()
		if n, err := r.queue.Resend(t.Context(), DeadQuery{IDs: []int64{dead[0].ID}}, time.Now()); n != 1 || err != nil {
			t.Errorf("resent %d, %v", n, err)
		}
		time.Sleep(11 * time.Minute)
		if got := to.names("alice"); !slices.Equal(got, []string{"second", "first"}) {
			t.Errorf("alice after it was sent again: %v", got)
		}
		if waiting, gone := r.size(t, "crm"); waiting != 0 || gone != 0 {
			t.Errorf("%d wait and %d were given up", waiting, gone)
		}
		stop()
		<-done
		r.db.Close()
	})
}

// TestS754_AReceiverThatIsDown is not asked for each message, and has lost nothing when it
// is there again.
func TestS754_AReceiverThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, key := secret(t)
		s := r.sender(t, Endpoint{Name: "crm", URL: "https://crm.example.com/hooks", Secrets: []Secret{key}})
		to := newReceiver()
		down := true
		to.answer = func(Message, string) int {
			if down {
				return http.StatusServiceUnavailable
			}
			return http.StatusOK
		}
		s.targets[0].client.Transport, s.pace.pause = to, 10*time.Second
		for i := range 100 {
			r.state(t, named(i), "first")
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.Run(ctx); close(done) }()
		time.Sleep(time.Hour)
		to.mu.Lock()
		if to.asks > 400 { // at most four a minute, after the first
			t.Errorf("asked %d times in an hour", to.asks)
		}
		down = false
		to.mu.Unlock()
		time.Sleep(40 * time.Minute)
		for i := range 100 {
			if got := to.names(named(i)); len(got) != 1 {
				t.Errorf("%s: %v", named(i), got)
			}
		}
		stop()
		<-done
		r.db.Close()
	})
}

// TestRetryAfterAndGone: a receiver says for how long it must be left alone, and that it
// wants something never again.
func TestRetryAfterAndGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, key := secret(t)
		s := r.sender(t, Endpoint{Name: "crm", URL: "https://crm.example.com/hooks", Secrets: []Secret{key}})
		asked := make(chan time.Time, 100)
		s.pace.pause = 10 * time.Second
		s.targets[0].client.Transport = roundTrip(func(request *http.Request) (*http.Response, error) {
			asked <- time.Now()
			w := httptest.NewRecorder()
			w.Header().Set("Retry-After", "1800")
			w.WriteHeader(http.StatusTooManyRequests)
			if len(asked) == 2 {
				w = httptest.NewRecorder()
				w.WriteHeader(http.StatusGone)
			}
			return w.Result(), nil
		})
		r.state(t, "alice", "first")
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.Run(ctx); close(done) }()
		time.Sleep(2 * time.Hour)
		if len(asked) != 2 {
			t.Fatalf("asked %d times", len(asked))
		}
		if wait := -(<-asked).Sub(<-asked); wait < 30*time.Minute {
			t.Errorf("asked again after %s", wait)
		}
		if waiting, dead := r.size(t, "crm"); waiting != 0 || dead != 1 {
			t.Errorf("%d wait and %d were given up", waiting, dead)
		}
		if n, err := r.queue.Discard(t.Context(), DeadQuery{Endpoint: "crm"}); n != 1 || err != nil {
			t.Errorf("discarded %d, %v", n, err)
		}
		stop()
		<-done
		r.db.Close()
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestStopping: what is under way when the process is told to end comes to its end, or is
// left for the next one, at once.
func TestStopping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, key := secret(t)
		s := r.sender(t, Endpoint{Name: "crm", URL: "https://crm.example.com/hooks", Secrets: []Secret{key}})
		s.targets[0].client.Transport = roundTrip(func(request *http.Request) (*http.Response, error) {
			<-request.Context().Done()
			return nil, request.Context().Err()
		})
		r.state(t, "alice", "first")
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { s.Run(ctx); close(done) }()
		time.Sleep(2 * time.Second)
		began := time.Now()
		stop()
		<-done
		if took := time.Since(began); took > graceTime+time.Second {
			t.Errorf("ended after %s", took)
		}
		next, err := r.queue.next(t.Context(), "crm", "another", time.Now(), time.Now().Add(time.Minute))
		if err != nil || next == nil || next.Attempts != 0 {
			t.Errorf("left: %+v, %v", next, err)
		}
		r.db.Close()
	})
}

// TestS752_FailuresTellNoURL: the URL of an endpoint may hold a password, and is in no
// failure that is stored.
func TestS752_FailuresTellNoURL(t *testing.T) {
	_, key := secret(t)
	to := newTarget(Endpoint{Name: "crm", URL: "https://user:hidden@crm.example.com/hidden?token=hidden", Secrets: []Secret{key}}, nil)
	to.client.Transport = fails{errors.New("connection refused")}
	o := to.post(t.Context(), &Delivery{Message: "msg_1", body: []byte("{}")}, time.Now())
	if o.failure == "" || strings.Contains(o.failure, "hidden") || !o.away {
		t.Errorf("%+v", o)
	}
}
