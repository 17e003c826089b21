package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/replica"
)

// identity is one of a person, as programs get it.
type identity struct {
	Row      int64  `json:"row"`
	Person   int64  `json:"person"`
	Issuer   string `json:"issuer"`
	Subject  string `json:"sub"`
	Username string `json:"username"`
	Email    string `json:"email"`
}

func newIdentities(users []replica.User) []identity {
	all := []identity{}
	for _, u := range users {
		all = append(all, identity{u.ID, u.Person(), u.Issuer, u.Subject, u.Username, u.Email})
	}
	return all
}

func printIdentities(w io.Writer, users []replica.User) error {
	var rows [][]string
	for _, i := range newIdentities(users) {
		rows = append(rows, []string{strconv.FormatInt(i.Row, 10), strconv.FormatInt(i.Person, 10), i.Username, i.Email, i.Subject, i.Issuer})
	}
	return terminal.Table(w, "ROW\tPERSON\tUSERNAME\tEMAIL\tSUBJECT\tISSUER", rows)
}

// people lists those who may be one.
func (c usersDuplicates) people(ctx context.Context, out *terminal.Streams, o *parts.Opened) error {
	found, err := o.Users.Duplicates(ctx)
	if err != nil {
		return err
	}
	type duplicate struct {
		Email  string     `json:"email"`
		People []identity `json:"people"`
	}
	all := []duplicate{}
	var flat []replica.User
	for _, d := range found {
		all = append(all, duplicate{d.Email, newIdentities(d.People)})
		flat = append(flat, d.People...)
	}
	switch {
	case c.JSON:
		err = terminal.PrintJSON(out.Stdout, map[string]any{"duplicates": all})
	case len(found) == 0:
		_, err = fmt.Fprintln(out.Stdout, "no address is of several people")
	default:
		if err = printIdentities(out.Stdout, flat); err == nil {
			_, err = fmt.Fprintf(out.Stdout, "\n%s\n", terminal.Plural(len(found), "duplicate"))
		}
	}
	if err == nil && len(found) > 0 {
		return terminal.Exit(1, errors.New("several people have one address; codegrant users merge makes them one"))
	}
	return err
}

type usersMerge struct {
	parts.Inspection
	From          string `env:"-" placeholder:"WHO" help:"Person to merge into the other person: row, sub, username or e-mail address."`
	Into          string `env:"-" placeholder:"WHO" help:"Person to keep. Applications continue to refer to this row."`
	VerifiedEmail bool   `env:"-" help:"Instead of --from and --into: merge all people who have the same verified e-mail address, into the oldest row."`
	AtPool        bool   `env:"-" help:"First link the account at the identity provider in the pool, which deletes its user there, with the credentials of AWS's tools."`
	Yes           bool   `env:"-" help:"Make the change. Without it, the command prints what it would do."`
}

// Help is shown by codegrant users merge --help.
func (usersMerge) Help() string {
	return `Merges two people who are the same person with several ways to sign in: another pool,
another provider, or a new account. Each identity keeps its groups, and gets the row
(user id) of --into. Your application has to move the data that it keeps for --from:
OnChange and the outbox report the merge (merged). The sessions of --from end.

Make sure that they are the same person: a sign-in as either gets what belongs to both.
With --verified-email you trust each pool of the configuration to verify addresses.

With --at-pool the pool knows it, too: --from is a user whom an identity provider made,
and --into a user of the pool's own. The pool deletes the user of --from, with its sub,
attributes and groups, which you cannot undo, and links the account to --into. Without
--yes, the command reads the pool and prints what is lost. If it is interrupted, run it
again. Needs cognito-idp:AdminGetUser, AdminListGroupsForUser, DescribeUserPool,
ListIdentityProviders, ListUsers, AdminDeleteUser and AdminLinkProviderForUser.

If the configuration has several pools, name people by row.

Examples:
  codegrant users merge --from 17 --into 4
  codegrant users merge --from 17 --into alice@example.com --yes
  codegrant users merge --from 17 --into 4 --at-pool
  codegrant users merge --verified-email --yes`
}

var (
	errWhom     = errors.New("name the people with --from and --into, or use --verified-email")
	errOneByOne = errors.New("--at-pool deletes users in the pool; name the people one by one with --from and --into")
)

func (c usersMerge) Run(ctx context.Context, out *terminal.Streams) error {
	if c.VerifiedEmail == (c.From != "" && c.Into != "") || c.VerifiedEmail && c.From+c.Into != "" {
		return errWhom
	}
	if c.VerifiedEmail && c.AtPool {
		return errOneByOne
	}
	l, err := openLinks(ctx, c.Inspection, out)
	if err != nil {
		return err
	}
	defer l.Close()
	if c.VerifiedEmail {
		return c.mergeAll(ctx, out, l)
	}
	from, err := l.Find(ctx, c.From)
	if err != nil {
		return err
	}
	into, err := l.Find(ctx, c.Into)
	if err != nil {
		return err
	}
	one := from.Person() == into.Person()
	if one && !c.AtPool {
		fmt.Fprintln(out.Stdout, "they are one person already")
		if !c.Yes || from.LinkedTo == 0 || from.ID == into.ID {
			return nil
		}
		return l.endAgain(ctx, from.Person(), into.ID)
	}
	var pool *mergeAtPool
	if c.AtPool {
		if pool, err = l.planAtPool(ctx, from, into); err != nil {
			return err
		}
	}
	if !c.Yes {
		if err := printIdentities(out.Stdout, []replica.User{from, into}); err != nil {
			return err
		}
		if pool != nil {
			pool.print(out.Stdout)
		}
		fmt.Fprintf(out.Stdout, "\nwould be person %d; nothing is done yet: add --yes\n", into.Person())
		return nil
	}
	if pool != nil {
		if err := pool.run(ctx); err != nil {
			return err
		}
		ctx = context.WithoutCancel(ctx) // a signal does not keep the replica from what the pool knows
	}
	if one {
		err = l.signOutTold(ctx, pool.rows(), "the pool has another user for the account")
	} else if err = l.merge(ctx, from.Person(), into.Person()); err != nil && pool != nil {
		err = fmt.Errorf("the pool %s has linked them, and the replica has not; run the command again: %w", pool.id, err)
	}
	if err != nil {
		return err
	}
	if pool != nil {
		pool.heard(ctx)
	}
	fmt.Fprintf(out.Stdout, "person %d is person %d from now on\n", from.Person(), into.Person())
	return nil
}

// mergeAll merges duplicates one by one: a second run goes on with what the first left.
func (c usersMerge) mergeAll(ctx context.Context, out *terminal.Streams, l *links) error {
	if c.Yes {
		owed, err := l.endOwed(ctx)
		if err != nil {
			return err
		}
		if owed > 0 {
			fmt.Fprintf(out.Stdout, "ended the sessions of %s that an interrupted run had merged\n", terminal.Plural(owed, "duplicate"))
		}
	}
	found, err := l.Users.Duplicates(ctx, l.issuers()...)
	if err != nil {
		return err
	}
	n := 0
	for _, d := range found {
		for _, from := range d.People[1:] {
			n++
			if !c.Yes {
				continue
			}
			if err := l.merge(ctx, from.Person(), d.People[0].Person()); err != nil {
				return fmt.Errorf("after %s: %w", terminal.Plural(n-1, "merge"), err)
			}
		}
	}
	if !c.Yes {
		fmt.Fprintf(out.Stdout, "%s would be merged; nothing is done yet: codegrant users duplicates lists them, --yes does it\n", terminal.Plural(n, "duplicate"))
		return nil
	}
	fmt.Fprintf(out.Stdout, "merged %s\n", terminal.Plural(n, "duplicate"))
	return nil
}

type usersUnlink struct {
	parts.Inspection
	Who    string `arg:"" help:"Identity: row, sub, username or e-mail address."`
	AtPool bool   `env:"-" help:"First unlink the account at the identity provider in the pool, with the credentials of AWS's tools (cognito-idp:AdminGetUser, AdminDisableProviderForUser)."`
	Yes    bool   `env:"-" help:"Make the change. Without it, the command prints what it would do."`
}

// Help is shown by codegrant users unlink --help.
func (usersUnlink) Help() string {
	return `Gives the identity its former row (user id) back. Data that your application has moved
stays where it is, unless your application moves it back when it gets the change
(unlinked). The sessions of the identity end.

With --at-pool, the pool takes the account at the identity provider from its user, too.
The next sign-in with it makes a new user of the pool, with a new sub and no groups.

Examples:
  codegrant users show alice@example.com       shows the identities
  codegrant users unlink 17 --yes
  codegrant users unlink 17 --at-pool`
}

func (c usersUnlink) Run(ctx context.Context, out *terminal.Streams) error {
	l, err := openLinks(ctx, c.Inspection, out)
	if err != nil {
		return err
	}
	defer l.Close()
	u, err := l.Find(ctx, c.Who)
	if err != nil {
		return err
	}
	if u.LinkedTo == 0 {
		if c.Yes { // a run that was killed may have unlinked it and ended nothing
			if err := l.signOutTold(ctx, []replica.User{u}, alone); err != nil {
				return err
			}
		}
		return fmt.Errorf("row %d is not linked to a person; codegrant users show %d lists its identities", u.ID, u.ID)
	}
	var pool *unlinkAtPool
	if c.AtPool {
		if pool, err = l.planUnlinkAtPool(ctx, u); err != nil {
			return err
		}
	}
	if !c.Yes {
		if pool != nil {
			pool.print(out.Stdout)
		}
		fmt.Fprintf(out.Stdout, "row %d, %s, would no longer be person %d; nothing is done yet: add --yes\n", u.ID, terminal.Printable(u.Username), u.LinkedTo)
		return nil
	}
	if err := l.signOutBefore(ctx, []replica.User{u}); err != nil {
		return err
	}
	if pool != nil {
		if err := pool.run(ctx); err != nil {
			return err
		}
		ctx = context.WithoutCancel(ctx) // a signal does not keep the replica from what the pool knows
	}
	change, err := l.Users.Unlink(ctx, u.ID)
	if err != nil {
		return err
	}
	l.audit.Info("audit", slog.String("event", "unlinked"), slog.Int64("identity", u.ID), slog.Int64("person", u.LinkedTo), slog.String("by", parts.Operator()))
	if err := l.signOutTold(ctx, []replica.User{change.User}, alone); err != nil {
		return err
	}
	fmt.Fprintf(out.Stdout, "row %d is a person of its own\n", u.ID)
	return nil
}

// links are the stores of a configuration, for those who change whose identities are.
type links struct {
	*parts.Opened
	pools []settings.Pool
	audit *slog.Logger
	out   *terminal.Streams
	ends  func() (*parts.Ends, error) // reads the configuration once, however many are merged

	// Known while somebody is erased: whether the database has tables of these.
	hooks, organizations bool
}

func openLinks(ctx context.Context, c parts.Inspection, out *terminal.Streams) (*links, error) {
	s, err := c.Load(parts.UsesSessions)
	if err != nil {
		return nil, err
	}
	pool := s.Pools[0]
	if c.Pool != "" || len(s.Pools) == 1 {
		if pool, err = parts.ChoosePool(s, c.Pool); err != nil {
			return nil, err
		}
	}
	o, err := parts.LookAtStores(s)
	if err != nil {
		return nil, err
	}
	if err := o.CheckPeople(ctx); err != nil {
		o.Close()
		return nil, err
	}
	o.Issuer = pool.Issuer
	ends := sync.OnceValues(func() (*parts.Ends, error) { return c.Ends(o) })
	return &links{Opened: o, pools: s.Pools, out: out, ends: ends, audit: slog.New(slog.NewJSONHandler(out.Stderr, nil))}, nil
}

func (l *links) issuers() (all []string) {
	for _, p := range l.pools {
		if !slices.Contains(all, p.Issuer) {
			all = append(all, p.Issuer)
		}
	}
	return all
}

// Why sessions end, for receivers of webhooks.
const (
	alone    = "the identity is a person of its own"
	together = "the person is another one now: two were merged"
)

// merge makes two people one, writes down who has said so, and ends the sessions that
// know the one who is given up: also before, in case it is killed in between.
func (l *links) merge(ctx context.Context, from, into int64) error {
	identities, err := l.Users.Identities(ctx, from)
	if err != nil {
		return err
	}
	// Another merge may have been quicker: who stays keeps their sessions.
	identities = slices.DeleteFunc(identities, func(u replica.User) bool { return u.ID == into })
	if err := l.signOutBefore(ctx, identities); err != nil {
		return err
	}
	change, err := l.Users.Merge(ctx, from, into, parts.Operator())
	if err != nil {
		return err
	}
	if !change.Empty() {
		l.audit.Info("audit", slog.String("event", "merged"), slog.Int64("from", from), slog.Int64("into", into), slog.String("by", parts.Operator()))
	}
	return l.signOutTold(ctx, identities, together)
}

// endAgain ends what a merge that was killed has left: sessions of those who were merged into
// a person, apart from the row that was to stay.
func (l *links) endAgain(ctx context.Context, person, stays int64) error {
	identities, err := l.Users.Identities(ctx, person)
	if err != nil {
		return err
	}
	return l.signOutTold(ctx, slices.DeleteFunc(identities, func(u replica.User) bool { return u.LinkedTo == 0 || u.ID == stays }), together)
}

// endOwed ends what a merge of duplicates that was killed has left: it leaves a mark before and
// after the change, and an identity whose mark is older than its link lacks the second one. It
// says how many these were.
func (l *links) endOwed(ctx context.Context) (n int, err error) {
	if l.Sessions == nil {
		return 0, nil
	}
	all, err := l.Users.Links(ctx, time.Now().Add(-owedFor))
	if err != nil {
		return 0, err
	}
	for _, link := range all {
		if !parts.IsOperator(link.By) || !slices.Contains(l.issuers(), link.Identity.Issuer) {
			continue // who links an identity of their own ends their sessions by themselves
		}
		at, err := l.Marks.NotBefore(ctx, link.Identity.Issuer, link.Identity.Subject)
		if err != nil {
			return n, err
		}
		if at.IsZero() || !at.Before(link.At) {
			continue
		}
		if err := l.signOutTold(ctx, []replica.User{link.Identity}, together); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// owedFor is how long ago a run that was killed may have been. Marks are kept longer.
const owedFor = 30 * 24 * time.Hour

// signOutBefore ends sessions before whose identities are changes. Nobody is told yet.
func (l *links) signOutBefore(ctx context.Context, identities []replica.User) error {
	if l.Sessions == nil {
		return nil
	}
	if err := l.end(ctx, identities); err != nil {
		return fmt.Errorf("nothing is done: the sessions cannot be ended: %w", err)
	}
	return nil
}

// signOutTold is signOut, and receivers of webhooks hear of it. Nobody hears the names of somebody
// who is erased.
func (l *links) signOutTold(ctx context.Context, identities []replica.User, why string) error {
	if l.Sessions == nil {
		return nil
	}
	err := l.signOut(ctx, identities)
	ends, fault := l.ends()
	if fault == nil {
		for _, u := range identities {
			fault = errors.Join(fault, ends.All(ctx, "", u.Issuer, u.Subject, why))
		}
	}
	sayUntold(l.out, fault)
	return err
}

// signOut ends the sessions of identities after a change.
func (l *links) signOut(ctx context.Context, identities []replica.User) error {
	if err := l.end(ctx, identities); err != nil {
		return fmt.Errorf("it is done, and sessions that know the former row were not ended: %w; codegrant sessions end --user %s", err, strings.Join(subjects(identities), ", "))
	}
	return nil
}

// end ends the sessions of identities, at every app client of their pools. A mark ends
// those that browsers carry, and what their tokens would begin anew.
func (l *links) end(ctx context.Context, identities []replica.User) error {
	var faults []error
	for _, u := range identities {
		faults = append(faults, l.Marks.Leave(ctx, u.Issuer, u.Subject, time.Now(), parts.Operator()))
		for _, p := range l.pools {
			if p.Issuer != u.Issuer || l.Sessions == nil {
				continue
			}
			bound, err := codegrant.SessionPool(p.Config.Pool)
			if err == nil {
				_, err = l.Sessions.DeleteBySubject(ctx, bound, u.Subject)
			}
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

func subjects(users []replica.User) (all []string) {
	for _, u := range users {
		all = append(all, u.Subject)
	}
	return all
}
