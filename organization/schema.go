package organization

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
)

// Dialect names the engine behind a [sql.DB].
type Dialect int

// The engines. The zero value is none of them.
const (
	SQLite     Dialect = iota + 1
	PostgreSQL         // through github.com/jackc/pgx/v5/stdlib
	MySQL              // and MariaDB, through github.com/go-sql-driver/mysql
)

// engine is what is different between the engines. Times are milliseconds since 1970.
type engine struct {
	numbered bool // placeholders are $1, $2 …
	key      string
	text     string
	end      string
	tx       *sql.TxOptions
	inTable  bool // indexes are made with the table
	// chosenAnew ends the statement that writes the choice of a session.
	chosenAnew string
}

const onConflict = " ON CONFLICT (session) DO UPDATE SET organization_id = excluded.organization_id, chosen = excluded.chosen"

var engines = map[Dialect]engine{
	SQLite:     {key: "TEXT", text: "TEXT", chosenAnew: onConflict},
	PostgreSQL: {numbered: true, key: `text COLLATE "C"`, text: "text", tx: &sql.TxOptions{Isolation: sql.LevelReadCommitted}, chosenAnew: onConflict},
	MySQL: { // bytes have no collation, and fit into a key
		key: "VARBINARY(320)", text: "VARBINARY(1024)", end: " ENGINE = InnoDB ROW_FORMAT = DYNAMIC", inTable: true,
		tx:         &sql.TxOptions{Isolation: sql.LevelReadCommitted},
		chosenAnew: " ON DUPLICATE KEY UPDATE organization_id = VALUES(organization_id), chosen = VALUES(chosen)",
	},
}

// table is one of ours: K stands for a column that is compared, T for other text.
type table struct{ name, columns, index string }

var tables = []table{
	{"codegrant_organizations", "id K NOT NULL PRIMARY KEY, name T NOT NULL, created BIGINT NOT NULL, updated BIGINT NOT NULL", ""},
	{"codegrant_organization_members", "organization_id K NOT NULL, user_id BIGINT NOT NULL, role K NOT NULL, since BIGINT NOT NULL, added_by T NOT NULL, PRIMARY KEY (organization_id, user_id)",
		"codegrant_organization_members_user (user_id)"},
	{"codegrant_organization_choices", "session K NOT NULL PRIMARY KEY, person K NOT NULL, organization_id K NOT NULL, chosen BIGINT NOT NULL",
		"codegrant_organization_choices_person (person, chosen)"},
	{"codegrant_organization_invitations", "id K NOT NULL PRIMARY KEY, organization_id K NOT NULL, email K NOT NULL, role K NOT NULL, token K NOT NULL, " +
		"created BIGINT NOT NULL, expires BIGINT NOT NULL, sent BIGINT NOT NULL, invited_by T NOT NULL, UNIQUE (organization_id, email), UNIQUE (token)", ""},
}

// statements are those that make the tables where they are missing.
func (e engine) statements() (all []string) {
	types := strings.NewReplacer(" K ", " "+e.key+" ", " T ", " "+e.text+" ")
	for _, t := range tables {
		columns := types.Replace(t.columns)
		if t.index != "" && e.inTable {
			columns += ", KEY " + t.index
		}
		all = append(all, "CREATE TABLE IF NOT EXISTS "+t.name+" ("+columns+")"+e.end)
		if name, on, ok := strings.Cut(t.index, " "); ok && !e.inTable {
			all = append(all, "CREATE INDEX IF NOT EXISTS "+name+" ON "+t.name+" "+on)
		}
	}
	return all
}

// sql numbers the placeholders of a statement where the engine has it so.
func (e engine) sql(statement string) string {
	if !e.numbered {
		return statement
	}
	var b strings.Builder
	for n, part := range strings.Split(statement, "?") {
		if n > 0 {
			b.WriteString("$" + strconv.Itoa(n))
		}
		b.WriteString(part)
	}
	return b.String()
}

// Migrate makes the tables where they are missing. Those of the replica are to be there
// when the others are used. Any number of processes may call it at once.
func (s *Store) Migrate(ctx context.Context) error {
	for _, statement := range s.engine.statements() {
		if _, err := s.db.ExecContext(ctx, statement); err != nil {
			// PostgreSQL can have two that come at once make the same table.
			if _, err = s.db.ExecContext(ctx, statement); err != nil {
				return fmt.Errorf("make the tables of organizations: %w", err)
			}
		}
	}
	return nil
}

// asker is a database, or a transaction in it.
type asker interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

func (s *Store) exec(ctx context.Context, on asker, statement string, args ...any) (int64, error) {
	result, err := on.ExecContext(ctx, s.engine.sql(statement), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// each hands each row of an answer to f.
func (s *Store) each(ctx context.Context, on asker, f func(*sql.Rows) error, statement string, args ...any) error {
	rows, err := on.QueryContext(ctx, s.engine.sql(statement), args...)
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

// in runs f in a transaction that holds the row of an organisation, so that what is decided
// by its members is decided by one at a time.
func (s *Store) in(ctx context.Context, organization string, f func(tx *sql.Tx, o Organization) error) error {
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
