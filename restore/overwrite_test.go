package restore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/restore"
)

func sqliteScene(t *testing.T) *scene {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "app.db")+"?_txlock=immediate&_pragma=busy_timeout(20000)&_pragma=foreign_keys(1)")
	if err != nil {
		t.Fatal(err)
	}
	return newScene(t, sqlreplica.SQLite, db)
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// run does all of a restore, and returns its steps by username.
func (s *scene) run(t *testing.T, config restore.Config) map[string]restore.Step {
	t.Helper()
	all := make(map[string]restore.Step)
	must(t, s.restore(t, config).Run(t.Context(), func(step restore.Step) error {
		all[step.Then.Username] = step
		return nil
	}))
	return all
}

// TestS645_Overwrite: told to, a restore changes those back whom the pool has, in all that it
// says of them, and nobody who is somebody else by now; a second one has nothing to do.
func TestS645_Overwrite(t *testing.T) {
	s := sqliteScene(t)
	alice := aws.String("alice")
	group := func(name string) error {
		return second(s.client.CreateGroup(t.Context(), &cip.CreateGroupInput{UserPoolId: &s.pool, GroupName: &name}))
	}
	set := func(user string, pairs ...string) error {
		in := &cip.AdminUpdateUserAttributesInput{UserPoolId: &s.pool, Username: &user}
		for pair := range slices.Chunk(pairs, 2) {
			in.UserAttributes = append(in.UserAttributes, types.AttributeType{Name: &pair[0], Value: &pair[1]})
		}
		return second(s.client.AdminUpdateUserAttributes(t.Context(), in))
	}
	must(t, group("approvers"), group("others"),
		set("alice", "birthdate", "1970-01-01", "phone_number", "+15550100", "phone_number_verified", "true"),
		second(s.client.AdminAddUserToGroup(t.Context(), &cip.AdminAddUserToGroupInput{UserPoolId: &s.pool, GroupName: aws.String("approvers"), Username: alice})),
		second(s.client.AdminDisableUser(t.Context(), &cip.AdminDisableUserInput{UserPoolId: &s.pool, Username: aws.String("bob")})))
	s.pass(t)
	want := s.people(t)
	then := time.Now()
	must(t, set("alice", "email", "mistake@example.com", "name", "Mistake", "nickname", "new"), set("bob", "name", "Mistake"),
		second(s.client.AdminDeleteUserAttributes(t.Context(), &cip.AdminDeleteUserAttributesInput{UserPoolId: &s.pool, Username: alice, UserAttributeNames: []string{"birthdate"}})),
		second(s.client.AdminRemoveUserFromGroup(t.Context(), &cip.AdminRemoveUserFromGroupInput{UserPoolId: &s.pool, GroupName: aws.String("approvers"), Username: alice})),
		second(s.client.AdminAddUserToGroup(t.Context(), &cip.AdminAddUserToGroupInput{UserPoolId: &s.pool, GroupName: aws.String("others"), Username: alice})),
		second(s.client.AdminDisableUser(t.Context(), &cip.AdminDisableUserInput{UserPoolId: &s.pool, Username: alice})),
		second(s.client.AdminEnableUser(t.Context(), &cip.AdminEnableUserInput{UserPoolId: &s.pool, Username: aws.String("bob")})))
	s.pass(t)
	wrong := s.people(t)

	if steps := s.run(t, restore.Config{At: then}); steps["alice"].Kind != restore.Differs || fmt.Sprint(s.people(t)) != fmt.Sprint(wrong) {
		t.Errorf("untold, it changes somebody: %v", steps)
	}
	must(t, s.restore(t, restore.Config{At: then, Overwrite: true}).Plan(t.Context(), func(step restore.Step) error {
		want := []string{"birthdate", "email", "email_verified", "name", "nickname", "enabled", "groups"}
		if step.Then.Username == "alice" && !slices.Equal(step.Differs, want) {
			return fmt.Errorf("alice differs in %v", step.Differs)
		}
		return nil
	}))
	steps := s.run(t, restore.Config{At: then, Overwrite: true})
	if steps["alice"].Kind != restore.Overwrite || steps["bob"].Kind != restore.Overwrite || len(steps) != 2 {
		t.Errorf("steps %v", steps)
	}
	got := s.people(t)
	for username, words := range want {
		if got[username] != words {
			t.Errorf("%s is\n%s\nand was\n%s", username, got[username], words)
		}
	}
	if steps := s.run(t, restore.Config{At: then, Overwrite: true}); len(steps) != 0 {
		t.Errorf("the replica has not heard of it: %v", steps)
	}
	s.pass(t)
	if steps := s.run(t, restore.Config{At: then, Overwrite: true}); len(steps) != 0 {
		t.Errorf("after a pass there is to do: %v", steps)
	}

	// The replica does not know yet that somebody else has the name.
	must(t, set("bob", "name", "Mistake"))
	s.pass(t)
	must(t, second(s.client.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: &s.pool, Username: aws.String("bob")})),
		second(s.client.AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{UserPoolId: &s.pool, Username: aws.String("bob")})))
	before := s.people(t)
	if steps := s.run(t, restore.Config{At: then, Overwrite: true}); steps["bob"].Kind != restore.Taken || s.people(t)["bob"] != before["bob"] {
		t.Errorf("somebody else is changed: %v", steps)
	}
}

// TestLostSince: each of those whom the pool has lost since a time comes back as they were
// last, and nobody who was lost before.
func TestLostSince(t *testing.T) {
	s := sqliteScene(t)
	s.pass(t)
	remove := func(username string) error {
		return second(s.client.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: &s.pool, Username: &username}))
	}
	must(t, remove("alice"))
	s.pass(t)
	since := time.Now()
	name := "Bob of Late"
	must(t, second(s.client.AdminUpdateUserAttributes(t.Context(), &cip.AdminUpdateUserAttributesInput{
		UserPoolId: &s.pool, Username: aws.String("bob"), UserAttributes: []types.AttributeType{{Name: aws.String("name"), Value: &name}},
	})))
	s.pass(t)
	want := s.people(t)["bob"]
	must(t, remove("bob"))
	s.pass(t)
	if steps := s.run(t, restore.Config{LostSince: since}); len(steps) != 1 || steps["bob"].Kind != restore.Make {
		t.Errorf("steps %v", steps)
	}
	got := s.people(t)
	if _, ok := got["alice"]; ok || got["bob"] != want {
		t.Errorf("bob is\n%s\nand was\n%s\nof %v", got["bob"], want, got)
	}
	if steps := s.run(t, restore.Config{LostSince: since}); len(steps) != 0 {
		t.Errorf("a second time: %v", steps)
	}
	if steps := s.run(t, restore.Config{LostSince: since.Add(-time.Hour)}); len(steps) != 1 || steps["alice"].Kind != restore.Make {
		t.Errorf("of earlier: %v", steps)
	}
}

// TestS646_IntoAnotherPool: people are made in another pool as they were, lost or not, as the
// same person here; the pool that they were in is not touched.
func TestS646_IntoAnotherPool(t *testing.T) {
	s, other := sqliteScene(t), sqliteScene(t)
	for _, username := range []string{"alice", "bob"} {
		must(t, second(other.client.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: &other.pool, Username: &username})))
	}
	s.pass(t)
	want := s.people(t)
	alice, err := s.users.UserByUsername(t.Context(), s.issuer, "alice")
	must(t, err)
	then := time.Now()
	must(t, second(s.client.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: &s.pool, Username: aws.String("bob")})))
	s.pass(t)
	before := s.people(t)

	config := restore.Config{At: then, Into: other.issuer}
	run := func() (n int) {
		t.Helper()
		config.Client, config.PoolID, config.Issuer, config.Replica, config.By = other.client, other.pool, s.issuer, s.users, "me"
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
		t.Errorf("%d steps for %d people", n, len(want))
	}
	got := other.people(t)
	for username, words := range want {
		if got[username] != words {
			t.Errorf("%s is\n%s\nand was\n%s", username, got[username], words)
		}
	}
	if n := run(); n != 0 {
		t.Errorf("a second time there are %d steps", n)
	}
	there, err := s.users.UserByUsername(t.Context(), other.issuer, "alice")
	if err != nil || there.Person() != alice.ID {
		t.Errorf("alice there is %+v, %v, and %d here", there, err, alice.ID)
	}
	if after := s.people(t); fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("the pool that they were in has\n%v\nand had\n%v", after, before)
	}
}

// TestRunEndsWithTheFirstError, and with all calls that are under way.
func TestRunEndsWithTheFirstError(t *testing.T) {
	s := sqliteScene(t)
	s.pass(t)
	then := time.Now()
	for _, username := range []string{"alice", "bob"} {
		must(t, second(s.client.AdminDeleteUser(t.Context(), &cip.AdminDeleteUserInput{UserPoolId: &s.pool, Username: &username})))
	}
	s.pass(t)
	err := s.restore(t, restore.Config{At: then, Client: &cut{s.client, 0}}).Run(t.Context(), func(restore.Step) error { return nil })
	if !errors.Is(err, errCut) {
		t.Errorf("a call that fails: %v", err)
	}
	enough := errors.New("enough")
	calls := 0
	err = s.restore(t, restore.Config{At: then}).Run(t.Context(), func(restore.Step) error {
		calls++
		return enough
	})
	if !errors.Is(err, enough) || calls != 1 {
		t.Errorf("who hears of it fails: %v, after %d calls", err, calls)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.restore(t, restore.Config{At: then}).Run(ctx, func(restore.Step) error { return nil }); !errors.Is(err, context.Canceled) && !errors.Is(err, replica.ErrUnavailable) {
		t.Errorf("it was stopped before: %v", err)
	}
}
