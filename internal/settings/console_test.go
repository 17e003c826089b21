package settings

import (
	"strings"
	"testing"
)

// TestConsole: the console is where it is configured, and what would hide it or open it to
// nobody is found with its line.
func TestConsole(t *testing.T) {
	const pool = "base_url: https://app.example.com\npools: [{id: eu-west-1_Ab12Cd34E, domain: a.example.com, client_id: c}]\n"
	for _, tt := range []struct{ name, more, want string }{
		{"all of it", "console: {groups: [ops, sre], path: /ops/console, acr: \"urn:cognito:loa:2\", max_age: 10m}", ""},
		{"nobody", "console: {path: /ops}", "console: groups is missing"},
		{"no such pool", "console: {groups: ops, pool: staff}", "console.pool: there is no pool"},
		{"of the pool", "console: {groups: ops, path: /auth/console}", "console.path: it must be a separate path"},
		{"everything", "console: {groups: ops, path: /}", "console.path: it must be a separate path"},
		{"taken", "console: {groups: ops, path: /a}\nroutes: [{path: /A, upstream: \"http://127.0.0.1:1\"}]", "console.path: routes[0] has this path already"},
		{"no path", "console: {groups: ops, path: /a/../b}", "console.path"},
		{"no level", "console: {groups: ops, acr: high}", "console.acr: pool default has no such level"},
		{"parts of seconds", "console: {groups: ops, max_age: 1500ms}", "console.max_age: the pool counts whole seconds"},
		{"carried", "sessions: cookies\nkeys: \"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=\"\nconsole: {groups: ops}", "console: it needs sessions in memory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Load(write(t, pool+tt.more, nil), Options{Lookup: environment(nil), Keys: processKeys})
			switch {
			case tt.want == "" && err != nil:
				t.Fatal(err)
			case tt.want == "":
				if s.Console == nil || s.Console.Prefix != "/ops/console" || len(s.Console.Groups) != 2 || len(s.Console.Unsafe) != 2 {
					t.Errorf("got %+v", s.Console)
				}
			case err == nil || !strings.Contains(err.Error(), tt.want):
				t.Errorf("got %v, want %s", err, tt.want)
			}
		})
	}
}
