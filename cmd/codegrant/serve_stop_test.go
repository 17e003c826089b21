//go:build unix

package main

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// rounds is how often a process is stopped: CODEGRANT_TEST_STOPS, or a few.
func rounds(t *testing.T) int {
	text := os.Getenv("CODEGRANT_TEST_STOPS")
	if text == "" {
		return 2
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("CODEGRANT_TEST_STOPS is to be a number: %v", err)
	}
	return n
}

// spawn runs the program as a process of its own; socket is passed to it as systemd
// does, unless it is nil.
func (g *gate) spawn(socket *os.File, flags ...string) *exec.Cmd {
	g.t.Helper()
	script := ""
	if socket != nil {
		script = "export LISTEN_PID=$$; "
	}
	return g.spawnAfter(script, socket, flags...)
}

// spawnAfter runs it after a line of the shell's.
func (g *gate) spawnAfter(script string, socket *os.File, flags ...string) *exec.Cmd {
	g.t.Helper()
	g.log = new(lockedBuffer)
	command := exec.Command("bash", append([]string{"-c", script + `exec -a codegrant "$0" "$@"`, os.Args[0], "serve", "--config", g.config, "--reload-every", "0"}, flags...)...)
	if socket != nil {
		command.ExtraFiles = []*os.File{socket}
		command.Env = append(os.Environ(), "LISTEN_FDS=1")
	}
	command.Stderr, command.Stdout = g.log, g.log
	if err := command.Start(); err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() {
		if command.ProcessState == nil {
			_ = command.Process.Kill()
			_ = command.Wait()
		}
	})
	g.logged("serving")
	return command
}

// stopProcess sends SIGTERM, and returns how long the end took.
func stopProcess(t *testing.T, command *exec.Cmd) time.Duration {
	t.Helper()
	start := time.Now()
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	return time.Since(start)
}

// losses counts what became of requests.
type losses struct {
	answered, refused, lost atomic.Int64

	mu  sync.Mutex
	why map[string]int
}

func (l *losses) note(what string, err error) {
	switch {
	case err == nil:
		l.answered.Add(1)
	case errors.Is(err, syscall.ECONNREFUSED):
		l.refused.Add(1) // nobody was there any more, and nothing was sent
	default:
		l.lost.Add(1)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.why[what+": "+strings.Split(err.Error(), ": ")[len(strings.Split(err.Error(), ": "))-1]]++
	}
}

func (l *losses) String() string {
	return fmt.Sprintf("%d answered, %d found nobody, %d lost %v", l.answered.Load(), l.refused.Load(), l.lost.Load(), l.why)
}

// onWire sends requests as plain as can be, on a connection for as long as its answers
// allow, or on one each. Nothing is sent again by itself.
func (l *losses) onWire(address, method string, keep bool, pace time.Duration, done <-chan struct{}) {
	var conn net.Conn
	var in *bufio.Reader
	what := method + ", a connection each"
	if keep {
		what = method + ", on one connection"
	}
	for tick := time.NewTicker(pace); ; {
		select {
		case <-done:
			if conn != nil {
				conn.Close()
			}
			return
		case <-tick.C:
		}
		l.note(what, func() error {
			if conn == nil {
				c, err := net.DialTimeout("tcp", address, 30*time.Second)
				if err != nil {
					return err
				}
				conn, in = c, bufio.NewReader(c)
			}
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			_, err := io.WriteString(conn, method+" /open HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
			var response *http.Response
			if err == nil {
				response, err = http.ReadResponse(in, nil)
			}
			if err == nil {
				_, err = io.Copy(io.Discard, response.Body)
			}
			if err == nil && response.StatusCode != 200 {
				err = fmt.Errorf("status %d", response.StatusCode)
			}
			if err != nil || response.Close || !keep {
				conn.Close()
				conn = nil
			}
			return err
		}())
	}
}

// underStreams has eight requests at a time on one connection of HTTP/2, and another
// one where that has gone away.
func (l *losses) underStreams(url string, done <-chan struct{}) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true} // made on the spot
	defer transport.CloseIdleConnections()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for tick := time.NewTicker(10 * time.Millisecond); ; {
				select {
				case <-done:
					return
				case <-tick.C:
				}
				response, err := (&http.Client{Transport: transport, Timeout: time.Minute}).Post(url+"/open", "text/plain", strings.NewReader("hi"))
				if err == nil {
					_, err = io.Copy(io.Discard, response.Body)
					response.Body.Close()
					if err == nil && (response.StatusCode != 200 || response.ProtoMajor != 2) {
						err = fmt.Errorf("status %d over %s", response.StatusCode, response.Proto)
					}
				}
				l.note("HTTP/2", err)
			}
		})
	}
	all.Wait()
}

// clients asks in every way until the returned function is called.
func (g *gate) clients() (stop func() *losses) {
	l, done := &losses{why: make(map[string]int)}, make(chan struct{})
	var all sync.WaitGroup
	if address, plain := strings.CutPrefix(g.url, "http://"); plain {
		for _, method := range []string{"GET", "POST"} {
			for range 3 {
				all.Go(func() { l.onWire(address, method, false, 10*time.Millisecond, done) })
				all.Go(func() { l.onWire(address, method, true, 10*time.Millisecond, done) })
			}
		}
	} else {
		all.Go(func() { l.underStreams(g.url, done) })
	}
	return func() *losses { close(done); all.Wait(); return l }
}

// TestS163_S295_AStopLosesNothing: SIGTERM, while requests come on new connections, on
// old ones, and over HTTP/2. Each that reaches the process is answered; who comes later
// finds nobody. Connections that say nothing do not hold the end back.
//
// CODEGRANT_TEST_STOPS=20 has it happen 20 times.
func TestS163_S295_AStopLosesNothing(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "HTTP/1", true: "HTTP/2"}[secure], func(t *testing.T) {
			g := newGate(t, oneUpstream)
			if secure {
				g.url = strings.Replace(g.url, "http:", "https:", 1)
				g.writeFile("pair.pem", expiring(t, time.Now().Add(90*24*time.Hour)))
				g.write(oneUpstream + "tls: {certificate_file: pair.pem, key_file: pair.pem}\n")
			}
			var answered int64
			var slowest time.Duration
			for range rounds(t) {
				command := g.spawn(nil)
				silent, err := net.Dial("tcp", g.url[strings.LastIndexByte(g.url, '/')+1:])
				if err != nil {
					t.Fatal(err)
				}
				stop := g.clients()
				time.Sleep(300 * time.Millisecond) // of requests; whether there were some is asked below
				slowest = max(slowest, stopProcess(t, command))
				silent.Close()
				l := stop()
				if l.lost.Load() > 0 || l.answered.Load() == 0 {
					t.Errorf("%v", l)
				}
				answered += l.answered.Load()
			}
			t.Logf("%d answered, none lost; the slowest end took %v", answered, slowest)
			if slowest > 5*time.Second && os.Getenv("CODEGRANT_TEST_STOPS") != "" {
				t.Errorf("an end took %v", slowest)
			}
		})
	}
}

// TestS295_ARestartUnderSystemdLosesNothing: systemd holds the socket, and who comes
// while nobody is there waits.
func TestS295_ARestartUnderSystemdLosesNothing(t *testing.T) {
	g := newGate(t, oneUpstream)
	l, err := net.Listen("tcp", strings.TrimPrefix(g.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	socket, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	defer socket.Close()
	command := g.spawn(socket)
	stop := g.clients()
	for range rounds(t) {
		time.Sleep(300 * time.Millisecond) // of requests
		stopProcess(t, command)
		command = g.spawn(socket)
	}
	time.Sleep(300 * time.Millisecond)
	all := stop()
	stopProcess(t, command)
	if all.lost.Load() > 0 || all.refused.Load() > 0 || all.answered.Load() == 0 {
		t.Errorf("%v", all)
	}
	t.Logf("%v", all)
}
