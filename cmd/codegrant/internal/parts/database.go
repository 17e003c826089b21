package parts

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/sqlite"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/internal/sqldialect"
	"github.com/codegrant/codegrant/organization"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/session/sqlstore"
	"github.com/codegrant/codegrant/webhook"
)

// Database is one that --database names.
type Database struct {
	*sql.DB
	Dialect sqldialect.Dialect
}

// System is what OpenTelemetry calls the engine.
func (d *Database) System() string { return strings.ToLower(d.Dialect.String()) }

var errDatabaseURL = errors.New("is not of the form sqlite:FILE, postgres://user:password@host/name or mysql://user:password@host/name")

// OpenDatabase opens what a URL names. It need not answer yet. The error never has
// the URL in it, which may hold a password.
func OpenDatabase(raw string) (*Database, error) {
	scheme, rest, ok := strings.Cut(raw, ":")
	if !ok || rest == "" {
		return nil, fmt.Errorf("database URL %w", errDatabaseURL)
	}
	switch scheme {
	case "sqlite", "sqlite3", "file":
		db, err := sqlite.Open(strings.TrimPrefix(rest, "//"))
		if err != nil {
			return nil, err
		}
		return &Database{db, sqldialect.SQLite}, nil
	case "postgres", "postgresql":
		config, err := pgx.ParseConfig(raw)
		if err != nil {
			return nil, errors.New("database URL is not a valid PostgreSQL URL")
		}
		return &Database{stdlib.OpenDB(*config), sqldialect.PostgreSQL}, nil
	case "mysql", "mariadb":
		config, err := mysqlConfig(raw)
		if err != nil {
			return nil, err
		}
		connector, err := mysql.NewConnector(config)
		if err != nil {
			return nil, errors.New("database URL is not a valid MySQL URL")
		}
		return &Database{sql.OpenDB(connector), sqldialect.MySQL}, nil
	}
	return nil, fmt.Errorf("database URL %w", errDatabaseURL)
}

// ErrNoTables: the database has no tables of ours, or there is no database file.
var ErrNoTables = errors.New("the tables have not been migrated")

// LookAtDatabase opens a database that exists, for commands that change nothing: opening
// a SQLite file makes it.
func LookAtDatabase(raw string) (*Database, error) {
	if err := checkFile(raw); err != nil {
		return nil, err
	}
	return OpenDatabase(raw)
}

// checkFile reports whether the file of a SQLite database is missing.
func checkFile(raw string) error {
	scheme, path, _ := strings.Cut(raw, ":")
	if scheme != "sqlite" && scheme != "sqlite3" && scheme != "file" {
		return nil
	}
	path = strings.TrimPrefix(path, "//")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: there is no file %s; run codegrant migrate, or start codegrant serve; if the file should exist, correct the path", ErrNoTables, path)
	}
	return nil
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
		return nil, fmt.Errorf("database URL has an option that the MySQL driver does not know")
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

// Stores returns both stores in the database.
func (d *Database) Stores(replica settings.Replica) (*sqlstore.Store, *sqlreplica.Store, error) {
	sessions, err := sqlstore.New(d.DB, sqlstore.Config{Dialect: d.Dialect})
	if err != nil {
		return nil, nil, err
	}
	users, err := d.Users(replica)
	return sessions, users, err
}

// Users returns the replica in the database.
func (d *Database) Users(replica settings.Replica) (*sqlreplica.Store, error) {
	config := sqlreplica.Config{Dialect: d.Dialect}
	if replica.Django {
		config.Django = &sqlreplica.Django{AdoptVerifiedEmail: true, Unverified: sqlreplica.Unverified(replica.Unverified)}
	}
	if replica.Outbox {
		config.Outbox = &sqlreplica.Outbox{}
	}
	if replica.History > 0 {
		config.History = &sqlreplica.History{Keep: replica.History, Entries: int64(replica.HistoryEntries)}
	}
	return sqlreplica.New(d.DB, config)
}

// OrganizationStore returns the organizations in the database. hears are endpoints that are
// told of changes; nil: none.
func (d *Database) OrganizationStore(s *settings.Organizations, hears func() []webhook.Endpoint) (*organization.Store, error) {
	config := organization.Config{DB: d.DB, Dialect: d.Dialect}
	if hears != nil {
		queue, err := webhook.NewQueue(d.DB, d.Dialect)
		if err != nil {
			return nil, err
		}
		config.OnChange = tellOfOrganizations(queue, hears)
	}
	if s != nil {
		config.Roles, config.Valid = s.Roles, s.Valid
	}
	return organization.New(config)
}

// Names returns what a query names.
func (d *Database) Names(ctx context.Context, query string) (names []string, err error) {
	rows, err := d.QueryContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("list what is in the database: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
