package move

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	accounts "github.com/codegrant/codegrant/internal/linked"
	"github.com/codegrant/codegrant/internal/refused"
)

// ReadAPI is what a [Move] reads from a pool. A *cognitoidentityprovider.Client fulfils it.
type ReadAPI interface {
	DescribeUserPool(context.Context, *cip.DescribeUserPoolInput, ...func(*cip.Options)) (*cip.DescribeUserPoolOutput, error)
	ListUserPoolClients(context.Context, *cip.ListUserPoolClientsInput, ...func(*cip.Options)) (*cip.ListUserPoolClientsOutput, error)
	AdminGetUser(context.Context, *cip.AdminGetUserInput, ...func(*cip.Options)) (*cip.AdminGetUserOutput, error)
	DescribeUserPoolClient(context.Context, *cip.DescribeUserPoolClientInput, ...func(*cip.Options)) (*cip.DescribeUserPoolClientOutput, error)
	ListUsers(context.Context, *cip.ListUsersInput, ...func(*cip.Options)) (*cip.ListUsersOutput, error)
	GetUserPoolMfaConfig(context.Context, *cip.GetUserPoolMfaConfigInput, ...func(*cip.Options)) (*cip.GetUserPoolMfaConfigOutput, error)
	ListGroups(context.Context, *cip.ListGroupsInput, ...func(*cip.Options)) (*cip.ListGroupsOutput, error)
	AdminListGroupsForUser(context.Context, *cip.AdminListGroupsForUserInput, ...func(*cip.Options)) (*cip.AdminListGroupsForUserOutput, error)
}

// WriteAPI is what a [Move] asks of the new pool.
type WriteAPI interface {
	ReadAPI
	ListIdentityProviders(context.Context, *cip.ListIdentityProvidersInput, ...func(*cip.Options)) (*cip.ListIdentityProvidersOutput, error)
	AdminLinkProviderForUser(context.Context, *cip.AdminLinkProviderForUserInput, ...func(*cip.Options)) (*cip.AdminLinkProviderForUserOutput, error)
	AdminUpdateUserAttributes(context.Context, *cip.AdminUpdateUserAttributesInput, ...func(*cip.Options)) (*cip.AdminUpdateUserAttributesOutput, error)
	CreateGroup(context.Context, *cip.CreateGroupInput, ...func(*cip.Options)) (*cip.CreateGroupOutput, error)
	AdminCreateUser(context.Context, *cip.AdminCreateUserInput, ...func(*cip.Options)) (*cip.AdminCreateUserOutput, error)
	AdminAddUserToGroup(context.Context, *cip.AdminAddUserToGroupInput, ...func(*cip.Options)) (*cip.AdminAddUserToGroupOutput, error)
	AdminSetUserMFAPreference(context.Context, *cip.AdminSetUserMFAPreferenceInput, ...func(*cip.Options)) (*cip.AdminSetUserMFAPreferenceOutput, error)
	AdminSetUserPassword(context.Context, *cip.AdminSetUserPasswordInput, ...func(*cip.Options)) (*cip.AdminSetUserPasswordOutput, error)
}

// Config configures a [Move]. Old, New and Tickets are required.
type Config struct {
	Old ReadAPI
	New WriteAPI

	// Tickets are those of the move. They know the pools.
	Tickets *Tickets

	// OldClientID is the app client of the old pool that the trigger asks with, and
	// NewClientIDs are those of the new pool that people sign in with. [Move.Plan]
	// looks at them. Empty: it does not.
	OldClientID  string
	NewClientIDs []string

	// WithoutSecondFactor has [Move.Drain] make people, too, whose second factor does not move:
	// an authenticator app, a passkey, or codes that the new pool does not have. Defaults to
	// false: they are left out.
	WithoutSecondFactor bool

	// OnlyLinked has [Move.Drain] make nobody but people who have a password and an account at
	// an identity provider of the Tickets. In the new pool such an account is unknown until they
	// arrive: make them before people sign in there. It links the accounts of those who have
	// arrived without, too, also where somebody has unlinked them since. Defaults to false:
	// everybody, and no account of those who have arrived.
	OnlyLinked bool

	// Left reports whether somebody, by the sub of the old pool, has left: the new pool has had
	// them, and they were deleted there. They are not made again. Package move/left knows
	// that from the replica. People can come and leave while a drain runs: if the Tickets have
	// Left, too, that is asked right before somebody is made. Defaults to nobody.
	Left func(sub string) bool

	// BringBack has [Move.Drain] make nobody but these people, by username or sub of the old
	// pool, though they have left. Defaults to none: nobody of Left is made.
	BringBack []string

	// OnLeft is called for each of those who have left and stay away, with the username and sub
	// of the old pool, and OnStranger for each user of the new pool who came by a provider of the
	// Tickets as somebody new, with those of the new pool. Default to none.
	OnLeft, OnStranger func(username, sub string) error

	// Share is how much of Cognito's quotas it uses: 0.8 is 20 of 25 updates of users in a
	// second, 24 of 30 listings, and so on. The rest is for the people who sign in
	// meanwhile. More than 1 is for an account that bought more. Defaults to 0.8.
	Share float64

	// Rate is how many calls of whatever kind begin in a second at most. Defaults to no
	// limit but those of the quotas.
	Rate float64

	// Paused is asked when the new pool refuses a change. While it reports that the pool is being recovered, the change waits. Defaults to none:
	// the change fails.
	Paused func(context.Context) bool

	// Logger receives what was done, by sub. Defaults to none.
	Logger *slog.Logger
}

// Move is the operator's side of a move. Every method can be cut off and called again. It
// is safe for concurrent use. Make one with [New].
type Move struct {
	Config
	pace *pace
}

// New returns a move. It reaches out to nothing.
func New(config Config) (*Move, error) {
	if config.Old == nil || config.New == nil || config.Tickets == nil {
		return nil, errors.New("configure the move: Old, New and Tickets are required")
	}
	if !(config.Rate >= 0) {
		return nil, fmt.Errorf("configure the move: Rate: %v is not a number from 0", config.Rate)
	}
	if !(config.Share >= 0) {
		return nil, fmt.Errorf("configure the move: Share: %v is not a number from 0", config.Share)
	}
	if config.Share == 0 {
		config.Share = 0.8
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Move{Config: config, pace: newPace(config.Share, config.Rate)}, nil
}

// call waits for its turn and makes a call.
func call[In, Out any](ctx context.Context, m *Move, what string, f func(context.Context, *In, ...func(*cip.Options)) (*Out, error), in *In) (*Out, error) {
	paused := m.Paused
	if !changes(in) {
		paused = nil
	}
	out, err := untilTaken(ctx, paused, func() (*Out, error) {
		if err := m.pace.wait(ctx, in); err != nil {
			return nil, err
		}
		return f(ctx, in)
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return out, nil
}

// users calls f with every user of a pool.
func (m *Move) users(ctx context.Context, api ReadAPI, pool string, f func(types.UserType) error) error {
	for in := (&cip.ListUsersInput{UserPoolId: &pool, Limit: aws.Int32(60)}); ; {
		page, err := call(ctx, m, "list the users of "+pool, api.ListUsers, in)
		if err != nil {
			return err
		}
		for _, u := range page.Users {
			if err := f(u); err != nil {
				return err
			}
		}
		if page.PaginationToken == nil {
			return nil
		}
		in.PaginationToken = page.PaginationToken
	}
}

// groups lists the groups of a pool, but those of its providers.
func (m *Move) groups(ctx context.Context, api ReadAPI, pool string) (all []types.GroupType, err error) {
	for in := (&cip.ListGroupsInput{UserPoolId: &pool, Limit: aws.Int32(60)}); ; {
		page, err := call(ctx, m, "list the groups of "+pool, api.ListGroups, in)
		if err != nil {
			return nil, err
		}
		for _, g := range page.Groups {
			if !ofProvider(pool, aws.ToString(g.GroupName)) {
				all = append(all, g)
			}
		}
		if in.NextToken = page.NextToken; in.NextToken == nil {
			return all, nil
		}
	}
}

// GroupsReport is what [Move.Groups] did.
type GroupsReport struct {
	Created []string `json:"created"` // or would be
	There   []string `json:"there"`   // were there, and as in the old pool
	Differ  []string `json:"differ"`  // were there, and otherwise: they are left as they are
}

// Groups makes the groups of the old pool in the new one: names, descriptions and
// precedence. It changes no group that is there. IAM roles do not move: they are of an
// account. With dry it writes nothing.
func (m *Move) Groups(ctx context.Context, dry bool) (r GroupsReport, err error) {
	old, err := m.groups(ctx, m.Old, m.Tickets.old)
	if err != nil {
		return r, err
	}
	now, err := m.groups(ctx, m.New, m.Tickets.new)
	if err != nil {
		return r, err
	}
	for _, g := range old {
		name := aws.ToString(g.GroupName)
		i := slices.IndexFunc(now, func(n types.GroupType) bool { return aws.ToString(n.GroupName) == name })
		switch {
		case i < 0:
			if !dry {
				_, err := call(ctx, m, "create the group "+name, m.New.CreateGroup, &cip.CreateGroupInput{
					UserPoolId: &m.Tickets.new, GroupName: g.GroupName, Description: g.Description, Precedence: g.Precedence,
				})
				var there *types.GroupExistsException
				if err != nil && !errors.As(err, &there) {
					return r, err
				}
			}
			r.Created = append(r.Created, name)
		case aws.ToString(now[i].Description) != aws.ToString(g.Description) || !sameInt(now[i].Precedence, g.Precedence):
			r.Differ = append(r.Differ, name)
		default:
			r.There = append(r.There, name)
		}
	}
	return r, nil
}

func sameInt(a, b *int32) bool { return a == b || a != nil && b != nil && *a == *b }

// Drained is what [Move.Drain] did.
type Drained struct {
	Report
	Made         int `json:"made"`          // or would be; or finished
	Relinked     int `json:"relinked"`      // or would be: arrived before, without an account that is linked in the old pool
	Failed       int `json:"failed"`        // the log says why; call it again
	SecondFactor int `json:"second_factor"` // left out: they have a second factor that does not move

	// NotBack are people of BringBack who were not made, as they are named there, and why. Those
	// who are back already are not among them.
	NotBack map[string]string `json:"not_back,omitempty"`
}

// Drain ends the move. It creates the people who have not come yet in the new pool, in
// their groups, with a password that nobody knows. They come with "forgot password", by an
// address or number that the old pool has verified. Drain logs people without one: only an
// operator can help them. It sends no messages. It leaves out people who are disabled or
// never confirmed their account, and people who have left the new pool. With dry, it writes
// nothing. Two at once do no harm.
func (m *Move) Drain(ctx context.Context, dry bool) (d Drained, err error) {
	d.Report = newReport()
	there, err := m.arrived(ctx, &d.Report)
	if err != nil {
		return d, err
	}
	described, err := call(ctx, m, "describe the new pool", m.New.DescribeUserPool, &cip.DescribeUserPoolInput{UserPoolId: &m.Tickets.new})
	if err != nil {
		return d, err
	}
	pool := describe(described.UserPool)
	if !slices.Contains(pool.attributes, Attribute) {
		return d, fmt.Errorf("the new pool has no attribute %s; see codegrant move plan", Attribute)
	}
	was, err := m.mfaConfig(ctx, m.Old, m.Tickets.old)
	if err != nil {
		return d, err
	}
	is, err := m.mfaConfig(ctx, m.New, m.Tickets.new)
	if err != nil {
		return d, err
	}
	pool.required, pool.offered = required(was), offered(is).and(resets(described.UserPool))
	// Several at once: each of their calls takes a while, and the quotas allow more.
	var all sync.WaitGroup
	var mu sync.Mutex
	room := make(chan struct{}, atOnce)
	meanwhile := 0 // have left since Left was read
	unmade := arrivals{stays: make(map[string]string)}
	var late map[[16]byte]person
	var unlinked func(person)
	if m.OnlyLinked {
		late = make(map[[16]byte]person)
		unlinked = func(p person) { late[hashOf(p.sub)] = p }
	}
	err = m.walk(ctx, there, &d.Report, func(p person) error {
		if len(m.BringBack) > 0 && !p.again {
			return nil
		}
		if m.OnlyLinked && !slices.ContainsFunc(linked(p), func(provider string) bool { return slices.Contains(m.Tickets.Providers, provider) }) {
			there.stay(p, "they have no linked account")
			return nil
		}
		if dry {
			d.Made++
			return nil
		}
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		all.Go(func() {
			err := m.make(ctx, pool, p)
			mu.Lock()
			defer mu.Unlock()
			<-room
			if errors.Is(err, ErrLeft) {
				meanwhile++
				return
			}
			switch {
			case errors.Is(err, errSecondFactor):
				unmade.stay(p, "they have a second factor that does not move")
			case err != nil:
				unmade.stay(p, "it failed, and the log says why")
			}
			m.made(ctx, &d, p, err)
		})
		return nil
	}, unlinked)
	all.Wait()
	d.Left, d.Waiting = d.Left+meanwhile, d.Waiting-meanwhile
	if err == nil && len(late) > 0 {
		err = m.linkLate(ctx, &d, late, dry)
	}
	for _, name := range m.BringBack {
		if why := cmp.Or(there.stays[name], unmade.stays[name]); why != "" {
			if d.NotBack == nil {
				d.NotBack = make(map[string]string)
			}
			d.NotBack[name] = why
		}
		if err == nil && !there.named[name] {
			err = fmt.Errorf("bring back %q: nobody of that username or sub of the old pool has left", name)
		}
	}
	return d, cmp.Or(err, ctx.Err())
}

// paced is a call that waits for its turn.
func (m *Move) paced(f accounts.Link) accounts.Link {
	return func(ctx context.Context, in *cip.AdminLinkProviderForUserInput, _ ...func(*cip.Options)) (*cip.AdminLinkProviderForUserOutput, error) {
		return call(ctx, m, "link an account at a provider", f, in)
	}
}

// atOnce is how many people are made at once.
const atOnce = 32

// made counts what became of somebody.
func (m *Move) made(ctx context.Context, d *Drained, p person, err error) {
	switch {
	case errors.Is(err, errSecondFactor):
		d.SecondFactor++
	case err != nil && ctx.Err() != nil: // the next call does the rest
	case err != nil:
		d.Failed++
		m.Logger.LogAttrs(ctx, slog.LevelError, "not made", slog.String("sub", p.sub), slog.String("reason", kindOf(err)))
	default:
		d.Made++
	}
}

// errNoName: in a pool that names people by address, an address that nobody has proven is
// somebody else's name.
var errNoName = errors.New("they have no verified address or number, by which the new pool names people")

// make makes somebody, or finishes whom a run that was cut off has begun. First the user
// with the ticket, then the groups, then the word that the ticket is complete, and last the
// password: of somebody who has one, it is left.
func (m *Move) make(ctx context.Context, pool *newPool, p person) error {
	var has factors
	looked := !m.WithoutSecondFactor || pool.offered.any()
	if looked {
		var err error
		if p, has, err = m.fresh(ctx, pool, p); err != nil {
			return err
		}
	}
	if !m.WithoutSecondFactor && !has.move(p, pool.offered) {
		return errSecondFactor
	}
	attributes := movable(pool, p.attributes)
	ticket := m.Tickets.Issue(p.sub)
	if p.again {
		ticket = m.Tickets.issueAgain(p.sub)
	}
	attributes[Attribute] = ticket
	username := p.username
	if pool.emails {
		if username = cmp.Or(p.verified("email"), p.verified("phone_number")); username == "" {
			return errNoName
		}
	}
	status, begun := types.UserStatusTypeForceChangePassword, false
	secret := "Aa1!" + rand.Text() + rand.Text() // what every policy asks for; nobody is told
	in := &cip.AdminCreateUserInput{UserPoolId: &m.Tickets.new, Username: &username, MessageAction: types.MessageActionTypeSuppress, TemporaryPassword: &secret}
	for name, value := range attributes {
		in.UserAttributes = append(in.UserAttributes, types.AttributeType{Name: &name, Value: &value})
	}
	_, err := call(ctx, m, "create a user", func(ctx context.Context, in *cip.AdminCreateUserInput, o ...func(*cip.Options)) (*cip.AdminCreateUserOutput, error) {
		if err := m.stillMay(ctx, p); err != nil {
			return nil, err
		}
		return m.New.AdminCreateUser(ctx, in, o...)
	}, in)
	switch {
	case err == nil:
	case !refused.Taken(err):
		return err
	default:
		there := err
		found, err := m.look(ctx, m.New, m.Tickets.new, username)
		if err != nil {
			return err
		}
		whose, err := m.Tickets.Open(personOf(found.Username, found.Enabled, found.UserStatus, found.UserAttributes).attributes[Attribute])
		if err != nil || whose != p.sub {
			return there // somebody has signed up with their name
		}
		status = found.UserStatus
		begun = status == types.UserStatusTypeForceChangePassword
	}
	if err := m.Tickets.link(ctx, m.paced(m.New.AdminLinkProviderForUser), m.Logger, p, username); err != nil {
		return err
	}
	if err := m.pace.wait(ctx, (*cip.AdminListGroupsForUserInput)(nil)); err != nil {
		return err
	}
	groups, err := groupsOf(ctx, m.Old, m.Tickets.old, p.username)
	if err != nil {
		return err
	}
	for _, group := range groups {
		in := &cip.AdminAddUserToGroupInput{UserPoolId: &m.Tickets.new, Username: &username, GroupName: &group}
		if _, err := call(ctx, m, "add a user to the group "+group, m.New.AdminAddUserToGroup, in); err != nil {
			return err
		}
	}
	if begun && !looked {
		if p, has, err = m.fresh(ctx, pool, p); err != nil {
			return err
		}
	}
	if err := m.complete(ctx, pool, p, username, ticket+complete, begun); err != nil {
		return err
	}
	if status != types.UserStatusTypeForceChangePassword {
		return nil // they have come by themselves
	}
	if !p.reachable() {
		m.Logger.LogAttrs(ctx, slog.LevelWarn, "they cannot reset their password: nothing of theirs is verified", slog.String("sub", p.sub))
	}
	if err := m.keepCodes(ctx, username, kept(has, pool.offered, p), begun); err != nil {
		return err
	}
	end := &cip.AdminSetUserPasswordInput{UserPoolId: &m.Tickets.new, Username: &username, Password: &secret, Permanent: true}
	if err := unended(ctx, m, "set a password that nobody knows", username, end, func(*cip.AdminGetUserOutput) error {
		_, err := m.New.AdminSetUserPassword(ctx, end)
		return err
	}); err != nil {
		return err
	}
	m.Logger.LogAttrs(ctx, slog.LevelInfo, "made", slog.String("sub", p.sub))
	return nil
}
