package moving

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/move"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/webhook"
)

// TestMove walks through the commands as docs/move.md does.
func TestMove(t *testing.T) {
	seed, err := localpool.ParseSeed([]byte(`
pools:
  - id: local_Old000001
    clients: [{id: ask, callback_urls: ["http://localhost:8080/cb"]}]
    groups: [{name: editors, precedence: 3}]
    users:
      - {username: alice, email: alice@example.com, password: Passw0rd!, groups: [editors]}
      - {username: bob, email: bob@example.com, password: Passw0rd!, disabled: true}
  - id: local_New000001
    clients: [{id: web, callback_urls: ["http://localhost:8080/auth/callback"]}]
`))
	if err != nil {
		t.Fatal(err)
	}
	var pools *localpool.Server
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { pools.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	if pools, err = localpool.New(localpool.Config{Seed: seed, BaseURL: server.URL}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pools.Close() })
	config := filepath.Join(t.TempDir(), "codegrant.yaml")
	text := fmt.Sprintf(`
listen: ${PORT_THAT_IS_NOT_SET}
replica: true
database: sqlite:people.db
pools:
  - id: local_New000001
    issuer: %[1]s/local_New000001
    domain: %[1]s
    client_id: web
    moved_from: {id: local_Old000001, issuer: "%[1]s/local_Old000001", client_id: ask, key: "%[2]s"}
`, server.URL, base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{4}, move.KeySize)))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	say := func(want int, args ...string) string {
		t.Helper()
		stdout, stderr, status := commandtest.Say(t, new(struct {
			Move Command `cmd:""`
		}), append([]string{"move"}, append(args, "--config", config, "--share", "10000")...)...)
		if status != want {
			t.Fatalf("%v: status %d\n%s%s", args, status, stdout, stderr)
		}
		return stdout + stderr
	}
	has := func(text string, words ...string) {
		t.Helper()
		for _, word := range words {
			if !strings.Contains(text, word) {
				t.Errorf("no %q in:\n%s", word, text)
			}
		}
	}
	has(say(1, "plan"), "who has left the new pool", "codegrant migrate")
	has(say(1, "rehearse", "--from-replica", "--file", filepath.Join(t.TempDir(), "of a replica")), "migrate")
	users := migrated(t, config)
	has(say(1, "plan"), "people of the old pool 2", "not arrived        1", "disabled           1", "add-custom-attributes --user-pool-id local_New000001",
		"no migrate-user trigger", "ALLOW_ADMIN_USER_PASSWORD_AUTH", "groups to create     editors", "things to fix before the move", "codegrant move groups --yes")
	var plan struct {
		Ready  bool
		Faults []struct{ What, Fix string }
	}
	out, _, _ := strings.Cut(say(1, "plan", "--json"), "\n}\n")
	if err := json.Unmarshal([]byte(out+"}"), &plan); err != nil || plan.Ready || len(plan.Faults) < 4 || plan.Faults[0].Fix == "" {
		t.Errorf("%+v, %v", plan, err)
	}
	has(say(1, "drain", "--yes"), "no attribute "+move.Attribute)

	api := cip.New(cip.Options{Region: "local", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	if _, err := api.AddCustomAttributes(t.Context(), &cip.AddCustomAttributesInput{UserPoolId: aws.String("local_New000001"), CustomAttributes: []types.SchemaAttributeType{
		{Name: aws.String("codegrant_moved"), AttributeDataType: types.AttributeDataTypeString, Mutable: aws.Bool(true)},
	}}); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "people")
	has(say(0, "rehearse", "--file", file), "people of the old pool                         2", "disabled                                   1", "make necessary")
	has(say(0, "rehearse", "--file", file), "has everybody; delete it", "arrive, as who they were                     1", "created                                      1", "can sign in again")
	has(say(0, "rehearse", "--file", file, "--json", "--sample", "1"), `"people": 1`, `"read": 2`, `"well": true`)
	has(say(1, "rehearse", "--file", config), "it is not a file of people of this move")
	has(say(0, "groups"), "would be created (add --yes): editors")
	has(say(0, "groups", "--yes"), "created: editors")
	has(say(0, "groups", "--yes"), "created: none", "there already: editors")
	has(say(0, "report", "--waiting"), "alice\t", "not arrived        1")
	has(say(0, "report", "--waiting", "--json"), `"username": "alice"`, `"not_arrived"`)
	waits := func(want int) {
		t.Helper()
		var list struct {
			NotArrived []struct{ Username, Sub string } `json:"not_arrived"`
			People     int
		}
		if out := say(0, "report", "--waiting", "--json"); json.Unmarshal([]byte(out), &list) != nil || len(list.NotArrived) != want || list.People != 2 {
			t.Errorf("%d wait, want %d: %s", len(list.NotArrived), want, out)
		}
	}
	waits(1)
	reminds(t, config, text, say, has)
	has(say(0, "drain"), "1 user would be created (add --yes)")
	has(say(0, "drain", "--yes"), "created              1", "failed               0")
	has(say(0, "report"), "arrived            1", "not arrived        0")
	waits(0)
	has(say(0, "drain", "--yes"), "created              0")
	leaves(t, api, users, server.URL, say, has)

	if err := os.WriteFile(config, []byte(strings.Split(text, "    moved_from")[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	has(say(1, "plan"), "no pool of the configuration has moved_from")
}

// reminds shows that alice, who waits, is reminded once for each date, and of nobody else.
func reminds(t *testing.T, config, text string, say func(int, ...string) string, has func(string, ...string)) {
	t.Helper()
	has(say(1, "remind", "--date", "2026-12-01"), "no webhook gets reminders")
	hears := strings.Replace(text, "replica: true", "replica: {outbox: true}", 1) + "webhooks: {crm: {url: \"http://127.0.0.1:9/\", secret: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz, events: [moves]}}\n"
	if err := os.WriteFile(config, []byte(hears), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := parts.OpenDatabase("sqlite:" + filepath.Join(filepath.Dir(config), "people.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	queue, err := webhook.NewQueue(db.DB, db.Dialect)
	if err := errors.Join(err, queue.Migrate(t.Context())); err != nil {
		t.Fatal(err)
	}
	count := func(want int) {
		t.Helper()
		var n int
		if err := db.QueryRowContext(t.Context(), "SELECT count(*) FROM codegrant_webhooks WHERE endpoint = 'crm' AND type = 'move.reminder'").Scan(&n); err != nil || n != want {
			t.Errorf("%d reminders, want %d, %v", n, want, err)
		}
	}
	has(say(1, "remind", "--date", "tomorrow"), "is not a date")
	has(say(0, "remind", "--date", "2026-12-01"), "1 user would be reminded")
	count(0)
	has(say(0, "remind", "--date", "2026-12-01", "--yes"), "reminded 1", "reminded before 0")
	count(1)
	var body string
	if err := db.QueryRowContext(t.Context(), "SELECT body FROM codegrant_webhooks").Scan(&body); err != nil {
		t.Fatal(err)
	}
	has(body, `"username":"alice"`, `"reminder":"2026-12-01"`, `local_Old000001"`, `local_New000001"`)
	has(say(0, "remind", "--date", "2026-12-01", "--yes"), "reminded 0", "reminded before 1")
	count(1)
	has(say(0, "remind", "--date", "2026-12-08", "--yes", "--json"), `"reminded": 1`, `"not_arrived": 1`)
	count(2)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// migrated creates the tables of the replica.
func migrated(t *testing.T, config string) *sqlreplica.Store {
	t.Helper()
	db, err := parts.OpenDatabase("sqlite:" + filepath.Join(filepath.Dir(config), "people.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	users, err := db.Users(settings.Replica{Enabled: true})
	if err := errors.Join(err, users.Migrate(t.Context())); err != nil {
		t.Fatal(err)
	}
	return users
}

// leaves shows that alice, who has deleted her account in the new pool, is not made again
// unless an operator says so, and is not reminded.
func leaves(t *testing.T, api *cip.Client, users *sqlreplica.Store, url string, say func(int, ...string) string, has func(string, ...string)) {
	t.Helper()
	const id = "local_New000001"
	pass := func() {
		t.Helper()
		source, err := directory.NewCognito(directory.CognitoConfig{PoolID: id, Client: api})
		if err != nil {
			t.Fatal(err)
		}
		sync, err := directory.New(directory.Config{Source: source, Issuer: url + "/" + id, Replica: users, Journal: directory.NewMemoryJournal()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sync.Run(t.Context(), directory.Options{Full: true, Fresh: true, MaxShare: 1}); err != nil {
			t.Fatal(err)
		}
	}
	pass()
	if _, err := api.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: aws.String(id), Username: aws.String("alice")}); err != nil {
		t.Fatal(err)
	}
	pass()
	has(say(1, "plan"), "left, on their own 1", "1 people have left", "--bring-back NAME")
	has(say(0, "report", "--left"), "alice\t", "left, on their own 1", "not arrived        0")
	has(say(0, "report", "--left", "--json"), `"have_left": [`, `"username": "alice"`, `"left": 1`)
	has(say(0, "report", "--new", "--json"), `"came_as_new": []`)
	has(say(0, "drain", "--yes"), "created              0", "left, on their own 1")
	has(say(1, "drain", "--bring-back", "bob", "--yes"), `bring back "bob"`, "has left")
	old := &cip.AdminDisableUserInput{UserPoolId: aws.String("local_Old000001"), Username: aws.String("alice")}
	if _, err := api.AdminDisableUser(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	has(say(1, "drain", "--bring-back", "alice", "--yes"), "created              0", "alice is not brought back: they are disabled in the old pool")
	if _, err := api.AdminEnableUser(t.Context(), &cip.AdminEnableUserInput{UserPoolId: old.UserPoolId, Username: old.Username}); err != nil {
		t.Fatal(err)
	}
	has(say(0, "drain", "--bring-back", "alice"), "1 user would be created")
	has(say(0, "drain", "--bring-back", "alice", "--yes"), "created              1", "left, on their own 0")
	has(say(0, "drain", "--bring-back", "alice", "--yes"), "created              0", "they are back already")
	has(say(0, "report"), "arrived            1", "left, on their own 0")
}
