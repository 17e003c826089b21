package commandtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

// Say runs a command out of a table, as somebody who types it, and returns what it says.
func Say(t *testing.T, commands any, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, err bytes.Buffer
	status = terminal.Run(t.Context(), args, &out, &err, commands)
	return out.String(), err.String(), status
}

// DjangoProject has the tables that django.contrib.auth makes, and accounts by address.
func DjangoProject(t *testing.T, addresses ...string) (url string, db *parts.Database) {
	t.Helper()
	url = "sqlite:" + filepath.Join(t.TempDir(), "django.db")
	db, err := parts.OpenDatabase(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, statement := range []string{
		`CREATE TABLE auth_group (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, name varchar(150) NOT NULL UNIQUE)`,
		`CREATE TABLE auth_user (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, password varchar(128) NOT NULL, last_login datetime NULL, is_superuser bool NOT NULL, username varchar(150) NOT NULL UNIQUE, last_name varchar(150) NOT NULL, email varchar(254) NOT NULL, is_staff bool NOT NULL, is_active bool NOT NULL, date_joined datetime NOT NULL, first_name varchar(150) NOT NULL)`,
		`CREATE TABLE auth_user_groups (id integer NOT NULL PRIMARY KEY AUTOINCREMENT, user_id integer NOT NULL REFERENCES auth_user (id), group_id integer NOT NULL REFERENCES auth_group (id), UNIQUE (user_id, group_id))`,
	} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, address := range addresses {
		username, email, ok := strings.Cut(address, "=")
		if !ok {
			username, email = address, address
		}
		if _, err := db.Exec(`INSERT INTO auth_user (password, is_superuser, username, first_name, last_name, email, is_staff, is_active, date_joined) VALUES ('', FALSE, ?, '', '', ?, FALSE, TRUE, '2026-01-01 00:00:00')`, username, email); err != nil {
			t.Fatal(err)
		}
	}
	return url, db
}

// Healthy sets the settings of an application that is set up well.
func Healthy(t *testing.T) *codegranttest.Pool {
	t.Helper()
	pool := codegranttest.NewPool(t, nil)
	client := pool.Clients()[0]
	pool.Register("https://app.example.com")
	for _, setting := range os.Environ() {
		if name, value, _ := strings.Cut(setting, "="); strings.HasPrefix(name, "CODEGRANT_") || strings.HasPrefix(name, "AUTH_COGNITO_") {
			t.Setenv(name, value) // so that it comes back
			os.Unsetenv(name)
		}
	}
	t.Setenv("AUTH_COGNITO_CLIENT_ID", client.ID)
	t.Setenv("AUTH_COGNITO_CODE_GRANT_URL", pool.URL+"/oauth2/token")
	t.Setenv("AUTH_COGNITO_JWKS_URL", client.Issuer+"/.well-known/jwks.json")
	t.Setenv("CODEGRANT_CLIENT_SECRET", client.Secret)
	t.Setenv("CODEGRANT_BASE_URL", "https://app.example.com")
	t.Setenv("CODEGRANT_DATABASE", "")
	return pool
}

const inspectedIssuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"

// Stores is a configuration with alice (two sessions) and bob in its stores.
func Stores(t *testing.T) (config string) {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "app.db")
	config = filepath.Join(dir, "codegrant.yaml")
	if err := os.WriteFile(config, []byte(fmt.Sprintf(`
base_url: https://app.example.com
keys: ["%s"]
sessions: database
database: sqlite:%s
replica: true
pools: [{id: eu-west-1_Ab12Cd34E, domain: acme.auth.eu-west-1.amazoncognito.com, client_id: c1}]
`, "hxXwLHjJ2Xl4yjKb1o0pQ0b3Kc9yq6C3i8nV5tZr7sE=", file)), 0o600); err != nil {
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
	enabled := true
	for i, name := range []string{"alice", "bob"} {
		s := replica.Snapshot{
			Issuer: inspectedIssuer, Subject: fmt.Sprintf("sub-%d", i), Username: name, Email: name + "@example.com", EmailVerified: i == 0, Name: "Name " + name,
			GroupsKnown: true, Groups: []replica.GroupRef{{Name: "staff"}, {Name: "of-" + name}}, Enabled: &enabled, SignIn: true, At: time.Now(),
		}
		if _, err := o.Users.Apply(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		now := time.Now()
		if err := o.Sessions.Create(t.Context(), session.Record{
			ID: session.NewHandle().RecordID(), Pool: o.Bound, Subject: "sub-0", Created: now, LastSeen: now, Expires: now.Add(time.Hour), Sealed: []byte("x"),
		}); err != nil {
			t.Fatal(err)
		}
	}
	return config
}

// Streams are those of a command that goes on running: what it says is in the test's log.
func Streams(t *testing.T) *terminal.Streams {
	return &terminal.Streams{Stdout: t.Output(), Stderr: t.Output()}
}
