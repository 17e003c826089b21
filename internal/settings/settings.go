package settings

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/account"
	"github.com/codegrant/codegrant/broker"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/mcp"
	"github.com/codegrant/codegrant/rule"
	"github.com/codegrant/codegrant/rule/cedar"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/webhook"
)

// Settings is a configuration that was read and checked.
type Settings struct {
	Listen, OpsListen string
	SyncOpsListen     string // of codegrant sync

	// Where Envoy and HAProxy ask; empty: nowhere.
	ExtAuthzListen, SPOEListen string

	SocketMode fs.FileMode // of Unix sockets among these

	Certificate    *Certificate // nil: no https
	TrustedProxies []netip.Prefix
	Log            Log
	Tracing        Tracing
	Limits         Limits

	// Keys seal what browsers carry. KeysGiven says that they are in the
	// configuration, and not those that Load was given for this process;
	// KeysSince when the newest one was written, zero where that is unknown.
	Keys      *session.Keyring
	KeysGiven bool
	KeysSince time.Time

	Sessions SessionStore
	Database Database
	RedisURL Secret
	Replica  Replica
	// PassMaxAge is how old the last pass of codegrant sync may be.
	PassMaxAge time.Duration
	Events     Events
	Webhooks   []webhook.Endpoint // by name
	// SendWebhooks lets the gateway send their messages.
	SendWebhooks bool

	HSTS *gateway.HSTS // nil: nothing is said

	// Cedar are policies; nil: none.
	Cedar *cedar.Policies
	// People are groups that include others, and roles; nil: none.
	People *rule.Rules

	Pools      []Pool
	Headers    gateway.Headers
	Assertions *gateway.Assertions // nil: no route asks for them
	Routes     []gateway.Route
	RouteLines []int // of the file

	// MCP is by route: the MCP server that it is for, or nil. It lacks OnCall and Logger.
	MCP []*mcp.Config
	// Broker is the authorization server in front of the pool BrokerPool; nil: there is
	// none. It lacks Auth, Cupboard, Wait and Logger.
	Broker     *broker.Config
	BrokerPool string
	Delegation
	Console *Console // nil: none
	// Organizations are what people act for; nil: there are none.
	Organizations *Organizations
	// Files are those that were read; a change to one of them is a change of the
	// configuration. Folders stand for what is in them.
	Files []string
	// Digest differs where the configuration does.
	Digest [sha256.Size]byte
	// Warnings are what is allowed, but not recommended.
	Warnings []Fault
}

// Certificate is a pair of PEM texts.
type Certificate struct {
	Chain, Key []byte
	Expires    time.Time // the first in the chain to do so
}

// Log is what is logged, and how.
type Log struct {
	Level  slog.Level
	JSON   bool
	Access bool
}

// Limits protect the gateway. Zero means no limit.
type Limits struct {
	Requests, Tunnels         int // at once
	SignInRate, SignInBurst   int // of one address: a minute; at once
	AccountRate, AccountBurst int // of one person
	HeaderBytes               int
	MaxSessions               int
}

// SessionStore says where sessions are kept.
type SessionStore string

// The session stores.
const (
	Memory     SessionStore = "memory"
	InDatabase SessionStore = "database"
	InRedis    SessionStore = "redis"
	InCookies  SessionStore = "cookies" // there is none
)

// Database is that of sessions and replica.
type Database struct {
	URL            Secret // empty: none
	Migrate        bool
	MaxConnections int
}

// Replica is the copy of the people.
type Replica struct {
	Enabled, Django, Outbox bool
	Unverified              string        // empty, apart or until_first_link
	History                 time.Duration // how far back it is known how people were; 0: it is not
	HistoryEntries          int           // at most; 0: any number
}

// passMaxAge leaves an hourly pass two failures.
const passMaxAge = 3 * time.Hour

// Events says where changes in the pools are heard of.
type Events struct {
	Queue, Listen string   // empty: not there
	Secrets       []Secret // of those who post to Listen
}

// Pool is one user pool and app client.
type Pool struct {
	Name, Prefix string
	Hosts        []string
	Issuer       string
	// SecondaryRegion is where the pool is read while its own Region is away; empty:
	// nowhere.
	SecondaryRegion string
	// SignOutAtPool: by the credentials of AWS's tools.
	SignOutAtPool bool
	// Config lacks Sessions, Replica and Logger.
	Config codegrant.Config
	// Account are the pages where people change what is theirs; nil: none. It lacks Auth,
	// Replica, HTTPClient and Logger.
	Account *account.Config
	// Moved is where people come from; nil: nowhere.
	Moved *Moved
	// TrustedProviders verify addresses, by which people are merged at their first sign-in.
	TrustedProviders []string
	// Digest differs where anything about the pool or the keys does.
	Digest [sha256.Size]byte
}

// Secret is a value that prints as a placeholder.
type Secret string

// Reveal returns the value.
func (s Secret) Reveal() string { return string(s) }

const redacted = "[secret]"

// String, and the methods below, keep the value out of logs.
func (Secret) String() string { return redacted }

// GoString implements [fmt.GoStringer].
func (Secret) GoString() string { return redacted }

// Format implements [fmt.Formatter] for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// MarshalText implements [encoding.TextMarshaler], and with it JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements [slog.LogValuer].
func (Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// Options are what a configuration does not say of itself. Keys is required.
type Options struct {
	// Lookup finds environment variables. Defaults to [os.LookupEnv].
	Lookup func(string) (string, bool)
	// Keys are those of this process, for configurations without keys.
	Keys *session.Keyring
	// Database and Redis say what is wrong with a URL, without connecting to it and
	// without quoting it. Defaults to nothing.
	Database, Redis func(url string) error
	// Secrets makes what reads a client secret from AWS Secrets Manager. It sends
	// nothing. Defaults to a source that has none, for commands that need no secret.
	Secrets func(SecretAt) (cognito.SecretSource, error)
	// Uses are the keys at the top of the file that the command looks at, beside pools,
	// of which it then learns which ones they are, and what is named as pools.groups
	// would be. Defaults to all.
	Uses []string
}

// SecretAt says where a client secret is in AWS Secrets Manager, and whose it is.
type SecretAt struct{ ARN, ClientID, Region, Issuer string }

// Load reads and checks a file. The error is an [*Error] that has every fault.
func Load(path string, options Options) (*Settings, error) {
	r := &reader{path: path, dir: filepath.Dir(path), files: []string{path}}
	text, err := readLimited(path)
	if err != nil {
		if fault, ok := errors.AsType[*fs.PathError](err); ok {
			err = fault.Err // the fault has the name already
		}
		return nil, &Error{[]Fault{{File: path, Err: err}}, r.files}
	}
	s := r.read(text, options)
	if len(r.faults) > 0 {
		return nil, &Error{sortFaults(path, r.faults), r.files}
	}
	s.Files = r.files
	s.Warnings = r.warnings
	s.Digest = sha256.Sum256(r.content)
	return s, nil
}

// reader makes settings of one file and of those that it names.
type reader struct {
	decoder
	path, dir string
	files     []string
	warnings  []Fault
	content   []byte   // of everything that was read
	only      []string // keys that are looked at; nil: all
	look      appearance

	secrets func(SecretAt) (cognito.SecretSource, error)
}

func (r *reader) read(text []byte, options Options) *Settings {
	r.file, r.lookup, r.secrets = r.path, options.Lookup, options.Secrets
	if r.lookup == nil {
		r.lookup = os.LookupEnv
	}
	f := defaults()
	if !r.parse(text, &f) {
		return nil
	}
	r.narrow(&f, options.Uses)
	r.content, _ = json.Marshal(f) // strings, numbers and lists of them
	s := &Settings{
		Listen: f.Listen, OpsListen: f.OpsListen, SyncOpsListen: f.SyncOpsListen, ExtAuthzListen: f.ExtAuthzListen, SPOEListen: f.SPOEListen,
		Log: Log{Level: r.level(f.Log.Level), JSON: f.Log.Format == "json", Access: f.Log.Access},
		Limits: Limits{
			Requests: f.Limits.Requests, Tunnels: f.Limits.Tunnels, SignInRate: f.Limits.SignInRate, SignInBurst: f.Limits.SignInBurst,
			AccountRate: f.Limits.AccountRate, AccountBurst: f.Limits.AccountBurst,
			HeaderBytes: int(f.Limits.HeaderBytes), MaxSessions: f.Limits.MaxSessions,
		},
		Sessions: SessionStore(f.Sessions),
		Headers:  gateway.Headers(f.Headers),
	}
	r.oneOf("log.level", f.Log.Level, "debug", "info", "warn", "error")
	r.oneOf("log.format", f.Log.Format, "text", "json")
	r.oneOf("sessions", f.Sessions, "memory", "database", "redis", "cookies")
	r.limits(f.Limits)
	r.sockets(&f, s)
	r.addresses(&f)
	s.Tracing = r.tracing(f.Tracing)
	if f.ExtAuthzListen != "" && len(f.TrustedProxies) == 0 {
		r.fault("ext_authz_listen", "no proxy may ask there; add the address of Envoy to trusted_proxies")
	}
	if f.SPOEListen != "" && len(f.TrustedProxies) == 0 {
		r.fault("spoe_listen", "no proxy may ask there; add the address of HAProxy to trusted_proxies, or 127.0.0.1 for a Unix socket")
	}
	r.stores(&f, s, options)
	s.Certificate = r.certificate(f.TLS)
	s.TrustedProxies = r.proxies(f.TrustedProxies)
	s.Keys, s.KeysGiven = options.Keys, false
	if ring, since := r.keyring(f.Keys, f.KeysFile, f.KeysDir); ring != nil {
		s.Keys, s.KeysGiven, s.KeysSince = ring, true, since
	} else if s.Sessions != Memory && r.uses("keys") && !r.has("keys") && !r.has("keys_file") && !r.has("keys_dir") {
		r.fault("sessions", "these sessions need keys that outlive the process; add keys_file, with the output of openssl rand -base64 32")
	}
	s.Events = Events{Queue: f.Events.Queue, Listen: f.Events.Listen}
	for _, secret := range strings.Fields(r.secret("events.secret", f.Events.Secret, f.Events.SecretFile)) {
		s.Events.Secrets = append(s.Events.Secrets, Secret(secret))
	}
	r.webhooks(&f, s)
	r.roles(&f, s)
	r.cedar(&f, s)
	r.organizations(&f, s)
	r.look = r.pagesOf(f.Pages)
	r.pools(&f, s)
	s.HSTS = r.hsts(f.HSTS, s.Pools)
	r.routes(&f, s)
	r.rules(&f, s)
	r.tests(&f, s)
	return s
}

func (r *reader) level(name string) slog.Level {
	var level slog.Level
	_ = level.UnmarshalText([]byte(name)) // oneOf has refused others
	return level
}

func (r *reader) oneOf(key, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		r.fault(key, "it must be one of %s", strings.Join(allowed, ", "))
	}
}

func (r *reader) limits(l limits) {
	if l.HeaderBytes < 4<<10 || l.HeaderBytes > 1<<20 {
		r.fault("limits.header_bytes", "it must be between 4KiB and 1MiB")
	}
	if l.SignInRate > 0 && l.SignInBurst < 2 {
		r.fault("limits.sign_in_burst", "it must be 2 at least: one sign-in takes two requests")
	}
	if l.AccountRate > 0 && l.AccountBurst < 1 {
		r.fault("limits.account_sign_in_burst", "it must be at least 1; otherwise nobody can sign in")
	}
	if l.MaxSessions == 0 {
		r.fault("limits.max_sessions", "it must be 1 at least")
	}
}

func (r *reader) stores(f *file, s *Settings, options Options) {
	s.Database = Database{Secret(r.secret("database.url", f.Database.URL, f.Database.URLFile)), f.Database.Migrate, f.Database.MaxConnections}
	s.RedisURL = Secret(r.secret("redis.url", f.Redis.URL, f.Redis.URLFile))
	s.Replica = Replica{Enabled: f.Replica.Enabled, Django: f.Replica.Django, Outbox: f.Replica.Outbox, History: f.Replica.History, HistoryEntries: f.Replica.HistoryEntries}
	switch h := f.Replica; {
	case h.History < 0 || h.History > 0 && h.History < time.Hour:
		r.fault("replica.history", "it must be 1h at least, or 0s")
	case h.HistoryEntries < 0:
		r.fault("replica.history_entries", "it cannot be below 0")
	case h.HistoryEntries > 0 && h.History == 0:
		r.fault("replica.history_entries", "say with replica.history how far back it is to reach, too")
	}
	switch f.Replica.TrustUnverifiedEmail {
	case "", "never":
	case "apart", "until_first_link":
		s.Replica.Unverified = f.Replica.TrustUnverifiedEmail
		if !f.Replica.Django {
			r.fault("replica.trust_unverified_email", "it needs django: true: other replicas identify people only by the subject of the pool")
		}
	default:
		r.fault("replica.trust_unverified_email", "it must be never, apart or until_first_link")
	}
	s.PassMaxAge = f.Replica.PassMaxAge
	if !r.has("replica.pass_max_age") {
		s.PassMaxAge = passMaxAge
	} else if s.PassMaxAge < time.Second {
		r.fault("replica.pass_max_age", "it must be at least 1s")
	}
	if (f.Replica.Django || f.Replica.Outbox || f.Replica.History > 0 || r.has("replica.pass_max_age")) && !r.has("replica.enabled") {
		s.Replica.Enabled = true
	}
	if path, ok := strings.CutPrefix(string(s.Database.URL), "sqlite:"); ok && !strings.HasPrefix(path, "//") {
		s.Database.URL = Secret("sqlite:" + r.beside(path))
	}
	for _, named := range []struct {
		key   string
		url   Secret
		check func(string) error
	}{{"database", s.Database.URL, options.Database}, {"redis", s.RedisURL, options.Redis}} {
		switch {
		case named.url == "" && r.has(named.key):
			r.follow(named.key, "its url is missing")
		case named.url != "" && named.check != nil:
			if err := named.check(named.url.Reveal()); err != nil {
				r.follow(named.key, "%w", err)
			}
		}
	}
	database, redis := r.has("database"), r.has("redis")
	switch {
	case s.Sessions == InDatabase && !database && r.uses("database"):
		r.fault("sessions", "there is no database for them; add database: URL")
	case s.Sessions == InRedis && !redis && r.uses("redis"):
		r.fault("sessions", "there is no Redis for them; add redis: URL")
	}
	if s.Replica.Enabled && !database {
		r.fault("replica", "it needs a database; add database: URL")
	}
	if database && r.uses("sessions") && s.Sessions != InDatabase && s.Sessions != InRedis && !s.Replica.Enabled {
		r.fault("database", "nothing uses it; set sessions: database, sessions: redis (with session ends in the database) or replica: true, or remove it")
	}
	if redis && s.Sessions != InRedis {
		r.fault("redis", "nothing uses it; set sessions: redis, or remove it")
	}
	if f.Database.MaxConnections < 1 {
		r.fault("database.max_connections", "it must be 1 at least")
	}
}

func (r *reader) proxies(list []string) []netip.Prefix {
	var all []netip.Prefix
	for i, item := range list {
		prefix, err := netip.ParsePrefix(item)
		if err != nil {
			address, err2 := netip.ParseAddr(item)
			if err2 != nil || address.Zone() != "" {
				r.fault(fmt.Sprintf("trusted_proxies[%d]", i), "it is neither an address nor a network such as 10.0.0.0/8")
				continue
			}
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		if prefix.Addr().Is4In6() {
			r.fault(fmt.Sprintf("trusted_proxies[%d]", i), "write it as an IPv4 address")
			continue
		}
		if prefix.Bits() == 0 {
			r.fault(fmt.Sprintf("trusted_proxies[%d]", i), "every client could then claim to be a proxy; list the addresses of your proxies")
		}
		all = append(all, prefix.Masked())
	}
	return all
}

// hsts is about sites that browsers know under https, or does nothing.
func (r *reader) hsts(h *hsts, pools []Pool) *gateway.HSTS {
	if h == nil {
		return nil
	}
	if !r.has("hsts.max_age") && h.MaxAge == 0 {
		r.fault("hsts", "max_age is missing")
	}
	for _, p := range pools {
		if strings.HasPrefix(p.Config.BaseURL, "http:") {
			r.fault("hsts", "browsers ignore it at %s, which is not https; remove it", p.Config.BaseURL)
			break
		}
	}
	return &gateway.HSTS{MaxAge: h.MaxAge, IncludeSubDomains: h.IncludeSubDomains, Preload: h.Preload}
}

func (r *reader) certificate(t *tls) *Certificate {
	if t == nil {
		return nil
	}
	c := new(Certificate)
	for _, part := range []struct {
		key, path string
		into      *[]byte
		secret    bool
	}{{"tls.certificate_file", t.Certificate, &c.Chain, false}, {"tls.key_file", t.Key, &c.Key, true}} {
		if part.path == "" {
			if !r.has(part.key) {
				r.fault(part.key, "it is missing")
			}
			continue
		}
		*part.into = r.readFile(part.key, part.path, part.secret)
	}
	if c.Chain != nil && c.Key != nil {
		if err := checkPair(c); err != nil {
			r.fault("tls", "certificate and key do not match: %w", err)
		}
	}
	return c
}

// beside is a path as the configuration file means it.
func (r *reader) beside(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(r.dir, path)
}

// secret is a value that is written in the file, or in one of its own.
func (r *reader) secret(key, value, path string) string {
	if path == "" {
		return value
	}
	if value != "" {
		r.fault(key, "set it or %s, not both", key[strings.LastIndexByte(key, '.')+1:]+"_file")
	}
	raw := r.readFile(key+"_file", path, true)
	content := strings.TrimSpace(string(raw))
	if content == "" && raw != nil {
		r.fault(key+"_file", "the file is empty")
	}
	return content
}
