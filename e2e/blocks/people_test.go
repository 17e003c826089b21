package blocks

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/internal/testenv"
)

// operators have a local pool, and a folder with a configuration and a replica of the pool.
type operators struct {
	*program
	dir, pool string // pool: its URL
	env       []string
	rows      map[string]string // in the replica, by username
}

func newOperators(t *testing.T) *operators {
	t.Helper()
	o := &operators{program: newProgram(t), dir: t.TempDir(), rows: make(map[string]string)}
	address := testenv.FreeAddress(t)
	o.pool = "http://" + address
	o.env = []string{"AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=none", "AWS_REGION=eu-west-1"}
	start(t, address, o.dir, nil, o.binary, "pool", "--listen", address, "--quiet")
	o.configure(t, o.dir, "sqlite:app.db")
	o.run(t, o.dir, "codegrant sync --full")
	for _, m := range regexp.MustCompile(`(?m)^(\d+)\s+(\w+)\s`).FindAllStringSubmatch(o.run(t, o.dir, "codegrant users"), -1) {
		o.rows[m[2]] = m[1]
	}
	if o.rows["alice"] == "" || o.rows["bob"] == "" {
		t.Fatalf("the replica has %v", o.rows)
	}
	return o
}

func (o *operators) configure(t *testing.T, dir, database string) {
	t.Helper()
	write(t, dir, "codegrant.yaml", `
base_url: http://localhost:8080
database: "`+database+`"
replica: {history: 720h}
organizations: true
pools: [{code_grant_url: `+o.pool+`/oauth2/token, jwks_url: `+o.pool+`/local_Demo12345/.well-known/jwks.json, client_id: 1demo2public3client4only5}]
routes: [{path: /, upstream: "http://127.0.0.1:3000"}]
`)
}

// run runs commands of a page, with the program as codegrant.
func (o *operators) run(t *testing.T, dir, commands string, more ...string) string {
	t.Helper()
	return shell(t, dir, append(o.env, more...), "codegrant() { '"+o.binary+"' \"$@\"; }\n"+commands)
}

func contains(t *testing.T, what, got string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(got, want) {
			t.Errorf("%s: prints no %q:\n%s", what, want, got)
		}
	}
}

// TestOperatorsOfPeople runs the commands of the pages about people: organizations, identities,
// history, backups and the way back, and erasure.
func TestOperatorsOfPeople(t *testing.T) {
	o := newOperators(t)

	const orgs = "docs/organizations.md"
	out := o.run(t, o.dir, "ORG=$("+replaced(t, text(t, orgs, "codegrant orgs create Acme"),
		"codegrant orgs create Acme ", "codegrant orgs create Acme)\n",
		"bob@example.com   # through", "bob@example.com --print # through",
		`codegrant orgs show "$ORG" `, `codegrant orgs add "$ORG" bob@example.com --role member`+"\n"+`codegrant orgs show "$ORG" `)) // Bob accepts
	contains(t, orgs, out, "/auth/organization/invitation?token=", "alice@example.com", "bob@example.com")

	const identities = "docs/identities.md"
	out = o.run(t, o.dir, replaced(t, text(t, identities, "codegrant users duplicates"),
		"--from 17 --into 4", "--from "+o.rows["bob"]+" --into "+o.rows["alice"], "users show 4 ", "users show "+o.rows["alice"]+" ", "users unlink 17 ", "users unlink "+o.rows["bob"]+" "))
	contains(t, identities, out, "nothing is done yet", "person "+o.rows["bob"]+" is person "+o.rows["alice"], "is a person of its own")

	// The replica is younger than the page has it: seconds, in place of days.
	const history = "docs/history.md"
	until(t, func() bool {
		now := time.Now().UTC().Format(time.RFC3339)
		asked := replaced(t, text(t, history, "codegrant users show alice@example.com --as-of"), "36h", now, "2026-03-01T12:00:00Z", now, "show 17 ", "show "+o.rows["alice"]+" ")
		out = o.run(t, o.dir, "{\n"+asked+"} 2>&1 || true")
		return strings.Contains(out, `"username":`) || strings.Contains(out, `"Username":`)
	})
	contains(t, history, out, "alice@example.com")

	const page = "docs/backup.md"
	first := text(t, page, "codegrant backup --new-key backup.key")
	newKey, rest, _ := strings.Cut(first, "\n")
	key := strings.TrimSpace(o.run(t, o.dir, newKey))
	if !strings.HasPrefix(key, "age1") {
		t.Fatalf("%s prints %q", newKey, key)
	}
	write(t, o.dir, "keys.txt", key+"\n")
	out = o.run(t, o.dir, replaced(t, rest, "age1…", key, "aws s3 cp - s3://bucket/people.backup", "cat >copy.backup"))
	contains(t, page, out, "The backup is written.", "The backup is whole.", "people: 2")
	out = o.run(t, o.dir, "codegrant backup --verify copy.backup --identity backup.key")
	contains(t, page, out, "The backup is whole.")

	there := t.TempDir()
	o.configure(t, there, "sqlite:new.db")
	for _, name := range []string{"people.backup", "backup.key"} {
		content, err := os.ReadFile(filepath.Join(o.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, there, name, string(content))
	}
	o.run(t, there, replaced(t, text(t, page, "codegrant migrate --database"), "postgres://app@db.internal/app", "sqlite:new.db"))
	contains(t, page, o.run(t, there, "codegrant users"), "alice@example.com", "bob@example.com")

	const erasure = "docs/erasure.md"
	plan, rest, _ := strings.Cut(text(t, erasure, "codegrant users erase alice@example.com"), "\n")
	plan, _, _ = strings.Cut(plan, "#")
	out = o.run(t, o.dir, plan+" 2>&1 || true\n"+rest) // it refuses while the pool has her, and says so
	contains(t, erasure, out, "nothing is done yet", "--at-pool", "erased; receipt ", "RECEIPT")
	if out := o.run(t, o.dir, "codegrant users"); strings.Contains(out, "alice") {
		t.Errorf("alice is still there:\n%s", out)
	}
}

// TestPoolConfigCommands runs the commands of docs/pool-config.md on two local pools.
func TestPoolConfigCommands(t *testing.T) {
	const page = "docs/pool-config.md"
	p := newProgram(t)
	dir := t.TempDir()
	address, second := testenv.FreeAddress(t), testenv.FreeAddress(t)
	_, port, _ := net.SplitHostPort(second)
	start(t, address, dir, nil, p.binary, "pool", "--listen", address, "--quiet")
	start(t, second, dir, nil, p.binary, "pool", "--listen", second, "--quiet")
	write(t, dir, "profiles", "[profile staging]\nregion = eu-west-1\n")
	write(t, dir, "keys", "[staging]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = none\n")
	// Where the page asks AWS, the first pool answers, and the second one for the profile.
	at, other := " --endpoint http://"+address, " --other-endpoint http://"+second
	o := &operators{program: p, env: []string{"AWS_CONFIG_FILE=" + filepath.Join(dir, "profiles"), "AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(dir, "keys")}}
	commands := replaced(t, text(t, page, "codegrant pool export --pool-id eu-west-1_Ab12Cd34E > pool-config.yaml"),
		"eu-west-1_Ab12Cd34E", "local_Demo12345"+at, "eu-west-1_Zz99Yy88X", "local_Demo12345"+other, "local_Shop1", "local_Demo12345", "http://localhost:9229", "http://localhost:"+port)
	o.run(t, dir, commands) // both pools are as the file is

	file := filepath.Join(dir, "pool-config.yaml")
	exported, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "pool-config.yaml", replaced(t, string(exported), "AllowAdminCreateUserOnly: false", "AllowAdminCreateUserOnly: true"))
	export, rest, _ := strings.Cut(commands, "\n")
	diff, _, _ := strings.Cut(rest, "#")
	out := o.run(t, dir, "codegrant() { '"+o.binary+"' \"$@\" 2>&1; }\n"+strings.TrimSpace(diff)+" || echo they differ")
	contains(t, page, out, "AllowAdminCreateUserOnly", "they differ")
	_, apply, _ := strings.Cut(rest, "# the plan\n")
	o.run(t, dir, apply+diff+"\n"+export) // changes both pools
	if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), "AllowAdminCreateUserOnly: true") {
		t.Errorf("after apply: %v\n%s", err, text)
	}
}

// TestKeyOfAMove runs the command that makes the key of a move.
func TestKeyOfAMove(t *testing.T) {
	testenv.Program(t, "openssl")
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	shell(t, dir, nil, text(t, "docs/move.md", "(umask 077; openssl rand -base64 32 > secrets/move)"))
	info, err := os.Stat(filepath.Join(dir, "secrets", "move"))
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 45 {
		t.Errorf("%v: %v", err, info)
	}
}
