package organization_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/internal/cutdb"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/organization"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

const issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"

// rig is a replica with organizations beside it.
type rig struct {
	*organization.Store
	db      *sql.DB
	dialect organization.Dialect
	users   *sqlreplica.Store
	now     time.Time
	cut     *cutdb.Cut
	told    []organization.Change
	refuse  error // of the function that hears of changes
	writes  bool  // that function has a table of its own
}

// eachEngine runs a test on an empty database of every engine.
func eachEngine(t *testing.T, f func(t *testing.T, r *rig)) {
	t.Run("SQLite", func(t *testing.T) { f(t, newRig(t)) })
	t.Run("PostgreSQL", func(t *testing.T) {
		f(t, openRig(t, "pgx", testenv.PostgresSchema(t), sqlreplica.PostgreSQL, organization.PostgreSQL))
	})
	t.Run("MySQL", func(t *testing.T) {
		server := testenv.MySQL(t)
		name := "codegrant_" + strings.ToLower(rand.Text()[:16])
		admin, err := sql.Open("mysql", server)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { admin.Close() })
		if _, err := admin.Exec("CREATE DATABASE " + name); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = admin.Exec("DROP DATABASE " + name) })
		config, err := mysql.ParseDSN(server)
		if err != nil {
			t.Fatal(err)
		}
		config.DBName, config.InterpolateParams = name, true
		f(t, openRig(t, "mysql", config.FormatDSN(), sqlreplica.MySQL, organization.MySQL))
	})
}

func newRig(t *testing.T) *rig {
	return openRig(t, "sqlite", "file:"+(&url.URL{Path: filepath.Join(t.TempDir(), "app.db")}).EscapedPath()+
		"?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_pragma=synchronous(off)&_txlock=immediate", sqlreplica.SQLite, organization.SQLite)
}

func openRig(t *testing.T, driver, dsn string, d sqlreplica.Dialect, dialect organization.Dialect) *rig {
	t.Helper()
	db, cut := cutdb.Open(t, driver, dsn)
	r := &rig{db: db, cut: cut, dialect: dialect, now: time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)}
	var err error
	if r.users, err = sqlreplica.New(db, sqlreplica.Config{Dialect: d}); err != nil {
		t.Fatal(err)
	}
	r.Store = r.another(t)
	for range 2 { // the second time it is there
		if err := r.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.users.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

// another is the store of another process.
func (r *rig) another(t *testing.T) *organization.Store {
	t.Helper()
	s, err := organization.New(organization.Config{
		DB: r.db, Dialect: r.dialect, Now: func() time.Time { return r.now },
		OnChange: func(ctx context.Context, tx *sql.Tx, c organization.Change) error {
			r.told = append(r.told, c)
			if r.writes {
				if _, err := tx.ExecContext(ctx, "INSERT INTO told (kind) VALUES ('"+c.Kind+"')"); err != nil {
					return err
				}
			}
			return r.refuse
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// person has signed in, at a pool that says that their address is verified.
func (r *rig) person(t *testing.T, name string) (int64, *codegrant.Identity) {
	t.Helper()
	change, err := r.users.Apply(t.Context(), replica.Snapshot{
		Issuer: issuer, Subject: name, Username: name, Email: name + "@example.com", EmailVerified: true, At: time.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return change.User.ID, &codegrant.Identity{
		Issuer: issuer, Subject: name, UserID: change.User.ID, Username: name, Email: name + "@example.com", EmailVerified: true,
	}
}

func (r *rig) create(t *testing.T, name string) organization.Organization {
	t.Helper()
	o, err := r.Create(t.Context(), name, "a test")
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (r *rig) set(t *testing.T, o organization.Organization, person int64, role string) {
	t.Helper()
	if err := r.Set(t.Context(), o.ID, person, role, "a test"); err != nil {
		t.Fatal(err)
	}
}

// actsFor is the name and role of what a person acts for.
func actsFor(t *testing.T, s *organization.Store, id *codegrant.Identity) string {
	t.Helper()
	o, err := s.Active(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if o == nil {
		return ""
	}
	return o.Name + " " + o.Role
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("it is %v, want %v", err, want)
	}
	if err != nil && !organization.IsRefusal(err) {
		t.Errorf("%v is not a refusal", err)
	}
}

// sessions are those of identities in tests of the store, which has no browser.
var sessions sync.Map

func init() {
	organization.SetSessionOf(func(id *codegrant.Identity) string {
		if name, ok := sessions.Load(id); ok {
			return name.(string)
		}
		return id.SessionID()
	})
}

func inSession(id *codegrant.Identity, name string) *codegrant.Identity {
	own := *id
	sessions.Store(&own, name)
	return &own
}
