package settings

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestMovedFrom: what would let people become somebody new is a fault of the configuration.
func TestMovedFrom(t *testing.T) {
	const good = `
base_url: https://app.example.com
database: sqlite:app.db
replica: true
pools:
  - id: eu-central-1_Ef56Gh78I
    domain: acme.auth.eu-central-1.amazoncognito.com
    client_id: web
    moved_from: {id: eu-west-1_Ab12Cd34E, key: KEY}
routes:
  - {path: /, upstream: "http://127.0.0.1:3000"}
`
	for name, tt := range map[string]struct{ from, to, want string }{
		"good":             {"", "", ""},
		"no replica":       {"replica: true", "replica: false", "write replica: true"},
		"beside Django":    {"replica: true", "replica: {django: true}", "does not work beside Django"},
		"no key":           {", key: KEY", "", "openssl rand -base64 32"},
		"a short key":      {"KEY", "c2hvcnQ=", "make one of 32"},
		"no base64":        {"KEY", "'*'", "not base64"},
		"the same pool":    {"id: eu-west-1_Ab12Cd34E", "id: eu-central-1_Ef56Gh78I", "the same one"},
		"no id":            {"id: eu-west-1_Ab12Cd34E", "id: west", "not the id of a pool"},
		"without profile":  {"client_id: web", "client_id: web\n    scopes: [openid, email]", "scope profile"},
		"with profile":     {"client_id: web", "client_id: web\n    scopes: [openid, profile]", ""},
		"with sessions":    {"key: KEY", "key: KEY, sessions: {domain: acme.auth.eu-west-1.amazoncognito.com, client_id: web0}", ""},
		"no client":        {"key: KEY", "key: KEY, sessions: {domain: acme.auth.eu-west-1.amazoncognito.com}", "client id"},
		"two secrets":      {"key: KEY", "key: KEY, sessions: {domain: acme.auth.eu-west-1.amazoncognito.com, client_id: web0, client_secret: x, client_secret_file: y}", "only one of"},
		"no secret":        {"key: KEY", "key: KEY, sessions: {domain: acme.auth.eu-west-1.amazoncognito.com, client_id: web0, client_secret_file: y}", "no such file"},
		"no domain":        {"key: KEY", "key: KEY, sessions: {client_id: web0}", "domain"},
		"with openid only": {"client_id: web", "client_id: web\n    scopes: [openid]", ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := good
			if tt.from != "" {
				text = strings.Replace(text, tt.from, tt.to, 1)
			}
			s, err := Load(write(t, strings.Replace(text, "KEY", newKey(t), 1), nil), Options{Keys: processKeys})
			switch {
			case tt.want == "" && (err != nil || s.Pools[0].Moved == nil || s.Pools[0].Moved.Issuer != "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"):
				t.Errorf("%v", err)
			case err == nil && (s.Pools[0].Config.OldPool != nil) != (name == "with sessions"):
				t.Errorf("%+v", s.Pools[0].Config.OldPool)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// TestMovedFromFiles: another key or secret in a file makes another pool, and the old app
// client has two secrets while they are replaced.
func TestMovedFromFiles(t *testing.T) {
	path := write(t, `
base_url: https://app.example.com
database: sqlite:app.db
replica: true
pools:
  - id: eu-central-1_Ef56Gh78I
    domain: acme.auth.eu-central-1.amazoncognito.com
    client_id: web
    moved_from: {id: eu-west-1_Ab12Cd34E, key_file: move, sessions: {domain: acme.auth.eu-west-1.amazoncognito.com, client_id: web0, client_secret_file: old}}
routes:
  - {path: /, upstream: "http://127.0.0.1:3000"}
`, nil)
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(filepath.Dir(path), name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	load := func() Pool {
		t.Helper()
		s, err := Load(path, Options{Keys: processKeys})
		if err != nil {
			t.Fatal(err)
		}
		return s.Pools[0]
	}
	put("move", newKey(t))
	put("old", "first-secret\n")
	first := load()
	if again := load(); again.Digest != first.Digest {
		t.Error("nothing has changed, and it is another pool")
	}
	put("move", newKey(t))
	second := load()
	if second.Digest == first.Digest {
		t.Error("with another key it is the same pool")
	}
	put("old", "second-secret\nfirst-secret\n")
	if load().Digest == second.Digest {
		t.Error("with another secret it is the same pool")
	}
	for _, pool := range []Pool{first, second} {
		if got, err := pool.Config.OldPool.Secrets.Secrets(t.Context(), false); err != nil || !slices.Equal(got, []string{"second-secret", "first-secret"}) {
			t.Errorf("the secrets are %q, %v", got, err)
		}
	}
	for content, want := range map[string]string{"": "is empty", "one two": "not a secret", "a\nb\nc\n": "3 lines"} {
		put("old", content)
		if _, err := Load(path, Options{Keys: processKeys}); err == nil || !strings.Contains(err.Error(), "moved_from.sessions.client_secret_file") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", content, err, want)
		}
	}
}

// TestTrustedProviders: people can be merged where the replica is, and not beside Django.
func TestTrustedProviders(t *testing.T) {
	const good = `
base_url: https://app.example.com
database: sqlite:app.db
replica: true
pools:
  - {id: eu-central-1_Ef56Gh78I, domain: acme.auth.eu-central-1.amazoncognito.com, client_id: web, trusted_providers: [COGNITO, Google]}
routes:
  - {path: /, upstream: "http://127.0.0.1:3000"}
`
	for name, tt := range map[string]struct{ from, to, want string }{
		"good":          {"", "", ""},
		"no replica":    {"replica: true", "replica: false", "write replica: true"},
		"beside Django": {"replica: true", "replica: {django: true}", "does not work beside Django"},
		"no name":       {"COGNITO", "''", "a name is empty"},
	} {
		s, err := Load(write(t, strings.Replace(good, tt.from, tt.to, 1), nil), Options{Keys: processKeys})
		if tt.want == "" && (err != nil || len(s.Pools[0].TrustedProviders) != 2) || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
