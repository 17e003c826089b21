package main

import (
	"cmp"
	"fmt"
	"runtime/debug"

	"github.com/alecthomas/kong"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/demo"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/doctor"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/health"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/inspect"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/manual"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/migrate"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/policy"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/pool"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/serve"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/syncing"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/token"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/webhooks"
)

// cli is the table of commands. Each is a package of its own.
type cli struct {
	Demo       demo.Command      `cmd:"" help:"Run everything on this machine: a local Cognito, a small site and two API backends."`
	Serve      serve.Command     `cmd:"" help:"Sign people in for services in any language, as a reverse proxy or as forward-auth."`
	Pool       pool.Command      `cmd:"" help:"Run a Cognito user pool on this machine, for development and tests."`
	Doctor     doctor.Command    `cmd:"" help:"Find mistakes in the settings, the pool and the database, and say how to fix them."`
	Health     health.Command    `cmd:"" help:"Check whether codegrant serve on this machine is ready, for health checks of containers."`
	Migrate    migrate.Command   `cmd:"" help:"Create or upgrade the tables of sessions and of the replica."`
	Sync       syncing.Command   `cmd:"" help:"Update the replica from the pool."`
	Users      inspect.Users     `cmd:"" help:"List and show the people in the replica."`
	Webhooks   webhooks.Command  `cmd:"" help:"Send changes of people to other programs; list messages that failed, and send them again."`
	Groups     inspect.Groups    `cmd:"" help:"List and show the groups in the replica."`
	Sessions   inspect.Sessions  `cmd:"" help:"List sessions, and end them."`
	Grants     inspect.Grants    `cmd:"" help:"List what programs (MCP clients) may do for people, and end it."`
	Token      token.Command     `cmd:"" help:"Check whether a token is valid, and if not, why; get a token for a machine."`
	Policy     policy.Command    `cmd:"" help:"Test Cedar policies."`
	Completion manual.Completion `cmd:"" help:"Print completions for a shell: bash, zsh or fish."`
	Man        manual.Man        `cmd:"" help:"Write man pages."`
	Version    versionFlag       `env:"-" help:"Print the version and exit."`
}

const description = `Sign-in with Amazon Cognito for Go services and the backends behind them.

    codegrant demo    try it: then open http://localhost:8080
    codegrant pool    develop: a Cognito with login pages on this machine
    codegrant serve   run: sign-in in front of services in any language
    codegrant doctor  set up: find mistakes in the settings, and how to fix them
    codegrant token   look: check whether a token is valid, and if not, why

Every command has --help with examples.`

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
