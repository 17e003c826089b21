package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/session"
)

type serveCommand struct {
	Config       string        `default:"codegrant.yaml" type:"path" placeholder:"FILE" help:"Configuration file. ${env}"`
	Check        bool          `env:"-" help:"Say what is wrong with the configuration, and start nothing."`
	Schema       bool          `env:"-" help:"Print the JSON Schema of the configuration file, for editors."`
	DrainTimeout time.Duration `default:"30s" help:"How long requests under way may go on when it is stopped. ${env}"`
	ReloadEvery  time.Duration `default:"5s" help:"How often the configuration's files are looked at for changes; 0: on SIGHUP alone. ${env}"`
}

// Help is shown by codegrant serve --help.
func (serveCommand) Help() string {
	return `Signs people in for services in any language: as a reverse proxy in front of
them, or as the answer to another proxy's question whether a request may pass.

A new configuration is taken on SIGHUP, or when one of its files changes, without
dropping a connection; a wrong one is logged, and the old one stays.

Examples:
  codegrant serve --check --config codegrant.yaml
  codegrant serve --config codegrant.yaml
  codegrant serve --schema > codegrant.schema.json

A configuration:
  listen: 127.0.0.1:8080
  base_url: https://app.example.com
  pools:
    - id: eu-west-1_Ab12Cd34E
      domain: acme.auth.eu-west-1.amazoncognito.com
      client_id: ${COGNITO_CLIENT_ID}
  routes:
    - path: /
      upstream: http://127.0.0.1:3000`
}

func (c serveCommand) Run(ctx context.Context, out *streams) error {
	if c.Schema {
		_, err := out.stdout.Write(settings.Schema())
		return err
	}
	s, err := c.load(session.RandomKeyring())
	if err != nil {
		return err
	}
	for _, w := range s.Warnings {
		fmt.Fprintln(out.stderr, "warning:", w)
	}
	if c.Check {
		fmt.Fprintf(out.stdout, "%s is fine: %s, %s, sessions in %s\n", c.Config, plural(len(s.Pools), "pool"), plural(len(s.Routes), "route"), s.Sessions)
		return nil
	}
	return nil
}

// load reads the configuration. Keys are those of this process, in case that it has
// none.
func (c serveCommand) load(keys *session.Keyring) (*settings.Settings, error) {
	s, err := settings.Load(c.Config, settings.Options{Keys: keys, Database: checkDatabaseURL, Redis: checkRedisURL})
	if err != nil {
		return nil, configurationError(err)
	}
	return s, nil
}

func configurationError(err error) error {
	var faults *settings.Error
	if errors.As(err, &faults) && len(faults.Faults) > 1 {
		return fmt.Errorf("the configuration has %d faults\n%w", len(faults.Faults), err)
	}
	return err
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
