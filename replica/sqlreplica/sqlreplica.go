package sqlreplica

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// Config is what [New] needs to know. Dialect is required.
type Config struct {
	// Dialect names the engine behind the database.
	Dialect Dialect

	// Policy says whether memberships that the pool no longer states are
	// removed. Defaults to [replica.Mirror]: they are.
	Policy replica.Policy

	// OnChange is called within the transaction that makes a change, after the
	// replica's own rows are written, and only when something has changed. Its
	// writes through tx are committed together with the change, or not at all.
	//
	// An error that it returns undoes the change and is returned, wrapped, by
	// the method that was called. It may be called again for the same change
	// where the engine asks for a transaction to be repeated, so its effects
	// should go through tx alone. It must not call the store, nor wait for the
	// network: other changes wait for it. On PostgreSQL the transaction is one of
	// READ COMMITTED, whatever the default is there. Defaults to none.
	OnChange func(ctx context.Context, tx *sql.Tx, change replica.Change) error

	// Outbox has each change written down for those who want to get it
	// afterwards. Defaults to none: nothing is written down.
	Outbox *Outbox

	// History has the store keep how people were before a change. Defaults to none:
	// nothing is kept.
	History *History

	// Django has the replica live in the tables of a Django project. Defaults to
	// tables of its own.
	Django *Django

	// Now is the clock for the times of rows. Defaults to [time.Now].
	Now func() time.Time
}

// Store is a [replica.Store] in a SQL database. It is safe for concurrent use, by
// any number of processes. Make one with [New].
type Store struct {
	db       *sql.DB
	engine   *engine
	tables   tables
	policy   replica.Policy
	onChange func(context.Context, *sql.Tx, replica.Change) error
	outbox   *Outbox  // nil: there is none to write to
	history  *History // nil: none is kept
	now      func() time.Time
}

var (
	_ replica.Store          = (*Store)(nil)
	_ replica.IdentityLister = (*Store)(nil)
)

// New returns a store in db, which stays the caller's to close. It does not touch
// the database: see [Store.Migrate]. The error names every fault of the
// configuration at once.
func New(db *sql.DB, config Config) (*Store, error) {
	var faults []error
	fault := func(field, format string, args ...any) {
		faults = append(faults, fmt.Errorf("%s: %w", field, fmt.Errorf(format, args...)))
	}
	if db == nil {
		fault("db", "is nil")
	}
	engine, ok := engines[config.Dialect]
	if !ok {
		fault("Dialect", "name SQLite, PostgreSQL or MySQL")
	}
	if config.Policy != replica.Mirror && config.Policy != replica.AddOnly {
		fault("Policy", "%d is neither Mirror nor AddOnly", config.Policy)
	}
	if config.Outbox != nil {
		if err := config.Outbox.check(); err != nil {
			fault("Outbox", "%w", err)
		}
	}
	if config.History != nil {
		if err := config.History.check(); err != nil {
			fault("History", "%w", err)
		}
	}
	if d := config.Django; d != nil {
		switch d.Unverified {
		case RefuseUnverified, UnverifiedApart:
		case InsecureUnverifiedUntilFirstLink:
			if !d.AdoptVerifiedEmail {
				fault("Django.Unverified", "%q needs AdoptVerifiedEmail", d.Unverified)
			}
		default:
			fault("Django.Unverified", "%q is neither empty, %q nor %q", d.Unverified, UnverifiedApart, InsecureUnverifiedUntilFirstLink)
		}
	}
	if faults != nil {
		return nil, fmt.Errorf("configure sqlreplica: %w", errors.Join(faults...))
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	s := &Store{db: db, engine: engine, policy: config.Policy, onChange: config.OnChange, now: config.Now}
	if config.Outbox != nil {
		outbox := *config.Outbox
		outbox.Channel = cmp.Or(outbox.Channel, DefaultChannel)
		s.outbox = &outbox
	}
	if config.History != nil {
		history := *config.History
		s.history = &history
	}
	s.tables = ownTables{s}
	if config.Django != nil {
		s.tables = djangoTables{s, *config.Django}
	}
	return s, nil
}
