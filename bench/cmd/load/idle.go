//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"
)

// settle is how long memory is left alone before it is looked at.
const settle = 2 * time.Second

// idle prints what connections cost that were asked on once, and are open.
func idle(ctx context.Context, flags *flag.FlagSet, args []string, out io.Writer) error {
	connections := flags.Int("connections", 5000, "how many connections are held")
	people := flags.Int("people", 100, "how many people are signed in")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *connections < 100 || *people < 1 {
		return errors.New("-connections must be at least 100, and -people at least 1")
	}
	if err := allow(*connections); err != nil {
		return err
	}
	targets, end, err := newTargets(ctx, *people, false)
	if err != nil {
		return err
	}
	defer end()
	head(out, "%d connections that have asked once, and are idle", *connections)
	fmt.Fprintf(out, "\n  %-30s %14s %14s %16s\n", "", "before", "with them", "each")
	for _, t := range targets {
		fmt.Fprintln(os.Stderr, t.label)
		// The cost of the first requests is not that of a connection.
		if _, err := t.drive(ctx, 50, 1000, 3*time.Second); err != nil {
			return err
		}
		if err := pause(ctx, settle); err != nil {
			return err
		}
		before, err := t.process.resident()
		if err != nil {
			return err
		}
		conns, err := t.dial(ctx, *connections)
		if err != nil {
			return err
		}
		err = pause(ctx, settle)
		after, fault := t.process.resident()
		hangUp(conns)
		if err = errors.Join(err, fault); err != nil {
			return err
		}
		fmt.Fprintf(out, "  %-30s %10.1f MiB %10.1f MiB %12.1f KiB\n", t.label, mebi(before), mebi(after), float64(after-before)/1024/float64(*connections))
	}
	return nil
}

func mebi(n int64) float64 { return float64(n) / (1 << 20) }

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
