package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

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

// SQLJournal is a [Journal] in a SQL database. It can be the database of the replica.
// Leases use the clock of the database. Make one with [NewSQLJournal].
//
// It has two tables, codegrant_passes and codegrant_pass_members. If you drop them, nothing
// is lost permanently.
type SQLJournal struct {
	db      *sql.DB
	dialect Dialect
	journalSQL
}

var _ Journal = (*SQLJournal)(nil)

// journalSQL is what is different between the engines.
type journalSQL struct {
	tables []string // that are made
	now    string   // milliseconds, as an integer
	ignore string   // ends an insertion of what may be there already
}

const (
	leaseColumns  = "(name %s PRIMARY KEY, holder %s NOT NULL, term BIGINT NOT NULL, held_until BIGINT NOT NULL, state %s NOT NULL)"
	memberColumns = "(pass %s NOT NULL, subject %s NOT NULL, member_of %s NOT NULL, PRIMARY KEY (pass, subject, member_of))"
	leaseTable    = "CREATE TABLE IF NOT EXISTS codegrant_passes " + leaseColumns
	memberTable   = "CREATE TABLE IF NOT EXISTS codegrant_pass_members " + memberColumns
)

var journals = map[Dialect]journalSQL{
	SQLite: {
		tables: []string{fmt.Sprintf(leaseTable, "TEXT", "TEXT", "TEXT"), fmt.Sprintf(memberTable, "TEXT", "TEXT", "TEXT") + " WITHOUT ROWID"},
		now:    "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
		ignore: " ON CONFLICT DO NOTHING",
	},
	PostgreSQL: {
		tables: []string{
			fmt.Sprintf(leaseTable, `text COLLATE "C"`, "text", "text"),
			fmt.Sprintf(memberTable, `text COLLATE "C"`, `text COLLATE "C"`, `text COLLATE "C"`),
		},
		now:    "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS bigint)",
		ignore: " ON CONFLICT DO NOTHING",
	},
	MySQL: {
		// Bytes have no collation, and fit into a key.
		tables: []string{
			fmt.Sprintf(leaseTable, "VARBINARY(600)", "VARBINARY(255)", "LONGBLOB") + " ENGINE = InnoDB",
			fmt.Sprintf(memberTable, "VARBINARY(64)", "VARBINARY(255)", "VARBINARY(512)") + " ENGINE = InnoDB",
		},
		now:    "TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000",
		ignore: " ON DUPLICATE KEY UPDATE member_of = member_of",
	},
}

// NewSQLJournal returns a journal in db. The caller closes db. NewSQLJournal does not use
// the database: see [SQLJournal.Migrate].
func NewSQLJournal(db *sql.DB, dialect Dialect) (*SQLJournal, error) {
	engine, ok := journals[dialect]
	if db == nil || !ok {
		return nil, errors.New("configure the journal: it needs a database, and SQLite, PostgreSQL or MySQL as its dialect")
	}
	return &SQLJournal{db, dialect, engine}, nil
}

// Migrate makes the tables where they are missing. Any number of processes may call
// it at once.
func (j *SQLJournal) Migrate(ctx context.Context) error {
	if err := sqldialect.Make(ctx, j.db, j.tables); err != nil {
		return fmt.Errorf("make the tables of the journal: %w", err)
	}
	return nil
}

func (j *SQLJournal) exec(ctx context.Context, statement string, args ...any) (sql.Result, error) {
	return j.db.ExecContext(ctx, sqldialect.Number(j.dialect, statement), args...)
}

// Acquire implements [Journal].
func (j *SQLJournal) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (int64, []byte, error) {
	fail := func(err error) (int64, []byte, error) {
		return 0, nil, fmt.Errorf("acquire the lease: %w", err)
	}
	take := func() (int64, error) {
		result, err := j.exec(ctx, "UPDATE codegrant_passes SET holder = ?, term = term + 1, held_until = "+j.now+" + ? WHERE name = ? AND held_until <= "+j.now,
			holder, ttl.Milliseconds(), name)
		if err != nil {
			return 0, err
		}
		return result.RowsAffected()
	}
	taken, err := take()
	if err != nil {
		return fail(err)
	}
	if taken == 0 {
		_, err := j.exec(ctx, "INSERT INTO codegrant_passes (name, holder, term, held_until, state) VALUES (?, '', 0, 0, '')"+
			strings.ReplaceAll(j.ignore, "member_of", "term"), name)
		if err != nil {
			return fail(err)
		}
		if _, err = take(); err != nil {
			return fail(err)
		}
	}
	var held string
	var term, left int64
	var state []byte
	err = j.db.QueryRowContext(ctx, sqldialect.Number(j.dialect, "SELECT holder, term, held_until - ("+j.now+"), state FROM codegrant_passes WHERE name = ?"), name).
		Scan(&held, &term, &left, &state)
	if err != nil {
		return fail(err)
	}
	if held != holder {
		return fail(fmt.Errorf("%w, for %s more unless it is renewed", ErrHeld, time.Duration(max(left, 0))*time.Millisecond))
	}
	return term, state, nil
}

// Renew implements [Journal].
func (j *SQLJournal) Renew(ctx context.Context, name string, term int64, ttl time.Duration) error {
	result, err := j.exec(ctx, "UPDATE codegrant_passes SET held_until = "+j.now+" + ? WHERE name = ? AND term = ?", ttl.Milliseconds(), name, term)
	return named("renew the lease", j.held(ctx, name, term, result, err))
}

// Write implements [Journal].
func (j *SQLJournal) Write(ctx context.Context, name string, term int64, ttl time.Duration, state []byte) error {
	result, err := j.exec(ctx, "UPDATE codegrant_passes SET state = ?, held_until = "+j.now+" + ? WHERE name = ? AND term = ?",
		string(state), ttl.Milliseconds(), name, term)
	return named("write to the journal", j.held(ctx, name, term, result, err))
}

// held reports whether an update of the row of a term found it. MySQL does not
// count a row that it left as it was.
func (j *SQLJournal) held(ctx context.Context, name string, term int64, result sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n > 0 {
		return err
	}
	var one int
	err = j.db.QueryRowContext(ctx, sqldialect.Number(j.dialect, "SELECT 1 FROM codegrant_passes WHERE name = ? AND term = ?"), name, term).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrLost
	}
	return err
}

// Look implements [Looker].
func (j *SQLJournal) Look(ctx context.Context, name string) (state []byte, held bool, err error) {
	var left int64
	err = j.db.QueryRowContext(ctx, sqldialect.Number(j.dialect, "SELECT held_until - ("+j.now+"), state FROM codegrant_passes WHERE name = ?"), name).Scan(&left, &state)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return state, left > 0, named("read the journal", err)
}

// Release implements [Journal].
func (j *SQLJournal) Release(ctx context.Context, name string, term int64) error {
	_, err := j.exec(ctx, "UPDATE codegrant_passes SET held_until = 0 WHERE name = ? AND term = ?", name, term)
	return named("release the lease", err)
}

// AddMembers implements [Journal].
func (j *SQLJournal) AddMembers(ctx context.Context, pass, group string, subjects []string) error {
	for chunk := range slices.Chunk(subjects, maxRows) {
		args := make([]any, 0, 3*len(chunk))
		for _, subject := range chunk {
			args = append(args, pass, subject, group)
		}
		rows := strings.TrimSuffix(strings.Repeat("(?, ?, ?), ", len(chunk)), ", ")
		if _, err := j.exec(ctx, "INSERT INTO codegrant_pass_members (pass, subject, member_of) VALUES "+rows+j.ignore, args...); err != nil {
			return fmt.Errorf("write to the journal: %w", err)
		}
	}
	return nil
}

// maxRows is how many rows a statement has at most.
const maxRows = 500

// GroupsOf implements [Journal].
func (j *SQLJournal) GroupsOf(ctx context.Context, pass string, subjects []string) (map[string][]string, error) {
	of := make(map[string][]string, len(subjects))
	for chunk := range slices.Chunk(subjects, maxRows) {
		args := []any{pass}
		for _, subject := range chunk {
			args = append(args, subject)
		}
		places := strings.TrimSuffix(strings.Repeat("?, ", len(chunk)), ", ")
		if err := j.groupsOf(ctx, of, "SELECT subject, member_of FROM codegrant_pass_members WHERE pass = ? AND subject IN ("+places+") ORDER BY subject, member_of", args); err != nil {
			return nil, fmt.Errorf("read the journal: %w", err)
		}
	}
	return of, nil
}

func (j *SQLJournal) groupsOf(ctx context.Context, of map[string][]string, statement string, args []any) error {
	rows, err := j.db.QueryContext(ctx, sqldialect.Number(j.dialect, statement), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var subject, group string
		if err := rows.Scan(&subject, &group); err != nil {
			return err
		}
		of[subject] = append(of[subject], group)
	}
	return rows.Err()
}

// forgetAtOnce is how many people are forgotten in one transaction.
const forgetAtOnce = 5000

// Forget implements [Journal].
func (j *SQLJournal) Forget(ctx context.Context, pass string) error {
	for {
		var last string
		err := j.db.QueryRowContext(ctx, sqldialect.Number(j.dialect, "SELECT subject FROM codegrant_pass_members WHERE pass = ? ORDER BY subject LIMIT 1 OFFSET "+
			strconv.Itoa(forgetAtOnce)), pass).Scan(&last)
		if errors.Is(err, sql.ErrNoRows) {
			_, err = j.exec(ctx, "DELETE FROM codegrant_pass_members WHERE pass = ?", pass)
			return named("clear the journal", err)
		}
		if err == nil {
			_, err = j.exec(ctx, "DELETE FROM codegrant_pass_members WHERE pass = ? AND subject <= ?", pass, last)
		}
		if err != nil {
			return fmt.Errorf("clear the journal: %w", err)
		}
	}
}
