package extauthz

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/codegrant/codegrant/gateway"
)

// Gateway decides. A [*gateway.Gateway] is one; so is what finds the gateway of the
// hour, where a new configuration replaces it.
type Gateway interface {
	CheckOriginal(w http.ResponseWriter, original *http.Request, narrow url.Values) *gateway.Pass
}

// Config is what [New] needs. Gateway is required.
type Config struct {
	Gateway Gateway

	// TLS is for [Server.Serve]. Set ClientAuth and ClientCAs in it to know Envoy
	// by its certificate besides its address. Defaults to none.
	TLS *tls.Config

	// MaxMessage bounds one question, in bytes. Keep it above Envoy's
	// max_request_headers_kb, which is 60 by default. Defaults to 256 KiB.
	MaxMessage int

	// Drain is how long calls in progress may continue after Serve has to stop.
	// Defaults to 10 seconds.
	Drain time.Duration

	// Logger receives what is refused before it comes to the gateway. Defaults to
	// [slog.Default].
	Logger *slog.Logger
}

// Server answers envoy.service.auth.v3.Authorization. It is safe for concurrent use.
// Make one with [New].
type Server struct {
	authv3.UnimplementedAuthorizationServer
	config Config
}

const (
	defaultMaxMessage = 256 << 10
	maxStreams        = 1024     // of one connection
	maxMetadata       = 16 << 10 // of one call
)

// New checks the configuration.
func New(config Config) (*Server, error) {
	config.MaxMessage = cmp.Or(config.MaxMessage, defaultMaxMessage)
	config.Drain = cmp.Or(config.Drain, 10*time.Second)
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	switch {
	case config.Gateway == nil:
		return nil, errors.New("configure ext_authz: Gateway is missing")
	case config.MaxMessage < 1<<10 || config.MaxMessage > 64<<20:
		return nil, fmt.Errorf("configure ext_authz: MaxMessage of %d bytes is not between 1 KiB and 64 MiB", config.MaxMessage)
	case config.Drain < 0:
		return nil, errors.New("configure ext_authz: Drain is negative")
	}
	return &Server{config: config}, nil
}

// Register adds the service to a gRPC server of the caller's, who then bounds messages
// there (grpc.MaxRecvMsgSize).
func (s *Server) Register(registrar grpc.ServiceRegistrar) {
	authv3.RegisterAuthorizationServer(registrar, s)
}

// Serve answers on a listener until ctx ends, and closes it.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(s.config.MaxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxMetadata),
		grpc.ConnectionTimeout(10 * time.Second),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
	}
	if s.config.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(s.config.TLS)))
	}
	server := grpc.NewServer(options...)
	s.Register(server)
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve ext_authz on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		server.GracefulStop()
	}()
	timer := time.NewTimer(s.config.Drain)
	defer timer.Stop()
	select {
	case <-drained:
	case <-timer.C:
		server.Stop()
		<-drained
	}
	<-ended
	return nil
}

// Check answers one question. It never returns an error: Envoy can be told to let
// requests pass where there is one.
func (s *Server) Check(ctx context.Context, question *authv3.CheckRequest) (response *authv3.CheckResponse, _ error) {
	defer func() {
		if fault := recover(); fault != nil {
			s.config.Logger.LogAttrs(ctx, slog.LevelError, "check panicked", slog.Any("reason", fault), slog.String("stack", string(debug.Stack())))
			response = deny(http.StatusInternalServerError)
		}
	}()
	r, err := requestOf(ctx, question)
	if err != nil {
		s.config.Logger.LogAttrs(ctx, slog.LevelWarn, "check refused", slog.String("reason", err.Error()), slog.String("from", peerOf(ctx)))
		return deny(http.StatusForbidden), nil
	}
	a := new(answer)
	if pass := s.config.Gateway.CheckOriginal(a, r, narrowOf(question)); pass != nil {
		return a.passed(pass), nil
	}
	return a.denied(), nil
}
