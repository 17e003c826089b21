package standin

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant/localpool"
)

// Config configures a [StandIn]. Pool, Authority and Logger are required.
type Config struct {
	// Pool answers in place of Amazon's hosts. It is made with AsAWS.
	Pool *localpool.Server
	// Authority makes the certificates of those hosts.
	Authority *Authority
	// Pass are other hosts that the proxy passes on to: a name, *.name for all below
	// it, or * for all.
	Pass []string
	// Logger receives which hosts were refused.
	Logger *slog.Logger
}

// StandIn is the proxy, and the pool's own address: the two are one. It is safe for
// concurrent use.
type StandIn struct {
	pool      *localpool.Server
	authority *Authority
	pass      []string
	logger    *slog.Logger
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
}

// New makes a stand-in; it does not listen.
func New(c Config) (*StandIn, error) {
	for _, p := range c.Pass {
		if name := strings.TrimPrefix(p, "*."); p != "*" && (name == "" || strings.ContainsAny(name, "*/: ") || strings.ToLower(name) != name) {
			return nil, fmt.Errorf("host %q to pass on to: write a name, *.name, or *", p)
		}
	}
	d := &net.Dialer{Timeout: 10 * time.Second}
	return &StandIn{pool: c.Pool, authority: c.Authority, pass: c.Pass, logger: c.Logger, dial: d.DialContext}, nil
}

// ErrListen: other machines could reach the address. No setting allows that.
var ErrListen = errors.New("a server that stands in for Amazon's hosts must listen only on this machine: use 127.0.0.1")

// Serve serves on a listener of this machine until the context ends. Connections that
// begin with TLS are for a host of Amazon. Others are HTTP: the pool itself, and the
// CONNECT of the proxy.
func (s *StandIn) Serve(ctx context.Context, l net.Listener) error {
	if err := localpool.CheckListen(l.Addr().String()); err != nil {
		return ErrListen
	}
	plain, secure := newQueue(l.Addr()), newQueue(l.Addr())
	inside := tls.NewListener(secure, &tls.Config{GetCertificate: s.certificate, MinVersion: tls.VersionTLS12})
	servers := []*http.Server{server(s.plain(secure), s.logger), server(http.HandlerFunc(s.amazon), s.logger)}

	var wg sync.WaitGroup
	wg.Go(func() { _ = servers[0].Serve(plain) })
	wg.Go(func() { _ = servers[1].Serve(inside) })
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	err := sort(l, plain, secure)
	if ctx.Err() != nil {
		err = nil // asked for
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for _, h := range servers {
		if h.Shutdown(drain) != nil {
			_ = h.Close()
		}
	}
	wg.Wait()
	return err
}

func server(h http.Handler, logger *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug), // of clients that do not trust the authority yet
	}
}

// certificate is that of the host that TLS asks for.
func (s *StandIn) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name := strings.ToLower(hello.ServerName)
	if asked, ok := hello.Conn.(*conn); ok && name == "" {
		name = asked.host
	}
	c, err := s.authority.leaf(name)
	if err != nil {
		s.logger.Warn("TLS for a host that the local pool does not stand in for", slog.String("host", name))
	}
	return c, err
}

// amazon answers what came over TLS: the name of the certificate is the name that is
// asked.
func (s *StandIn) amazon(w http.ResponseWriter, r *http.Request) {
	if name := r.TLS.ServerName; name != "" && !strings.EqualFold(name, strings.TrimSuffix(r.Host, ":443")) {
		http.Error(w, "The host is not the one of the certificate.", http.StatusMisdirectedRequest)
		return
	}
	s.pool.ServeAWS(w, r)
}

// plain answers what came without TLS.
func (s *StandIn) plain(secure *queue) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodConnect:
			s.connect(w, r, secure)
		case r.URL.Host != "":
			s.refuse(w, r.URL.Host)
		default:
			s.pool.ServeHTTP(w, r)
		}
	})
}

func (s *StandIn) refuse(w http.ResponseWriter, host string) {
	s.logger.Warn("the proxy refuses a host; --pass has it passed on", slog.String("host", host))
	http.Error(w, "This proxy stands in only for Amazon Cognito. Start it with --pass to have another host passed on.", http.StatusForbidden)
}

// connect opens a tunnel: to ourselves for a host of Amazon's, to the host itself where
// that is allowed.
func (s *StandIn) connect(w http.ResponseWriter, r *http.Request, secure *queue) {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		http.Error(w, "CONNECT names a host and a port.", http.StatusBadRequest)
		return
	}
	host = strings.ToLower(host)
	_, ours := localpool.ParseAWSHost(host)
	var upstream net.Conn
	switch {
	case ours && port == "443":
	case ours || !s.passes(host):
		s.refuse(w, r.Host)
		return
	default:
		if upstream, err = s.dial(r.Context(), "tcp", r.Host); err != nil {
			http.Error(w, "The host cannot be reached.", http.StatusBadGateway)
			return
		}
	}
	hijacked, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		if upstream != nil {
			_ = upstream.Close()
		}
		return
	}
	_ = hijacked.SetDeadline(time.Time{})
	client := &conn{Conn: hijacked, read: buffered.Reader, host: host}
	if _, err := client.Write([]byte("HTTP/1.1 200 Connection Established\r\n\r\n")); err != nil {
		_ = client.Close()
		return
	}
	if upstream == nil {
		secure.put(client)
		return
	}
	tunnel(client, upstream)
}

func (s *StandIn) passes(host string) bool {
	for _, p := range s.pass {
		below, wild := strings.CutPrefix(p, "*.")
		if p == "*" || p == host || wild && strings.HasSuffix(host, "."+below) {
			return true
		}
	}
	return false
}
