package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/codegrant/codegrant/internal/sqldialect"
)

var (
	// ErrNotEmpty means that the database has people, groups or organizations already.
	// Nothing was written.
	ErrNotEmpty = errors.New("the database is not empty")

	// ErrOther means that a row of the file and a row of the database have the same number,
	// and are of two people or groups, or that a group has two numbers. Nothing was written.
	ErrOther = errors.New("the file is of another database")

	// ErrAnotherRow means that a person of the file has another number in the database: they
	// were erased after the backup, and have come back from the pool. Erase the row that the
	// error names, and restore again. Nothing was written.
	ErrAnotherRow = errors.New("somebody of the file has another row in the database")
)

// Options are how a file is restored.
type Options struct {
	// Identities decrypt the file. Required.
	Identities []age.Identity

	// Overwrite replaces the rows of a person, group or organization that is also in the
	// file, with memberships and history. Others in the database stay as they are, but are
	// linked to nobody whom the file links to another. Without Overwrite, the database must
	// be empty.
	Overwrite bool
}

// Holds counts what a database has, by section.
func Holds(ctx context.Context, c Config) (map[string]int64, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	counts := make(map[string]int64)
	err := engine{c.Dialect}.snapshot(ctx, c.DB, func(q querier) error {
		for _, s := range sections {
			there, err := sqldialect.HasTable(ctx, q, c.Dialect, s.table)
			if err != nil {
				return err
			}
			if !there {
				continue
			}
			if counts[s.name], err = s.count(ctx, q); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look at the database: %w", err)
	}
	return counts, nil
}

// count is how many rows of a section a database has.
func (s section) count(ctx context.Context, q querier) (n int64, err error) {
	count := "SELECT count(*) FROM " + s.table
	if s.where != "" {
		count += " WHERE " + s.where
	}
	if err := q.QueryRowContext(ctx, count).Scan(&n); err != nil {
		return 0, fmt.Errorf("%s: %w", s.name, err)
	}
	return n, nil
}

// Restore writes a file into a database, whose tables are there. It opens the file twice:
// first the whole is verified, and then all is written in one transaction. Whatever ends it
// before leaves the database as it was. Nobody else should write meanwhile: without
// Overwrite, a row that somebody else has written ends the restore.
//
// New rows are numbered from beyond the numbers of the file, so that no number which was
// given after the backup is given again.
func Restore(ctx context.Context, c Config, open func() (io.ReadCloser, error), o Options) (*Summary, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	read := func(v visitor) (*Summary, error) {
		f, err := open()
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return opened(f, o.Identities, func(r io.Reader) (*Summary, error) { return decode(r, v) })
	}
	first, err := read(visitor{})
	if err != nil {
		return nil, err
	}
	holds, err := Holds(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, s := range sections {
		_, there := holds[s.name]
		switch {
		case !there && first.Rows[s.name] > 0:
			return nil, fmt.Errorf("the database has no table %s: run codegrant migrate first", s.table)
		case s.counts && holds[s.name] > 0 && !o.Overwrite:
			return nil, fmt.Errorf("%w: it has %d rows of %s", ErrNotEmpty, holds[s.name], s.name)
		}
	}
	number := func(q querier) error {
		for _, s := range sections {
			if s.numbers {
				if err := (engine{c.Dialect}).goOn(ctx, q, s.table, first.last[s.name]+spare); err != nil {
					return fmt.Errorf("number rows of %s: %w", s.table, err)
				}
			}
		}
		return nil
	}
	if c.Dialect == MySQL {
		if err := number(c.DB); err != nil {
			return nil, err
		}
	}
	tx, err := c.DB.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer tx.Rollback() // after Commit it does nothing
	w := &writer{ctx: ctx, q: tx, engine: engine{c.Dialect}, overwrite: o.Overwrite}
	second, err := read(visitor{begin: w.begin, row: w.row, end: w.end})
	if err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	if !first.same(second) {
		return nil, fmt.Errorf("%w: while it was read", ErrDamaged)
	}
	if c.Dialect != MySQL {
		if err := number(tx); err != nil {
			return nil, err
		}
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("restore: %w", err)
	}
	return second, nil
}

// How much goes into one statement.
const (
	maxRows = 500
	maxSize = 1 << 20
)

// writer writes rows, some at a time.
type writer struct {
	engine
	ctx       context.Context
	q         querier
	overwrite bool

	section section
	rows    [][]any
	size    int
	pools   map[string]bool // issuers of the file
}

func (w *writer) begin(s section) error {
	w.section = s
	if s.counts && !w.overwrite {
		// Somebody may have come since it was looked at first.
		if n, err := s.count(w.ctx, w.q); err != nil || n > 0 {
			return cmp.Or(err, fmt.Errorf("%w: it has %d rows of %s now", ErrNotEmpty, n, s.name))
		}
	}
	if s.byPool && w.overwrite {
		for issuer := range w.pools {
			if err := w.clear(issuer); err != nil {
				return err
			}
		}
	}
	return nil
}

// pool notes that a pool is one of the file.
func (w *writer) pool(issuer string) error {
	if w.pools[issuer] {
		return nil
	}
	if w.pools == nil {
		w.pools = make(map[string]bool)
	}
	w.pools[issuer] = true
	if w.section.byPool && w.overwrite {
		return w.clear(issuer)
	}
	return nil
}

// clear removes the rows of a pool.
func (w *writer) clear(issuer string) error {
	_, err := w.q.ExecContext(w.ctx, "DELETE FROM "+w.section.table+" WHERE issuer = "+sqldialect.Marks(w.Dialect, 1, 1), issuer)
	return err
}

func (w *writer) end(s section) error {
	if err := w.flush(); err != nil || s.name != "links" || !w.overwrite {
		return err
	}
	// Somebody who is only in the database may be linked to a row that the file links to
	// another. There are no chains: they are a person of their own then.
	_, err := w.q.ExecContext(w.ctx, "UPDATE codegrant_users SET linked_to = NULL, linked_at = NULL, linked_by = NULL WHERE linked_to IN (SELECT id FROM (SELECT id FROM codegrant_users WHERE linked_to IS NOT NULL) AS linked)")
	return err
}

// beforeRow is a test's.
var beforeRow = func() {}

func (w *writer) row(s section, values []any, size int) error {
	beforeRow()
	if i := slices.IndexFunc(s.columns, func(c column) bool { return c.name == "issuer" }); i >= 0 {
		if err := w.pool(values[i].(string)); err != nil {
			return err
		}
	}
	for i := range values {
		values[i] = w.bind(values[i])
	}
	w.rows, w.size = append(w.rows, values), w.size+size
	if len(w.rows) < maxRows && w.size < maxSize {
		return nil
	}
	return w.flush()
}

func (w *writer) flush() (err error) {
	if len(w.rows) == 0 {
		return nil
	}
	switch {
	case w.section.update:
		err = w.change("")
	case w.section.later && w.overwrite:
		// Keep the later start of the history: before it, only people of the file have a history.
		err = w.change("since")
	default:
		err = w.insert()
	}
	w.rows, w.size = w.rows[:0], 0
	if err != nil {
		return fmt.Errorf("%s: %w", w.section.name, err)
	}
	return nil
}

func (w *writer) insert() error {
	s := w.section
	if w.overwrite {
		if err := w.replace(); err != nil {
			return err
		}
	}
	var names, tuples []string
	var args []any
	for _, c := range s.columns {
		names = append(names, c.name)
	}
	for _, row := range w.rows {
		tuples = append(tuples, "("+sqldialect.Marks(w.Dialect, len(args)+1, len(row))+")")
		args = append(args, row...)
	}
	statement := "INSERT INTO " + s.table + " (" + strings.Join(names, ", ") + ") VALUES " + strings.Join(tuples, ", ")
	if w.overwrite || s.later {
		statement += w.upsert(s)
	}
	_, err := w.q.ExecContext(w.ctx, statement, args...)
	return err
}

// change writes columns of rows that are there, or of those alone in which a column is less.
func (w *writer) change(less string) error {
	s := w.section
	var sets []string
	for i, c := range s.columns[1:] {
		sets = append(sets, c.name+" = "+sqldialect.Marks(w.Dialect, i+1, 1))
	}
	statement := "UPDATE " + s.table + " SET " + strings.Join(sets, ", ") + " WHERE id = " + sqldialect.Marks(w.Dialect, len(s.columns), 1)
	if less != "" {
		statement += " AND " + less + " < " + sqldialect.Marks(w.Dialect, len(s.columns)+1, 1)
	}
	for _, row := range w.rows {
		args := append(row[1:len(row):len(row)], row[0])
		if less != "" {
			args = append(args, row[slices.IndexFunc(s.columns, func(c column) bool { return c.name == less })])
		}
		if _, err := w.q.ExecContext(w.ctx, statement, args...); err != nil {
			return err
		}
	}
	return nil
}

// replace looks whether the rows are those of the database, and removes what belongs to
// them.
func (w *writer) replace() error {
	s := w.section
	ids := make([]any, len(w.rows))
	for i, row := range w.rows {
		ids[i] = row[0]
	}
	in := " IN (" + sqldialect.Marks(w.Dialect, 1, len(ids)) + ")"
	if len(s.natural) == 2 {
		if err := w.compare(in, ids); err != nil {
			return err
		}
	}
	for _, child := range s.child {
		there, err := sqldialect.HasTable(w.ctx, w.q, w.Dialect, child.table)
		if err != nil || !there {
			return err
		}
		if _, err := w.q.ExecContext(w.ctx, "DELETE FROM "+child.table+" WHERE "+child.column+in, ids...); err != nil {
			return err
		}
	}
	if s.name == "people" {
		_, err := w.q.ExecContext(w.ctx, "UPDATE codegrant_users SET linked_to = NULL, linked_at = NULL, linked_by = NULL WHERE id"+in, ids...)
		return err
	}
	return nil
}

// compare reports whether a row of the file has the number of another row of the
// database, or another number.
func (w *writer) compare(in string, ids []any) error {
	s := w.section
	type who struct{ issuer, name string }
	places := [2]int{}
	for i, natural := range s.natural {
		for j, c := range s.columns {
			if c.name == natural {
				places[i] = j
			}
		}
	}
	byID, byWho, names := make(map[int64]who), make(map[who]int64), make(map[string][]any)
	for _, row := range w.rows {
		it := who{row[places[0]].(string), row[places[1]].(string)}
		byID[row[0].(int64)], byWho[it] = it, row[0].(int64)
		names[it.issuer] = append(names[it.issuer], it.name)
	}
	look := func(where string, args ...any) error {
		rows, err := w.q.QueryContext(w.ctx, "SELECT id, "+strings.Join(s.natural, ", ")+" FROM "+s.table+" WHERE "+where, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int64
			var it who
			if err := rows.Scan(&id, &it.issuer, &it.name); err != nil {
				return err
			}
			if other, ok := byID[id]; ok && other != it {
				return fmt.Errorf("%w: row %d is %q there, and %q here", ErrOther, id, other.name, it.name)
			}
			if other, ok := byWho[it]; ok && other != id && s.name == "people" {
				return fmt.Errorf("%w: %q is row %d now, and row %d in the file, as if they had come back after an erasure: erase row %d first", ErrAnotherRow, it.name, id, other, id)
			} else if ok && other != id {
				return fmt.Errorf("%w: %q is row %d there, and row %d here", ErrOther, it.name, other, id)
			}
		}
		return rows.Err()
	}
	if err := look("id"+in, ids...); err != nil {
		return err
	}
	for issuer, all := range names {
		if err := look(s.natural[0]+" = "+sqldialect.Marks(w.Dialect, 1, 1)+" AND "+s.natural[1]+" IN ("+sqldialect.Marks(w.Dialect, 2, len(all))+")", append([]any{issuer}, all...)...); err != nil {
			return err
		}
	}
	return nil
}
