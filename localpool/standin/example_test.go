package standin_test

import (
	"context"
	"log"
	"log/slog"
	"net"

	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/localpool/standin"
)

// Programs that know no other hosts than Amazon's reach a local pool through a proxy.
func Example() {
	authority, err := standin.OpenAuthority("ca") // a folder that keeps it
	if err != nil {
		log.Fatal(err)
	}
	pool, err := localpool.New(localpool.Config{AsAWS: true, Region: "eu-west-1"})
	if err != nil {
		log.Fatal(err)
	}
	proxy, err := standin.New(standin.Config{Pool: pool, Authority: authority, Logger: slog.Default()})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:9229")
	if err != nil {
		log.Fatal(err)
	}
	if err := proxy.Serve(context.Background(), listener); err != nil { // until the context ends
		log.Fatal(err)
	}
}
