package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/replica"
)

type syncCommand struct {
	inspection
	Full     bool          `help:"Read the members of every group, not of new and changed ones alone."`
	DryRun   bool          `help:"Change nothing, and print what a pass would change."`
	MaxShare float64       `placeholder:"SHARE" help:"Share of the people, from 0 to 1, that a pass may remove; a pass that misses more removes nobody. ${env}"`
	Every    time.Duration `placeholder:"TIME" help:"Go on making passes, one begun this long after the last has ended. ${env}"`
	Endpoint string        `placeholder:"URL" help:"Ask this in place of AWS: a local pool. ${env}"`
}

// Help is shown by codegrant sync --help.
func (syncCommand) Help() string {
	return `Brings the replica in line with the pool: people who were changed, disabled,
deleted or regrouped while they did not sign in. Whoever may no longer sign in
loses every session, and whoever was regrouped has theirs refreshed before the next
use.

It needs the credentials of AWS's tools, with cognito-idp:ListUsers, ListGroups and
ListUsersInGroup on the pool, and calls nothing that counts people as active for the
month. Have one process make passes: a timer, or one copy with --every.

Examples:
  codegrant sync --dry-run --full
  codegrant sync --full
  codegrant sync --every 5m
  codegrant sync --endpoint http://127.0.0.1:9229     of a local pool`
}

func (c syncCommand) Run(ctx context.Context, out *streams) error {
	o, err := c.openUsers()
	if err != nil {
		return err
	}
	defer o.Close()
	s, err := c.newSync(ctx, o, out)
	if err != nil {
		return err
	}
	options := directory.Options{Full: c.Full, DryRun: c.DryRun, MaxShare: c.MaxShare, Difference: difference(out.stdout)}
	if terminal(out.stderr) {
		options.Progress = func(r directory.Report) {
			fmt.Fprintf(out.stderr, "\r%-9s %d groups, %d people \x1b[K", r.Phase, r.Groups, r.Users)
		}
	}
	for {
		report, err := s.Run(ctx, options)
		if options.Progress != nil {
			fmt.Fprint(out.stderr, "\r\x1b[K")
		}
		if err := c.tell(out, report, err); err != nil && c.Every == 0 {
			return err
		}
		if c.Every == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(c.Every):
		}
	}
}

// tell prints what a pass has done, and what is to be done where it failed.
func (c syncCommand) tell(out *streams, r directory.Report, err error) error {
	if errors.Is(err, directory.ErrTooManyRemovals) {
		err = fmt.Errorf("%w; see with --dry-run whether they are gone from the pool, and allow it with --max-share", err)
	}
	if err != nil && c.Every > 0 && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(out.stderr, "codegrant:", err)
	}
	if c.JSON {
		if jsonErr := printJSON(out.stdout, r); jsonErr != nil {
			return jsonErr
		}
		return err
	}
	if r.Phase != "" {
		fmt.Fprintf(out.stdout, "%s, %s read: %d new, %d changed (%d disabled, %d regrouped), %d removed; %s ended, %d to be refreshed\n",
			plural(r.Groups, "group"), plural(r.Users, "user"), r.Created, r.Changed, r.Disabled, r.Regrouped, r.Removed, plural(r.SessionsEnded, "session"), r.SessionsStale)
	}
	return err
}

// difference prints what a dry run finds.
func difference(w io.Writer) func(replica.Change) {
	return func(c replica.Change) {
		what := "change"
		switch {
		case c.Created:
			what = "add"
		case !c.User.Deleted.IsZero():
			what = "remove"
		}
		fmt.Fprintf(w, "%-6s  %s %s\n", what, printable(c.User.Username), printable(c.User.Email))
	}
}

func (c syncCommand) newSync(ctx context.Context, o *opened, out *streams) (*directory.Sync, error) {
	id := o.issuer[strings.LastIndexByte(o.issuer, '/')+1:]
	region, _, _ := strings.Cut(id, "_")
	options := []func(*config.LoadOptions) error{config.WithRegion(region)}
	if c.Endpoint != "" {
		options = append(options, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("local", "local", "")))
	}
	settings, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("read the settings of AWS's tools: %w", err)
	}
	client := cognitoidentityprovider.NewFromConfig(settings, func(o *cognitoidentityprovider.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
	})
	logger := slog.New(slog.NewTextHandler(out.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	source, err := directory.NewCognito(directory.CognitoConfig{Client: client, PoolID: id, Logger: logger})
	if err != nil {
		return nil, err
	}
	configuration := directory.Config{Source: source, Issuer: o.issuer, Replica: o.users, Journal: directory.NewMemoryJournal(), Logger: logger}
	if o.sessions != nil {
		configuration.Sessions, configuration.SessionPools = o.sessions, []string{o.bound}
	}
	return directory.New(configuration)
}

// terminal reports whether a person is watching.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
