package gateway

import (
	"net/http"
	"net/url"
	"strings"
)

// Ports of the schemes; shared, without room to append to.
var (
	portHTTP  = []string{"80"}
	portHTTPS = []string{"443"}
)

// tellPlace says under which port and path the client sees what the upstream serves:
// frameworks make redirects, and compare origins, by that. The headers have what a
// trusted proxy says of it, and nothing of anybody else's.
func tellPlace(h http.Header, c *call) {
	if c.route.StripPrefix && len(c.route.Path) > 1 {
		before := ""
		if c.trusted && len(h["X-Forwarded-Prefix"]) == 1 && isPlainPath(h["X-Forwarded-Prefix"][0]) {
			before = strings.TrimSuffix(h["X-Forwarded-Prefix"][0], "/")
		}
		h["X-Forwarded-Prefix"] = []string{before + c.route.prefix}
	}
	if c.trusted && isPort(h.Get("X-Forwarded-Port")) && len(h["X-Forwarded-Port"]) == 1 {
		return
	}
	host, _, _ := strings.Cut(h.Get("X-Forwarded-Host"), ",") // the first is the client's
	switch port, ok := splitPort(host); {
	case ok:
		h["X-Forwarded-Port"] = []string{port}
	case h.Get("X-Forwarded-Proto") == "https":
		h["X-Forwarded-Port"] = portHTTPS
	default:
		h["X-Forwarded-Port"] = portHTTP
	}
}

func isPort(s string) bool { return s != "" && len(s) <= 5 && strings.Trim(s, "0123456789") == "" }

// prefixOf is the path of a route as it is told to upstreams.
func prefixOf(r *Route) string {
	return strings.TrimSuffix((&url.URL{Path: r.Path}).EscapedPath(), "/")
}

// splitPort is the port of a host that has one.
func splitPort(host string) (port string, ok bool) {
	host = strings.TrimSpace(host)
	i := strings.LastIndexByte(host, ':')
	return host[i+1:], i >= 0 && isPort(host[i+1:]) // what ends in a bracket is none
}
