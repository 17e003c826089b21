// Command ratios runs the benchmarks of this module and prints how Codegrant
// stands beside its baselines and the alternatives.
//
// It runs all benchmarks in turn, many times over, and compares within each turn:
// whatever else the machine was doing then, it was doing to all of them. What it
// prints is the median over the turns, and for ratios the quartiles, which say how
// far the machine can be believed. It fails where a promise is not kept.
//
// "processor" is what one operation takes on the processor in the process that is
// measured. Where the client is inside, requests over loopback come from the same process:
// its work costs the same in every row, and makes ratios look better than a server's are.
// The command load measures the costs of a server from outside. The heap is that of a process
// with 64 MiB in use.
package main

import (
	"bytes"
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
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ratios:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("ratios", flag.ContinueOnError)
	turns := flags.Int("turns", 5, "how often to run each benchmark")
	length := flags.Duration("time", 2*time.Second, "how long to run each benchmark per turn: it takes a second until the heap is warm")
	only := flags.String("only", ".", "regular expression of the benchmarks to run, such as ^(Require|Proxy)$")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *turns < 1 {
		return errors.New("-turns must be at least 1")
	}
	wanted, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	chosen := slices.DeleteFunc(slices.Clone(groups), func(g group) bool { return !wanted.MatchString(g.benchmark) })
	if len(chosen) == 0 {
		return fmt.Errorf("-only %s: there is no such benchmark", *only)
	}
	var names []string
	for _, g := range chosen {
		names = append(names, g.benchmark)
	}
	pattern := "^Benchmark(" + strings.Join(names, "|") + ")$"

	dir, err := os.MkdirTemp("", "codegrant-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program := filepath.Join(dir, "bench.test")
	if output, err := exec.CommandContext(ctx, "go", "test", "-c", "-o", program, "github.com/codegrant/codegrant/bench").CombinedOutput(); err != nil {
		return fmt.Errorf("build benchmarks: %w\n%s", err, output)
	}

	results := make(results)
	for turn := range *turns {
		fmt.Fprintf(os.Stderr, "turn %d of %d\n", turn+1, *turns)
		benchmarks := exec.CommandContext(ctx, program, "-test.run=^$", "-test.bench="+pattern, "-test.benchtime="+length.String())
		// The testing package collects before each row, and what the collector then gives
		// back to the system each row would fetch again, page by page. Under load, a
		// server keeps it.
		benchmarks.Env = append(os.Environ(), "GODEBUG=madvdontneed=0")
		var output, stderr bytes.Buffer
		benchmarks.Stdout, benchmarks.Stderr = &output, &stderr
		if err := benchmarks.Run(); err != nil {
			return fmt.Errorf("run benchmarks: %w\n%s%s", err, &output, &stderr)
		}
		if err := results.add(&output); err != nil {
			return err
		}
	}

	fmt.Fprintf(out, "%s %s/%s, %d cores, median (and quartiles) of %d turns of %s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), *turns, *length)
	fmt.Fprintln(out, "Rows with the client inside have its work, too, in one process with the server's. The cost of a server is measured from outside: go -C bench run ./cmd/load process")
	broken := 0
	for _, g := range chosen {
		n, err := g.print(out, results)
		if err != nil {
			return err
		}
		broken += n
	}
	if broken > 0 {
		return fmt.Errorf("%d promises are not kept on this machine", broken)
	}
	return nil
}
