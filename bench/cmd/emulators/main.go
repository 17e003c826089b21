//go:build linux

// Command emulators measures the local pool with many users, beside moto's server and
// cognito-local with the same users, in one run:
//
//	go -C bench run ./cmd/emulators                # 100,000 users; under five minutes
//	go -C bench run ./cmd/emulators -users 5000 -time 300ms -peers=false
//
// It builds the binary, brings moto from the Python index and cognito-local from the npm
// registry, in versions that are pinned, and loads each with the users by the way that is
// quickest for it. Each row is asked by a few connections at once for a while, and by as many
// requests at least; what is printed is requests per second, the median and the 99th
// percentile, and how many times as many the local pool answers. A row that a server does not
// have is marked with a dash. moto takes any proof of a password, so its SRP is no SRP.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "emulators:", err)
		stop()
		os.Exit(1)
	}
}

type options struct {
	users, connections, least int
	time                      time.Duration
	peers                     bool
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("emulators", flag.ContinueOnError)
	flags.IntVar(&o.users, "users", 100_000, "how many users each server has")
	flags.IntVar(&o.connections, "connections", 4, "how many ask at once")
	flags.IntVar(&o.least, "least", 8, "requests of a row at least")
	flags.DurationVar(&o.time, "time", time.Second, "how long each row is asked")
	flags.BoolVar(&o.peers, "peers", true, "measure moto and cognito-local too")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if o.users < 1000 || o.connections < 1 || o.least < 1 {
		return errors.New("-users is 1,000 at least, -connections and -least 1")
	}
	dir, err := os.MkdirTemp("", "codegrant-emulators-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintf(out, "%s %s/%s, %d cores; %d users, %d connections\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), o.users, o.connections)
	servers, err := o.servers(ctx, dir, out)
	for _, s := range servers {
		defer s.stop()
	}
	if err != nil {
		return err
	}
	head := fmt.Sprintf("%-44s", "")
	for _, s := range servers {
		head += fmt.Sprintf("  %-30s", s.name)
	}
	fmt.Fprintln(out, head)
	for _, row := range rows(o.users) {
		line := fmt.Sprintf("%-44s", row.name)
		var own float64
		for i, s := range servers {
			seen, err := o.measure(ctx, s, row)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				if i == 0 {
					return fmt.Errorf("%s: %w", row.name, err)
				}
				line += fmt.Sprintf("  %-30s", "–")
				continue
			}
			text := seen.String()
			if i == 0 {
				own = seen.rate
			} else {
				text += fmt.Sprintf(" ×%.0f", own/seen.rate)
			}
			line += fmt.Sprintf("  %-30s", text)
		}
		fmt.Fprintln(out, line)
	}
	return o.inside(ctx, out)
}

func (o options) servers(ctx context.Context, dir string, out io.Writer) (list []*server, err error) {
	program := filepath.Join(dir, "codegrant")
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/codegrant/codegrant").Output()
	if err != nil {
		return nil, fmt.Errorf("find the module beside this one: %w", err)
	}
	if err := execute(ctx, strings.TrimSpace(string(root)), "go", "build", "-o", program, "./cmd/codegrant"); err != nil {
		return nil, err
	}
	if err := o.starts(ctx, program, out); err != nil {
		return nil, err
	}
	begin := []func(context.Context, string) (*server, error){func(ctx context.Context, dir string) (*server, error) { return o.localPool(ctx, program, dir) }}
	if o.peers {
		begin = append(begin, o.moto, o.cognitoLocal)
	}
	for _, b := range begin {
		s, err := b(ctx, dir)
		if s != nil {
			list = append(list, s)
		}
		if err != nil {
			return list, err
		}
	}
	return list, nil
}

// starts prints how long the pool takes from the start of the process to its first answer.
func (o options) starts(ctx context.Context, program string, out io.Writer) error {
	var seen []time.Duration
	for range 15 {
		address, err := free()
		if err != nil {
			return err
		}
		began := time.Now()
		s, err := begin(ctx, "codegrant pool", "", address, program, "pool", "--listen", address)
		if err != nil {
			return err
		}
		seen = append(seen, time.Since(began))
		s.stop()
	}
	slices.Sort(seen)
	fmt.Fprintf(out, "codegrant pool listens %.0f ms after it is started (median of %d; the fastest %.0f ms)\n", ms(seen[len(seen)/2]), len(seen), ms(seen[0]))
	return nil
}

// seen is what became of a row at a server.
type seen struct {
	rate        float64
	median, p99 time.Duration
}

func (s seen) String() string {
	return fmt.Sprintf("%7.0f/s %6.1f %6.1f", s.rate, ms(s.median), ms(s.p99))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// measure asks one row of one server.
func (o options) measure(ctx context.Context, s *server, r row) (seen, error) {
	if err := r.do(ctx, s, 0); err != nil { // whatever is made once is made now
		return seen{}, err
	}
	var (
		mu    sync.Mutex // guards the two below
		took  []time.Duration
		fault error
		group sync.WaitGroup
	)
	began := time.Now()
	for c := range o.connections {
		group.Go(func() {
			for n := 1; time.Since(began) < o.time || n <= (o.least+o.connections-1)/o.connections; n++ {
				from := time.Now()
				err := r.do(ctx, s, c+n*o.connections)
				mu.Lock()
				took, fault = append(took, time.Since(from)), errors.Join(fault, err)
				mu.Unlock()
				if err != nil {
					return
				}
			}
		})
	}
	group.Wait()
	whole := time.Since(began)
	if fault != nil {
		return seen{}, fault
	}
	slices.Sort(took)
	return seen{float64(len(took)) / whole.Seconds(), took[len(took)/2], took[min(len(took)-1, len(took)*99/100)]}, nil
}
