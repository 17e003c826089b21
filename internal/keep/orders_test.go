package keep_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/keep"
	"github.com/codegrant/codegrant/session"
)

// What one browser does at the same time, over cookies whose tokens have ended. Each
// waits at every call of the pool and of the store, or of what the process knows of what
// browsers carry, until it is let go on.
var actors = map[string]func(*orders, context.Context){
	"refresh":           func(o *orders, ctx context.Context) { o.find(ctx, "refresh", o.here) },
	"refresh elsewhere": func(o *orders, ctx context.Context) { o.find(ctx, "refresh elsewhere", o.beside) },
	"sign-out": func(o *orders, ctx context.Context) {
		if err := o.here.End(ctx, httptest.NewRecorder(), o.alice.request().WithContext(ctx)); err != nil {
			o.h.t.Errorf("sign out: %v", err)
		}
		o.over = true
	},
	"second sign-in": func(o *orders, ctx context.Context) {
		w := httptest.NewRecorder()
		grant := keep.Grant{Tokens: o.second, Began: o.h.now(), Ours: true}
		if _, err := o.here.Begin(ctx, w, o.alice.request().WithContext(ctx), grant); err != nil {
			o.h.t.Errorf("sign in: %v", err)
		}
		o.bob, o.over = o.alice.after(w), true
	},
	"stale mark": func(o *orders, ctx context.Context) {
		o.h.point(stepOf(ctx, "mark", "alice"))
		if err := o.h.mark("alice"); err != nil {
			o.h.t.Error(err)
		}
		o.marked, o.before = true, o.h.pool.refreshes()
	},
	"stream": func(o *orders, ctx context.Context) {
		held, err := o.here.Recheck(o.alice.request().WithContext(ctx))
		if held != nil && err == nil {
			o.saw("stream", held.Subject)
		}
	},
}

// orders is one run: some actors, in one order.
type orders struct {
	h            *house
	here, beside *keep.Sessions
	alice, bob   jar
	second       cognito.TokenSet // of the second sign-in
	over         bool             // nobody who holds what Alice held is signed in any more
	marked       bool
	before       int // refreshes when the mark was set

	choose func([]step) int // which of those that wait goes on
	cut    bool             // it is the same as another order: what is left is not looked at

	mu   sync.Mutex
	seen map[string]string // what actors saw
	end  string            // what came of it, as far as anybody could tell
}

type waiting struct {
	step
	on chan struct{}
}

func (o *orders) find(ctx context.Context, actor string, s *keep.Sessions) {
	held, err := s.Find(httptest.NewRecorder(), o.alice.request().WithContext(ctx))
	switch {
	case held != nil:
		o.saw(actor, held.Subject)
	case err != nil:
		o.saw(actor, err.Error())
	}
}

func (o *orders) saw(actor, what string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.seen[actor] = what
	if what == "bob" {
		o.h.t.Errorf("%s is of %s", actor, what)
	}
}

// run lets the actors go on one at a time, and compares what is left with the model. Time
// stands still while anybody can go on.
func (o *orders) run(names []string) {
	h := o.h
	o.seen = make(map[string]string)
	o.here, _ = h.begin()
	o.beside, _ = h.begin()
	o.alice = h.signIn(o.here, "alice", nil)
	h.settle()
	seen := h.records()
	time.Sleep(61 * time.Minute)
	if slices.Contains(names, "second sign-in") {
		o.second = h.pool.signIn("bob")
	}

	wait := make(chan *waiting, 100)
	h.point = func(s step) {
		w := &waiting{s, make(chan struct{})}
		wait <- w
		<-w.on
	}
	running := len(names)
	done := make(chan struct{}, len(names))
	for i, name := range names {
		ctx := context.WithValue(h.t.Context(), actorKey{}, fmt.Sprint(i, " ", name))
		go func() { actors[name](o, ctx); done <- struct{}{} }()
	}
	var ready []*waiting
	alike := make(map[step]int)
	for idle := 0; running > 0 || len(ready) > 0; {
		synctest.Wait()
		for len(wait) > 0 {
			w := <-wait
			alike[w.step]++
			w.nth = alike[w.step]
			ready = append(ready, w)
		}
		for len(done) > 0 {
			<-done
			running--
		}
		if len(ready) == 0 {
			if running == 0 {
				break
			}
			if idle++; idle > 2000 {
				h.t.Fatal("nobody goes on")
			}
			time.Sleep(50 * time.Millisecond) // for another's lease
			continue
		}
		slices.SortFunc(ready, func(a, b *waiting) int { return a.compare(b.step) })
		steps := make([]step, len(ready))
		for i, w := range ready {
			steps[i] = w.step
		}
		next := o.choose(steps)
		close(ready[next].on)
		ready = slices.Delete(ready, next, next+1)
	}
	h.point = func(step) {}
	h.settle()
	if !o.cut {
		o.check(names, seen)
		o.end = fmt.Sprint(o.over, o.seen, h.pool.good("alice"), h.pool.good("bob"), len(h.records()))
	}
}

// check is the model.
func (o *orders) check(names []string, seen []session.Record) {
	h := o.h
	t := h.t
	t.Helper()
	stored := h.way.name == "store"
	if o.over {
		h.wantFound(o.here, o.alice, "")
		if n := h.pool.good("alice"); n != 0 && !(slices.Contains(names, "refresh elsewhere") && !stored) {
			t.Errorf("%d grants are good that no live session holds", n)
		}
		if stored {
			h.wantFound(o.beside, o.alice, "")
		}
	} else {
		if !stored && slices.Contains(names, "refresh elsewhere") {
			return // each process refreshes by itself: an exception
		}
		if stored && !slices.Contains(names, "refresh") && !slices.Contains(names, "refresh elsewhere") {
			if now := h.records(); len(now) != 1 || !now[0].LastSeen.Equal(seen[0].LastSeen) {
				t.Errorf("the stream counts as use: %v", now)
			}
		}
		if o.marked && stored {
			h.wantFound(o.here, o.alice, "alice")
			if h.pool.refreshes() == o.before {
				t.Error("a session that was marked is used before it is renewed")
			}
		}
		after := h.wantFound(o.here, o.alice, "alice")
		h.settle()
		time.Sleep(61 * time.Minute)
		h.wantFound(o.here, after, "alice")
		if n := h.pool.good("alice"); n != 1 {
			t.Errorf("%d grants are good of a session that holds one", n)
		}
	}
	if o.bob != nil {
		h.wantFound(o.here, o.bob, "bob")
		if n := h.pool.good("bob"); n != 1 {
			t.Errorf("%d grants of the second sign-in are good", n)
		}
	}
}

// everybody is every actor once. Two of the same are a pair of their own.
var everybody = []string{"refresh", "refresh elsewhere", "sign-out", "second sign-in", "stale mark", "stream"}

// groups are all choices of n of the actors.
func groups(n int, of []string) (all [][]string) {
	if n == 0 {
		return [][]string{nil}
	}
	for i, name := range of {
		for _, others := range groups(n-1, of[i+1:]) {
			all = append(all, append([]string{name}, others...))
		}
	}
	return all
}

// TestS331_EveryOrder runs what a browser can do at the same time, in orders of the points at
// which it waits, and compares with the model. Orders that differ in neighboring steps which
// commute are run once; see independent. What is covered:
//
//   - any two of the six actors, and two refreshes: every order;
//   - any three: where the browser carries the state, every order; with a store, of each
//     twenty choices the first 300 runs, depth first, and a sample of 10 where that is not all;
//   - a refresh, a sign-out, a second sign-in, a stale mark and a stream: a sample of 50;
//   - all six: a sample of 10.
//
// CODEGRANT_ORDERS=n takes n in place of 300 and of 10, and five times as many in place of 50. With 20000, every order of any three
// is run with a store, too. Time stands still while anybody can go on: that a lease or the
// patience of a request ends before its holder is through is not among the orders.
func TestS331_EveryOrder(t *testing.T) {
	sample, most := 10, 300
	if n := os.Getenv("CODEGRANT_ORDERS"); n != "" {
		if _, err := fmt.Sscan(n, &most); err != nil {
			t.Fatal(err)
		}
		sample = most
	}
	const all = 1 << 30
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			total, left := 0, 0
			for _, names := range append(groups(2, everybody), []string{"refresh", "refresh"}) {
				ran, _, _ := every(t, w, names, all, independent)
				total += ran
			}
			bound := all
			if w.name == "store" {
				bound = most
			}
			for _, names := range groups(3, everybody) {
				ran, cut, _ := every(t, w, names, bound, independent)
				if total += ran; ran+cut == bound {
					left++
					total += some(t, w, names, sample)
				}
			}
			total += some(t, w, []string{"refresh", "sign-out", "second sign-in", "stale mark", "stream"}, 5*sample)
			total += some(t, w, everybody, sample)
			t.Logf("%d orders; of %d choices of three not all", total, left)
		})
	}
}

// TestOrdersThatAreLeftOut: what comes of the orders that are run is what comes of all.
func TestOrdersThatAreLeftOut(t *testing.T) {
	never := func(a, b step) bool { return false }
	for _, w := range ways {
		for _, names := range [][]string{{"refresh", "sign-out"}, {"refresh elsewhere", "second sign-in"}} {
			ran, cut, ends := every(t, w, names, 3000, independent)
			whole, none, all := every(t, w, names, 3000, never)
			t.Logf("%s, %s: %d orders and %d cut off, of %d", w.name, strings.Join(names, " × "), ran, cut, whole)
			if none != 0 || whole == 3000 || !maps.Equal(ends, all) {
				t.Errorf("%s, %s: %d orders come to %v, and %d to %v", w.name, strings.Join(names, " × "), ran, ends, whole, all)
			}
		}
	}
}

// some runs a sample of the orders.
func some(t *testing.T, w way, names []string, sample int) int {
	for seed := range sample {
		random := rand.New(rand.NewPCG(uint64(seed), uint64(len(names))))
		one(t, w, names, func(_ *orders, ready []step) int { return random.IntN(len(ready)) }, func() string { return fmt.Sprintf("seed %d", seed) })
	}
	return sample
}

// node is a point in a run where somebody goes on.
type node struct {
	next   step
	ready  []step
	tried  []step        // before next
	asleep map[step]bool // what they lead to has been seen
}

// choose takes the next step that leads to something new.
func (n *node) choose() bool {
	for _, s := range n.ready {
		if !n.asleep[s] && !slices.Contains(n.tried, s) {
			n.next = s
			return true
		}
	}
	return false
}

// every goes through the orders depth first, and leaves out those that differ from another
// one in neighboring steps that commute (sleep sets: Godefroid, "Partial-Order Methods for
// the Verification of Concurrent Systems", 1996). It stops after most runs.
func every(t *testing.T, w way, names []string, most int, commute func(a, b step) bool) (ran, cut int, ends map[string]bool) {
	ends = make(map[string]bool)
	var path []*node
	for ran+cut < most {
		at := 0
		o := one(t, w, names, func(o *orders, ready []step) int {
			if o.cut {
				return 0
			}
			if at == len(path) {
				n := &node{ready: ready, asleep: make(map[step]bool)}
				if i := slices.IndexFunc(ready, step.alone); i >= 0 {
					n.ready = ready[i : i+1] // nobody can tell when it is taken
				}
				if at > 0 {
					before := path[at-1]
					for _, s := range slices.AppendSeq(slices.Clone(before.tried), maps.Keys(before.asleep)) {
						if commute(s, before.next) {
							n.asleep[s] = true
						}
					}
				}
				if !n.choose() {
					o.cut = true
					return 0
				}
				path = append(path, n)
			}
			next := slices.Index(ready, path[at].next)
			if next < 0 {
				t.Fatalf("%v is not ready: %v", path[at].next, ready)
			}
			at++
			return next
		}, func() string { return text(path) })
		if o.cut {
			cut++
		} else {
			ran++
			ends[o.end] = true
		}
		if t.Failed() {
			return ran, cut, ends
		}
		for len(path) > 0 {
			last := path[len(path)-1]
			if last.tried = append(last.tried, last.next); last.choose() {
				break
			}
			path = path[:len(path)-1]
		}
		if len(path) == 0 {
			break
		}
	}
	return ran, cut, ends
}

func text(path []*node) string {
	var b strings.Builder
	for _, n := range path {
		fmt.Fprintf(&b, "\n\t%s: %s of %s", n.next.actor, n.next.kind, n.next.object)
	}
	return b.String()
}

func one(t *testing.T, w way, names []string, choose func(*orders, []step) int, order func() string) (o *orders) {
	t.Helper()
	failed := t.Failed()
	synctest.Test(t, func(t *testing.T) {
		o = &orders{h: newHouse(t, w, time.Now)}
		o.choose = func(ready []step) int { return choose(o, ready) }
		o.run(names)
	})
	if t.Failed() && !failed {
		t.Logf("%s, %s", strings.Join(names, " × "), order())
	}
	return o
}
