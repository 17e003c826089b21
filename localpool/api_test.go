package localpool_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/smithy-go"

	"github.com/codegrant/codegrant/localpool"
)

const shop = "local_Shop1"

// sdk is AWS's client as an application makes it, but for the endpoint. It does
// not repeat what failed.
func (c *contract) sdk() *cip.Client {
	return cip.New(cip.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(c.url), Retryer: aws.NopRetryer{}, HTTPClient: whole{c.client},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "none"}, nil
		}),
	})
}

// whole sends request bodies from memory. The SDK closes its own as soon as an
// answer begins, when net/http may still be looking for their end, and takes what
// it finds for a fault: it does where the server is this near. Applications do not
// notice, as the SDK repeats such calls.
type whole struct{ client *http.Client }

func (w whole) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body = io.NopCloser(bytes.NewReader(body))
	return w.client.Do(r)
}

// refused checks that a call of the SDK failed as Cognito would have had it fail.
func (c *contract) refused(err error, kind, message string) {
	c.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		c.Errorf("error = %v, want %s", err, kind)
		return
	}
	if api.ErrorCode() != kind || !strings.Contains(api.ErrorMessage(), message) {
		c.Errorf("error = %s: %q, want %s: %q", api.ErrorCode(), api.ErrorMessage(), kind, message)
	}
}

func (c *contract) ok(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// call makes a request of the JSON API by hand, for what the SDK would not send.
func (c *contract) call(operation, body string, header ...string) answer {
	c.Helper()
	r, err := http.NewRequestWithContext(c.Context(), "POST", c.url+"/", strings.NewReader(body))
	c.ok(err)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return c.send(r)
}

func attributes(list []types.AttributeType) map[string]string {
	m := make(map[string]string)
	for _, a := range list {
		m[aws.ToString(a.Name)] = aws.ToString(a.Value)
	}
	return m
}

func usernames(users []types.UserType) []string {
	names := make([]string, 0, len(users))
	for _, u := range users {
		names = append(names, aws.ToString(u.Username))
	}
	return names
}

func TestAPI_Transport(t *testing.T) {
	c := newContract(t)
	a := c.call("ListGroups", `{"UserPoolId":"local_Shop1"}`)
	if a.status != 200 || a.header.Get("Content-Type") != "application/x-amz-json-1.1" || a.header.Get("X-Amzn-Requestid") == "" {
		t.Errorf("status %d, header %v", a.status, a.header)
	}
	long := strings.Repeat("x", 300<<10)
	for _, tt := range []struct {
		name, operation, body string
		status                int
		kind, message         string
	}{
		{"unknown operation", "ListHorses", `{}`, 404, "UnknownOperationException", `The local pool has no operation "ListHorses". Its log names all that were asked for.`},
		{"no operation", "", `{}`, 404, "UnknownOperationException", "The request names no operation of Amazon Cognito: its header X-Amz-Target must be AWSCognitoIdentityProviderService. and a name."},
		{"no JSON", "ListUsers", `UserPoolId=x`, 400, "SerializationException", ""},
		{"no object", "ListUsers", `null`, 400, "SerializationException", ""},
		{"another type", "ListUsers", `{"UserPoolId":7}`, 400, "SerializationException", "userPoolId"},
		{"too long", "ListUsers", `{"Filter":"` + long + `"}`, 413, "RequestEntityTooLargeException", ""},
		{"no pool", "ListUsers", `{}`, 400, "InvalidParameterException", "1 validation error detected: Value null at 'userPoolId' failed to satisfy constraint: Member must not be null"},
		{"a name in another case", "ListUsers", `{"userPoolId":"local_Shop1"}`, 400, "InvalidParameterException", "Value null at 'userPoolId'"},
		{"two faults", "ListUsers", `{"UserPoolId":"x","Limit":61}`, 400, "InvalidParameterException", `2 validation errors detected: Value 'x' at 'userPoolId' failed to satisfy constraint: Member must satisfy regular expression pattern: [\w-]+_[0-9a-zA-Z]+; Value '61' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 60`},
		{"code", "VerifyUserAttribute", `{"AccessToken":"x","AttributeName":"email","Code":"12 34"}`, 400, "InvalidParameterException", `1 validation error detected: Value '12 34' at 'code' failed to satisfy constraint: Member must satisfy regular expression pattern: [\S]+`},
		{"a long value", "AdminGetUser", `{"UserPoolId":"local_Shop1","Username":"` + long[:100<<10] + `"}`, 400, "InvalidParameterException", "length less than or equal to 128"},
		{"unknown pool", "ListUsers", `{"UserPoolId":"local_Gone1"}`, 400, "ResourceNotFoundException", "User pool local_Gone1 does not exist."},
		{"a member nobody knows", "ListUsers", `{"UserPoolId":"local_Shop1","Horses":[1]}`, 200, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := c.in(t)
			a := c.call(tt.operation, tt.body)
			if a.status != tt.status || (tt.kind != "" && (a.json["__type"] != tt.kind || a.header.Get("X-Amzn-Errortype") != tt.kind+":")) {
				t.Errorf("status %d, %s, %v, want %d %s", a.status, a.body, a.header, tt.status, tt.kind)
			}
			if message, _ := a.json["message"].(string); !strings.Contains(message, tt.message) {
				t.Errorf("message = %.1000q, want %q", message, tt.message)
			}
			if header := a.header.Get("X-Amzn-Errormessage"); len(header) > 1<<10 {
				t.Errorf("the header has %d bytes", len(header))
			}
		})
	}
	if a := c.do("GET", "/", nil); a.status != 200 || !strings.Contains(a.body, "Local pool") {
		t.Errorf("the start page is gone: status %d", a.status)
	}
}

func TestAPI_UnknownOperationsAreLogged(t *testing.T) {
	var log bytes.Buffer
	pool, err := localpool.New(localpool.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	c := newContract(t)
	c.handler = pool
	if a := c.call("StartUserExport", `{}`); a.status != 404 || a.json["__type"] != "UnknownOperationException" || a.json["message"] != `The local pool has no operation "StartUserExport". Its log names all that were asked for.` {
		t.Errorf("status %d, %s", a.status, a.body)
	}
	if !strings.Contains(log.String(), "StartUserExport") {
		t.Errorf("log = %q", log.String())
	}
}

// TestS142_APIOrigins: a page of another place cannot call, though it could reach
// the port.
func TestS142_APIOrigins(t *testing.T) {
	c := newContract(t)
	const body = `{"UserPoolId":"local_Shop1"}`
	for _, tt := range []struct {
		origin         string
		admin, preflit bool
	}{
		{"http://localhost:3000", true, true},
		{"http://127.0.0.1:8080", true, true},
		{"https://app.example.com", false, true}, // of a callback URL
		{"https://app.example.co", false, false},
		{"https://evil.example", false, false},
		{"http://localhost.evil.example", false, false},
		{"null", false, false},
	} {
		t.Run(tt.origin, func(t *testing.T) {
			c := c.in(t)
			a := c.call("ListUsers", body, "Origin", tt.origin)
			if allowed := a.status == 200; allowed != tt.admin || strings.Contains(a.body, "carol") != tt.admin {
				t.Errorf("ListUsers: status %d: %s", a.status, a.body)
			}
			r, err := http.NewRequestWithContext(t.Context(), "OPTIONS", c.url+"/", nil)
			c.ok(err)
			r.Header.Set("Origin", tt.origin)
			r.Header.Set("Access-Control-Request-Headers", "content-type,x-amz-target")
			a = c.send(r)
			if got := a.header.Get("Access-Control-Allow-Origin"); (got == tt.origin) != tt.preflit || got == "*" {
				t.Errorf("preflight: status %d, %v", a.status, a.header)
			}
		})
	}
}

func TestAPI_DescribeUserPool(t *testing.T) {
	c := newContract(t)
	out, err := c.sdk().DescribeUserPool(t.Context(), &cip.DescribeUserPoolInput{UserPoolId: aws.String(shop)})
	c.ok(err)
	p := out.UserPool
	if *p.Id != shop || *p.Name != "shop" || p.EstimatedNumberOfUsers != 2 || *p.Policies.PasswordPolicy.MinimumLength != 8 ||
		len(p.SchemaAttributes) != 20 || *p.UsernameConfiguration.CaseSensitive || p.AliasAttributes[0] != "email" {
		t.Errorf("pool = %+v", p)
	}
	if age := time.Since(*p.CreationDate); age < 0 || age > time.Minute {
		t.Errorf("created %v ago", age)
	}
}

func TestAPI_AdminGetUser(t *testing.T) {
	c := newContract(t)
	get := func(name string) (*cip.AdminGetUserOutput, error) {
		return c.sdk().AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: aws.String(shop), Username: aws.String(name)})
	}
	out, err := get("carol@example.com")
	c.ok(err)
	a := attributes(out.UserAttributes)
	if *out.Username != "carol" || !out.Enabled || out.UserStatus != "CONFIRMED" || a["email_verified"] != "true" || a["custom:team"] != "blue" || a["sub"] == "" {
		t.Errorf("user = %+v, %v", out, a)
	}
	if age := time.Since(*out.UserCreateDate); age < 0 || age > time.Minute {
		t.Errorf("created %v ago", age)
	}
	for _, name := range []string{a["sub"], "CAROL", "Carol@Example.com"} {
		if again, err := get(name); err != nil || *again.Username != "carol" {
			t.Errorf("AdminGetUser(%s): %v", name, err)
		}
	}
	_, err = get("dave@example.com") // an alias works once it is verified
	c.refused(err, "UserNotFoundException", "User does not exist.")
}

func TestAPI_ListUsersFilter(t *testing.T) {
	c := newContract(t)
	c.ok(c.pool.CreateUser(shop, localpool.UserSeed{Username: "erin", Email: "erin@example.org", Name: `Erin "E" \o/`, Disabled: true}))
	carol, err := c.sdk().AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: aws.String(shop), Username: aws.String("carol")})
	c.ok(err)
	for _, tt := range []struct {
		filter string
		want   string // names, or what the refusal says
	}{
		{``, "carol dave erin"},
		{`email = "Carol@example.com"`, "carol"},
		{`"email"^="CAROL"`, "carol"},
		{`email ^= "e"`, "erin"},
		{`email^="nobody"`, ""},
		{`username = "carol"`, "carol"},
		{`username = "Carol"`, ""},
		{`username = "carol@example.com"`, ""},
		{`sub="` + attributes(carol.UserAttributes)["sub"] + `"`, "carol"},
		{`cognito:user_status = "force_change_password"`, "dave"},
		{`status = "Enabled"`, "carol dave"},
		{`status="Disabled"`, "erin"},
		{`status="disabled"`, ""},
		{`name = "erin \"e\" \\o/"`, "erin"},
		{`name ^= ""`, "carol erin"},
		{`phone_number = "+15550100"`, ""},
		{`custom:team = "blue"`, "Invalid search attribute: custom:team"},
		{`email`, "Error while parsing filter."},
		{`email = carol`, "Error while parsing filter."},
		{`email = "carol`, "Error while parsing filter."},
		{`email ^ = "carol"`, "Error while parsing filter."},
		{`email = "a" and name = "b"`, "Error while parsing filter."},
		{`= "a"`, "Error while parsing filter."},
		{strings.Repeat("x", 257), "length less than or equal to 256"},
	} {
		t.Run(tt.filter, func(t *testing.T) {
			c := c.in(t)
			out, err := c.sdk().ListUsers(t.Context(), &cip.ListUsersInput{UserPoolId: aws.String(shop), Filter: aws.String(tt.filter)})
			if err != nil {
				if tt.want == "" {
					t.Fatal(err)
				}
				c.refused(err, "InvalidParameterException", tt.want)
				return
			}
			if got := strings.Join(slices.Sorted(slices.Values(usernames(out.Users))), " "); got != tt.want {
				t.Errorf("ListUsers = %s, want %s", got, tt.want)
			}
		})
	}
}

func TestAPI_AttributesToGet(t *testing.T) {
	c := newContract(t)
	list := func(names ...string) (*cip.ListUsersOutput, error) {
		return c.sdk().ListUsers(t.Context(), &cip.ListUsersInput{UserPoolId: aws.String(shop), AttributesToGet: names})
	}
	out, err := list("email", "sub")
	c.ok(err)
	for _, u := range out.Users {
		if got := slices.Sorted(maps.Keys(attributes(u.Attributes))); !slices.Equal(got, []string{"email", "sub"}) {
			t.Errorf("%s has %v", *u.Username, got)
		}
	}
	_, err = list("custom:team") // which only one of them has
	c.refused(err, "InvalidParameterException", "requested attributes do not exist")
}

func TestAPI_Pages(t *testing.T) {
	c := newContract(t)
	ctx, client := t.Context(), c.sdk()
	for i := range 150 {
		name := fmt.Sprintf("user%03d", i)
		c.ok(c.pool.CreateUser(shop, localpool.UserSeed{Username: name, Email: name + "@example.com"}))
		c.ok(c.pool.AddToGroup(shop, name, "admins"))
		c.ok(c.pool.CreateGroup(shop, fmt.Sprintf("group%03d", i)))
		c.ok(c.pool.AddToGroup(shop, "carol", fmt.Sprintf("group%03d", i)))
	}
	once := func(t *testing.T, what string, names []string, want int) {
		t.Helper()
		slices.Sort(names)
		if len(names) != want || len(slices.Compact(names)) != want {
			t.Errorf("%s: %d names, %d different, want %d", what, len(names), len(slices.Compact(names)), want)
		}
	}

	t.Run("ListUsers", func(t *testing.T) {
		c := c.in(t)
		var names []string
		pages := cip.NewListUsersPaginator(client, &cip.ListUsersInput{UserPoolId: aws.String(shop), Limit: aws.Int32(7)})
		for n := 0; pages.HasMorePages(); n++ {
			page, err := pages.NextPage(ctx)
			c.ok(err)
			names = append(names, usernames(page.Users)...)
			if n == 3 { // what happens meanwhile moves nobody else
				c.ok(c.pool.DeleteUser(shop, "user001"))
				c.ok(c.pool.DeleteUser(shop, "user140"))
				c.ok(c.pool.CreateUser(shop, localpool.UserSeed{Username: "late", Email: "late@example.com"}))
			}
		}
		once(t, "ListUsers", names, 152)
	})
	t.Run("ListUsersInGroup", func(t *testing.T) {
		c := c.in(t)
		var names []string
		pages := cip.NewListUsersInGroupPaginator(client, &cip.ListUsersInGroupInput{UserPoolId: aws.String(shop), GroupName: aws.String("admins")})
		for n := 0; pages.HasMorePages(); n++ {
			page, err := pages.NextPage(ctx)
			c.ok(err)
			names = append(names, usernames(page.Users)...)
			if n == 0 {
				c.ok(c.pool.RemoveFromGroup(shop, "user002", "admins"))
				c.ok(c.pool.RemoveFromGroup(shop, "user139", "admins"))
			}
		}
		once(t, "ListUsersInGroup", names, 148)
	})
	t.Run("ListGroups", func(t *testing.T) {
		c := c.in(t)
		var names []string
		pages := cip.NewListGroupsPaginator(client, &cip.ListGroupsInput{UserPoolId: aws.String(shop)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			c.ok(err)
			for _, g := range page.Groups {
				names = append(names, *g.GroupName)
				if *g.UserPoolId != shop || g.CreationDate.IsZero() || g.Precedence != nil || g.Description != nil {
					t.Errorf("group = %+v", g)
				}
			}
		}
		once(t, "ListGroups", names, 151)
	})
	t.Run("AdminListGroupsForUser", func(t *testing.T) {
		c := c.in(t)
		var names []string
		pages := cip.NewAdminListGroupsForUserPaginator(client, &cip.AdminListGroupsForUserInput{UserPoolId: aws.String(shop), Username: aws.String("carol"), Limit: aws.Int32(50)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			c.ok(err)
			for _, g := range page.Groups {
				names = append(names, *g.GroupName)
			}
		}
		once(t, "AdminListGroupsForUser", names, 151)
	})
	t.Run("tokens", func(t *testing.T) {
		c := c.in(t)
		in := cip.ListUsersInput{UserPoolId: aws.String(shop), Limit: aws.Int32(7)}
		first, err := client.ListUsers(ctx, &in)
		c.ok(err)
		other := in
		other.PaginationToken, other.Limit = first.PaginationToken, aws.Int32(8)
		_, err = client.ListUsers(ctx, &other)
		c.refused(err, "InvalidParameterException", "Invalid pagination token.")
		in.PaginationToken = aws.String("x")
		_, err = client.ListUsers(ctx, &in)
		c.refused(err, "InvalidParameterException", "Invalid pagination token.")
		in.PaginationToken = first.PaginationToken
		c.ahead.Add(int64(59 * time.Minute))
		_, err = client.ListUsers(ctx, &in)
		c.ok(err)
		c.ahead.Add(int64(time.Minute))
		_, err = client.ListUsers(ctx, &in)
		c.refused(err, "InvalidParameterException", "expired")
	})
	_, err := client.ListUsersInGroup(ctx, &cip.ListUsersInGroupInput{UserPoolId: aws.String(shop), GroupName: aws.String("nobody")})
	c.refused(err, "ResourceNotFoundException", "Group not found.")
}

func TestAPI_CallsAndFaults(t *testing.T) {
	c := newContract(t)
	list := func() error {
		_, err := c.sdk().ListGroups(t.Context(), &cip.ListGroupsInput{UserPoolId: aws.String(shop)})
		return err
	}
	c.ok(list())
	c.pool.Fault("ListGroups", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"__type": "TooManyRequestsException", "message": "Rate exceeded"})
	}))
	c.refused(list(), "TooManyRequestsException", "Rate exceeded")
	c.pool.Fault("ListGroups", nil)
	c.ok(list())
	if n, all := c.pool.Calls("ListGroups"), c.pool.Calls(localpool.API); n != 3 || all != 3 {
		t.Errorf("%d calls of ListGroups, %d of all", n, all)
	}
}
