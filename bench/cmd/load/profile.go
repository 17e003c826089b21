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

// profile writes down where codegrant serve spends its time: under requests that it
// proxies, of sessions and of bearer tokens, or under a proxy's questions.
func profile(ctx context.Context, flags *flag.FlagSet, args []string, out io.Writer) error {
	into := flags.String("out", "", "the file to write")
	seconds := flags.Int("seconds", 60, "how long to look, at most 120")
	signIns := flags.Bool("sign-ins", false, "have people sign in, in place of requests of people who have")
	allocations := flags.Bool("allocations", false, "write what was allocated since the start, in place of where time is spent")
	held := flags.Int("held", 0, "so many people sign in, and what the process holds of them is written in place of its time")
	toolCalls := flags.Bool("tools", false, "call a tool of an MCP server, by rules, in place of an upstream")
	check := flags.Bool("check", false, "ask /auth/check in place of an upstream")
	connections := flags.Int("connections", 8, "connections that ask at once")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *into == "" || *seconds < 1 || *seconds > 120 || *connections < 1 {
		return errors.New("-out is to name a file, -seconds to be 1 to 120, -connections 1 at least")
	}
	kind := childBare
	if *toolCalls {
		kind = childTools
	}
	upstream, err := startChild(ctx, "upstream", kind)
	if err != nil {
		return err
	}
	defer upstream.stop()
	ops, err := freeAddress()
	if err != nil {
		return err
	}
	of := settings{upstream: upstream.url, ops: ops}
	path := "/orders"
	if *check {
		of.upstream, path = "", "/auth/check?group=analysts" // which, with routes, wants to know of what
	}
	if *toolCalls {
		of.upstream, of.routes = "", routesOfTools(upstream.url)
	}
	g, err := newGateway(ctx, of)
	if err != nil {
		return err
	}
	defer g.close()
	browsers, err := g.signIn(ctx, 50)
	if err != nil {
		return err
	}
	if *held > 0 {
		if _, err := g.signIn(ctx, *held); err != nil {
			return err
		}
		return fetchProfile(ctx, "http://"+ops+"/debug/pprof/heap?gc=1", *into)
	}
	tokens, err := g.tokens(ctx)
	if err != nil {
		return err
	}
	people, err := gets(g.url+path, "", browsers...)
	if err != nil {
		return err
	}
	bearer, err := gets(g.url+path, tokens["access_token"], nil)
	if err != nil {
		return err
	}
	if *toolCalls {
		bearer, people = []wire.Request{message(g, tokens["access_token"], http.MethodPost, "/mcp", toolCall)}, nil
	}
	all := slices.Concat(people, slices.Repeat(bearer, len(browsers)))

	asking, stop := context.WithCancel(ctx)
	defer stop()
	var asked sync.WaitGroup
	faults := make([]error, *connections)
	var times atomic.Int64
	what := "requests"
	if *signIns {
		what = "sign-ins"
	}
	for i := range *connections {
		asked.Go(func() {
			for faults[i] == nil && asking.Err() == nil {
				if *signIns {
					_, faults[i] = browse(ctx, g.url+"/orders")
					times.Add(1)
					continue
				}
				faults[i] = ask(ctx, all, i*17, 1000)
				times.Add(1000)
			}
		})
	}
	if err := pause(ctx, time.Second); err != nil { // what the first ones cost is not counted
		return err
	}
	before, err := g.process.processor()
	if err != nil {
		return err
	}
	times.Store(0)
	if *allocations {
		err = errors.Join(pause(ctx, time.Duration(*seconds)*time.Second), fetchProfile(ctx, "http://"+ops+"/debug/pprof/allocs", *into))
	} else {
		err = fetchProfile(ctx, fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", ops, *seconds), *into)
	}
	done := times.Load()
	after, errAfter := g.process.processor()
	err = errors.Join(err, errAfter)
	stop()
	asked.Wait()
	if err := errors.Join(append(faults, err)...); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s: %d s of codegrant serve, %d %s, %.0f µs of its processor each\n",
		*into, *seconds, done, what, float64((after-before).Microseconds())/float64(max(done, 1)))
	return err
}

func fetchProfile(ctx context.Context, url, into string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s, %w", url, answer.Status, errors.Join(err, errors.New("no profile")))
	}
	return os.WriteFile(into, b, 0o644)
}
