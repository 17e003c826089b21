package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/linked"
	"github.com/codegrant/codegrant/replica"
)

// poolTimeout is how long a pool may take for all that it is told.
const poolTimeout = time.Minute

// linkingPool is one that is told whose an account at a provider is.
type linkingPool struct {
	*links
	client *cip.Client
	id     string
	sync   *directory.Sync
}

func (l *links) linkingPool(ctx context.Context, issuer string) (*linkingPool, error) {
	silent := slog.New(slog.DiscardHandler)
	client, id, err := parts.PoolClient(ctx, issuer, l.regionOf(issuer), l.audit)
	if err != nil {
		return nil, err
	}
	source, err := directory.NewCognito(directory.CognitoConfig{Client: client, PoolID: id, Logger: silent})
	if err != nil {
		return nil, err
	}
	sync, err := directory.New(directory.Config{Source: source, Issuer: issuer, Replica: l.Users, Journal: directory.NewMemoryJournal(), Recheck: -1})
	return &linkingPool{l, client, id, sync}, err
}

// poolUser is a row, and what the pool has under its name.
type poolUser struct {
	replica.User
	there      bool // the pool has this user
	another    bool // the pool has somebody else with the name
	name       string
	status     types.UserStatusType
	enabled    bool
	attributes map[string]string
}

func (u poolUser) accounts() []linked.Account { return linked.Accounts(u.attributes[linked.Attribute]) }

// ofProvider reports whether a provider has made the user.
func (u poolUser) ofProvider() bool { return u.status == types.UserStatusTypeExternalProvider }

func (p *linkingPool) user(ctx context.Context, row replica.User) (poolUser, error) {
	is := poolUser{User: row, name: cmp.Or(row.Username, row.Subject)}
	found, err := p.client.AdminGetUser(ctx, &cip.AdminGetUserInput{UserPoolId: &p.id, Username: &is.name})
	var missing *types.UserNotFoundException
	if errors.As(err, &missing) {
		return is, nil
	}
	if err != nil {
		return is, fmt.Errorf("ask the pool %s about row %d: %w", p.id, row.ID, parts.NoPool(err, p.id))
	}
	is.attributes = make(map[string]string)
	for _, a := range found.UserAttributes {
		is.attributes[aws.ToString(a.Name)] = aws.ToString(a.Value)
	}
	is.there = is.attributes["sub"] == row.Subject
	is.another = !is.there
	is.name, is.status, is.enabled = aws.ToString(found.Username), found.UserStatus, found.Enabled
	return is, nil
}

// mergeAtPool is what a pool is told so that whoever signs in with an account at a provider
// is the user whom the person is known by.
type mergeAtPool struct {
	*linkingPool
	into     poolUser
	accounts []accountToLink
}

type accountToLink struct {
	poolUser
	linked.Account
	groups []string // of the user whom the pool loses
	done   bool     // it is linked
}

// planAtPool asks the pool, and refuses what it would refuse, before anything is done.
func (l *links) planAtPool(ctx context.Context, from, into replica.User) (*mergeAtPool, error) {
	if from.ID == into.ID {
		return nil, fmt.Errorf("both names are of row %d; name two identities", from.ID)
	}
	sources := []replica.User{from}
	var err error
	if from.Person() != into.Person() {
		if sources, err = l.Users.Identities(ctx, from.Person()); err != nil {
			return nil, err
		}
	}
	stay, err := l.Users.Identities(ctx, into.Person())
	if err != nil {
		return nil, err
	}
	isSource := func(u replica.User) bool {
		return slices.ContainsFunc(sources, func(s replica.User) bool { return s.ID == u.ID })
	}
	stay = slices.DeleteFunc(stay, func(u replica.User) bool { return u.Issuer != from.Issuer || isSource(u) })
	if len(stay) == 0 || slices.ContainsFunc(sources, func(u replica.User) bool { return u.Issuer != from.Issuer }) {
		return nil, errors.New("their identities are of different pools, and a pool links nobody to a user of another one; leave out --at-pool")
	}
	p, err := l.linkingPool(ctx, from.Issuer)
	if err != nil {
		return nil, err
	}
	m := &mergeAtPool{linkingPool: p}
	if m.into, err = p.whoStays(ctx, into, stay); err != nil {
		return nil, err
	}
	for _, s := range sources {
		a, err := m.account(ctx, s)
		if err != nil {
			return nil, err
		}
		if a.ProviderName != "" {
			m.accounts = append(m.accounts, a)
		}
	}
	return m, m.possible(ctx)
}

// whoStays finds the user of the pool's own that accounts are linked to.
func (p *linkingPool) whoStays(ctx context.Context, into replica.User, identities []replica.User) (poolUser, error) {
	var own []poolUser
	var rows []string
	for _, row := range identities {
		u, err := p.user(ctx, row)
		if err != nil {
			return u, err
		}
		if u.there && !u.ofProvider() {
			own, rows = append(own, u), append(rows, fmt.Sprint(u.ID))
		}
	}
	i := max(slices.IndexFunc(own, func(u poolUser) bool { return u.ID == into.ID }), 0)
	switch {
	case len(own) == 0:
		return poolUser{}, fmt.Errorf("the pool %s has no user of its own for person %d, but at most one whom a provider has made: accounts are linked to users of the pool's own only; exchange --from and --into, or leave out --at-pool", p.id, into.Person())
	case len(own) > 1 && own[i].ID != into.ID:
		return poolUser{}, fmt.Errorf("person %d has several users of the pool's own: name the one who stays with --into: row %s", into.Person(), strings.Join(rows, " or "))
	case !own[i].enabled:
		return poolUser{}, fmt.Errorf("%s (row %d) is disabled in the pool %s: nobody could sign in; enable them first, or leave out --at-pool", terminal.Printable(own[i].name), own[i].ID, p.id)
	case own[i].status == types.UserStatusTypeUnconfirmed:
		return poolUser{}, fmt.Errorf("%s (row %d) has not confirmed the sign-up in the pool %s: anybody could have made it; have them confirm it first, or leave out --at-pool", terminal.Printable(own[i].name), own[i].ID, p.id)
	}
	return own[i], nil
}

// account finds the account at a provider that an identity is, and what is lost with its
// user. It is none if the identity is a user of the pool's own that is deleted.
func (m *mergeAtPool) account(ctx context.Context, row replica.User) (a accountToLink, err error) {
	if a.poolUser, err = m.user(ctx, row); err != nil {
		return a, err
	}
	name := terminal.Printable(a.name)
	all := a.accounts()
	switch {
	case a.another:
		return a, fmt.Errorf("the pool %s has another user %s now than row %d: somebody has signed in with the account since that user was deleted; merge the row of the new user first: codegrant users list --search %[2]s", m.id, name, row.ID)
	case a.there && !a.ofProvider():
		return a, fmt.Errorf("%s (row %d) is a user of the pool's own, and the pool %s links only accounts at providers; exchange --from and --into, or leave out --at-pool", name, row.ID, m.id)
	case a.there && !a.enabled:
		return a, fmt.Errorf("%s (row %d) is disabled in the pool %s: linked, they could sign in again; enable them first, or leave out --at-pool", name, row.ID, m.id)
	case a.there && len(all) != 1:
		return a, fmt.Errorf("%s (row %d) has %s in the pool %s: all but one would be lost; leave out --at-pool", name, row.ID, terminal.Plural(len(all), "account"), m.id)
	case !a.there && row.Status != "" && row.Status != string(types.UserStatusTypeExternalProvider):
		return a, nil
	case !a.there:
		// Compare with the replica's accounts, or with those that the pool has linked.
		notTheirs := func(l linked.Account) bool { return !slices.Contains(l.Usernames(), row.Username) }
		if all = linked.Accounts(row.Custom[linked.Attribute]); row.Status == "" {
			all = slices.DeleteFunc(all, notTheirs)
		}
		if len(all) != 1 {
			all = slices.DeleteFunc(m.into.accounts(), notTheirs)
		}
		if len(all) != 1 {
			return a, fmt.Errorf("the pool %s no longer has %s (row %d), and the replica does not know their account at a provider; leave out --at-pool", m.id, name, row.ID)
		}
	}
	a.Account = all[0]
	if a.done = slices.Contains(m.into.accounts(), a.Account); a.there && !a.done {
		a.groups, err = m.groupsOf(ctx, a.name)
	}
	return a, err
}

// groupsOf lists the groups of a user, but those of providers.
func (p *linkingPool) groupsOf(ctx context.Context, username string) (names []string, err error) {
	for next := (*string)(nil); ; {
		page, err := p.client.AdminListGroupsForUser(ctx, &cip.AdminListGroupsForUserInput{UserPoolId: &p.id, Username: &username, NextToken: next})
		var missing *types.UserNotFoundException
		if errors.As(err, &missing) {
			return names, nil // another run has just deleted the user
		}
		if err != nil {
			return nil, fmt.Errorf("list the groups of %s in the pool %s: %w", terminal.Printable(username), p.id, err)
		}
		for _, g := range page.Groups {
			if name := aws.ToString(g.GroupName); !strings.HasPrefix(name, p.id+"_") {
				names = append(names, name)
			}
		}
		if next = page.NextToken; next == nil {
			return names, nil
		}
	}
}

// possible reports what the pool would refuse once users are deleted: it refuses to link
// then, and nobody brings them back.
func (m *mergeAtPool) possible(ctx context.Context) error {
	missing := slices.DeleteFunc(slices.Clone(m.accounts), func(a accountToLink) bool { return a.done })
	if len(missing) == 0 {
		return nil
	}
	has, name := len(m.into.accounts()), terminal.Printable(m.into.name)
	if has+len(missing) > linked.Most {
		return fmt.Errorf("%s (row %d) has %s in the pool %s, and %d would come: a pool links at most %d to a user; leave out --at-pool", name, m.into.ID, terminal.Plural(has, "account"), m.id, len(missing), linked.Most)
	}
	described, err := m.client.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: &m.id})
	if err != nil {
		return fmt.Errorf("read the attributes of the pool %s: %w", m.id, err)
	}
	for _, at := range described.UserPool.SchemaAttributes {
		if of := aws.ToString(at.Name); of != "sub" && of != linked.Attribute && !aws.ToBool(at.Mutable) && m.into.attributes[of] != "" {
			return fmt.Errorf("%s (row %d) has the attribute %s, which nobody can change: the pool %s links no account to such a user; leave out --at-pool", name, m.into.ID, terminal.Printable(of), m.id)
		}
	}
	var providers []string
	for next := (*string)(nil); ; {
		page, err := m.client.ListIdentityProviders(ctx, &cip.ListIdentityProvidersInput{UserPoolId: &m.id, MaxResults: aws.Int32(60), NextToken: next})
		if err != nil {
			return fmt.Errorf("list the providers of the pool %s: %w", m.id, err)
		}
		for _, p := range page.Providers {
			providers = append(providers, aws.ToString(p.ProviderName))
		}
		if next = page.NextToken; next == nil {
			break
		}
	}
	for _, a := range missing {
		if !slices.Contains(providers, a.ProviderName) {
			return fmt.Errorf("the pool %s no longer has the provider %s of row %d; leave out --at-pool", m.id, terminal.Printable(a.ProviderName), a.ID)
		}
	}
	return nil
}

// print says what the pool would be told, and what is lost.
func (m *mergeAtPool) print(w io.Writer) {
	say := func(format string, args ...any) {
		fmt.Fprintln(w, terminal.Printable(fmt.Sprintf(format, args...)))
	}
	fmt.Fprintf(w, "\nin the pool %s:\n", m.id)
	if len(m.accounts) == 0 {
		say("- nothing: it no longer has the user")
	}
	for _, a := range m.accounts {
		if a.done {
			say("- the account at %s is linked to %s already", a.ProviderName, m.into.name)
			continue
		}
		if a.there {
			say("- the user %s would be deleted, and with it the sub %s, all attributes and refresh tokens. Nobody can bring it back as it was", a.name, a.Subject)
			if len(a.groups) > 0 {
				say("  lost: the groups %s. %s does not get them", strings.Join(a.groups, ", "), m.into.name)
			}
		} else {
			say("- the user %s is deleted already", a.name)
		}
		say("- the account at %s would be linked: a sign-in with it is a sign-in as %s, with that user's sub and groups", a.ProviderName, m.into.name)
	}
}

// run tells the pool. It can be repeated after it was cut off at any call: the replica knows
// the account, before its user is deleted.
func (m *mergeAtPool) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), poolTimeout)
	defer cancel()
	for _, a := range m.accounts {
		if a.done {
			m.note("linked_at_pool", a.ID, a.Account)
			continue
		}
		if a.there {
			if err := m.remember(ctx, a); err != nil {
				return fmt.Errorf("nothing is done with %s: %w", terminal.Printable(a.name), err)
			}
			_, err := m.client.AdminDeleteUser(ctx, &cip.AdminDeleteUserInput{UserPoolId: &m.id, Username: &a.name})
			var missing *types.UserNotFoundException
			if err != nil && !errors.As(err, &missing) {
				return fmt.Errorf("delete %s in the pool %s: %w; the replica is as it was", terminal.Printable(a.name), m.id, err)
			}
			m.note("deleted_at_pool", a.ID, a.Account)
		}
		if err := m.link(ctx, a); err != nil {
			return fmt.Errorf("the pool %s has deleted %s, and did not link the account at %s to %s: %w; the replica is as it was; run the command again",
				m.id, terminal.Printable(a.name), terminal.Printable(a.ProviderName), terminal.Printable(m.into.name), err)
		}
		m.note("linked_at_pool", a.ID, a.Account)
	}
	return nil
}

// link links an account. Another run may have done it at the same time.
func (m *mergeAtPool) link(ctx context.Context, a accountToLink) error {
	err := linked.To(ctx, m.client.AdminLinkProviderForUser, m.id, m.into.name, a.Account)
	if err == nil {
		return nil
	}
	if now, again := m.user(ctx, m.into.User); again == nil && slices.Contains(now.accounts(), a.Account) {
		return nil
	}
	return err
}

// remember has the replica know the account: after its user is deleted, nobody else does.
func (m *mergeAtPool) remember(ctx context.Context, a accountToLink) error {
	knows := func(u replica.User) bool {
		return u.Status == string(types.UserStatusTypeExternalProvider) && slices.Equal(linked.Accounts(u.Custom[linked.Attribute]), []linked.Account{a.Account})
	}
	if knows(a.User) {
		return nil
	}
	u, err := m.sync.User(ctx, a.Subject)
	if err == nil && !knows(u) {
		err = errors.New("the pool's listing does not have their account; try again in a minute")
	}
	return err
}

// heard has the replica hear that users are deleted, after their identities are merged.
func (m *mergeAtPool) heard(ctx context.Context) {
	for _, a := range m.accounts {
		if _, err := m.sync.User(ctx, a.Subject); err != nil && !errors.Is(err, directory.ErrNotFound) {
			fmt.Fprintf(m.out.Stdout, "not done: the replica does not know yet that %s is deleted; run codegrant sync\n", terminal.Printable(a.name))
		}
	}
}

func (m *mergeAtPool) rows() (all []replica.User) {
	for _, a := range m.accounts {
		all = append(all, a.User)
	}
	return all
}

func (m *mergeAtPool) note(event string, row int64, a linked.Account) {
	m.audit.Info("audit", slog.String("event", event), slog.String("pool", m.id), slog.Int64("identity", row), slog.Int64("into", m.into.ID), slog.String("provider", a.ProviderName), slog.String("by", parts.Operator()))
}

// unlinkAtPool is what a pool is told so that an account at a provider is nobody's.
type unlinkAtPool struct {
	*linkingPool
	row     replica.User
	account linked.Account // none: the pool has not linked it
	of      poolUser
}

func (l *links) planUnlinkAtPool(ctx context.Context, row replica.User) (*unlinkAtPool, error) {
	p, err := l.linkingPool(ctx, row.Issuer)
	if err != nil {
		return nil, err
	}
	u := &unlinkAtPool{linkingPool: p, row: row}
	is, err := p.user(ctx, row)
	switch {
	case err != nil:
		return nil, err
	case is.there && !is.ofProvider():
		return nil, fmt.Errorf("%s (row %d) is a user of the pool's own, whom the pool %s has linked to nobody; leave out --at-pool", terminal.Printable(is.name), row.ID, p.id)
	}
	identities, err := l.Users.Identities(ctx, row.Person())
	if err != nil {
		return nil, err
	}
	known := linked.Accounts(row.Custom[linked.Attribute])
	for _, i := range identities {
		if i.ID == row.ID || i.Issuer != row.Issuer {
			continue
		}
		of, err := p.user(ctx, i)
		if err != nil {
			return nil, err
		}
		if !of.there || of.ofProvider() {
			continue
		}
		for _, a := range of.accounts() {
			if len(known) == 1 && a != known[0] || len(known) != 1 && !slices.Contains(a.Usernames(), row.Username) {
				continue
			}
			if !of.enabled {
				return nil, fmt.Errorf("%s (row %d) is disabled in the pool %s: unlinked, the account could sign in as somebody new; leave out --at-pool", terminal.Printable(of.name), of.ID, p.id)
			}
			u.of, u.account = of, a
		}
	}
	return u, nil
}

func (u *unlinkAtPool) print(w io.Writer) {
	if u.account.ProviderName == "" {
		fmt.Fprintf(w, "in the pool %s: nothing, it has not linked the account\n", u.id)
		return
	}
	fmt.Fprintf(w, "in the pool %s: %s would lose the account at %s. The next sign-in with it makes a new user with a new sub, who is not row %d;\nto make them that person again: codegrant users merge --into %[4]d --from THEIR-ROW\n",
		u.id, terminal.Printable(u.of.name), terminal.Printable(u.account.ProviderName), u.row.ID)
}

func (u *unlinkAtPool) run(ctx context.Context) error {
	if u.account.ProviderName == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), poolTimeout)
	defer cancel()
	err := linked.Off(ctx, u.client.AdminDisableProviderForUser, u.id, u.account)
	var missing *types.UserNotFoundException
	if err != nil && !errors.As(err, &missing) {
		return fmt.Errorf("unlink the account at %s in the pool %s: %w; the replica is as it was", terminal.Printable(u.account.ProviderName), u.id, err)
	}
	u.audit.Info("audit", slog.String("event", "unlinked_at_pool"), slog.String("pool", u.id), slog.Int64("identity", u.row.ID), slog.Int64("from", u.of.ID), slog.String("provider", u.account.ProviderName), slog.String("by", parts.Operator()))
	return nil
}
