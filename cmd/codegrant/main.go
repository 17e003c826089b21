package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"
)

// cli is the table of commands. Each is a package of its own.
type cli struct {
	Demo     demoCommand     `cmd:"" help:"Run everything on this machine: a local Cognito, a small site and two API backends."`
	Serve    serveCommand    `cmd:"" help:"Sign people in for services in any language: a reverse proxy, or the answer to another one's question."`
	Pool     poolCommand     `cmd:"" help:"Run a Cognito user pool on this machine, for development and tests."`
	Doctor   doctorCommand   `cmd:"" help:"Say what is wrong with the settings, the pool and the database, and how to mend it."`
	Migrate  migrateCommand  `cmd:"" help:"Bring a database's tables of sessions and of the replica up to date."`
	Sync     syncCommand     `cmd:"" help:"Bring the replica in line with the pool."`
	Users    usersCommand    `cmd:"" help:"Look at the people in the replica."`
	Groups   groupsCommand   `cmd:"" help:"Look at the groups in the replica."`
	Sessions sessionsCommand `cmd:"" help:"Look at live sessions, and end them."`
	Token    tokenCommand    `cmd:"" help:"Say whether a token is good, and if not, why."`
	Version  versionFlag     `env:"-" help:"Print the version and exit."`
}

const description = `Sign-in with Amazon Cognito for Go services and the backends behind them.

    codegrant demo    try it: then open http://localhost:8080
    codegrant pool    develop: a Cognito with login pages on this machine
    codegrant serve   run: sign-in in front of services in any language
    codegrant doctor  set up: what is wrong with the settings, and how to mend it
    codegrant token   look: whether a token is good, and if not, why

Every command has --help with examples.`

func main() {
	programMain(new(cli), kong.Description(description))
}

// programMain runs a program, and ends the process.
func programMain(commands any, options ...kong.Option) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(runCommand(ctx, os.Args[1:], os.Stdout, os.Stderr, commands, options...))
}

// runCommand runs the command that the arguments name, out of a table: a struct whose
// fields are commands. It returns the exit status.
func runCommand(ctx context.Context, args []string, stdout, stderr io.Writer, commands any, options ...kong.Option) int {
	exit := -1
	parser, err := kong.New(commands, append(options,
		kong.Name("codegrant"),
		kong.Writers(stdout, stderr),
		kong.Exit(func(status int) { exit = status }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Bind(&streams{stdout, stderr}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.DefaultEnvars("CODEGRANT"),
		kong.Vars{"databaseHelp": databaseHelp},
	)...)
	if err != nil {
		fmt.Fprintln(stderr, "codegrant:", err)
		return 1
	}
	command, err := parser.Parse(args)
	if exit >= 0 {
		return exit // help or version was asked for
	}
	if err != nil {
		// The command's own help is the one that has the flag, and examples.
		path := "codegrant"
		if parse, ok := errors.AsType[*kong.ParseError](err); ok && parse.Context.Selected() != nil {
			path = parse.Context.Selected().FullPath()
		}
		fmt.Fprintf(stderr, "codegrant: %v; see %s --help\n", err, path)
		return 2
	}
	if err := command.Run(); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(stderr, "codegrant:", err)
		var status exitError
		if errors.As(err, &status) {
			return status.status
		}
		return 1
	}
	return 0
}

// exitError is a fault with an exit status of its own.
type exitError struct {
	error
	status int
}

func (e exitError) Unwrap() error { return e.error }

// exitWith is a fault that ends the program with a status.
func exitWith(status int, err error) error { return exitError{err, status} }

// streams is where a command speaks.
type streams struct{ stdout, stderr io.Writer }

type versionFlag bool

// BeforeApply prints the version before anything is validated.
func (versionFlag) BeforeApply(app *kong.Kong) error {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	fmt.Fprintln(app.Stdout, "codegrant", version)
	app.Exit(0)
	return nil
}
