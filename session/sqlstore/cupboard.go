package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/internal/sqldialect"
	"github.com/codegrant/codegrant/session"
)

// Cupboard returns the cupboard in the same database. [Store.Migrate] makes its table.
func (s *Store) Cupboard() cupboard.Store { return shelves{s} }

type shelves struct{ *Store }

// querier is a database, or a transaction in it.
type querier interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}

func (c shelves) exec(ctx context.Context, q querier, query string, args ...any) (int64, error) {
	result, err := q.ExecContext(ctx, sqldialect.Number(c.engine.dialect, query), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// words are the answers that are no faults.
var words = []error{cupboard.ErrNotFound, cupboard.ErrExists, cupboard.ErrConflict, cupboard.ErrFull, cupboard.ErrTooLarge, cupboard.ErrUnavailable}

func (c shelves) fault(ctx context.Context, operation string, kind cupboard.Kind, err error) error {
	operation += " " + kind.Name
	for _, word := range words {
		if errors.Is(err, word) {
			return fmt.Errorf("%s: %w", operation, err)
		}
	}
	if err = c.fail(ctx, operation, err); !errors.Is(err, session.ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", cupboard.ErrUnavailable, err)
}

// read runs what may run twice.
func (c shelves) read(ctx context.Context, operation string, kind cupboard.Kind, run func(context.Context) error) error {
	ctx, cancel := c.within(ctx)
	defer cancel()
	err := kind.Check()
	if err == nil {
		err = c.again(ctx, true, func() error { return run(ctx) })
	}
	if err != nil {
		return c.fault(ctx, operation, kind, err)
	}
	return nil
}

// change runs what changes a shelf. Where that is watched, it does so in a transaction
// that counts, so that numbers come to be seen in their order. next gives a number.
func (c shelves) change(ctx context.Context, operation string, kind cupboard.Kind, run func(ctx context.Context, q querier, next func() (int64, error)) error) error {
	ctx, cancel := c.within(ctx)
	defer cancel()
	err := kind.Check()
	switch {
	case err != nil:
	case !kind.Watched:
		err = c.again(ctx, false, func() error { return run(ctx, c.db, func() (int64, error) { return 0, nil }) })
	default:
		if err = c.count0(ctx, kind); err == nil {
			err = c.again(ctx, false, func() error { return c.transaction(ctx, kind, run) })
		}
	}
	if err != nil {
		return c.fault(ctx, operation, kind, err)
	}
	return nil
}

// count0 makes the row that counts a kind's changes, where there is none.
func (c shelves) count0(ctx context.Context, kind cupboard.Kind) error {
	return c.again(ctx, true, func() error {
		var one int
		err := c.db.QueryRowContext(ctx, sqldialect.Number(c.engine.dialect, "SELECT 1 FROM codegrant_cupboard WHERE kind = ? AND name = ''"), kind.Name).Scan(&one)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		_, err = c.exec(ctx, c.db, "INSERT INTO codegrant_cupboard (kind, name, person, version, number, gone, until, content) VALUES (?, '', '', 0, 0, 1, ?, ?)",
			kind.Name, int64(math.MaxInt64), []byte{})
		if err != nil && c.engine.classify(err) == faultDuplicate {
			return nil
		}
		return err
	})
}

func (c shelves) transaction(ctx context.Context, kind cupboard.Kind, run func(context.Context, querier, func() (int64, error)) error) error {
	tx, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	next := func() (n int64, err error) {
		if _, err = c.exec(ctx, tx, "UPDATE codegrant_cupboard SET version = version + 1 WHERE kind = ? AND name = ''", kind.Name); err != nil {
			return 0, err
		}
		err = tx.QueryRowContext(ctx, sqldialect.Number(c.engine.dialect, "SELECT version FROM codegrant_cupboard WHERE kind = ? AND name = ''"), kind.Name).Scan(&n)
		return n, err
	}
	if err := run(ctx, tx, next); err != nil {
		return err
	}
	return tx.Commit()
}

// putsSwept is one call of how many removes what has had its time.
const putsSwept = 16

// Put implements [cupboard.Store].
func (c shelves) Put(ctx context.Context, kind cupboard.Kind, r cupboard.Record) error {
	const operation = "put"
	if err := kind.Fits(r); err != nil {
		return c.fault(ctx, operation, kind, err)
	}
	return c.change(ctx, operation, kind, func(ctx context.Context, q querier, next func() (int64, error)) error {
		number, err := next()
		if err != nil {
			return err
		}
		now := micros(c.now())
		if rand.N(putsSwept) == 0 {
			_, err = c.exec(ctx, q, "DELETE FROM codegrant_cupboard WHERE kind = ? AND until <= ? AND name <> ''", kind.Name, now)
		} else {
			_, err = c.exec(ctx, q, "DELETE FROM codegrant_cupboard WHERE kind = ? AND name = ? AND until <= ?", kind.Name, r.Key, now)
		}
		if err == nil && kind.Watched {
			_, err = c.exec(ctx, q, "DELETE FROM codegrant_cupboard WHERE kind = ? AND name = ? AND gone = 1", kind.Name, r.Key)
		}
		if err != nil {
			return err
		}
		all, own := 0, 0
		if !c.rooms.take(kind, c.now()) {
			if all, err = c.live(ctx, q, kind, "", now); err != nil {
				return err
			}
			c.rooms.count(kind, all, c.now())
		}
		if r.Person != "" {
			if own, err = c.live(ctx, q, kind, r.Person, now); err != nil {
				return err
			}
		}
		if all >= kind.MaxRecords || own >= kind.MaxOfPerson {
			if _, err := c.get(ctx, q, kind, r.Key, now); err == nil {
				return cupboard.ErrExists
			}
			return cupboard.ErrFull
		}
		_, err = c.exec(ctx, q, "INSERT INTO codegrant_cupboard (kind, name, person, version, number, gone, until, content) VALUES (?, ?, ?, 1, ?, 0, ?, ?)",
			kind.Name, r.Key, r.Person, number, micros(r.Until), notNil(r.Value))
		if err != nil && c.engine.classify(err) == faultDuplicate {
			return cupboard.ErrExists
		}
		return err
	})
}

// ofPerson is the table for a statement about the records of a person, who are few. SQLite
// takes a shelf for short, and would read all of it.
func (c shelves) ofPerson() string {
	if c.engine == engines[SQLite] {
		return "codegrant_cupboard INDEXED BY codegrant_cupboard_person"
	}
	return "codegrant_cupboard"
}

// live counts records, of a person or of all.
func (c shelves) live(ctx context.Context, q querier, kind cupboard.Kind, person string, now int64) (n int, err error) {
	table, own, args := "codegrant_cupboard", "", []any{kind.Name, now}
	if person != "" {
		table, own, args = c.ofPerson(), " AND person = ?", append(args, person)
	}
	query := "SELECT COUNT(*) FROM " + table + " WHERE kind = ? AND until > ? AND gone = 0" + own
	err = q.QueryRowContext(ctx, sqldialect.Number(c.engine.dialect, query), args...).Scan(&n)
	return n, err
}

func (c shelves) get(ctx context.Context, q querier, kind cupboard.Kind, key string, now int64) (cupboard.Record, error) {
	r := cupboard.Record{Key: key}
	var until int64
	err := q.QueryRowContext(ctx, sqldialect.Number(c.engine.dialect, "SELECT name, person, version, until, content FROM codegrant_cupboard WHERE kind = ? AND name = ? AND until > ? AND gone = 0"),
		kind.Name, key, now).Scan(&r.Key, &r.Person, &r.Version, &until, &r.Value)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return cupboard.Record{}, cupboard.ErrNotFound
	case err != nil:
		return cupboard.Record{}, err
	case r.Key != key || key == "":
		return cupboard.Record{}, errors.New("the database answered with another row")
	}
	r.Until = moment(until)
	return r, nil
}

// Get implements [cupboard.Store].
func (c shelves) Get(ctx context.Context, kind cupboard.Kind, key string) (r cupboard.Record, err error) {
	err = c.read(ctx, "get", kind, func(ctx context.Context) (err error) {
		r, err = c.get(ctx, c.db, kind, key, micros(c.now()))
		return err
	})
	return r, err
}

// remove takes a record away, if its version is still r's.
func (c shelves) remove(ctx context.Context, q querier, kind cupboard.Kind, r cupboard.Record, number int64) (bool, error) {
	var n int64
	var err error
	if kind.Watched {
		n, err = c.exec(ctx, q, "UPDATE codegrant_cupboard SET gone = 1, number = ?, version = version + 1, content = ? WHERE kind = ? AND name = ? AND version = ? AND gone = 0",
			number, []byte{}, kind.Name, r.Key, r.Version)
	} else {
		n, err = c.exec(ctx, q, "DELETE FROM codegrant_cupboard WHERE kind = ? AND name = ? AND version = ?", kind.Name, r.Key, r.Version)
	}
	return n == 1, err
}

// Take implements [cupboard.Store].
func (c shelves) Take(ctx context.Context, kind cupboard.Kind, key string) (r cupboard.Record, err error) {
	err = c.change(ctx, "take", kind, func(ctx context.Context, q querier, next func() (int64, error)) error {
		number, err := next()
		for err == nil {
			if r, err = c.get(ctx, q, kind, key, micros(c.now())); err != nil {
				break
			}
			var taken bool
			if taken, err = c.remove(ctx, q, kind, r, number); taken {
				break
			}
		}
		return err
	})
	if err != nil {
		return cupboard.Record{}, err
	}
	return r, nil
}

// Swap implements [cupboard.Store].
func (c shelves) Swap(ctx context.Context, kind cupboard.Kind, r cupboard.Record) (cupboard.Record, error) {
	const operation = "swap"
	if err := kind.Fits(r); err != nil {
		return cupboard.Record{}, c.fault(ctx, operation, kind, err)
	}
	swapped := r
	err := c.change(ctx, operation, kind, func(ctx context.Context, q querier, next func() (int64, error)) error {
		number, err := next()
		if err != nil {
			return err
		}
		now := micros(c.now())
		old, err := c.get(ctx, q, kind, r.Key, now)
		if err != nil {
			return err
		}
		n, err := c.exec(ctx, q, "UPDATE codegrant_cupboard SET version = version + 1, number = ?, until = ?, content = ? WHERE kind = ? AND name = ? AND version = ? AND gone = 0 AND until > ?",
			number, micros(r.Until), notNil(r.Value), kind.Name, r.Key, r.Version, now)
		if err == nil && n == 0 {
			err = cupboard.ErrConflict
		}
		swapped.Person, swapped.Version, swapped.Until = old.Person, r.Version+1, moment(micros(r.Until))
		return err
	})
	if err != nil {
		return cupboard.Record{}, err
	}
	return swapped, nil
}

// List implements [cupboard.Store].
func (c shelves) List(ctx context.Context, kind cupboard.Kind, q cupboard.Query) (found []cupboard.Record, err error) {
	err = c.read(ctx, "list", kind, func(ctx context.Context) (err error) {
		found, err = c.list(ctx, c.db, kind, q)
		return err
	})
	return found, err
}

func (c shelves) list(ctx context.Context, from querier, kind cupboard.Kind, q cupboard.Query) ([]cupboard.Record, error) {
	table, where, args := "codegrant_cupboard", "until > ? AND gone = 0 AND name > ?", []any{kind.Name, micros(c.now()), q.After}
	if q.Person != "" {
		table, where, args = c.ofPerson(), where+" AND person = ?", append(args, q.Person)
	}
	changes, err := c.rows(ctx, from, table, where+" ORDER BY name", q.Limit, args...)
	found := make([]cupboard.Record, len(changes))
	for i, change := range changes {
		found[i] = change.Record
	}
	return found, err
}

func (c shelves) rows(ctx context.Context, q querier, table, where string, limit int, args ...any) ([]cupboard.Change, error) {
	if limit <= 0 {
		limit = cupboard.DefaultLimit
	}
	rows, err := q.QueryContext(ctx, sqldialect.Number(c.engine.dialect, "SELECT name, person, version, number, gone, until, content FROM "+table+" WHERE kind = ? AND name <> '' AND "+
		where+" LIMIT "+strconv.Itoa(limit)), args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []cupboard.Change
	for rows.Next() {
		var r cupboard.Change
		var gone int
		var until int64
		if err := rows.Scan(&r.Key, &r.Person, &r.Version, &r.Number, &gone, &until, &r.Value); err != nil {
			return nil, err
		}
		r.Gone, r.Until = gone != 0, moment(until)
		found = append(found, r)
	}
	return found, rows.Err()
}

// EraseRecords removes the records of a person on every shelf of [Store.Cupboard], within the
// transaction, and says how many. Two kinds stay until they end by themselves, because they
// only take away: marks that refuse the person's tokens, and revocations that the pool has
// still to make.
func (s *Store) EraseRecords(ctx context.Context, tx *sql.Tx, person string) (int64, error) {
	if person == "" {
		return 0, nil
	}
	return shelves{s}.exec(ctx, tx, "DELETE FROM codegrant_cupboard WHERE person = ? AND kind <> 'not-before' AND kind NOT LIKE 'revocations.%'", person)
}

// EndAll implements [cupboard.Store].
func (c shelves) EndAll(ctx context.Context, kind cupboard.Kind, person string) (n int, err error) {
	if person == "" {
		return 0, nil
	}
	err = c.change(ctx, "end all", kind, func(ctx context.Context, q querier, next func() (int64, error)) error {
		n = 0
		if !kind.Watched {
			gone, err := c.exec(ctx, q, "DELETE FROM "+c.ofPerson()+" WHERE kind = ? AND person = ? AND until > ?", kind.Name, person, micros(c.now()))
			n = int(gone)
			return err
		}
		if _, err := next(); err != nil { // others wait from here on
			return err
		}
		list, err := c.list(ctx, q, kind, cupboard.Query{Person: person, Limit: math.MaxInt32})
		for _, r := range list {
			if err != nil {
				break
			}
			var number int64
			if number, err = next(); err == nil {
				var gone bool
				if gone, err = c.remove(ctx, q, kind, r, number); gone {
					n++
				}
			}
		}
		return err
	})
	return n, err
}

// Len implements [cupboard.Store].
func (c shelves) Len(ctx context.Context, kind cupboard.Kind) (n int, err error) {
	err = c.read(ctx, "count", kind, func(ctx context.Context) (err error) {
		n, err = c.live(ctx, c.db, kind, "", micros(c.now()))
		return err
	})
	return n, err
}

// Watch implements [cupboard.Store].
func (c shelves) Watch(ctx context.Context, kind cupboard.Kind, since int64, limit int) (found []cupboard.Change, err error) {
	err = c.read(ctx, "watch", kind, func(ctx context.Context) (err error) {
		if !kind.Watched {
			return ctx.Err()
		}
		found, err = c.rows(ctx, c.db, "codegrant_cupboard", "number > ? AND until > ? ORDER BY number", limit, kind.Name, since, micros(c.now()))
		return err
	})
	return found, err
}
