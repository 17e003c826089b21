package restoring

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/directory/recovery"
	"github.com/codegrant/codegrant/internal/refused"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/restore"
)

// wholePool brings a pool back with the recovery that the pool itself offers.
type wholePool struct {
	Command
	out     *terminal.Streams
	api     *cip.Client
	own     *recovery.Client
	journal *directory.SQLJournal
	issuer  string
	poolID  string
	to      time.Time
	now     time.Time
	pause   func(context.Context) error // between two questions
}

func (c Command) newWholePool(ctx context.Context, out *terminal.Streams, o *parts.Opened, api *cip.Client, config restore.Config) (*wholePool, error) {
	w := &wholePool{
		Command: c, out: out, api: api, issuer: config.Issuer, poolID: config.PoolID, to: config.At.UTC().Truncate(time.Second), now: time.Now(), pause: pauseBetween,
	}
	if config.Into != "" {
		w.issuer = config.Into
	}
	var err error
	if w.own, err = recovery.New(ctx, api, w.poolID); err != nil {
		return nil, err
	}
	if w.journal, err = directory.NewSQLJournal(o.DB.DB, o.DB.Dialect); err != nil {
		return nil, err
	}
	return w, nil
}

// How far back a pool goes, by its plan, and how far at least.
const (
	windowEssentials = 24 * time.Hour
	windowPlus       = 14 * 24 * time.Hour
	leastBack        = 15 * time.Minute

	askEvery      = 5 * time.Second
	cancelTimeout = 30 * time.Second
)

func pauseBetween(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(askEvery):
		return nil
	}
}

const permissions = "allow cognito-idp:ListPointInTimeRecoveries, DescribePointInTimeRecovery, InitiatePointInTimeRecovery, StartPointInTimeRecovery, " +
	"CancelPointInTimeRecovery and DescribeUserPool, or restore people with --everybody"

// whyNot says why the pool's own recovery is not used. Empty: it is.
func (w *wholePool) whyNot(ctx context.Context) (string, error) {
	if w.Into != "" {
		return "it changes the pool itself, and --into names another one", nil
	}
	if _, err := w.own.Latest(ctx); errors.Is(err, recovery.ErrNotOffered) {
		return "the pool, its plan or its Region does not offer it", nil
	} else if err != nil && !errors.Is(err, directory.ErrNotFound) && refused.Code(err) != refused.NotFound {
		return "", asked(err)
	}
	described, err := w.api.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: &w.poolID})
	if err != nil {
		return "", fmt.Errorf("read the plan of the pool: %w; %s", err, permissions)
	}
	window := windowEssentials
	switch described.UserPool.UserPoolTier {
	case types.UserPoolTierTypeLite:
		return "the plan Lite does not have it", nil
	case types.UserPoolTierTypePlus:
		window = windowPlus
	}
	switch back := w.now.Sub(w.to); {
	case back > window:
		return fmt.Sprintf("with the plan of the pool it goes back %s at most", terminal.Plural(int(window.Hours()), "hour")), nil
	case back < leastBack:
		return "it goes back 15 minutes at least", nil
	}
	return "", nil
}

func asked(err error) error {
	if errors.Is(err, directory.ErrRefused) {
		return fmt.Errorf("%w; %s", err, permissions)
	}
	return err
}

// run shows what the recovery would change beside what a restore would, and with --yes has
// the pool do it.
func (w *wholePool) run(ctx context.Context, ours *restore.Restore) error {
	latest, err := w.own.Latest(ctx)
	if err != nil && !errors.Is(err, directory.ErrNotFound) {
		return asked(err)
	}
	if w.Yes || w.Preview {
		if err := w.journal.Migrate(ctx); err != nil {
			return err
		}
	}
	if latest.Running() {
		w.say("A recovery to %s is running: %s. No other one can start.", moment(latest.To), latest.Status)
		if !w.Yes {
			return nil
		}
		return w.finish(ctx, recovery.Restoration{Recovery: latest}, nil)
	}
	counts, err := count(ctx, ours)
	if err != nil {
		return err
	}
	if !w.Yes && !w.Preview {
		w.say("The pool offers its own recovery, of all users and groups. It also deletes users who were created after that time.")
		w.compare(nil, counts)
		w.say("\nNothing is done yet. With --preview the pool counts what it would change; with --yes it does it.\n" +
			"From the moment that the pool begins to count, it refuses sign-ups and all changes of users.")
		return w.print(recovery.Restoration{}, counts)
	}
	r, err := w.preview(ctx)
	if err != nil {
		return err
	}
	w.compare(r.Preview, counts)
	if !w.Yes {
		if err := w.cancel(ctx, r.ID); err != nil {
			return err
		}
		w.say("\nNothing is changed, and the pool takes changes again. To recover it, add --yes. A pool counts three times a day, and ten times in 30 days.")
		return w.print(r, counts)
	}
	started, err := w.own.Start(ctx, r.ID)
	if err != nil {
		return errors.Join(fmt.Errorf("start the recovery: %w", asked(err)), w.cancel(ctx, r.ID))
	}
	started.Preview = r.Preview
	if started.To.IsZero() {
		started.To = r.To
	}
	return w.finish(ctx, started, counts)
}

// preview has the pool count, or takes up what an earlier run has had it count.
func (w *wholePool) preview(ctx context.Context) (recovery.Restoration, error) {
	none := recovery.Restoration{}
	noted, err := directory.ReadRecovery(ctx, w.journal, w.issuer)
	if err != nil {
		return none, err
	}
	var r recovery.Restoration
	if noted.Status == directory.RecoveryPreviewing || noted.Status == directory.RecoveryPreviewed {
		if r, err = w.own.Describe(ctx, noted.ID); err != nil {
			return none, asked(err)
		}
	}
	switch open := r.Status == directory.RecoveryPreviewing || r.Status == directory.RecoveryPreviewed; {
	case open && !r.To.Equal(w.to):
		return none, fmt.Errorf("the pool refuses changes, because an earlier run of this command has had it count what a recovery to %s would change; continue with --as-of %s, or end it: %s",
			moment(r.To), r.To.Format(time.RFC3339Nano), w.byHand("cancel", r.ID))
	case !open:
		if r, err = w.own.Initiate(ctx, w.to); err != nil {
			return none, fmt.Errorf("have the pool count: %w", asked(err))
		}
	}
	err = w.note(ctx, r.Recovery)
	for err == nil && r.Status == directory.RecoveryPreviewing {
		if err = w.pause(ctx); err == nil {
			r, err = w.describe(ctx, r)
		}
	}
	if err == nil {
		err = w.note(ctx, r.Recovery)
	}
	if err == nil && r.Status != directory.RecoveryPreviewed {
		return none, fmt.Errorf("the pool does not say what it would change: %s; nothing is changed", r.Status)
	}
	if err != nil {
		return none, errors.Join(err, w.cancel(ctx, r.ID))
	}
	return r, nil
}

// describe asks for a recovery again. That the pool does not answer says nothing.
func (w *wholePool) describe(ctx context.Context, r recovery.Restoration) (recovery.Restoration, error) {
	now, err := w.own.Describe(ctx, r.ID)
	if errors.Is(err, directory.ErrUnavailable) && ctx.Err() == nil {
		return r, nil
	}
	if err != nil {
		return r, asked(err)
	}
	if len(now.Preview) == 0 {
		now.Preview = r.Preview
	}
	return now, nil
}

// cancel has the pool take changes again, also where this command is to end.
func (w *wholePool) cancel(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
	defer cancel()
	r, err := w.own.Cancel(ctx, id)
	if err != nil {
		return fmt.Errorf("the pool still refuses changes, for a day at most: %w; end it: %s", err, w.byHand("cancel", id))
	}
	return w.note(ctx, r.Recovery)
}

// finish waits until the pool has done it.
func (w *wholePool) finish(ctx context.Context, r recovery.Restoration, counts map[restore.Kind]int) error {
	err := w.note(ctx, r.Recovery)
	for err == nil && r.Status == directory.RecoveryRunning {
		if err = w.pause(ctx); err == nil {
			r, err = w.describe(ctx, r)
		}
	}
	if err != nil {
		return fmt.Errorf("the recovery continues in the pool, and cannot be stopped: %w; to wait for it, run the command again, or see %s", err, w.byHand("describe", r.ID))
	}
	if err := w.note(ctx, r.Recovery); err != nil {
		return err
	}
	if r.Status != directory.RecoveryCompleted {
		return errors.Join(w.print(r, counts), fmt.Errorf("the recovery ended as %s: the pool refuses changes until AWS support has acted; ask them about %s", r.Status, r.ID))
	}
	w.say("\nThe pool is as it was at %s. People who have changed their password since then keep the new one.\n"+
		"The next pass of codegrant sync is a full one: run codegrant sync --full, if no process makes passes.", moment(r.To))
	return w.print(r, counts)
}

func (w *wholePool) note(ctx context.Context, r directory.Recovery) error {
	return directory.NoteRecovery(ctx, w.journal, w.issuer, r)
}

func (w *wholePool) byHand(verb, id string) string {
	return fmt.Sprintf("aws cognito-idp %s-point-in-time-recovery --user-pool-id %s --restore-id %s", verb, w.poolID, terminal.Printable(id))
}

func moment(at time.Time) string { return at.UTC().Format(time.RFC3339) }

// count says how much a restore would do. Nil: the history does not reach back.
func count(ctx context.Context, ours *restore.Restore) (map[restore.Kind]int, error) {
	counts := make(map[restore.Kind]int)
	err := ours.Plan(ctx, func(s restore.Step) error {
		counts[s.Kind]++
		return nil
	})
	if errors.Is(err, sqlreplica.ErrNoHistory) {
		return nil, nil
	}
	return counts, err
}

func (w *wholePool) say(format string, args ...any) {
	if !w.JSON {
		fmt.Fprintf(w.out.Stdout, format+"\n", args...)
	}
}

// compare prints what the pool would change beside what a restore would.
func (w *wholePool) compare(preview []recovery.Changes, counts map[restore.Kind]int) {
	if w.JSON {
		return
	}
	ours := func(kinds ...restore.Kind) string {
		if counts == nil {
			return "?"
		}
		n := 0
		for _, k := range kinds {
			n += counts[k]
		}
		return fmt.Sprint(n)
	}
	rows := [][]string{
		{"Users: create", "?", ours(restore.Make)}, {"Users: change", "?", ours(restore.Overwrite)}, {"Users: delete", "?", "0"},
	}
	for i, c := range preview {
		all := fmt.Sprintf("%d / %d / %d", c.Create, c.Update, c.Delete)
		if strings.EqualFold(c.Entity, "Users") {
			for n, count := range []int{c.Create, c.Update, c.Delete} {
				rows[n][1] = fmt.Sprint(count)
			}
		} else if i < 20 {
			rows = append(rows, []string{terminal.Printable(c.Entity) + ": create / change / delete", all, "-"})
		}
	}
	_ = terminal.Table(w.out.Stdout, "WHAT\tTHE POOL'S RECOVERY\tCODEGRANT (--everybody)", rows)
	if counts == nil {
		w.say("The history of the replica does not reach back to that time.")
	}
}

// recoveredTo is a recovery as programs get it.
type recoveredTo struct {
	By      string               `json:"by"` // pool
	ID      string               `json:"restore_id,omitempty"`
	Status  string               `json:"status,omitempty"`
	To      time.Time            `json:"to"`
	Preview []entity             `json:"preview,omitempty"`
	Ours    map[restore.Kind]int `json:"everybody,omitempty"` // what codegrant restore --everybody would do
}

type entity struct {
	Entity string `json:"entity"`
	Create int    `json:"create"`
	Update int    `json:"update"`
	Delete int    `json:"delete"`
}

func (w *wholePool) print(r recovery.Restoration, counts map[restore.Kind]int) error {
	if !w.JSON {
		return nil
	}
	out := recoveredTo{By: "pool", ID: r.ID, Status: string(r.Status), To: w.to, Ours: counts}
	if !r.To.IsZero() {
		out.To = r.To
	}
	for _, c := range r.Preview {
		out.Preview = append(out.Preview, entity(c))
	}
	return terminal.PrintJSON(w.out.Stdout, out)
}

// paused reports whether a recovery has the pool refuse changes, as far as that can be known:
// a preview is in no listing.
func (w *wholePool) paused(ctx context.Context) bool {
	if latest, err := w.own.Latest(ctx); err == nil && (latest.Running() || latest.Status == directory.RecoveryAborted) {
		return true
	}
	noted, err := directory.ReadRecovery(ctx, w.journal, w.issuer)
	if err != nil || noted.Status != directory.RecoveryPreviewing && noted.Status != directory.RecoveryPreviewed {
		return false
	}
	r, err := w.own.Describe(ctx, noted.ID)
	return err == nil && (r.Status == directory.RecoveryPreviewing || r.Status == directory.RecoveryPreviewed)
}
