package sqlreplica

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/codegrant/codegrant/internal/sqldialect"
	"github.com/codegrant/codegrant/replica"
)

// DjangoAccount is a row of auth_user, and who is linked to it.
type DjangoAccount struct {
	ID       int64
	Username string
	Email    string
	Active   bool

	// TurnedOff: it is not active because the pool disabled or deleted the person, and is
	// again when the pool enables or has them.
	TurnedOff bool

	// Of the person who is linked to it; empty: nobody is.
	Issuer, Subject   string
	Gone              bool   // the pool has the person no longer
	PoolEmail         string // as the pool states it
	PoolEmailVerified bool
}

// errNotDjango: only a store in Django's tables knows accounts apart from people.
var errNotDjango = fmt.Errorf("%w: the replica is not in Django's tables", replica.ErrInvalid)

// DjangoAccounts returns every account of the project, by ID: to find those that are in
// each other's way. It needs Django's tables and not those beside them, so that it can be
// asked before [Store.Migrate] is.
func (s *Store) DjangoAccounts(ctx context.Context) (accounts []DjangoAccount, err error) {
	if _, ok := s.tables.(djangoTables); !ok {
		return nil, errNotDjango
	}
	columns, join := "a.id, a.username, a.email, a.is_active, NULL, NULL, NULL, NULL, NULL, NULL", ""
	switch there, err := sqldialect.HasTable(ctx, s.db, s.engine.dialect, "codegrant_users"); {
	case err != nil:
		return nil, s.fail(ctx, "list the accounts of Django", err)
	case there:
		columns = "a.id, a.username, a.email, a.is_active, u.deactivated, u.issuer, u.subject, u.deleted_at IS NOT NULL, u.email, u.email_verified"
		join = " LEFT JOIN codegrant_users u ON u.id = a.id"
	}
	err = s.again(ctx, func() error {
		accounts = nil
		return each(ctx, s.db, s.engine.sql("SELECT "+columns+" FROM auth_user a"+join+" ORDER BY a.id"), "an account of Django", func(rows *sql.Rows) error {
			var a DjangoAccount
			var issuer, subject, email sql.NullString
			var verified, turnedOff, gone sql.NullBool
			err := rows.Scan(&a.ID, &a.Username, &a.Email, &a.Active, &turnedOff, &issuer, &subject, &gone, &email, &verified)
			a.TurnedOff, a.Gone = turnedOff.Bool && !a.Active, gone.Bool
			a.Issuer, a.Subject, a.PoolEmail, a.PoolEmailVerified = issuer.String, subject.String, email.String, verified.Bool
			accounts = append(accounts, a)
			return err
		})
	})
	if err != nil {
		return nil, s.fail(ctx, "list the accounts of Django", err)
	}
	return accounts, nil
}

// RelinkDjango links an account to the person that issuer and subject name. It replaces
// earlier links of the account and of the person. Use it for people whose pool user was
// created again, and for accounts that only an operator can assign. It forgets the last
// data of the pool about both, so that the next data count. The earlier account of the
// person stays in Django as it is.
//
// It is [replica.ErrConflict] while the account is that of a linked identity, or while the
// person's earlier account is, or has others linked to it: accounts of linked identities
// are off, and nobody would turn them on again. Unlink them first.
func (s *Store) RelinkDjango(ctx context.Context, account int64, issuer, subject string) error {
	d, ok := s.tables.(djangoTables)
	if !ok {
		return errNotDjango
	}
	now := storedTime(s.now())
	person := replica.Snapshot{Issuer: issuer, Subject: subject, At: now}
	if err := person.Validate(); err != nil {
		return fmt.Errorf("relink user %d of Django: %w", account, err)
	}
	err := s.again(ctx, func() error {
		tx, err := s.db.BeginTx(ctx, s.engine.change)
		if err != nil {
			return err
		}
		defer tx.Rollback() // after Commit it does nothing
		var a djangoAccount
		err = s.engine.sql("SELECT id, email, is_active FROM auth_user WHERE id = ").bind(account).scan(ctx, tx, &a.id, &a.email, &a.active)
		if errors.Is(err, sql.ErrNoRows) {
			return replica.ErrNotFound
		}
		if err != nil {
			return err
		}
		if err := d.relinkable(ctx, tx, account, issuer, subject); err != nil {
			return err
		}
		for _, statement := range []*statement{
			s.engine.sql("DELETE FROM codegrant_users WHERE issuer = ").bind(issuer).sql(" AND subject = ").bind(subject).sql(" AND id <> ").bind(account),
			s.engine.sql("DELETE FROM codegrant_confirmations WHERE user_id = ").bind(account),
			s.engine.sql("UPDATE codegrant_users SET issuer = ").bind(issuer).sql(", subject = ").bind(subject).
				sql(", enabled = ").bind(true).sql(", deleted_at = NULL, as_of = ").bind(longAgo).sql(", groups_as_of = NULL, updated_at = ").bind(now).sql(" WHERE id = ").bind(account),
		} {
			if err := statement.exec(ctx, tx); err != nil {
				return err
			}
		}
		var one int
		err = s.engine.sql("SELECT 1 FROM codegrant_users WHERE id = ").bind(account).scan(ctx, tx, &one)
		if errors.Is(err, sql.ErrNoRows) {
			err = d.insertBeside(ctx, tx, row{User: replica.User{
				ID: account, Issuer: issuer, Subject: subject, Email: a.email, Enabled: true, Created: now, Updated: now, AsOf: longAgo,
			}}, false)
		}
		if err != nil {
			return err
		}
		return tx.Commit()
	})
	if err != nil {
		return s.fail(ctx, fmt.Sprintf("relink user %d of Django", account), err)
	}
	return nil
}

// relinkable holds the rows that a relink changes, and refuses where links would break.
func (d djangoTables) relinkable(ctx context.Context, tx *sql.Tx, account int64, issuer, subject string) error {
	either := d.engine.sql(d.engine.lock + "(id = ").bind(account).sql(" OR issuer = ").bind(issuer).sql(" AND subject = ").bind(subject).sql(")")
	if err := either.hold(ctx, tx); err != nil {
		return err
	}
	var linked int64
	err := d.engine.sql("SELECT id FROM codegrant_users WHERE id = ").bind(account).sql(" AND linked_to IS NOT NULL").
		sql(" UNION ALL SELECT COALESCE(o.id, u.id) FROM codegrant_users u LEFT JOIN codegrant_users o ON o.linked_to = u.id WHERE u.issuer = ").bind(issuer).
		sql(" AND u.subject = ").bind(subject).sql(" AND u.id <> ").bind(account).sql(" AND (o.id IS NOT NULL OR u.linked_to IS NOT NULL)").scan(ctx, tx, &linked)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%w: user %d of Django is linked to another one: run codegrant users unlink %d first", replica.ErrConflict, linked, linked)
}

// longAgo is before any statement of a pool.
var longAgo = time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC)
