//go:build linux

// Command load drives a codegrant serve process, beside bare servers under the same
// load, and says what becomes of latency and memory:
//
//	go run ./cmd/load latency     p50, p95 and p99 of requests at a fixed rate over many connections
//	go run ./cmd/load idle        memory for each connection that is open and idle
//	go run ./cmd/load sessions    memory over very many distinct sessions in Redis
//	go run ./cmd/load process     processor time and memory of the server, beside bare ones and oauth2-proxy
//	go run ./cmd/load agents      processor time of a tool call by rules, and memory of open streams
//	go run ./cmd/load profile     where codegrant serve spends its time, for builds by profile
//	go run ./cmd/load soak        three processes, restarts, kills and new keys, and a model of what must be true
//
// It builds the binary, starts it with a local pool, signs people in, and ends what it
// has started. It reaches nothing but 127.0.0.1, and reads /proc: it runs on Linux.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		stop()
		os.Exit(1)
	}
}

const usage = "usage: load latency | idle | sessions | process | agents | profile | soak [FLAGS]; -help after one of them lists its flags"

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	flags := flag.NewFlagSet("load "+args[0], flag.ContinueOnError)
	switch args[0] {
	case "latency":
		return latency(ctx, flags, args[1:], out)
	case "idle":
		return idle(ctx, flags, args[1:], out)
	case "sessions":
		return sessions(ctx, flags, args[1:], out)
	case "process":
		return processes(ctx, flags, args[1:], out)
	case "profile":
		return profile(ctx, flags, args[1:], out)
	case "agents":
		return agents(ctx, flags, args[1:], out)
	case "soak":
		return soak(ctx, flags, args[1:], out)
	case childBare, childProxy, childParts, childTools: // this program, started by itself
		return child(ctx, args)
	}
	return errors.New(usage)
}

func head(out io.Writer, format string, args ...any) {
	fmt.Fprintf(out, "%s %s/%s, %d cores; ", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU())
	fmt.Fprintf(out, format+"\n", args...)
}

// allow raises the limit of open files to what n connections need, here and in the
// processes that are started.
func allow(n int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return fmt.Errorf("read the limit of open files: %w", err)
	}
	need := uint64(2*n + 256) // a proxy has as many to its upstream
	if limit.Max < need {
		return fmt.Errorf("%d connections need %d open files, and at most %d are allowed: raise the hard limit (ulimit -Hn), or lower -connections", n, need, limit.Max)
	}
	if limit.Cur < need {
		limit.Cur = need
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			return fmt.Errorf("raise the limit of open files to %d: %w", need, err)
		}
	}
	return nil
}
