package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	smithy "github.com/aws/smithy-go/middleware"
)

// CognitoAPI is the part of AWS's client that a pass may use: none of its
// operations counts a user as active for the month. A *cognitoidentityprovider.Client
// fulfils it.
type CognitoAPI interface {
	ListUsers(context.Context, *cip.ListUsersInput, ...func(*cip.Options)) (*cip.ListUsersOutput, error)
	ListGroups(context.Context, *cip.ListGroupsInput, ...func(*cip.Options)) (*cip.ListGroupsOutput, error)
	ListUsersInGroup(context.Context, *cip.ListUsersInGroupInput, ...func(*cip.Options)) (*cip.ListUsersInGroupOutput, error)
}

// CognitoConfig configures a [Cognito] source. Client and PoolID are required.
type CognitoConfig struct {
	// Client is AWS's client, with the pool's region and credentials that may call
	// cognito-idp:ListUsers, ListGroups and ListUsersInGroup on the pool.
	Client CognitoAPI

	// PoolID is the pool's id, such as eu-west-1_Ab12Cd34E.
	PoolID string

	// Rate is the maximum number of calls of ListUsers and ListUsersInGroup per second.
	// Defaults to 29.4, which is below the default quota of 30 for an account in a Region. The
	// source slows down if other programs use the same quota.
	Rate float64

	// GroupRate is the same for ListGroups. Defaults to 4.5, below 5.
	GroupRate float64

	// Concurrency is the maximum number of open calls. Defaults to 8.
	Concurrency int

	// Patience is how long a call is repeated while the pool throttles. Defaults to two
	// minutes.
	Patience time.Duration

	// Timeout ends an attempt of a call that is not answered. Defaults to 20 s.
	Timeout time.Duration

	// Logger receives what was repeated, and why. Defaults to none.
	Logger *slog.Logger

	// Now is the clock that pages are dated by. Defaults to [time.Now].
	Now func() time.Time
}

// Cognito is a [Source] over the AWS API. It is safe for concurrent use. Make one
// with [NewCognito].
type Cognito struct {
	CognitoConfig
	slots  chan struct{}
	lists  *pace // ListUsers and ListUsersInGroup, which share a quota
	groups *pace
	calls  atomic.Int64
	waits  atomic.Int64
	skewed sync.Once
	pause  func(failed int) time.Duration
}

var _ Source = (*Cognito)(nil)

// NewCognito returns a source. It makes no network calls. The error names every mistake in
// the configuration.
func NewCognito(config CognitoConfig) (*Cognito, error) {
	var faults []error
	if config.Client == nil {
		faults = append(faults, errors.New("no client is set (Client)"))
	}
	if i := strings.IndexByte(config.PoolID, '_'); i < 1 || i == len(config.PoolID)-1 {
		faults = append(faults, fmt.Errorf("PoolID: %q is not of the form eu-west-1_Ab12Cd34E", config.PoolID))
	}
	for _, f := range []struct {
		name  string
		value float64
	}{
		{"Rate", config.Rate}, {"GroupRate", config.GroupRate}, {"Concurrency", float64(config.Concurrency)},
		{"Patience", float64(config.Patience)}, {"Timeout", float64(config.Timeout)},
	} {
		if !(f.value >= 0) || f.value > 1e18 {
			faults = append(faults, fmt.Errorf("%s: %v is not a number from 0", f.name, f.value))
		}
	}
	if faults != nil {
		return nil, fmt.Errorf("configure the directory: %w", errors.Join(faults...))
	}
	c := &Cognito{CognitoConfig: config, pause: backoff}
	c.Rate = defaultTo(c.Rate, listRate)
	c.GroupRate = defaultTo(c.GroupRate, 4.5)
	c.Concurrency = defaultTo(c.Concurrency, 8)
	c.Patience = defaultTo(c.Patience, 2*time.Minute)
	c.Timeout = defaultTo(c.Timeout, 20*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	c.slots = make(chan struct{}, c.Concurrency)
	c.lists, c.groups = newPace(c.Rate), newPace(c.GroupRate)
	return c, nil
}

// listRate leaves as little of the quota of 30 unused as others need who ask now and then:
// what nobody has asked for in a minute, they may at once.
const listRate = 29.4

func defaultTo[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// Calls returns how many calls the source has made, and how many of them the pool
// throttled.
func (c *Cognito) Calls() (made, throttled int64) { return c.calls.Load(), c.waits.Load() }

const pageSize = 60 // the most that Cognito gives

// Users implements [Source].
func (c *Cognito) Users(ctx context.Context, q UserQuery) (UserPage, error) {
	filter := ""
	if q.Prefix != "" {
		filter = `sub ^= ` + quote(q.Prefix)
	}
	page, err := c.users(ctx, filter, q.After)
	if err != nil {
		return UserPage{}, fmt.Errorf("list users of pool %s: %w", c.PoolID, err)
	}
	return page, nil
}

// User implements Source. It lists the users with that subject, of whom there is at most
// one. To read one user by name would count them as active.
func (c *Cognito) User(ctx context.Context, subject string) (User, error) {
	if subject == "" || len(subject) > 100 || !utf8.ValidString(subject) {
		return User{}, fmt.Errorf("look up a user of pool %s: %w", c.PoolID, ErrNotFound)
	}
	for after := ""; ; {
		page, err := c.users(ctx, `sub = `+quote(subject), after)
		if err != nil {
			return User{}, fmt.Errorf("look up a user of pool %s: %w", c.PoolID, err)
		}
		for _, u := range page.Users {
			if u.Subject() == subject { // the filter does not tell cases apart
				return u, nil
			}
		}
		if after = page.Next; after == "" {
			return User{}, fmt.Errorf("look up a user of pool %s: %w", c.PoolID, ErrNotFound)
		}
	}
}

func (c *Cognito) users(ctx context.Context, filter, after string) (UserPage, error) {
	in := &cip.ListUsersInput{UserPoolId: &c.PoolID, Limit: aws.Int32(pageSize), PaginationToken: given(after)}
	in.Filter = given(filter)
	var out *cip.ListUsersOutput
	asOf, err := c.call(ctx, c.lists, after, func(ctx context.Context, alone func(*cip.Options)) (m smithy.Metadata, err error) {
		if out, err = c.Client.ListUsers(ctx, in, alone); err != nil {
			return m, err
		}
		return out.ResultMetadata, nil
	})
	if err != nil {
		return UserPage{}, err
	}
	page := UserPage{Next: aws.ToString(out.PaginationToken), AsOf: asOf}
	page.Users, err = usersOf(out.Users, asOf)
	if err == nil {
		err = moved(after, page.Next)
	}
	return page, err
}

// Groups implements [Source].
func (c *Cognito) Groups(ctx context.Context, after string) (GroupPage, error) {
	in := &cip.ListGroupsInput{UserPoolId: &c.PoolID, Limit: aws.Int32(pageSize), NextToken: given(after)}
	var out *cip.ListGroupsOutput
	asOf, err := c.call(ctx, c.groups, after, func(ctx context.Context, alone func(*cip.Options)) (m smithy.Metadata, err error) {
		if out, err = c.Client.ListGroups(ctx, in, alone); err != nil {
			return m, err
		}
		return out.ResultMetadata, nil
	})
	var page GroupPage
	if err == nil {
		page = GroupPage{Next: aws.ToString(out.NextToken), AsOf: asOf}
		page.Groups, err = groupsOf(out.Groups)
	}
	if err == nil {
		err = moved(after, page.Next)
	}
	if err != nil {
		return GroupPage{}, fmt.Errorf("list groups of pool %s: %w", c.PoolID, err)
	}
	return page, nil
}

// Members implements [Source].
func (c *Cognito) Members(ctx context.Context, group, after string) (MemberPage, error) {
	in := &cip.ListUsersInGroupInput{UserPoolId: &c.PoolID, GroupName: &group, Limit: aws.Int32(pageSize), NextToken: given(after)}
	var out *cip.ListUsersInGroupOutput
	asOf, err := c.call(ctx, c.lists, after, func(ctx context.Context, alone func(*cip.Options)) (m smithy.Metadata, err error) {
		if out, err = c.Client.ListUsersInGroup(ctx, in, alone); err != nil {
			return m, err
		}
		return out.ResultMetadata, nil
	})
	if errors.Is(err, errMissing) {
		// The group, or the pool? One error stands for both.
		if _, err := c.Groups(ctx, ""); err != nil {
			return MemberPage{}, err
		}
		err = ErrNotFound
	}
	var users []User
	if err == nil {
		users, err = usersOf(out.Users, asOf)
	}
	page := MemberPage{AsOf: asOf}
	if err == nil {
		page.Next = aws.ToString(out.NextToken)
		err = moved(after, page.Next)
	}
	if err != nil {
		return MemberPage{}, fmt.Errorf("list members of group %.64q of pool %s: %w", group, c.PoolID, err)
	}
	for _, u := range users {
		page.Subjects = append(page.Subjects, u.Subject())
	}
	return page, nil
}

// call makes one call, as often as it takes, and returns a moment before it.
func (c *Cognito) call(ctx context.Context, p *pace, after string,
	do func(context.Context, func(*cip.Options)) (smithy.Metadata, error)) (time.Time, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return time.Time{}, ctx.Err()
	}
	begun := time.Now()
	for failed := 1; ; failed++ {
		if err := p.wait(ctx); err != nil {
			return time.Time{}, err
		}
		asOf := c.Now()
		c.calls.Add(1)
		metadata, err := c.attempt(ctx, do)
		if err == nil {
			return asOf.Add(c.skew(metadata)), nil
		}
		if cause := context.Cause(ctx); cause != nil {
			return time.Time{}, cause
		}
		verdict := judge(err, after != "")
		switch {
		case errors.Is(verdict, ErrThrottled):
			c.waits.Add(1)
			p.refused()
			if time.Since(begun) > c.Patience {
				return time.Time{}, verdict
			}
		case errors.Is(verdict, ErrUnavailable) && failed < attempts:
		default:
			return time.Time{}, verdict
		}
		c.Logger.Debug("call to the pool is repeated", slog.Int("attempt", failed), slog.Any("error", err))
		if err := sleep(ctx, c.pause(failed)); err != nil {
			return time.Time{}, err
		}
	}
}

// attempts is how often a call is made that fails for another reason than the
// number of calls.
const attempts = 5

// backoff grows from a fifth of a second to five, half of it by chance.
func backoff(failed int) time.Duration {
	d := min(200*time.Millisecond<<min(failed-1, 10), 5*time.Second)
	return d/2 + rand.N(d/2)
}

// attempt makes a call once. The client's own repetitions would not know of the
// pace.
func (c *Cognito) attempt(ctx context.Context, do func(context.Context, func(*cip.Options)) (smithy.Metadata, error)) (smithy.Metadata, error) {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	return do(ctx, func(o *cip.Options) { o.Retryer = aws.NopRetryer{} })
}

// skew is by how much the pool's clock, which dates tokens, is ahead of ours. The
// answer states it in whole seconds, and a proxy could have made it up.
func (c *Cognito) skew(metadata smithy.Metadata) time.Duration {
	skew, ok := middleware.GetAttemptSkew(metadata)
	if !ok || skew.Abs() <= maxUnseenSkew || skew.Abs() > maxSkew {
		return 0
	}
	c.skewed.Do(func() {
		c.Logger.Warn("the clocks of the pool and of this machine differ: check the time of this machine", slog.Duration("ahead", skew))
	})
	return skew
}

const (
	maxUnseenSkew = 2 * time.Second
	maxSkew       = 15 * time.Minute
)

// quote makes a value of a filter.
func quote(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}

func given(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// moved refuses a page that is followed by itself.
func moved(after, next string) error {
	if after != "" && after == next {
		return fmt.Errorf("%w: a page is followed by itself", ErrUnavailable)
	}
	return nil
}

// usersOf reads users. Who lacks what Cognito always states comes from something
// else than Cognito, or from half of an answer.
func usersOf(list []types.UserType, asOf time.Time) ([]User, error) {
	users := make([]User, 0, len(list))
	for _, t := range list {
		u := User{
			Username: aws.ToString(t.Username), Enabled: t.Enabled, Status: string(t.UserStatus),
			Attributes: make(map[string]string, len(t.Attributes)), Modified: aws.ToTime(t.UserLastModifiedDate), AsOf: asOf,
		}
		for _, a := range t.Attributes {
			u.Attributes[aws.ToString(a.Name)] = aws.ToString(a.Value)
		}
		if u.Subject() == "" || u.Username == "" || u.Status == "" && !u.Enabled {
			return nil, fmt.Errorf("%w: a user is listed without subject, name or status", ErrUnavailable)
		}
		users = append(users, u)
	}
	return users, nil
}

func groupsOf(list []types.GroupType) ([]Group, error) {
	groups := make([]Group, 0, len(list))
	for _, t := range list {
		g := Group{
			Name: aws.ToString(t.GroupName), Description: aws.ToString(t.Description), RoleARN: aws.ToString(t.RoleArn), Modified: aws.ToTime(t.LastModifiedDate),
		}
		if t.Precedence != nil {
			g.Precedence = aws.Int(int(*t.Precedence))
		}
		if g.Name == "" {
			return nil, fmt.Errorf("%w: a group is listed without name", ErrUnavailable)
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// judge says what a failed call means. goingOn is whether it was for a page that is
// not the first.
func judge(err error, goingOn bool) error {
	var coded interface{ ErrorCode() string }
	if !errors.As(err, &coded) {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	var answered interface{ HTTPStatusCode() int }
	status := 0
	if errors.As(err, &answered) {
		status = answered.HTTPStatusCode()
	}
	switch code := coded.ErrorCode(); {
	case code == "TooManyRequestsException", code == "ThrottlingException", code == "Throttling",
		code == "RequestLimitExceeded", code == "TooManyRequests", status == http.StatusTooManyRequests:
		return fmt.Errorf("%w: %w", ErrThrottled, err)
	case code == "ResourceNotFoundException":
		return fmt.Errorf("%w: %w: check the id of the pool and the region: %w", ErrRefused, errMissing, err)
	case code == "InvalidParameterException" && goingOn:
		return fmt.Errorf("%w: %w", ErrStaleCursor, err)
	case code == "AccessDeniedException", code == "NotAuthorizedException":
		return fmt.Errorf("%w: allow cognito-idp:ListUsers, ListGroups and ListUsersInGroup on the pool: %w", ErrRefused, err)
	case code == "UnrecognizedClientException", code == "InvalidSignatureException", code == "IncompleteSignature":
		return fmt.Errorf("%w: check the AWS credentials: %w", ErrRefused, err)
	case status >= 400 && status < 500 && status != http.StatusRequestTimeout && code != "ExpiredTokenException" && code != "RequestTimeTooSkewed":
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// errMissing: something that the call names does not exist.
var errMissing = errors.New("no such thing")
