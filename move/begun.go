package move

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
)

// look returns how somebody is in a pool now.
func (m *Move) look(ctx context.Context, api ReadAPI, pool, username string) (*cip.AdminGetUserOutput, error) {
	return call(ctx, m, "look at a user of "+pool, api.AdminGetUser, &cip.AdminGetUserInput{UserPoolId: &pool, Username: &username})
}

// errAnother: whoever was listed was deleted since, and somebody else has their username.
var errAnother = errors.New("another user of the old pool has their username now")

// fresh is somebody as the old pool has them now, with their second factors.
func (m *Move) fresh(ctx context.Context, pool *newPool, p person) (person, factors, error) {
	whole, err := m.look(ctx, m.Old, m.Tickets.old, p.username)
	if err != nil {
		return p, factors{}, err
	}
	now := personOf(whole.Username, whole.Enabled, whole.UserStatus, whole.UserAttributes)
	if now.sub != p.sub {
		return p, factors{}, errAnother
	}
	p.attributes = now.attributes
	return p, factorsOf(whole, pool.required, p), nil
}

// errNotSaid: who has left cannot be asked, so nobody is made.
var errNotSaid = errors.New("the replica does not say whether they have left")

// stillMay returns [ErrLeft] for somebody who has come and left since the drain began.
func (m *Move) stillMay(ctx context.Context, p person) error {
	if p.again {
		return nil
	}
	err := m.Tickets.mayArrive(ctx, "", p.sub, "")
	if err != nil && !errors.Is(err, ErrLeft) {
		return fmt.Errorf("%w: %w", errNotSaid, err)
	}
	return err
}

// complete has the ticket say that somebody is in all their groups. Whom an earlier run has
// begun gets the attributes that the old pool has now, too, unless they have a password: then
// the attributes are theirs. A number or address that they gave up could reset the password.
func (m *Move) complete(ctx context.Context, pool *newPool, p person, username, ticket string, begun bool) error {
	in := &cip.AdminUpdateUserAttributesInput{UserPoolId: &m.Tickets.new, Username: &username}
	_, err := untilTaken(ctx, m.Paused, func() (*cip.AdminUpdateUserAttributesOutput, error) {
		if err := m.pace.wait(ctx, in); err != nil {
			return nil, err
		}
		in.UserAttributes = []types.AttributeType{{Name: aws.String(Attribute), Value: &ticket}}
		if begun {
			now, err := m.look(ctx, m.New, m.Tickets.new, username)
			if err != nil {
				return nil, err
			}
			if now.UserStatus == types.UserStatusTypeForceChangePassword {
				has := personOf(now.Username, now.Enabled, now.UserStatus, now.UserAttributes).attributes
				in.UserAttributes = append(in.UserAttributes, changed(pool, has, p.attributes)...)
			}
		}
		return m.New.AdminUpdateUserAttributes(ctx, in)
	})
	if err != nil {
		return fmt.Errorf("complete a ticket: %w", err)
	}
	return nil
}

// changed are the attributes that make has what is: an empty one is deleted. The pool forgets
// by itself that an address was verified, when the address changes or is deleted.
func changed(pool *newPool, has, is map[string]string) (list []types.AttributeType) {
	has, is = movable(pool, has), movable(pool, is)
	add := func(name, value string) {
		if !slices.Contains(pool.fixed, name) {
			list = append(list, types.AttributeType{Name: &name, Value: &value})
		}
	}
	for name, value := range is {
		base := strings.TrimSuffix(name, "_verified")
		if has[name] != value || has[base] != is[base] {
			add(name, value)
		}
	}
	for name := range has {
		switch base := strings.TrimSuffix(name, "_verified"); {
		case is[name] != "":
		case name == base:
			add(name, "")
		case is[base] != "":
			add(name, "false")
		}
	}
	return list
}
