package returnto

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// parseOrigin splits an absolute URL by hand: scheme, host and port in the form
// in which origins are compared and written, and the rest. [net/url.Parse] is
// more forgiving than browsers in some places and stricter in others.
func parseOrigin(target string) (origin, rest string, err error) {
	scheme, after, ok := strings.Cut(target, "://")
	scheme = strings.ToLower(scheme)
	if !ok || (scheme != "https" && scheme != "http") {
		return "", "", errors.New("it is neither a path nor an https URL")
	}
	authority := after
	if i := strings.IndexAny(after, "/?#"); i >= 0 {
		authority, rest = after[:i], after[i:]
	}
	host, port := strings.ToLower(authority), ""
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host, port = host[:i], host[i+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' {
			return "", "", errors.New("its port is not a number from 1 to 65535")
		}
	}
	loopback, err := checkHost(host)
	if err != nil {
		return "", "", err
	}
	if scheme == "http" && !loopback {
		return "", "", errors.New("plain http is only for this machine")
	}
	if port != "" && !(scheme == "https" && port == "443") && !(scheme == "http" && port == "80") {
		host += ":" + port
	}
	return scheme + "://" + host, rest, nil
}

// checkHost takes a lower-case host: a name of letters, digits, hyphens and dots,
// or an address in its one usual form; of IPv6 the loopback address alone. It
// reports whether the host is this machine.
func checkHost(host string) (loopback bool, err error) {
	if host == "[::1]" || host == "localhost" {
		return true, nil
	}
	if host == "" {
		return false, errors.New("it has no host")
	}
	if len(host) > 253 {
		return false, errors.New("its host is longer than names are")
	}
	var last string
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false, errors.New("its host is not a plain name")
		}
		last = label
	}
	// Browsers take 0x7f.1, 2130706433 and the like for IPv4 addresses.
	if last[0] >= '0' && last[0] <= '9' {
		addr, err := netip.ParseAddr(host)
		if err != nil || !addr.Is4() {
			return false, errors.New("its host is an unusual way to write an address")
		}
		return addr.IsLoopback(), nil
	}
	return last == "localhost", nil
}
