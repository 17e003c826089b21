package inspect

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/internal/sqldialect"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/upstream"
	"github.com/codegrant/codegrant/webhook"
)

type usersErase struct {
	parts.Inspection
	Who    string `arg:"" help:"The person: row, sub, username or e-mail address."`
	AtPool bool   `env:"-" help:"First delete the person in their pools, with the credentials of AWS's tools (cognito-idp:AdminGetUser, AdminDeleteUser)."`
	Yes    bool   `env:"-" help:"Make the changes. Without it, the command prints what it would do."`
}

// Help is shown by codegrant users erase --help.
func (usersErase) Help() string {
	return `Removes a person with all identities: rows, groups, history, sessions, grants, tokens of
other services, and waiting changes and messages about them. The application is notified
(OnChange, erased in the outbox, user.erased), with the row numbers only. You cannot undo
it.

Delete the person in the pool first, or use --at-pool. Otherwise the next sync would
restore them. With --at-pool, the command also deletes a user whom a codegrant restore that
was interrupted has created as the person. If the command is interrupted, run it again, and it continues. A receipt
without personal data stays in the database.

Examples:
  codegrant users erase alice@example.com                       what would be removed
  codegrant users erase alice@example.com --at-pool --yes
  codegrant users erasures`
}

func (c usersErase) Run(ctx context.Context, out *terminal.Streams) error {
	l, err := openLinks(ctx, c.Inspection, out)
	if err != nil {
		return err
	}
	defer l.Close()
	u, err := l.Find(ctx, c.Who)
	if err != nil {
		return err
	}
	identities, err := l.Users.Identities(ctx, u.Person())
	if err != nil {
		return err
	}
	var there []string
	for _, i := range identities {
		if i.Deleted.IsZero() {
			there = append(there, fmt.Sprintf("%s in %s", terminal.Printable(i.Username), i.Issuer))
		}
	}
	if !c.Yes {
		if err := printIdentities(out.Stdout, identities); err != nil {
			return err
		}
		fmt.Fprintln(out.Stdout, "\nwould be erased, with sessions, grants, history and messages; nothing is done yet: add --yes")
	}
	if len(there) > 0 && !c.AtPool {
		return fmt.Errorf("a pool still has %s: delete the person there and run codegrant sync --full, or add --at-pool", strings.Join(there, ", "))
	}
	if !c.Yes {
		return nil
	}
	if c.AtPool {
		if identities, err = l.withHalfMade(ctx, out, identities); err != nil {
			return fmt.Errorf("look for a user whom a restore has made and not linked: %w; nothing is done", err)
		}
		for _, i := range identities {
			if err := parts.DeleteAtPool(ctx, i.Issuer, l.regionOf(i.Issuer), i.Username, i.Subject, l.audit); err != nil {
				return fmt.Errorf("delete %s in %s: %w; nothing else is done", terminal.Printable(i.Username), i.Issuer, err)
			}
		}
	}
	return l.erase(ctx, out, identities)
}

var errNewIdentity = errors.New("the person has got another identity meanwhile, by a restore or a merge: run the command again")

// erase does what a pool has nothing to do with. Each step can be repeated, and the rows go
// last: until then the person can be named.
func (l *links) erase(ctx context.Context, out *terminal.Streams, identities []replica.User) error {
	by := parts.Operator()
	var err error
	if l.hooks, err = l.has(ctx, "codegrant_webhooks"); err != nil {
		return err
	}
	if l.organizations, err = l.has(ctx, "codegrant_organization_choices"); err != nil {
		return err
	}
	if err := l.signOut(ctx, identities); err != nil {
		return err
	}
	if l.Shelves != nil {
		if err := l.awaitUpstreams(ctx, out, identities); err != nil {
			return err
		}
	}
	// A restore, or a merge, can give the person an identity that the pool still has.
	within := func(ctx context.Context, tx *sql.Tx, now []replica.User) (map[string]int64, error) {
		for _, i := range now {
			if !slices.ContainsFunc(identities, func(known replica.User) bool { return known.ID == i.ID }) {
				return nil, errNewIdentity
			}
		}
		return l.eraseWithin(ctx, tx, now)
	}
	receipt, err := l.Users.Erase(ctx, identities[0].ID, sqlreplica.EraseOptions{By: by, Within: within})
	if err != nil {
		return err
	}
	l.audit.Info("audit", slog.String("event", "erased"), slog.String("receipt", receipt.ID), slog.String("by", by))
	fmt.Fprintf(out.Stdout, "erased; receipt %s\n%s\n", receipt.ID, removed(receipt))

	// A sign-in that was under way meanwhile began before the mark: what it left is known by its names.
	if err := l.signOut(ctx, identities); err != nil {
		return err
	}
	for _, i := range identities {
		again, err := l.Users.UserBySubject(ctx, i.Issuer, i.Subject)
		if errors.Is(err, replica.ErrNotFound) {
			continue
		}
		if err == nil {
			_, err = l.Users.Erase(ctx, again.ID, sqlreplica.EraseOptions{By: by, Within: l.eraseWithin})
		}
		if err != nil {
			return fmt.Errorf("a sign-in came in between, and was not removed: %w", err)
		}
	}
	return nil
}

// eraseWithin removes what is in other tables of the same database.
func (l *links) eraseWithin(ctx context.Context, tx *sql.Tx, identities []replica.User) (map[string]int64, error) {
	removed := make(map[string]int64)
	queue, err := webhook.NewQueue(l.DB.DB, l.DB.Dialect)
	if err != nil {
		return nil, err
	}
	for _, i := range identities {
		records, err := l.Tables.EraseRecords(ctx, tx, i.Subject)
		if err != nil {
			return nil, err
		}
		removed["records of sign-ins, grants and tokens"] += records
		if l.hooks {
			messages, err := queue.Erase(ctx, tx, i)
			if err != nil {
				return nil, err
			}
			removed["messages"] += messages
		}
	}
	if l.organizations {
		store, err := l.DB.OrganizationStore(nil, nil)
		if err != nil {
			return nil, err
		}
		gone, err := store.Erase(ctx, tx, identities)
		if err != nil {
			return nil, err
		}
		maps.Copy(removed, gone)
	}
	return removed, nil
}

// has reports whether the database has a table: whoever sends no webhooks, or has no
// organizations, lacks theirs.
func (l *links) has(ctx context.Context, table string) (bool, error) {
	there, err := sqldialect.HasTable(ctx, l.DB, l.DB.Dialect, table)
	if err != nil {
		return false, fmt.Errorf("list what is in the database: %w", err)
	}
	return there, nil
}

// Gateways revoke tokens of other services within seconds after a sign-out.
const (
	upstreamPatience = 45 * time.Second
	upstreamPoll     = time.Second
)

// awaitUpstreams gives a gateway the time to revoke what it has at other services.
func (l *links) awaitUpstreams(ctx context.Context, out *terminal.Streams, identities []replica.User) error {
	ctx, cancel := context.WithTimeout(ctx, upstreamPatience)
	defer cancel()
	told := false
	for _, i := range identities {
		for {
			n, err := upstream.Held(ctx, l.Shelves, i.Subject)
			if err != nil && ctx.Err() == nil {
				return err
			}
			if n == 0 && err == nil {
				break
			}
			if !told {
				fmt.Fprintln(out.Stderr, "waiting until the gateway has revoked tokens of other services")
				told = true
			}
			select {
			case <-ctx.Done():
				if errors.Is(ctx.Err(), context.DeadlineExceeded) {
					fmt.Fprintln(out.Stdout, "not done: no gateway has revoked the tokens of other services; they are removed here, and stay good there until they end")
					return nil
				}
				return ctx.Err()
			case <-time.After(upstreamPoll):
			}
		}
	}
	return nil
}

// regionOf is that of a pool of the configuration.
func (l *links) regionOf(issuer string) string {
	for _, p := range l.pools {
		if p.Issuer == issuer {
			return p.Config.Pool.Region
		}
	}
	return ""
}

func removed(e sqlreplica.Erasure) string {
	var all []string
	for _, what := range slices.Sorted(maps.Keys(e.Removed)) {
		all = append(all, fmt.Sprintf("%s: %d", what, e.Removed[what]))
	}
	return strings.Join(all, ", ")
}

type usersErasures struct {
	parts.Inspection
	Limit int `env:"-" default:"50" help:"Maximum number of receipts."`
}

// Help is shown by codegrant users erasures --help.
func (usersErasures) Help() string {
	return `Lists when somebody was erased, by whom, and how many rows of which kind were removed. A
receipt does not say who was erased.

Examples:
  codegrant users erasures
  codegrant users erasures --limit 500 --json`
}

func (c usersErasures) Run(ctx context.Context, out *terminal.Streams) error {
	o, err := c.OpenPeople(ctx)
	if err != nil {
		return err
	}
	defer o.Close()
	all, err := o.Users.Erasures(ctx, c.Limit)
	if err != nil {
		return err
	}
	type receipt struct {
		ID      string           `json:"id"`
		At      time.Time        `json:"at"`
		By      string           `json:"by"`
		Removed map[string]int64 `json:"removed"`
	}
	listed := []receipt{}
	var rows [][]string
	for _, e := range all {
		listed = append(listed, receipt(e))
		rows = append(rows, []string{e.ID, terminal.ShortTime(e.At), terminal.Printable(e.By), removed(e)})
	}
	if c.JSON {
		return terminal.PrintJSON(out.Stdout, map[string]any{"erasures": listed})
	}
	return terminal.Table(out.Stdout, "RECEIPT\tTIME\tBY\tREMOVED", rows)
}
