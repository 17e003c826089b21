package localpool_test

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
)

// TestAPI_SeededEntitiesHaveDates: nothing that a seed makes is of the year 1.
func TestAPI_SeededEntitiesHaveDates(t *testing.T) {
	c := newContract(t)
	dated := func(what string, dates ...*time.Time) {
		t.Helper()
		for _, d := range dates {
			if d == nil || d.Year() < 2020 {
				t.Errorf("%s: %v", what, d)
			}
		}
	}
	pool, err := c.sdk().DescribeUserPool(t.Context(), &cip.DescribeUserPoolInput{UserPoolId: aws.String(shop)})
	c.ok(err)
	dated("pool", pool.UserPool.CreationDate, pool.UserPool.LastModifiedDate)
	groups, err := c.sdk().ListGroups(t.Context(), &cip.ListGroupsInput{UserPoolId: aws.String(shop)})
	c.ok(err)
	if len(groups.Groups) == 0 {
		t.Fatal("no groups")
	}
	for _, g := range groups.Groups {
		dated("group "+*g.GroupName, g.CreationDate, g.LastModifiedDate)
	}
	users, err := c.sdk().ListUsers(t.Context(), &cip.ListUsersInput{UserPoolId: aws.String(shop)})
	c.ok(err)
	for _, u := range users.Users {
		dated("user "+*u.Username, u.UserCreateDate, u.UserLastModifiedDate)
		of, err := c.sdk().AdminListGroupsForUser(t.Context(), &cip.AdminListGroupsForUserInput{UserPoolId: aws.String(shop), Username: u.Username})
		c.ok(err)
		for _, g := range of.Groups {
			dated("group "+*g.GroupName+" of "+*u.Username, g.CreationDate, g.LastModifiedDate)
		}
	}
	clients, err := c.sdk().ListUserPoolClients(t.Context(), &cip.ListUserPoolClientsInput{UserPoolId: aws.String(shop)})
	c.ok(err)
	for _, client := range clients.UserPoolClients {
		d, err := c.sdk().DescribeUserPoolClient(t.Context(), &cip.DescribeUserPoolClientInput{UserPoolId: aws.String(shop), ClientId: client.ClientId})
		c.ok(err)
		dated("client "+*client.ClientName, d.UserPoolClient.CreationDate, d.UserPoolClient.LastModifiedDate)
	}
}
