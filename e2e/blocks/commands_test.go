package blocks

import (
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/internal/testenv"
)

// twoPools are those of the pages about moves and restores, on this machine.
const twoPools = `
pools:
  - id: local_Ab12Cd34E
    clients: [{id: ask, callback_urls: ["http://localhost:8080/cb"]}, {id: 1h7oldappEXAMPLE, secret: not-a-secret, callback_urls: ["http://localhost:8080/cb"]}]
    groups: [{name: admins, precedence: 3}]
    users:
      - {username: alice, email: alice@example.com, password: Passw0rd!, groups: [admins]}
      - {username: bob, email: bob@example.com, password: Passw0rd!}
  - id: local_Ef56Gh78I
    clients: [{id: 7a1newappEXAMPLE, callback_urls: ["http://localhost:8080/auth/callback"]}]
`

// newPools starts them, with operators who have no configuration yet.
func newPools(t *testing.T) *operators {
	t.Helper()
	o := &operators{program: newProgram(t), dir: t.TempDir()}
	address := testenv.FreeAddress(t)
	o.pool = "http://" + address
	write(t, o.dir, "pool.yaml", twoPools)
	write(t, o.dir, "profiles", "[profile old-account]\nregion = eu-west-1\n")
	write(t, o.dir, "keys", "[old-account]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = none\n")
	o.env = []string{
		"AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=none", "AWS_REGION=eu-west-1",
		"AWS_CONFIG_FILE=" + filepath.Join(o.dir, "profiles"), "AWS_SHARED_CREDENTIALS_FILE=" + filepath.Join(o.dir, "keys"),
	}
	start(t, address, o.dir, nil, o.binary, "pool", "--listen", address, "--quiet", "--seed", "pool.yaml")
	return o
}

// TestMoveCommands runs the commands of docs/move.md between two pools, from the plan to the
// drain, and those of docs/webhooks.md on reminders that could not be delivered.
func TestMoveCommands(t *testing.T) {
	const page = "docs/move.md"
	o := newPools(t)
	call(t, o.pool, "AddCustomAttributes", map[string]any{"UserPoolId": "local_Ef56Gh78I", "CustomAttributes": []any{
		map[string]any{"Name": "codegrant_moved", "AttributeDataType": "String", "Mutable": true},
	}})
	if err := os.Mkdir(filepath.Join(o.dir, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	o.run(t, o.dir, text(t, page, "(umask 077; openssl rand -base64 32 > secrets/move)"))
	write(t, o.dir, "secrets/old-client", "not-a-secret\n")
	config := replaced(t, text(t, page, "# codegrant.yaml\ndatabase:"),
		"postgres://codegrant@db.internal/app", `"sqlite:app.db"`, "replica: true", "replica: {outbox: true}",
		"id: eu-central-1_Ef56Gh78I", "id: local_Ef56Gh78I\n    issuer: "+o.pool+"/local_Ef56Gh78I",
		"id: eu-west-1_Ab12Cd34E ", "id: local_Ab12Cd34E\n      issuer: "+o.pool+"/local_Ab12Cd34E ",
		"acme-new.auth.eu-central-1.amazoncognito.com", o.pool, "acme.auth.eu-west-1.amazoncognito.com", `"`+o.pool+`"`,
		"4h2triggerEXAMPLE", "ask", "providers: [Google]", "# providers: [Google]")
	write(t, o.dir, "codegrant.yaml", config+"\nwebhooks: {crm: {url: https://crm.example.com/hook, secret: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz, events: [moves]}}\n")
	o.run(t, o.dir, "codegrant migrate")

	// Without a trigger the pools are not ready, and the plan says so.
	out := o.run(t, o.dir, strings.TrimSpace(text(t, page, "codegrant move plan"))+" && exit 1; echo status $?")
	contains(t, page, out, "people of the old pool 2", "To fix before the move:", "codegrant move groups --yes", "status 1")
	contains(t, page, o.run(t, o.dir, text(t, page, "codegrant move groups")), "would be created (add --yes): admins", "\ncreated: admins")
	contains(t, page, o.run(t, o.dir, text(t, page, "codegrant move rehearse")), "If everybody signs in:", "can sign in again", "2\n")
	contains(t, page, o.run(t, o.dir, text(t, page, "codegrant move report")), "not arrived        2", `"username": "alice"`, `"username": "bob"`)
	contains(t, page, o.run(t, o.dir, text(t, page, "codegrant move remind")), "2 users would be reminded", "reminded 2")

	const hooks = "docs/webhooks.md"
	db, err := sql.Open("sqlite", "file:"+filepath.Join(o.dir, "app.db")+"?_pragma=busy_timeout(20000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "UPDATE codegrant_webhooks SET died = 1, failure = '410 Gone'"); err != nil {
		t.Fatal(err)
	}
	var first, last string
	if err := db.QueryRowContext(t.Context(), "SELECT MIN(id), MAX(id) FROM codegrant_webhooks").Scan(&first, &last); err != nil || first == last {
		t.Fatalf("messages %s and %s, %v", first, last, err)
	}
	commands := replaced(t, text(t, hooks, "codegrant webhooks list"), "resend 17 18", "resend "+first)
	contains(t, hooks, o.run(t, o.dir, commands), "410 Gone", "to be sent again: 1 message", "this would discard 1 message")

	contains(t, page, o.run(t, o.dir, text(t, page, "codegrant move drain   ")), "2 users would be created (add --yes)", "created              2", "failed               0")

	o.run(t, o.dir, "codegrant sync --full --pool customers")
	call(t, o.pool, "AdminDeleteUser", map[string]any{"UserPoolId": "local_Ef56Gh78I", "Username": "alice"})
	o.run(t, o.dir, "codegrant sync --full --pool customers --max-share 1")
	contains(t, page, o.run(t, o.dir, text(t, page, "codegrant move report")), "left, on their own 1", "\nalice\t")
	contains(t, page, o.run(t, o.dir, text(t, page, "codegrant move drain --bring-back")), "1 user would be created", "created              1", "left, on their own 0")
}

// TestRestoreCommands runs the commands of docs/restore.md for people whom a pool has lost, and
// the passes of docs/sync.md.
func TestRestoreCommands(t *testing.T) {
	const page, sync = "docs/restore.md", "docs/sync.md"
	o := newPools(t)
	write(t, o.dir, "codegrant.yaml", `
base_url: http://localhost:8080
database: "sqlite:app.db"
replica: {history: 720h}
pools:
  - {name: shop, id: local_Ab12Cd34E, issuer: "`+o.pool+`/local_Ab12Cd34E", domain: "`+o.pool+`", client_id: ask}
  - {name: spare, id: local_Ef56Gh78I, issuer: "`+o.pool+`/local_Ef56Gh78I", domain: "`+o.pool+`", client_id: 7a1newappEXAMPLE, prefix: /spare}
routes: [{path: /, upstream: "http://127.0.0.1:3000"}]
`)
	out := o.run(t, o.dir, "codegrant sync --full; codegrant users --pool shop")
	row := regexp.MustCompile(`(?m)^(\d+)\s+alice\s`).FindStringSubmatch(out)
	if row == nil {
		t.Fatalf("the replica has no alice:\n%s", out)
	}
	// The history is younger than the page has it: both times are a second after it began.
	before := time.Now().Add(time.Second).Truncate(time.Second)
	until(t, func() bool { return time.Now().After(before.Add(time.Second)) })
	call(t, o.pool, "AdminDeleteUser", map[string]any{"UserPoolId": "local_Ab12Cd34E", "Username": "alice"})

	passes := replaced(t, text(t, sync, "codegrant sync --dry-run --full"), "--full ", "--full --max-share 1 ", "alice@", "bob@")
	every, err := regexp.Compile(`(?m)^codegrant (sync --every \S+) .*\n`)
	if err != nil {
		t.Fatal(err)
	}
	forever := every.FindStringSubmatch(passes)
	if forever == nil {
		t.Fatalf("%s has no pass that is repeated:\n%s", sync, passes)
	}
	contains(t, sync, o.run(t, o.dir, every.ReplaceAllString(passes, "")), "alice", "1 removed", "bob")

	at := before.UTC().Format(time.RFC3339)
	commands := replaced(t, text(t, page, "codegrant sync --full --max-share 1"),
		"--as-of 2h", "--as-of "+at, "--as-of 36h", "--as-of "+at, "--as-of 1h", "--as-of "+at, "--as-of 2026-03-01", "--as-of "+at, "--lost-since 2h", "--lost-since "+at,
		"--user 17", "--user "+row[1], "restore --everybody", "restore --pool shop --everybody", "restore --lost", "restore --pool shop --lost", "restore --user", "restore --pool shop --user", "restore --group", "restore --pool shop --group")
	contains(t, page, o.run(t, o.dir, commands), "would be made again: 1", "nothing is done yet", "\nmade again: 1", "made again: 2")
	for _, pool := range []string{"shop", "spare"} {
		if out := o.run(t, o.dir, "codegrant sync --full --pool "+pool+"; codegrant users --pool "+pool); !strings.Contains(out, "alice@example.com") {
			t.Errorf("the pool %s has no alice:\n%s", pool, out)
		}
	}
	// Last, because one process at a time makes passes over a pool.
	ops := testenv.FreeAddress(t)
	start(t, ops, o.dir, o.env, o.binary, append(strings.Fields(forever[1]), "--ops-listen", ops)...)
}

// TestVersionsCommands: docs/versions.md says how to build the program, and to see its version.
// The program of all these tests is built by this command.
func TestVersionsCommands(t *testing.T) {
	p := newProgram(t)
	_, version, _ := strings.Cut(text(t, installs, "go install ./cmd/codegrant"), "\n")
	if out := shell(t, t.TempDir(), nil, replaced(t, version, "codegrant --version", p.binary+" --version")); !strings.HasPrefix(out, "codegrant ") {
		t.Errorf("%s prints %q", version, out)
	}
}
