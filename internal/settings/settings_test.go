package settings

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/session"
)

var processKeys = session.RandomKeyring()

func environment(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}
}

// TestS100_S168_Faults reads files in which each line with faults says which, after #!, and
// each other line has none.
func TestS100_S168_Faults(t *testing.T) {
	paths, err := filepath.Glob("testdata/faults/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("found %d files, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			_, err := Load(path, Options{Lookup: environment(map[string]string{"LEVEL": "warn"}), Keys: processKeys})
			var found *Error
			if !errors.As(err, &found) {
				t.Fatalf("Load = %v, want faults", err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want := make(map[string]bool) // line: words
			for i, line := range strings.Split(string(text), "\n") {
				for _, words := range strings.Split(line, "#! ")[1:] {
					want[fmt.Sprintf("%s:%d: %s", path, i+1, strings.TrimSpace(words))] = true
				}
			}
			for _, fault := range found.Faults {
				words := ""
				for w := range want {
					if strings.HasPrefix(fault.Error(), w) {
						words = w
					}
				}
				if words == "" {
					t.Errorf("unexpected: %v", fault)
				}
				delete(want, words)
			}
			for _, words := range slices.Sorted(maps.Keys(want)) {
				t.Errorf("missing: %s", words)
			}
		})
	}
}

// write makes a configuration in a folder of its own, with further files beside it.
func write(t testing.TB, text string, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files = maps.Clone(files)
	if files == nil {
		files = make(map[string]string)
	}
	files["codegrant.yaml"] = text
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "codegrant.yaml")
}

const onePool = `
base_url: https://app.example.com
pools:
  - id: eu-west-1_Ab12Cd34E
    domain: acme.auth.eu-west-1.amazoncognito.com
    client_id: abc
`

func load(t testing.TB, path string, values map[string]string) *Settings {
	t.Helper()
	s, err := Load(path, Options{Lookup: environment(values), Keys: processKeys})
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return s
}

func TestDefaults(t *testing.T) {
	s := load(t, write(t, onePool, nil), nil)
	if s.Listen != "127.0.0.1:8080" || s.OpsListen != "" || s.Sessions != Memory || s.KeysGiven || s.Keys != processKeys || s.Replica.Enabled {
		t.Errorf("Load = %+v", s)
	}
	if s.Limits != (Limits{4096, 4096, 120, 60, 30, 30, 64 << 10, 1_000_000}) || !s.Log.Access || s.Log.JSON {
		t.Errorf("Limits, Log = %+v, %+v", s.Limits, s.Log)
	}
	p := s.Pools[0]
	if p.Name != "default" || p.Prefix != "/auth" || p.Issuer != "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E" || p.Config.CookieName != "" {
		t.Errorf("Pools[0] = %+v", p)
	}
}

// TestRetries: to the gateway 0 means that nobody has said anything, and none is -1.
func TestRetries(t *testing.T) {
	for line, want := range map[string]int{"": 0, "retries: 0": -1, "retries: 1": 1, "retries: 3": 3} {
		s := load(t, write(t, onePool+"routes:\n  - upstream:\n      urls: [http://127.0.0.1:1, http://127.0.0.1:2]\n      "+line+"\n", nil), nil)
		if got := s.Routes[0].Upstream.Retries; got != want {
			t.Errorf("%q: Retries = %d, want %d", line, got, want)
		}
	}
}

// TestReplica: whatever is said of the replica says that there is one.
func TestReplica(t *testing.T) {
	for said, want := range map[string]Replica{
		"true": {Enabled: true}, "{outbox: true}": {Enabled: true, Outbox: true}, "{django: true, outbox: true}": {Enabled: true, Django: true, Outbox: true},
		"{django: true, trust_unverified_email: never}":            {Enabled: true, Django: true},
		"{django: true, trust_unverified_email: until_first_link}": {Enabled: true, Django: true, Unverified: "until_first_link"},
		"{enabled: false, outbox: true}":                           {Outbox: true}, "{enabled: true}": {Enabled: true},
		"{history: 720h, history_entries: 9}": {Enabled: true, History: 720 * time.Hour, HistoryEntries: 9},
	} {
		s := load(t, write(t, onePool+"keys_file: keys\nsessions: database\ndatabase: sqlite:app.db\nreplica: "+said+"\n", map[string]string{"keys": newKey(t)}), nil)
		if s.Replica != want {
			t.Errorf("replica: %s is %+v, want %+v", said, s.Replica, want)
		}
	}
}

// TestPassMaxAge: how old a pass may be has a default, and no replica is made for less than
// a second.
func TestPassMaxAge(t *testing.T) {
	const stores = onePool + "keys_file: keys\nsessions: database\ndatabase: sqlite:app.db\nreplica: "
	for said, want := range map[string]time.Duration{"true": 3 * time.Hour, "{pass_max_age: 36h}": 36 * time.Hour} {
		s := load(t, write(t, stores+said+"\n", map[string]string{"keys": newKey(t)}), nil)
		if s.PassMaxAge != want || !s.Replica.Enabled {
			t.Errorf("replica: %s: %s, %+v", said, s.PassMaxAge, s.Replica)
		}
	}
	for _, said := range []string{"0s", "-1h", "900ms"} {
		if _, err := Load(write(t, stores+"{pass_max_age: "+said+"}\n", map[string]string{"keys": newKey(t)}), Options{Keys: processKeys}); err == nil || !strings.Contains(err.Error(), "replica.pass_max_age") {
			t.Errorf("%s: %v", said, err)
		}
	}
}

// TestS138_SecretsStayOutOfFaults plants a canary wherever a secret can be.
func TestS138_SecretsStayOutOfFaults(t *testing.T) {
	const canary = "kittens-and-canaries"
	path := write(t, `
log: {level: "${CANARY}"}
limits: {requests: "${CANARY}", header_bytes: "${CANARY}"}
keys: ["${CANARY}"]
sessions: redis
redis: redis://user:${CANARY}@127.0.0.1
database: {url_file: canary}
pools:
  - client_id: abc
    id: nothing
    domain: acme
    client_secret: "${CANARY} "
    idle_timeout: ${CANARY}
    accept_tokens: ${CANARY}
    cloudfront: {key_pair_id: K1, private_key_file: canary, resources: x}
  - client_secret_file: canary
tls: {certificate_file: canary, key_file: canary}
`, map[string]string{"canary": canary})
	_, err := Load(path, Options{Lookup: environment(map[string]string{"CANARY": canary}), Keys: processKeys})
	if err == nil || strings.Contains(err.Error(), canary) {
		t.Errorf("Load = %v, want faults without the secret", err)
	}

	s := load(t, write(t, onePool+"    client_secret: "+canary+"\nsessions: redis\nkeys_file: keys\nredis: redis://:"+canary+"@127.0.0.1\n",
		map[string]string{"keys": newKey(t)}), nil)
	for _, verb := range []string{"%v", "%+v", "%#v", "%q", "%s"} {
		if text := fmt.Sprintf(verb, s); strings.Contains(text, canary) {
			t.Errorf("%s prints the secret: %s", verb, text)
		}
	}
}

func newKey(t testing.TB) string {
	t.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	return base64.StdEncoding.EncodeToString(key)
}

func TestKeys(t *testing.T) {
	first, second := newKey(t), newKey(t)
	seal := load(t, write(t, onePool+"keys: ["+first+"]\n", nil), nil).Keys.Seal("test", []byte("content"), nil)
	opens := func(s *Settings) bool {
		content, err := s.Keys.Open("test", seal, nil)
		return err == nil && string(content) == "content"
	}
	newest := func(s *Settings, key string) bool {
		only := load(t, write(t, onePool+"keys: "+key+"\n", nil), nil)
		_, err := only.Keys.Open("test", s.Keys.Seal("test", nil, nil), nil)
		return err == nil
	}
	for _, tt := range []struct {
		name, yaml string
		files      map[string]string
		want       string // the key that seals
		read       []string
	}{
		{"listed", "keys: [" + second + ", " + first + "]", nil, second, nil},
		{"a file", "keys_file: sealing", map[string]string{"sealing": "# the newest\n" + second + "\n\n" + first + " # until May\n"}, second, []string{"sealing"}},
		{"a folder", "keys_dir: sealing", map[string]string{"sealing/2026-01": first, "sealing/2026-02": second, "sealing/.data/2026-03": "none"}, second,
			[]string{"sealing", "sealing/2026-02", "sealing/2026-01"}},
		{"from the environment", "keys: ${KEY}", nil, first, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, onePool+tt.yaml+"\n", tt.files)
			s := load(t, path, map[string]string{"KEY": first})
			if !opens(s) || !newest(s, tt.want) || !s.KeysGiven || s.KeysSince.IsZero() != (tt.files == nil) {
				t.Errorf("opens %t, newest %t, given %t, since %v", opens(s), newest(s, tt.want), s.KeysGiven, s.KeysSince)
			}
			var read []string
			for _, file := range s.Files[1:] {
				name, err := filepath.Rel(filepath.Dir(path), file)
				if err != nil {
					t.Fatal(err)
				}
				read = append(read, name)
			}
			if !slices.Equal(read, tt.read) {
				t.Errorf("Files = %q, want %q", read, tt.read)
			}
		})
	}
	for name, files := range map[string]map[string]string{
		"there is no key": {"sealing/.hidden": first},
		"is not base64":   {"sealing/one": "***"},
		"key 2 repeats":   {"sealing/one": first, "sealing/two": first},
		"is not random":   {"sealing/one": base64.StdEncoding.EncodeToString(make([]byte, 32))},
		"has 3 bytes":     {"sealing/one": "YWJj"},
		"no such file":    {},
	} {
		_, err := Load(write(t, onePool+"keys_dir: sealing\n", files), Options{Keys: processKeys})
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), first) {
			t.Errorf("Load = %v, want %q", err, name)
		}
	}
}

// TestDigests: what has changed is told from what has not.
func TestDigests(t *testing.T) {
	base := onePool + "  - {name: b, id: eu-west-1_Ab12Cd34F, domain: b.example.com, client_id: b, prefix: /b, client_secret_file: secret}\n"
	base = strings.Replace(base, "  - id", "  - name: a\n    id", 1)
	files := map[string]string{"secret": "one"}
	before := load(t, write(t, base, files), nil)
	for _, tt := range []struct {
		name, yaml string
		secret     string
		values     map[string]string
		file, a, b bool // differ
	}{
		{"nothing", base, "one", nil, false, false, false},
		{"a comment", "# new\n" + base, "one", nil, false, false, false},
		{"a limit", base + "limits: {requests: 7}\n", "one", nil, true, false, false},
		{"one pool", base + "    idle_timeout: 1h\n", "one", nil, true, false, true},
		{"a client secret in a file, which is read again each time", base, "two", nil, true, false, false},
		{"keys", base + "keys: [" + newKey(t) + "]\n", "one", nil, true, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			yaml := strings.Replace(tt.yaml, "secret_file: secret}\n    idle_timeout: 1h", "secret_file: secret, idle_timeout: 1h}", 1)
			path := write(t, yaml, map[string]string{"secret": tt.secret})
			after := load(t, path, tt.values)
			if got := after.Digest != before.Digest; got != tt.file {
				t.Errorf("Digest differs: %t, want %t", got, tt.file)
			}
			for i, want := range []bool{tt.a, tt.b} {
				if got := after.Pools[i].Digest != before.Pools[i].Digest; got != want {
					t.Errorf("Pools[%d].Digest differs: %t, want %t", i, got, want)
				}
			}
		})
	}
}

func TestExpand(t *testing.T) {
	lookup := environment(map[string]string{"A": "x", "EMPTY": "", "YAML": "]\nlisten: :1"})
	for _, tt := range []struct{ text, want, fault string }{
		{"plain $A $ {A}", "plain $A $ {A}", ""},
		{"${A}${A}", "xx", ""},
		{"a${EMPTY}b", "ab", ""},
		{"${EMPTY:-default}", "default", ""},
		{"${NONE:-:8080}", ":8080", ""},
		{"${NONE:-}", "", ""},
		{"$${A}", "${A}", ""},
		{"${YAML}", "]\nlisten: :1", ""},
		{"${NONE}", "", "NONE is not set"},
		{"${A", "", "has no end"},
		{"${}", "", "not of the form"},
		{"${A B}", "", "not of the form"},
		{"${A-default}", "", "not of the form"},
	} {
		got, faults := expand(tt.text, lookup)
		if err := errors.Join(faults...); tt.fault == "" && (err != nil || got != tt.want) || tt.fault != "" && (err == nil || !strings.Contains(err.Error(), tt.fault)) {
			t.Errorf("expand(%q) = %q, %v, want %q, %q", tt.text, got, faults, tt.want, tt.fault)
		}
	}
}

// TestParse is about YAML itself.
func TestParse(t *testing.T) {
	for _, tt := range []struct{ name, text, fault string }{
		{"nothing", "", "pools: there is no pool"},
		{"a list", "- a\n", "it must be a mapping, with keys such as listen"},
		{"two documents", "listen: :1\n---\nlisten: :2\n", ":3: a second document begins here"},
		{"a directive", "%YAML 1.2\n---\nlisten: :1\n", "directives have no meaning"},
		{"no YAML", "listen: [\n", ":1: "},
		{"no UTF-8", "listen: \xff\n", "it is not UTF-8"},
		{"too long", strings.Repeat("# \n", maxFile), "it has more than 1048576 bytes"},
		{"brackets without end", "routes: " + strings.Repeat("[", 100_000), "nested too deeply"},
		{"dashes without end", "routes:\n  " + strings.Repeat("- ", 100_000), "nested too deeply"},
		{"a billion laughs", laughs(), "is too large"},
		{"an anchor in itself", "routes: &a [*a]\n", "there is no such anchor above this line"},
		{"brackets around a variable", "pools:\n  - {id: ${ID}}\n", "quote what has ${…}"},
		{"an environment that adds keys", "listen: ${YAML}\nops_listen: ${YAML}\n", "pools: there is no pool"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(write(t, tt.text, nil), Options{Lookup: environment(map[string]string{"YAML": "x\nrotes: []"}), Keys: processKeys})
			if err == nil || !strings.Contains(err.Error(), tt.fault) || strings.Contains(err.Error(), "rotes") {
				t.Errorf("Load = %v, want %q", err, tt.fault)
			}
		})
	}
	if _, err := Load(filepath.Join(t.TempDir(), "none.yaml"), Options{Keys: processKeys}); err == nil || !strings.HasSuffix(err.Error(), "none.yaml: no such file or directory") || strings.Count(err.Error(), "none.yaml") != 1 {
		t.Errorf("Load of a missing file = %v", err)
	}

	s := load(t, write(t, onePool+"routes:\n  - {path: /a, groups: &g [admins, ops], upstream: &u {urls: http://127.0.0.1:1, max_body: unlimited}}\n"+
		"  - {path: /b, groups: *g, upstream: *u, read_only_for_others: true}\n", nil), nil)
	if b := s.Routes[1]; b.Upstream.URLs[0] != "http://127.0.0.1:1" || b.Upstream.MaxBody != -1 ||
		fmt.Sprint(b.Permissions) != "[((group admins and group ops) or reading)]" || fmt.Sprint(s.Routes[0].Permissions) != "[group admins group ops]" {
		t.Errorf("Routes = %+v", s.Routes)
	}
}

// laughs repeats a long list with every line.
func laughs() string {
	return "routes:\n  - groups: &a [" + strings.Repeat("a, ", 500) + "a]\n" + strings.Repeat("  - groups: *a\n", 500)
}

// TestSeveralPools: their cookies do not overwrite each other.
func TestSeveralPools(t *testing.T) {
	second := func(more string) string {
		return strings.Replace(onePool, "  - id", "  - name: a\n    id", 1) +
			"  - {name: b, id: eu-west-1_Ab12Cd34F, domain: b.auth.eu-west-1.amazoncognito.com, client_id: def, " + more + "}\n"
	}
	for _, tt := range []struct{ name, more, cookie, fault string }{
		{"on one host", "prefix: /b", "__Host-codegrant_b", ""},
		{"on hosts of their own", "hosts: b.example.com, base_url: https://b.example.com", "", ""},
		{"in a domain", "hosts: b.example.com, base_url: https://b.example.com, cookie_domain: example.com", "codegrant_b", ""},
		{"with names of their own", "prefix: /b, cookie_name: other", "other", ""},
		{"under one prefix", "scopes: openid", "", "answers for every host, /auth already"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Load(write(t, second(tt.more), nil), Options{Keys: processKeys})
			if tt.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fault) {
					t.Errorf("Load = %v, want %q", err, tt.fault)
				}
				return
			}
			if err != nil || s.Pools[1].Config.CookieName != tt.cookie {
				t.Errorf("CookieName = %q, %v, want %q", s.Pools[1].Config.CookieName, err, tt.cookie)
			}
		})
	}
}

// TestS138_ReadableSecretsAreWarnedOf is about files of secrets that everybody on
// the machine can read.
func TestS138_ReadableSecretsAreWarnedOf(t *testing.T) {
	path := write(t, onePool+"    client_secret_file: secret\n", map[string]string{"secret": "s3cret"})
	if s := load(t, path, nil); len(s.Warnings) != 0 {
		t.Errorf("Warnings = %v", s.Warnings)
	}
	if err := os.Chmod(filepath.Join(filepath.Dir(path), "secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	if s := load(t, path, nil); len(s.Warnings) != 1 || s.Warnings[0].Line != 7 {
		t.Errorf("Warnings = %v", s.Warnings)
	}
}

// FuzzLoad: whatever is in the file, faults name lines that it has, and what is
// taken is taken again, and to the same effect.
func FuzzLoad(f *testing.F) {
	paths, err := filepath.Glob("testdata/faults/*.yaml")
	if err != nil || len(paths) == 0 {
		f.Fatalf("found %d seeds, %v", len(paths), err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(onePool)
	f.Add(onePool + "routes:\n  - {path: /a, upstream: 'http://127.0.0.1:1'}\n")
	f.Add("a: &a [*a, ${A}, !!x y, |\n  b\n]")
	f.Fuzz(func(t *testing.T, text string) {
		read := func() (*Settings, []Fault) {
			r := &reader{path: "f.yaml", dir: "testdata"}
			s := r.read([]byte(text), Options{Lookup: environment(map[string]string{"A": "x"}), Keys: processKeys})
			return s, r.faults
		}
		s, faults := read()
		lines := strings.Count(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n") + 1
		for _, fault := range faults {
			if fault.Line < 0 || fault.Line > lines || strings.Contains(fault.Error(), "\n") {
				t.Errorf("%q names line %d of %d", fault.Error(), fault.Line, lines)
			}
		}
		if s == nil && len(faults) == 0 {
			t.Error("neither settings nor a fault")
		}
		again, more := read()
		if len(faults) == 0 && (len(more) > 0 || again.Pools[0].Digest != s.Pools[0].Digest || len(again.Routes) != len(s.Routes)) {
			t.Errorf("read again, it is another: %v", more)
		}
	})
}

func TestEvents(t *testing.T) {
	for _, tt := range []struct {
		name, yaml string
		want       []Secret
	}{
		{"none", "", nil},
		{"in the file", "events: {listen: ':9081', secret: 'one two'}\n", []Secret{"one", "two"}},
		{"in a file of their own", "events: {queue: https://sqs.example.com/1/x, secret_file: secret}\n", []Secret{"one", "two"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Load(write(t, tt.yaml+onePool, map[string]string{"secret": "one\ntwo\n"}), Options{Keys: processKeys})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(s.Events.Secrets, tt.want) || fmt.Sprint(s.Events.Secrets) != fmt.Sprint(make([]Secret, len(tt.want))) {
				t.Errorf("%v", s.Events)
			}
		})
	}
}
