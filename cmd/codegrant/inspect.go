package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/redisstore"
	"github.com/codegrant/codegrant/session/sqlstore"
)

// inspection is what the commands that look at stores have in common.
type inspection struct {
	Config string `default:"codegrant.yaml" type:"path" placeholder:"FILE" help:"Configuration of the gateway whose stores these are."`
	Pool   string `placeholder:"NAME" help:"Pool of the configuration, where it has several."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// opened are the stores of a configuration.
type opened struct {
	issuer   string
	sessions session.Store
	bound    string // what sessions of the pool are bound to

	replicated bool // the configuration has people copied
	users      *sqlreplica.Store
	db         *database // nil: none
	closers    []io.Closer

	inDatabase *sqlstore.Store // sessions, or their ends where they are in Redis; nil: neither
}

func (o *opened) Close() {
	for _, c := range o.closers {
		_ = c.Close()
	}
}

// load reads the configuration.
func (c inspection) load() (*settings.Settings, error) {
	s, err := settings.Load(c.Config, settings.Options{Keys: session.RandomKeyring(), Database: checkDatabaseURL, Redis: checkRedisURL})
	if err != nil {
		return nil, configurationError(err)
	}
	return s, nil
}

// choose returns the pools of a configuration that are meant: the one with the name,
// or all of them where none is given.
func (c inspection) choose(s *settings.Settings) ([]settings.Pool, error) {
	if c.Pool == "" {
		return s.Pools, nil
	}
	pool, err := choosePool(s, c.Pool)
	return []settings.Pool{pool}, err
}

// open opens what the configuration names: the database, and Redis where sessions
// are there, to look at one pool.
func (c inspection) open() (*opened, error) {
	s, err := c.load()
	if err != nil {
		return nil, err
	}
	pool, err := choosePool(s, c.Pool)
	if err != nil {
		return nil, err
	}
	o, err := openInspected(s)
	if err != nil {
		return nil, err
	}
	o.issuer = pool.Issuer
	if o.bound, err = codegrant.SessionPool(pool.Config.Pool); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// openInspected opens the stores of a configuration, for no pool yet.
func openInspected(s *settings.Settings) (*opened, error) {
	o := &opened{replicated: s.Replica.Enabled}
	if s.Database.URL != "" {
		db, err := openDatabase(s.Database.URL.Reveal())
		if err != nil {
			return nil, err
		}
		o.closers = append(o.closers, db)
		o.db = db
		if o.users, err = db.users(s.Replica); err != nil {
			o.Close()
			return nil, err
		}
		if s.Sessions == settings.InDatabase || s.RedisURL != "" {
			if o.inDatabase, err = sqlstore.New(db.DB, sqlstore.Config{Dialect: db.sessions}); err != nil {
				o.Close()
				return nil, err
			}
			o.sessions = o.inDatabase
		}
	}
	if s.RedisURL != "" {
		store, err := redisstore.New(redisstore.Config{URL: s.RedisURL.Reveal(), DisableCache: true})
		if err != nil {
			o.Close()
			return nil, err
		}
		o.closers, o.sessions = append(o.closers, store), store
		if o.inDatabase != nil {
			enduring := session.NewEnduringStore(store, o.inDatabase, session.EnduringConfig{Keep: s.LongestUnused()})
			o.closers, o.sessions = slices.Insert(o.closers, 0, io.Closer(enduring)), enduring
		}
	}
	return o, nil
}

// choosePool returns the pool of that name, or the only one.
func choosePool(s *settings.Settings, name string) (settings.Pool, error) {
	if name == "" && len(s.Pools) == 1 {
		return s.Pools[0], nil
	}
	var names []string
	for _, p := range s.Pools {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return settings.Pool{}, fmt.Errorf("say which pool with --pool: %s", strings.Join(names, ", "))
}

var (
	errNoReplica  = errors.New("the configuration has no database, and so no replica; set database and replica")
	errNobody     = errors.New("nobody in the replica")
	errNoSessions = errors.New("the configuration keeps sessions where other processes cannot see them; set sessions to database or redis")
)

// openUsers is open for commands that cannot do without the replica.
func (c inspection) openUsers() (*opened, error) {
	o, err := c.open()
	if err == nil && o.users == nil {
		o.Close()
		err = errNoReplica
	}
	return o, err
}

func (c inspection) openSessions() (*opened, error) {
	o, err := c.open()
	if err == nil && o.sessions == nil {
		o.Close()
		err = errNoSessions
	}
	return o, err
}

// find returns the one user whom a name stands for: row, sub, username or e-mail.
func (o *opened) find(ctx context.Context, name string) (replica.User, error) {
	if id, err := strconv.ParseInt(name, 10, 64); err == nil {
		if u, err := o.users.User(ctx, id); err == nil || !errors.Is(err, replica.ErrNotFound) {
			return u, err
		}
	}
	u, err := o.users.UserBySubject(ctx, o.issuer, name)
	if errors.Is(err, replica.ErrNotFound) {
		u, err = o.users.UserByUsername(ctx, o.issuer, name)
	}
	if !errors.Is(err, replica.ErrNotFound) {
		return u, err
	}
	all, err := o.users.UsersByEmail(ctx, o.issuer, name)
	switch {
	case err != nil:
		return replica.User{}, err
	case len(all) == 1:
		return all[0], nil
	case len(all) > 1:
		return replica.User{}, fmt.Errorf("%d people have the address %s; name one by sub: codegrant users list --search %s", len(all), name, name)
	}
	return replica.User{}, fmt.Errorf("%w is called %q; it knows those who signed in here, and all others after codegrant sync", errNobody, name)
}

func printJSON(w io.Writer, v any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(v)
}

func shortTime(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	return t.UTC().Format("2006-01-02 15:04")
}
