package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"
)

// Config configures a [Store]. URL or Addresses is required. A field has priority over
// the same setting in the URL. A Config has passwords: printing it shows a
// placeholder.
type Config struct {
	// URL says where Redis is:
	//
	//	redis://user:password@host:6379/0
	//	rediss://host:6379                                with TLS
	//	unix:///run/redis/redis.sock?db=0
	//	rediss://one:6379,two:6379,three:6379             a cluster, by some of its nodes
	//	rediss://cluster.example:6379?cluster=true        a cluster, by its one endpoint
	//	rediss://one,two,three?master=mymaster            Sentinel, by some of its sentinels
	//
	// valkey and valkeys are the same as redis and rediss. Parameters are addr (a
	// further address, any number of times), db, cluster, master, sentinel_user,
	// sentinel_password, prefix, timeout, cache (false: no copies), cache_for and
	// insecure_plaintext, each as the field below.
	URL string
	// Addresses are host:port of one server, of nodes of a cluster or, with
	// MasterName, of sentinels.
	Addresses []string
	// Cluster says that it is a cluster, and has anything else refused. Several
	// addresses without a MasterName are taken for one in any case, and one address
	// is found out about.
	Cluster bool
	// MasterName is the name under which sentinels watch the server.
	MasterName string
	// Username and Password are those of Redis's access control list, or Password
	// alone. See the package documentation for the rights that are needed.
	Username, Password string
	// SentinelUsername and SentinelPassword are for the sentinels themselves.
	SentinelUsername, SentinelPassword string
	// Database is the number of the database. A cluster has only 0.
	Database int
	// TLS encrypts connections, as rediss does with the defaults: TLS 1.2 and up,
	// certificates of the system's authorities, for the name in the address.
	TLS *tls.Config
	// InsecurePlaintext allows connections to other machines without TLS. Anybody
	// on the network between can then read passwords and end, revive or mark
	// sessions. To read the content of a session, they still need the browser's cookie.
	InsecurePlaintext bool

	// Prefix begins every key. Stores share nothing if none's prefix begins with
	// another's. Defaults to "codegrant:".
	Prefix string
	// Timeout is how long Redis may take to answer, each time it is asked, and to
	// take a connection. Defaults to 2 seconds.
	Timeout time.Duration
	// CacheFor is how old a copy of a session in this process can be when Get
	// answers with it. The server has copies dropped within milliseconds when the
	// session changes; this is for when its word does not get through. Defaults to 5
	// seconds.
	CacheFor time.Duration
	// CacheBytes bounds the memory for copies. Defaults to 64 MiB, which is some ten
	// thousand sessions. Less is used as long as fewer sessions are.
	CacheBytes int
	// DisableCache has every Get ask Redis. It is needed where something between
	// here and Redis does not know RESP3 or CLIENT TRACKING.
	DisableCache bool
	// OnAsk is called each time that Redis is about to be asked, with the context of
	// the call that asks: what is answered from a copy is none, and neither is
	// List's walk through everybody's sessions. It must be fast. Defaults to nobody.
	OnAsk func(ctx context.Context)
	// Now is the clock that sessions expire by. Defaults to [time.Now].
	Now func() time.Time
}

// resolved is a Config with the URL read and the defaults filled in.
type resolved struct {
	Config
	unix bool
}

// resolve reports every fault at once.
func (c Config) resolve() (resolved, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	r := resolved{Config: c}
	r.URL = ""
	for i, address := range c.Addresses {
		full, err := parseAddress(address, c.MasterName != "")
		if err != nil {
			fault("Addresses[%d]: write host, host:port or [IPv6]:port", i)
		}
		if i == 0 {
			r.Addresses = nil // the caller's is not written to
		}
		r.Addresses = append(r.Addresses, full)
	}
	if c.URL != "" {
		t, err := parseURL(c.URL, c.MasterName != "")
		if err != nil {
			fault("URL: %w", err)
		}
		r.merge(t)
	} else if len(c.Addresses) == 0 {
		fault("URL or Addresses is to say where Redis is: write redis://localhost:6379, for one")
	}

	several := len(r.Addresses) > 1 && r.MasterName == ""
	r.Cluster = r.Cluster || several
	if r.Cluster && r.MasterName != "" {
		fault("Cluster and MasterName: a cluster is not watched by sentinels; leave one of them out")
	}
	if r.Cluster && r.unix {
		fault("Cluster: the nodes of a cluster cannot be reached through a socket")
	}
	if r.Database < 0 || r.Cluster && r.Database != 0 {
		fault("Database must not be below 0, and must be 0 in a cluster")
	}
	if r.Username != "" && r.Password == "" {
		fault("Password is missing: a Username is nothing without one")
	}
	if r.TLS == nil && !r.InsecurePlaintext && !r.unix {
		for _, address := range r.Addresses {
			if !onThisMachine(address) {
				faults = append(faults, errPlaintext)
				break
			}
		}
	}
	if r.Prefix == "" {
		r.Prefix = "codegrant:"
	}
	if strings.ContainsAny(r.Prefix, "{}") {
		fault("Prefix has a brace, with which one node of a cluster would keep everything")
	}
	defaultTo(&r.Timeout, 2*time.Second)
	defaultTo(&r.CacheFor, 5*time.Second)
	if r.Timeout < 0 || r.CacheFor < 0 || r.CacheBytes < 0 {
		fault("Timeout, CacheFor and CacheBytes cannot be below 0")
	}
	if r.CacheBytes == 0 {
		r.CacheBytes = 64 << 20
	}
	if r.Now == nil {
		r.Now = time.Now
	}
	if len(faults) > 0 {
		return resolved{}, fmt.Errorf("configure redisstore: %w", errors.Join(faults...))
	}
	return r, nil
}

// merge fills in what the URL says and no field does.
func (r *resolved) merge(t target) {
	if len(r.Addresses) == 0 {
		r.Addresses, r.unix = t.addresses, t.unix
	}
	r.Cluster = r.Cluster || t.cluster
	r.InsecurePlaintext = r.InsecurePlaintext || t.plaintext
	r.DisableCache = r.DisableCache || t.noCache
	if t.tls && r.TLS == nil {
		r.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if r.Username == "" && r.Password == "" {
		r.Username, r.Password = t.username, t.password
	}
	if r.SentinelUsername == "" && r.SentinelPassword == "" {
		r.SentinelUsername, r.SentinelPassword = t.sentinel.username, t.sentinel.password
	}
	defaultTo(&r.MasterName, t.masterName)
	defaultTo(&r.Database, t.database)
	defaultTo(&r.Prefix, t.prefix)
	defaultTo(&r.Timeout, t.timeout)
	defaultTo(&r.CacheFor, t.cacheFor)
}

func defaultTo[T comparable](value *T, otherwise T) {
	var zero T
	if *value == zero {
		*value = otherwise
	}
}

// errPlaintext is also returned when a cluster or a sentinel names such an address.
var errPlaintext = errors.New("the connection to another machine would not be encrypted: use rediss:// or TLS; " +
	"where the network is trusted, set InsecurePlaintext or ?insecure_plaintext=true")

// onThisMachine reports whether an address cannot leave it.
func onThisMachine(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

const redacted = "[redisstore configuration]"

// String, and the methods below, keep passwords out of logs.
func (Config) String() string { return redacted }

// GoString implements [fmt.GoStringer].
func (Config) GoString() string { return redacted }

// Format implements [fmt.Formatter] for every verb.
func (Config) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements [encoding.TextMarshaler], and with it JSON.
func (Config) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements [slog.LogValuer].
func (Config) LogValue() slog.Value { return slog.StringValue(redacted) }
