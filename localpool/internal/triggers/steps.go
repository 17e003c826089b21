package triggers

import (
	"context"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// Sent is what an app sends along for functions to read.
type Sent struct {
	Validation map[string]string // ValidationData
	Metadata   map[string]string // ClientMetadata
}

// SignUp has a user sign up, with the triggers before it and, where the function
// confirms them, after it.
func (t *Triggers) SignUp(ctx context.Context, c state.Client, username, password string, attributes map[string]string, sent Sent) (state.User, error) {
	about := func(u state.User) About {
		return About{PoolID: c.PoolID, ClientID: c.ID, User: u, Validation: sent.Validation, Metadata: sent.Metadata}
	}
	var ask func(state.User) (state.Verdict, error)
	if _, ok := t.hook(c.PoolID, PreSignUp); ok {
		ask = func(u state.User) (state.Verdict, error) { return t.PreSignUp(ctx, SignUp, about(u)) }
	}
	u, err := t.state.SignUp(c.ID, username, password, attributes, ask)
	if err == nil && u.Status == state.Confirmed {
		err = t.PostConfirmation(ctx, ConfirmSignUp, about(u))
	}
	return u, err
}

// Invite has an administrator make a user, with the trigger before it.
func (t *Triggers) Invite(ctx context.Context, poolID string, n state.Invitation, sent Sent) (state.User, error) {
	var ask func(state.User) error
	if _, ok := t.hook(poolID, PreSignUp); ok {
		ask = func(u state.User) error {
			_, err := t.PreSignUp(ctx, AdminCreateUser, About{PoolID: poolID, User: u, Validation: sent.Validation, Metadata: sent.Metadata})
			return err
		}
	}
	return t.state.Invite(poolID, n, ask)
}

// ConfirmSignUp confirms a user by their code, with the trigger after it.
func (t *Triggers) ConfirmSignUp(ctx context.Context, c state.Client, name, code string, force bool, sent Sent) error {
	if err := t.state.ConfirmSignUp(c.PoolID, name, code, force); err != nil {
		return err
	}
	return t.confirmed(ctx, ConfirmSignUp, c.PoolID, c.ID, name, sent)
}

// ConfirmUser has an administrator confirm a user, with the trigger after it.
func (t *Triggers) ConfirmUser(ctx context.Context, poolID, name string, sent Sent) error {
	if err := t.state.ConfirmUser(poolID, name); err != nil {
		return err
	}
	return t.confirmed(ctx, ConfirmSignUp, poolID, "", name, sent)
}

// ConfirmForgotPassword sets a new password by a code, with the trigger after it.
func (t *Triggers) ConfirmForgotPassword(ctx context.Context, c state.Client, name, code, password string, sent Sent) error {
	if err := t.state.ConfirmForgotPassword(c.PoolID, name, code, password); err != nil {
		return err
	}
	return t.confirmed(ctx, ConfirmForgot, c.PoolID, c.ID, name, sent)
}

func (t *Triggers) confirmed(ctx context.Context, source, poolID, clientID, name string, sent Sent) error {
	u, err := t.state.User(poolID, name)
	if err != nil {
		return err
	}
	return t.PostConfirmation(ctx, source, About{PoolID: poolID, ClientID: clientID, User: u, Metadata: sent.Metadata})
}

// Begin asks whether somebody may try to sign in, whether or not there is such a
// user: only clients that tell of it do without the question.
func (t *Triggers) Begin(ctx context.Context, c state.Client, name string, sent Sent) error {
	u, err := t.state.User(c.PoolID, name)
	switch {
	case err != nil && c.TellUnknown:
		return nil
	case err != nil:
		u = state.User{Username: name}
	}
	return t.PreAuthentication(ctx, About{PoolID: c.PoolID, ClientID: c.ID, User: u, Validation: sent.Validation})
}
