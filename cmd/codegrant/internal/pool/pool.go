package pool

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/listen"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/poolfile"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/localpool/standin"
)

// poolAddress is where a pool listens that is told nothing.
const poolAddress = "127.0.0.1:9229"

type Command struct {
	State       string   `type:"path" placeholder:"FILE" help:"Keep users, keys and tokens in this file. Without it, they are lost when the process ends."`
	Seed        string   `type:"path" placeholder:"FILE" help:"YAML file of pools, clients, users and groups. Defaults to the pool of the demo."`
	Listen      string   `default:"127.0.0.1:9229" help:"Address to listen on. Only addresses of this machine."`
	App         string   `default:"http://localhost:8080" placeholder:"URL" help:"URL of the application, for the app clients of the built-in seed."`
	BaseURL     string   `env:"CODEGRANT_POOL_URL" placeholder:"URL" help:"URL at which browsers and services reach the pool. Defaults to the listen address."`
	HTTPS       bool     `help:"Serve https with a certificate that is created at the start."`
	Quotas      bool     `help:"Refuse requests above the rates that Cognito allows an account. The seed can set other rates."`
	Region      string   `placeholder:"NAME" help:"Region of the pool in the built-in seed, such as eu-west-1, and of pools that API calls without a region create."`
	AllowOrigin []string `placeholder:"ORIGIN" help:"Allow scripts of pages at this origin, such as https://app.example.com, to call the pool. Origins on this machine are always allowed."`
	SMTP        string   `placeholder:"HOST:PORT" help:"Send the e-mails of Cognito to this test mail server, such as Mailpit at 127.0.0.1:1025."`
	AsAWS       bool     `name:"as-aws" help:"Answer for the hosts of Amazon, as an HTTPS proxy, for programs whose endpoint you cannot set."`
	Pass        []string `placeholder:"HOST" help:"With --as-aws: also connect to this host, to *.name, or to * for all."`

	Command []string `arg:"" optional:"" passthrough:"" name:"command" help:"One of the commands below, with its arguments. Without it, the pool runs until you stop it."`

	InsecureListen bool `help:"Allow a listen address that other machines can reach. Anybody who reaches it can sign in as anybody."`
	Quiet          bool `short:"q" help:"Log only faults. You then see the codes that Cognito would send only on the page /codes."`
}

// Help is shown by codegrant pool --help.
func (Command) Help() string {
	return `Serves the OAuth endpoints, login pages and keys of Amazon Cognito, for all pools of
the seed. The page /codes and the log show the codes that Cognito would e-mail.
Triggers are URLs in the seed: the pool posts the events of Cognito to them, in place
of Lambda functions. It can also post changes of people to a program of yours. See
docs/local-pool.md.

Examples:
  codegrant pool --state pool.json        keep all state in a file
  codegrant pool --seed pool.yaml --state pool.json
  codegrant pool --app http://localhost:3000
  codegrant pool --https                  for SDKs that require https
  codegrant pool --as-aws --state pool.json
  codegrant pool run -- aws cognito-idp list-user-pools --max-results 10

The commands export, diff and apply read and change the configuration of any pool, at AWS
or local. A copy of a pool for development, with people whom nobody can recognize:
  codegrant pool export --pool-id eu-west-1_Ab12Cd34E --people anonymized --to shop.yaml
  codegrant pool --seed shop.yaml

With --as-aws, programs reach cognito-idp.<region>.amazonaws.com,
issuer-cognito-idp.<region>…, secretsmanager.<region>… and
<prefix>.auth.<region>.amazoncognito.com here, and tokens have Amazon's own issuer.
It prints the variables to set. The command run sets them for one program.

A seed:
  pools:
    - id: local_Shop1
      name: shop
      clients:
        - id: web
          secret: not-a-secret
          callback_urls: [http://localhost:8080/auth/callback]
          logout_urls: [http://localhost:8080/]
          refresh_token_rotation: true
      groups:
        - name: admins
      users:
        - {username: carol, email: carol@example.com, password: Passw0rd!, groups: [admins]}`
}

// within is the table of commands after the word pool. The command line of the pool itself
// cannot be in it: kong takes either arguments or commands.
type within struct {
	Pool struct {
		Run runProgram `cmd:"" help:"Run one program with the pool instead of Amazon, and stop when it ends."`
		poolfile.Commands
	} `cmd:""`
}

// Within is for help, man pages and completions.
func (Command) Within() any { return new(within) }

// runProgram is codegrant pool run, with the flags of the pool before that word.
type runProgram struct {
	Program []string `arg:"" passthrough:"partial" help:"Program and its arguments, after --."`
}

// Help is shown by codegrant pool run --help.
func (runProgram) Help() string {
	return `Starts a pool with --as-aws, on a free port, and runs one program with the variables that
send its calls of Amazon Cognito to this pool. The exit status is that of the program.
Flags of codegrant pool, such as --seed, come before the word run.

Examples:
  codegrant pool run -- aws cognito-idp list-user-pools --max-results 10
  codegrant pool --quiet --seed pool.yaml run -- python app.py`
}

// other runs a command of the table, or its help.
func (c Command) other(ctx context.Context, out *terminal.Streams) error {
	if status := terminal.Run(ctx, append([]string{"pool"}, c.Command...), out.Stdout, out.Stderr, c.Within()); status != 0 {
		return terminal.Exit(status, nil) // it has said why
	}
	return nil
}

// runs reports whether the arguments name a program to run.
func (c Command) runs() bool {
	return len(c.Command) > 1 && c.Command[0] == "run" && c.Command[1] != "--help" && c.Command[1] != "-h"
}

// realPool returns the name of a setting in the environment that is about a pool of
// Amazon's, or nothing.
func realPool(environment []string) string {
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		ours := strings.HasPrefix(name, "CODEGRANT_") || strings.HasPrefix(name, "AUTH_COGNITO_")
		if ours && (strings.Contains(value, ".amazonaws.com/") || strings.Contains(value, ".amazoncognito.com")) {
			return name
		}
	}
	return ""
}

func (c Command) Run(ctx context.Context, out *terminal.Streams) error {
	level := slog.LevelInfo
	if c.Quiet {
		level = slog.LevelWarn
	}
	logger := slog.New(slog.NewTextHandler(out.Stderr, &slog.HandlerOptions{Level: level}))
	if len(c.Command) > 0 && !c.runs() {
		return c.other(ctx, out)
	}
	if len(c.Command) > 1 && c.Command[1] == "--" {
		c.Command = slices.Delete(slices.Clone(c.Command), 1, 2)
	}
	if len(c.Command) > 0 {
		if len(c.Command) == 1 {
			return errors.New("name the program: codegrant pool run -- COMMAND")
		}
		c.AsAWS = true
		if c.Listen == poolAddress {
			c.Listen = "127.0.0.1:0" // beside another pool
		}
	}
	if c.AsAWS && c.Region == "" {
		c.Region = "eu-west-1"
	}
	if c.AsAWS && (c.HTTPS || c.InsecureListen) {
		return errors.New("--as-aws listens only on this machine and creates its own certificates; remove --https and --insecure-listen")
	}
	seed := localpool.DefaultSeed(c.App)
	if c.Region != "" {
		seed.Pools[0].ID = strings.Replace(seed.Pools[0].ID, "local", c.Region, 1)
	}
	if c.Seed != "" {
		content, err := os.ReadFile(c.Seed)
		if err != nil {
			return fmt.Errorf("read the seed: %w", pathError(err))
		}
		if seed, err = localpool.ParseSeed(content); err != nil {
			return fmt.Errorf("%s: %w", c.Seed, err)
		}
	}
	if c.Quotas {
		quotas := localpool.DefaultQuotas()
		maps.Copy(quotas, seed.Quotas)
		seed.Quotas = quotas
	}
	if err := localpool.CheckListen(c.Listen); err != nil {
		if _, _, wrong := net.SplitHostPort(c.Listen); c.AsAWS && wrong == nil {
			return standin.ErrListen // which --insecure-listen does not allow either
		}
		if !c.InsecureListen {
			return err
		}
		if name := realPool(os.Environ()); name != "" {
			return fmt.Errorf("%s names a pool of Amazon's: where services of that pool run, no local pool is reached by other machines; unset it, or listen on 127.0.0.1", name)
		}
	}
	listener, err := listen.On("--listen", c.Listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	scheme := "http"
	served := listener
	if c.HTTPS {
		certificate, err := listen.OwnCertificate()
		if err != nil {
			return fmt.Errorf("make a certificate: %w", err)
		}
		scheme = "https"
		served = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	}
	base := strings.TrimSuffix(c.BaseURL, "/")
	if base == "" {
		base = scheme + "://" + listener.Addr().String()
	}
	pool, err := localpool.New(localpool.Config{
		Seed: seed, StateFile: c.State, BaseURL: base, Logger: logger, InsecureAnyHost: c.InsecureListen,
		AllowOrigins: c.AllowOrigin, SMTP: c.SMTP, Region: c.Region, AsAWS: c.AsAWS,
	})
	if err != nil {
		return err
	}
	if c.AsAWS {
		err = c.standIn(ctx, out, logger, pool, listener)
	} else {
		show(out.Stdout, pool, base)
		fmt.Fprint(out.Stdout, "\n  Ctrl-C stops it.\n\n")
		err = listen.Serve(ctx, logger, map[net.Listener]http.Handler{served: pool})
	}
	if fault := pool.Close(); fault != nil {
		return fault // changes that are not in the file
	}
	return err
}

// show prints the pool and the settings of its clients.
func show(w io.Writer, pool *localpool.Server, base string) {
	fmt.Fprintf(w, "\n  Local pool  %s\n  Set up      %s/setup\n\n", base, base)
	for _, client := range pool.Clients() {
		name := ""
		if client.Name != client.ID {
			name = " (" + client.Name + ")"
		}
		fmt.Fprintf(w, "    client %s%s of pool %s\n", client.ID, name, client.PoolID)
		fmt.Fprintf(w, "      AUTH_COGNITO_CLIENT_ID=%s\n      AUTH_COGNITO_CODE_GRANT_URL=%s/oauth2/token\n      AUTH_COGNITO_JWKS_URL=%s/.well-known/jwks.json\n",
			client.ID, pool.Domain(client.PoolID), client.Issuer)
		if app := webCallback(client.CallbackURLs); app != nil {
			fmt.Fprintf(w, "      CODEGRANT_BASE_URL=%s://%s\n", app.Scheme, app.Host)
			if app.Path != "/auth/callback" {
				fmt.Fprintf(w, "      SITE_LOGIN_URL=%s\n", app)
			}
		}
		if client.Secret != "" {
			fmt.Fprintf(w, "      CODEGRANT_CLIENT_SECRET=%s\n", client.Secret)
		}
	}
}

// webCallback is the first callback URL of a web application: others are of apps on telephones.
// Its origin is what the application's browsers see.
func webCallback(callbacks []string) *url.URL {
	for _, callback := range callbacks {
		if u, err := url.Parse(callback); err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https") {
			return u
		}
	}
	return nil
}

func pathError(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("%s: %w", path.Path, path.Err)
	}
	return err
}
