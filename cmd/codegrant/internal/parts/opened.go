package parts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/cupboard/notbefore"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/redisstore"
	"github.com/codegrant/codegrant/session/sqlstore"
	"github.com/codegrant/codegrant/upstream"
)

// Opened are the stores of a configuration.
type Opened struct {
	Issuer   string
	Region   string // of the pool, where it is set
	Sessions session.Store
	Bound    string              // what sessions of the pool are bound to
	Others   map[string][]string // what those of other issuers are bound to, by issuer

	Replicated bool // the configuration has people copied
	Users      *sqlreplica.Store
	Django     bool      // its tables are those of a Django project
	DB         *Database // nil: none
	Closers    []io.Closer

	InDatabase *sqlstore.Store   // sessions, or their ends where they are in Redis; nil: neither
	Tables     *sqlstore.Store   // of sessions and small records in the database, whether or not sessions are there; nil: no database
	Shelves    cupboard.Store    // of small records; nil: none that other processes see
	Keys       *session.Keyring  // that seal those; nil: the configuration has none, or the command does not use them
	Upstreams  []upstream.Config // servers of others that people have tokens at; where the command uses them
	Marks      *notbefore.Marks  // of people; those of this process alone where there are no stores
}

func (o *Opened) Close() {
	for _, c := range o.Closers {
		_ = c.Close()
	}
}

// Open opens what the configuration names: the database, and Redis where sessions
// are there, to look at one pool. It makes a SQLite file that is missing.
func (c Inspection) Open() (*Opened, error) { return c.open(UsesSessions, OpenStores) }

func (c Inspection) open(uses []string, stores func(*settings.Settings) (*Opened, error)) (*Opened, error) {
	s, err := c.Load(uses)
	if err != nil {
		return nil, err
	}
	pool, err := ChoosePool(s, c.Pool)
	if err != nil {
		return nil, err
	}
	o, err := stores(s)
	if err != nil {
		return nil, err
	}
	for _, u := range s.Upstreams {
		o.Upstreams = append(o.Upstreams, u.Config)
	}
	o.Issuer, o.Region = pool.Issuer, pool.Config.Pool.Region
	if o.Bound, err = codegrant.SessionPool(pool.Config.Pool); err != nil {
		o.Close()
		return nil, err
	}
	if o.Others, err = boundElsewhere(s, pool); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// LookAtStores opens stores that exist already. It makes no SQLite file.
func LookAtStores(s *settings.Settings) (*Opened, error) {
	if url := s.Database.URL.Reveal(); url != "" {
		if err := checkFile(url); err != nil {
			return nil, err
		}
	}
	return OpenStores(s)
}

// look opens stores that exist, and checks that they have the tables that a command reads.
func (c Inspection) look(ctx context.Context, uses []string, tables func(*Opened, context.Context) error) (*Opened, error) {
	o, err := c.open(uses, LookAtStores)
	if err != nil {
		return nil, err
	}
	if err := tables(o, ctx); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// CheckPeople reports whether there is a replica, and its tables are those that this
// program needs.
func (o *Opened) CheckPeople(ctx context.Context) error {
	if o.Users == nil {
		return ErrNoReplica
	}
	err := o.Users.Check(ctx)
	if errors.Is(err, sqlreplica.ErrNotMigrated) {
		return fmt.Errorf("%w: the tables of the replica are missing or too old; %s", ErrNoTables, o.migrate())
	}
	return err
}

// checkSessions does the same for the tables of sessions, if sessions are in the database.
func (o *Opened) checkSessions(ctx context.Context) error {
	if o.InDatabase == nil {
		return nil
	}
	return o.checkTables(ctx)
}

func (o *Opened) checkTables(ctx context.Context) error {
	have, _, err := o.Tables.Versions(ctx)
	if err == nil && have == 0 {
		return fmt.Errorf("%w: the tables of sessions are missing; %s", ErrNoTables, o.migrate())
	}
	return err
}

// migrate tells how to make the tables.
func (o *Opened) migrate() string {
	return "run codegrant migrate, or start codegrant serve"
}

// OpenStores opens the stores of a configuration, for no pool yet.
func OpenStores(s *settings.Settings) (*Opened, error) {
	o := &Opened{Replicated: s.Replica.Enabled, Django: s.Replica.Django}
	var shelves cupboard.Store // the one that the gateway chooses
	if s.Database.URL != "" {
		db, err := OpenDatabase(s.Database.URL.Reveal())
		if err != nil {
			return nil, err
		}
		o.Closers = append(o.Closers, db)
		o.DB = db
		if o.Users, err = db.Users(s.Replica); err != nil {
			o.Close()
			return nil, err
		}
		sessions, err := sqlstore.New(db.DB, sqlstore.Config{Dialect: db.Dialect})
		if err != nil {
			o.Close()
			return nil, err
		}
		o.Tables, shelves = sessions, sessions.Cupboard()
		if s.Sessions == settings.InDatabase || s.RedisURL != "" {
			o.InDatabase, o.Sessions = sessions, sessions
		}
	}
	if s.RedisURL != "" {
		store, err := redisstore.New(redisstore.Config{URL: s.RedisURL.Reveal(), DisableCache: true})
		if err != nil {
			o.Close()
			return nil, err
		}
		o.Closers, o.Sessions = append(o.Closers, store), store
		if shelves == nil {
			shelves = store.Cupboard()
		}
		if o.InDatabase != nil {
			enduring := session.NewEnduringStore(store, o.InDatabase, session.EnduringConfig{Keep: s.LongestUnused()})
			o.Closers, o.Sessions = slices.Insert(o.Closers, 0, io.Closer(enduring)), enduring
		}
	}
	if o.Shelves = shelves; s.KeysGiven {
		o.Keys = s.Keys
	}
	o.Marks = notbefore.New(notbefore.Config{Store: shelves, Keep: s.LongestSignIn(), Logger: slog.New(slog.DiscardHandler)})
	o.Closers = slices.Insert(o.Closers, 0, io.Closer(o.Marks))
	return o, nil
}

var (
	ErrNoReplica  = errors.New("the configuration has no database and therefore no replica; set database and replica")
	ErrNobody     = errors.New("the replica has nobody")
	errNoSessions = errors.New("the configuration keeps sessions where other processes cannot read them; set sessions to database or redis")
)

// OpenPeople opens the replica alone.
func (c Inspection) OpenPeople(ctx context.Context) (*Opened, error) {
	return c.look(ctx, UsesPeople, (*Opened).CheckPeople)
}

// OpenUsers opens the replica, and sessions where the configuration keeps them.
func (c Inspection) OpenUsers(ctx context.Context) (*Opened, error) {
	return c.look(ctx, UsesSessions, func(o *Opened, ctx context.Context) error {
		return errors.Join(o.CheckPeople(ctx), o.checkSessions(ctx))
	})
}

func (c Inspection) OpenSessions(ctx context.Context) (*Opened, error) {
	return c.look(ctx, UsesSessions, func(o *Opened, ctx context.Context) error {
		if o.Sessions == nil {
			return errNoSessions
		}
		return o.checkSessions(ctx)
	})
}

var (
	errNoShelves = errors.New("the configuration keeps grants where other processes cannot read them; set sessions to database or redis")
	errNoKeys    = errors.New("the configuration has no keys: the gateway encrypts grants with keys that only its process has; set keys, keys_file or keys_dir")
)

// OpenGrants opens what people have let programs do.
func (c Inspection) OpenGrants(ctx context.Context) (*Opened, error) {
	return c.openShelves(ctx, UsesGrants)
}

// OpenTokens opens people's tokens at other servers.
func (c Inspection) OpenTokens(ctx context.Context) (*Opened, error) {
	return c.openShelves(ctx, UsesTokens)
}

func (c Inspection) openShelves(ctx context.Context, uses []string) (*Opened, error) {
	return c.look(ctx, uses, func(o *Opened, ctx context.Context) error {
		switch {
		case o.Shelves == nil:
			return errNoShelves
		case o.Keys == nil:
			return errNoKeys
		case o.Tables != nil:
			return o.checkTables(ctx)
		}
		return nil
	})
}

// Find returns the one user whom a name stands for: row, sub, username or e-mail.
func (o *Opened) Find(ctx context.Context, name string) (replica.User, error) {
	if id, err := strconv.ParseInt(name, 10, 64); err == nil && !strings.HasPrefix(name, "+") { // which begins a telephone number
		u, err := o.Users.User(ctx, id)
		if err == nil {
			if other, err := o.Users.UserByUsername(ctx, o.Issuer, name); err == nil && other.ID != u.ID {
				return replica.User{}, fmt.Errorf("%s is the row of %s and the username of %s; use the sub instead", name, u.Subject, other.Subject)
			}
		}
		if err == nil || !errors.Is(err, replica.ErrNotFound) {
			return u, err
		}
	}
	u, err := o.Users.UserBySubject(ctx, o.Issuer, name)
	if errors.Is(err, replica.ErrNotFound) {
		u, err = o.Users.UserByUsername(ctx, o.Issuer, name)
	}
	if !errors.Is(err, replica.ErrNotFound) {
		return u, err
	}
	all, err := o.Users.UsersByEmail(ctx, o.Issuer, name)
	switch {
	case err != nil:
		return replica.User{}, err
	case len(all) == 1:
		return all[0], nil
	case len(all) > 1:
		return replica.User{}, fmt.Errorf("%d people have the address %s; use the sub of one of them: codegrant users list --search %s", len(all), name, name)
	}
	return replica.User{}, fmt.Errorf("%w with the row, sub, username or e-mail address %q; it has people who signed in here, and all others after codegrant sync", ErrNobody, name)
}
