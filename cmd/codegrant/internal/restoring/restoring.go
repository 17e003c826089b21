package restoring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/internal/refused"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/restore"
)

// Command is codegrant restore.
type Command struct {
	parts.Inspection
	User      string  `env:"-" placeholder:"WHO" help:"One person: row, sub, username or e-mail address in the replica. You can also name a deleted person."`
	Group     string  `env:"-" placeholder:"NAME" help:"All people who were in this group at that time."`
	Everybody bool    `env:"-" help:"All people who were in the pool at that time."`
	WholePool bool    `env:"-" help:"The pool as it was at that time, by the point-in-time recovery of Cognito. It also deletes users who were created after that time. If the pool does not offer it, this is --everybody."`
	Preview   bool    `env:"-" help:"With --whole-pool: have the pool count what its recovery would change. While it counts, the pool refuses sign-ups and changes of users."`
	AsOf      string  `env:"-" placeholder:"TIME" help:"Time to go back to: 2026-03-01T12:00:00Z, 2026-03-01 (start of the day, UTC), or how long ago, such as 36h."`
	LostSince string  `env:"-" placeholder:"TIME" help:"All people that the pool has lost since this time, in their last state. Use it instead of --everybody and --as-of."`
	Into      string  `env:"-" placeholder:"NAME" help:"Create the people in this other pool of the configuration, if they are not there."`
	Share     float64 `env:"-" default:"0.8" placeholder:"N" help:"Share of Cognito's default quotas to use. Defaults to 0.8."`
	Yes       bool    `env:"-" help:"Make the changes. Without it, the command prints the plan."`

	From      string   `env:"-" type:"path" placeholder:"FILE" help:"Read this backup into the database, and ask no pool."`
	Identity  []string `type:"path" placeholder:"FILE" help:"With --from: file with the secret key that opens the backup."`
	Overwrite bool     `env:"-" help:"Also change people whom the pool has, back to how they were. With --from: the database may have people; those of the backup become as they were then."`
}

// Help is shown by codegrant restore --help.
func (Command) Help() string {
	return `Creates users again that were deleted from the pool, with the attributes and groups that
they had in the replica's history, and disables them if they were disabled. They get a new
sub from the pool, and keep their user id in the replica. The command does not change users
that the pool still has, unless you set --overwrite: the plan lists those that were
different then. If the command is interrupted, run it again.

People choose a new password with "Forgot your password?". Their authenticator apps and
passkeys are lost. The history must reach back to that time: replica: {history: 720h}. Run
codegrant sync --full first, so that the replica knows which users are missing.

Needs cognito-idp:AdminGetUser, AdminCreateUser, AdminSetUserPassword, AdminDisableUser,
CreateGroup and AdminAddUserToGroup; iam:PassRole for groups with a role. AdminDeleteUser
for people who are erased at the same time. With --overwrite also AdminUpdateUserAttributes, AdminDeleteUserAttributes, AdminEnableUser and
AdminRemoveUserFromGroup. With --whole-pool also DescribeUserPool, and
InitiatePointInTimeRecovery, StartPointInTimeRecovery, CancelPointInTimeRecovery,
DescribePointInTimeRecovery and ListPointInTimeRecoveries.

With --whole-pool, Cognito itself brings all users and groups back, with their passwords,
second factors and passkeys. It also deletes users who were created after that time. The
pool refuses changes from the first count until the end. See docs/restore.md.

Examples:
  codegrant restore --everybody --as-of 2h                  the plan
  codegrant restore --everybody --as-of 2h --yes
  codegrant restore --lost-since 2h --yes
  codegrant restore --whole-pool --as-of 2h                 by the pool itself
  codegrant restore --user 17 --as-of 36h --yes
  codegrant restore --user 17 --as-of 36h --overwrite --yes
  codegrant restore --pool shop --everybody --as-of 1h --into spare --yes
  codegrant restore --group admins --as-of 2026-03-01 --json

With --from it reads a file of codegrant backup into the database instead, all or
nothing. The tables have to exist: run codegrant migrate. Stop codegrant serve and
codegrant sync before.

  codegrant restore --from people.backup --identity backup.key --yes
  codegrant restore --from people.backup --identity backup.key --overwrite --yes`
}

// Validate is called with the flags.
func (c Command) Validate() error {
	if c.From != "" {
		switch {
		case c.User != "" || c.Group != "" || c.Everybody || c.WholePool || c.Preview || c.AsOf != "" || c.LostSince != "" || c.Into != "" || c.Pool != "":
			return errors.New("--from restores the whole of a backup: leave out --user, --group, --everybody, --whole-pool, --preview, --as-of, --lost-since, --into and --pool")
		case len(c.Identity) == 0:
			return errors.New("name the secret key with --identity")
		}
		return nil
	}
	if len(c.Identity) > 0 {
		return errors.New("--identity needs --from")
	}
	if c.Preview && (!c.WholePool || c.Yes) {
		return errors.New("--preview needs --whole-pool, and changes nothing: leave out --yes")
	}
	if c.LostSince != "" {
		if c.User != "" || c.Group != "" || c.Everybody || c.WholePool || c.AsOf != "" || c.Into != "" || c.Overwrite {
			return errors.New("--lost-since says whom, and how they are made: leave out --user, --group, --everybody, --whole-pool, --as-of, --into and --overwrite")
		}
		return nil
	}
	if c.Into != "" && c.Overwrite {
		return errors.New("--into makes people in another pool, and changes nobody: leave out --overwrite")
	}
	if c.AsOf == "" {
		return errors.New("name the time to go back to: --as-of TIME")
	}
	n := 0
	for _, said := range []bool{c.User != "", c.Group != "", c.Everybody, c.WholePool} {
		if said {
			n++
		}
	}
	if n != 1 {
		return errors.New("set one of --user, --group, --everybody and --whole-pool; or name a backup with --from")
	}
	return nil
}

// told is a step as programs get it.
type told struct {
	Kind     restore.Kind `json:"kind"`
	User     int64        `json:"user"` // row
	Person   int64        `json:"person"`
	Username string       `json:"username"`
	Before   string       `json:"sub_before"`
	Subject  string       `json:"sub,omitempty"`
	Why      string       `json:"why,omitempty"`
	Differs  []string     `json:"differs,omitempty"`
	Unknown  []string     `json:"unknown,omitempty"` // then
}

// maxShown is how many people a plan names on a terminal.
const maxShown = 50

func (c Command) Run(ctx context.Context, out *terminal.Streams) error {
	if c.From != "" {
		return c.fromFile(ctx, out)
	}
	at, err := parts.ParseMoment(cmp.Or(c.LostSince, c.AsOf), time.Now())
	if err != nil {
		return err
	}
	o, err := c.OpenUsers(ctx)
	if err != nil {
		return err
	}
	defer o.Close()
	config := restore.Config{Issuer: o.Issuer, Replica: o.Users, At: at, By: parts.Operator(), Group: c.Group, Overwrite: c.Overwrite, Share: c.Share}
	if c.LostSince != "" {
		config.At, config.LostSince = time.Time{}, at
	}
	if c.User != "" {
		u, err := o.Find(ctx, c.User)
		if err != nil {
			return err
		}
		config.User = u.Person()
	}
	issuer, region := o.Issuer, o.Region
	if c.Into != "" {
		if issuer, region, err = c.target(); err != nil {
			return err
		}
		if issuer == o.Issuer {
			return errors.New("--into names the pool that the people were in: leave it out")
		}
		config.Into = issuer
	}
	api, id, err := parts.PoolClient(ctx, issuer, region, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	config.Client, config.PoolID = api, id
	w, err := c.newWholePool(ctx, out, o, api, config)
	if err != nil {
		return err
	}
	config.Paused = w.paused
	r, err := restore.New(config)
	if err != nil {
		return err
	}
	if c.WholePool {
		why, err := w.whyNot(ctx)
		if err != nil {
			return c.gone(err, id)
		}
		if why == "" {
			return w.run(ctx, r)
		}
		fmt.Fprintf(out.Stderr, "The pool's own recovery is not used: %s. This is the restore of --everybody, which deletes nobody.\n", why)
	}
	return c.people(ctx, out, r)
}

// isGone reports whether the pool does not exist in which people are to be made.
func isGone(err error) bool { return errors.Is(err, restore.ErrNoPool) || refused.NoPool(err) }

// gone says what to do if so.
func (c Command) gone(err error, id string) error {
	if !isGone(err) {
		return err
	}
	if c.Into != "" {
		return fmt.Errorf("%w; --into needs a pool that exists", parts.NoPool(err, id))
	}
	return fmt.Errorf("%w: create another pool, give it the settings with codegrant pool apply, put both pools into the configuration, and add --into NAME", parts.NoPool(err, id))
}

// people restores people one by one.
func (c Command) people(ctx context.Context, out *terminal.Streams, r *restore.Restore) error {
	counts, steps := make(map[restore.Kind]int), []told{}
	run := r.Plan
	if c.Yes {
		run = r.Run
	}
	err := run(ctx, func(s restore.Step) error {
		counts[s.Kind]++
		t := told{s.Kind, s.Now.ID, s.Now.Person(), s.Then.Username, s.Now.Subject, s.Subject, s.Why, s.Differs, s.Unknown}
		switch {
		case c.JSON:
			return terminal.PrintJSON(out.Stdout, t)
		case len(steps) < maxShown:
			steps = append(steps, t)
		}
		return nil
	})
	if !c.JSON && (err == nil || len(counts) > 0) {
		tell(out, steps, counts, c.Yes)
	}
	if errors.Is(err, sqlreplica.ErrNoHistory) {
		return fmt.Errorf("%w; set replica: {history: 720h} for the next time", err)
	}
	if isGone(err) {
		return c.gone(err, r.PoolID)
	}
	if err != nil {
		return fmt.Errorf("%w; run the command again, and it continues", err)
	}
	if c.Yes && counts[restore.Taken] > 0 {
		return terminal.Exit(1, fmt.Errorf("%s could not be restored", terminal.Plural(counts[restore.Taken], "person")))
	}
	return nil
}

// target is the pool that --into names.
func (c Command) target() (issuer, region string, err error) {
	s, err := c.Load(parts.UsesSessions)
	if err != nil {
		return "", "", err
	}
	pool, err := parts.ChoosePool(s, c.Into)
	return pool.Issuer, pool.Config.Pool.Region, err
}

func tell(out *terminal.Streams, steps []told, counts map[restore.Kind]int, done bool) {
	var rows [][]string
	for _, t := range steps {
		notes := slices.Clone(t.Differs)
		if len(t.Unknown) > 0 {
			notes = append(notes, "(unknown then, stays: "+strings.Join(t.Unknown, " ")+")")
		}
		rows = append(rows, []string{string(t.Kind), fmt.Sprint(t.User), terminal.Printable(t.Username), t.Subject, terminal.Printable(strings.Join(append(notes, t.Why), " "))})
	}
	if len(rows) > 0 {
		_ = terminal.Table(out.Stdout, "STEP\tID\tUSERNAME\tNEW SUB\tWHAT DIFFERS, OR WHY NOT", rows)
		fmt.Fprintln(out.Stdout)
	}
	made := "would be made again"
	if done {
		made = "made again"
	}
	fmt.Fprintf(out.Stdout, "%s: %d\nhave to sign in again by themselves (federated): %d\nleft alone, the pool has them and otherwise: %d\n",
		made, counts[restore.Make], counts[restore.Federated], counts[restore.Differs])
	if n := counts[restore.Overwrite]; n > 0 {
		changed := "would be changed back"
		if done {
			changed = "changed back"
		}
		fmt.Fprintf(out.Stdout, "%s: %d\n", changed, n)
	}
	if counts[restore.Taken] > 0 {
		fmt.Fprintf(out.Stdout, "not done, for the reason in the list: %d\n", counts[restore.Taken])
	}
	if !done {
		fmt.Fprintln(out.Stdout, "nothing is done yet: add --yes")
	}
}
