package sqlstore

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/codegrant/codegrant/internal/sqldialect"
	"github.com/codegrant/codegrant/session"
)

// statements are those of an engine.
type statements struct {
	create, get, swap, version, remove, removeIfExpired, removeSubject, mark, removeExpired string
}

const columns = "id, pool, subject, version, created, last_seen, expires, lease_until, stale"

func (e *engine) statements() statements {
	p := e.placeholder
	return statements{
		create: "INSERT INTO codegrant_sessions (" + columns + ", sealed) VALUES (" + sqldialect.Marks(e.dialect, 1, 10) + ")",
		get:    "SELECT " + columns + ", sealed FROM codegrant_sessions WHERE id = " + p(1) + " AND expires > " + p(2),
		swap: "UPDATE codegrant_sessions SET version = version + 1, last_seen = " + p(1) + ", expires = " + p(2) + ", lease_until = " + p(3) +
			", stale = " + p(4) + ", sealed = " + p(5) + " WHERE id = " + p(6) + " AND version = " + p(7) + " AND expires > " + p(8),
		version:         "SELECT version FROM codegrant_sessions WHERE id = " + p(1) + " AND expires > " + p(2),
		remove:          "DELETE FROM codegrant_sessions WHERE id = " + p(1),
		removeIfExpired: "DELETE FROM codegrant_sessions WHERE id = " + p(1) + " AND expires <= " + p(2),
		removeSubject:   "DELETE FROM codegrant_sessions WHERE pool = " + p(1) + " AND subject = " + p(2) + " AND expires > " + p(3),
		mark: "UPDATE codegrant_sessions SET stale = 1, version = version + 1 WHERE pool = " + p(1) + " AND subject = " + p(2) +
			" AND expires > " + p(3),
		removeExpired: e.removeExpired,
	}
}

// list returns the statement of a query, and its arguments.
func (e *engine) list(q session.Query, now int64) (string, []any) {
	var where []string
	var args []any
	add := func(condition string, value any) {
		args = append(args, value)
		where = append(where, condition+e.placeholder(len(args)))
	}
	add("expires > ", now)
	if q.Pool != "" {
		add("pool = ", q.Pool)
	} else {
		add("pool <> ", session.OncePool)
	}
	if q.Subject != "" {
		add("subject = ", q.Subject)
	}
	add("id > ", q.After)
	if q.Limit <= 0 {
		q.Limit = session.DefaultLimit
	}
	args = append(args, q.Limit)
	return "SELECT " + columns + " FROM codegrant_sessions WHERE " + strings.Join(where, " AND ") +
		" ORDER BY id LIMIT " + e.placeholder(len(args)), args
}

type scanner interface{ Scan(...any) error }

// scan reads the columns, and those that follow them into more.
func scan(row scanner, more ...any) (session.Record, error) {
	var r session.Record
	var created, seen, expires, lease int64
	var stale int
	dest := append([]any{&r.ID, &r.Pool, &r.Subject, &r.Version, &created, &seen, &expires, &lease, &stale}, more...)
	if err := row.Scan(dest...); err != nil {
		return session.Record{}, err
	}
	r.Created, r.LastSeen, r.Expires, r.LeaseUntil, r.Stale = moment(created), moment(seen), moment(expires), moment(lease), stale != 0
	return r, nil
}

// micros keeps microseconds; zero is no time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func moment(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

func notNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// The sizes of the columns on MySQL. Without strict mode, MySQL would cut a longer name, and
// two people could become one.
const (
	maxName    = 255
	maxPool    = 512
	maxContent = 1<<24 - 1
)

// errTooLong comes with [session.ErrUnavailable]: no person can do anything.
var errTooLong = errors.New("it does not fit")

func fits(r session.Record) error {
	for _, part := range []struct {
		what      string
		size, max int
	}{
		{"ID", len(r.ID), maxName}, {"pool", len(r.Pool), maxPool}, {"subject", len(r.Subject), maxName}, {"content", len(r.Sealed), maxContent},
	} {
		if part.size > part.max {
			return fmt.Errorf("%w: the %s has %d bytes, and at most %d are kept", errTooLong, part.what, part.size, part.max)
		}
	}
	return nil
}
