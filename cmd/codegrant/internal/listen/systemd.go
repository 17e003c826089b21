package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Sockets are what to listen on.
type Sockets struct {
	Main, Ops, ExtAuthz, SPOE net.Listener // all but main may be nil

	passed map[net.Listener]bool
}

// Passed reports whether systemd has passed a socket, and goes on listening.
func (s Sockets) Passed(l net.Listener) bool { return s.passed[l] }

func (s Sockets) Close() {
	for _, l := range []net.Listener{s.Main, s.Ops, s.ExtAuthz, s.SPOE} {
		if l != nil {
			_ = l.Close()
		}
	}
}

// Addresses are what a configuration says of Sockets.
type Addresses struct {
	Listen, OpsListen, ExtAuthzListen, SPOEListen string // all but the first may be empty

	SocketMode os.FileMode // of those that are files
}

// All takes the sockets that systemd passes, and opens those that it does not. Faults
// name the file that the addresses are from.
func All(file string, c Addresses) (s Sockets, err error) {
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s, err = activated(); err != nil {
		return s, err
	}
	for _, one := range []struct {
		key, address string
		slot         *net.Listener
	}{{"listen", c.Listen, &s.Main}, {"ops_listen", c.OpsListen, &s.Ops}, {"ext_authz_listen", c.ExtAuthzListen, &s.ExtAuthz}, {"spoe_listen", c.SPOEListen, &s.SPOE}} {
		if *one.slot != nil || one.address == "" {
			continue
		}
		l, err := Here(one.key+" in "+file, one.address, c.SocketMode)
		if err != nil {
			return s, err
		}
		*one.slot = l
	}
	return s, nil
}

// activated takes sockets from systemd (sd_listen_fds(3)), by their names: ops,
// ext_authz, spoe, and any other for requests. Without names, a second one is ops.
func activated() (s Sockets, err error) {
	const first = 3
	pid, count := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	names := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
		_ = os.Unsetenv(name) // they are for this process alone
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return s, nil
	}
	slots := map[string]*net.Listener{"ops": &s.Ops, "ext_authz": &s.ExtAuthz, "spoe": &s.SPOE}
	n, err := strconv.Atoi(count)
	if err != nil || n < 1 || n > len(slots)+1 {
		return s, fmt.Errorf("systemd passes %q sockets; it must be one, and perhaps others named ops, ext_authz and spoe", count)
	}
	named := slices.ContainsFunc(names, func(name string) bool { return slots[name] != nil })
	s.passed = make(map[net.Listener]bool)
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
		slot := slots[name]
		if slot == nil {
			slot = &s.Main
			if !named && i == 1 {
				slot = &s.Ops
			}
		}
		if *slot != nil {
			l.Close()
			return s, errors.New("systemd passes two sockets for the same; name them ops, ext_authz and spoe, all but that for requests (FileDescriptorName=)")
		}
		*slot, s.passed[l] = l, true
	}
	return s, nil
}

// Notify tells systemd what this process is up to (sd_notify(3)); nothing where it
// does not run under systemd.
func Notify(lines ...string) error {
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
