//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant/bench/internal/wire"
)

// A pair is one row: what the processor time of a server is for each thing that it does,
// beside that of another.
type pair struct {
	label         string
	floor, server side
	times         int // in a round
}

// side is a process, and what it is asked.
type side struct {
	name    string
	process *process
	do      func(ctx context.Context, times int) error

	byTheClock bool // not its processor's time counts, but how long it takes
}

// cost is what the process took for each, in a round.
func (s side) cost(ctx context.Context, times int) (time.Duration, error) {
	if s.byTheClock {
		begin := time.Now()
		err := s.do(ctx, times)
		return time.Since(begin) / time.Duration(times), err
	}
	before, err := s.process.processor()
	if err != nil {
		return 0, err
	}
	if err := s.do(ctx, times); err != nil {
		return 0, fmt.Errorf("%s: %w", s.name, err)
	}
	after, err := s.process.processor()
	return (after - before) / time.Duration(times), err
}

// requests asks over connections that stay open, one request at a time on each.
func requests(connections int, all ...wire.Request) func(context.Context, int) error {
	return func(ctx context.Context, times int) error {
		faults := make([]error, connections)
		var callers sync.WaitGroup
		for i := range connections {
			callers.Go(func() { faults[i] = ask(ctx, all, i, times/connections) })
		}
		callers.Wait()
		return errors.Join(faults...)
	}
}

func ask(ctx context.Context, all []wire.Request, from, times int) error {
	conn, err := wire.Dial(ctx, all[0].Address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
		return err
	}
	for n := range times {
		status, err := conn.Ask(all[(from+n)%len(all)].Bytes)
		if err != nil || status/100 != 2 {
			return fmt.Errorf("status %d, %w", status, errors.Join(err, errors.New("a request is to pass")))
		}
	}
	return ctx.Err()
}

// quartiles of what was seen.
type quartiles struct{ low, median, high float64 }

func quartilesOf(seen []float64) quartiles {
	slices.Sort(seen)
	at := func(share float64) float64 { return seen[int(share*float64(len(seen)-1)+0.5)] }
	return quartiles{at(.25), at(.5), at(.75)}
}

// processes prints what the servers cost, as seen from outside: this process asks, and reads
// their times and memory from /proc. Each round has its turn of both sides of a row.
func processes(ctx context.Context, flags *flag.FlagSet, args []string, out io.Writer) error {
	rounds := flags.Int("rounds", 5, "how often each row is measured")
	number := flags.Int("requests", 40_000, "requests of each side in a round")
	signIns := flags.Int("sign-ins", 100, "whole sign-ins of each side in a round")
	sessions := flags.Int("sessions", 15_000, "sessions in memory, to see what each takes")
	connections := flags.Int("connections", 8, "connections that ask at once")
	peer := flags.Bool("peer", true, "measure oauth2-proxy too, which is built from the module proxy")
	by := flags.String("pgo", "", "a file, whole path, that codegrant is built by")
	only := flags.String("only", "", "measure the rows whose label has these words, and no memory; memory: that alone")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *rounds < 1 || *number < *connections || *signIns < 1 || *sessions < 100 || *connections < 1 {
		return errors.New("-rounds, -sign-ins and -connections must be at least 1, -sessions at least 100, and -requests at least as many as there are connections")
	}
	var flagsOfBuild []string
	if *by != "" {
		flagsOfBuild = []string{"-pgo=" + *by}
	}
	f, err := newField(ctx, *connections, *peer, flagsOfBuild)
	if err != nil {
		return err
	}
	defer f.end()
	head(out, "%d rounds, %d connections; processor time of the server process", *rounds, *connections)
	fmt.Fprintf(out, "\n  %-52s %12s %12s   %s\n", "", "floor", "server", "× floor, with quartiles")
	for _, row := range f.pairs(*number, *signIns) {
		if !strings.Contains(row.label, *only) {
			continue
		}
		fmt.Fprintln(os.Stderr, row.label)
		if err := row.print(ctx, *rounds, out); err != nil {
			return fmt.Errorf("%s: %w", row.label, err)
		}
	}
	if *only != "" && *only != "memory" {
		return nil
	}
	return f.memory(ctx, *sessions, out)
}

func (p pair) print(ctx context.Context, rounds int, out io.Writer) error {
	for _, s := range []side{p.floor, p.server} { // what the first ones cost is not counted
		if err := s.do(ctx, max(p.times/20, 8)); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	var ratios, floors, servers []float64
	for range rounds {
		floor, err := p.floor.cost(ctx, p.times)
		if err != nil {
			return err
		}
		server, err := p.server.cost(ctx, p.times)
		if err != nil {
			return err
		}
		if floor == 0 {
			return errors.New("too few requests for the clock of /proc; raise -requests and -sign-ins")
		}
		floors, servers = append(floors, floor.Seconds()), append(servers, server.Seconds())
		ratios = append(ratios, server.Seconds()/floor.Seconds())
	}
	ratio := quartilesOf(ratios)
	_, err := fmt.Fprintf(out, "  %-52s %9.1f µs %9.1f µs   %.2f (%.2f–%.2f)\n", p.label, quartilesOf(floors).median*1e6, quartilesOf(servers).median*1e6, ratio.median, ratio.low, ratio.high)
	return err
}

// field is all that is measured.
type field struct {
	connections                      int
	build                            []string // flags of go build
	check, socket, proxied           *gateway
	bare, bareProxy, upstream, other *process
	bareSocket, sameProxy, parts     *process
	nginx, otherNginx                *process
	questions, overSocket, overTCP   []wire.Request
	pages, bearer, peerPages         []wire.Request
	started                          []func()
}

func (f *field) end() {
	for _, stop := range slices.Backward(f.started) {
		stop()
	}
}

func newField(ctx context.Context, connections int, withPeer bool, build []string) (f *field, err error) {
	f = &field{connections: connections, build: build}
	defer func() {
		if err != nil {
			f.end()
		}
	}()
	if f.upstream, err = f.child(ctx, "upstream", childBare); err != nil {
		return nil, err
	}
	if f.bareProxy, err = f.child(ctx, "ReverseProxy", childProxy, f.upstream.url, "buffers"); err != nil {
		return nil, err
	}
	peer := ""
	if withPeer {
		if peer, err = freeAddress(); err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp("", "load")
	if err != nil {
		return nil, err
	}
	f.started = append(f.started, func() { _ = os.RemoveAll(dir) })
	for _, one := range []struct {
		into **gateway
		with settings
	}{
		{&f.check, settings{}},
		{&f.socket, settings{socket: filepath.Join(dir, "http")}},
		{&f.proxied, settings{upstream: f.upstream.url, peer: peer}},
	} {
		one.with.build = build
		if *one.into, err = newGateway(ctx, one.with); err != nil {
			return nil, err
		}
		f.started = append(f.started, (*one.into).close)
	}
	if err := f.prepare(ctx, dir); err != nil {
		return nil, err
	}
	if !withPeer {
		return f, nil
	}
	if err := f.startPeer(ctx, dir, peer); err != nil {
		return nil, err
	}
	if f.nginx, err = f.startNginx(ctx, dir, f.check.url, "/auth/check?group=analysts"); err != nil {
		return nil, err
	}
	f.otherNginx, err = f.startNginx(ctx, dir, f.other.url, "/oauth2/auth")
	return f, err
}

func (f *field) child(ctx context.Context, name string, args ...string) (*process, error) {
	p, err := startChild(ctx, name, args...)
	if err == nil {
		f.started = append(f.started, p.stop)
	}
	return p, err
}

// prepare signs people in and writes the requests down.
func (f *field) prepare(ctx context.Context, dir string) error {
	const question = "/auth/check?group=analysts"
	browsers, err := f.check.signIn(ctx, 50)
	if err != nil {
		return err
	}
	if f.questions, err = gets(f.check.url+question, "", browsers...); err != nil {
		return err
	}
	// The bare server gets and sends what the gateway does.
	header, err := headersOf(ctx, f.check.url+question, browsers[0])
	if err != nil {
		return err
	}
	if f.bare, err = f.child(ctx, "net/http", childBare, header); err != nil {
		return err
	}
	if f.bareSocket, err = f.child(ctx, "net/http", childBare, header, filepath.Join(dir, "bare")); err != nil {
		return err
	}
	if f.sameProxy, err = f.child(ctx, "ReverseProxy", childProxy, f.upstream.url, "buffers", header); err != nil {
		return err
	}

	// Nobody signs in over a socket: the same token is asked about on both ways.
	tokens, err := f.check.tokens(ctx)
	if err != nil {
		return err
	}
	if f.overTCP, err = gets(f.check.url+question, tokens["access_token"], nil); err != nil {
		return err
	}
	if tokens, err = f.socket.tokens(ctx); err != nil {
		return err
	}
	if f.overSocket, err = gets("http://127.0.0.1:1"+question, tokens["access_token"], nil); err != nil {
		return err
	}
	f.overSocket[0].Address = strings.TrimPrefix(f.socket.url, "http://")

	// A token endpoint that answers at once.
	all, err := json.Marshal(tokens)
	if err != nil {
		return err
	}
	endpoint, err := f.child(ctx, "token endpoint", childBare, `{}`, "", string(all))
	if err != nil {
		return err
	}
	if f.parts, err = f.child(ctx, "the parts of a sign-in", childParts, endpoint.url+"/oauth2/token"); err != nil {
		return err
	}

	if browsers, err = f.proxied.signIn(ctx, 50); err != nil {
		return err
	}
	if f.pages, err = gets(f.proxied.url+"/orders", "", browsers...); err != nil {
		return err
	}
	if tokens, err = f.proxied.tokens(ctx); err != nil {
		return err
	}
	f.bearer, err = gets(f.proxied.url+"/orders", tokens["access_token"], nil)
	return err
}

// gets makes a request for each browser, with a bearer token where there is one.
func gets(url, token string, browsers ...[]*http.Cookie) (all []wire.Request, err error) {
	for _, cookies := range browsers {
		request, err := wire.Get(url, cookies)
		if err != nil {
			return nil, err
		}
		if token != "" {
			request.Bytes = append(bytes.TrimSuffix(request.Bytes, []byte("\r\n")), "Authorization: Bearer "+token+"\r\n\r\n"...)
		}
		all = append(all, request)
	}
	return all, nil
}

// elsewhere is the same requests, sent to another server.
func elsewhere(all []wire.Request, p *process) []wire.Request {
	out := slices.Clone(all)
	for i := range out {
		out[i].Address = strings.TrimPrefix(p.url, "http://")
	}
	return out
}

// headersOf asks once, and returns the headers of the answer as JSON.
func headersOf(ctx context.Context, url string, cookies []*http.Cookie) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	for _, c := range cookies {
		request.AddCookie(c)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s", url, answer.Status)
	}
	answer.Header.Del("Date")
	answer.Header.Del("Content-Length")
	b, err := json.Marshal(answer.Header)
	return string(b), err
}

func (f *field) pairs(number, signIns int) []pair {
	at := func(name string, p *process, all []wire.Request) side {
		return side{name: name, process: p, do: requests(f.connections, all...)}
	}
	bare := at("net/http", f.bare, elsewhere(f.questions, f.bare))
	check := at("codegrant serve", f.check.process, f.questions)
	socket := slices.Clone(f.questions)
	for i := range socket {
		socket[i].Address = "unix:" + strings.TrimPrefix(f.bareSocket.url, "http://")
	}
	proxied := at("codegrant serve", f.proxied.process, f.pages)
	all := []pair{
		{"/auth/check, session × net/http, same headers", bare, check, number},
		{"net/http over a Unix socket × over TCP", bare, at("net/http", f.bareSocket, socket), number},
		{"/auth/check over a Unix socket × over TCP, bearer", at("codegrant serve", f.check.process, f.overTCP), at("codegrant serve", f.socket.process, f.overSocket), number},
		{"proxied, session × ReverseProxy with buffers", at("ReverseProxy", f.bareProxy, elsewhere(f.pages, f.bareProxy)), proxied, number},
		{"the same, × one that sends the same headers", at("ReverseProxy", f.sameProxy, elsewhere(f.pages, f.sameProxy)), proxied, number},
		{"proxied, bearer × ReverseProxy with buffers", at("ReverseProxy", f.bareProxy, elsewhere(f.bearer, f.bareProxy)), at("codegrant serve", f.proxied.process, f.bearer), number},
		{"sign-in and the page after it × its parts", side{name: "the parts", process: f.parts, do: signsInBare(f.parts.url)},
			side{name: "codegrant serve", process: f.proxied.process, do: f.signsIn(f.proxied.url + "/orders")}, signIns},
	}
	if f.other != nil {
		questions := slices.Clone(f.peerPages)
		for i := range questions {
			questions[i].Bytes = bytes.Replace(questions[i].Bytes, []byte("GET /orders "), []byte("GET /oauth2/auth "), 1)
		}
		all = append(all,
			pair{"/auth/check × oauth2-proxy", at("oauth2-proxy", f.other, questions), check, number},
			pair{"proxied, session × oauth2-proxy", at("oauth2-proxy", f.other, f.peerPages), proxied, number},
			pair{"sign-in and the page after it × oauth2-proxy", side{name: "oauth2-proxy", process: f.other, do: f.signsIn(f.other.url + "/orders")},
				side{name: "codegrant serve", process: f.proxied.process, do: f.signsIn(f.proxied.url + "/orders")}, signIns},
			pair{"nginx that asks, time × the same with oauth2-proxy", rate(at("nginx", f.otherNginx, elsewhere(f.peerPages, f.otherNginx))),
				rate(at("nginx", f.nginx, elsewhere(f.questions, f.nginx))), number},
		)
	}
	return all
}
