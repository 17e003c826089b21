package localpool_test

import (
	"fmt"
	"testing"
)

// TestS808_TokensOfOtherLists: the token of a page goes on with the list that it came from,
// and is refused by every other, and by the same one for another request.
func TestS808_TokensOfOtherLists(t *testing.T) {
	t.Parallel()
	c := newContract(t)
	pool := c.made(`,"UserPoolTier":"PLUS","AutoVerifiedAttributes":["email"]`)
	app := c.app(pool, "")
	c.app(pool, "")
	for i := range 3 {
		name := fmt.Sprintf("n%d", i)
		c.ask("CreateGroup", `{`+pool+`,"GroupName":"`+name+`"}`)
		c.ask("AdminCreateUser", `{`+pool+`,"Username":"`+name+`","MessageAction":"SUPPRESS"}`)
		c.ask("AdminAddUserToGroup", `{`+pool+`,"Username":"`+name+`","GroupName":"n0"}`)
		c.ask("AdminAddUserToGroup", `{`+pool+`,"Username":"n0","GroupName":"`+name+`"}`)
		c.ask("CreateResourceServer", `{`+pool+`,"Identifier":"`+name+`","Name":"`+name+`"}`)
		c.ask("CreateIdentityProvider", `{`+pool+`,"ProviderName":"Staff`+name+`","ProviderType":"SAML","ProviderDetails":{"MetadataURL":"https://idp.example/m"}}`)
		c.ask("CreateCIMDPolicy", `{`+pool+`,`+app+`,"PolicyName":"`+name+`","URLPatterns":["https://tools.example.com/*"]}`)
		c.ask("CreateUserImportJob", `{`+pool+`,"JobName":"`+name+`","CloudWatchLogsRoleArn":"arn:aws:iam::123456789012:role/x"}`)
	}
	for _, name := range []string{"terms-of-use", "privacy-policy"} {
		c.ask("CreateTerms", `{`+pool+`,`+app+`,"TermsName":"`+name+`","TermsSource":"LINK","Enforcement":"NONE","Links":{"cognito:default":"https://example.com/terms"}}`)
	}
	lists := []struct{ operation, request, other, token string }{
		{"ListUsers", pool + `,"Limit":1`, pool + `,"Limit":2`, "PaginationToken"},
		{"ListUsersInGroup", pool + `,"GroupName":"n0","Limit":1`, pool + `,"GroupName":"n1","Limit":1`, "NextToken"},
		{"ListGroups", pool + `,"Limit":1`, pool + `,"Limit":2`, "NextToken"},
		{"AdminListGroupsForUser", pool + `,"Username":"n0","Limit":1`, pool + `,"Username":"n1","Limit":1`, "NextToken"},
		{"ListUserPools", `"MaxResults":1`, `"MaxResults":2`, "NextToken"},
		{"ListUserPoolClients", pool + `,"MaxResults":1`, pool + `,"MaxResults":1,"ClientType":"REGULAR"`, "NextToken"},
		{"ListResourceServers", pool + `,"MaxResults":1`, pool + `,"MaxResults":2`, "NextToken"},
		{"ListIdentityProviders", pool + `,"MaxResults":1`, pool + `,"MaxResults":2`, "NextToken"},
		{"ListTerms", pool + `,"MaxResults":1`, pool + `,"MaxResults":2`, "NextToken"},
		{"ListCIMDPolicies", pool + `,"MaxResults":1`, pool + `,"MaxResults":2`, "NextToken"},
		{"ListUserImportJobs", pool + `,"MaxResults":1`, pool + `,"MaxResults":2`, "PaginationToken"},
	}
	tokens := make(map[string]string)
	for _, l := range lists {
		if tokens[l.operation] = text(c.ask(l.operation, `{`+l.request+`}`)[l.token]); tokens[l.operation] == "" {
			t.Fatalf("%s: no second page", l.operation)
		}
	}
	for _, l := range lists {
		for of, token := range tokens {
			body := `{` + l.request + `,"` + l.token + `":"` + token + `"}`
			if of == l.operation {
				c.ask(l.operation, body)
				c.no(l.operation, `{`+l.other+`,"`+l.token+`":"`+token+`"}`, "InvalidParameterException", "Invalid pagination token.")
				continue
			}
			if a := c.call(l.operation, body); a.status != 400 || a.json["__type"] != "InvalidParameterException" {
				t.Errorf("%s takes the token of %s: %d %s", l.operation, of, a.status, a.body)
			}
		}
	}
}
