package restore_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/restore"
)

func (s *scene) set(t *testing.T, user string, pairs ...string) {
	t.Helper()
	in := &cip.AdminUpdateUserAttributesInput{UserPoolId: &s.pool, Username: &user}
	for pair := range slices.Chunk(pairs, 2) {
		in.UserAttributes = append(in.UserAttributes, types.AttributeType{Name: &pair[0], Value: &pair[1]})
	}
	must(t, second(s.client.AdminUpdateUserAttributes(t.Context(), in)))
}

// subject is the sub of a user of the pool.
func (s *scene) subject(t *testing.T, username string) string {
	t.Helper()
	got, err := s.client.AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: &s.pool, Username: &username})
	must(t, err)
	for _, a := range got.UserAttributes {
		if aws.ToString(a.Name) == "sub" {
			return aws.ToString(a.Value)
		}
	}
	t.Fatalf("%s has no sub", username)
	return ""
}

// TestS645_WhatNobodyStatedStays: the replica knew somebody by tokens alone, which state some
// attributes and no status. A restore to that time changes back what they stated, and leaves
// the rest, in the pool and in the replica.
func TestS645_WhatNobodyStatedStays(t *testing.T) {
	for name, groups := range map[string][]replica.GroupRef{"groups stated": {{Name: "admins"}, {Name: "analysts"}}, "no groups stated": nil} {
		t.Run(name, func(t *testing.T) {
			s := sqliteScene(t)
			s.set(t, "alice", "birthdate", "1970-01-01", "phone_number", "+15550100", "phone_number_verified", "true")
			_, err := s.users.Apply(t.Context(), replica.Snapshot{
				Issuer: s.issuer, Subject: s.subject(t, "alice"), Username: "alice", Email: "alice@example.com", EmailVerified: true, Name: "Alice Archer",
				GroupsKnown: groups != nil, Groups: groups, SignIn: true, At: time.Now().Add(-time.Minute),
			})
			must(t, err)
			then := time.Now()
			s.set(t, "alice", "name", "Mistake")
			must(t, second(s.client.AdminDisableUser(t.Context(), &cip.AdminDisableUserInput{UserPoolId: &s.pool, Username: aws.String("alice")})))
			s.pass(t)
			want := strings.ReplaceAll(s.people(t)["alice"], "Mistake", "Alice Archer")
			config := restore.Config{At: then, Overwrite: true}
			step := s.run(t, config)["alice"]
			for _, unknown := range []string{"birthdate", "phone_number", "phone_number_verified", "enabled"} {
				if !slices.Contains(step.Unknown, unknown) || slices.Contains(step.Differs, unknown) {
					t.Errorf("%s: unknown %v, differs %v", unknown, step.Unknown, step.Differs)
				}
			}
			if step.Kind != restore.Overwrite || !slices.Contains(step.Differs, "name") || slices.Contains(step.Differs, "groups") ||
				slices.Contains(step.Unknown, "groups") != (groups == nil) {
				t.Errorf("step %+v", step)
			}
			if got := s.people(t)["alice"]; got != want {
				t.Errorf("she is\n%s\nnot\n%s", got, want)
			}
			for range 2 {
				u, err := s.users.UserByUsername(t.Context(), s.issuer, "alice")
				if err != nil || u.Custom["birthdate"] == "" || u.PhoneNumber == "" || u.Enabled || !u.InGroup("admins") || u.Name != "Alice Archer" {
					t.Errorf("the replica has %+v, %v", u, err)
				}
				if step := s.run(t, config)["alice"]; step.Kind != restore.Differs || len(step.Differs) > 0 || len(step.Unknown) == 0 {
					t.Errorf("a second time: %+v", step)
				}
				s.pass(t)
			}
		})
	}
}

// TestOverwriteOwnVerified: an attribute of the pool's own, whose name ends as those do that
// a pool makes by itself, is taken away where nobody had it.
func TestOverwriteOwnVerified(t *testing.T) {
	s := sqliteScene(t)
	must(t, second(s.client.AddCustomAttributes(t.Context(), &cip.AddCustomAttributesInput{UserPoolId: &s.pool, CustomAttributes: []types.SchemaAttributeType{
		{Name: aws.String("age_verified"), AttributeDataType: types.AttributeDataTypeString, Mutable: aws.Bool(true)},
	}})))
	s.pass(t)
	want := s.people(t)
	then := time.Now()
	s.set(t, "alice", "custom:age_verified", "yes")
	s.pass(t)
	s.run(t, restore.Config{At: then, Overwrite: true})
	if got := s.people(t); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the pool has\n%v\nand had\n%v", got, want)
	}
}
