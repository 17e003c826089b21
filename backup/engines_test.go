package backup_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/backup"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/organization"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/session/sqlstore"
	"github.com/codegrant/codegrant/webhook"
)

const issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"

// engine is a database, and how a test gets an empty one.
type engine struct {
	name     string
	driver   string
	dialect  backup.Dialect
	users    sqlreplica.Dialect
	orgs     organization.Dialect
	sessions sqlstore.Dialect
	journal  directory.Dialect
	webhooks webhook.Dialect
	create   func(t *testing.T) string
}

var engines = []engine{
	{"SQLite", "sqlite", backup.SQLite, sqlreplica.SQLite, organization.SQLite, sqlstore.SQLite, directory.SQLite, webhook.SQLite, func(t *testing.T) string {
		return "file:" + filepath.Join(t.TempDir(), "app.db") + "?_txlock=immediate&_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(off)"
	}},
	{"PostgreSQL", "pgx", backup.PostgreSQL, sqlreplica.PostgreSQL, organization.PostgreSQL, sqlstore.PostgreSQL, directory.PostgreSQL, webhook.PostgreSQL, func(t *testing.T) string {
		return testenv.PostgresSchema(t)
	}},
	{"MySQL", "mysql", backup.MySQL, sqlreplica.MySQL, organization.MySQL, sqlstore.MySQL, directory.MySQL, webhook.MySQL, func(t *testing.T) string {
		server := testenv.MySQL(t)
		name := "codegrant_" + strings.ToLower(rand.Text()[:16])
		admin, err := sql.Open("mysql", server)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { admin.Close() })
		if _, err := admin.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = admin.ExecContext(context.Background(), "DROP DATABASE "+name) })
		config, err := mysql.ParseDSN(server)
		if err != nil {
			t.Fatal(err)
		}
		config.DBName = name
		// Times parsed, and in another zone, as some applications have it.
		zone, err := time.LoadLocation("America/New_York")
		must(t, err)
		config.ParseTime, config.Loc, config.Params = true, zone, map[string]string{"time_zone": "'-05:00'"}
		return config.FormatDSN()
	}},
}

// rig is a database with the tables.
type rig struct {
	backup.Config
	dsn   string
	users *sqlreplica.Store
	orgs  *organization.Store
	now   time.Time // of the replica: a second later at each look
	then  time.Time // before somebody was changed
}

func (e engine) rig(t *testing.T) *rig {
	t.Helper()
	r := &rig{dsn: e.create(t), now: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)}
	r.then = r.now
	db, err := sql.Open(e.driver, r.dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	r.Config = backup.Config{DB: db, Dialect: e.dialect}
	if r.users, err = sqlreplica.New(db, sqlreplica.Config{Dialect: e.users, History: &sqlreplica.History{Keep: 24 * time.Hour}, Now: func() time.Time {
		r.now = r.now.Add(time.Second)
		return r.now
	}}); err != nil {
		t.Fatal(err)
	}
	if r.orgs, err = organization.New(organization.Config{DB: db, Dialect: e.orgs}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(r.users.Migrate(t.Context()), r.orgs.Migrate(t.Context())); err != nil {
		t.Fatal(err)
	}
	return r
}

// must fails the test where somebody says no.
func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func (r *rig) apply(t *testing.T, s replica.Snapshot) replica.User {
	t.Helper()
	s.Issuer = issuer
	change, err := r.users.Apply(t.Context(), s)
	must(t, err)
	return change.User
}

var stated = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// fill puts in people of every kind: with all that a pool says, with nothing, disabled,
// deleted, linked to a later row, changed since, in groups of the pool and of this side, in
// an organization.
func (r *rig) fill(t *testing.T) {
	t.Helper()
	off, seven := false, 7
	all := replica.Snapshot{
		Subject: "s-all", Username: "Åsa \"<&>\"\u2028 😀", Email: "asa@example.com", EmailVerified: true, Name: "Åsa Öberg", GivenName: "Åsa", FamilyName: "Öberg ",
		PhoneNumber: "+15550100", PhoneNumberVerified: true, Locale: "sv", Custom: map[string]string{"custom:a": "ä\n\\", "birthdate": "1970-01-01"}, Complete: true,
		GroupsKnown: true, Groups: []replica.GroupRef{{Name: "Admins", Precedence: &seven}, {Name: "admins"}}, Status: "CONFIRMED", SignIn: true, At: stated,
	}
	first := r.apply(t, all)
	bare := r.apply(t, replica.Snapshot{Subject: "s-bare", At: stated})
	r.apply(t, replica.Snapshot{Subject: "s-off", Username: "off", Enabled: &off, At: stated})
	main := r.apply(t, replica.Snapshot{Subject: "s-main", Username: "main", At: stated})
	_, err := r.users.Merge(t.Context(), bare.ID, main.ID, "me")
	must(t, err)
	_, err = r.users.GrantLocalGroup(t.Context(), main.ID, "ours")
	must(t, err)
	r.then = r.now
	all.Email, all.Groups, all.At = "asa@example.org", all.Groups[1:], stated.Add(time.Minute)
	r.apply(t, all)
	must(t, r.users.DefineGroups(t.Context(), issuer, []replica.GroupDefinition{{Name: "admins", Description: "who may", RoleARN: "arn:aws:iam::1:role/r", Precedence: &seven}}, stated))
	gone := r.apply(t, replica.Snapshot{Subject: "s-erased", Username: "erased", At: stated})
	_, err = r.users.Erase(t.Context(), gone.ID, sqlreplica.EraseOptions{By: "me"})
	must(t, err)
	o, err := r.orgs.Create(t.Context(), "Acme Ü", "me")
	must(t, err, r.orgs.Set(t.Context(), o.ID, first.ID, r.orgs.Manager(), "me"))
	_, err = r.DB.ExecContext(t.Context(), "UPDATE codegrant_users SET deleted_at = updated_at WHERE subject = 's-off'")
	must(t, err)
}

var key, otherKey *age.X25519Identity

func init() {
	var err, other error
	key, err = age.GenerateX25519Identity()
	otherKey, other = age.GenerateX25519Identity()
	if err := errors.Join(err, other); err != nil {
		panic(err)
	}
}

func (r *rig) backup(t *testing.T) []byte {
	t.Helper()
	var file bytes.Buffer
	_, err := backup.Write(t.Context(), r.Config, &file, key.Recipient())
	must(t, err)
	return file.Bytes()
}

func opens(file []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(file)), nil }
}

func (r *rig) restore(t *testing.T, file []byte, overwrite bool) error {
	t.Helper()
	_, err := backup.Restore(t.Context(), r.Config, opens(file), backup.Options{Identities: []age.Identity{key}, Overwrite: overwrite})
	return err
}

// said is what the stores say of everybody, now and before.
func (r *rig) said(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	page, err := r.users.Users(t.Context(), replica.UserQuery{Issuer: issuer, Deleted: true, Limit: 1000})
	must(t, err)
	before, err := r.users.AsOf(t.Context(), page.Users, r.then)
	must(t, err)
	for i, users := range [][]replica.User{page.Users, before} {
		fmt.Fprintln(&b, []string{"now", "before"}[i])
		for _, u := range users {
			line, err := json.Marshal(u)
			must(t, err)
			fmt.Fprintf(&b, "%s\n", line)
			since, err := r.users.MembershipsSince(t.Context(), u.ID)
			must(t, err)
			for _, g := range u.Groups {
				fmt.Fprintf(&b, "  %v since %s\n", g.Name, since[g.ID].UTC().Truncate(time.Millisecond))
			}
		}
	}
	groups, err := r.users.GroupsAsOf(t.Context(), issuer, stated)
	must(t, err)
	for _, g := range groups {
		fmt.Fprintf(&b, "%s %s %s %d\n", g.Name, g.Description, g.RoleARN, *g.Precedence)
	}
	receipts, err := r.users.Erasures(t.Context(), 10)
	must(t, err)
	fmt.Fprintf(&b, "%+v\n", receipts)
	orgs, err := r.orgs.List(t.Context(), "")
	must(t, err)
	for _, o := range orgs {
		members, err := r.orgs.Members(t.Context(), o.ID, 0)
		must(t, err)
		fmt.Fprintf(&b, "%+v %+v\n", o, members)
	}
	return b.String()
}

// columnsOf are those of the tables of ours, as "table.column".
func (r *rig) columnsOf(t *testing.T) (all []string) {
	t.Helper()
	list := map[backup.Dialect]string{
		backup.SQLite:     "SELECT m.name || '.' || c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name LIKE 'codegrant%'",
		backup.PostgreSQL: "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = current_schema() AND table_name LIKE 'codegrant%'",
		backup.MySQL:      "SELECT CONCAT(table_name, '.', column_name) FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name LIKE 'codegrant%'",
	}[r.Dialect]
	rows, err := r.DB.QueryContext(t.Context(), list)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var name string
		must(t, rows.Scan(&name))
		all = append(all, name)
	}
	must(t, rows.Err())
	slices.Sort(all)
	return all
}

// differ says where two texts are no longer the same; empty: nowhere.
func differ(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		var a, b string
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			return fmt.Sprintf("is:\n%s\nwas:\n%s", a, b)
		}
	}
	return ""
}
