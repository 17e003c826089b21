package restore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/internal/refused"
	"github.com/codegrant/codegrant/replica"
)

// overwrite has the pool say of a person whom it has what it said then.
func (r *Restore) overwrite(ctx context.Context, step Step) (Step, error) {
	username := step.Now.Username
	if username == "" {
		username = step.Now.Subject
	}
	taken := func(why string) (Step, error) {
		step.Kind, step.Why = Taken, why
		return step, nil
	}
	found, err := r.paced.getUser(ctx, &cip.AdminGetUserInput{UserPoolId: &r.PoolID, Username: &username})
	if isMissing(err) {
		return taken("the pool has lost the person by now: run codegrant sync --full first")
	}
	if err != nil {
		return step, fmt.Errorf("restore user %d: %w", step.Now.ID, err)
	}
	has := attributeMap(found.UserAttributes)
	if has["sub"] != step.Now.Subject {
		return taken("somebody else has the username by now: run codegrant sync --full first")
	}
	for _, change := range []func() error{
		func() error { return r.overwriteAttributes(ctx, username, has, step.Then) },
		func() error {
			switch {
			case found.Enabled && !step.Then.Enabled:
				return r.paced.disable(ctx, &cip.AdminDisableUserInput{UserPoolId: &r.PoolID, Username: &username})
			case !found.Enabled && step.Then.Enabled && complete(step.Then):
				return r.paced.enable(ctx, &cip.AdminEnableUserInput{UserPoolId: &r.PoolID, Username: &username})
			}
			return nil
		},
		func() error { return r.overwriteGroups(ctx, username, step) },
		func() error {
			s := r.snapshot(&made{username, step.Now.Subject, string(found.UserStatus)}, step.Then)
			s.Issuer, s.Username = step.Now.Issuer, step.Now.Username
			if s.Complete = complete(step.Then); !s.Complete && step.Then.Enabled {
				s.Enabled = &found.Enabled
			}
			if !groupsKnown(step.Then) {
				s.GroupsKnown = false
			}
			_, err := r.Replica.ApplyIdentity(ctx, s, step.Now.ID, r.By)
			return err
		},
	} {
		err := change()
		switch {
		case errors.Is(err, replica.ErrNotFound): // who erases somebody deletes them in the pool
			return erased(step), nil
		case isMissing(err):
			return r.missing(ctx, step)
		case refused.Taken(err):
			return taken("somebody else has an address of theirs by now")
		case refuses(err):
			return taken("the pool refuses it: " + err.Error())
		case err != nil:
			return step, fmt.Errorf("restore user %d: %w", step.Now.ID, err)
		}
	}
	step.Subject = step.Now.Subject
	return step, nil
}

// complete reports whether a record of somebody holds all that the pool said of them.
// A source that states the status states every attribute. Tokens state neither.
func complete(u replica.User) bool { return u.Status != "" }

// groupsKnown reports whether a record names all groups that somebody was in.
func groupsKnown(u replica.User) bool { return complete(u) || len(poolGroups(u)) > 0 }

func (r *Restore) overwriteAttributes(ctx context.Context, username string, has map[string]string, then replica.User) error {
	want := attributesOf(then)
	update := &cip.AdminUpdateUserAttributesInput{UserPoolId: &r.PoolID, Username: &username}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		// An address that is changed is verified no more unless it is said in the same call.
		of := strings.TrimSuffix(name, "_verified")
		if has[name] != want[name] || has[of] != want[of] {
			update.UserAttributes = append(update.UserAttributes, types.AttributeType{Name: aws.String(name), Value: aws.String(want[name])})
		}
	}
	remove := &cip.AdminDeleteUserAttributesInput{UserPoolId: &r.PoolID, Username: &username}
	for _, name := range slices.Sorted(maps.Keys(has)) {
		_, kept := want[name]
		// The pool removes by itself the attributes that it makes by itself.
		if !kept && complete(then) && !slices.Contains([]string{"sub", "identities", "email_verified", "phone_number_verified"}, name) && !strings.HasPrefix(name, "dev:") {
			remove.UserAttributeNames = append(remove.UserAttributeNames, name)
		}
	}
	if len(update.UserAttributes) > 0 {
		if err := r.paced.updateAttributes(ctx, update); err != nil {
			return err
		}
	}
	if len(remove.UserAttributeNames) > 0 {
		return r.paced.deleteAttributes(ctx, remove)
	}
	return nil
}

func (r *Restore) overwriteGroups(ctx context.Context, username string, step Step) error {
	if !groupsKnown(step.Then) {
		return nil
	}
	then := poolGroups(step.Then)
	for _, m := range step.Now.Groups {
		if m.Pool && m.Origin == replica.OriginPool && !slices.Contains(then, m.Name) {
			err := r.paced.leave(ctx, &cip.AdminRemoveUserFromGroupInput{UserPoolId: &r.PoolID, Username: &username, GroupName: &m.Name})
			var gone *types.ResourceNotFoundException // and with the group, the membership
			if err != nil && !errors.As(err, &gone) {
				return fmt.Errorf("remove from group %.64q: %w", m.Name, err)
			}
		}
	}
	return r.joinGroups(ctx, &made{username: username}, step)
}

// poolGroups are those that the pool itself says of a person.
func poolGroups(u replica.User) (names []string) {
	for _, m := range u.Groups {
		if m.Pool && m.Origin == replica.OriginPool {
			names = append(names, m.Name)
		}
	}
	return names
}

// differences are what the pool says otherwise than it said then, by name, and of what
// nobody knows whether it did.
func differences(now, then replica.User) (differs, unknown []string) {
	has, had := attributesOf(now), attributesOf(then)
	for _, name := range slices.Sorted(maps.Keys(has)) {
		switch was, ok := had[name]; {
		case !ok && !complete(then):
			unknown = append(unknown, name)
		case !ok || was != has[name]:
			differs = append(differs, name)
		}
	}
	for name := range had {
		if _, ok := has[name]; !ok {
			differs = append(differs, name)
		}
	}
	slices.Sort(differs)
	switch {
	case now.Enabled == then.Enabled:
	case then.Enabled && !complete(then):
		unknown = append(unknown, "enabled")
	default:
		differs = append(differs, "enabled")
	}
	switch {
	case slices.Equal(poolGroups(now), poolGroups(then)):
	case !groupsKnown(then):
		unknown = append(unknown, "groups")
	default:
		differs = append(differs, "groups")
	}
	return differs, unknown
}
