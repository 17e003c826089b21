package restore

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/internal/refused"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// API are the calls to a pool that a restore makes.
type API interface {
	AdminGetUser(context.Context, *cip.AdminGetUserInput, ...func(*cip.Options)) (*cip.AdminGetUserOutput, error)
	AdminCreateUser(context.Context, *cip.AdminCreateUserInput, ...func(*cip.Options)) (*cip.AdminCreateUserOutput, error)
	AdminDeleteUser(context.Context, *cip.AdminDeleteUserInput, ...func(*cip.Options)) (*cip.AdminDeleteUserOutput, error)
	AdminSetUserPassword(context.Context, *cip.AdminSetUserPasswordInput, ...func(*cip.Options)) (*cip.AdminSetUserPasswordOutput, error)
	AdminDisableUser(context.Context, *cip.AdminDisableUserInput, ...func(*cip.Options)) (*cip.AdminDisableUserOutput, error)
	AdminEnableUser(context.Context, *cip.AdminEnableUserInput, ...func(*cip.Options)) (*cip.AdminEnableUserOutput, error)
	AdminUpdateUserAttributes(context.Context, *cip.AdminUpdateUserAttributesInput, ...func(*cip.Options)) (*cip.AdminUpdateUserAttributesOutput, error)
	AdminDeleteUserAttributes(context.Context, *cip.AdminDeleteUserAttributesInput, ...func(*cip.Options)) (*cip.AdminDeleteUserAttributesOutput, error)
	CreateGroup(context.Context, *cip.CreateGroupInput, ...func(*cip.Options)) (*cip.CreateGroupOutput, error)
	AdminAddUserToGroup(context.Context, *cip.AdminAddUserToGroupInput, ...func(*cip.Options)) (*cip.AdminAddUserToGroupOutput, error)
	AdminRemoveUserFromGroup(context.Context, *cip.AdminRemoveUserFromGroupInput, ...func(*cip.Options)) (*cip.AdminRemoveUserFromGroupOutput, error)
}

// Replica is where people are looked up, and linked.
type Replica interface {
	replica.Store
	AsOf(ctx context.Context, users []replica.User, at time.Time) ([]replica.User, error)
	GroupsAsOf(ctx context.Context, issuer string, at time.Time) ([]replica.GroupDefinition, error)
	Identities(ctx context.Context, person int64) ([]replica.User, error)
	ApplyIdentity(ctx context.Context, s replica.Snapshot, person int64, by string) (replica.User, error)
	Erase(ctx context.Context, id int64, o sqlreplica.EraseOptions) (sqlreplica.Erasure, error)
}

var _ Replica = (*sqlreplica.Store)(nil)

// Config is what [New] needs to know. Client, PoolID, Issuer, Replica, By, and one of At and
// LostSince are required.
type Config struct {
	Client  API    // makes the people
	PoolID  string // where they are made
	Issuer  string // whose people they were
	Replica Replica

	At time.Time // how people are to be
	By string    // who says so

	// LostSince is an alternative to At. It creates all people again that the pool has lost
	// since then, in their last state.
	LostSince time.Time

	// Into is the issuer of PoolID if that is another pool. Each identity that is not there
	// is created there, lost or not. Defaults to Issuer.
	Into string

	// Overwrite also changes people that the pool still has, if they were different then.
	// Defaults to false: they stay as they are.
	Overwrite bool

	// Share is the part of [DefaultRates] that is used, by all calls together. More than 1
	// is for accounts that bought more. Defaults to 0.8.
	Share float64

	User  int64  // one person alone, by their row; 0: everybody
	Group string // those alone who were members of it; empty: everybody

	// Paused is asked when the pool refuses a change. While it reports true, as during a
	// recovery of the pool, the change waits and is made again.
	// Defaults to never.
	Paused func(context.Context) bool

	Now func() time.Time // defaults to time.Now
}

// Restore is one run. Make one with [New].
type Restore struct {
	Config
	paced *paced

	turn   chan struct{}                      // of who makes a group, and uses the fields below
	groups map[string]replica.GroupDefinition // as they were
	made   map[string]error                   // nil: it exists for certain; or why the pool refuses it
}

// New returns a run. It asks nobody yet.
func New(c Config) (*Restore, error) {
	var faults []error
	for field, missing := range map[string]bool{
		"Client": c.Client == nil, "PoolID": c.PoolID == "", "Issuer": c.Issuer == "", "Replica": c.Replica == nil, "At or LostSince": c.At.IsZero() == c.LostSince.IsZero(), "By": c.By == "",
	} {
		if missing {
			faults = append(faults, fmt.Errorf("%s is missing", field))
		}
	}
	if c.User != 0 && c.Group != "" {
		faults = append(faults, errors.New("name User or Group, and not both"))
	}
	if !c.LostSince.IsZero() && (c.Overwrite || c.Into != "" && c.Into != c.Issuer) {
		faults = append(faults, errors.New("set At, and not LostSince, with Overwrite and Into"))
	}
	if c.Overwrite && c.Into != "" && c.Into != c.Issuer {
		faults = append(faults, errors.New("name Overwrite or Into, and not both"))
	}
	if c.Share == 0 {
		c.Share = 0.8
	}
	if !(c.Share > 0 && c.Share <= 1000) {
		faults = append(faults, fmt.Errorf("set Share to a part of the quotas, such as 0.8: it is %v", c.Share))
	}
	if faults != nil {
		return nil, fmt.Errorf("configure restore: %w", errors.Join(faults...))
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Restore{Config: c, paced: newPaced(c.Client, c.Share, c.Paused), turn: make(chan struct{}, 1), made: make(map[string]error)}, nil
}

// into is the issuer of the people who are made.
func (r *Restore) into() string { return cmp.Or(r.Into, r.Issuer) }

// at is from when groups are.
func (r *Restore) at() time.Time {
	if r.At.IsZero() {
		return r.LostSince
	}
	return r.At
}

// Kind is what becomes of somebody.
type Kind string

// The kinds.
const (
	Make      Kind = "make"      // the pool no longer has them: they are made again
	Federated Kind = "federated" // they come back by themselves when they sign in: nobody can make them
	Differs   Kind = "differs"   // the pool has them, and otherwise: they are left alone
	Overwrite Kind = "overwrite" // the pool has them, and otherwise: they are changed
	Taken     Kind = "taken"     // somebody else has the username, or an alias, now, or the pool refuses something
)

// Step is what is to be done, or was, about one person.
type Step struct {
	Kind    Kind
	Now     replica.User // the row of the replica
	Then    replica.User // as they were
	Subject string       // that the pool has given; empty: nothing is done yet
	Why     string       // why not, where something keeps it
	Differs []string     // what the pool says otherwise, by the name of the attribute; enabled; groups

	// Unknown is what the pool says now, in the same words, and nobody had stated then: it
	// stays. The replica knew the person by tokens alone, which do not state everything.
	Unknown []string
}

// ErrNoPool: the pool in which people are to be made does not exist. Make another one, and
// name it with [Config.Into].
var ErrNoPool = errors.New("the pool does not exist")

// ask finds out whether there is the pool. A user of this name is in none, so that nobody counts
// as active.
func (r *Restore) ask(ctx context.Context) error {
	nobody := "codegrant-" + rand.Text()
	_, err := r.paced.getUser(ctx, &cip.AdminGetUserInput{UserPoolId: &r.PoolID, Username: &nobody})
	var missing *types.UserNotFoundException
	switch {
	case err == nil, errors.As(err, &missing):
		return nil
	case refused.NoPool(err):
		return fmt.Errorf("plan a restore: %w: %w", ErrNoPool, err)
	}
	return fmt.Errorf("plan a restore: ask the pool %s: %w", r.PoolID, err)
}

// pageSize is how many people are looked up at once.
const pageSize = 200

// Plan calls f with each person about whom there is something to do or to say, in the
// order of their rows. It holds one page of them in memory, and changes nothing.
//
// It asks the pool first whether it exists: of one that was deleted with everybody, the replica
// still has the people, and nobody would seem to be lost.
func (r *Restore) Plan(ctx context.Context, f func(Step) error) error {
	if err := r.ask(ctx); err != nil {
		return err
	}
	if r.User != 0 {
		users, err := r.Replica.Identities(ctx, r.User)
		if err != nil {
			return err
		}
		if len(users) == 0 {
			return fmt.Errorf("plan a restore: %w", replica.ErrNotFound)
		}
		return r.plan(ctx, users, f)
	}
	for q := (replica.UserQuery{Issuer: r.Issuer, Deleted: true, Limit: pageSize}); ; {
		page, err := r.Replica.Users(ctx, q)
		if err != nil {
			return err
		}
		if err := r.plan(ctx, page.Users, f); err != nil {
			return err
		}
		if q.After = page.Next; q.After == "" {
			return nil
		}
	}
}

func (r *Restore) plan(ctx context.Context, users []replica.User, f func(Step) error) error {
	now := make(map[int64]replica.User, len(users))
	var ours []replica.User
	for _, u := range users {
		if u.Issuer == r.Issuer {
			now[u.ID], ours = u, append(ours, u)
		}
	}
	past, err := r.past(ctx, ours)
	if err != nil {
		return err
	}
	for _, then := range past {
		step := Step{Now: now[then.ID], Then: then}
		elsewhere := r.into() != r.Issuer
		switch {
		case !then.Deleted.IsZero(), r.Group != "" && !then.InGroup(r.Group):
			continue
		case step.Now.Deleted.IsZero() && !elsewhere:
			step.Differs, step.Unknown = differences(step.Now, then)
			if len(step.Differs)+len(step.Unknown) == 0 {
				continue
			}
			if step.Kind = Differs; r.Overwrite && len(step.Differs) > 0 {
				step.Kind = Overwrite
			}
		case then.Status == statusExternal:
			step.Kind = Federated
		default:
			back, err := r.isBack(ctx, step)
			if err != nil {
				return err
			}
			if back {
				continue
			}
			step.Kind = Make
		}
		if err := f(step); err != nil {
			return err
		}
	}
	return nil
}

// past is how the people of a page are to be.
func (r *Restore) past(ctx context.Context, users []replica.User) (all []replica.User, err error) {
	if r.LostSince.IsZero() {
		return r.Replica.AsOf(ctx, users, r.At)
	}
	lost := make(map[time.Time][]replica.User) // a pass loses many at once
	for _, u := range users {
		if !u.Deleted.IsZero() && u.Deleted.After(r.LostSince) {
			lost[u.Deleted] = append(lost[u.Deleted], u)
		}
	}
	for _, at := range slices.SortedFunc(maps.Keys(lost), time.Time.Compare) {
		then, err := r.Replica.AsOf(ctx, lost[at], at.Add(-time.Microsecond))
		if err != nil {
			return nil, err
		}
		all = append(all, then...)
	}
	return all, nil
}

// isBack reports whether the pool has the identity of a step again, complete: of one that
// waits for its password, a run was cut off.
func (r *Restore) isBack(ctx context.Context, step Step) (bool, error) {
	identities, err := r.Replica.Identities(ctx, step.Now.Person())
	if err != nil {
		return false, err
	}
	for _, i := range identities {
		if !i.Deleted.IsZero() || i.Status == string(types.UserStatusTypeForceChangePassword) {
			continue
		}
		if again, err := r.isAgain(ctx, i, step); again || err != nil {
			return again, err
		}
	}
	return false, nil
}

// isAgain reports whether an identity of a person is that of a step, made again. A person
// can have others, which were merged with it.
func (r *Restore) isAgain(ctx context.Context, i replica.User, step Step) (bool, error) {
	elsewhere := r.into() != r.Issuer
	switch {
	case i.ID == step.Now.ID, i.Issuer != r.into(), i.Status == statusExternal, !elsewhere && !i.Created.After(step.Now.Created):
		return false, nil
	}
	same := func(i replica.User) bool {
		a, b := nameOf(i), nameOf(step.Then)
		return a == b || elsewhere && strings.EqualFold(a, b)
	}
	if same(i) {
		return true, nil
	}
	if i.Username != "" && i.Username != i.Subject {
		return false, nil // usernames do not change
	}
	first, err := r.Replica.AsOf(ctx, []replica.User{i}, i.Created)
	if errors.Is(err, sqlreplica.ErrNoHistory) {
		return false, nil
	}
	return slices.ContainsFunc(first, same), err
}

// statusExternal is what a pool says of a person of a provider.
const statusExternal = string(types.UserStatusTypeExternalProvider)
