//go:build unix

package serve

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/codegrant/codegrant/internal/proxytest"
	"github.com/codegrant/codegrant/internal/testenv"
)

// envoyAsks whether /open may pass, over gRPC.
func (g *gate) envoyAsks(ctx context.Context, conn *grpc.ClientConn) error {
	host := strings.TrimPrefix(g.url, "http://")
	answer, err := authv3.NewAuthorizationClient(conn).Check(ctx, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: "GET", Host: host, Path: "/open", Scheme: "http",
			Headers: map[string]string{":authority": host, ":path": "/open", ":method": "GET"},
		}},
	}})
	if err == nil && answer.GetOkResponse() == nil {
		err = fmt.Errorf("denied: %v", answer)
	}
	return err
}

func envoy(t *testing.T, address string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// haproxyAsks whether /open may pass, on a connection of its own that there is already.
func (g *gate) haproxyAsks(conn net.Conn) error {
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	host := strings.TrimPrefix(g.url, "http://")
	headers := "\x04host" + string([]byte{byte(len(host))}) + host + "\x00\x00"
	for _, exchange := range [][2]string{
		{"\x01\x00\x00\x00\x01\x00\x00\x12supported-versions\x08\x032.0\x0emax-frame-size\x03\xfc\xf0\x06\x0ccapabilities\x08\x0apipelining", "\x0emax-frame-size"},
		{"\x03\x00\x00\x00\x01\x01\x01\x05check\x03\x06method\x08\x03GET\x03uri\x08\x05/open\x07headers\x09" + string([]byte{byte(len(headers))}) + headers, "\x06status\x03\xc8"},
	} {
		content, want := exchange[0], exchange[1]
		if _, err := conn.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(content))), content...)); err != nil {
			return err
		}
		var length [4]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return err
		}
		answer := make([]byte, binary.BigEndian.Uint32(length[:]))
		if _, err := io.ReadFull(conn, answer); err != nil {
			return err
		}
		if !strings.Contains(string(answer), want) {
			return fmt.Errorf("answered with %q", answer)
		}
	}
	return nil
}

// waitedFor is how many questions of each kind wait.
const waitedFor = 8

// TestS295_QuestionsThatWaitToBeLetIn when the process is told to end are answered: of
// connections that the kernel has taken, and the process has not seen yet.
func TestS295_QuestionsThatWaitToBeLetIn(t *testing.T) {
	grpcAddress, spoeAddress := testenv.FreeAddress(t), testenv.FreeAddress(t)
	g := newGate(t, oneUpstream+"trusted_proxies: 127.0.0.1\next_authz_listen: "+grpcAddress+"\nspoe_listen: "+spoeAddress+"\n")
	command := g.spawn(nil)
	suspend(t, command)
	var asking sync.WaitGroup
	for range waitedFor {
		conn := envoy(t, grpcAddress)
		conn.Connect()
		asking.Go(func() {
			if err := g.envoyAsks(t.Context(), conn); err != nil {
				t.Errorf("over gRPC: %v", err)
			}
		})
		raw, err := net.Dial("tcp", spoeAddress)
		if err != nil {
			t.Fatal(err)
		}
		asking.Go(func() {
			defer raw.Close()
			if err := g.haproxyAsks(raw); err != nil {
				t.Errorf("over SPOE: %v", err)
			}
		})
	}
	g.until("all of them wait", func() bool { return connectedTo(t, grpcAddress) >= waitedFor })
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := command.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	asking.Wait()
	if err := command.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// suspend stops a process for a while, and returns once it has.
func suspend(t *testing.T, command *exec.Cmd) {
	t.Helper()
	if err := command.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for {
		var status syscall.WaitStatus
		_, err := syscall.Wait4(command.Process.Pid, &status, syscall.WUNTRACED, nil)
		if err == nil && status.Stopped() {
			return
		}
		if !errors.Is(err, syscall.EINTR) {
			t.Fatalf("it does not stop: %v, %v", status, err)
		}
	}
}

// connectedTo is how many connections to a local address are established, as the kernel
// has them.
func connectedTo(t *testing.T, address string) (n int) {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return waitedFor // this kernel does not list connections
	}
	_, port, _ := net.SplitHostPort(address)
	var number int
	if _, err := fmt.Sscan(port, &number); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if len(fields) > 3 && strings.HasSuffix(fields[2], fmt.Sprintf(":%04X", number)) && fields[3] == "01" {
			n++
		}
	}
	return n
}

// TestS295_ARestartLosesNoQuestion of Envoy's over gRPC, or of HAProxy's over SPOE, where
// systemd holds their sockets too.
func TestS295_ARestartLosesNoQuestion(t *testing.T) {
	var haproxy proxytest.Proxy
	for _, p := range proxytest.All() {
		if p.Name == "Debian's HAProxy" {
			haproxy = p
		}
	}
	haproxy.Require(t)
	g := newGate(t, oneUpstream)
	a := proxytest.NewAddresses(t, g.up, g.pool.URL)
	a.Gateway = strings.TrimPrefix(g.url, "http://")
	grpcAddress := testenv.FreeAddress(t)
	g.write(oneUpstream + "trusted_proxies: 127.0.0.1\n")
	g.url = a.URL()
	sockets := []*os.File{socketAt(t, a.Gateway), socketAt(t, grpcAddress), socketAt(t, a.Asked)}
	spawn := func() *exec.Cmd {
		return g.spawnWith("export LISTEN_PID=$$; ", sockets, []string{"LISTEN_FDS=3", "LISTEN_FDNAMES=web:ext_authz:spoe"})
	}
	command := spawn()
	haproxy.Start(t, a)
	g.until("HAProxy asks", func() bool {
		r, err := http.Get(a.URL() + "/open")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == 200
	})

	l, done := &losses{why: make(map[string]int)}, make(chan struct{})
	var asking sync.WaitGroup
	repeat := func(what string, ask func() error) {
		asking.Go(func() {
			for tick := time.NewTicker(10 * time.Millisecond); ; {
				select {
				case <-done:
					return
				case <-tick.C:
				}
				l.note(what, ask())
			}
		})
	}
	for range 3 {
		kept := envoy(t, grpcAddress)
		repeat("gRPC, on one connection", func() error { return g.envoyAsks(t.Context(), kept) })
		repeat("gRPC, a connection each", func() error {
			conn, err := grpc.NewClient(grpcAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				return err
			}
			defer conn.Close()
			return g.envoyAsks(t.Context(), conn)
		})
		client := &http.Client{Transport: &http.Transport{}, Timeout: time.Minute}
		defer client.CloseIdleConnections()
		repeat("HAProxy", func() error {
			r, err := client.Get(a.URL() + "/open")
			if err != nil {
				return err
			}
			defer r.Body.Close()
			if _, err = io.Copy(io.Discard, r.Body); err == nil && r.StatusCode != 200 {
				err = fmt.Errorf("status %d", r.StatusCode)
			}
			return err
		})
	}
	longest := time.Duration(0) // for which nobody may have been there
	for range rounds(t) {
		time.Sleep(300 * time.Millisecond) // of questions
		begin := time.Now()
		stopProcess(t, command)
		command = spawn()
		longest = max(longest, time.Since(begin))
	}
	time.Sleep(300 * time.Millisecond)
	close(done)
	asking.Wait()
	stopProcess(t, command)
	if longest > 4*time.Second {
		t.Logf("the machine is too busy: a restart took %v, and HAProxy waits for 5 s: %v", longest, l)
		return
	}
	// SPOP has no end of a connection that both sides agree on: a question of each client
	// may cross with the agent's goodbye. Where what was not read is dropped, nearly all are lost.
	crossed := min(l.why["HAProxy: status 503"], 3*rounds(t))
	if int(l.lost.Load()) > crossed || l.refused.Load() > 0 || l.answered.Load() == 0 {
		t.Errorf("%v", l)
	}
	t.Logf("%v, and the longest restart took %v", l, longest)
}
