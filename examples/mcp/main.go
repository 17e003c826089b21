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
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *listen, *poolListen, *callback, mode(*by)); err != nil && !errors.Is(err, http.ErrServerClosed) {
		slog.Error("stopped", "reason", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen, poolListen, callback string, by mode) error {
	if by != byGateway && by != byPool && by != byHand {
		return fmt.Errorf("-clients is gateway, pool or hand, not %q", by)
	}
	toolsAt, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return err
	}
	p, err := newParts("http://localhost:"+port, "http://"+poolListen, "http://"+toolsAt.Addr().String(), callback, by, nil, slog.Default())
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
	for at, handler := range map[net.Listener]http.Handler{toolsAt: p.tools, poolAt: p.pool, gatewayAt: p.gateway} {
		server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
		all.Go(func() error { return server.Serve(at) })
		context.AfterFunc(ctx, func() { _ = server.Close() })
	}
	return all.Wait()
}
