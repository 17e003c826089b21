package proxytest

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/testenv"
)

// Addresses stand in place of those in the examples, each a host and a port.
type Addresses struct {
	Front   string // of the proxy; browsers see localhost and its port
	Gateway string // listen
	Asked   string // ext_authz_listen, spoe_listen
	App     string // the application
	Pool    string // the user pool
	TLS     bool   // at the front: https, with Certificate, and HTTP/2 beside HTTP/1.1
	Host    string // that browsers see in place of localhost
}

// NewAddresses finds those that a test does not choose itself, for an application and a pool,
// given by URL or address.
func NewAddresses(t testing.TB, app, pool string) Addresses {
	t.Helper()
	return Addresses{
		Front: testenv.FreeAddress(t), Gateway: testenv.FreeAddress(t), Asked: testenv.FreeAddress(t),
		App: strings.TrimPrefix(app, "http://"), Pool: strings.TrimPrefix(pool, "http://"),
	}
}

// URL is what browsers see.
func (a Addresses) URL() string {
	_, port, _ := net.SplitHostPort(a.Front)
	if a.TLS {
		return "https://localhost:" + port
	}
	return "http://" + cmp.Or(a.Host, "localhost") + ":" + port
}

// setup is a proxy's files on their way into the folder of a test.
type setup struct {
	t         testing.TB
	folder    string
	texts     map[string]string // by name
	addresses Addresses
}

// root is where the repository is, as seen from the folder of a package.
func root(t testing.TB) string {
	t.Helper()
	folder, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(folder, "examples", "gateway")); err == nil {
			return folder
		}
		above := filepath.Dir(folder)
		if above == folder {
			break
		}
		folder = above
	}
	t.Fatal("examples/gateway is not above this folder")
	return ""
}

// Example returns the text of a file below examples/gateway, with addresses of a test.
func Example(t testing.TB, name string, a Addresses) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root(t), "examples", "gateway", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	var pairs []string
	for port, address := range map[string]string{"8000": a.Front, "8080": a.Gateway, "8081": a.Asked, "3000": a.App, "9229": a.Pool} {
		_, own, err := net.SplitHostPort(address)
		if err != nil {
			t.Fatalf("%s: %v", port, err)
		}
		pairs = append(pairs, "127.0.0.1:"+port, "127.0.0.1:"+own, "localhost:"+port, "localhost:"+own, "port_value: "+port, "port_value: "+own)
	}
	text := strings.NewReplacer(pairs...).Replace(string(content))
	if a.Host != "" {
		_, port, _ := net.SplitHostPort(a.Front)
		text = strings.NewReplacer("localhost:"+port, a.Host+":"+port, "Host(`localhost`)", "Host(`"+a.Host+"`)").Replace(text)
	}
	if a.TLS {
		text = strings.ReplaceAll(text, "http"+strings.TrimPrefix(a.URL(), "https"), a.URL())
	}
	return text
}

// Require skips a test where the proxy cannot be had, or fails it.
func (p Proxy) Require(t testing.TB) {
	t.Helper()
	p.find(t)
}

// Start runs the proxy until the test ends, or stop is called. It returns once the
// proxy takes connections, whoever is behind it.
func (p Proxy) Start(t testing.TB, a Addresses) (stop func()) {
	t.Helper()
	program := p.find(t)
	s := &setup{t: t, folder: t.TempDir(), texts: make(map[string]string), addresses: a}
	for _, name := range p.Files {
		s.texts[filepath.Base(name)] = Example(t, name, a)
	}
	if a.TLS {
		p.secure(s)
	}
	for name, text := range s.texts {
		if err := os.WriteFile(filepath.Join(s.folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(s.folder, filepath.Base(p.Files[0]))
	command := exec.Command(program, p.command(program, s.folder, file)...)
	command.Dir = s.folder
	command.Env = append(os.Environ(), "HOME="+s.folder, "XDG_DATA_HOME="+s.folder, "XDG_CONFIG_HOME="+s.folder)
	stop = Run(t, p.Name, command)
	within(t, p.Name+" takes connections", func() error {
		conn, err := net.DialTimeout("tcp", a.Front, 5*time.Second)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	return stop
}

// Run runs a program until the test ends, or stop is called, and has it end by itself.
// Its output goes to the test's, unless the command has another place for it.
func Run(t testing.TB, what string, program *exec.Cmd) (stop func()) {
	t.Helper()
	if program.Stderr == nil {
		program.Stdout, program.Stderr = t.Output(), t.Output()
	}
	grouped(program)
	if err := program.Start(); err != nil {
		t.Fatalf("start %s: %v", what, err)
	}
	stop = sync.OnceFunc(func() {
		terminate(program)
		ended, cancel := context.WithCancel(context.Background())
		go func() { _ = program.Wait(); cancel() }()
		select {
		case <-ended.Done():
		case <-time.After(30 * time.Second):
			t.Errorf("%s does not exit on a signal", what)
			kill(program)
			<-ended.Done()
		}
	})
	t.Cleanup(stop)
	return stop
}

// within waits until something succeeds.
func within(t testing.TB, what string, try func() error) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(fmt.Errorf("not within a minute: %s: %w", what, err))
		}
		<-time.After(10 * time.Millisecond)
	}
}
