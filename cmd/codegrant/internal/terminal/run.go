package terminal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

const databaseHelp = `URL of the database: sqlite:app.db, postgres://user:password@host/name or mysql://user:password@host/name.`

// Main runs a program, and ends the process.
func Main(commands any, options ...kong.Option) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	os.Exit(Run(ctx, os.Args[1:], os.Stdout, os.Stderr, commands, options...))
}

// Run runs the command that the arguments name, out of a table: a struct whose
// fields are commands. It returns the exit status.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer, commands any, options ...kong.Option) int {
	exit := -1
	parser, err := newParser(commands, append(options,
		kong.Writers(stdout, stderr),
		kong.Exit(func(status int) { exit = status }),
		kong.Help(func(options kong.HelpOptions, ctx *kong.Context) error {
			if err := Describe(ctx.Model); err != nil {
				return err
			}
			return kong.DefaultHelpPrinter(options, ctx)
		}),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Bind(&Streams{stdout, stderr}),
		kong.BindTo(ctx, (*context.Context)(nil)),
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
	err = command.Run()
	said, exits := errors.AsType[exitError](err)
	switch {
	case exits && said.error == nil: // kong wraps what a command returns
		return said.status
	case err == nil, errors.Is(err, context.Canceled):
		return 0
	}
	fmt.Fprintln(stderr, "codegrant:", err)
	if exits {
		return said.status
	}
	return 1
}

// exitError is a fault with an exit status of its own.
type exitError struct {
	error
	status int
}

func (e exitError) Error() string {
	if e.error == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.error.Error()
}

func (e exitError) Unwrap() error { return e.error }

// Exit is a fault that ends the program with a status. Without an error, everything is said
// already.
func Exit(status int, err error) error { return exitError{err, status} }

// Streams is where a command speaks.
type Streams struct{ Stdout, Stderr io.Writer }
