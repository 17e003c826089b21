package settings

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
)

// addresses looks at where the process is to listen. Values are not quoted: they may be of
// the environment.
func (r *reader) addresses(f *file) {
	for _, at := range []struct{ key, address string }{
		{"listen", f.Listen}, {"ops_listen", f.OpsListen}, {"sync_ops_listen", f.SyncOpsListen}, {"spoe_listen", f.SPOEListen}, {"ext_authz_listen", f.ExtAuthzListen}, {"events.listen", f.Events.Listen},
	} {
		if at.address == "" || strings.HasPrefix(at.address, "unix:") {
			continue
		}
		if strings.Contains(at.address, "://") {
			r.follow(at.key, "it is a URL; write an address and a port, such as 127.0.0.1:8080")
			continue
		}
		_, port, err := net.SplitHostPort(at.address)
		if err == nil && port != "" {
			if n, err := strconv.Atoi(port); err == nil && (n < 0 || n > 65535) {
				r.follow(at.key, "there is no port %d; ports end at 65535", n)
			}
			continue
		}
		if _, err := strconv.Atoi(at.address); err == nil {
			r.follow(at.key, "it is a port without a colon; write a colon before it for all addresses, or 127.0.0.1: to listen only on this machine")
		} else {
			r.follow(at.key, "it has no port; write an address and a port, such as 127.0.0.1:8080, [::1]:8080, or :8080 for all addresses")
		}
	}
}

// methods are those of the registry of HTTP methods (IANA), and two of caches.
var methods = strings.Fields(`GET HEAD POST PUT DELETE CONNECT OPTIONS TRACE PATCH QUERY
	ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY LABEL LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE
	MOVE ORDERPATCH PRI PROPFIND PROPPATCH REBIND REPORT SEARCH UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF
	VERSION-CONTROL PURGE BAN`)

// checkRoutes finds what a route may have, and hardly means.
func (r *reader) checkRoutes(f *file, s *Settings) {
	for i, c := range f.Routes {
		key := itemKey("routes", i)
		for j, m := range c.Methods {
			if m == "" || strings.Trim(strings.ToUpper(m), "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" || slices.Contains(methods, strings.ToUpper(m)) {
				continue // right, or the gateway's fault to find
			}
			hint := ""
			for _, known := range methods[:9] {
				if edits(strings.ToUpper(m), known) <= 2 {
					hint = "; did you mean " + known + "?"
					break
				}
			}
			r.follow(fmt.Sprintf("%s.methods[%d]", key, j), "there is no HTTP method %s%s", bounded(m), hint)
		}
		if c.Tenant != "" && !slices.ContainsFunc(s.Pools, func(p Pool) bool { return p.Name == c.Tenant }) {
			var names []string
			for _, p := range s.Pools {
				names = append(names, p.Name)
			}
			r.follow(key+".tenant", "there is no pool %q; there are %s", bounded(c.Tenant), strings.Join(names, ", "))
		}
	}
}
