//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/codegrant/codegrant/bench/internal/wire"
)

// target is one row: requests that one process answers.
type target struct {
	label    string
	process  *process
	requests []wire.Request
}

// newTargets starts everything: a bare server, codegrant serve, and both as proxies
// in front of another bare server.
func newTargets(ctx context.Context, people int, access bool) (targets []target, _ func(), err error) {
	var started []func()
	stopAll := func() {
		for _, stop := range slices.Backward(started) {
			stop()
		}
	}
	defer func() {
		if err != nil {
			stopAll()
		}
	}()
	server := func(name string, args ...string) (*process, error) {
		p, err := startChild(ctx, name, args...)
		if err == nil {
			started = append(started, p.stop)
		}
		return p, err
	}
	upstream, err := server("upstream", childBare)
	if err != nil {
		return nil, nil, err
	}
	bare, err := server("net/http", childBare)
	if err != nil {
		return nil, nil, err
	}
	proxy, err := server("ReverseProxy", childProxy, upstream.url, "buffers")
	if err != nil {
		return nil, nil, err
	}
	check, err := newGateway(ctx, settings{access: access})
	if err != nil {
		return nil, nil, err
	}
	started = append(started, check.close)
	proxied, err := newGateway(ctx, settings{upstream: upstream.url, access: access})
	if err != nil {
		return nil, nil, err
	}
	started = append(started, proxied.close)
	for _, one := range []struct {
		label  string
		p      *process
		signIn func(context.Context, int) ([][]*http.Cookie, error)
		path   string
	}{
		{"net/http, no authentication", bare, check.signIn, "/auth/check?group=analysts"},
		{"codegrant serve, /auth/check", check.process, check.signIn, "/auth/check?group=analysts"},
		{"ReverseProxy with a BufferPool", proxy, proxied.signIn, "/orders"},
		{"codegrant serve, proxied", proxied.process, proxied.signIn, "/orders"},
	} {
		browsers, err := one.signIn(ctx, people)
		if err != nil {
			return nil, nil, err
		}
		t := target{label: one.label, process: one.p}
		for _, cookies := range browsers {
			request, err := wire.Get(one.p.url+one.path, cookies)
			if err != nil {
				return nil, nil, err
			}
			t.requests = append(t.requests, request)
		}
		targets = append(targets, t)
	}
	return targets, stopAll, nil
}

// dial opens connections, each of which asks once.
func (t target) dial(ctx context.Context, n int) (conns []*wire.Conn, err error) {
	conns = make([]*wire.Conn, n)
	var next, failed atomic.Int64
	var fault atomic.Pointer[error]
	var callers sync.WaitGroup
	for range 32 {
		callers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && failed.Load() == 0; i = int(next.Add(1)) - 1 {
				request := t.requests[i%len(t.requests)]
				conn, err := wire.Dial(ctx, request.Address)
				if err == nil {
					conns[i] = conn
					var status int
					if status, err = conn.Ask(request.Bytes); err == nil && status != http.StatusOK {
						err = fmt.Errorf("status %d", status)
					}
				}
				if err != nil {
					failed.Add(1)
					fault.Store(&err)
				}
			}
		})
	}
	callers.Wait()
	if f := fault.Load(); f != nil {
		hangUp(conns)
		return nil, fmt.Errorf("open %d connections to %s: %w", n, t.process.name, *f)
	}
	return conns, nil
}

func hangUp(conns []*wire.Conn) {
	for _, c := range conns {
		if c != nil {
			c.Close()
		}
	}
}

// taken is what one round saw.
type taken struct {
	p50, p95, p99, most time.Duration
	processor           time.Duration // of the server, for each request
	rate                float64       // that was reached
	failed              int
}

// drive sends requests at a rate, whether or not answers come: each has its time, and
// what is measured is from then to the end of its answer, so that a server that stops
// for a while is charged for all who would have asked meanwhile.
func (t target) drive(ctx context.Context, connections int, rate float64, length time.Duration) (taken, error) {
	conns, err := t.dial(ctx, connections)
	if err != nil {
		return taken{}, err
	}
	defer hangUp(conns)
	before, err := t.process.processor()
	if err != nil {
		return taken{}, err
	}
	every := time.Duration(float64(connections) / rate * float64(time.Second))
	begin := time.Now().Add(100 * time.Millisecond)
	end := begin.Add(length)
	times := make([][]time.Duration, connections)
	var failed atomic.Int64
	var callers sync.WaitGroup
	for i, conn := range conns {
		callers.Go(func() {
			_ = conn.SetDeadline(end.Add(30 * time.Second))
			due := begin.Add(every * time.Duration(i) / time.Duration(connections))
			for n := i; due.Before(end) && ctx.Err() == nil; due, n = due.Add(every), n+1 {
				time.Sleep(time.Until(due))
				status, err := conn.Ask(t.requests[n%len(t.requests)].Bytes)
				if err != nil || status != http.StatusOK {
					failed.Add(1)
				}
				if err != nil {
					return
				}
				times[i] = append(times[i], time.Since(due))
			}
		})
	}
	callers.Wait()
	lasted := time.Since(begin)
	after, err := t.process.processor()
	if err != nil {
		return taken{}, err
	}
	all := slices.Sorted(slices.Values(slices.Concat(times...)))
	if len(all) == 0 {
		return taken{}, fmt.Errorf("%s answers nothing", t.process.name)
	}
	at := func(share float64) time.Duration { return all[int(share*float64(len(all)-1))] }
	return taken{
		p50: at(.5), p95: at(.95), p99: at(.99), most: all[len(all)-1], failed: int(failed.Load()),
		processor: (after - before) / time.Duration(len(all)), rate: float64(len(all)) / lasted.Seconds(),
	}, nil
}

func latency(ctx context.Context, flags *flag.FlagSet, args []string, out io.Writer) error {
	connections := flags.Int("connections", 2000, "how many connections are open")
	rate := flags.Float64("rate", 2000, "requests a second, over all connections")
	length := flags.Duration("time", 10*time.Second, "how long each round lasts")
	rounds := flags.Int("rounds", 3, "how many rounds there are; the median is printed")
	people := flags.Int("people", 100, "how many people are signed in")
	access := flags.Bool("access-log", true, "whether codegrant serve writes an access log, which is the default")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *connections < 1 || *rate <= 0 || *length < time.Second || *length > time.Hour || *rounds < 1 || *people < 1 {
		return errors.New("-connections, -rate, -rounds and -people must be above 0, and -time between 1s and 1h")
	}
	if err := allow(*connections); err != nil {
		return err
	}
	targets, end, err := newTargets(ctx, *people, *access)
	if err != nil {
		return err
	}
	defer end()
	seen := make([][]taken, len(targets))
	for round := range *rounds {
		for i, t := range targets {
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, *rounds, t.label)
			got, err := t.drive(ctx, *connections, *rate, *length)
			if err != nil {
				return err
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			seen[i] = append(seen[i], got)
		}
	}
	head(out, "%d connections, %.0f requests a second, %d people; median (and range) of %d rounds of %v", *connections, *rate, *people, *rounds, *length)
	fmt.Fprintf(out, "\n  %-30s %8s %8s %8s %22s %9s %10s %7s\n", "", "p50", "p95", "p99", "", "most", "processor", "failed")
	failed := 0
	for i, t := range targets {
		pick := func(of func(taken) time.Duration) []time.Duration {
			var values []time.Duration
			for _, s := range seen[i] {
				values = append(values, of(s))
			}
			slices.Sort(values)
			return values
		}
		middle := func(of func(taken) time.Duration) time.Duration { v := pick(of); return v[len(v)/2] }
		p99 := pick(func(s taken) time.Duration { return s.p99 })
		bad := 0
		for _, s := range seen[i] {
			bad += s.failed
		}
		failed += bad
		fmt.Fprintf(out, "  %-30s %8s %8s %8s %22s %9s %10s %7d\n", t.label,
			short(middle(func(s taken) time.Duration { return s.p50 })), short(middle(func(s taken) time.Duration { return s.p95 })),
			short(p99[len(p99)/2]), "("+short(p99[0])+" to "+short(p99[len(p99)-1])+")",
			short(middle(func(s taken) time.Duration { return s.most })), short(middle(func(s taken) time.Duration { return s.processor })), bad)
		if i%2 == 1 { // the one before is bare
			var ratios []float64
			for round, got := range seen[i] {
				ratios = append(ratios, got.p99.Seconds()/seen[i-1][round].p99.Seconds())
			}
			ratio := quartilesOf(ratios)
			fmt.Fprintf(out, "    p99 × the bare one's of the same round: %.2f (%.2f–%.2f)\n", ratio.median, ratio.low, ratio.high)
		}
		if reached := seen[i][0].rate; reached < 0.95**rate {
			fmt.Fprintf(out, "    only %.0f requests a second were answered: the latencies are those of a server that is overrun\n", reached)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d requests failed", failed)
	}
	return nil
}

func short(d time.Duration) string {
	if d < time.Millisecond {
		return fmt.Sprintf("%dµs", d.Microseconds())
	}
	return fmt.Sprintf("%.1fms", float64(d.Microseconds())/1000)
}
