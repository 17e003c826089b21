package sqlreplica

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// Erasure is the receipt for a person of whom nothing is kept any more. It has nothing of
// the person.
type Erasure struct {
	ID      string           // drawn
	At      time.Time        // when it was
	By      string           // who has said so
	Removed map[string]int64 // how much it was, by what
}

// EraseOptions are what else an erasure is made of.
type EraseOptions struct {
	By string // who says so, for the receipt. Required

	// Removed is what was removed elsewhere already, for the receipt.
	Removed map[string]int64

	// Within is called in the transaction, when nothing more of the person can get
	// into the outbox, with every identity of theirs. Like OnChange, it may be
	// called again. Its numbers go into the receipt. Nil: nothing else is kept in the
	// database.
	Within func(ctx context.Context, tx *sql.Tx, identities []replica.User) (map[string]int64, error)
}

// Erase removes a person, who may be named by any of their identities, with all of these:
// rows, memberships, history, and what waits in the outbox about them. Beside Django the
// account stays, for others refer to it, and has nothing of the person any more: it is
// turned off, in no group, and named after its key.
//
// It happens as a whole or not at all, in the transaction that OnChange joins with
// [replica.Change.Erased] before the rows are gone, so that rows of the application's that
// refer to them go first. The outbox has an entry without anything of the person but
// their keys. The person is [replica.ErrNotFound] from then on.
//
// If the pool still has the person, its next statement brings them back: delete them there first.
func (s *Store) Erase(ctx context.Context, id int64, o EraseOptions) (Erasure, error) {
	var receipt Erasure
	var lost string // the receipt of a run whose answer was lost
	err := s.again(ctx, func() error {
		err := s.linking(ctx, []int64{id}, func(tx *sql.Tx, people []row) error {
			person := people[0].ID
			rows, err := s.holdIdentities(ctx, tx, person)
			if err != nil {
				return err
			}
			receipt = Erasure{ID: rand.Text(), At: storedTime(s.now()), By: o.By, Removed: map[string]int64{"identities": int64(len(rows))}}
			add := func(what string, n int64) {
				if n > 0 {
					receipt.Removed[what] += n
				}
			}
			for what, n := range o.Removed {
				add(what, n)
			}
			var ids []int64
			var users []replica.User
			for _, r := range rows {
				ids, users = append(ids, r.ID), append(users, r.user())
				n, err := s.engine.sql("DELETE FROM codegrant_outbox WHERE issuer = ").bind(r.Issuer).sql(" AND subject = ").bind(r.Subject).execCount(ctx, tx)
				if err != nil {
					return err
				}
				add("changes that waited", n)
				add("memberships", int64(len(r.Groups)))
			}
			if o.Within != nil {
				more, err := o.Within(ctx, tx, users)
				if err != nil {
					return &hookError{"erasure by the application", err}
				}
				for what, n := range more {
					add(what, n)
				}
			}
			p := &plan{change: replica.Change{User: replica.User{ID: person}, Erased: ids}}
			if err := s.record(ctx, tx, p); err != nil {
				return err
			}
			if err := s.tell(ctx, tx, p); err != nil {
				return err
			}
			history, err := in(s.engine.sql("DELETE FROM codegrant_history WHERE "), "user_id", kindID, ids).execCount(ctx, tx)
			if err != nil {
				return err
			}
			add("entries of the history", history)
			if err := s.tables.eraseUsers(ctx, tx, ids); err != nil {
				return err
			}
			object, err := json.Marshal(receipt.Removed)
			if err != nil {
				return err
			}
			return s.engine.sql("INSERT INTO codegrant_erasures (id, erased_at, erased_by, removed) VALUES (").
				bind(receipt.ID, receipt.At, receipt.By, string(object)).sql(")").exec(ctx, tx)
		})
		switch {
		case s.isLost(err):
			lost = receipt.ID
		case errors.Is(err, replica.ErrNotFound) && lost != "":
			var one int
			done := s.engine.sql("SELECT 1 FROM codegrant_erasures WHERE id = ").bind(lost).scan(ctx, s.db, &one)
			if !errors.Is(done, sql.ErrNoRows) {
				return done
			}
		}
		return err
	})
	if err != nil {
		return Erasure{}, s.fail(ctx, "erase a person", err)
	}
	return receipt, nil
}

// holdIdentities takes hold of every identity of a person, whose own row is held, and
// reads them.
func (s *Store) holdIdentities(ctx context.Context, tx *sql.Tx, person int64) ([]row, error) {
	ids, err := s.identitiesOf(ctx, tx, person)
	if err != nil {
		return nil, err
	}
	ids = append([]int64{person}, ids...)
	slices.Sort(ids)
	if err := in(s.engine.sql(s.engine.lock), "id", kindID, ids).hold(ctx, tx); err != nil {
		return nil, err
	}
	rows, err := s.readRows(ctx, tx, in(s.engine.sql("SELECT id FROM codegrant_users WHERE "), "id", kindID, ids))
	if err == nil && len(rows) < len(ids) {
		err = errAgain
	}
	return rows, err
}

// Erasures returns the newest receipts, at most n ([replica.PageSize] says what n may be).
func (s *Store) Erasures(ctx context.Context, n int) ([]Erasure, error) {
	var all []Erasure
	err := s.again(ctx, func() error {
		all = nil
		list := s.engine.sql("SELECT id, " + s.engine.readTime("erased_at") + ", erased_by, removed FROM codegrant_erasures ORDER BY erased_at DESC, id LIMIT ").bind(replica.PageSize(n))
		return each(ctx, s.db, list, "a receipt", func(rows *sql.Rows) error {
			var e Erasure
			var object string
			if err := rows.Scan(&e.ID, timeColumn{&e.At}, &e.By, &object); err != nil {
				return err
			}
			all = append(all, e)
			return json.Unmarshal([]byte(object), &all[len(all)-1].Removed)
		})
	})
	if err != nil {
		return nil, s.fail(ctx, "list receipts of erasures", err)
	}
	return all, nil
}

// execCount is exec that says how many rows it was.
func (s *statement) execCount(ctx context.Context, q querier) (int64, error) {
	result, err := q.ExecContext(ctx, s.text.String(), s.args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (o ownTables) eraseUsers(ctx context.Context, tx *sql.Tx, ids []int64) error {
	return in(o.engine.sql("DELETE FROM codegrant_users WHERE "), "id", kindID, ids).exec(ctx, tx)
}

func (d djangoTables) eraseUsers(ctx context.Context, tx *sql.Tx, ids []int64) error {
	for _, statement := range []string{"DELETE FROM codegrant_users WHERE ", "DELETE FROM auth_user_groups WHERE ", "DELETE FROM codegrant_stated WHERE "} {
		key := "user_id"
		if strings.Contains(statement, "codegrant_users") {
			key = "id"
		}
		if err := in(d.engine.sql(statement), key, kindID, ids).exec(ctx, tx); err != nil {
			return err
		}
	}
	for _, id := range ids {
		// Django takes a password that begins so for one that nobody can have.
		err := d.engine.sql("UPDATE auth_user SET username = ").bind("erased-"+strconv.FormatInt(id, 10)).sql(", password = ").bind("!"+rand.Text()).
			sql(", email = '', first_name = '', last_name = '', last_login = NULL, is_active = ").bind(false).
			sql(", is_staff = ").bind(false).sql(", is_superuser = ").bind(false).sql(" WHERE id = ").bind(id).exec(ctx, tx)
		if err != nil {
			return err
		}
	}
	return nil
}
