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
	Serve      serve.Command     `cmd:"" help:"Sign people in for services in any language: a reverse proxy, or the answer to another one's question."`
	Pool       pool.Command      `cmd:"" help:"Run a Cognito user pool on this machine, for development and tests."`
	Doctor     doctor.Command    `cmd:"" help:"Say what is wrong with the settings, the pool and the database, and how to mend it."`
	Health     health.Command    `cmd:"" help:"Say whether a codegrant serve on this machine is ready; for health checks of containers."`
	Migrate    migrate.Command   `cmd:"" help:"Bring a database's tables of sessions and of the replica up to date."`
	Sync       syncing.Command   `cmd:"" help:"Bring the replica in line with the pool."`
	Users      inspect.Users     `cmd:"" help:"Look at the people in the replica."`
	Webhooks   webhooks.Command  `cmd:"" help:"Tell programs of changes of people; look at what could not be sent, and send it again."`
	Groups     inspect.Groups    `cmd:"" help:"Look at the groups in the replica."`
	Sessions   inspect.Sessions  `cmd:"" help:"Look at live sessions, and end them."`
	Grants     inspect.Grants    `cmd:"" help:"Look at what people have let programs do (MCP clients), and end it."`
	Token      token.Command     `cmd:"" help:"Say whether a token is good, and if not, why; get one of a machine."`
	Policy     policy.Command    `cmd:"" help:"Say whether Cedar policies decide what they are meant to."`
	Completion manual.Completion `cmd:"" help:"Print completions for a shell: bash, zsh or fish."`
	Man        manual.Man        `cmd:"" help:"Write man pages."`
	Version    versionFlag       `env:"-" help:"Print the version and exit."`
}

const description = `Sign-in with Amazon Cognito for Go services and the backends behind them.

    codegrant demo    try it: then open http://localhost:8080
    codegrant pool    develop: a Cognito with login pages on this machine
    codegrant serve   run: sign-in in front of services in any language
    codegrant doctor  set up: what is wrong with the settings, and how to mend it
    codegrant token   look: whether a token is good, and if not, why

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
