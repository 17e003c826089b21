//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Growth that a process may show over a soak, from rest to rest.
const (
	moreGoroutines = 50
	moreMemory     = 96 << 20 // 64 MiB of it are copies of sessions
)

// progressEach is how often a long soak says how far it is.
const progressEach = 5 * time.Minute

// soak lets people loose on three processes while these, their stores and their keys are
// restarted, killed and replaced, and holds every answer to a model of what must be true.
func soak(ctx context.Context, flags *flag.FlagSet, args []string, out io.Writer) error {
	length := flags.Duration("duration", time.Minute, "how long it runs")
	people := flags.Int("people", 24, "how many people there are")
	every := flags.Duration("every", 4*time.Second, "how long it is from one fault or change to the next")
	list := flags.String("wrong", filepath.Join(os.TempDir(), fmt.Sprintf("codegrant-soak-wrong-%d.txt", os.Getpid())), "the file that lists all answers that were wrong")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *people < 1 || *people > 99 || *every <= 0 || *length < 0 {
		return errors.New("-people must be 1 to 99, -every and -duration above 0")
	}
	head(out, "%d people on three processes over Redis and PostgreSQL for %v, tokens of %v with rotation\n", *people, *length, tokenLife)
	t := &tally{counts: make(map[string]int), out: out, list: *list}
	w, err := newSoakWorld(ctx, *people, t)
	if err != nil {
		return err
	}
	defer w.close()
	all := make([]*soakPerson, *people)
	for i := range all {
		all[i] = &soakPerson{w: w, t: t, name: username(i)}
	}
	// Measure the process at rest, after everybody has signed in.
	work(ctx, all, func() { _ = pause(ctx, 5*time.Second) })
	before, err := w.atRest(ctx)
	if err != nil {
		return err
	}
	var broken error
	work(ctx, all, func() { broken = w.trouble(ctx, t, *length, *every) })
	if broken != nil {
		return broken
	}
	if err := pause(ctx, after5xx); err != nil {
		return err
	}
	for _, p := range all { // who was signed in is so now
		if p.signedIn {
			p.ask(ctx)
		}
	}
	after, err := w.atRest(ctx)
	if err != nil {
		return err
	}
	t.print(out)
	fmt.Fprintf(out, "  the process that was never restarted: %d goroutines at rest, and %d after; %.1f MiB resident, and %.1f after\n",
		before.goroutines, after.goroutines, mebi(before.resident), mebi(after.resident))
	if after.goroutines > before.goroutines+moreGoroutines {
		t.wrong(growth, "goroutines grow: from %d to %d", before.goroutines, after.goroutines)
	}
	if after.resident > before.resident+moreMemory {
		t.wrong(growth, "memory grows: from %.1f to %.1f MiB", mebi(before.resident), mebi(after.resident))
	}
	if n := len(t.faults); n > 0 {
		return errors.Join(fmt.Errorf("%d answers were wrong, listed in %s; the logs of the processes are beside it", n, *list), w.keepLogs(*list))
	}
	fmt.Fprintln(out, "  nothing was lost, came back, or was answered to the wrong person")
	return nil
}

// work has everybody do things for as long as during takes.
func work(ctx context.Context, all []*soakPerson, during func()) {
	stop := make(chan struct{})
	var group sync.WaitGroup
	for _, p := range all {
		group.Go(func() { p.run(ctx, stop) })
	}
	during()
	close(stop)
	group.Wait()
}

// trouble makes changes and faults in turn. The first process is told of changes and
// never ended: it shows what grows.
func (w *soakWorld) trouble(ctx context.Context, t *tally, length, every time.Duration) error {
	within := func(fault func() error) error {
		w.faults.begin()
		defer w.faults.end()
		return fault()
	}
	crash := func(g *soakGateway) func() error {
		return func() error {
			return within(func() error { return w.restart(ctx, g, false) })
		}
	}
	kill := func(s *server) func() error {
		return func() error {
			return within(func() error {
				s.kill()
				if err := pause(ctx, time.Second); err != nil {
					return err
				}
				return s.start(ctx)
			})
		}
	}
	steps := []struct {
		what string
		do   func() error
	}{
		{"sealing keys announced", w.announce},
		{"configurations replaced", func() error {
			for _, g := range w.gateways {
				if err := w.reload(g); err != nil {
					return err
				}
			}
			return nil
		}},
		{"processes restarted", func() error { return w.restart(ctx, w.gateways[1], true) }},
		{"the pool's keys replaced", func() error {
			defer w.faults.rekeyed()
			return w.pool.RotateKeys(poolID)
		}},
		{"processes killed", crash(w.gateways[2])},
		{"sealing keys replaced", w.promote},
		{"Redis killed", kill(w.redis)},
		{"processes restarted", func() error { return w.restart(ctx, w.gateways[2], true) }},
		{"PostgreSQL killed", kill(w.postgres)},
		{"processes killed", crash(w.gateways[1])},
	}
	begin, told := time.Now(), time.Now()
	for i := 0; time.Since(begin) < length || i < len(steps) && length > 0; i++ {
		if time.Since(told) > progressEach {
			told = time.Now()
			fmt.Fprintf(t.out, "after %v\n", time.Since(begin).Round(time.Second))
			t.print(t.out)
		}
		step := steps[i%len(steps)]
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
		t.count(step.what)
		if err := pause(ctx, every); err != nil {
			return err
		}
	}
	return nil
}

// rest is what the first process takes while nobody asks anything.
type rest struct{ goroutines, resident int64 }

func (w *soakWorld) atRest(ctx context.Context) (r rest, err error) {
	soakClient.CloseIdleConnections()
	w.transport.CloseIdleConnections()
	if err := pause(ctx, 5*time.Second); err != nil {
		return r, err
	}
	if r.goroutines, err = metric(ctx, "http://"+w.gateways[0].ops+"/metrics", "go_goroutines "); err != nil {
		return r, err
	}
	r.resident, err = w.gateways[0].process.resident()
	return r, err
}
