package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/localpool/standin"
)

// standIn serves a pool in place of Amazon's hosts: until it is stopped, or for as long
// as one command runs.
func (c Command) standIn(ctx context.Context, out *terminal.Streams, logger *slog.Logger, pool *localpool.Server, l net.Listener) error {
	folder := c.State + ".aws"
	if c.State == "" {
		temporary, err := os.MkdirTemp("", "codegrant-pool-")
		if err != nil {
			return fmt.Errorf("make a temporary folder: %w; keep one with --state", err)
		}
		defer os.RemoveAll(temporary)
		folder = temporary
	}
	authority, err := standin.OpenAuthority(folder)
	if err != nil {
		return err
	}
	s, err := standin.New(standin.Config{Pool: pool, Authority: authority, Pass: c.Pass, Logger: logger})
	if err != nil {
		return err
	}
	address := l.Addr().String()
	environment, err := authority.Environment(address, len(c.Pass) > 0)
	if err != nil {
		return err
	}
	if len(c.Command) == 0 {
		show(out.Stdout, pool, "http://"+address)
		fmt.Fprintf(out.Stdout, "\n  It stands in for Amazon's hosts of Cognito. In the shell of a program that is to reach it:\n\n")
		for _, v := range environment.Variables(os.Environ(), c.Region) {
			fmt.Fprintf(out.Stdout, "%s\n", v.Line())
		}
		fmt.Fprint(out.Stdout, "\n  Ctrl-C stops it.\n\n")
		return s.Serve(ctx, l)
	}
	serving, stop := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- s.Serve(serving, l) }()
	err = c.run(ctx, out, environment)
	stop()
	return errors.Join(err, <-served)
}

// run runs the command, and ends as it does.
func (c Command) run(ctx context.Context, out *terminal.Streams, environment standin.Environment) error {
	command := exec.CommandContext(ctx, c.Command[1], c.Command[2:]...)
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 10 * time.Second
	command.Stdin, command.Stdout, command.Stderr = os.Stdin, out.Stdout, out.Stderr
	command.Env = os.Environ()
	for _, v := range environment.Variables(command.Env, c.Region) {
		command.Env = append(command.Env, v.Name+"="+v.Value)
	}
	err := command.Run()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok && ended.ExitCode() > 0 {
		return terminal.Exit(ended.ExitCode(), fmt.Errorf("%s ended with status %d", c.Command[1], ended.ExitCode()))
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", c.Command[1], err)
	}
	return nil
}
