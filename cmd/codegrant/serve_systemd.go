package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/codegrant/codegrant/internal/settings"
)

// sockets are what to listen on.
type sockets struct {
	main, ops, extAuthz net.Listener // all but main may be nil
}

func (s sockets) close() {
	for _, l := range []net.Listener{s.main, s.ops, s.extAuthz} {
		if l != nil {
			_ = l.Close()
		}
	}
}

// listenAll takes the sockets that systemd passes, and opens those that it does not.
func listenAll(file string, c *settings.Settings) (s sockets, err error) {
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s, err = activated(); err != nil {
		return s, err
	}
	for _, one := range []struct {
		key, address string
		slot         *net.Listener
	}{{"listen", c.Listen, &s.main}, {"ops_listen", c.OpsListen, &s.ops}, {"ext_authz_listen", c.ExtAuthzListen, &s.extAuthz}} {
		if *one.slot != nil || one.address == "" {
			continue
		}
		l, err := listen(one.key+" in "+file, one.address)
		if err != nil {
			return s, err
		}
		*one.slot = l
	}
	return s, nil
}

// activated takes sockets from systemd (sd_listen_fds(3)): the one named ops, or the
// second one, is for operations.
func activated() (s sockets, err error) {
	const first = 3
	pid, count := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(name) // they are for this process alone
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return s, nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 || n > 2 {
		return s, fmt.Errorf("systemd passes %q sockets; it is to be one, and perhaps one named ops", count)
	}
	named := slices.Contains(names, "ops")
	for i := range n {
		name := ""
		if i < len(names) {
			name = names[i]
		}
		file := os.NewFile(uintptr(first+i), "systemd socket "+name)
		l, err := net.FileListener(file) // a copy
		file.Close()
		if err != nil {
			return s, fmt.Errorf("use socket %d of systemd's: %w", i+1, err)
		}
		slot := &s.main
		if name == "ops" || !named && i == 1 {
			slot = &s.ops
		}
		if *slot != nil {
			l.Close()
			return s, errors.New("systemd passes two sockets; name one of them ops (FileDescriptorName=ops)")
		}
		*slot = l
	}
	return s, nil
}

// notify tells systemd what this process is up to (sd_notify(3)); nothing where it
// does not run under systemd.
func notify(lines ...string) error {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return nil
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(strings.Join(lines, "\n"))); err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	return nil
}
