package redisstore

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// target is where a URL points to.
type target struct {
	addresses  []string // host:port, or the path of a socket
	unix       bool
	tls        bool
	username   string
	password   string
	database   int
	cluster    bool
	masterName string
	sentinel   struct{ username, password string }
	prefix     string
	timeout    time.Duration
	cacheFor   time.Duration
	noCache    bool
	plaintext  bool
}

const (
	portRedis    = "6379"
	portSentinel = "26379"
)

// parseURL reads the URL of a Config, which is one of sentinels also if its other
// fields say so. Its errors quote no part of the URL that a password could be in.
func parseURL(s string, sentinels bool) (target, error) {
	var t target
	scheme, rest, ok := strings.Cut(s, "://")
	switch {
	case !ok:
		return t, errors.New("it has no scheme: write redis://host:6379, rediss:// for TLS, or unix:///path/of/socket")
	case scheme == "unix":
		t.unix = true
	case scheme == "rediss", scheme == "valkeys":
		t.tls = true
	case scheme != "redis" && scheme != "valkey":
		return t, errors.New("its scheme is not one of redis, rediss, valkey, valkeys and unix")
	}
	end := len(rest)
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		end = i
	}
	authority, rest := rest[:end], rest[end:]
	// net/url knows one host, and would read the others as part of its port.
	at := strings.LastIndexByte(authority, '@') + 1
	hosts := strings.Split(authority[at:], ",")
	u, err := url.Parse(scheme + "://" + authority[:at] + rest)
	if err != nil || u.Fragment != "" || strings.Contains(rest, "#") || u.Opaque != "" {
		return t, errors.New("it is malformed: write redis://user:password@host:6379/0, with everything in the password that is " +
			"neither a letter nor a digit as %XX")
	}
	if u.User != nil {
		t.username = u.User.Username()
		t.password, _ = u.User.Password()
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return t, errors.New("its parameters are malformed: write ?name=value&name=value")
	}
	if err := t.parameters(query); err != nil {
		return t, err
	}
	if t.unix {
		if authority[at:] != "" || u.Path == "" || len(query["addr"]) > 0 {
			return t, errors.New("a socket is written unix:///path/of/socket?db=0, or unix://user:password@/path/of/socket")
		}
		t.addresses = []string{u.Path}
		return t, nil
	}
	if path := strings.TrimPrefix(u.Path, "/"); path != "" {
		if query.Has("db") {
			return t, errors.New("it names the database twice, in the path and as db")
		}
		if t.database, err = parseDatabase(path); err != nil {
			return t, err
		}
	}
	if len(hosts) == 1 && hosts[0] == "" && len(query["addr"]) > 0 {
		hosts = nil
	}
	for _, host := range slices.Concat(hosts, query["addr"]) {
		address, err := parseAddress(host, sentinels || t.masterName != "")
		if err != nil {
			return t, err
		}
		t.addresses = append(t.addresses, address)
	}
	return t, nil
}

// parameters reads the query of the URL, in which an unknown name is a fault: it may
// be a misspelt one that protects something.
func (t *target) parameters(query url.Values) error {
	for name, values := range query {
		if len(values) > 1 && name != "addr" {
			return fmt.Errorf("its parameter %s is there twice", name)
		}
		value, err := values[0], error(nil)
		switch name {
		case "addr": // read with the hosts
		case "db":
			t.database, err = parseDatabase(value)
		case "cluster":
			t.cluster, err = parseBool(value)
		case "master":
			t.masterName, err = value, notEmpty(value)
		case "sentinel_user":
			t.sentinel.username = value
		case "sentinel_password":
			t.sentinel.password = value
		case "prefix":
			t.prefix, err = value, notEmpty(value)
		case "timeout":
			t.timeout, err = parseDuration(value)
		case "cache_for":
			t.cacheFor, err = parseDuration(value)
		case "cache":
			var cache bool
			cache, err = parseBool(value)
			t.noCache = !cache
		case "insecure_plaintext":
			t.plaintext, err = parseBool(value)
		default:
			return errors.New("it has an unknown parameter: there are addr, db, cluster, master, sentinel_user, sentinel_password, " +
				"prefix, timeout, cache, cache_for and insecure_plaintext")
		}
		if err != nil {
			return fmt.Errorf("its parameter %s: %w", name, err)
		}
	}
	return nil
}

// parseAddress reads host, host:port or [IPv6]:port.
func parseAddress(s string, sentinel bool) (string, error) {
	port := portRedis
	if sentinel {
		port = portSentinel
	}
	host := s
	if h, p, err := net.SplitHostPort(s); err == nil {
		host, port = h, p
	} else if inner, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(inner, "]") {
		host = strings.TrimSuffix(inner, "]")
	}
	// Without brackets nobody can tell the port from the end of an IPv6 address.
	colons := strings.Contains(host, ":") && (s[0] != '[' || net.ParseIP(host) == nil)
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" || colons || strings.ContainsAny(host, "[]/@ \t\r\n%\\") {
		return "", errors.New("one of its addresses is not valid: write host, host:port or [IPv6]:port")
	}
	return net.JoinHostPort(host, port), nil
}

func parseDatabase(s string) (int, error) {
	n, err := strconv.ParseUint(s, 10, 15)
	if err != nil {
		return 0, errors.New("the database is a number, 0 on most servers")
	}
	return int(n), nil
}

func parseBool(s string) (bool, error) {
	switch s {
	case "true", "1", "on":
		return true, nil
	case "false", "0", "off":
		return false, nil
	}
	return false, errors.New("write true or false")
}

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, errors.New("write a duration above 0, such as 2s or 500ms")
	}
	return d, nil
}

func notEmpty(s string) error {
	if s == "" {
		return errors.New("it is empty")
	}
	return nil
}
