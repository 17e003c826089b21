//go:build unix

package listen

import (
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// place returns a path that is short enough for a socket.
func place(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

// TestS720_WhoMayConnectToASocket is set before anybody can.
func TestS720_WhoMayConnectToASocket(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	for mode, want := range map[fs.FileMode]fs.FileMode{0: 0o660, 0o600: 0o600, 0o666: 0o666} {
		path := place(t)
		l, err := Here("listen", "unix:"+path, mode)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("mode %o: %v, %v", mode, info.Mode(), err)
		}
		l.Close()
		if _, err := os.Lstat(path); err == nil {
			t.Error("the socket is left behind")
		}
	}
	if now := syscall.Umask(0); now != 0 {
		t.Errorf("files are made with %o from then on", now)
	}
	unmask := mask(0o077)
	l, err := net.Listen("unix", place(t))
	unmask()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if info, err := os.Stat(l.Addr().String()); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("before its mode is set it is %v, %v", info.Mode(), err)
	}
}

// TestS720_WhatIsInTheWayOfASocket goes away where nobody listens, and nothing else does.
func TestS720_WhatIsInTheWayOfASocket(t *testing.T) {
	path := place(t)
	left, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Here("listen", "unix:"+path, 0); err == nil || !strings.Contains(err.Error(), "another process does; choose another path with listen") {
		t.Errorf("another process listens: %v", err)
	}
	left.(*net.UnixListener).SetUnlinkOnClose(false)
	left.Close()
	l, err := Here("listen", "unix:"+path, 0)
	if err != nil {
		t.Fatalf("what a process left: %v", err)
	}
	l.Close()

	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Here("listen", "unix:"+path, 0); err == nil {
		t.Error("a file is taken for a socket")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "mine" {
		t.Errorf("a file is gone: %q, %v", text, err)
	}
	if _, err := Here("listen", "unix:"+path+"/no/such", 0); err == nil || !strings.Contains(err.Error(), "choose another path with listen") {
		t.Errorf("no such folder: %v", err)
	}
}
