package restore_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/move"
	"github.com/codegrant/codegrant/restore"
	"github.com/codegrant/codegrant/verify"
)

// TestS821_PeopleWhoHadMoved: the pool that people had moved to is restored into another one.
// They sign in there, as the same people, and a second run has nothing to do. In the pool that
// they moved to, their tickets stay.
func TestS821_PeopleWhoHadMoved(t *testing.T) {
	for _, elsewhere := range []bool{true, false} {
		s := sqliteScene(t)
		made, err := s.client.CreateUserPool(t.Context(), &cip.CreateUserPoolInput{PoolName: aws.String("again")})
		must(t, err)
		to := newSceneOf(t, s, *made.UserPool.Id)
		for _, pool := range []string{s.pool, to.pool} {
			must(t, second(s.client.AddCustomAttributes(t.Context(), &cip.AddCustomAttributesInput{UserPoolId: &pool, CustomAttributes: []types.SchemaAttributeType{
				{Name: aws.String(strings.TrimPrefix(move.Attribute, "custom:")), AttributeDataType: types.AttributeDataTypeString, Mutable: aws.Bool(true)}}})))
		}
		if !elsewhere {
			to = s
		}
		key := bytes.Repeat([]byte{7}, move.KeySize)
		before, err := move.NewTickets(key, "eu-west-1_Old", s.pool)
		must(t, err)
		ticket := before.Issue("old-sub") + ".complete"
		must(t, second(s.client.AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{UserPoolId: &s.pool, Username: aws.String("moved"), UserAttributes: []types.AttributeType{
			{Name: aws.String(move.Attribute), Value: &ticket}}})))
		s.pass(t)
		was, err := s.users.UserByUsername(t.Context(), s.issuer, "moved")
		must(t, err)
		config := restore.Config{At: time.Now(), Into: to.issuer, Client: s.client, PoolID: to.pool, Issuer: s.issuer, Replica: s.users, By: "me"}
		if !elsewhere {
			s.remove(t, "moved")
			s.pass(t)
		}
		for n := range 2 {
			r, err := restore.New(config)
			must(t, err, r.Run(t.Context(), func(step restore.Step) error {
				if n > 0 || step.Kind != restore.Make || step.Subject == "" {
					t.Errorf("run %d: %+v", n, step)
				}
				return nil
			}))
		}
		u, err := s.client.AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: &to.pool, Username: aws.String("moved")})
		must(t, err)
		claims := new(verify.Claims)
		claims.Custom = make(map[string]json.RawMessage)
		for _, a := range u.UserAttributes {
			if *a.Name == move.Attribute {
				claims.Custom[move.Attribute], err = json.Marshal(*a.Value)
				must(t, err)
			}
		}
		after, err := move.NewTickets(key, "eu-west-1_Old", to.pool)
		must(t, err)
		_, subject, err := after.SamePerson("https://old", nil)(t.Context(), claims)
		if want := map[bool]string{true: "", false: "old-sub"}[elsewhere]; err != nil || subject != want {
			t.Errorf("elsewhere %t: they are %q, %v", elsewhere, subject, err)
		}
		now, err := s.users.UserBySubject(t.Context(), to.issuer, to.subject(t, "moved"))
		if _, has := now.Custom[move.Attribute]; err != nil || now.Person() != was.ID || has == elsewhere {
			t.Errorf("elsewhere %t: the replica has %+v, %v", elsewhere, now, err)
		}
	}
}
