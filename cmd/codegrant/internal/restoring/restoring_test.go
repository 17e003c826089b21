package restoring

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/directory"
)

type commands struct {
	Restore Command `cmd:""`
}

// TestS769_RestoreByCommand: the plan changes nothing, and --yes makes it so.
func TestS769_RestoreByCommand(t *testing.T) {
	pool := codegranttest.NewPool(t, nil)
	client := pool.Clients()[0]
	dir := t.TempDir()
	config := filepath.Join(dir, "codegrant.yaml")
	if err := os.WriteFile(config, []byte(fmt.Sprintf(`
base_url: http://localhost
sessions: database
database: sqlite:%s
replica: {history: 24h}
pools: [{id: %q, issuer: %q, domain: %q, client_id: %q, client_secret: %q}]
`, filepath.Join(dir, "app.db"), pool.PoolID, client.Issuer, pool.URL, client.ID, client.Secret)), 0o600); err != nil {
		t.Fatal(err)
	}
	o, err := parts.Inspection{Config: config}.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if err := errors.Join(o.Users.Migrate(t.Context()), o.InDatabase.Migrate(t.Context())); err != nil {
		t.Fatal(err)
	}
	api, id, err := parts.PoolClient(t.Context(), o.Issuer, "", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	source, err := directory.NewCognito(directory.CognitoConfig{PoolID: id, Client: api})
	if err != nil {
		t.Fatal(err)
	}
	sync, err := directory.New(directory.Config{Source: source, Issuer: o.Issuer, Replica: o.Users, Journal: directory.NewMemoryJournal()})
	if err != nil {
		t.Fatal(err)
	}
	pass := func() {
		t.Helper()
		if _, err := sync.Run(t.Context(), directory.Options{Full: true, Fresh: true, MaxShare: 1}); err != nil {
			t.Fatal(err)
		}
	}
	run := func(want int, args ...string) string {
		t.Helper()
		stdout, stderr, status := commandtest.Say(t, new(commands), append([]string{"restore", "--config", config}, args...)...)
		if status != want {
			t.Fatalf("restore %v: status %d\n%s%s", args, status, stdout, stderr)
		}
		return stdout + stderr
	}
	pass()
	alice, err := o.Users.UserByUsername(t.Context(), o.Issuer, "alice")
	if err != nil {
		t.Fatal(err)
	}
	then := time.Now().UTC().Format(time.RFC3339Nano)
	username := "alice"
	if _, err := api.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: &id, Username: &username}); err != nil {
		t.Fatal(err)
	}
	pass()
	if out := run(0, "--everybody", "--as-of", then); !strings.Contains(out, "would be made again: 1\n") || !strings.Contains(out, "--yes") {
		t.Errorf("plan: %s", out)
	}
	if _, err := source.User(t.Context(), alice.Subject); !errors.Is(err, directory.ErrNotFound) {
		t.Errorf("the plan did something: %v", err)
	}
	if out := run(0, "--group", "nobody", "--as-of", then, "--yes"); !strings.Contains(out, "made again: 0\n") {
		t.Errorf("a group without members: %s", out)
	}
	if out := run(0, "--user", alice.Subject, "--as-of", then, "--yes"); !strings.Contains(out, "made again: 1\n") {
		t.Errorf("done: %s", out)
	}
	if out := run(0, "--everybody", "--as-of", then, "--json"); out != "" {
		t.Errorf("after it, there is to do: %s", out)
	}
	back, err := o.Users.UserByUsername(t.Context(), o.Issuer, "alice")
	if err != nil || back.Person() != alice.ID || back.Subject == alice.Subject {
		t.Errorf("alice is %+v, %v", back, err)
	}
	run(1, "--user", "17", "--as-of", then)
	run(1, "--everybody", "--as-of", "tomorrow")
	for _, args := range [][]string{{"--as-of", then}, {"--everybody", "--group", "a", "--as-of", then}, {"--everybody"}} {
		if _, _, status := commandtest.Say(t, new(commands), append([]string{"restore", "--config", config}, args...)...); status == 0 {
			t.Errorf("%v is taken", args)
		}
	}
}
