package settings

import (
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// longestSocket is how many bytes the name of a Unix socket may have on every system.
const longestSocket = 103

// sockets reads who may connect to Unix sockets, and looks at their names.
func (r *reader) sockets(f *file, s *Settings) {
	r.oneOf("socket_mode", f.SocketMode, "0600", "0660", "0666")
	if mode, err := strconv.ParseUint(f.SocketMode, 8, 9); err == nil {
		s.SocketMode = fs.FileMode(mode)
	}
	for _, at := range []struct{ key, address string }{
		{"listen", f.Listen}, {"ops_listen", f.OpsListen}, {"sync_ops_listen", f.SyncOpsListen}, {"spoe_listen", f.SPOEListen}, {"ext_authz_listen", f.ExtAuthzListen},
	} {
		path, ok := strings.CutPrefix(at.address, "unix:")
		switch {
		case ok && path == "":
			r.fault(at.key, "the path is missing; write it as unix:/run/codegrant/http.sock")
		case ok && len(path) > longestSocket:
			r.fault(at.key, "the path has %d bytes, and that of a Unix socket may have %d", len(path), longestSocket)
		case ok && at.key == "listen" && len(f.TrustedProxies) == 0:
			r.warnings = append(r.warnings, Fault{r.path, r.line(at.key), at.key, fmt.Errorf("the gateway ignores what this proxy says about its clients; add 127.0.0.1 to trusted_proxies: it means the other end of a Unix socket")})
		case ok && f.SocketMode == "0666":
			r.warnings = append(r.warnings, Fault{r.path, r.line("socket_mode"), "socket_mode", fmt.Errorf("everybody on this machine may connect to %s, and is taken for the proxy; put the proxy's user into the group and write 0660", path)})
		}
	}
}
