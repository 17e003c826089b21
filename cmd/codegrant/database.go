package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/session/sqlstore"
)

// database is one that --database names, with what the stores call its engine.
type database struct {
	*sql.DB
	engine   string
	sessions sqlstore.Dialect
	replica  sqlreplica.Dialect
	journal  directory.Dialect
}

// system is what OpenTelemetry calls the engine.
func (d *database) system() string { return strings.ToLower(d.engine) }

const databaseHelp = `Database as a URL: sqlite:app.db, postgres://user:password@host/name or mysql://user:password@host/name.`

var errDatabaseURL = errors.New("is not of the form sqlite:FILE, postgres://user:password@host/name or mysql://user:password@host/name")

// openDatabase opens what a URL names. It need not answer yet. The error never has
// the URL in it, which may hold a password.
func openDatabase(raw string) (*database, error) {
	scheme, rest, ok := strings.Cut(raw, ":")
	if !ok || rest == "" {
		return nil, fmt.Errorf("database URL %w", errDatabaseURL)
	}
	switch scheme {
	case "sqlite", "sqlite3", "file":
		db, err := openSQLite(strings.TrimPrefix(rest, "//"))
		if err != nil {
			return nil, err
		}
		return &database{db, "SQLite", sqlstore.SQLite, sqlreplica.SQLite, directory.SQLite}, nil
	case "postgres", "postgresql":
		config, err := pgx.ParseConfig(raw)
		if err != nil {
			return nil, errors.New("database URL is not one that PostgreSQL's clients understand")
		}
		return &database{stdlib.OpenDB(*config), "PostgreSQL", sqlstore.PostgreSQL, sqlreplica.PostgreSQL, directory.PostgreSQL}, nil
	case "mysql", "mariadb":
		config, err := mysqlConfig(raw)
		if err != nil {
			return nil, err
		}
		connector, err := mysql.NewConnector(config)
		if err != nil {
			return nil, errors.New("database URL is not one that MySQL's clients understand")
		}
		return &database{sql.OpenDB(connector), "MySQL", sqlstore.MySQL, sqlreplica.MySQL, directory.MySQL}, nil
	}
	return nil, fmt.Errorf("database URL %w", errDatabaseURL)
}

// mysqlConfig reads mysql://user:password@host:3306/name?option=value, or
// …@unix(/path)/name as the driver writes it.
func mysqlConfig(raw string) (*mysql.Config, error) {
	if _, dsn, ok := strings.Cut(raw, "://"); ok && strings.Contains(dsn, "(") {
		config, err := mysql.ParseDSN(dsn)
		if err != nil {
			return nil, fmt.Errorf("database URL %w", errDatabaseURL)
		}
		return config, nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || strings.Trim(u.Path, "/") == "" {
		return nil, fmt.Errorf("database URL %w", errDatabaseURL)
	}
	options := ""
	if u.RawQuery != "" {
		options = "?" + u.RawQuery
	}
	config, err := mysql.ParseDSN("/" + strings.Trim(u.Path, "/") + options)
	if err != nil {
		return nil, fmt.Errorf("database URL: an option of it is unknown to MySQL's driver")
	}
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	config.Net, config.Addr = "tcp", u.Host
	if u.Port() == "" {
		config.Addr = u.Host + ":3306"
	}
	config.InterpolateParams, config.RejectReadOnly = true, true
	return config, nil
}

type migrateCommand struct {
	Database string `required:"" placeholder:"URL" help:"${databaseHelp}"`
	Django   bool   `help:"The replica lives in the tables of a Django project."`
	Undo     bool   `env:"-" help:"With --django: take away all that Codegrant has put beside Django's tables. Says what that is; --yes does it."`
	Yes      bool   `env:"-" help:"Do what --undo says."`
}

// Help is shown by codegrant migrate --help.
func (migrateCommand) Help() string {
	return `Brings the tables of sessions, of the replica and of its passes to the version that
this program needs. Any number of processes may do so at once, and programs of the
version before go on working.

Examples:
  codegrant migrate --database sqlite:app.db
  codegrant migrate --database postgres://app@db.internal/django --django --undo
  codegrant migrate --database postgres://app@db.internal/app
  CODEGRANT_DATABASE=… codegrant migrate        keeps a password off the command line`
}

func (c migrateCommand) Run(ctx context.Context, out *streams) error {
	db, err := openDatabase(c.Database)
	if err != nil {
		return err
	}
	defer db.Close()
	switch {
	case c.Undo && c.Django:
		return c.undo(ctx, out, db)
	case c.Undo, c.Yes:
		return errors.New("--undo goes with --django, and --yes with --undo: other tables of the replica hold the only copy of what they hold")
	}
	sessions, users, err := db.stores(settings.Replica{Django: c.Django})
	if err != nil {
		return err
	}
	if err := sessions.Migrate(ctx); err != nil {
		return err
	}
	if err := users.Migrate(ctx); err != nil {
		return err
	}
	journal, err := directory.NewSQLJournal(db.DB, db.journal)
	if err != nil {
		return err
	}
	if err := journal.Migrate(ctx); err != nil {
		return err
	}
	fmt.Fprintf(out.stdout, "The tables in %s are up to date.\n", db.engine)
	return nil
}

// stores returns both stores in the database.
func (d *database) stores(replica settings.Replica) (*sqlstore.Store, *sqlreplica.Store, error) {
	sessions, err := sqlstore.New(d.DB, sqlstore.Config{Dialect: d.sessions})
	if err != nil {
		return nil, nil, err
	}
	users, err := d.users(replica)
	return sessions, users, err
}

// users returns the replica in the database.
func (d *database) users(replica settings.Replica) (*sqlreplica.Store, error) {
	config := sqlreplica.Config{Dialect: d.replica}
	if replica.Django {
		config.Django = &sqlreplica.Django{AdoptVerifiedEmail: true, Unverified: sqlreplica.Unverified(replica.Unverified)}
	}
	if replica.Outbox {
		config.Outbox = &sqlreplica.Outbox{}
	}
	return sqlreplica.New(d.DB, config)
}
