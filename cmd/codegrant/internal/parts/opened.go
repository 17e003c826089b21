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
)

// Opened are the stores of a configuration.
type Opened struct {
	Issuer   string
	Region   string // of the pool, where it is set
	Sessions session.Store
	Bound    string // what sessions of the pool are bound to

	Replicated bool // the configuration has people copied
	Users      *sqlreplica.Store
	DB         *Database // nil: none
	Closers    []io.Closer

	InDatabase *sqlstore.Store  // sessions, or their ends where they are in Redis; nil: neither
	Tables     *sqlstore.Store  // of sessions and small records in the database, whether or not sessions are there; nil: no database
	Shelves    cupboard.Store   // of small records; nil: none that other processes see
	Keys       *session.Keyring // that seal those; nil: the configuration has none, or the command does not use them
	Marks      *notbefore.Marks // of people; those of this process alone where there are no stores
}

func (o *Opened) Close() {
	for _, c := range o.Closers {
		_ = c.Close()
	}
}

// Open opens what the configuration names: the database, and Redis where sessions
// are there, to look at one pool.
func (c Inspection) Open() (*Opened, error) { return c.open(UsesSessions) }

func (c Inspection) open(uses []string) (*Opened, error) {
	s, err := c.Load(uses)
	if err != nil {
		return nil, err
	}
	pool, err := ChoosePool(s, c.Pool)
	if err != nil {
		return nil, err
	}
	o, err := OpenStores(s)
	if err != nil {
		return nil, err
	}
	o.Issuer, o.Region = pool.Issuer, pool.Config.Pool.Region
	if o.Bound, err = codegrant.SessionPool(pool.Config.Pool); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// OpenStores opens the stores of a configuration, for no pool yet.
func OpenStores(s *settings.Settings) (*Opened, error) {
	o := &Opened{Replicated: s.Replica.Enabled}
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
		sessions, err := sqlstore.New(db.DB, sqlstore.Config{Dialect: db.sessions})
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
	ErrNoReplica  = errors.New("the configuration has no database, and so no replica; set database and replica")
	ErrNobody     = errors.New("nobody in the replica")
	errNoSessions = errors.New("the configuration keeps sessions where other processes cannot see them; set sessions to database or redis")
)

// OpenPeople opens the replica alone.
func (c Inspection) OpenPeople() (*Opened, error) { return c.openUsers(UsesPeople) }

// OpenUsers is open for commands that cannot do without the replica.
func (c Inspection) OpenUsers() (*Opened, error) { return c.openUsers(UsesSessions) }

func (c Inspection) openUsers(uses []string) (*Opened, error) {
	o, err := c.open(uses)
	if err == nil && o.Users == nil {
		o.Close()
		err = ErrNoReplica
	}
	return o, err
}

func (c Inspection) OpenSessions() (*Opened, error) {
	o, err := c.Open()
	if err == nil && o.Sessions == nil {
		o.Close()
		err = errNoSessions
	}
	return o, err
}

var (
	errNoShelves = errors.New("the configuration keeps what people have agreed to where other processes cannot see it; set sessions to database or redis")
	errNoKeys    = errors.New("the configuration has no keys, and what people have agreed to is sealed with some that end with the gateway; set keys, keys_file or keys_dir")
)

// OpenGrants opens what people have let programs do.
func (c Inspection) OpenGrants() (*Opened, error) {
	o, err := c.open(UsesGrants)
	if err != nil {
		return nil, err
	}
	switch {
	case o.Shelves == nil:
		err = errNoShelves
	case o.Keys == nil:
		err = errNoKeys
	default:
		return o, nil
	}
	o.Close()
	return nil, err
}

// Find returns the one user whom a name stands for: row, sub, username or e-mail.
func (o *Opened) Find(ctx context.Context, name string) (replica.User, error) {
	if id, err := strconv.ParseInt(name, 10, 64); err == nil && !strings.HasPrefix(name, "+") { // which begins a telephone number
		u, err := o.Users.User(ctx, id)
		if err == nil {
			if other, err := o.Users.UserByUsername(ctx, o.Issuer, name); err == nil && other.ID != u.ID {
				return replica.User{}, fmt.Errorf("%s is the row of %s, and the username of %s; name one by sub", name, u.Subject, other.Subject)
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
		return replica.User{}, fmt.Errorf("%d people have the address %s; name one by sub: codegrant users list --search %s", len(all), name, name)
	}
	return replica.User{}, fmt.Errorf("%w is called %q; it knows those who signed in here, and all others after codegrant sync", ErrNobody, name)
}
