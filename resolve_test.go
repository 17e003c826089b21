package codegrant

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

// foreignReplica says that others write to its tables as well.
type foreignReplica struct{ replica.Store }

func (foreignReplica) WrittenByOthers() bool { return true }

// TestResolve: what a configuration comes to, and where it begins to be refused.
func TestResolve(t *testing.T) {
	moment := time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name   string
		change func(*Config)
		right  func(settings) bool
		fault  string // what the error names, where there is to be one
	}{
		{"encoded return paths", func(c *Config) { c.EncodedReturnPaths = true }, func(s settings) bool { return s.rules.Encoded }, ""},
		{"no encoded return paths", func(*Config) {}, func(s settings) bool { return !s.rules.Encoded }, ""},
		{"the error page on the own origin", func(c *Config) { c.ErrorURL = "https://App.Example.com:443" }, func(s settings) bool { return s.ErrorURL == "https://app.example.com/" }, ""},
		{"an error page elsewhere", func(c *Config) { c.ErrorURL = "https://evil.example/" }, nil, "ErrorURL"},
		{"a long idle timeout", func(c *Config) { c.IdleTimeout = 14 * 24 * time.Hour }, func(s settings) bool { return s.AbsoluteTimeout == 14*24*time.Hour }, ""},
		{"the shortest idle timeout", func(c *Config) { c.IdleTimeout = time.Minute }, func(s settings) bool { return s.IdleTimeout == time.Minute }, ""},
		{"a shorter one", func(c *Config) { c.IdleTimeout = time.Minute - 1 }, nil, "IdleTimeout"},
		{"an absolute timeout below it", func(c *Config) { c.IdleTimeout, c.AbsoluteTimeout = time.Hour, time.Hour-1 }, nil, "AbsoluteTimeout"},
		{"one that is the same", func(c *Config) { c.IdleTimeout, c.AbsoluteTimeout = time.Hour, time.Hour }, func(s settings) bool { return s.AbsoluteTimeout == time.Hour }, ""},
		{"the longest leeway", func(c *Config) { c.RefreshLeeway = time.Hour }, func(s settings) bool { return s.RefreshLeeway == time.Hour }, ""},
		{"a longer one", func(c *Config) { c.RefreshLeeway = time.Hour + 1 }, nil, "RefreshLeeway"},
		{"a leeway below 0", func(c *Config) { c.RefreshLeeway = -1 }, nil, "RefreshLeeway"},
		{"groups of a replica", func(c *Config) { c.Groups, c.Replica = GroupsOfBoth, struct{ replica.Store }{} }, func(s settings) bool { return s.UserMaxAge == defaultUserMaxAge }, ""},
		{"groups of a replica that nobody looks at", func(c *Config) { c.Groups, c.Replica, c.UserMaxAge = GroupsOfBoth, struct{ replica.Store }{}, -1 }, nil, "Groups"},
		{"a replica of others", func(c *Config) { c.Replica = foreignReplica{} }, func(s settings) bool { return s.UserMaxAge == defaultUserMaxAge }, ""},
		{"a replica of our own", func(c *Config) { c.Replica = struct{ replica.Store }{} }, func(s settings) bool { return s.UserMaxAge == 0 }, ""},
		{"a clock", func(c *Config) { c.Now = func() time.Time { return moment } }, func(s settings) bool {
			record := session.Record{ID: "1", Pool: "p", Subject: "s", Created: moment, LastSeen: moment, Expires: moment.Add(time.Hour)}
			if err := s.Sessions.Create(t.Context(), record); err != nil {
				return false
			}
			_, err := s.Sessions.Get(t.Context(), "1") // by that clock it has not ended
			return err == nil && s.standards.now().Equal(moment)
		}, ""},
		{"no clock", func(*Config) {}, func(s settings) bool { return time.Since(s.standards.now()) < time.Hour && s.Now != nil }, ""},
		{"no keys", func(*Config) {}, func(s settings) bool { return s.unkeyed && s.Keys != nil }, ""},
		{"keys", func(c *Config) { c.Keys = session.RandomKeyring() }, func(s settings) bool { return !s.unkeyed }, ""},
		{"no keys, and a store of this process", func(c *Config) { c.Sessions = session.NewMemoryStore(session.MemoryConfig{}) }, func(s settings) bool { return s.unkeyed }, ""},
		{"an actor without a name", func(c *Config) { c.BearerActors = []string{""} }, nil, "BearerActors"},
		{"a level with a quote", func(c *Config) { c.Levels = []string{`"`} }, nil, "Levels"},
		{"the name of the cookie", func(*Config) {}, func(s settings) bool { return s.cookie.Name == "__Host-codegrant" && s.cookie.Secure }, ""},
		{"at a port", func(c *Config) { c.BaseURL = "https://app.example.com:8443" }, func(s settings) bool { return s.cookie.Name == "__Host-codegrant" }, ""},
		{"on this machine", func(c *Config) { c.BaseURL = "http://localhost:8000" }, func(s settings) bool { return s.cookie.Name == "codegrant-8000" && !s.cookie.Secure }, ""},
		{"on this machine, at the usual port", func(c *Config) { c.BaseURL = "http://localhost:80" }, func(s settings) bool { return s.cookie.Name == "codegrant" && s.BaseURL == "http://localhost" }, ""},
		{"for a domain of this machine", func(c *Config) { c.BaseURL, c.InsecureCookieDomain = "http://a.x.localhost:8000", "x.localhost" }, func(s settings) bool { return s.cookie.Name == "codegrant" }, ""},
		{"for a domain", func(c *Config) { c.InsecureCookieDomain = "example.com" }, func(s settings) bool { return s.cookie.Name == "codegrant" && s.cookie.Secure }, ""},
		{"same site", func(*Config) {}, func(s settings) bool { return s.cookie.SameSite == http.SameSiteLaxMode }, ""},
		{"same site, strict", func(c *Config) { c.SameSiteStrict = true }, func(s settings) bool { return s.cookie.SameSite == http.SameSiteStrictMode }, ""},
		{"a domain that no cookie can have", func(c *Config) { c.BaseURL, c.InsecureCookieDomain = "https://a.b_c.example.com", "b_c.example.com" }, nil, "InsecureCookieDomain"},
		{"tokens for a domain that is not ours", func(c *Config) { c.InsecureSharedTokensDomain = "other.com" }, nil, "InsecureSharedTokensDomain"},
		{"cookies and a store", func(c *Config) {
			c.CookieSessions, c.Sessions = true, session.NewMemoryStore(session.MemoryConfig{})
		}, nil, "CookieSessions"},
		{"cookies and shared tokens", func(c *Config) { c.CookieSessions, c.InsecureSharedTokensDomain = true, "example.com" }, nil, "CookieSessions"},
		{"a query in the base URL", func(c *Config) { c.BaseURL = "https://app.example.com?x" }, nil, "BaseURL"},
		{"a callback with a user", func(c *Config) { c.CallbackURL = "https://x@app.example.com/cb" }, nil, "CallbackURL"},
		{"a callback with a fragment", func(c *Config) { c.CallbackURL = "https://app.example.com/cb#x" }, nil, "CallbackURL"},
		{"trusted origins as browsers write them", func(c *Config) { c.TrustedOrigins = []string{"https://WWW.example.com:443"} }, func(s settings) bool { return s.TrustedOrigins[0] == "https://www.example.com" }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Config{Pool: goodPool(), BaseURL: "https://app.example.com"}
			tt.change(&c)
			s, err := c.resolve()
			switch {
			case tt.fault == "" && (err != nil || !tt.right(s)):
				t.Errorf("%+v, %v", s, err)
			case tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)):
				t.Errorf("%v, want a fault that names %s", err, tt.fault)
			}
		})
	}

	c := Config{Pool: goodPool(), Levels: []string{"low", "high"}}
	s, err := c.resolve()
	if c.Levels[0] = "changed"; err != nil || s.standards.levels[0] != "low" {
		t.Errorf("levels that the application changes later are %v, %v", s.standards.levels, err)
	}
}
