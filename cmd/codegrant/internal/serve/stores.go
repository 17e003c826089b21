package serve

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/cupboard/notbefore"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/organization"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/redisstore"
	"github.com/codegrant/codegrant/session/sqlstore"
	"github.com/codegrant/codegrant/webhook"
)

// storesKey says what stores are opened with: where it is the same, a new
// configuration goes on with the stores of the old one.
type storesKey struct {
	kind     settings.SessionStore
	database settings.Database
	redis    settings.Secret
	replica  settings.Replica
	keep     time.Duration // ends of sessions, where they are on record beside Redis
	given    time.Duration // how long marks of people count

	organizations string // their settings; empty: none
	webhooks      bool   // others hear of changes
	groups        bool   // the replica's groups count for somebody
}

func storesOf(s *settings.Settings) storesKey {
	key := storesKey{kind: s.Sessions, database: s.Database, redis: s.RedisURL, replica: s.Replica, given: s.LongestSignIn(), webhooks: len(s.Webhooks) > 0}
	for _, pool := range s.Pools {
		key.groups = key.groups || pool.Config.Groups != codegrant.GroupsOfToken
	}
	if o := s.Organizations; o != nil {
		key.organizations = fmt.Sprint(o.Roles, o.Valid, o.CreateUsers)
		if m := o.SMTP; m != nil {
			key.organizations += fmt.Sprintf(" %x", sha256.Sum256(fmt.Append(nil, *m, m.Password.Reveal())))
		}
	}
	if s.Sessions == settings.InRedis && s.Database.URL != "" {
		key.keep = s.LongestUnused()
	}
	return key
}

// stores are what configurations keep things in. They are closed when the last
// configuration lets go of them.
type stores struct {
	storesKey
	sessions session.Store                                        // nil: none, or a pool's own
	replica  replica.Store                                        // nil: none
	outbox   func(context.Context) (sqlreplica.OutboxSize, error) // nil: none
	users    *sqlreplica.Store                                    // the replica, for who states a pool to it; nil: none
	journal  *directory.SQLJournal                                // of passes over the pools; nil: none
	ends     session.Ends                                         // nil: not on record beside Redis
	cupboard cupboard.Store                                       // nil: none
	marks    *notbefore.Marks                                     // of people, for all pools
	db       *sql.DB                                              // nil: none
	acting   *organization.Store                                  // what people act for; nil: nothing
	queue    *webhook.Queue                                       // of messages to others; nil: none
	count    func(context.Context, int) (int, error)              // live sessions; nil: not cheaply
	live     atomic.Int64                                         // how many there were; below zero: unknown
	migrate  []func(context.Context) error

	holders  atomic.Int64
	end      context.CancelFunc // of what goes on beside
	beside   sync.WaitGroup
	prepared atomic.Bool
	closers  []func() error
}

// openStores opens without asking whether anybody answers.
func (p *process) openStores(s *settings.Settings) (_ *stores, err error) {
	st := &stores{storesKey: storesOf(s), end: func() {}}
	st.live.Store(-1)
	st.holders.Store(1)
	defer func() {
		if err != nil {
			_ = st.release()
		}
	}()
	var ends *sqlstore.Store
	if s.Database.URL != "" {
		db, err := parts.OpenDatabase(s.Database.URL.Reveal())
		if err != nil {
			return nil, err
		}
		st.closers = append(st.closers, db.Close)
		db.SetMaxOpenConns(s.Database.MaxConnections)
		db.SetMaxIdleConns(s.Database.MaxConnections)
		db.SetConnMaxIdleTime(5 * time.Minute)
		st.db = db.DB
		sessions, users, err := db.Stores(s.Replica)
		if err != nil {
			return nil, err
		}
		st.cupboard, st.migrate = sessions.Cupboard(), append(st.migrate, sessions.Migrate)
		if s.Sessions == settings.InDatabase {
			st.sessions = measured{p.tracing.Sessions(sessions, db.System(), false), p.metrics}
			st.count = sessions.CountLive
		}
		if s.Sessions == settings.InRedis {
			ends, st.ends = sessions, sessions
		}
		if s.Replica.Enabled {
			st.replica, st.migrate = p.tracing.Replica(users, db.System()), append(st.migrate, users.Migrate)
			st.users, st.journal = users, openJournal(s, db)
			if s.Organizations != nil {
				if st.acting, err = db.OrganizationStore(s.Organizations, p.endpoints); err != nil {
					return nil, err
				}
				st.migrate = append(st.migrate, st.acting.Migrate)
			}
			if len(s.Webhooks) > 0 {
				if st.queue, err = webhook.NewQueue(db.DB, db.Dialect); err != nil {
					return nil, err
				}
				st.migrate = append(st.migrate, st.queue.Migrate)
			}
			if s.Replica.Outbox {
				st.outbox = users.OutboxSize
			}
		}
		if !s.Database.Migrate {
			st.migrate = nil
		}
	}
	switch s.Sessions {
	case settings.Memory:
		st.sessions, st.count = p.memory, p.memory.CountLive
	case settings.InRedis:
		config := redisstore.Config{URL: s.RedisURL.Reveal()}
		if p.tracing != nil {
			config.OnAsk = p.tracing.Asked
		}
		store, err := redisstore.New(config)
		if err != nil {
			return nil, err
		}
		st.closers = append(st.closers, store.Close)
		if st.cupboard == nil { // Redis may forget
			st.cupboard = store.Cupboard()
		}
		sessions := p.tracing.Sessions(store, "redis", true)
		if ends != nil { // which Redis may forget
			enduring := session.NewEnduringStore(sessions, ends, session.EnduringConfig{Logger: p.log, Keep: st.keep})
			sessions, st.closers = enduring, slices.Insert(st.closers, 0, enduring.Close)
		}
		st.sessions = measured{sessions, p.metrics}
	}
	st.marks = notbefore.New(notbefore.Config{Store: st.cupboard, Keep: st.given, Logger: p.log})
	st.closers = slices.Insert(st.closers, 0, st.marks.Close)
	return st, nil
}

func (s *stores) sessionsInDatabase() bool { return s.kind == settings.InDatabase }

// prepare brings the tables up to date.
func (s *stores) prepare(ctx context.Context) error {
	for _, migrate := range s.migrate {
		if err := migrate(ctx); err != nil {
			return err
		}
	}
	s.prepared.Store(true)
	return nil
}

// prepareBeside goes on trying: a database that is not there yet is no reason not to
// start.
func (s *stores) prepareBeside(log *slog.Logger) {
	ctx, cancel := context.WithCancel(context.Background())
	s.end = cancel
	s.beside.Go(func() {
		for wait := time.Second; ; wait = min(2*wait, time.Minute) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(wait):
			}
			err := s.prepare(ctx)
			if err == nil {
				log.Info("tables are up to date")
				return
			}
			if ctx.Err() == nil {
				log.Error("tables not brought up to date", "reason", err.Error())
			}
		}
	})
}

func (s *stores) hold() *stores {
	s.holders.Add(1)
	return s
}

func (s *stores) release() error {
	if s.holders.Add(-1) > 0 {
		return nil
	}
	s.end()
	s.beside.Wait()
	var faults []error
	for _, closer := range s.closers {
		faults = append(faults, closer())
	}
	return errors.Join(faults...)
}
