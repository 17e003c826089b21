//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/codegrant/codegrant/bench/internal/wire"
)

// The most that a call of a tool and a stream may cost: docs/mcp.md.
const (
	mostForRules  = 1.15 // × the same call proxied without rules
	mostForStream = 40.0 // KB
)

// toolCall is what a client sends, and toolAnswer what its server says.
const (
	toolCall   = `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search","arguments":{"text":"holidays","limit":20}}}`
	toolAnswer = `{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"there are 2: handbook, notes"}],"isError":false}}`
)

// tools is an MCP server: it answers each message alike, and a GET with a stream that stays
// open.
func tools(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, ": open\n\n")
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		<-r.Context().Done()
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, toolAnswer)
}

// agents prints what a call of a tool costs by rules, and what a stream that is open holds.
func agents(ctx context.Context, flags *flag.FlagSet, args []string, out io.Writer) error {
	rounds := flags.Int("rounds", 5, "how often calls are measured")
	number := flags.Int("requests", 40_000, "calls of each side in a round")
	connections := flags.Int("connections", 8, "connections that call at once")
	streams := flags.Int("streams", 2000, "streams that are open at once")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *rounds < 1 || *connections < 1 || *number < *connections || *streams < 100 {
		return errors.New("-rounds and -connections must be at least 1, -streams at least 100, and -requests at least as many as there are connections")
	}
	if err := allow(*streams); err != nil {
		return err
	}
	server, err := startChild(ctx, "MCP server", childTools)
	if err != nil {
		return err
	}
	defer server.stop()
	ops, err := freeAddress()
	if err != nil {
		return err
	}
	g, err := newGateway(ctx, settings{ops: ops, routes: routesOfTools(server.url)})
	if err != nil {
		return err
	}
	defer g.close()
	given, err := g.tokens(ctx)
	if err != nil {
		return err
	}
	head(out, "%d rounds, %d connections; processor time of codegrant serve", *rounds, *connections)
	fmt.Fprintf(out, "\n  %-52s %12s %12s   %s\n", "", "floor", "server", "× floor, with quartiles")
	call := func(path string) side {
		return side{name: path, process: g.process, do: requests(*connections, message(g, given["access_token"], http.MethodPost, path, toolCall))}
	}
	row := pair{"a tool called, rules × the same call without them", call("/plain"), call("/mcp"), *number}
	if err := row.print(ctx, *rounds, out); err != nil {
		return err
	}
	fmt.Fprintf(out, "  %-52s %.2f\n\n", "at most", mostForRules)
	bare, err := startChild(ctx, "ReverseProxy", childProxy, server.url, "buffers")
	if err != nil {
		return err
	}
	defer bare.stop()
	stream := message(g, given["access_token"], http.MethodGet, "/mcp", "")
	there := elsewhere([]wire.Request{stream}, bare)[0]
	// The cost of the first calls is not a stream's. More calls would leave memory that streams then
	// take without a trace.
	const first = 500
	if err := requests(*connections, elsewhere([]wire.Request{message(g, given["access_token"], http.MethodPost, "/mcp", toolCall)}, bare)...)(ctx, first); err != nil {
		return err
	}
	floor, _, err := bare.streams(ctx, "", *streams, there)
	if err != nil {
		return err
	}
	if ops, err = freeAddress(); err != nil {
		return err
	}
	fresh, err := newGateway(ctx, settings{ops: ops, routes: routesOfTools(server.url)})
	if err != nil {
		return err
	}
	defer fresh.close()
	if given, err = fresh.tokens(ctx); err != nil {
		return err
	}
	if err := requests(*connections, message(fresh, given["access_token"], http.MethodPost, "/mcp", toolCall))(ctx, first); err != nil {
		return err
	}
	opened, kept, err := fresh.process.streams(ctx, ops, *streams, message(fresh, given["access_token"], http.MethodGet, "/mcp", ""))
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "  %-52s %9.1f KB\n", fmt.Sprintf("each of %d streams: ReverseProxy", *streams), floor/1000)
	fmt.Fprintf(out, "  %-52s %9.1f KB (at most %.0f), %.2f × ReverseProxy\n", "codegrant serve, with rules", opened/1000, mostForStream, opened/floor)
	fmt.Fprintf(out, "  %-52s %9.1f KB\n", "the same, once garbage was collected", kept/1000)
	return nil
}

// routesOfTools lead to an MCP server, with rules and without.
func routesOfTools(server string) string {
	return fmt.Sprintf(`
  - {path: /plain, upstream: "%[1]s"}
  - {path: /mcp, upstream: "%[1]s", mcp: {insecure_no_audience: true, tools: {search: {}, write: {scopes: docs/write}, "delete_*": {groups: admins}}}}
`, server)
}

// message is a request with a token, as a client of MCP sends it.
func message(g *gateway, token, method, path, body string) wire.Request {
	var b bytes.Buffer
	address := strings.TrimPrefix(g.url, "http://")
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAuthorization: Bearer %s\r\nAccept: application/json, text/event-stream\r\n", method, path, address, token)
	if body != "" {
		fmt.Fprintf(&b, "Content-Type: application/json\r\nContent-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n" + body)
	return wire.Request{Address: address, Bytes: b.Bytes()}
}

// streams opens many, and returns what each adds to the memory of the process's own, without
// pages of its program: at once, and when the collector has been there, as it is every two
// minutes at least.
func (p *process) streams(ctx context.Context, ops string, n int, request wire.Request) (opened, kept float64, err error) {
	if ops != "" { // what calls have left
		if _, err := heapOf(ctx, ops); err != nil {
			return 0, 0, err
		}
	}
	if err := pause(ctx, 5*settle); err != nil {
		return 0, 0, err
	}
	before, _, err := p.memory()
	if err != nil {
		return 0, 0, err
	}
	var open []net.Conn
	defer func() {
		for _, c := range open {
			_ = c.Close()
		}
	}()
	for i := range n {
		c, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, "tcp", request.Address)
		if err != nil {
			return 0, 0, err
		}
		open = append(open, c)
		if err := c.SetDeadline(time.Now().Add(5 * time.Minute)); err != nil {
			return 0, 0, err
		}
		if _, err := c.Write(request.Bytes); err != nil {
			return 0, 0, err
		}
		line, err := bufio.NewReaderSize(c, 512).ReadString('\n') // the answer has begun
		if err != nil || !strings.Contains(line, " 200 ") {
			return 0, 0, fmt.Errorf("stream %d: %q, %w", i, line, errors.Join(err, errors.New("it is to open")))
		}
		if i%500 == 499 {
			fmt.Fprintf(os.Stderr, "%d streams\n", i+1)
		}
	}
	if err := pause(ctx, settle); err != nil {
		return 0, 0, err
	}
	after, _, err := p.memory()
	if err != nil {
		return 0, 0, err
	}
	if ops == "" {
		return float64(after-before) / float64(n), 0, nil
	}
	for range 3 { // each shrinks stacks by half at most
		if _, err := heapOf(ctx, ops); err != nil {
			return 0, 0, err
		}
	}
	if err := pause(ctx, 5*settle); err != nil {
		return 0, 0, err
	}
	then, _, err := p.memory()
	return float64(after-before) / float64(n), float64(then-before) / float64(n), err
}
