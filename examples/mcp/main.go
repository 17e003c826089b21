// Command mcp is an MCP server of three tools behind the gateway, with a user pool on this
// machine:
//
//	go run ./mcp
//
// It prints what to give to a client. The server knows nothing of users: the gateway tells
// it who asks.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sync/errgroup"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8090", "address of the gateway")
	poolListen := flag.String("pool-listen", "127.0.0.1:9230", "address of the user pool")
	callback := flag.String("callback", "http://localhost:33418/callback", "callback URL of the client, with -clients hand")
	by := flag.String("clients", string(byGateway), "where clients come from: gateway, pool (they register there), or hand (you add them to the pool)")
	server := flag.String("server", "", "URL of another MCP server, such as http://127.0.0.1:9000, in the place of the one here")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *listen, *poolListen, *callback, *server, mode(*by)); err != nil && !errors.Is(err, http.ErrServerClosed) {
		slog.Error("stopped", "reason", err)
		os.Exit(1)
	}
}

// run serves until ctx ends. tools is another MCP server; empty: the one here.
func run(ctx context.Context, listen, poolListen, callback, tools string, by mode) error {
	if by != byGateway && by != byPool && by != byHand {
		return fmt.Errorf("-clients is gateway, pool or hand, not %q", by)
	}
	var toolsAt net.Listener
	var err error
	if tools == "" {
		if toolsAt, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return err
		}
		tools = "http://" + toolsAt.Addr().String()
	}
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return err
	}
	p, err := newParts("http://localhost:"+port, "http://"+poolListen, tools, callback, by, nil, slog.Default())
	if err != nil {
		return err
	}
	defer p.close()
	poolAt, err := net.Listen("tcp", poolListen)
	if err != nil {
		return err
	}
	gatewayAt, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Printf("Give your client this URL:  %s\n", p.url)
	if by == byHand {
		fmt.Printf("and this client id:         %s\nwhose callback URL is:      %s\n", agentClientID, callback)
	}
	fmt.Println("Sign in as alice@example.com (in admins) or bob@example.com, password Passw0rd!")
	var all errgroup.Group
	handlers := map[net.Listener]http.Handler{poolAt: p.pool, gatewayAt: p.gateway}
	if toolsAt != nil {
		handlers[toolsAt] = p.tools
	}
	for at, handler := range handlers {
		server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
		all.Go(func() error { return server.Serve(at) })
		context.AfterFunc(ctx, func() { _ = server.Close() })
	}
	return all.Wait()
}
