package main

import (
	"cmp"
	"fmt"
	"runtime/debug"

	"github.com/alecthomas/kong"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/backups"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/demo"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/doctor"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/health"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/inspect"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/manual"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/migrate"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/moving"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/orgs"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/policy"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/pool"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/restoring"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/serve"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/syncing"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/token"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/webhooks"
)

// cli is the table of commands. Each is a package of its own.
type cli struct {
	Demo           demo.Command           `cmd:"" help:"Run the demo on this machine: a local Cognito, a small site and two API backends."`
	Serve          serve.Command          `cmd:"" help:"Run the gateway: sign-in for services in any language, as a reverse proxy or with forward-auth."`
	Pool           pool.Command           `cmd:"" help:"Run a Cognito user pool on this machine, for development and tests."`
	Doctor         doctor.Command         `cmd:"" help:"Check the settings, the pool and the database, and tell you how to fix what is wrong."`
	Health         health.Command         `cmd:"" help:"Check whether the gateway on this machine is ready. For health checks of containers."`
	Migrate        migrate.Command        `cmd:"" help:"Create or upgrade the tables of sessions and of the replica."`
	Move           moving.Command         `cmd:"" help:"Move people to another user pool. Nobody has to reset a password."`
	Sync           syncing.Command        `cmd:"" help:"Update the replica from the pool."`
	Users          inspect.Users          `cmd:"" help:"List and show the people in the replica."`
	Webhooks       webhooks.Command       `cmd:"" help:"Send changes of people to other programs; list, resend or discard messages that failed."`
	Groups         inspect.Groups         `cmd:"" help:"List and show the groups in the replica."`
	Sessions       inspect.Sessions       `cmd:"" help:"List sessions, and end them."`
	Grants         inspect.Grants         `cmd:"" help:"List and end the grants that people gave to programs (MCP clients)."`
	UpstreamTokens inspect.UpstreamTokens `cmd:"" help:"List and end the tokens that people have at other services, such as GitHub."`
	Token          token.Command          `cmd:"" help:"Check a token and say why it is refused; get a token for a machine."`
	Policy         policy.Command         `cmd:"" help:"Test Cedar policies."`
	Completion     manual.Completion      `cmd:"" help:"Print completions for a shell: bash, zsh or fish."`
	Man            manual.Man             `cmd:"" help:"Write man pages."`
	Version        versionFlag            `env:"-" help:"Print the version and exit."`
	Orgs           orgs.Command           `cmd:"" help:"List and change organizations, their members and their invitations."`
	Backup         backups.Command        `cmd:"" help:"Write people, groups, history and organizations of the database to an encrypted file, or verify one."`
	Restore        restoring.Command      `cmd:"" help:"Create deleted users again in the pool, from the history of the replica; or read a backup into a database."`
}

const description = `Sign-in with Amazon Cognito for Go services and the backends behind them.

    codegrant demo    try it, then open http://localhost:8080
    codegrant pool    develop with a local Cognito that has login pages
    codegrant serve   run the gateway in front of services in any language
    codegrant doctor  check your settings, and see how to fix them
    codegrant token   check a token, and see why it is refused

Each command has --help, with examples.`

func main() {
	terminal.Main(new(cli), kong.Description(description))
}

// version is that of a release, which its script puts in. Without it, the go command's
// counts.
var version string

type versionFlag bool

// BeforeApply prints the version before anything is validated.
func (versionFlag) BeforeApply(app *kong.Kong) error {
	said := cmp.Or(version, "unknown")
	if info, ok := debug.ReadBuildInfo(); ok && version == "" && info.Main.Version != "" {
		said = info.Main.Version
	}
	fmt.Fprintln(app.Stdout, "codegrant", said)
	app.Exit(0)
	return nil
}
