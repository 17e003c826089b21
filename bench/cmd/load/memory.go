//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// memory prints what servers hold at the start, and what sessions take.
func (f *field) memory(ctx context.Context, sessions int, out io.Writer) error {
	fmt.Fprintf(out, "\n  resident memory\n")
	ops, err := freeAddress()
	if err != nil {
		return err
	}
	g, err := newGateway(ctx, settings{build: f.build, ops: ops})
	if err != nil {
		return err
	}
	defer g.close()
	var before int64
	for _, one := range []struct {
		label string
		after time.Duration
	}{{"codegrant serve, at its start", settle}, {"the same, once it has settled", 15 * time.Second}} {
		if err := pause(ctx, one.after); err != nil {
			return err
		}
		own, file, err := g.process.memory()
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "  %-52s %9.1f MiB: %.1f of its own, %.1f pages of files\n", one.label, mebi(own+file), mebi(own), mebi(file))
		before = own
	}
	heldBefore, err := heapOf(ctx, ops)
	if err != nil {
		return err
	}
	tokens, err := g.tokens(ctx)
	if err != nil {
		return err
	}
	size := 0
	for _, token := range tokens {
		size += len(token)
	}
	if _, err := g.signIn(ctx, sessions); err != nil {
		return err
	}
	if err := pause(ctx, settle); err != nil {
		return err
	}
	after, _, err := g.process.memory()
	if err != nil {
		return err
	}
	heldAfter, err := heapOf(ctx, ops)
	if err != nil {
		return err
	}
	for _, row := range []struct {
		label string
		each  float64
	}{
		{"each session, on the heap", (heldAfter - heldBefore) / float64(sessions)},
		{"each session, with what the collector has not freed", float64(after-before) / float64(sessions)},
	} {
		if _, err := fmt.Fprintf(out, "  %-52s %9.0f B, %.2f × the %d B of its tokens\n", row.label, row.each, row.each/float64(size), size); err != nil {
			return err
		}
	}
	return nil
}

// heapOf is what a process holds on its heap, once that was collected.
func heapOf(ctx context.Context, ops string) (held float64, err error) {
	text := ""
	for _, path := range []string{"/debug/pprof/heap?gc=1", "/metrics"} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+ops+path, nil)
		if err != nil {
			return 0, err
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			return 0, err
		}
		b, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil {
			return 0, err
		}
		text = string(b)
	}
	_, after, _ := strings.Cut(text, "\ngo_memstats_heap_alloc_bytes ")
	line, _, _ := strings.Cut(after, "\n")
	if held, err = strconv.ParseFloat(line, 64); err != nil {
		return 0, fmt.Errorf("the heap of the process: %w", err)
	}
	return held, nil
}

// memory is what of the process is in RAM, in bytes: its own, and pages of files, its
// program's among them, which the kernel has once for all who use them and takes back.
func (p *process) memory() (own, file int64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.command.Process.Pid))
	if err != nil {
		return 0, 0, err
	}
	for _, one := range []struct {
		name string
		into *int64
	}{{"\nRssAnon:", &own}, {"\nRssFile:", &file}} {
		_, after, _ := strings.Cut(string(b), one.name)
		if _, err := fmt.Sscan(after, one.into); err != nil {
			return 0, 0, fmt.Errorf("read the memory of %s: %w", p.name, err)
		}
		*one.into <<= 10
	}
	return own, file, nil
}
