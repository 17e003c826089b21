package token

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/machine"
)

// exitUnavailable is the status where the same call may succeed later.
const exitUnavailable = 3

// usesSecret is what proves which app client asks, and usesDomain where.
var (
	usesSecret = []string{"pools.client_secret", "pools.client_secret_file", "pools.second_client_secret", "pools.client_secret_arn"}
	usesDomain = []string{"pools.domain", "pools.code_grant_url"}
)

type get struct {
	Scopes  []string      `env:"-" sep:" " placeholder:"SCOPE" help:"Scopes to ask for, such as orders/read. May be repeated. Defaults to all scopes of the app client."`
	Config  string        `type:"path" placeholder:"FILE" help:"Configuration file with the app client as a pool. Without it, the settings come from the environment."`
	Pool    string        `placeholder:"NAME" help:"Pool of the configuration, if it has several."`
	API     bool          `name:"api" env:"-" help:"Use the user pools API (GetClientToken), for app clients whose only flow is ALLOW_CLIENT_TOKEN_AUTH."`
	Timeout time.Duration `default:"20s" help:"How long to wait for the pool."`
	JSON    bool          `name:"json" help:"Print JSON: access_token, token_type, expires and scope; or error and unavailable."`
}

// Help is shown by codegrant token get --help.
func (get) Help() string {
	return `Prints a machine token: an access token that belongs to the app client (the grant
client_credentials, or GetClientToken). It prints nothing else on the standard output.
It reads the same settings as codegrant doctor: AUTH_COGNITO_CLIENT_ID,
AUTH_COGNITO_CODE_GRANT_URL, AUTH_COGNITO_JWKS_URL and CODEGRANT_CLIENT_SECRET, or its
_FILE or _ARN. If the app client has two secrets, set both: codegrant uses the one that
the pool accepts.

Anybody who sees the token can use it until it expires. Keep it in a variable, not in a
file and not on a command line. Cognito bills each call as one token: get one token for
a script, not one for each of its requests.

Exit status: 0 with a token, 1 if the settings or the pool refuse one, 3 if the pool did
not answer and the same call may succeed later.

Examples:
  token=$(codegrant token get --scopes orders/read) || exit
  curl --config - https://orders.example.com <<< "header = \"Authorization: Bearer $token\""
  codegrant token get --config codegrant.yaml --json | jq -r .expires`
}

// gotten is what --json prints.
type gotten struct {
	AccessToken string    `json:"access_token"`
	TokenType   string    `json:"token_type"`
	Expires     time.Time `json:"expires"`
	Scope       string    `json:"scope,omitempty"` // that was asked for
}

// refused is what --json prints in its place.
type refused struct {
	Error       string `json:"error"`
	Unavailable bool   `json:"unavailable"` // the same call may succeed later
}

func (c get) Run(ctx context.Context, out *terminal.Streams) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	token, err := c.token(ctx, out)
	if err == nil {
		if c.JSON {
			return terminal.PrintJSON(out.Stdout, gotten{token.AccessToken, token.Type(), token.Expiry.UTC(), strings.Join(c.Scopes, " ")})
		}
		_, err = fmt.Fprintln(out.Stdout, token.AccessToken)
		return err
	}
	away := errors.Is(err, cognito.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)
	if c.JSON {
		if err := terminal.PrintJSON(out.Stdout, refused{err.Error(), away}); err != nil {
			return err
		}
	}
	if away {
		return terminal.Exit(exitUnavailable, fmt.Errorf("the pool did not answer; try again: %w", err))
	}
	return err
}

func (c get) token(ctx context.Context, out *terminal.Streams) (*oauth2.Token, error) {
	uses := usesSecret
	if !c.API {
		uses = slices.Concat(usesSecret, usesDomain)
	}
	config, err := read(c.Config, c.Pool, uses)
	if err != nil {
		return nil, err
	}
	if err := parts.WithClientSecret(&config.Pool); err != nil {
		return nil, err
	}
	if c.API {
		config.Pool.Domain = ""
	}
	source, err := machine.New(machine.Config{
		Pool: config.Pool, Scopes: c.Scopes,
		Logger: slog.New(slog.NewTextHandler(out.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	})
	if err != nil {
		return nil, err
	}
	token, err := source.TokenContext(ctx)
	switch {
	case errors.Is(err, cognito.ErrMisconfigured):
		err = fmt.Errorf("%w; check the app client: its id, its secret, and that it has the grant client_credentials", err)
	case errors.Is(err, cognito.ErrInvalid):
		err = fmt.Errorf("%w; check the scopes: the app client must be allowed all of them", err)
	}
	return token, err
}
