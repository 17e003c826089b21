package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
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
	Config string `default:"codegrant.yaml" type:"path" placeholder:"FILE" help:"Configuration of the gateway whose stores these are. ${env}"`
	Pool   string `placeholder:"NAME" help:"Pool of the configuration, where it has several. ${env}"`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// opened are the stores of a configuration.
type opened struct {
	issuer   string
	sessions session.Store
	bound    string // what sessions of the pool are bound to
	users    *sqlreplica.Store
	close    []io.Closer
}

func (o *opened) Close() {
	for _, c := range o.close {
		_ = c.Close()
	}
}

// open opens what the configuration names: the database, and Redis where sessions
// are there.
func (c inspection) open() (*opened, error) {
	s, err := settings.Load(c.Config, settings.Options{Keys: session.RandomKeyring(), Database: checkDatabaseURL, Redis: checkRedisURL})
	if err != nil {
		return nil, configurationError(err)
	}
	pool := s.Pools[0]
	if c.Pool != "" || len(s.Pools) > 1 {
		var names []string
		found := false
		for _, p := range s.Pools {
			names = append(names, p.Name)
			if p.Name == c.Pool {
				pool, found = p, true
			}
		}
		if !found {
			return nil, fmt.Errorf("say which pool with --pool: %s", strings.Join(names, ", "))
		}
	}
	endpoints, err := pool.Config.Pool.Endpoints()
	if err != nil {
		return nil, err
	}
	o := &opened{issuer: endpoints.Issuer}
	if o.bound, err = codegrant.SessionPool(pool.Config.Pool); err != nil {
		return nil, err
	}
	if s.Database.URL != "" {
		db, err := openDatabase(s.Database.URL.Reveal())
		if err != nil {
			return nil, err
		}
		o.close = append(o.close, db)
		if o.users, err = db.users(s.Replica); err != nil {
			o.Close()
			return nil, err
		}
		if s.Sessions == settings.InDatabase {
			if o.sessions, err = sqlstore.New(db.DB, sqlstore.Config{Dialect: db.sessions}); err != nil {
				o.Close()
				return nil, err
			}
		}
	}
	if s.RedisURL != "" {
		store, err := redisstore.New(redisstore.Config{URL: s.RedisURL.Reveal(), DisableCache: true})
		if err != nil {
			o.Close()
			return nil, err
		}
		o.close, o.sessions = append(o.close, store), store
	}
	return o, nil
}

var (
	errNoReplica  = errors.New("the configuration has no database, and so no replica; set database and replica")
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
	return replica.User{}, fmt.Errorf("nobody in the replica is called %q; it knows those who signed in here, and all others after codegrant sync", name)
}

// table prints rows in columns.
func table(w io.Writer, header string, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, header)
	for _, row := range rows {
		for i, cell := range row {
			row[i] = printable(strings.ReplaceAll(cell, "\t", " "))
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
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
