package restore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/internal/refused"
	"github.com/codegrant/codegrant/move"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// Do makes the person of a step of kind [Make] again, or changes that of one of kind
// [Overwrite], and returns the step with what came
// of it: [Taken] where somebody else has the name, or the pool refuses something of it, and
// otherwise the new subject. Whatever
// an earlier run has done of it is taken up.
func (r *Restore) Do(ctx context.Context, step Step) (Step, error) {
	switch step.Kind {
	case Make:
	case Overwrite:
		return r.overwrite(ctx, step)
	default:
		return step, nil
	}
	if _, moved := step.Then.Custom[move.Attribute]; moved && r.into() != r.Issuer {
		// The ticket of a move is of the pool that somebody moved to: in another one it would
		// keep them out. The replica knows who they are.
		step.Then.Custom = maps.Clone(step.Then.Custom)
		delete(step.Then.Custom, move.Attribute)
	}
	username := nameOf(step.Then)
	if username == "" {
		step.Kind, step.Why = Taken, "the person has no username, e-mail address or phone number to be made with"
		return step, nil
	}
	if _, err := r.Replica.User(ctx, step.Now.ID); errors.Is(err, replica.ErrNotFound) {
		return erased(step), nil
	} else if err != nil {
		return step, fmt.Errorf("restore user %d: %w", step.Now.ID, err)
	}
	user, why, err := r.have(ctx, username, step)
	if err != nil {
		return step, fmt.Errorf("restore user %d: %w", step.Now.ID, err)
	}
	if why != "" {
		step.Kind, step.Why = Taken, why
		return step, nil
	}
	// The password comes last: until then nobody can sign in, and the pool says that the user
	// waits for it, which no user who has signed up does.
	//
	// The link comes first: of a user whom the replica does not know, an erasure knows nothing.
	for _, complete := range []func(context.Context, *made, Step) error{r.link, r.disable, r.joinGroups, r.setPassword, r.confirm} {
		err := complete(ctx, user, step)
		if errors.Is(err, errErased) {
			return erased(step), nil
		}
		if isMissing(err) {
			return r.missing(ctx, step)
		}
		if refuses(err) {
			step.Kind, step.Why = Taken, "the pool refuses it: "+err.Error()
			return step, nil
		}
		if err != nil {
			return step, fmt.Errorf("restore user %d: %w", step.Now.ID, err)
		}
	}
	step.Subject = user.subject
	return step, nil
}

// isMissing reports whether the pool no longer has a user.
func isMissing(err error) bool {
	var missing *types.UserNotFoundException
	return errors.As(err, &missing)
}

// missing is a step about somebody whom the pool had just now.
func (r *Restore) missing(ctx context.Context, step Step) (Step, error) {
	_, err := r.Replica.User(ctx, step.Now.ID)
	switch {
	case errors.Is(err, replica.ErrNotFound):
		return erased(step), nil
	case err != nil:
		return step, fmt.Errorf("restore user %d: %w", step.Now.ID, err)
	}
	// An erasure deletes the user first, and a moment later the row.
	step.Kind, step.Why = Taken, "the user was deleted in the pool meanwhile, as by an erasure"
	return step, nil
}

var errErased = errors.New("the person was erased meanwhile")

// erased is a step about somebody who is not to be made.
func erased(step Step) Step {
	step.Kind, step.Why = Taken, errErased.Error()
	return step
}

// made is a user whom the pool has again.
type made struct{ username, subject, status string }

// have returns the user whom this run or an earlier one has made, or why there can be none.
func (r *Restore) have(ctx context.Context, username string, step Step) (*made, string, error) {
	want := attributesOf(step.Then)
	var missing *types.UserNotFoundException
	found, err := r.paced.getUser(ctx, &cip.AdminGetUserInput{UserPoolId: &r.PoolID, Username: &username})
	if errors.As(err, &missing) {
		user, why, taken, refusal := r.create(ctx, username, want)
		if !taken {
			return user, why, refusal
		}
		// Another run may have made them just now.
		if found, err = r.paced.getUser(ctx, &cip.AdminGetUserInput{UserPoolId: &r.PoolID, Username: &username}); errors.As(err, &missing) {
			return nil, "somebody else has the username, or an address, by now", nil
		}
	}
	if err == nil {
		has := attributeMap(found.UserAttributes)
		if has["sub"] == step.Now.Subject {
			return nil, "the pool has the person: run codegrant sync --full first", nil
		}
		// A user whom a run that was cut off has made waits for a password, or is linked to
		// the person already. Anybody else could have signed up with the name and the
		// attributes of somebody who is lost.
		linked, err := r.isLinked(ctx, has["sub"], step)
		if err != nil {
			return nil, "", err
		}
		if !linked && (found.UserStatus != types.UserStatusTypeForceChangePassword || !covers(has, want)) {
			return nil, "somebody else has the username " + username, nil
		}
		return &made{aws.ToString(found.Username), has["sub"], string(found.UserStatus)}, "", nil
	}
	return nil, "", err
}

// create makes a user. Taken is whether somebody has the username, or an address.
func (r *Restore) create(ctx context.Context, username string, want map[string]string) (_ *made, why string, taken bool, _ error) {
	// With a password of the meantime the user waits for another one in every pool.
	in := &cip.AdminCreateUserInput{
		UserPoolId: &r.PoolID, Username: &username, MessageAction: types.MessageActionTypeSuppress, TemporaryPassword: aws.String("aA1!" + rand.Text()),
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		in.UserAttributes = append(in.UserAttributes, types.AttributeType{Name: aws.String(name), Value: aws.String(want[name])})
	}
	out, err := r.paced.createUser(ctx, in)
	switch {
	case refused.Taken(err):
		return nil, "", true, nil
	case refuses(err):
		return nil, "the pool refuses the person: " + err.Error(), false, nil
	case err != nil:
		return nil, "", false, err
	case out.User == nil || attributeMap(out.User.Attributes)["sub"] == "":
		return nil, "", false, errors.New("the pool has made a user without subject")
	}
	return &made{aws.ToString(out.User.Username), attributeMap(out.User.Attributes)["sub"], string(out.User.UserStatus)}, "", false, nil
}

// refuses reports whether the pool says no to this person, and would again: to a trigger's
// mind, or to an attribute that its schema has no more, or to a group whose role is gone.
func refuses(err error) bool {
	var trigger *types.UserLambdaValidationException
	var value *types.InvalidParameterException
	var state *types.UnsupportedUserStateException
	return errors.As(err, &trigger) || errors.As(err, &value) || errors.As(err, &state)
}

// isLinked reports whether the replica has a user of the pool as the person of a step, who
// was made again.
func (r *Restore) isLinked(ctx context.Context, subject string, step Step) (bool, error) {
	u, err := r.Replica.UserBySubject(ctx, r.into(), subject)
	if errors.Is(err, replica.ErrNotFound) {
		return false, nil
	}
	if err != nil || u.LinkedTo == 0 || u.Person() != step.Now.Person() {
		return false, err
	}
	return r.isAgain(ctx, u, step)
}

// setPassword gives a password that nobody knows: one who has none that counts cannot ask
// for a new one by e-mail.
func (r *Restore) setPassword(ctx context.Context, u *made, _ Step) error {
	if u.status != string(types.UserStatusTypeForceChangePassword) {
		return nil
	}
	// Another run may have been here, and the person have chosen a password since.
	now, err := r.paced.getUser(ctx, &cip.AdminGetUserInput{UserPoolId: &r.PoolID, Username: &u.username})
	if err == nil && attributeMap(now.UserAttributes)["sub"] != u.subject {
		return &types.UserNotFoundException{Message: aws.String("somebody else has the username " + u.username)}
	}
	if err == nil && now.UserStatus != types.UserStatusTypeForceChangePassword {
		return nil
	}
	return r.paced.setPassword(ctx, &cip.AdminSetUserPasswordInput{
		UserPoolId: &r.PoolID, Username: &u.username, Password: aws.String("aA1!" + rand.Text()), Permanent: true,
	})
}

func (r *Restore) disable(ctx context.Context, u *made, step Step) error {
	if step.Then.Enabled {
		return nil
	}
	return r.paced.disable(ctx, &cip.AdminDisableUserInput{UserPoolId: &r.PoolID, Username: &u.username})
}

func (r *Restore) joinGroups(ctx context.Context, u *made, step Step) error {
	for _, m := range step.Then.Groups {
		if !m.Pool || m.Origin != replica.OriginPool {
			continue
		}
		if err := r.makeGroup(ctx, m.Group); err != nil {
			return fmt.Errorf("make group %.64q: %w", m.Name, err)
		}
		err := r.paced.join(ctx, &cip.AdminAddUserToGroupInput{UserPoolId: &r.PoolID, Username: &u.username, GroupName: &m.Name})
		if err != nil {
			return fmt.Errorf("add to group %.64q: %w", m.Name, err)
		}
	}
	return nil
}

// makeGroup makes a group as it was, where the pool has none of that name.
func (r *Restore) makeGroup(ctx context.Context, g replica.Group) error {
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err, known := r.made[g.Name]; known {
		return err
	}
	if r.groups == nil {
		all, err := r.Replica.GroupsAsOf(ctx, r.Issuer, r.at())
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
	err := r.paced.createGroup(ctx, in)
	var exists *types.GroupExistsException
	if errors.As(err, &exists) {
		err = nil
	}
	if err == nil || refuses(err) { // as of a role that is gone: it would each time
		r.made[g.Name] = err
	}
	return err
}

// link has the replica know the new identity, as the person whom they were.
func (r *Restore) link(ctx context.Context, u *made, step Step) error {
	s := r.snapshot(u, step.Then)
	s.Status = string(types.UserStatusTypeForceChangePassword)
	user, err := r.Replica.ApplyIdentity(ctx, s, step.Now.ID, r.By)
	if err != nil {
		return r.unlessErased(ctx, u, err)
	}
	for _, m := range step.Then.Groups {
		if m.Local {
			if _, err := r.Replica.GrantLocalGroup(ctx, user.ID, m.Name); err != nil {
				return r.unlessErased(ctx, u, err)
			}
		}
	}
	return nil
}

// unlessErased is an error of the replica's about a user whom the pool has. If it is that the
// person was erased, the pool loses them again.
func (r *Restore) unlessErased(ctx context.Context, u *made, err error) error {
	if !errors.Is(err, replica.ErrNotFound) {
		return err
	}
	// Somebody else can have the username by now.
	if err := r.paced.deleteUser(ctx, &cip.AdminDeleteUserInput{UserPoolId: &r.PoolID, Username: &u.subject}); err != nil && !isMissing(err) {
		return fmt.Errorf("the person was erased meanwhile: delete the user %.64q in the pool: %w", u.username, err)
	}
	row, err := r.Replica.UserBySubject(ctx, r.into(), u.subject) // a pass can have seen the user before they were linked
	if err == nil {
		_, err = r.Replica.Erase(ctx, row.ID, sqlreplica.EraseOptions{By: r.By})
	}
	if err != nil && !errors.Is(err, replica.ErrNotFound) {
		return err
	}
	return errErased
}

// snapshot is what the pool says of a user who is as they were.
func (r *Restore) snapshot(u *made, then replica.User) replica.Snapshot {
	s := replica.Snapshot{
		Issuer: r.into(), Subject: u.subject, Username: u.username, Email: then.Email, EmailVerified: then.EmailVerified,
		Name: then.Name, GivenName: then.GivenName, FamilyName: then.FamilyName, PhoneNumber: then.PhoneNumber, PhoneNumberVerified: then.PhoneNumberVerified,
		Locale: then.Locale, Custom: then.Custom, Complete: true, GroupsKnown: true, Enabled: &then.Enabled, Status: u.status, At: r.Now(),
	}
	for _, m := range then.Groups {
		if m.Pool && m.Origin == replica.OriginPool {
			s.Groups = append(s.Groups, replica.GroupRef{Name: m.Name, Precedence: m.Precedence})
		}
	}
	return s
}

// confirm has the replica know that nothing is left to do. A pass may have seen the user
// before they were in their groups.
func (r *Restore) confirm(ctx context.Context, u *made, step Step) error {
	then := r.snapshot(u, step.Then)
	_, err := r.Replica.ApplyIdentity(ctx, replica.Snapshot{
		Issuer: then.Issuer, Subject: u.subject, Username: u.username, Groups: then.Groups, GroupsKnown: true, Enabled: &step.Then.Enabled,
		Status: string(types.UserStatusTypeConfirmed), At: r.Now(),
	}, step.Now.ID, r.By)
	return r.unlessErased(ctx, u, err)
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
