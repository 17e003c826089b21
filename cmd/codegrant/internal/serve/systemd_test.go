//go:build unix

package serve

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/testenv"
)

// TestServeUnderSystemd runs the program as a process of its own, as systemd does: it
// is passed its sockets, and says what it is up to.
func TestServeUnderSystemd(t *testing.T) {
	g := newGate(t, oneUpstream)
	socket := func(address string) *os.File {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		f, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	opsAddress := testenv.FreeAddress(t)
	ops, main := socket(opsAddress), socket(strings.TrimPrefix(g.url, "http://"))

	// Paths of sockets are short.
	dir, err := os.MkdirTemp("", "cg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	told, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer told.Close()
	hear := func() string {
		b := make([]byte, 4096)
		if err := told.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := told.Read(b)
		if err != nil {
			t.Fatalf("systemd hears nothing: %v; the log: %s", err, g.log)
		}
		return string(b[:n])
	}

	g.log = new(lockedBuffer)
	command := exec.CommandContext(t.Context(), "bash", "-c", `export LISTEN_PID=$$; exec -a codegrant "$0" "$@"`,
		os.Args[0], "serve", "--config", g.config, "--reload-every", "0")
	command.ExtraFiles = []*os.File{ops, main}
	command.Env = append(os.Environ(), "LISTEN_FDS=2", "LISTEN_FDNAMES=ops:web", "NOTIFY_SOCKET="+filepath.Join(dir, "notify"))
	command.Stderr, command.Stdout = g.log, g.log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()

	if said := hear(); !strings.HasPrefix(said, "READY=1\nSTATUS=serving on ") {
		t.Errorf("first %q", said)
	}
	if status, _ := g.get(http.DefaultClient, "/open"); status != 200 {
		t.Errorf("on the socket passed: %d", status)
	}
	if status, body := operations(t, opsAddress, "/healthz"); status != 200 {
		t.Errorf("on the socket for operations: %d %s", status, body)
	}

	g.write(strings.Replace(oneUpstream, "/open", "/other", 1))
	if err := command.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if said := hear(); !strings.HasPrefix(said, "RELOADING=1\nMONOTONIC_USEC=") {
		t.Errorf("then %q", said)
	}
	if said := hear(); said != "READY=1" {
		t.Errorf("then %q", said)
	}
	if status, _ := g.get(http.DefaultClient, "/other"); status != 200 {
		t.Errorf("after a reload: %d", status)
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if said := hear(); said != "STOPPING=1" {
		t.Errorf("then %q", said)
	}
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// TestServeRefusesSocketsThatItCannotTellApart instead of serving the wrong thing.
func TestServeRefusesSocketsThatItCannotTellApart(t *testing.T) {
	for _, tt := range []struct{ count, names, want string }{
		{"5", "a:ops:ext_authz:spoe:b", "it must be one, and perhaps others named ops, ext_authz and spoe"},
		{"x", "", "it must be one, and perhaps others named ops, ext_authz and spoe"},
		{"1", "", "use socket 1 of systemd's"}, // there is none
		{"2", "ops:ops", "use socket 1 of systemd's"},
	} {
		g := newGate(t, oneUpstream)
		var log bytes.Buffer
		command := exec.CommandContext(t.Context(), "bash", "-c", `export LISTEN_PID=$$; exec -a codegrant "$0" "$@" 3</dev/null 4</dev/null`,
			os.Args[0], "serve", "--config", g.config)
		command.Env = append(os.Environ(), "LISTEN_FDS="+tt.count, "LISTEN_FDNAMES="+tt.names)
		command.Stderr = &log
		if err := command.Run(); err == nil || !strings.Contains(log.String(), tt.want) {
			t.Errorf("%s sockets: %v %s", tt.count, err, log.String())
		}
	}
}
