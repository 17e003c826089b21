package left_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/internal/people"
	"github.com/codegrant/codegrant/move"
	"github.com/codegrant/codegrant/move/left"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// everybody drains the old pool, and returns what the drain did.
func (w *world) everybody() move.Drained {
	w.Helper()
	return w.everybodyOf(w.Client)
}

func (w *world) everybodyOf(old move.ReadAPI) move.Drained {
	w.Helper()
	asking := *w.tickets
	asking.Left = w.leavers.Has
	all, err := w.leavers.All(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	m, err := move.New(move.Config{Old: old, New: w.Client, Tickets: &asking, Left: all, Share: 1e6})
	if err != nil {
		w.Fatal(err)
	}
	d, err := m.Drain(w.Context(), false)
	if err != nil || d.Failed > 0 {
		w.Fatalf("%+v, %v", d, err)
	}
	return d
}

// deleted deletes somebody whom a drain has made, and has the replica hear of it.
func (w *world) deleted(i int) {
	w.Helper()
	w.pass(newPool, w.now)
	if _, err := w.AdminDeleteUser(w.Context(), &cip.AdminDeleteUserInput{UserPoolId: aws.String(newPool), Username: aws.String(w.login(i))}); err != nil {
		w.Fatal(err)
	}
	w.pass(newPool, w.now)
}

// TestS816_LeftWithAnotherAddress: a ticket says who has left, also after the old pool has
// changed their address.
func TestS816_LeftWithAnotherAddress(t *testing.T) {
	w := newWorld(t, false, true)
	w.everybody()
	w.deleted(0)
	if _, err := w.AdminUpdateUserAttributes(t.Context(), &cip.AdminUpdateUserAttributesInput{UserPoolId: aws.String(oldPool), Username: aws.String(w.login(0)), UserAttributes: []types.AttributeType{
		{Name: aws.String("email"), Value: aws.String("other@example.com")}, {Name: aws.String("email_verified"), Value: aws.String("true")}}}); err != nil {
		t.Fatal(err)
	}
	w.pass(oldPool, w.old)
	if has, err := left.New(w.users, w.tickets, w.old, w.now).Has(t.Context(), w.people[0].sub, ""); err != nil || !has {
		t.Errorf("has left %t, %v", has, err)
	}
	if has, err := left.New(w.users, w.tickets, w.old, w.now).Has(t.Context(), w.people[1].sub, ""); err != nil || has {
		t.Errorf("another has left %t, %v", has, err)
	}
	if d := w.everybody(); d.Made != 0 || d.Left != 1 {
		t.Errorf("%+v", d)
	}
}

// TestS816_LeftWithoutTheOldPool: a replica that follows the new pool alone knows who has
// left, for a drain and for a sign-in.
func TestS816_LeftWithoutTheOldPool(t *testing.T) {
	w := newWorld(t, false, false)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "fresh.db")+"?_txlock=immediate&_pragma=busy_timeout(20000)&_pragma=foreign_keys(1)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if w.users, err = sqlreplica.New(db, sqlreplica.Config{Dialect: sqlreplica.SQLite}); err != nil {
		t.Fatal(err)
	}
	if err := w.users.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.leavers = left.New(w.users, w.tickets, w.old, w.now)
	asking := *w.tickets
	asking.Left = w.leavers.Has
	w.folk = people.People{Replica: w.users, Was: asking.SamePerson(w.old, nil)}
	w.everybody()
	w.deleted(0)
	if d := w.everybody(); d.Made != 0 || d.Left != 1 {
		t.Errorf("%+v", d)
	}
	out, err := w.InitiateAuth(t.Context(), &cip.InitiateAuthInput{ClientId: aws.String("web"), AuthFlow: types.AuthFlowTypeUserPasswordAuth,
		AuthParameters: map[string]string{"USERNAME": w.login(0), "PASSWORD": password}})
	if err != nil {
		t.Fatal(err)
	}
	if row, err := w.enters(*out.AuthenticationResult.IdToken); !errors.Is(err, move.ErrLeft) {
		t.Errorf("they come in as row %d, %v", row, err)
	}
}

// during is an old pool where something happens before the first listing of a drain.
type during struct {
	*cip.Client
	what func()
}

func (d *during) ListUsers(ctx context.Context, in *cip.ListUsersInput, o ...func(*cip.Options)) (*cip.ListUsersOutput, error) {
	if what := d.what; what != nil {
		d.what = nil
		what()
	}
	return d.Client.ListUsers(ctx, in, o...)
}

// TestS816_LeftDuringADrain: whoever arrives and leaves while a drain runs stays away, and
// counts as such.
func TestS816_LeftDuringADrain(t *testing.T) {
	w := newWorld(t, false, false)
	d := w.everybodyOf(&during{w.Client, func() {
		w.signsIn(0, false)
		w.hears()
		w.leaves(0)
		w.hears()
	}})
	if d.Left != 1 || d.Waiting != crowd-1 || d.Made != crowd-1 {
		t.Errorf("%+v", d)
	}
	var gone *types.UserNotFoundException
	if _, err := w.AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: aws.String(newPool), Username: aws.String(w.login(0))}); !errors.As(err, &gone) {
		t.Errorf("the drain made them again: %v", err)
	}
}

// TestS816_ADrainThatCannotAsk: while the replica does not answer, a drain makes nobody.
func TestS816_ADrainThatCannotAsk(t *testing.T) {
	w := newWorld(t, false, false)
	asking := *w.tickets
	asking.Left = left.New(away{w.users, w.old}, w.tickets, w.old, w.now).Has
	m, err := move.New(move.Config{Old: w.Client, New: w.Client, Tickets: &asking, Share: 1e6})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := m.Drain(t.Context(), false); err != nil || d.Failed != crowd || d.Made != 0 {
		t.Errorf("%+v, %v", d, err)
	}
}
