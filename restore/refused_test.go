package restore_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/restore"
)

// roleless is a pool that no group with a role can be created in.
type roleless struct {
	restore.API
	refused *atomic.Int64
}

func (n roleless) CreateGroup(ctx context.Context, in *cip.CreateGroupInput, o ...func(*cip.Options)) (*cip.CreateGroupOutput, error) {
	if in.RoleArn != nil {
		n.refused.Add(1)
		return nil, &types.InvalidParameterException{Message: aws.String("the role is gone")}
	}
	return n.API.CreateGroup(ctx, in, o...)
}

// TestOneGroupStopsNobodyElse: a group whose role is gone keeps its members alone from coming
// back, until it is there.
func TestOneGroupStopsNobodyElse(t *testing.T) {
	s := sqliteScene(t)
	s.join(t, "alice", "roled", "arn:aws:iam::123456789012:role/gone")
	s.pass(t)
	want := s.people(t)
	then := time.Now()
	s.remove(t, "alice", "bob")
	must(t, second(s.client.DeleteGroup(t.Context(), &cip.DeleteGroupInput{UserPoolId: &s.pool, GroupName: aws.String("roled")})))
	s.pass(t)
	for i := range 2 {
		var refused atomic.Int64
		steps := s.run(t, restore.Config{At: then, Client: roleless{s.client, &refused}})
		if step := steps["alice"]; step.Kind != restore.Taken || !strings.Contains(step.Why, `group "roled"`) || !strings.Contains(step.Why, "the role is gone") || step.Subject != "" {
			t.Errorf("alice: %+v", step)
		}
		if step, ok := steps["bob"]; ok != (i == 0) || ok && (step.Kind != restore.Make || step.Subject == "") {
			t.Errorf("bob: %+v", step)
		}
		if n := refused.Load(); n != 1 {
			t.Errorf("the group is tried %d times in one run", n)
		}
		s.pass(t)
	}
	if steps := s.run(t, restore.Config{At: then}); len(steps) != 1 || steps["alice"].Kind != restore.Make {
		t.Errorf("once the role is there: %v", steps)
	}
	if got := s.people(t); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the pool has\n%v\nand had\n%v", got, want)
	}
}

// join makes a group, and a user a member of it.
func (s *scene) join(t *testing.T, username, group, role string) {
	t.Helper()
	in := &cip.CreateGroupInput{UserPoolId: &s.pool, GroupName: &group}
	if role != "" {
		in.RoleArn = &role
	}
	must(t, second(s.client.CreateGroup(t.Context(), in)),
		second(s.client.AdminAddUserToGroup(t.Context(), &cip.AdminAddUserToGroupInput{UserPoolId: &s.pool, GroupName: &group, Username: &username})))
}

// TestAGroupToLeaveIsGone: by the time of a restore, a group that somebody was put into by
// mistake is deleted, and the replica does not know it yet.
func TestAGroupToLeaveIsGone(t *testing.T) {
	s := sqliteScene(t)
	s.pass(t)
	want := s.people(t)
	then := time.Now()
	s.join(t, "alice", "mistake", "")
	s.pass(t)
	must(t, second(s.client.DeleteGroup(t.Context(), &cip.DeleteGroupInput{UserPoolId: &s.pool, GroupName: aws.String("mistake")})))
	steps := s.run(t, restore.Config{At: then, Overwrite: true})
	if step := steps["alice"]; step.Kind != restore.Overwrite || step.Subject == "" {
		t.Errorf("steps %v", steps)
	}
	if got := s.people(t); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the pool has\n%v\nand had\n%v", got, want)
	}
}

// TestATakenAddressStopsNobodyElse: an address that somebody else has by now keeps its former
// holder alone from coming back.
func TestATakenAddressStopsNobodyElse(t *testing.T) {
	s := sqliteScene(t)
	s.pass(t)
	then := time.Now()
	found, err := s.client.AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: &s.pool, Username: aws.String("alice")})
	must(t, err)
	s.remove(t, "alice", "bob")
	zed := &cip.AdminCreateUserInput{UserPoolId: &s.pool, Username: aws.String("zed"), MessageAction: types.MessageActionTypeSuppress}
	for _, a := range found.UserAttributes {
		if name := aws.ToString(a.Name); name == "email" || name == "email_verified" {
			zed.UserAttributes = append(zed.UserAttributes, a)
		}
	}
	must(t, second(s.client.AdminCreateUser(t.Context(), zed)))
	s.pass(t)
	steps := s.run(t, restore.Config{At: then})
	if step := steps["alice"]; step.Kind != restore.Taken || !strings.Contains(step.Why, "an address") || step.Subject != "" {
		t.Errorf("alice: %+v", step)
	}
	if step := steps["bob"]; step.Kind != restore.Make || step.Subject == "" {
		t.Errorf("bob: %+v", step)
	}
	if got := s.people(t); got["bob"] == "" || got["alice"] != "" {
		t.Errorf("the pool has %v", got)
	}
}
