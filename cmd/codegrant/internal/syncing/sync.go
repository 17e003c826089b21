package syncing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/refused"
	"github.com/codegrant/codegrant/replica"
)

type Command struct {
	parts.Inspection
	Full      bool          `help:"Read the members of every group, not only of new and changed ones."`
	Status    bool          `env:"-" help:"Print the last passes and the time of the next one, from the database. Do not run a pass."`
	DryRun    bool          `help:"Print what a pass would change, and change nothing."`
	User      []string      `env:"-" placeholder:"WHO" sep:"none" help:"Update only these people: sub, or username, e-mail address or row of the replica. May be repeated. With --full, their groups, too."`
	Follow    bool          `help:"Make a pass, then follow events. Passes continue, in case events are lost."`
	BySubject bool          `help:"Read the list of people in sixteen parts at once, by the first digit of their sub. For large pools, where the latency of the API limits a pass."`
	MaxShare  float64       `placeholder:"SHARE" help:"Share of the people, from 0 to 1, that a pass may remove. If more are missing, the pass removes nobody."`
	Every     time.Duration `placeholder:"TIME" help:"Repeat passes, with this pause between two of them. Defaults to 1h with --follow."`
	Endpoint  string        `placeholder:"URL" help:"Send API requests to this URL instead of AWS. Defaults to the pool itself if its issuer is on this machine."`

	OpsListen string `env:"CODEGRANT_SYNC_OPS_LISTEN" placeholder:"ADDRESS" help:"Address of /healthz, /readyz and /metrics, or a Unix socket as unix:/path, with --every and --follow. Defaults to sync_ops_listen in the configuration."`

	Queue           string `group:"Events, with --follow" placeholder:"URL" help:"Amazon SQS queue that gets the events from EventBridge."`
	QueueEndpoint   string `group:"Events, with --follow" placeholder:"URL" help:"Send queue requests to this URL instead of Amazon SQS."`
	Listen          string `group:"Events, with --follow" env:"CODEGRANT_EVENT_LISTEN" placeholder:"ADDRESS" help:"Address to listen on for events, at /events."`
	EventSecretFile string `group:"Events, with --follow" type:"path" placeholder:"FILE" help:"File with the secrets of the senders of events, one per line. You can also set the variable CODEGRANT_EVENT_SECRETS."`
}

// Help is shown by codegrant sync --help.
func (Command) Help() string {
	return `Updates the replica from the pool: people who were changed, disabled or deleted, or
whose groups changed, since they last signed in. It ends all sessions of people who
may no longer sign in. If somebody's groups changed, it has the sessions refreshed
before their next use. It reads all pools of the configuration, or the one that
--pool names.

It needs the credentials that the AWS tools use, with cognito-idp:ListUsers, ListGroups
and ListUsersInGroup on the pool; for point-in-time recoveries of the pool also
ListPointInTimeRecoveries and DescribePointInTimeRecovery. It makes no calls that count people as active for the
month. Any number of processes may run it: one of them makes passes at a time. If a
pass is killed, the next process continues it.

With --follow, changes arrive within moments. Events of CloudTrail come through a queue
or by POST, and sync looks up the people that they name. See docs/sync.md for what to
deploy.

Exit status: 0 done; 1 failed, run it again; 2 a mistake on the command line; 3 done,
but too many people were missing and nobody was removed; 4 another process is making a
pass, or the pool is being recovered. With --status: 0 if the last pass succeeded, 1 if it failed or there was none,
3 if it removed nobody because too many were missing.

Examples:
  codegrant sync --dry-run --full
  codegrant sync --full
  codegrant sync --every 5m --ops-listen 127.0.0.1:9091
  codegrant sync --status
  codegrant sync --user alice@example.com
  codegrant sync --follow --queue https://sqs.eu-west-1.amazonaws.com/111122223333/codegrant
  codegrant sync --follow --listen 127.0.0.1:9081 --event-secret-file secrets
  codegrant sync --endpoint https://pool.test:9229     instead of AWS

For a local pool on this machine (codegrant pool), sync uses the address of its
issuer. You need not set --endpoint.`
}

// Exit statuses of their own.
const (
	exitTooMany = 3
	exitRunning = 4
)

// Validate is called with the flags.
func (c Command) Validate() error {
	switch {
	case c.Status && (len(c.User) > 0 || c.Follow || c.DryRun || c.Full || c.Every != 0):
		return errors.New("--status only prints the last passes: leave out --user, --follow, --dry-run, --full and --every")
	case len(c.User) > 0 && (c.Follow || c.DryRun || c.Every != 0):
		return errors.New("--user updates people once: leave out --follow, --dry-run and --every")
	case c.Follow && c.DryRun:
		return errors.New("--follow changes the replica; remove --follow or --dry-run")
	case c.Every < 0:
		return errors.New("--every cannot be below 0")
	}
	return nil
}

func (c Command) Run(ctx context.Context, out *terminal.Streams) error {
	if c.Status {
		return c.status(ctx, out)
	}
	s, err := c.openSync(ctx, out)
	if err != nil {
		return err
	}
	defer s.Close()
	switch {
	case len(c.User) > 0:
		return s.lookUp(ctx, c.User)
	case c.Follow:
		return s.follow(ctx)
	case c.Every > 0:
		return s.keepPassing(ctx)
	}
	var faults []error
	for _, p := range s.pools {
		report, err := p.Run(ctx, s.options(p.name, c.Full))
		s.endProgress()
		faults = append(faults, s.tell(p, report, err))
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if !c.DryRun {
		_, err := s.Users.TrimHistory(ctx)
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// options are those of one pass.
func (s *syncing) options(pool string, full bool) directory.Options {
	o := directory.Options{Full: full, DryRun: s.DryRun, MaxShare: s.MaxShare, Difference: difference(s.out.Stdout)}
	if s.JSON {
		o.Difference = nil
	}
	if s.progress {
		o.Progress = func(r directory.Report) {
			fmt.Fprintf(s.out.Stderr, "\r%s: %-9s %s, %s \x1b[K", pool, r.Phase, terminal.Plural(r.Groups, "group"), terminal.Plural(r.Users, "user"))
		}
	}
	return o
}

func (s *syncing) endProgress() {
	if s.progress {
		fmt.Fprint(s.out.Stderr, "\r\x1b[K")
	}
}

// passed is a pass as programs get it.
type passed struct {
	Pool          string    `json:"pool"`
	Pass          string    `json:"pass,omitempty"`
	Full          bool      `json:"full"`
	DryRun        bool      `json:"dry_run"`
	Done          bool      `json:"done"`
	Started       time.Time `json:"started,omitzero"`
	Finished      time.Time `json:"finished,omitzero"`
	Resumed       int       `json:"resumed"`
	Groups        int       `json:"groups"`
	Members       int       `json:"members"`
	Users         int       `json:"users"`
	Created       int       `json:"created"`
	Changed       int       `json:"changed"`
	Disabled      int       `json:"disabled"`
	Regrouped     int       `json:"regrouped"`
	Removed       int       `json:"removed"`
	Kept          int       `json:"kept"`
	Refused       int       `json:"refused"`
	Withheld      int       `json:"withheld"`
	SessionsEnded int       `json:"sessions_ended"`
	SessionsStale int       `json:"sessions_stale"`
	Error         string    `json:"error,omitempty"`
}

func newPassed(pool string, r directory.Report) passed {
	return passed{
		Pool: pool, Pass: r.Pass, Full: r.Full, DryRun: r.DryRun, Done: r.Phase == "done", Started: r.Started, Finished: r.Finished, Resumed: r.Resumed,
		Groups: r.Groups, Members: r.Members, Users: r.Users, Created: r.Created, Changed: r.Changed, Disabled: r.Disabled, Regrouped: r.Regrouped,
		Removed: r.Removed, Kept: r.Kept, Refused: r.Refused, Withheld: r.Withheld, SessionsEnded: r.SessionsEnded, SessionsStale: r.SessionsStale,
	}
}

// summary is what the pass has done, in a line.
func (p passed) summary() string {
	return fmt.Sprintf("%s, %s read: %d new, %d changed (%d disabled, %d regrouped), %d removed; %s ended, %d to be refreshed",
		terminal.Plural(p.Groups, "group"), terminal.Plural(p.Users, "user"), p.Created, p.Changed, p.Disabled, p.Regrouped, p.Removed, terminal.Plural(p.SessionsEnded, "session"), p.SessionsStale)
}

// tell prints what a pass has done, and returns what is to be done where it failed.
func (s *syncing) tell(p *syncedPool, r directory.Report, err error) error {
	if refused.NoPool(err) {
		err, r.Phase = parts.NoPool(err, p.id), "" // nothing was read
	}
	switch {
	case errors.Is(err, directory.ErrTooManyRemovals):
		err = terminal.Exit(exitTooMany, fmt.Errorf("pool %s: %w; see with --dry-run whether they are gone from the pool, and allow it with --max-share", p.name, err))
	case errors.Is(err, directory.ErrRecovering):
		err = terminal.Exit(exitRunning, fmt.Errorf("pool %s: %w; run it again when that is over", p.name, err))
	case errors.Is(err, directory.ErrRunning):
		err = terminal.Exit(exitRunning, fmt.Errorf("pool %s: %w; one that was killed is continued a minute later", p.name, err))
	case err != nil:
		err = fmt.Errorf("pool %s: %w", p.name, err)
	}
	if s.JSON {
		out := newPassed(p.name, r)
		if err != nil {
			out.Error = err.Error()
		}
		return errors.Join(err, terminal.PrintJSON(s.out.Stdout, out))
	}
	if r.Phase != "" {
		if len(s.pools) > 1 {
			fmt.Fprintf(s.out.Stdout, "%s: ", p.name)
		}
		fmt.Fprintln(s.out.Stdout, newPassed(p.name, r).summary())
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
		fmt.Fprintf(w, "%-6s  %s %s\n", what, terminal.Printable(c.User.Username), terminal.Printable(c.User.Email))
	}
}

// isTerminal reports whether a person is watching.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
