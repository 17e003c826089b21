package pool

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/localpool"
)

// asked is a pool around whose operations somebody else does something.
type asked struct {
	pool   http.Handler
	before func(operation string)
	after  func(operation string)
}

func (a *asked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	mine := strings.Contains(r.Header.Get("Authorization"), "Credential=local/") // a command's
	if mine && a.before != nil {
		a.before(operation)
	}
	answer := httptest.NewRecorder()
	a.pool.ServeHTTP(answer, r)
	if mine && a.after != nil {
		a.after(operation)
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

func askedPool(t *testing.T) (*asked, string, *cip.Client) {
	t.Helper()
	a := new(asked)
	server := httptest.NewUnstartedServer(a)
	pool, err := localpool.New(localpool.Config{Seed: localpool.DefaultSeed("http://localhost:8080"), BaseURL: "http://" + server.Listener.Addr().String(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	a.pool = pool
	server.Start()
	t.Cleanup(func() { server.Close(); pool.Close() })
	return a, server.URL, cip.New(cip.Options{Region: "local", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("other", "other", "")})
}

func sayPool(t *testing.T, args ...string) (string, int) {
	t.Helper()
	stdout, stderr, status := commandtest.Say(t, new(struct {
		Pool Command `cmd:""`
	}), append([]string{"pool"}, args...)...)
	return stdout + stderr, status
}

// TestS801_AppliedIsExported: what one pool is set to, an empty one exports after it was
// applied, to the letter. Secrets come from a file or the environment, and nothing is done
// before all are there.
func TestS801_AppliedIsExported(t *testing.T) {
	url, api := serve(t, localpool.Seed{Pools: []localpool.PoolSeed{
		{ID: "local_Real1", Name: "shop", MFA: "OPTIONAL", Clients: []localpool.ClientSeed{{ID: "web", Secret: "s", CallbackURLs: []string{"http://localhost:8080/cb"}}, {ID: "m", Flows: []string{"client_credentials"}, Secret: "t", Scopes: []string{"orders/read"}}},
			ResourceServers: []localpool.ResourceServerSeed{{Identifier: "orders", Scopes: []string{"read", "write"}}}, Groups: []localpool.GroupSeed{{Name: "admins", Description: "who may", Precedence: aws.Int(3)}}},
		{ID: "local_Empty1", Name: "empty"},
	}})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	id := aws.String("local_Real1")
	_, err := api.AddCustomAttributes(t.Context(), &cip.AddCustomAttributesInput{UserPoolId: id, CustomAttributes: []types.SchemaAttributeType{{Name: aws.String("team"), AttributeDataType: types.AttributeDataTypeString, Mutable: aws.Bool(true)}}})
	must(err)
	_, err = api.CreateUserPoolDomain(t.Context(), &cip.CreateUserPoolDomainInput{UserPoolId: id, Domain: aws.String("shop-accounts")})
	must(err)
	described, err := api.DescribeUserPool(t.Context(), &cip.DescribeUserPoolInput{UserPoolId: id})
	must(err)
	_, err = api.UpdateUserPool(t.Context(), &cip.UpdateUserPoolInput{UserPoolId: id, PoolName: aws.String("shop"), Policies: described.UserPool.Policies, AutoVerifiedAttributes: described.UserPool.AutoVerifiedAttributes, AccountRecoverySetting: described.UserPool.AccountRecoverySetting, UserAttributeUpdateSettings: described.UserPool.UserAttributeUpdateSettings,
		LambdaConfig:                &types.LambdaConfigType{PreSignUp: aws.String("arn:aws:lambda:eu-west-1:123456789012:function:pre-sign-up")},
		VerificationMessageTemplate: &types.VerificationMessageTemplateType{EmailMessage: aws.String("Shop: {####}"), EmailSubject: aws.String("Your code")}})
	must(err)
	for name, kind := range map[string]types.IdentityProviderTypeType{"Corp": "OIDC", "Google": "Google"} {
		details := map[string]string{"client_id": "c", "client_secret": "first-secret", "authorize_scopes": "openid"}
		if kind == "OIDC" {
			details["oidc_issuer"], details["attributes_request_method"] = "https://idp.example.com", "GET"
		}
		_, err = api.CreateIdentityProvider(t.Context(), &cip.CreateIdentityProviderInput{UserPoolId: id, ProviderName: &name, ProviderType: kind, ProviderDetails: details, AttributeMapping: map[string]string{"email": "email"}})
		must(err)
	}
	file, secrets := filepath.Join(t.TempDir(), "pool.yaml"), filepath.Join(t.TempDir(), "secrets.yaml")
	text, _ := sayPool(t, "export", "--pool-id", *id, "--endpoint", url)
	// One domain is not of two pools.
	text = strings.Replace(text, "shop-accounts", "shop-accounts-2", 1)
	must(os.WriteFile(file, []byte(text), 0o600))
	must(os.WriteFile(secrets, []byte("Google: google-secret\n"), 0o600))
	empty := []string{"--pool-id", "local_Empty1", "--endpoint", url}
	before, _ := sayPool(t, append([]string{"export"}, empty...)...)
	apply := append([]string{"apply", "--file", file, "--secrets", secrets}, empty...)
	out, status := sayPool(t, apply...)
	if status != 0 || !strings.Contains(out, "identity provider Corp: it needs a secret: set CODEGRANT_PROVIDER_SECRET_CORP") || strings.Contains(out, "Google: it needs") {
		t.Errorf("the plan: status %d\n%s", status, out)
	}
	if out, status := sayPool(t, append(apply, "--yes")...); status != 1 || !strings.Contains(out, "1 secret missing; nothing is done") {
		t.Errorf("without a secret: status %d\n%s", status, out)
	}
	if now, _ := sayPool(t, append([]string{"export"}, empty...)...); now != before {
		t.Errorf("something was done:\n%s", now)
	}
	t.Setenv("CODEGRANT_PROVIDER_SECRET_CORP", "corp-secret")
	out, status = sayPool(t, append(apply, "--yes")...)
	if status != 0 || strings.Contains(out, "-secret\"") || strings.Contains(out, "google-secret") || strings.Contains(out, "corp-secret") {
		t.Fatalf("status %d\n%s", status, out)
	}
	if now, _ := sayPool(t, append([]string{"export"}, empty...)...); now != text {
		there, want := strings.Split(now, "\n"), strings.Split(text, "\n")
		for i := range min(len(there), len(want)) {
			if there[i] != want[i] {
				t.Errorf("line %d is %q, want %q", i+1, there[i], want[i])
			}
		}
		t.Errorf("it exports %d lines, want %d", len(there), len(want))
	}
	for name, want := range map[string]string{"Corp": "corp-secret", "Google": "google-secret"} {
		p, err := api.DescribeIdentityProvider(t.Context(), &cip.DescribeIdentityProviderInput{UserPoolId: aws.String("local_Empty1"), ProviderName: &name})
		if err != nil || p.IdentityProvider.ProviderDetails["client_secret"] != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(os.WriteFile(secrets, []byte("- bad-secret-file\n"), 0o600))
	if out, status := sayPool(t, apply...); status != 1 || strings.Contains(out, "bad-secret-file") {
		t.Errorf("status %d\n%s", status, out)
	}

	// What no pool changes is said before anything is.
	must(os.WriteFile(file, []byte("pool: {UsernameConfiguration: {CaseSensitive: true}, AliasAttributes: [phone_number], SchemaAttributes: [{Name: email, AttributeDataType: Number}], DeletionProtection: ACTIVE}\n"), 0o600))
	out, status = sayPool(t, append([]string{"apply", "--file", file}, empty...)...)
	if status != 0 || !strings.Contains(out, "3 settings cannot be changed and will stay") || strings.Count(out, "it is fixed when it is created") != 3 {
		t.Errorf("status %d\n%s", status, out)
	}
}

// TestS801_TwoOperators: what somebody else changes between the plan and the change stands,
// and two who make an app client of one name at once make one.
func TestS801_TwoOperators(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pool.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("a change meanwhile", func(t *testing.T) {
		for _, what := range []string{"pool", "group", "new group"} {
			a, url, api := askedPool(t)
			id := aws.String(localpool.DemoPoolID)
			var once sync.Once
			a.before = func(operation string) {
				if operation != "CreateResourceServer" && operation != "AddCustomAttributes" {
					return
				}
				once.Do(func() {
					var err error
					switch what {
					case "pool":
						_, err = api.UpdateUserPool(t.Context(), &cip.UpdateUserPoolInput{UserPoolId: id, DeletionProtection: types.DeletionProtectionTypeActive})
					case "group":
						_, err = api.UpdateGroup(t.Context(), &cip.UpdateGroupInput{UserPoolId: id, GroupName: aws.String("admins"), Description: aws.String("theirs")})
					default:
						_, err = api.CreateGroup(t.Context(), &cip.CreateGroupInput{UserPoolId: id, GroupName: aws.String("fresh"), Description: aws.String("theirs")})
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
			write("pool: {MfaConfiguration: 'OFF', SchemaAttributes: [{Name: 'custom:a', AttributeDataType: String}], UserPoolTags: {a: b}}\nresource_servers: {orders: {Name: orders}}\ngroups: {admins: {Precedence: 4}, fresh: {Precedence: 5}}\n")
			apply := []string{"apply", "--pool-id", *id, "--endpoint", url, "--file", file, "--yes"}
			if out, status := sayPool(t, apply...); status != 1 || !strings.Contains(out, "somebody else has changed it since the plan was made") {
				t.Errorf("%s: status %d\n%s", what, status, out)
			}
			// The plan of the next run knows of it.
			if out, status := sayPool(t, apply...); status != 0 {
				t.Errorf("%s: status %d\n%s", what, status, out)
			}
			p, err := api.DescribeUserPool(t.Context(), &cip.DescribeUserPoolInput{UserPoolId: id})
			if err != nil || p.UserPool.UserPoolTags["a"] != "b" || what == "pool" && p.UserPool.DeletionProtection != types.DeletionProtectionTypeActive {
				t.Errorf("%s: the pool has %v, %s, %v", what, p.UserPool.UserPoolTags, p.UserPool.DeletionProtection, err)
			}
			for name, theirs := range map[string]bool{"admins": what == "group", "fresh": what == "new group"} {
				g, err := api.GetGroup(t.Context(), &cip.GetGroupInput{UserPoolId: id, GroupName: &name})
				if err != nil || aws.ToInt32(g.Group.Precedence) < 4 || theirs && aws.ToString(g.Group.Description) != "theirs" {
					t.Errorf("%s: group %s is %+v, %v", what, name, g, err)
				}
			}
		}
	})
	t.Run("a change right before", func(t *testing.T) { changesRightBefore(t, write, file) })
	t.Run("one new client", func(t *testing.T) {
		a, url, api := askedPool(t)
		id := aws.String(localpool.DemoPoolID)
		var planned, made sync.WaitGroup
		planned.Add(2)
		made.Add(2)
		a.before = func(operation string) {
			if operation == "CreateUserPoolClient" {
				planned.Done()
				planned.Wait()
			}
		}
		a.after = func(operation string) {
			if operation == "CreateUserPoolClient" {
				made.Done()
				made.Wait() // neither hears of its client before the other is made
			}
		}
		write("pool: {}\nclients: {extra: {RefreshTokenValidity: 7}}\n")
		apply := []string{"apply", "--pool-id", *id, "--endpoint", url, "--file", file, "--yes"}
		var runs sync.WaitGroup
		statuses := make([]int, 2)
		for i := range statuses {
			runs.Go(func() { _, statuses[i] = sayPool(t, apply...) })
		}
		runs.Wait()
		if statuses[0]+statuses[1] != 1 {
			t.Errorf("they end with %v", statuses)
		}
		n := 0
		list, err := api.ListUserPoolClients(t.Context(), &cip.ListUserPoolClientsInput{UserPoolId: id, MaxResults: aws.Int32(60)})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list.UserPoolClients {
			if aws.ToString(c.ClientName) == "extra" {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d clients have the name", n)
		}
		a.before, a.after = nil, nil
		if out, status := sayPool(t, apply...); status != 0 || !strings.Contains(out, "nothing to change") {
			t.Errorf("again: status %d\n%s", status, out)
		}
	})
}
