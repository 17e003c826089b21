//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/codegrant/codegrant/bench/internal/wire"
)

// The roles of this program when it starts itself.
const (
	childBare  = "child-bare"  // a server that answers everybody with nothing
	childProxy = "child-proxy" // a ReverseProxy in front of another one
	childParts = "child-parts" // what a sign-in cannot do without
	childTools = "child-tools" // an MCP server
)

// child serves, and prints its address.
func child(ctx context.Context, args []string) error {
	var handler http.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	if args[0] == childBare && len(args) > 1 { // headers to send, as JSON
		var answer http.Header
		if err := json.Unmarshal([]byte(args[1]), &answer); err != nil {
			return err
		}
		handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			header := w.Header()
			for name, values := range answer {
				header[name] = values
			}
			if len(args) > 3 { // a body
				_, _ = io.WriteString(w, args[3])
			}
		})
	}
	if args[0] == childTools {
		handler = http.HandlerFunc(tools)
	}
	if args[0] == childParts && len(args) > 1 {
		parts, err := newParts(args[1])
		if err != nil {
			return err
		}
		handler = parts
	}
	if args[0] == childProxy {
		if len(args) < 2 {
			return errors.New("no upstream is given")
		}
		upstream, err := url.Parse(args[1])
		if err != nil {
			return err
		}
		var more http.Header // to send to the upstream, as JSON
		if len(args) > 3 {
			if err := json.Unmarshal([]byte(args[3]), &more); err != nil {
				return err
			}
		}
		handler = &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(upstream)
				r.SetXForwarded()
				for name, values := range more {
					r.Out.Header[name] = values
				}
			},
			// As codegrant serve has it.
			Transport: &http.Transport{
				DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
				TLSHandshakeTimeout:   10 * time.Second,
				ExpectContinueTimeout: time.Second,
				MaxIdleConns:          1024,
				MaxIdleConnsPerHost:   256,
				IdleConnTimeout:       90 * time.Second,
				DisableCompression:    true,
				ForceAttemptHTTP2:     true,
			},
		}
		if len(args) > 2 {
			handler.(*httputil.ReverseProxy).BufferPool = new(buffers)
		}
	}
	network, address := "tcp", "127.0.0.1:0"
	if args[0] == childBare && len(args) > 2 && args[2] != "" { // a path to listen on
		network, address = "unix", args[2]
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		return err
	}
	fmt.Println("http://" + listener.Addr().String())
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	go func() {
		<-ctx.Done()
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// buffers are those of a ReverseProxy, used again.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if kept, ok := b.pool.Get().(*[]byte); ok {
		return *kept
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(buffer []byte) { b.pool.Put(&buffer) }

// process is a server that was started.
type process struct {
	name, url string
	command   *exec.Cmd
	log       *os.File // of what it says; nil: what it says goes to ours
	ended     chan struct{}
}

// start runs a program, which ends when this one does.
func start(ctx context.Context, name, program string, log *os.File, args ...string) (*process, *bufio.Reader, error) {
	command := exec.CommandContext(ctx, program, args...)
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 30 * time.Second
	command.Stderr = os.Stderr
	if log != nil {
		command.Stderr = log
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := command.Start(); err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{name: name, command: command, log: log, ended: make(chan struct{})}
	out := bufio.NewReader(stdout)
	if log != nil { // nobody reads what it prints
		go func() { _, _ = io.Copy(io.Discard, stdout); p.wait() }()
	}
	return p, out, nil
}

// startChild runs this program as a server.
func startChild(ctx context.Context, name string, args ...string) (*process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p, out, err := start(ctx, name, program, nil, args...)
	if err != nil {
		return nil, err
	}
	line, err := out.ReadString('\n')
	if err != nil {
		p.stop()
		return nil, fmt.Errorf("start %s: it does not say where it listens: %w", name, err)
	}
	p.url = strings.TrimSpace(line)
	return p, nil
}

// build compiles the binary, as a user would, or with flags.
func build(ctx context.Context, dir string, flags ...string) (string, error) {
	list := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "github.com/codegrant/codegrant")
	list.Stderr = os.Stderr
	source, err := list.Output()
	if err != nil {
		return "", fmt.Errorf("find the sources (start this in bench/): %w", err)
	}
	program := filepath.Join(dir, "codegrant")
	command := exec.CommandContext(ctx, "go", slices.Concat([]string{"build", "-o", program}, flags, []string{"./cmd/codegrant"})...)
	command.Dir = strings.TrimSpace(string(source))
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build codegrant: %w\n%s", err, output)
	}
	return program, nil
}

// startCodegrant runs codegrant serve with a configuration, until it answers.
func startCodegrant(ctx context.Context, dir, program, address, config string) (*process, error) {
	path := filepath.Join(dir, "codegrant.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	p, _, err := start(ctx, "codegrant serve", program, log, "serve", "--config", path)
	if err != nil {
		return nil, err
	}
	p.url = "http://" + address
	for deadline := time.Now().Add(20 * time.Second); ; {
		if conn, err := wire.Dial(ctx, address); err == nil {
			conn.Close()
			return p, nil
		}
		gone := false
		select {
		case <-p.ended:
			gone = true
		default:
		}
		if gone || time.Now().After(deadline) || ctx.Err() != nil {
			p.stop()
			said, _ := os.ReadFile(log.Name())
			return nil, fmt.Errorf("codegrant serve does not listen on %s; it says:\n%s", address, said)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// freeAddress is one that nobody listens on: the configuration names it before
// anybody does.
func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

func (p *process) wait() {
	_ = p.command.Wait()
	close(p.ended)
}

// stop ends it, and waits until it has.
func (p *process) stop() {
	_ = p.command.Process.Signal(syscall.SIGTERM)
	if p.log == nil {
		p.wait()
	}
	<-p.ended
	if p.log != nil {
		p.log.Close()
	}
}

// resident is the memory of the process that is in RAM, in bytes.
func (p *process) resident() (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0, fmt.Errorf("read the memory of %s: %q", p.name, b)
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// processor is the time on the processor that the process has had.
func (p *process) processor() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	// After the name, which may have spaces: state is the first, utime the 12th.
	_, after, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(after)
	if len(fields) < 13 {
		return 0, fmt.Errorf("read the times of %s: %q", p.name, b)
	}
	var ticks int64
	for _, field := range fields[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100, nil // USER_HZ, which Linux keeps at 100
}
