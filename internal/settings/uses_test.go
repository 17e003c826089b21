package settings

import (
	"strings"
	"testing"
)

// TestCommandsNeedOnlyWhatTheyUse: variables and files that the gateway alone uses do not
// keep other commands from their work; what they use themselves still has to be right.
func TestCommandsNeedOnlyWhatTheyUse(t *testing.T) {
	const text = `
listen: :${PORT}
ops_listen: ${OPS}
base_url: ${SITE}
tls: {certificate_file: missing.pem, key_file: missing.key}
hsts: ${HSTS}
trusted_proxies: ["${PROXY}"]
tracing: ${COLLECTOR}
limits: {requests: "${MANY}"}
keys_file: missing.keys
sessions: redis
redis: ${REDIS}
database: sqlite:${DB}
replica: true
headers: {user: "${HEADER}"}
events: {listen: "${EVENTS}", secret_file: missing}
pools:
  - id: eu-west-1_Ab12Cd34E
    domain: ${DOMAIN}
    client_id: ${CLIENT}
    client_secret: ${SECRET}
    bearer_client_ids: ["${OTHERS}"]
    hosts: ["${HOST}"]
routes:
  - {path: /, upstream: "${UPSTREAM}"}
  - {path: /files, files: missing}
tests: []
`
	for _, tt := range []struct {
		name string
		uses []string
		set  map[string]string
		want []string // keys with faults
	}{
		{"people", []string{"database", "replica"}, map[string]string{"DB": "a.db", "CLIENT": "c1"}, nil},
		{"people, without their database", []string{"database", "replica"}, map[string]string{"CLIENT": "c1"}, []string{"database"}},
		{"people, without the app client", []string{"database", "replica"}, map[string]string{"DB": "a.db"}, []string{"pools[0].client_id"}},
		{"sessions", []string{"database", "replica", "sessions", "redis"}, map[string]string{"DB": "a.db", "CLIENT": "c1", "REDIS": "redis://127.0.0.1"}, nil},
		{"sessions, without Redis", []string{"database", "replica", "sessions", "redis"}, map[string]string{"DB": "a.db", "CLIENT": "c1"}, []string{"redis"}},
		{"tokens", []string{"pools.bearer_client_ids"}, map[string]string{"CLIENT": "c1", "OTHERS": "c2"}, nil},
		{"tokens, without a list of theirs", []string{"pools.bearer_client_ids"}, map[string]string{"CLIENT": "c1"}, []string{"pools[0].bearer_client_ids[0]"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &reader{path: "f.yaml", dir: t.TempDir()}
			s := r.read([]byte(text), Options{Lookup: environment(tt.set), Keys: processKeys, Uses: tt.uses})
			var got []string
			for _, f := range r.faults {
				got = append(got, f.Key)
			}
			if strings.Join(got, " ") != strings.Join(tt.want, " ") {
				t.Errorf("faults %v, want %v", r.faults, tt.want)
			}
			if tt.want == nil && (s.Pools[0].Issuer != "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E" || s.Pools[0].Config.Pool.ClientID != "c1") {
				t.Errorf("pool %+v", s.Pools[0])
			}
		})
	}
	const three = "pools:\n  - {name: shop, id: eu-west-1_Ab12Cd34E, client_id: c1, hosts: shop.example.com, base_url: https://shop.example.com}\n" +
		"  - {name: app, id: eu-west-1_Ab12Cd34F, client_id: c2, prefix: /app}\n  - {name: all, id: eu-west-1_Ab12Cd34G, client_id: c3}\n" +
		"database: sqlite:a.db\nreplica: true\n"
	r := &reader{path: "f.yaml", dir: t.TempDir()}
	if s := r.read([]byte(three), Options{Lookup: environment(nil), Keys: processKeys, Uses: []string{"database", "replica"}}); len(r.faults) != 0 || len(s.Pools) != 3 {
		t.Errorf("several pools: %v", r.faults)
	}
	r = &reader{path: "f.yaml"}
	if r.read([]byte(onePool+"databse: sqlite:x.db\n"), Options{Lookup: environment(nil), Keys: processKeys, Uses: []string{"database"}}); len(r.faults) != 1 || r.faults[0].Key != "databse" {
		t.Errorf("a key that does not exist: %v", r.faults)
	}
}
