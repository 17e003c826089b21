package restore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/restore"
)

// around is a pool where something happens before or after a call.
type around struct {
	restore.API
	beforePassword, afterPassword, beforeUpdate, afterUpdate func()
}

func happen(what func()) {
	if what != nil {
		what()
	}
}

func (a *around) AdminSetUserPassword(ctx context.Context, in *cip.AdminSetUserPasswordInput, o ...func(*cip.Options)) (*cip.AdminSetUserPasswordOutput, error) {
	happen(a.beforePassword)
	out, err := a.API.AdminSetUserPassword(ctx, in, o...)
	happen(a.afterPassword)
	return out, err
}

func (a *around) AdminUpdateUserAttributes(ctx context.Context, in *cip.AdminUpdateUserAttributesInput, o ...func(*cip.Options)) (*cip.AdminUpdateUserAttributesOutput, error) {
	happen(a.beforeUpdate)
	out, err := a.API.AdminUpdateUserAttributes(ctx, in, o...)
	happen(a.afterUpdate)
	return out, err
}

// erase does what codegrant users erase --at-pool does.
func (s *scene) erase(t *testing.T, person int64) {
	t.Helper()
	identities, err := s.users.Identities(t.Context(), person)
	must(t, err)
	for _, i := range identities {
		if i.Deleted.IsZero() {
			must(t, second(s.client.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: &s.pool, Username: aws.String(i.Subject)})))
		}
	}
	must(t, second(s.users.Erase(t.Context(), person, sqlreplica.EraseOptions{By: "me"})))
}

// gone fails the test if the pool or the replica knows a username, also after a pass.
func (s *scene) gone(t *testing.T, username string) {
	t.Helper()
	for range 2 {
		if words, ok := s.people(t)[username]; ok {
			t.Errorf("the pool has the erased person: %s", words)
		}
		for _, deleted := range []bool{false, true} {
			page, err := s.users.Users(t.Context(), replica.UserQuery{Issuer: s.issuer, Deleted: deleted, Limit: 200})
			must(t, err)
			for _, u := range page.Users {
				if u.Username == username {
					t.Errorf("the replica has the erased person: row %d, %q, live %t", u.ID, u.Email, u.Deleted.IsZero())
				}
			}
		}
		s.pass(t)
	}
}

// TestS823_ErasedAtThePassword: whoever is erased once they are linked again, right before or
// after the password, stays erased, and everybody else comes back.
func TestS823_ErasedAtThePassword(t *testing.T) {
	for _, after := range []bool{true, false} {
		t.Run(fmt.Sprint("after ", after), func(t *testing.T) {
			onEachEngine(t, func(t *testing.T, s *scene) {
				_, who, then := s.lose(t, 2)
				erase := func() { s.erase(t, who["p0"]) }
				pool := &around{API: s.client, beforePassword: erase}
				if after {
					pool = &around{API: s.client, afterPassword: erase}
				}
				plan := s.restore(t, restore.Config{Client: pool, At: then, Share: 1000})
				must(t, plan.Plan(t.Context(), func(step restore.Step) error {
					if step.Then.Username != "p0" {
						return nil
					}
					done, err := plan.Do(t.Context(), step)
					if done.Kind != restore.Taken || done.Subject != "" || done.Why != "the person was erased meanwhile" {
						t.Errorf("the step is %+v", done)
					}
					return err
				}))
				if step := s.run(t, restore.Config{At: then, Share: 1000})["p1"]; step.Kind != restore.Make || step.Subject == "" {
					t.Errorf("p1: %+v", step)
				}
				s.gone(t, "p0")
			})
		})
	}
}

// TestS823_DeletedAtThePassword: a user whom the pool loses in between, whose row is not
// erased yet, keeps nobody else from coming back.
func TestS823_DeletedAtThePassword(t *testing.T) {
	s := sqliteScene(t)
	_, who, then := s.lose(t, 1)
	identities, err := s.users.Identities(t.Context(), who["p0"])
	must(t, err)
	pool := &around{API: s.client, beforePassword: func() { s.remove(t, "p0") }}
	step := s.run(t, restore.Config{Client: pool, At: then, User: identities[0].ID})["p0"]
	if step.Kind != restore.Taken || step.Subject != "" || !strings.Contains(step.Why, "deleted in the pool meanwhile") {
		t.Errorf("the step is %+v", step)
	}
}

// TestS823_ErasedWhileOverwritten: whoever is erased while an overwrite changes them stays
// erased, and the run goes on.
func TestS823_ErasedWhileOverwritten(t *testing.T) {
	for _, after := range []bool{true, false} {
		t.Run(fmt.Sprint("after ", after), func(t *testing.T) {
			onEachEngine(t, func(t *testing.T, s *scene) {
				name := "p0"
				must(t, second(s.client.AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{UserPoolId: &s.pool, Username: &name})))
				s.set(t, name, "name", "Before", "email", "p0@example.com", "email_verified", "true")
				s.pass(t)
				person, then := s.persons(t)[name], time.Now()
				s.set(t, name, "name", "After")
				s.pass(t)
				erase := func() { s.erase(t, person) }
				pool := &around{API: s.client, beforeUpdate: erase}
				if after {
					pool = &around{API: s.client, afterUpdate: erase}
				}
				step := s.run(t, restore.Config{Client: pool, At: then, User: person, Overwrite: true})[name]
				if step.Kind != restore.Taken || step.Subject != "" || step.Why != "the person was erased meanwhile" {
					t.Errorf("the step is %+v", step)
				}
				s.gone(t, name)
			})
		})
	}
}

// TestS823_KilledThenErased: at whatever call to the pool a restore is killed, an erasure
// knows of the user that it has made, but for the call that makes the user.
func TestS823_KilledThenErased(t *testing.T) {
	onEachEngine(t, func(t *testing.T, s *scene) {
		_, who, then := s.lose(t, 3)
		for n := range 3 {
			name := fmt.Sprint("p", n)
			r := s.restore(t, restore.Config{Client: &cut{s.client, n}, At: then, Share: 1000})
			must(t, r.Plan(t.Context(), func(step restore.Step) error {
				if step.Then.Username == name {
					if _, err := r.Do(t.Context(), step); err == nil {
						t.Errorf("%s: it was not killed", name)
					}
				}
				return nil
			}))
			identities, err := s.users.Identities(t.Context(), who[name])
			must(t, err)
			if knows := len(identities) == 2 && identities[1].Deleted.IsZero(); knows != (n > 0) {
				t.Errorf("killed at call %d: identities %+v", n, identities)
			}
		}
	})
}
