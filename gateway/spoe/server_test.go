package spoe_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/gateway/spoe"
	"github.com/codegrant/codegrant/internal/gatewaytest"
)

// asGateway is a function that decides, and trusts everybody.
type asGateway func(w http.ResponseWriter, r *http.Request) *gateway.Pass

func (f asGateway) CheckOriginal(w http.ResponseWriter, r *http.Request, _ url.Values) *gateway.Pass {
	return f(w, r)
}

func (asGateway) Trusts(string) bool { return true }

func passes(http.ResponseWriter, *http.Request) *gateway.Pass { return &gateway.Pass{} }

// peer speaks the protocol as HAProxy does, byte by byte as the specification has it.
type peer struct {
	t    *testing.T
	conn net.Conn
}

func dial(t *testing.T, address string) *peer {
	t.Helper()
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
	}
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	return &peer{t, conn}
}

func (p *peer) send(content string) {
	p.t.Helper()
	if err := sendFrame(p.conn, content); err != nil {
		p.t.Fatal(err)
	}
}

func sendFrame(conn net.Conn, content string) error {
	_, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(content))), content...))
	return err
}

func frameOf(conn net.Conn) (string, error) {
	var length [4]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return "", err
	}
	content := make([]byte, binary.BigEndian.Uint32(length[:]))
	_, err := io.ReadFull(conn, content)
	return string(content), err
}

// receive returns the content of a frame, empty once the connection has ended.
func (p *peer) receive() string {
	p.t.Helper()
	content, err := frameOf(p.conn)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		p.t.Fatal(err)
	}
	return content
}

const (
	sayHello   = "\x01\x00\x00\x00\x01\x00\x00\x12supported-versions\x08\x032.0\x0emax-frame-size\x03\xfc\xf0\x06\x0ccapabilities\x08\x10pipelining,async"
	hearHello  = "\x65\x00\x00\x00\x01\x00\x00\x07version\x08\x032.0\x0emax-frame-size\x03\xfc\xf0\x06\x0ccapabilities\x08\x0apipelining"
	checkFlag  = "\x0bhealthcheck\x11"
	disconnect = "\x02\x00\x00\x00\x01\x00\x00\x0bstatus-code\x03\x00\x07message\x08\x06normal"
	goodbye    = "\x66\x00\x00\x00\x01\x00\x00\x0bstatus-code\x03"
)

func (p *peer) hello() {
	p.t.Helper()
	p.send(sayHello)
	if got := p.receive(); got != hearHello {
		p.t.Fatalf("HELLO was answered with %q", got)
	}
}

// notify asks about a path, of which the stream is told by its number.
func (p *peer) notify(stream byte, path string) {
	p.t.Helper()
	p.send("\x03\x00\x00\x00\x01" + string([]byte{stream}) + "\x01\x05check\x03\x06method\x08\x03GET\x03uri\x08" + string([]byte{byte(len(path))}) + path + "\x07headers\x09\x09\x04host\x01h\x00\x00")
}

// status is that in an ACK of the stream.
func status(ack string, stream byte) int {
	start := "\x67\x00\x00\x00\x01" + string([]byte{stream}) + "\x01\x01\x03\x02\x06status\x03"
	rest, ok := strings.CutPrefix(ack, start)
	if !ok || rest == "" {
		return 0
	}
	if rest[0] < 240 {
		return int(rest[0])
	}
	return int(rest[0]) + int(rest[1])<<4 // all statuses have two bytes
}

func TestConversation(t *testing.T) {
	address, _ := serve(t, spoe.Config{Gateway: asGateway(func(w http.ResponseWriter, r *http.Request) *gateway.Pass {
		if r.RequestURI == "/pass" {
			return &gateway.Pass{Set: http.Header{"X-Auth-Subject": {"s"}}}
		}
		w.WriteHeader(401)
		return nil
	})})
	p := dial(t, address)
	p.hello()
	for i, tt := range []struct {
		path string
		want int
	}{{"/pass", 200}, {"/other", 401}, {"/pass", 200}} {
		p.notify(byte(i+1), tt.path)
		if got := p.receive(); status(got, byte(i+1)) != tt.want {
			t.Errorf("%s: %q", tt.path, got)
		}
	}
	p.send(disconnect)
	if got := p.receive(); !strings.HasPrefix(got, goodbye+"\x00") {
		t.Errorf("DISCONNECT was answered with %q", got)
	}
	if got := p.receive(); got != "" {
		t.Errorf("then %q", got)
	}

	health := dial(t, address)
	health.send(sayHello + checkFlag)
	if got := health.receive(); got != hearHello {
		t.Errorf("health check: %q", got)
	}
	if got := health.receive(); got != "" {
		t.Errorf("after the health check: %q", got)
	}
}

// TestS164_BadConnections end, and nothing else does.
func TestS164_BadConnections(t *testing.T) {
	log := new(gatewaytest.Logs)
	address, _ := serve(t, spoe.Config{Logger: slog.New(slog.NewTextHandler(log, nil)), Gateway: asGateway(func(_ http.ResponseWriter, r *http.Request) *gateway.Pass {
		if r.RequestURI == "/panic" {
			panic("oh no")
		}
		return &gateway.Pass{}
	})})
	well := dial(t, address)
	well.hello()
	for name, tt := range map[string]struct {
		after  bool // the HELLO
		frame  string
		answer string
	}{
		"nothing known":      {false, "\x09\x00\x00\x00\x01\x00\x00", goodbye + "\x04"},
		"no HELLO":           {false, disconnect, goodbye + "\x04"},
		"a version of later": {false, strings.Replace(sayHello, "2.0", "3.0", 1), goodbye + "\x08"},
		"two HELLOs":         {true, sayHello, goodbye + "\x04"},
		"fragments":          {true, "\x03\x00\x00\x00\x00\x01\x01", goodbye + "\x0a"},
		"half a message":     {true, "\x03\x00\x00\x00\x01\x01\x01\x05che", goodbye + "\x04"},
		"a large frame":      {true, strings.Repeat("a", 20000), goodbye + "\x03"},
	} {
		p := dial(t, address)
		if tt.after {
			p.hello()
		}
		p.send(tt.frame)
		if got := p.receive(); !strings.HasPrefix(got, tt.answer) && got != "" { // "": bytes that were not read made it a reset
			t.Errorf("%s: %q", name, got)
		}
		if got := p.receive(); got != "" {
			t.Errorf("%s, then: %q", name, got)
		}
	}
	for _, bytes := range []string{"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "\xff\xff\xff\xff\x03", "\x00\x00\x00\x00"} {
		p := dial(t, address)
		if _, err := io.WriteString(p.conn, bytes); err != nil {
			t.Fatal(err)
		}
		if got := p.receive(); got != "" && !strings.HasPrefix(got, goodbye) {
			t.Errorf("%q: %q", bytes, got)
		}
	}
	well.notify(1, "/panic")
	if got := well.receive(); status(got, 1) != 503 {
		t.Errorf("a panic: %q", got)
	}
	well.notify(2, "/")
	if got := well.receive(); status(got, 2) != 200 || !strings.Contains(log.String(), "oh no") {
		t.Errorf("after all that: %q", got)
	}
}

// TestS095_StrangersMayNotAsk: their connection ends before anything is read.
func TestS095_StrangersMayNotAsk(t *testing.T) {
	log := new(gatewaytest.Logs)
	g, err := gateway.New(gateway.Config{Tenants: []gateway.Tenant{{Auth: anyAuth(t)}}})
	if err != nil {
		t.Fatal(err)
	}
	address, _ := serve(t, spoe.Config{Gateway: g, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if got := dial(t, address).receive(); got != "" || !strings.Contains(log.String(), "list it among the trusted ones") {
		t.Errorf("%q %s", got, log)
	}
	// The other end of a Unix socket is this machine.
	g, err = gateway.New(gateway.Config{Tenants: []gateway.Tenant{{Auth: anyAuth(t)}}, TrustedProxies: gatewaytest.Loopback, Routes: []gateway.Route{{Path: "/", Public: true}}})
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "spoe") // t.TempDir is too long a path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	path := filepath.Join(folder, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, l, spoe.Config{Gateway: g})
	p := dial(t, path)
	p.hello()
	p.notify(1, "/")
	if got := p.receive(); status(got, 1) != 200 {
		t.Errorf("over a Unix socket: %q", got)
	}
}

// TestPipelines: a question that takes long keeps no other one waiting, and a
// connection has no more than 64 under way.
func TestPipelines(t *testing.T) {
	release, asked := make(chan struct{}), make(chan struct{}, 200)
	address, _ := serve(t, spoe.Config{Gateway: asGateway(func(_ http.ResponseWriter, r *http.Request) *gateway.Pass {
		asked <- struct{}{}
		if r.RequestURI == "/slow" {
			<-release
		}
		return &gateway.Pass{}
	})})
	p := dial(t, address)
	p.hello()
	for i := range 63 {
		p.notify(byte(i+1), "/slow")
		<-asked
	}
	p.notify(100, "/quick")
	if got := p.receive(); status(got, 100) != 200 {
		t.Fatalf("%q", got)
	}
	<-asked
	for i := range 10 {
		p.notify(byte(101+i), "/slow")
	}
	<-asked // the 64th
	select {
	case <-asked:
		t.Error("65 questions under way")
	case <-time.After(50 * time.Millisecond):
	}
	other := dial(t, address)
	other.hello()
	other.notify(1, "/quick")
	if got := other.receive(); status(got, 1) != 200 {
		t.Errorf("another connection: %q", got)
	}
	close(release)
	for range 73 {
		if got := p.receive(); got[0] != 0x67 {
			t.Fatalf("%q", got)
		}
	}
}

// TestOneAtATime: without pipelining, the next question is read once the last one was
// answered.
func TestOneAtATime(t *testing.T) {
	release, asked := make(chan struct{}), make(chan struct{}, 2)
	address, _ := serve(t, spoe.Config{Gateway: asGateway(func(_ http.ResponseWriter, r *http.Request) *gateway.Pass {
		asked <- struct{}{}
		<-release
		return &gateway.Pass{}
	})})
	p := dial(t, address)
	p.send(strings.Replace(sayHello, "\x10pipelining,async", "\x05async", 1))
	if got := p.receive(); got != strings.Replace(hearHello, "\x0apipelining", "\x00", 1) {
		t.Fatalf("%q", got)
	}
	p.notify(1, "/")
	p.notify(2, "/")
	<-asked
	select {
	case <-asked:
		t.Error("two questions under way")
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	for i := range byte(2) {
		if got := p.receive(); status(got, i+1) != 200 {
			t.Errorf("%q", got)
		}
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	log := new(gatewaytest.Logs)
	address, _ := serve(t, spoe.Config{Gateway: asGateway(passes), MaxConnections: 2, Logger: slog.New(slog.NewTextHandler(log, nil))})
	first, second := dial(t, address), dial(t, address)
	first.hello()
	second.hello()
	if got := dial(t, address).receive(); got != "" || !strings.Contains(log.String(), "too many connections") {
		t.Errorf("the third: %q", got)
	}
	second.send(disconnect)
	for second.receive() != "" {
	}
	within(t, "there is room again", func() bool {
		p := dial(t, address)
		if _, err := p.conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(sayHello))), sayHello...)); err != nil {
			return false
		}
		return p.receive() == hearHello
	})
	first.notify(1, "/")
	if got := first.receive(); status(got, 1) != 200 {
		t.Errorf("the first: %q", got)
	}
}

func TestTimes(t *testing.T) {
	address, _ := serve(t, spoe.Config{Timeout: 20 * time.Millisecond, Gateway: asGateway(func(w http.ResponseWriter, r *http.Request) *gateway.Pass {
		<-r.Context().Done()
		w.WriteHeader(http.StatusServiceUnavailable)
		return nil
	})})
	p := dial(t, address)
	p.hello()
	p.notify(1, "/")
	if got := p.receive(); status(got, 1) != 503 {
		t.Errorf("a question without an answer: %q", got)
	}
	address, _ = serve(t, spoe.Config{Idle: 50 * time.Millisecond, Gateway: asGateway(passes)})
	for what, more := range map[string]string{"no question": "", "half a frame": "\x00\x00\x00"} {
		p := dial(t, address)
		// Both in one piece: later, it might be too late.
		if _, err := p.conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(sayHello))), sayHello+more...)); err != nil {
			t.Fatal(err)
		}
		if got := p.receive(); got != hearHello {
			t.Errorf("%s: HELLO was answered with %q", what, got)
		}
		if got := p.receive(); !strings.HasPrefix(got, goodbye+"\x02") || p.receive() != "" {
			t.Errorf("%s: %q", what, got)
		}
	}
}

// TestWhoHasGone: the question of a connection that ended is cut short.
func TestWhoHasGone(t *testing.T) {
	asked, cut := make(chan struct{}), make(chan struct{})
	address, _ := serve(t, spoe.Config{Timeout: time.Hour, Gateway: asGateway(func(_ http.ResponseWriter, r *http.Request) *gateway.Pass {
		close(asked)
		<-r.Context().Done()
		close(cut)
		return nil
	})})
	p := dial(t, address)
	p.hello()
	p.notify(1, "/")
	<-asked
	_ = p.conn.Close()
	<-cut
}

func TestServeEnds(t *testing.T) {
	for name, patient := range map[string]bool{"once questions are answered": true, "when they take too long": false} {
		t.Run(name, func(t *testing.T) {
			asked, release, drain := make(chan struct{}), make(chan struct{}), time.Minute
			if !patient {
				drain = time.Millisecond
			}
			server, err := spoe.New(spoe.Config{Drain: drain, Timeout: time.Hour, Gateway: asGateway(func(_ http.ResponseWriter, r *http.Request) *gateway.Pass {
				close(asked)
				select {
				case <-release:
				case <-r.Context().Done():
				}
				return &gateway.Pass{}
			})})
			if err != nil {
				t.Fatal(err)
			}
			l := listen(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- server.Serve(ctx, l) }()
			idle, busy := dial(t, l.Addr().String()), dial(t, l.Addr().String())
			idle.hello()
			busy.hello()
			busy.notify(1, "/")
			<-asked
			cancel()
			// Without patience, it may be cut off as well before it is told.
			if got := idle.receive(); !strings.HasPrefix(got, goodbye+"\x00") && (patient || got != "") || idle.receive() != "" {
				t.Errorf("idle: %q", got)
			}
			if patient {
				select {
				case err := <-ended:
					t.Fatalf("it ended with a question under way: %v", err)
				default:
				}
				close(release)
				if got := busy.receive(); status(got, 1) != 200 {
					t.Errorf("busy: %q", got)
				}
				if got := busy.receive(); !strings.HasPrefix(got, goodbye+"\x00") {
					t.Errorf("busy, then: %q", got)
				}
			}
			if err := <-ended; err != nil {
				t.Error(err)
			}
			if got := busy.receive(); got != "" && patient {
				t.Errorf("busy, at the end: %q", got)
			}
			if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
				t.Error("it still listens")
			}
		})
	}
	server, err := spoe.New(spoe.Config{Gateway: asGateway(passes)})
	if err != nil {
		t.Fatal(err)
	}
	l := listen(t)
	_ = l.Close()
	if err := server.Serve(t.Context(), l); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("on a closed listener: %v", err)
	}
}

// TestS295_QuestionsThatWereNotRead when the agent is told to end are answered, and
// those that come meanwhile.
func TestS295_QuestionsThatWereNotRead(t *testing.T) {
	const many = 3 * 64 // more than may be under way
	first, release := make(chan struct{}), make(chan struct{})
	address, stop := serve(t, spoe.Config{Gateway: asGateway(func(_ http.ResponseWriter, r *http.Request) *gateway.Pass {
		if r.RequestURI == "/first" {
			close(first)
		}
		<-release
		return &gateway.Pass{}
	})})
	p := dial(t, address)
	p.hello()
	p.notify(1, "/first")
	<-first
	for i := byte(2); i <= many; i++ {
		p.notify(i, "/")
	}
	ended := make(chan struct{})
	go func() { stop(); close(ended) }()
	// It listens no more: it has been told.
	for deadline := time.Now().Add(time.Minute); ; {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			break
		}
		_ = conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("it goes on listening")
		}
	}
	p.notify(many+1, "/")
	close(release)
	answered := make(map[byte]bool)
	for got := p.receive(); !strings.HasPrefix(got, goodbye+"\x00"); got = p.receive() {
		if got == "" {
			t.Fatalf("the connection ended after %d answers of %d", len(answered), many+1)
		}
		for i := byte(1); i <= many+1; i++ {
			if status(got, i) == 200 {
				answered[i] = true
			}
		}
	}
	if len(answered) != many+1 {
		t.Errorf("%d answers of %d", len(answered), many+1)
	}
	<-ended
}

// TestAnswers are those that no gateway of ours gives, and that must do no harm.
func TestAnswers(t *testing.T) {
	var decide asGateway
	log := new(gatewaytest.Logs)
	address, _ := serve(t, spoe.Config{Logger: slog.New(slog.NewTextHandler(log, nil)), Gateway: asGateway(func(w http.ResponseWriter, r *http.Request) *gateway.Pass { return decide(w, r) })})
	p := dial(t, address)
	p.hello()
	cookies := func(n int) http.Header {
		h := make(http.Header)
		for i := range n {
			h.Add("Set-Cookie", fmt.Sprint("c=", i))
		}
		return h
	}
	for name, tt := range map[string]struct {
		decide asGateway
		want   int
	}{
		"an aborted one":   {func(http.ResponseWriter, *http.Request) *gateway.Pass { panic(http.ErrAbortHandler) }, 503},
		"nothing":          {func(http.ResponseWriter, *http.Request) *gateway.Pass { return nil }, 403},
		"a refusal as 200": {func(w http.ResponseWriter, _ *http.Request) *gateway.Pass { w.WriteHeader(200); return nil }, 403},
		"a body alone":     {func(w http.ResponseWriter, _ *http.Request) *gateway.Pass { _, _ = w.Write([]byte("x")); return nil }, 403},
		"a hint before": {func(w http.ResponseWriter, _ *http.Request) *gateway.Pass {
			w.WriteHeader(103)
			w.WriteHeader(401)
			w.Header().Set("Late", "1")
			w.WriteHeader(403)
			return nil
		}, 401},
		"a break in a header": {func(http.ResponseWriter, *http.Request) *gateway.Pass {
			return &gateway.Pass{Set: http.Header{"X-A": {"a\r\nb"}}}
		}, 503},
		"a break in a refusal": {func(w http.ResponseWriter, _ *http.Request) *gateway.Pass {
			w.Header().Set("X-A", "a\nb")
			w.WriteHeader(401)
			return nil
		}, 503},
		"as many cookies as there is": {func(w http.ResponseWriter, _ *http.Request) *gateway.Pass {
			w.Header()["Set-Cookie"] = cookies(spoe.MaxCookies)["Set-Cookie"]
			return &gateway.Pass{}
		}, 200},
		"one too many": {func(w http.ResponseWriter, _ *http.Request) *gateway.Pass {
			w.Header()["Set-Cookie"] = cookies(spoe.MaxCookies + 1)["Set-Cookie"]
			return &gateway.Pass{}
		}, 503},
		"one beyond the frame": {func(http.ResponseWriter, *http.Request) *gateway.Pass {
			return &gateway.Pass{Set: http.Header{"X-A": {strings.Repeat("a", 20000)}}}
		}, 503},
	} {
		decide = tt.decide
		p.notify(1, "/")
		got := p.receive()
		if status(got, 1) != tt.want {
			t.Errorf("%s: %q, want %d", name, got, tt.want)
		}
		if strings.Contains(got, "late") || strings.Contains(got, "\r\n") || strings.Contains(got, "a\nb") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestConfigurationsThatMakeNoSense(t *testing.T) {
	g := asGateway(passes)
	for want, config := range map[string]spoe.Config{
		"Gateway is missing": {}, "MaxFrame of 1 bytes": {Gateway: g, MaxFrame: 1}, "MaxFrame of 1073741824": {Gateway: g, MaxFrame: 1 << 30},
		"MaxConnections of -1": {Gateway: g, MaxConnections: -1}, "is negative": {Gateway: g, Idle: -1},
	} {
		if _, err := spoe.New(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}

// FuzzConnection varies what comes over a connection: the agent goes on, and lets
// nobody pass whom the gateway does not.
func FuzzConnection(f *testing.F) {
	framed := func(contents ...string) []byte {
		var all []byte
		for _, content := range contents {
			all = append(binary.BigEndian.AppendUint32(all, uint32(len(content))), content...)
		}
		return all
	}
	f.Add(framed(sayHello, disconnect))
	f.Add(framed(sayHello+checkFlag, sayHello))
	f.Add(framed(sayHello, "\x03\x00\x00\x00\x01\x01\x01\x05check\x03\x06method\x08\x03GET\x03uri\x08\x02/x\x07headers\x09\x09\x04host\x01h\x00\x00", disconnect))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	server, err := spoe.New(spoe.Config{Logger: slog.New(slog.DiscardHandler), Idle: time.Second, Gateway: asGateway(func(w http.ResponseWriter, _ *http.Request) *gateway.Pass {
		w.WriteHeader(403)
		return nil
	})})
	if err != nil {
		f.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(ctx, l) })
	f.Cleanup(func() { cancel(); serving.Wait() })
	f.Fuzz(func(t *testing.T, sent []byte) {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = conn.Write(sent)
		_ = conn.(*net.TCPConn).CloseWrite()
		p := &peer{t, conn}
		for {
			got := p.receive()
			if got == "" {
				return
			}
			if kind := got[0]; kind < 0x65 || kind > 0x67 || kind == 0x67 && !strings.Contains(got, "\x06status\x03\xf3\x0a") { // 403
				t.Fatalf("%q", got)
			}
		}
	})
}
