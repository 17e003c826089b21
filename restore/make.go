package restore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/replica"
)

// Do makes the person of a step of kind [Make] again, and returns the step with what came
// of it: [Taken] where somebody else has the name, and otherwise the new subject. Whatever
// an earlier run has done of it is taken up.
func (r *Restore) Do(ctx context.Context, step Step) (Step, error) {
	if step.Kind != Make {
		return step, nil
	}
	username := nameOf(step.Then)
	if username == "" {
		step.Kind, step.Why = Taken, "the person has no username, e-mail address or phone number to be made with"
		return step, nil
	}
	user, why, err := r.have(ctx, username, step)
	if err != nil {
		return step, fmt.Errorf("restore user %d: %w", step.Now.ID, err)
	}
	if why != "" {
		step.Kind, step.Why = Taken, why
		return step, nil
	}
	for _, complete := range []func(context.Context, *made, Step) error{r.setPassword, r.disable, r.joinGroups, r.link} {
		if err := complete(ctx, user, step); err != nil {
			return step, fmt.Errorf("restore user %d: %w", step.Now.ID, err)
		}
	}
	step.Subject = user.subject
	return step, nil
}

// clockMargin is how far the pool's clock may be behind ours.
const clockMargin = time.Hour

// made is a user whom the pool has again.
type made struct{ username, subject, status string }

// have returns the user whom this run or an earlier one has made, or why there can be none.
func (r *Restore) have(ctx context.Context, username string, step Step) (*made, string, error) {
	want := attributesOf(step.Then)
	var missing *types.UserNotFoundException
	found, err := r.Client.AdminGetUser(ctx, &cip.AdminGetUserInput{UserPoolId: &r.PoolID, Username: &username})
	if err == nil {
		has := attributeMap(found.UserAttributes)
		if has["sub"] == step.Now.Subject {
			return nil, "the pool has the person: run codegrant sync --full first", nil
		}
		// Who was made by a run that was cut off has what it gives, all of it.
		for name, value := range want {
			if has[name] != value {
				return nil, "somebody else has the username " + username, nil
			}
		}
		if found.UserCreateDate != nil && found.UserCreateDate.Before(step.Now.Deleted.Add(-clockMargin)) {
			return nil, "somebody else has had the username " + username + " before", nil
		}
		return &made{aws.ToString(found.Username), has["sub"], string(found.UserStatus)}, "", nil
	}
	if !errors.As(err, &missing) {
		return nil, "", err
	}
	in := &cip.AdminCreateUserInput{UserPoolId: &r.PoolID, Username: &username, MessageAction: types.MessageActionTypeSuppress}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		in.UserAttributes = append(in.UserAttributes, types.AttributeType{Name: aws.String(name), Value: aws.String(want[name])})
	}
	out, err := r.Client.AdminCreateUser(ctx, in)
	var exists *types.UsernameExistsException
	var alias *types.AliasExistsException
	switch {
	case errors.As(err, &exists), errors.As(err, &alias):
		return nil, "somebody else has the username, or an address, by now", nil
	case err != nil:
		return nil, "", err
	case out.User == nil || attributeMap(out.User.Attributes)["sub"] == "":
		return nil, "", errors.New("the pool has made a user without subject")
	}
	return &made{aws.ToString(out.User.Username), attributeMap(out.User.Attributes)["sub"], string(out.User.UserStatus)}, "", nil
}

// setPassword gives a password that nobody knows: one who has none that counts cannot ask
// for a new one by e-mail.
func (r *Restore) setPassword(ctx context.Context, u *made, _ Step) error {
	if u.status != string(types.UserStatusTypeForceChangePassword) {
		return nil
	}
	_, err := r.Client.AdminSetUserPassword(ctx, &cip.AdminSetUserPasswordInput{
		UserPoolId: &r.PoolID, Username: &u.username, Password: aws.String("aA1!" + rand.Text()), Permanent: true,
	})
	return err
}

func (r *Restore) disable(ctx context.Context, u *made, step Step) error {
	if step.Then.Enabled {
		return nil
	}
	_, err := r.Client.AdminDisableUser(ctx, &cip.AdminDisableUserInput{UserPoolId: &r.PoolID, Username: &u.username})
	return err
}

func (r *Restore) joinGroups(ctx context.Context, u *made, step Step) error {
	for _, m := range step.Then.Groups {
		if !m.Pool || m.Origin != replica.OriginPool {
			continue
		}
		if err := r.makeGroup(ctx, m.Group); err != nil {
			return fmt.Errorf("make group %.64q: %w", m.Name, err)
		}
		_, err := r.Client.AdminAddUserToGroup(ctx, &cip.AdminAddUserToGroupInput{UserPoolId: &r.PoolID, Username: &u.username, GroupName: &m.Name})
		if err != nil {
			return fmt.Errorf("add to group %.64q: %w", m.Name, err)
		}
	}
	return nil
}

// makeGroup makes a group as it was, where the pool has none of that name.
func (r *Restore) makeGroup(ctx context.Context, g replica.Group) error {
	if r.made[g.Name] {
		return nil
	}
	if r.groups == nil {
		all, err := r.Replica.GroupsAsOf(ctx, r.Issuer, r.At)
		if err != nil {
			return err
		}
		r.groups = make(map[string]replica.GroupDefinition, len(all))
		for _, d := range all {
			r.groups[d.Name] = d
		}
	}
	d, ok := r.groups[g.Name]
	if !ok {
		d = replica.GroupDefinition{Name: g.Name, Precedence: g.Precedence}
	}
	in := &cip.CreateGroupInput{UserPoolId: &r.PoolID, GroupName: &d.Name}
	if d.Description != "" {
		in.Description = &d.Description
	}
	if d.RoleARN != "" {
		in.RoleArn = &d.RoleARN
	}
	if d.Precedence != nil {
		in.Precedence = aws.Int32(int32(*d.Precedence))
	}
	_, err := r.Client.CreateGroup(ctx, in)
	var exists *types.GroupExistsException
	if err != nil && !errors.As(err, &exists) {
		return err
	}
	r.made[g.Name] = true
	return nil
}

// link has the replica know the new identity, as the person whom they were.
func (r *Restore) link(ctx context.Context, u *made, step Step) error {
	then := step.Then
	s := replica.Snapshot{
		Issuer: r.Issuer, Subject: u.subject, Username: u.username, Email: then.Email, EmailVerified: then.EmailVerified,
		Name: then.Name, GivenName: then.GivenName, FamilyName: then.FamilyName, PhoneNumber: then.PhoneNumber, PhoneNumberVerified: then.PhoneNumberVerified,
		Locale: then.Locale, Custom: then.Custom, Complete: true, GroupsKnown: true, Enabled: &then.Enabled, Status: string(types.UserStatusTypeConfirmed), At: r.Now(),
	}
	for _, m := range then.Groups {
		if m.Pool && m.Origin == replica.OriginPool {
			s.Groups = append(s.Groups, replica.GroupRef{Name: m.Name, Precedence: m.Precedence})
		}
	}
	change, err := r.Replica.Apply(ctx, s)
	if err != nil {
		return err
	}
	for _, m := range then.Groups {
		if m.Local {
			if _, err := r.Replica.GrantLocalGroup(ctx, change.User.ID, m.Name); err != nil {
				return err
			}
		}
	}
	_, err = r.Replica.Merge(ctx, change.User.ID, step.Now.Person(), r.By)
	return err
}

// nameOf is what a user is made with: where usernames are addresses, the pool has put the
// subject in their place.
func nameOf(u replica.User) string {
	if u.Username != "" && u.Username != u.Subject {
		return u.Username
	}
	if u.Email != "" {
		return u.Email
	}
	return u.PhoneNumber
}

// attributesOf are those that a pool takes: what it makes by itself is left out.
func attributesOf(u replica.User) map[string]string {
	all := make(map[string]string)
	for name, value := range u.Custom {
		if name != "identities" && !strings.HasPrefix(name, "dev:") {
			all[name] = value
		}
	}
	for name, value := range map[string]string{
		"email": u.Email, "name": u.Name, "given_name": u.GivenName, "family_name": u.FamilyName, "phone_number": u.PhoneNumber, "locale": u.Locale,
	} {
		if value != "" {
			all[name] = value
		}
	}
	if u.Email != "" {
		all["email_verified"] = fmt.Sprint(u.EmailVerified)
	}
	if u.PhoneNumber != "" {
		all["phone_number_verified"] = fmt.Sprint(u.PhoneNumberVerified)
	}
	return all
}

func attributeMap(list []types.AttributeType) map[string]string {
	all := make(map[string]string, len(list))
	for _, a := range list {
		all[aws.ToString(a.Name)] = aws.ToString(a.Value)
	}
	return all
}

// same reports whether the pool says of a person what it said then.
func same(now, then replica.User) bool {
	groups := func(u replica.User) (names []string) {
		for _, m := range u.Groups {
			if m.Pool {
				names = append(names, m.Name)
			}
		}
		return names
	}
	return maps.Equal(attributesOf(now), attributesOf(then)) && now.Enabled == then.Enabled && slices.Equal(groups(now), groups(then))
}
