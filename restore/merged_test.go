package restore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/restore"
)

func (s *scene) remove(t *testing.T, usernames ...string) {
	t.Helper()
	for _, username := range usernames {
		must(t, second(s.client.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: &s.pool, Username: &username})))
	}
}

// merged makes alice and bob one person, who is known by the older identity.
func (s *scene) merged(t *testing.T) (older, younger replica.User) {
	t.Helper()
	alice, err := s.users.UserByUsername(t.Context(), s.issuer, "alice")
	must(t, err)
	bob, err := s.users.UserByUsername(t.Context(), s.issuer, "bob")
	must(t, err)
	older, younger = alice, bob
	if bob.Created.Before(alice.Created) || bob.Created.Equal(alice.Created) && bob.ID < alice.ID {
		older, younger = bob, alice
	}
	must(t, second(s.users.Merge(t.Context(), younger.ID, older.ID, "me")))
	return older, younger
}

// TestS769_EachIdentityOfAPerson: of a person with two identities, each one that is lost
// comes back, whatever else they have in the pool, and once.
func TestS769_EachIdentityOfAPerson(t *testing.T) {
	for name, lost := range map[string]func(older, younger replica.User) []string{
		"the older":   func(older, _ replica.User) []string { return []string{older.Username} },
		"the younger": func(_, younger replica.User) []string { return []string{younger.Username} },
		"both":        func(older, younger replica.User) []string { return []string{older.Username, younger.Username} },
	} {
		for _, since := range []bool{false, true} {
			t.Run(fmt.Sprint(name, since), func(t *testing.T) {
				s := sqliteScene(t)
				s.pass(t)
				older, younger := s.merged(t)
				want := s.people(t)
				then := time.Now()
				usernames := lost(older, younger)
				s.remove(t, usernames...)
				s.pass(t)
				config := restore.Config{At: then}
				if since {
					config = restore.Config{LostSince: then}
				}
				steps := s.run(t, config)
				for _, username := range usernames {
					if steps[username].Kind != restore.Make {
						t.Errorf("%s: %+v", username, steps[username])
					}
				}
				if len(steps) != len(usernames) {
					t.Errorf("steps %v", steps)
				}
				if got := s.people(t); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("the pool has\n%v\nand had\n%v", got, want)
				}
				for range 2 {
					if steps := s.run(t, config); len(steps) != 0 {
						t.Errorf("a second time: %v", steps)
					}
					s.pass(t)
				}
				for username := range want {
					u, err := s.users.UserByUsername(t.Context(), s.issuer, username)
					if err != nil || u.Person() != older.ID {
						t.Errorf("%s is %d, %v, and was %d", username, u.Person(), err, older.ID)
					}
				}
			})
		}
	}
}

// TestS769_AProvidersIdentityIsNotThemAgain: who has lost their native user, and has one of
// a provider, gets the native one back.
func TestS769_AProvidersIdentityIsNotThemAgain(t *testing.T) {
	s := sqliteScene(t)
	s.pass(t)
	alice, err := s.users.UserByUsername(t.Context(), s.issuer, "alice")
	must(t, err)
	then := time.Now()
	s.remove(t, "alice")
	s.pass(t)
	enabled := true
	change, err := s.users.Apply(t.Context(), replica.Snapshot{Issuer: s.issuer, Subject: "of-google", Username: "alice", Email: alice.Email, Enabled: &enabled, Status: "EXTERNAL_PROVIDER", Complete: true, At: time.Now()})
	must(t, err)
	must(t, second(s.users.Merge(t.Context(), change.User.ID, alice.ID, "me")))
	if steps := s.run(t, restore.Config{At: then}); steps["alice"].Kind != restore.Make || steps["alice"].Subject == "" {
		t.Errorf("steps %v", steps)
	}
}

// TestS769_IntoAnotherPoolWithTwoIdentities: both are made there, once.
func TestS769_IntoAnotherPoolWithTwoIdentities(t *testing.T) {
	s, other := sqliteScene(t), sqliteScene(t)
	other.remove(t, "alice", "bob")
	s.pass(t)
	s.merged(t)
	want := s.people(t)
	config := restore.Config{At: time.Now(), Into: other.issuer, Client: other.client, PoolID: other.pool, Issuer: s.issuer, Replica: s.users, By: "me"}
	run := func() (n int) {
		r, err := restore.New(config)
		must(t, err, r.Run(t.Context(), func(step restore.Step) error {
			if n++; step.Kind != restore.Make {
				return fmt.Errorf("%s: %s", step.Kind, step.Why)
			}
			return nil
		}))
		return n
	}
	if n := run(); n != len(want) {
		t.Errorf("%d steps for %d users", n, len(want))
	}
	if got := other.people(t); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the other pool has\n%v\nand this one\n%v", got, want)
	}
	if n := run(); n != 0 {
		t.Errorf("a second time there are %d steps", n)
	}
}

// TestS769_ANewAddressIsNotANewPerson: where usernames are addresses, who has come back and
// has changed theirs does not come back twice.
func TestS769_ANewAddressIsNotANewPerson(t *testing.T) {
	s := sqliteScene(t)
	client := s.client
	out, err := client.CreateUserPool(t.Context(), &cip.CreateUserPoolInput{PoolName: aws.String("addresses"), UsernameAttributes: []types.UsernameAttributeType{types.UsernameAttributeTypeEmail}})
	must(t, err)
	a := newSceneOf(t, s, *out.UserPool.Id)
	email := "carol@example.com"
	attributes := []types.AttributeType{{Name: aws.String("email"), Value: &email}, {Name: aws.String("email_verified"), Value: aws.String("true")}}
	must(t, second(client.AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{UserPoolId: &a.pool, Username: &email, UserAttributes: attributes})),
		second(client.AdminSetUserPassword(t.Context(), &cip.AdminSetUserPasswordInput{UserPoolId: &a.pool, Username: &email, Password: aws.String("Carol-1234!"), Permanent: true})))
	a.pass(t)
	then := time.Now()
	a.remove(t, email)
	a.pass(t)
	steps := make([]restore.Step, 0, 1)
	must(t, a.restore(t, restore.Config{At: then}).Run(t.Context(), func(step restore.Step) error {
		steps = append(steps, step)
		return nil
	}))
	if len(steps) != 1 || steps[0].Kind != restore.Make {
		t.Fatalf("steps %v", steps)
	}
	a.pass(t)
	attributes[0].Value = aws.String("new@example.com")
	must(t, second(client.AdminUpdateUserAttributes(t.Context(), &cip.AdminUpdateUserAttributesInput{UserPoolId: &a.pool, Username: &email, UserAttributes: attributes})))
	a.pass(t)
	if steps := a.run(t, restore.Config{At: then}); len(steps) != 0 {
		t.Errorf("a second time: %v", steps)
	}
}
