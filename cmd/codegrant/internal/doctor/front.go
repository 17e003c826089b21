package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/settings"
)

// leastHeaders is what the cookies of a session that is kept in them need, beside what
// browsers send anyway.
const leastHeaders = 32 << 10

// front looks at what stands in front of the gateway: proxies, cookies, sizes.
func (e *examination) front(s *settings.Settings) {
	for _, p := range s.TrustedProxies {
		if p.Bits() == 0 {
			e.fault("proxies", "list only the addresses of your proxies: trusted_proxies: [10.0.0.0/8]", "trusted_proxies has %s: every client can claim to be a proxy", p)
		}
	}
	host, _, err := net.SplitHostPort(s.Listen)
	address, _ := netip.ParseAddr(host)
	public := err == nil && !address.IsLoopback() && host != "localhost"
	secure := slices.ContainsFunc(s.Pools, func(p settings.Pool) bool { return strings.HasPrefix(p.Config.BaseURL, "https:") })
	switch {
	case public && s.Certificate == nil && secure && len(s.TrustedProxies) == 0:
		e.warn("proxies", "list the proxy that terminates https: trusted_proxies: [<its address>]; or serve https here: tls: {certificate_file: …, key_file: …}",
			"base_url is https, and there is neither a certificate nor a trusted proxy: every client has the address of the proxy")
	case len(s.TrustedProxies) > 0:
		e.fine("proxies", "%d networks of proxies are trusted", len(s.TrustedProxies))
	}
	names := make(map[string]string) // of cookies, by host
	for _, p := range s.Pools {
		name := p.Config.CookieName
		if name == "" {
			name = "__Host-codegrant"
		}
		for _, h := range append(slices.Clone(p.Hosts), p.Config.BaseURL)[:max(1, len(p.Hosts))] {
			key := strings.ToLower(h) + " " + name
			if other, ok := names[key]; ok {
				e.fault("cookies", fmt.Sprintf("give one of them another name: cookie_name: %s_%s", name, p.Name), "the pools %s and %s share the host %s and the cookie %s: a sign-in at one ends the sign-in at the other", other, p.Name, h, name)
			}
			names[key] = p.Name
		}
		if p.Config.CookieSessions || s.Sessions == settings.InCookies || p.Config.InsecureSharedTokensDomain != "" {
			if s.Limits.HeaderBytes < leastHeaders {
				e.fault("headers", "set limits: {header_bytes: 64KiB}", "the tokens of pool %s are in cookies, and headers may have %d bytes: people in many groups get 431", p.Name, s.Limits.HeaderBytes)
			} else {
				e.fine("headers", "headers may have %d bytes; a proxy in front must accept as many: nginx large_client_header_buffers, HAProxy tune.bufsize", s.Limits.HeaderBytes)
			}
		}
	}
}

var passTables = []string{"codegrant_passes", "codegrant_pass_members"}

// tables says which of ours are missing, each by its name.
func (e *examination) tables(ctx context.Context, db *parts.Database, fix string) {
	missing := e.unread(ctx, db, append([]string{"codegrant_sessions", "codegrant_session_ends", "codegrant_cupboard"}, passTables...)...)
	// Programs that call Migrate of both stores have no tables of passes until sync makes them.
	if slices.Equal(missing, passTables) {
		e.fine("database", "the tables of codegrant sync do not exist yet; run codegrant migrate before you use it")
	} else if len(missing) > 0 {
		e.warn("database", fix, "missing, or this database user may not read them: %s", strings.Join(missing, ", "))
	} else {
		e.fine("database", "the tables of session ends, small records and passes exist")
	}
}

// replicaTables says which of those of the replica cannot be read, though their version is right.
func (e *examination) replicaTables(ctx context.Context, db *parts.Database, django bool) bool {
	if django {
		return true // those are Django's own
	}
	missing := e.unread(ctx, db, "codegrant_users", "codegrant_groups", "codegrant_memberships", "codegrant_outbox")
	if len(missing) > 0 {
		tables := strings.Join(missing, ", ")
		e.fault("database", "GRANT SELECT, INSERT, UPDATE, DELETE ON "+tables+" TO <the user in --database>; where they are gone, get them from a backup, because codegrant migrate makes each table once",
			"missing, or this database user may not read them: %s", tables)
	}
	return len(missing) == 0
}

// tablesOfFeatures looks for the tables of what the configuration turns on.
func (e *examination) tablesOfFeatures(ctx context.Context, s *settings.Settings) {
	db, err := parts.LookAtDatabase(s.Database.URL.Reveal())
	if err != nil {
		return // said with the database
	}
	defer db.Close()
	look := func(what string, tables ...string) {
		if missing := e.unread(ctx, db, tables...); len(missing) > 0 {
			e.fault("database", "run codegrant migrate, or set database.migrate to true so that codegrant serve does; if they exist, GRANT SELECT, INSERT, UPDATE, DELETE ON "+
				strings.Join(missing, ", ")+" TO <the user in database>", "%s are on, and tables of theirs are missing or cannot be read: %s", what, strings.Join(missing, ", "))
		}
	}
	if s.Organizations != nil {
		look("organizations", "codegrant_organizations", "codegrant_organization_members", "codegrant_organization_choices",
			"codegrant_organization_invitations", "codegrant_organization_sent")
	}
	if len(s.Webhooks) > 0 {
		look("webhooks", "codegrant_webhooks")
	}
}

// unread are those of some tables that cannot be read.
func (e *examination) unread(ctx context.Context, db *parts.Database, tables ...string) (missing []string) {
	for _, table := range tables {
		var one int
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 AS one FROM "+table+" LIMIT 1) looked").Scan(&one); err != nil {
			missing = append(missing, table)
		}
	}
	return missing
}

// sync says how the last passes over each pool were.
func (e *examination) sync(ctx context.Context, s *settings.Settings) {
	db, err := parts.LookAtDatabase(s.Database.URL.Reveal())
	if err != nil {
		return // said with the database
	}
	defer db.Close()
	journal, err := directory.NewSQLJournal(db.DB, db.Dialect)
	if err != nil {
		return
	}
	seen := make(map[string]bool)
	for _, p := range s.Pools {
		if seen[p.Issuer] {
			continue
		}
		seen[p.Issuer] = true
		e.of = p.Name
		found, err := directory.ReadStatus(ctx, journal, p.Issuer)
		age := found.Age(e.now()).Round(time.Second)
		switch {
		case err != nil: // said with the tables
		case found.Fault != "":
			e.fault("sync", "correct what this says, then run codegrant sync --full --config "+e.file, "the last pass failed %s ago: %s", e.now().Sub(found.FaultAt).Round(time.Second), found.Fault)
		case found.Last.Pass == "":
			if len(p.TrustedProviders) > 0 {
				e.warn("sync", "run codegrant sync --every 5m, or --follow, beside the gateway: docs/identities.md#at-the-first-sign-in",
					"trusted_providers is set, and there was no pass yet: nobody is merged at a first sign-in, because what only tokens say about a person does not count")
			}
			e.warn("sync", "run codegrant sync --every 5m, or --follow, beside the gateway: docs/sync.md", "there was no pass yet: a person who is disabled in the pool stays signed in until the next refresh of the tokens")
		case found.Last.Withheld > 0:
			e.warn("sync", "list them with codegrant sync --dry-run --full; if they are really gone, run codegrant sync --full --max-share 1", "%d people are missing from the pool; the pass did not remove them, because they are too many", found.Last.Withheld)
		case age > s.PassMaxAge:
			e.fault("sync", fmt.Sprintf("run codegrant sync --every 5m --config %[1]s, or --follow, beside the gateway (systemctl status codegrant-sync); at once, run codegrant sync --full --config %[1]s", e.file),
				"the last pass was %s ago, and replica.pass_max_age is %s: a person who was disabled since then stays signed in until the next refresh of the tokens", age, s.PassMaxAge)
		default:
			e.fine("sync", "the last pass was %s ago", age)
		}
	}
	e.of = ""
}
