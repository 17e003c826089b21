package standin_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"

	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/localpool/standin"
)

// Programs that know no other hosts than Amazon's reach a local pool through a proxy.
func Example() {
	folder, err := os.MkdirTemp("", "standin")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	authority, err := standin.OpenAuthority(filepath.Join(folder, "ca")) // which keeps it
	if err != nil {
		log.Fatal(err)
	}
	seed := localpool.DefaultSeed("http://localhost:8080")
	seed.Pools[0].ID = "eu-west-1_Shop1" // as Amazon's, which begin with a region
	pool, err := localpool.New(localpool.Config{AsAWS: true, Region: "eu-west-1", Seed: seed, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	proxy, err := standin.New(standin.Config{Pool: pool, Authority: authority, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- proxy.Serve(ctx, listener) }() // until the context ends

	// What a program does that trusts the authority and goes through the proxy.
	trusted := x509.NewCertPool()
	certificate, err := os.ReadFile(filepath.Join(folder, "ca", "authority.pem"))
	if err != nil || !trusted.AppendCertsFromPEM(certificate) {
		log.Fatal("no certificate: ", err)
	}
	client := &http.Client{Transport: &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: listener.Addr().String()}),
		TLSClientConfig: &tls.Config{RootCAs: trusted},
	}}
	answer, err := client.Get("https://cognito-idp.eu-west-1.amazonaws.com/" + pool.Clients()[0].PoolID + "/.well-known/jwks.json")
	if err != nil {
		log.Fatal(err)
	}
	answer.Body.Close()
	fmt.Println(answer.Status)
	client.CloseIdleConnections()
	stop()
	fmt.Println("stopped:", <-ended)
	// Output:
	// 200 OK
	// stopped: <nil>
}
