//go:build linux

// Command emulators measures the local pool with many users, beside moto's server and
// cognito-local with the same users, in one run:
//
//	go -C bench run ./cmd/emulators                # 100,000 users; five minutes
//	go -C bench run ./cmd/emulators -users 5000 -time 300ms -only 'AdminGetUser|sign-in'
//	go -C bench run ./cmd/emulators -peers=false
//	go -C bench run ./cmd/emulators -suite         # moto's own tests of Cognito; two minutes
//
// It builds the binary, brings moto from the Python index and cognito-local from the npm
// registry, in versions that are pinned, and loads each with the users by the way that is
// quickest for it. Each row is asked by a few connections at once for a while; where one request
// takes longer than that, by one connection, for a few seconds at most. What is printed is
// requests per second, the median and the 99th percentile in milliseconds, and how many times as
// many the local pool answers. A row that a server does not have is marked with a dash, and one
// that it answers with other users than were asked for with ≠. moto takes any proof of a
// password, so its SRP is not SRP. What is done meanwhile is said on standard error.
//
// With -suite, it runs the tests that moto has for Cognito against the local pool, in place of
// that. They come with moto's source on the Python index. It prints how many pass, and what the
// others fail of.
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
	"regexp"
	"runtime"
	"slices"
	"strings"
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
	time, most                time.Duration
	peers, tests              bool
	only                      *regexp.Regexp // nil: every row
	said                      io.Writer
}

func run(ctx context.Context, args []string, out io.Writer) error {
	o := options{said: os.Stderr}
	flags := flag.NewFlagSet("emulators", flag.ContinueOnError)
	flags.IntVar(&o.users, "users", 100_000, "how many users each server has")
	flags.IntVar(&o.connections, "connections", 4, "how many ask at once")
	flags.IntVar(&o.least, "least", 8, "requests of a row, where there is time for them")
	flags.DurationVar(&o.time, "time", time.Second, "how long each row is asked")
	flags.DurationVar(&o.most, "most", 4*time.Second, "how long a row is asked at most; a request that has begun is waited for")
	flags.Func("only", "measure the rows alone whose names match an expression", func(text string) (err error) {
		o.only, err = regexp.Compile(text)
		return err
	})
	flags.BoolVar(&o.tests, "suite", false, "run moto's own tests against the local pool, and measure nothing")
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
	if o.tests {
		program, err := o.build(ctx, dir)
		if err != nil {
			return err
		}
		return o.suite(ctx, program, dir, out)
	}
	fmt.Fprintf(out, "%s %s/%s, %d cores%s; %d users, %d connections\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), busy(), o.users, o.connections)
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
	rows := o.rows()
	for n, row := range rows {
		line := fmt.Sprintf("%-44s", row.name)
		var own float64
		for i, s := range servers {
			o.progress("row %d of %d: %s, %s", n+1, len(rows), row.name, s.name)
			seen, err := o.measure(ctx, s, row)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				if i == 0 {
					return fmt.Errorf("%s: %w", row.name, err)
				}
				mark := "–"
				if errors.Is(err, errOther) {
					mark = "≠"
				}
				o.progress("%s: %v", s.name, err)
				line += fmt.Sprintf("  %-30s", mark)
				continue
			}
			text := seen.String()
			if i == 0 {
				own = seen.rate
			} else {
				text += " ×" + rate(own/seen.rate)
			}
			line += fmt.Sprintf("  %-30s", text)
		}
		fmt.Fprintln(out, line)
	}
	return o.inside(ctx, out)
}

// build builds the binary of the module beside this one.
func (o options) build(ctx context.Context, dir string) (program string, err error) {
	program = filepath.Join(dir, "codegrant")
	root, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/codegrant/codegrant").Output()
	if err != nil {
		return "", fmt.Errorf("find the module beside this one: %w", err)
	}
	o.progress("build the binary")
	return program, execute(ctx, strings.TrimSpace(string(root)), "go", "build", "-o", program, "./cmd/codegrant")
}

func (o options) servers(ctx context.Context, dir string, out io.Writer) (list []*server, err error) {
	program, err := o.build(ctx, dir)
	if err != nil {
		return nil, err
	}
	if err := o.starts(ctx, program, out); err != nil {
		return nil, err
	}
	begin := []func(context.Context, string) (*server, error){func(ctx context.Context, dir string) (*server, error) {
		o.progress("fill the local pool")
		return o.localPool(ctx, program, dir)
	}}
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

// busy says how many processes want a core, where that is more than there are.
func busy() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	var load float64
	if _, err := fmt.Sscan(string(b), &load); err != nil || load < float64(runtime.NumCPU()) {
		return ""
	}
	return fmt.Sprintf(", busy with %.0f others", load)
}

// progress says what is done now.
func (o options) progress(format string, args ...any) {
	fmt.Fprintf(o.said, time.Now().Format(time.TimeOnly)+" "+format+"\n", args...)
}
