package directory

import (
	"context"
	"fmt"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// limited is a pool that answers after a while, and refuses listings beyond 30 a second, of
// which a second's may come at once, as AWS counts. Its people are in groups, one in each.
type limited struct {
	people, groups int
	answersAfter   time.Duration

	room            chan struct{} // one at a time: guards what follows
	left            float64
	at              time.Time
	asked, refusals int
}

const listQuota = 30

func newLimited(people, groups int) *limited {
	return &limited{people: people, groups: groups, answersAfter: 25 * time.Millisecond, room: make(chan struct{}, 1), left: listQuota, at: time.Now()}
}

func (l *limited) list(ctx context.Context) error {
	l.room <- struct{}{}
	now := time.Now()
	l.left, l.at = min(listQuota, l.left+listQuota*now.Sub(l.at).Seconds()), now
	l.asked++
	refused := l.left < 1
	if refused {
		l.refusals++
	} else {
		l.left--
	}
	<-l.room
	if err := sleep(ctx, l.answersAfter); err != nil {
		return err
	}
	if refused {
		return &types.TooManyRequestsException{Message: aws.String("Rate exceeded")}
	}
	return nil
}

func subjectOf(n int) string { return fmt.Sprintf("%x0000000-0000-4000-8000-%012d", n%16, n) }

// page returns the people from the place that a token names: every step-th from first.
func (l *limited) page(token *string, first, step int) (users []types.UserType, next *string) {
	from := first
	if token != nil {
		from, _ = strconv.Atoi(*token)
	}
	n := from
	for ; n < l.people && len(users) < pageSize; n += step {
		users = append(users, types.UserType{
			Username: aws.String("user" + strconv.Itoa(n)), Enabled: true, UserStatus: types.UserStatusTypeConfirmed,
			UserCreateDate: aws.Time(time.Unix(1_700_000_000, 0)), UserLastModifiedDate: aws.Time(time.Unix(1_700_000_000, 0)),
			Attributes: []types.AttributeType{{Name: aws.String("sub"), Value: aws.String(subjectOf(n))}},
		})
	}
	if n < l.people {
		next = aws.String(strconv.Itoa(n))
	}
	return users, next
}

func (l *limited) ListUsers(ctx context.Context, in *cip.ListUsersInput, _ ...func(*cip.Options)) (*cip.ListUsersOutput, error) {
	if err := l.list(ctx); err != nil {
		return nil, err
	}
	first, step := 0, 1
	if filter := aws.ToString(in.Filter); filter != "" {
		var digit int
		if _, err := fmt.Sscanf(filter, `sub ^= "%x"`, &digit); err != nil {
			return nil, err
		}
		first, step = digit, 16
	}
	users, next := l.page(in.PaginationToken, first, step)
	return &cip.ListUsersOutput{Users: users, PaginationToken: next}, nil
}

func (l *limited) ListUsersInGroup(ctx context.Context, in *cip.ListUsersInGroupInput, _ ...func(*cip.Options)) (*cip.ListUsersInGroupOutput, error) {
	if err := l.list(ctx); err != nil {
		return nil, err
	}
	var group int
	if _, err := fmt.Sscanf(*in.GroupName, "group%d", &group); err != nil {
		return nil, err
	}
	users, next := l.page(in.NextToken, group, l.groups)
	return &cip.ListUsersInGroupOutput{Users: users, NextToken: next}, nil
}

func (l *limited) ListGroups(ctx context.Context, _ *cip.ListGroupsInput, _ ...func(*cip.Options)) (*cip.ListGroupsOutput, error) {
	if err := sleep(ctx, l.answersAfter); err != nil {
		return nil, err
	}
	out := new(cip.ListGroupsOutput)
	for n := range l.groups {
		out.Groups = append(out.Groups, types.GroupType{
			GroupName: aws.String("group" + strconv.Itoa(n)), CreationDate: aws.Time(time.Unix(1_700_000_000, 0)), LastModifiedDate: aws.Time(time.Unix(1_700_000_000, 0)),
		})
	}
	return out, nil
}

// TestFullPassIsAsFastAsTheQuota: what a full pass takes is what the quota of listings makes
// necessary, and no listing is refused.
func TestFullPassIsAsFastAsTheQuota(t *testing.T) {
	store := newReplica(t, sqlreplica.Config{}) // its database is outside of the bubble
	synctest.Test(t, func(t *testing.T) {
		pool := newLimited(9_000, 15)
		source, err := NewCognito(CognitoConfig{Client: pool, PoolID: "eu-west-1_Ab12Cd34E"})
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(Config{Source: source, Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E", Replica: store, Journal: NewMemoryJournal(), BySubject: true})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		report, err := s.Run(t.Context(), Options{Full: true})
		if err != nil {
			t.Fatal(err)
		}
		if report.Users != pool.people || report.Members != pool.people {
			t.Fatalf("the pass read %d people and %d members, want %d of each", report.Users, report.Members, pool.people)
		}
		// Pages of people, and of members of each group.
		listings := (pool.people+pageSize-1)/pageSize + pool.groups*((pool.people/pool.groups+pageSize-1)/pageSize)
		necessary := time.Duration(listings) * time.Second / listQuota
		took := time.Since(begun) - 500*time.Millisecond // in which a pass of any size begins and ends
		t.Logf("%d people took %s, %.3f times the %s that the quota makes necessary; %d listings, %d refused",
			pool.people, took, took.Seconds()/necessary.Seconds(), necessary, pool.asked, pool.refusals)
		if took.Seconds() > 1.03*necessary.Seconds() || pool.refusals > 0 {
			t.Errorf("the pass took %s, %.3f times what is necessary, and %d listings were refused; want at most 1.03, and none", took, took.Seconds()/necessary.Seconds(), pool.refusals)
		}
	})
}
