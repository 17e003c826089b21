package sqlreplica

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/codegrant/codegrant/internal/sqldialect"
	"github.com/codegrant/codegrant/replica"
)

// ErrNotMigrated means that the tables are missing, or older than this code. It
// comes with [replica.ErrUnavailable].
var ErrNotMigrated = errors.New("the tables are missing or older than this code: call Store.Migrate first")

// ErrNewerSchema means that a newer version has changed the tables in a way that
// this code cannot work with. It comes with [replica.ErrUnavailable].
var ErrNewerSchema = errors.New("the tables belong to a newer version: update this program")

// errAgain asks for the whole operation to be repeated: a concurrent one was
// first.
var errAgain = errors.New("a concurrent change was first")

// fault is what an error of an engine means for an operation.
type fault int

const (
	faultOther     fault = iota
	faultTransient       // the engine asks for the transaction to be repeated: deadlock, serialization, lock
	faultLost            // the connection is of no use any more, another one may be
	faultRaced           // a row that was about to be written, or referred to, was created or deleted meanwhile
	faultSchema          // a table, a column or a function is missing
	faultUnclear         // the engine's code for this and that, a missing table among them
)

// hookError is what a function of the application's returned. It is the
// application's, not the store's.
type hookError struct {
	what string
	err  error
}

func (e *hookError) Error() string { return e.what + ": " + e.err.Error() }
func (e *hookError) Unwrap() error { return e.err }

// contentError is what is stored and makes no sense. Asking again does not help.
type contentError struct{ error }

func (e contentError) Unwrap() error { return e.error }

// repeats returns how often an operation that ended in err may be repeated.
func (s *Store) repeats(err error) int {
	if errors.Is(err, errAgain) {
		return manyRepeats
	}
	var hook *hookError
	var content contentError
	switch ours := errors.As(err, &hook); s.engine.classify(err) {
	case faultTransient:
		return manyRepeats
	case faultRaced:
		if !ours { // what the application's own statements violate, they violate again
			return manyRepeats
		}
	case faultLost:
		if !ours && !isVerdict(err) && !errors.As(err, &content) {
			return 1
		}
	}
	return 0
}

// isLost reports whether an operation ended in err without an answer: what it wrote may
// be there.
func (s *Store) isLost(err error) bool { return err != nil && s.repeats(err) == 1 }

// isVerdict reports whether err is an answer, and not the lack of one.
func isVerdict(err error) bool {
	return errors.Is(err, replica.ErrNotFound) || errors.Is(err, replica.ErrConflict) || errors.Is(err, replica.ErrInvalid)
}

// fail says what an operation was about, and that the store is unavailable unless
// err says something else already.
func (s *Store) fail(ctx context.Context, operation string, err error) error {
	var hook *hookError
	if errors.As(err, &hook) || isVerdict(err) || errors.Is(err, replica.ErrUnavailable) {
		return fmt.Errorf("%s: %w", operation, err)
	}
	if cause := context.Cause(ctx); cause != nil {
		// Drivers report a context that ended in words of their own.
		return fmt.Errorf("%s: %w: %w: %w", operation, replica.ErrUnavailable, cause, err)
	}
	switch s.engine.classify(err) {
	case faultSchema:
		return fmt.Errorf("%s: %w: %w: %w", operation, replica.ErrUnavailable, ErrNotMigrated, err)
	case faultUnclear:
		for _, table := range []string{"codegrant_users", "codegrant_outbox"} {
			if table == "codegrant_outbox" && !strings.Contains(err.Error(), table) {
				continue // who does without it needs not have it
			}
			if there, findErr := sqldialect.HasTable(ctx, s.db, s.engine.dialect, table); findErr == nil && !there {
				return fmt.Errorf("%s: %w: %w: %w", operation, replica.ErrUnavailable, ErrNotMigrated, err)
			}
		}
		// SQLite has no number for a column that is not there.
		var columns int
		const newest = "SELECT count(*) FROM pragma_table_info('codegrant_erasures') WHERE name = 'id'"
		if s.engine == engines[SQLite] && s.engine.sql(newest).scan(ctx, s.db, &columns) == nil && columns == 0 {
			return fmt.Errorf("%s: %w: %w: %w", operation, replica.ErrUnavailable, ErrNotMigrated, err)
		}
	}
	return fmt.Errorf("%s: %w: %w", operation, replica.ErrUnavailable, err)
}

// classifySQLite reads the result codes of https://www.sqlite.org/rescode.html,
// the primary one of which is the low byte.
func classifySQLite(err error) fault {
	var coded interface{ Code() int }
	if !errors.As(err, &coded) {
		return faultLost
	}
	const (
		generic    = 1
		busy       = 5
		locked     = 6
		foreignKey = 787
		primaryKey = 1555
		unique     = 2067
	)
	switch code := coded.Code(); {
	case code&0xff == busy, code&0xff == locked:
		return faultTransient
	case code == foreignKey, code == primaryKey, code == unique:
		return faultRaced
	case code == generic:
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
	case "40001", "40P01", "55P03": // serialization, deadlock, lock not available
		return faultTransient
	case "57P01", "57P02", "57P03", "25006": // shutting down, starting, read only since a fail-over
		return faultLost
	case "23505", "23503":
		return faultRaced
	case "42P01", "42703", "42883", "3F000":
		return faultSchema
	default:
		if strings.HasPrefix(code, "08") { // the connection
			return faultLost
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
	case 1213, 1205, 3101, 1020: // deadlock, lock wait timeout, rolled back by the group, row changed since the snapshot
		return faultTransient
	case 1053, 1927, 1290, 1836, 1792: // shutting down, killed, read only since a fail-over
		return faultLost
	case 1062, 1452:
		return faultRaced
	case 1146, 1054:
		return faultSchema
	}
	return faultOther
}
