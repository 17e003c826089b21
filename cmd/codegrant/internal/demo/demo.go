package demo

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/listen"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/sqlite"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/session/sqlstore"
)

type Command struct {
	Listen     string `default:"localhost:8080" help:"Address of the site."`
	PoolListen string `default:"127.0.0.1:9229" help:"Address of the local pool."`
	Data       string `type:"path" placeholder:"DIR" help:"Keep users, sessions and replica in this folder. Defaults to a temporary folder that is removed at the end."`
	Verbose    bool   `short:"v" help:"Log all events, not only faults."`
}

// Help is shown by codegrant demo --help.
func (Command) Help() string {
	return `Starts a user pool with login pages, a site, and two API backends ("orders" and
"reports") that share its users. It needs no AWS account, no network and no
other program. Ctrl-C stops it.

Examples:
  codegrant demo
  codegrant demo --data ./demo            keep all state in a folder
  codegrant demo --listen localhost:3000  another port

Sign in as alice@example.com (in admins and analysts) or bob@example.com (in
editors); the password of both is Passw0rd!`
}

func (c Command) Run(ctx context.Context, out *terminal.Streams) error {
	level := slog.LevelWarn
	if c.Verbose {
		level = slog.LevelDebug
	}
	logger := slog.New(slog.NewTextHandler(out.Stderr, &slog.HandlerOptions{Level: level}))

	dir := c.Data
	if dir == "" {
		temporary, err := os.MkdirTemp("", "codegrant-demo-")
		if err != nil {
			return fmt.Errorf("make a temporary folder: %w; name one with --data", err)
		}
		defer os.RemoveAll(temporary)
		dir = temporary
	} else if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the data folder: %w", err)
	}

	site, err := listen.On("--listen", c.Listen)
	if err != nil {
		return err
	}
	defer site.Close()
	poolListener, err := listen.On("--pool-listen", c.PoolListen)
	if err != nil {
		return err
	}
	defer poolListener.Close()

	siteURL := "http://" + browserAddress(c.Listen, site.Addr())
	poolURL := "http://" + poolListener.Addr().String()
	d, err := newDemo(ctx, dir, siteURL, poolURL, logger)
	if err != nil {
		return err
	}
	defer d.close()

	fmt.Fprintf(out.Stdout, `
  Codegrant demo

    Site        %s
    Local pool  %s
    Data        %s

    Sign in as  alice@example.com   in admins, analysts
                bob@example.com     in editors
    Password    Passw0rd!           for both

  Ctrl-C stops it.

`, siteURL, poolURL, dir)

	return listen.Serve(ctx, logger, map[net.Listener]http.Handler{site: d.site, poolListener: d.pool})
}

// demo is everything that the command joins.
type demo struct {
	pool  *localpool.Server
	auth  *codegrant.Auth
	site  http.Handler
	close func()
}

func newDemo(ctx context.Context, dir, siteURL, poolURL string, logger *slog.Logger) (_ *demo, err error) {
	pool, err := localpool.New(localpool.Config{
		Seed:      localpool.DefaultSeed(siteURL),
		StateFile: filepath.Join(dir, "pool.json"),
		BaseURL:   poolURL,
		Logger:    logger,
	})
	if err != nil {
		return nil, fmt.Errorf("start the local pool: %w", err)
	}
	db, err := sqlite.Open(filepath.Join(dir, "codegrant.db"))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			db.Close()
		}
	}()
	changes := newChangeLog()
	users, err := sqlreplica.New(db, sqlreplica.Config{Dialect: sqlreplica.SQLite, OnChange: changes.record})
	if err != nil {
		return nil, fmt.Errorf("open the replica: %w", err)
	}
	sessions, err := sqlstore.New(db, sqlstore.Config{Dialect: sqlstore.SQLite})
	if err != nil {
		return nil, fmt.Errorf("open the session store: %w", err)
	}
	for what, migrate := range map[string]func(context.Context) error{"replica": users.Migrate, "sessions": sessions.Migrate} {
		if err := migrate(ctx); err != nil {
			return nil, fmt.Errorf("prepare the tables of the %s: %w", what, err)
		}
	}

	client := pool.Clients()[0]
	// A folder that was kept may know another address of the site.
	if err := pool.RegisterURLs(client.ID, siteURL+"/auth/callback", siteURL+"/"); err != nil {
		return nil, fmt.Errorf("start the local pool: %w", err)
	}
	auth, err := codegrant.New(codegrant.Config{
		Pool: cognito.Pool{
			ID: client.PoolID, Domain: poolURL, Issuer: client.Issuer,
			ClientID: client.ID, ClientSecret: cognito.Secret(client.Secret),
		},
		BaseURL:  siteURL,
		Sessions: sessions,
		Replica:  users,
		Logger:   logger,
	})
	if err != nil {
		return nil, err
	}
	d := &demo{pool: pool, auth: auth}
	d.site = newSite(d, users, sessions, changes, client.PoolID, client.Issuer, siteURL, poolURL)
	d.close = func() {
		// Revocations under way may finish; the pool lives in this process.
		wait, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_ = auth.Close(wait)
		_ = db.Close()
		_ = pool.Close()
	}
	return d, nil
}

// browserAddress is what a person types: the name that was asked for, with the
// port that was got.
func browserAddress(asked string, got net.Addr) string {
	host, _, err := net.SplitHostPort(asked)
	_, port, err2 := net.SplitHostPort(got.String())
	if err != nil || err2 != nil {
		return got.String()
	}
	if host == "" {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
