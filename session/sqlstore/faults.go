package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/codegrant/codegrant/internal/sqldialect"
	"github.com/codegrant/codegrant/session"
)

// ErrNotMigrated: a table is missing, or older than this code. It comes with
// [session.ErrUnavailable].
var ErrNotMigrated = errors.New("the tables of sessions are missing or older than this code: call Store.Migrate first")

// fault is what an error of an engine means for a statement.
type fault int

const (
	faultOther     fault = iota
	faultDeadlock        // undone by the engine, to be repeated
	faultLost            // the connection is of no use any more; whether the statement ran is not known
	faultDuplicate       // there is a row of this ID
	faultSchema          // the table or a column is missing
	faultValue           // a value that the engine does not take, such as a text with a zero byte
	faultUnclear         // the engine's code for this and that, a missing table among them
)

// maxRepeats is how often a deadlock is repeated.
const maxRepeats = 10

// again runs a statement, once more after a deadlock, and where running it twice
// does no harm, also once more on another connection.
func (s *Store) again(ctx context.Context, harmless bool, run func() error) error {
	for n := 1; ; n++ {
		err := run()
		if err == nil || ctx.Err() != nil {
			return err
		}
		switch s.engine.classify(err) {
		case faultDeadlock:
			if n > maxRepeats {
				return err
			}
			select { // for the other one to get through
			case <-time.After(rand.N(time.Duration(n) * 5 * time.Millisecond)):
			case <-ctx.Done():
				return err
			}
		case faultLost:
			if n > 1 || !harmless {
				return err
			}
		default:
			return err
		}
	}
}

// fail says what an operation was about, that the store is unavailable, and what
// to do where that is known.
func (s *Store) fail(ctx context.Context, operation string, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		// Drivers report a context that ended in words of their own.
		return fmt.Errorf("%s: %w: %w: %w", operation, session.ErrUnavailable, cause, err)
	}
	kind := s.engine.classify(err)
	if kind == faultUnclear {
		for _, table := range []string{"codegrant_sessions", "codegrant_session_ends", "codegrant_cupboard"} {
			if exists, findErr := sqldialect.HasTable(ctx, s.db, s.engine.dialect, table); findErr == nil && !exists {
				kind = faultSchema
			}
		}
	}
	if kind == faultValue {
		return fmt.Errorf("%s: the database does not take one of the values: %w", operation, err)
	}
	if kind == faultSchema {
		return fmt.Errorf("%s: %w: %w: %w", operation, session.ErrUnavailable, ErrNotMigrated, err)
	}
	return fmt.Errorf("%s: %w: %w", operation, session.ErrUnavailable, err)
}

// classifySQLite reads the result codes of https://www.sqlite.org/rescode.html. A
// database that is busy stays so for longer than the busy timeout: that is the
// caller's choice, and not repeated.
func classifySQLite(err error) fault {
	var coded interface{ Code() int }
	if !errors.As(err, &coded) {
		return faultLost
	}
	switch coded.Code() {
	case 1555, 2067: // primary key, unique constraint
		return faultDuplicate
	case 1:
		return faultUnclear
	}
	return faultOther
}

// classifyPostgreSQL reads the SQLSTATE codes of appendix A of PostgreSQL's manual.
func classifyPostgreSQL(err error) fault {
	var state interface{ SQLState() string }
	if !errors.As(err, &state) {
		return faultLost // the server has not said anything
	}
	switch code := state.SQLState(); code {
	case "40P01", "40001": // deadlock, serialization
		return faultDeadlock
	case "57P01", "57P02", "57P03", "25006": // shutting down, starting, read only since a fail-over
		return faultLost
	case "23505":
		return faultDuplicate
	case "42P01", "42703", "3F000": // no table, no column, no schema
		return faultSchema
	default:
		switch {
		case strings.HasPrefix(code, "08"): // the connection
			return faultLost
		case strings.HasPrefix(code, "22"): // data exceptions
			return faultValue
		}
		return faultOther
	}
}

// classifyMySQL reads the error numbers of MySQL and MariaDB, which share these.
func classifyMySQL(err error) fault {
	number, ok := sqldialect.MySQLNumber(err)
	if !ok {
		return faultLost // the server has not said anything
	}
	switch number {
	case 1213, 1020, 3101: // deadlock, row changed since the snapshot, rolled back by the group
		return faultDeadlock
	case 1053, 1927, 1290, 1836, 1792: // shutting down, killed, read only since a fail-over
		return faultLost
	case 1062:
		return faultDuplicate
	case 1146, 1054: // no table, no column
		return faultSchema
	case 1366, 1300: // a text that is not one
		return faultValue
	}
	return faultOther
}
