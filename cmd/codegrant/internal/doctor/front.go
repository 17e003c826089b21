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
			e.fault("proxies", "list the addresses of your proxies alone: trusted_proxies: [10.0.0.0/8]", "trusted_proxies has %s: everybody may say who they are, and from where", p)
		}
	}
	host, _, err := net.SplitHostPort(s.Listen)
	address, _ := netip.ParseAddr(host)
	public := err == nil && !address.IsLoopback() && host != "localhost"
	secure := slices.ContainsFunc(s.Pools, func(p settings.Pool) bool { return strings.HasPrefix(p.Config.BaseURL, "https:") })
	switch {
	case public && s.Certificate == nil && secure && len(s.TrustedProxies) == 0:
		e.warn("proxies", "list the proxy that ends https: trusted_proxies: [<its address>]; or serve https here: tls: {certificate_file: …, key_file: …}",
			"people come by https, and there is neither a certificate nor a proxy whose word counts: every client has the proxy's address")
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
				e.fault("cookies", fmt.Sprintf("give one of them another: cookie_name: %s_%s", name, p.Name), "the pools %s and %s share the host %s and the cookie %s: a sign-in at one ends that at the other", other, p.Name, h, name)
			}
			names[key] = p.Name
		}
		if p.Config.CookieSessions || s.Sessions == settings.InCookies || p.Config.InsecureSharedTokensDomain != "" {
			if s.Limits.HeaderBytes < leastHeaders {
				e.fault("headers", "limits: {header_bytes: 64KiB}", "the tokens of pool %s are in cookies, and headers may have %d bytes: people in many groups get 431", p.Name, s.Limits.HeaderBytes)
			} else {
				e.fine("headers", "headers may have %d bytes; a proxy in front has to take as many: nginx large_client_header_buffers, HAProxy tune.bufsize", s.Limits.HeaderBytes)
			}
		}
	}
}

// tables says which of ours are missing, each by its name.
func (e *examination) tables(ctx context.Context, db *parts.Database, mend string) {
	missing := []string{}
	for _, table := range []string{"codegrant_sessions", "codegrant_session_ends", "codegrant_cupboard", "codegrant_passes", "codegrant_pass_members"} {
		var one int
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 AS one FROM "+table+" LIMIT 1) looked").Scan(&one); err != nil {
			missing = append(missing, table)
		}
	}
	if len(missing) > 0 {
		e.warn("database", mend, "missing, or not for this user to read: %s", strings.Join(missing, ", "))
		return
	}
	e.fine("database", "the tables of ends of sessions, of small records and of passes are there")
}

// maxSyncAge is after how long without a pass somebody who was disabled may have gone on
// for too long.
const maxSyncAge = 3 * time.Hour

// sync says how the last passes over each pool were.
func (e *examination) sync(ctx context.Context, s *settings.Settings) {
	db, err := parts.LookAtDatabase(s.Database.URL.Reveal())
	if err != nil {
		return // said with the database
	}
	defer db.Close()
	journal, err := directory.NewSQLJournal(db.DB, db.Journal)
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
			e.fault("sync", "do what it says, then run codegrant sync --full", "the last pass failed %s ago: %s", e.now().Sub(found.FaultAt).Round(time.Second), found.Fault)
		case found.Last.Pass == "":
			e.warn("sync", "run codegrant sync --every 5m, or --follow, beside the gateway: docs/sync.md", "no pass was made: whoever is disabled in the pool stays signed in until their tokens are refreshed")
		case found.Last.Withheld > 0:
			e.warn("sync", "see who they are: codegrant sync --dry-run --full; if they are gone: codegrant sync --full --max-share 1", "%d people are missing from the pool, and were not removed because they are so many", found.Last.Withheld)
		case age > maxSyncAge:
			e.fault("sync", "see that codegrant sync --every 5m, or --follow, runs: codegrant sync --status", "the last pass was done %s ago: whoever was disabled since stays signed in until their tokens are refreshed", age)
		default:
			e.fine("sync", "the last pass was done %s ago", age)
		}
	}
	e.of = ""
}
