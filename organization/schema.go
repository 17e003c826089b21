package organization

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/codegrant/codegrant/internal/sqldialect"
)

// Dialect names the engine behind a [sql.DB]. It is the same type in every package of
// Codegrant that uses a database: a constant of one of them is good for all.
type Dialect = sqldialect.Dialect

// The engines. The zero value is none of them.
const (
	SQLite     = sqldialect.SQLite     // through modernc.org/sqlite
	PostgreSQL = sqldialect.PostgreSQL // through github.com/jackc/pgx/v5/stdlib
	MySQL      = sqldialect.MySQL      // and MariaDB, through github.com/go-sql-driver/mysql
)

// engine is what is different between the engines. Times are milliseconds since 1970.
type engine struct {
	dialect Dialect
	key     string
	text    string
	end     string
	tx      *sql.TxOptions
	inTable bool // indexes are made with the table
	// chosenAnew ends the statement that writes the choice of a session.
	chosenAnew string
	// sentAnew ends the statement that holds the row of an address or of a person who invites.
	sentAnew string
	// folded is the name of an organization o in small letters, as far as the engine knows them.
	folded string
}

const (
	sentConflict = " ON CONFLICT (id) DO UPDATE SET sent = excluded.sent"
	onConflict   = " ON CONFLICT (session) DO UPDATE SET organization_id = excluded.organization_id, chosen = excluded.chosen"
)

var engines = map[Dialect]engine{
	SQLite: {dialect: SQLite, key: "TEXT", text: "TEXT", chosenAnew: onConflict, sentAnew: sentConflict, folded: "LOWER(o.name)"},
	PostgreSQL: {
		dialect: PostgreSQL, key: `text COLLATE "C"`, text: "text", tx: &sql.TxOptions{Isolation: sql.LevelReadCommitted}, chosenAnew: onConflict, sentAnew: sentConflict, folded: "LOWER(o.name)",
	},
	MySQL: { // bytes have no collation, and fit into a key
		dialect: MySQL, key: "VARBINARY(320)", text: "VARBINARY(1024)", end: " ENGINE = InnoDB ROW_FORMAT = DYNAMIC", inTable: true,
		tx:         &sql.TxOptions{Isolation: sql.LevelReadCommitted},
		chosenAnew: " ON DUPLICATE KEY UPDATE organization_id = VALUES(organization_id), chosen = VALUES(chosen)",
		sentAnew:   " ON DUPLICATE KEY UPDATE sent = VALUES(sent)",
		folded:     "LOWER(CONVERT(o.name USING utf8mb4))",
	},
}

// table is one of ours: K stands for a column that is compared, T for other text.
type table struct {
	name, columns string
	indexes       []string // name (columns)
}

var tables = []table{
	{"codegrant_organizations", "id K NOT NULL PRIMARY KEY, name T NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL", nil},
	{"codegrant_organization_members", "organization_id K NOT NULL, user_id BIGINT NOT NULL, role K NOT NULL, since BIGINT NOT NULL, added_by T NOT NULL, PRIMARY KEY (organization_id, user_id)",
		[]string{"codegrant_organization_members_user (user_id)"}},
	{"codegrant_organization_choices", "session K NOT NULL PRIMARY KEY, person K NOT NULL, organization_id K NOT NULL, chosen BIGINT NOT NULL",
		[]string{"codegrant_organization_choices_person (person, chosen)"}},
	{"codegrant_organization_invitations", "id K NOT NULL PRIMARY KEY, organization_id K NOT NULL, email K NOT NULL, role K NOT NULL, token K NOT NULL, " +
		"created BIGINT NOT NULL, expires BIGINT NOT NULL, sent BIGINT NOT NULL, invited_by T NOT NULL, UNIQUE (organization_id, email), UNIQUE (token)", nil},
	{"codegrant_organization_sent", "id K NOT NULL PRIMARY KEY, organization_id K NOT NULL, inviter K NOT NULL, address K NOT NULL, sent BIGINT NOT NULL", []string{
		"codegrant_organization_sent_organization (organization_id, sent)", "codegrant_organization_sent_inviter (inviter, sent)",
		"codegrant_organization_sent_address (address, sent)",
	}},
	{"codegrant_organization_schema", "version BIGINT NOT NULL PRIMARY KEY, made BIGINT NOT NULL", nil},
}

// version is that of the tables: 1 had neither the mails that were sent nor this number.
const version = 2

// statements are those that make the tables where they are missing.
func (e engine) statements() (all []string) {
	types := strings.NewReplacer(" K ", " "+e.key+" ", " T ", " "+e.text+" ")
	for _, t := range tables {
		columns := types.Replace(t.columns)
		for _, index := range t.indexes {
			if e.inTable {
				columns += ", KEY " + index
			}
		}
		all = append(all, "CREATE TABLE IF NOT EXISTS "+t.name+" ("+columns+")"+e.end)
		for _, index := range t.indexes {
			if name, on, _ := strings.Cut(index, " "); !e.inTable {
				all = append(all, "CREATE INDEX IF NOT EXISTS "+name+" ON "+t.name+" "+on)
			}
		}
	}
	return all
}

// Migrate makes the tables where they are missing. Those of the replica are to be there
// when the others are used. Any number of processes may call it at once.
func (s *Store) Migrate(ctx context.Context) error {
	if err := sqldialect.Make(ctx, s.db, s.engine.statements()); err != nil {
		return fmt.Errorf("make the tables of organizations: %w", err)
	}
	have, want, err := s.Versions(ctx)
	if err == nil && have < want {
		if _, err = s.exec(ctx, s.db, "INSERT INTO codegrant_organization_schema (version, made) VALUES (?, ?)", want, s.millis()); err != nil {
			have, _, err = s.Versions(ctx) // of two that come at once, one makes the row
			if err == nil && have < want {
				err = fmt.Errorf("its version stays %d", have)
			}
		}
	}
	return fail("make the tables of organizations", err)
}

// Versions returns the version of the tables, 0 where there are none, and the one that this
// program needs.
func (s *Store) Versions(ctx context.Context) (have, want int64, err error) {
	has := func(table string) (there bool) {
		if err == nil {
			there, err = sqldialect.HasTable(ctx, s.db, s.engine.dialect, table)
		}
		return there
	}
	if has("codegrant_organization_schema") {
		err = s.each(ctx, s.db, func(row *sql.Rows) error { return row.Scan(&have) }, "SELECT COALESCE(MAX(version), 0) FROM codegrant_organization_schema")
	}
	if have == 0 && has("codegrant_organizations") {
		have = 1
	}
	return have, version, fail("look up the version of the tables of organizations", err)
}

// asker is a database, or a transaction in it.
type asker interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (s *Store) exec(ctx context.Context, on asker, statement string, args ...any) (int64, error) {
	result, err := on.ExecContext(ctx, sqldialect.Number(s.engine.dialect, statement), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// each hands each row of an answer to f.
func (s *Store) each(ctx context.Context, on asker, f func(*sql.Rows) error, statement string, args ...any) error {
	rows, err := on.QueryContext(ctx, sqldialect.Number(s.engine.dialect, statement), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// in runs f in a transaction that holds the row of an organization, so that what is decided
// by its members is decided by one at a time.
func (s *Store) in(ctx context.Context, organization string, f func(tx *sql.Tx, o Organization) error) error {
	if !isID(organization) {
		return ErrNotFound
	}
	tx, err := s.db.BeginTx(ctx, s.engine.tx)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit it does nothing; after a panic of OnChange it matters
	if _, err := s.exec(ctx, tx, "UPDATE codegrant_organizations SET updated = ? WHERE id = ?", s.millis(), organization); err != nil {
		return err
	}
	o, err := s.get(ctx, tx, organization)
	if err != nil {
		return err
	}
	if err := s.manages(ctx, tx, organization); err != nil {
		return err
	}
	if err := f(tx, o); err != nil {
		return err
	}
	return tx.Commit()
}
