package pool

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/localpool"
)

// serve serves a seed's pools, and returns an API of them.
func serve(t *testing.T, seed localpool.Seed) (url string, api *cip.Client) {
	t.Helper()
	var pool *localpool.Server
	server := httptest.NewUnstartedServer(nil)
	pool, err := localpool.New(localpool.Config{Seed: seed, BaseURL: "http://" + server.Listener.Addr().String(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = pool
	server.Start()
	t.Cleanup(func() { server.Close(); pool.Close() })
	return server.URL, cip.New(cip.Options{Region: "local", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
}

// shapeOf is what of a user is to be the same in a copy.
func shapeOf(t *testing.T, api *cip.Client, pool string, u types.UserType) string {
	t.Helper()
	got, err := api.AdminGetUser(t.Context(), &cip.AdminGetUserInput{UserPoolId: &pool, Username: u.Username})
	if err != nil {
		t.Fatal(err)
	}
	groups, err := api.AdminListGroupsForUser(t.Context(), &cip.AdminListGroupsForUserInput{UserPoolId: &pool, Username: u.Username})
	if err != nil {
		t.Fatal(err)
	}
	var names, in []string
	for _, a := range got.UserAttributes {
		name := aws.ToString(a.Name)
		if strings.HasSuffix(name, "_verified") {
			name += "=" + aws.ToString(a.Value)
		}
		if name == "identities" {
			var list []struct{ ProviderName, ProviderType string }
			if err := json.Unmarshal([]byte(aws.ToString(a.Value)), &list); err != nil {
				t.Fatal(err)
			}
			name += fmt.Sprint(list)
		}
		names = append(names, name)
	}
	for _, g := range groups.Groups {
		in = append(in, aws.ToString(g.GroupName))
	}
	slices.Sort(names)
	slices.Sort(in)
	mfa := slices.Sorted(slices.Values(got.UserMFASettingList))
	return fmt.Sprint(got.UserStatus, got.Enabled, names, in, mfa, aws.ToString(got.PreferredMfaSetting))
}

func everybody(t *testing.T, api *cip.Client, pool string) (all []types.UserType) {
	t.Helper()
	for pages := cip.NewListUsersPaginator(api, &cip.ListUsersInput{UserPoolId: &pool}); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, page.Users...)
	}
	return all
}

// strangers is a pool of people of all shapes, each value of whom is found again.
func strangers(byAddress bool) localpool.Seed {
	p := localpool.PoolSeed{
		ID: "local_Real1", Name: "shop", MFA: "OPTIONAL", EmailAsUsername: byAddress, Password: "Real-Passw0rd",
		Clients: []localpool.ClientSeed{{ID: "web", Secret: "real-secret-of-web", CallbackURLs: []string{"http://localhost:8080/auth/callback"}},
			{ID: "phone", CallbackURLs: []string{"myapp://callback"}, AuthFlows: []string{"ALLOW_ADMIN_USER_PASSWORD_AUTH"}}},
		Groups:          []localpool.GroupSeed{{Name: "admins", Description: "who may"}, {Name: "editors"}, {Name: "local_Real1_Corp"}},
		ResourceServers: []localpool.ResourceServerSeed{{Identifier: "orders", Scopes: []string{"read"}}},
	}
	statuses := []string{"CONFIRMED", "UNCONFIRMED", "FORCE_CHANGE_PASSWORD", "RESET_REQUIRED", "EXTERNAL_PROVIDER"}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 150 {
		u := localpool.UserSeed{
			Username: fmt.Sprintf("zrealuser%dz", i), Status: statuses[i%len(statuses)], Disabled: r.IntN(5) == 0,
			Attributes: map[string]string{"sub": fmt.Sprintf("feedface-0000-4000-8000-%012d", i)},
		}
		for _, name := range []string{"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website", "gender", "birthdate", "zoneinfo", "locale", "address", "custom:team", "custom:note"} {
			if r.IntN(2) == 0 {
				u.Attributes[name] = fmt.Sprintf("zreal%s%dz", strings.TrimPrefix(name, "custom:"), i)
			}
		}
		if r.IntN(2) == 0 {
			u.Attributes["custom:age"] = fmt.Sprint(987650000 + i)
		}
		if byAddress || r.IntN(4) > 0 {
			u.Email, u.Unverified = fmt.Sprintf("zrealmail%dz@corp.invalid", i), r.IntN(3) == 0
			if r.IntN(4) == 0 {
				u.Codes = append(u.Codes, "EMAIL_OTP")
			}
		}
		if r.IntN(2) == 0 {
			u.Attributes["phone_number"], u.Attributes["phone_number_verified"] = fmt.Sprintf("+4988%08d", i), fmt.Sprint(r.IntN(2) == 0)
			if r.IntN(3) == 0 {
				u.Codes = append(u.Codes, "SMS_MFA")
			}
		}
		if r.IntN(4) == 0 {
			u.Authenticator, u.AuthenticatorAlways = "JBSWY3DPEHPK3PXP", r.IntN(2) == 0
		}
		for _, g := range []string{"admins", "editors"} {
			if r.IntN(3) == 0 {
				u.Groups = append(u.Groups, g)
			}
		}
		if u.Status == "EXTERNAL_PROVIDER" || r.IntN(6) == 0 {
			id := fmt.Sprintf("zrealid%dz", i)
			u.Attributes["identities"] = `[{"userId":"` + id + `","providerName":"Corp","providerType":"OIDC","issuer":null,"primary":true,"dateCreated":1712345678901}]`
			if u.Status == "EXTERNAL_PROVIDER" {
				u.Username, u.Groups = "corp_"+id, append(u.Groups, "local_Real1_Corp")
			}
		} else if byAddress {
			u.Username = ""
		}
		p.Users = append(p.Users, u)
	}
	return localpool.Seed{Pools: []localpool.PoolSeed{p}}
}

// valuesOf are all that a copy must not have.
func valuesOf(users []types.UserType) (all []string) {
	for _, u := range users {
		all = append(all, aws.ToString(u.Username))
		for _, a := range u.Attributes {
			switch value := aws.ToString(a.Value); {
			case value == "true" || value == "false":
			case aws.ToString(a.Name) == "identities":
				all = append(all, regexp.MustCompile(`zreal\w+|17\d{11}`).FindAllString(value, -1)...)
			default:
				all = append(all, value)
			}
		}
	}
	return all
}

// TestS800_ACopyHasNobody: a pool copied for development has the configuration and the
// shapes of the pool's people, and no value of theirs, whatever their shape.
func TestS800_ACopyHasNobody(t *testing.T) {
	for _, byAddress := range []bool{false, true} {
		t.Run(fmt.Sprintf("byAddress=%v", byAddress), func(t *testing.T) { copied(t, byAddress) })
	}
}

func copied(t *testing.T, byAddress bool) {
	url, api := serve(t, strangers(byAddress))
	id := aws.String("local_Real1")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err := api.AddCustomAttributes(t.Context(), &cip.AddCustomAttributesInput{UserPoolId: id, CustomAttributes: []types.SchemaAttributeType{
		{Name: aws.String("team"), AttributeDataType: types.AttributeDataTypeString, Mutable: aws.Bool(true), StringAttributeConstraints: &types.StringAttributeConstraintsType{MinLength: aws.String("12"), MaxLength: aws.String("20")}},
		{Name: aws.String("note"), AttributeDataType: types.AttributeDataTypeString, Mutable: aws.Bool(true), StringAttributeConstraints: &types.StringAttributeConstraintsType{MaxLength: aws.String("5")}},
		{Name: aws.String("age"), AttributeDataType: types.AttributeDataTypeNumber, Mutable: aws.Bool(true), NumberAttributeConstraints: &types.NumberAttributeConstraintsType{MinValue: aws.String("18"), MaxValue: aws.String("99")}},
	}})
	must(err)
	_, err = api.CreateIdentityProvider(t.Context(), &cip.CreateIdentityProviderInput{UserPoolId: id, ProviderName: aws.String("Corp"), ProviderType: types.IdentityProviderTypeTypeOidc,
		ProviderDetails: map[string]string{"client_id": "c", "client_secret": "real-secret-of-corp", "authorize_scopes": "openid", "oidc_issuer": "https://idp.example.com", "attributes_request_method": "GET"}})
	must(err)
	_, err = api.CreateUserPoolDomain(t.Context(), &cip.CreateUserPoolDomainInput{UserPoolId: id, Domain: aws.String("shop-accounts")})
	must(err)
	users := everybody(t, api, *id)
	if len(users) != 150 {
		t.Fatalf("the pool has %d users", len(users))
	}

	file := filepath.Join(t.TempDir(), "shop.yaml")
	export := []string{"pool", "export", "--pool-id", *id, "--endpoint", url, "--people", "anonymized", "--to", file}
	say := func(want int, args ...string) string {
		t.Helper()
		stdout, stderr, status := commandtest.Say(t, new(struct {
			Pool Command `cmd:""`
		}), args...)
		if status != want {
			t.Fatalf("%v: status %d, want %d\n%s%s", args, status, want, stdout, stderr)
		}
		return stdout + stderr
	}
	said := say(0, append(export, "--second-factors")...)
	seed, err := os.ReadFile(file)
	must(err)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the seed is %v, %v", info.Mode(), err)
	}
	for _, value := range append(valuesOf(users), "real-secret-of-web", "real-secret-of-corp", "Real-Passw0rd", "JBSWY3DPEHPK3PXP") {
		if bytes.Contains(seed, []byte(value)) || strings.Contains(said, value) {
			t.Errorf("the copy has %q", value)
		}
	}
	if say(1, export...); !t.Failed() {
		if again, err := os.ReadFile(file); err != nil || !bytes.Equal(again, seed) {
			t.Error("a file that was there is another")
		}
	}

	// It starts, and is the pool.
	read, err := localpool.ParseSeed(seed)
	must(err)
	there, local := serve(t, read)
	if out := say(0, "pool", "diff", "--pool-id", *id, "--endpoint", there, "--other", *id, "--other-endpoint", url); out != "" {
		t.Errorf("the configuration differs: %s", out)
	}
	want, have := make(map[string]int), make(map[string]int)
	for _, u := range users {
		want[shapeOf(t, api, *id, u)]++
	}
	copies := everybody(t, local, *id)
	for _, u := range copies {
		have[shapeOf(t, local, *id, u)]++
	}
	for shape, n := range want {
		if have[shape] != n {
			t.Errorf("%d people have the shape %s, want %d", have[shape], shape, n)
		}
	}
	for shape, n := range have {
		if want[shape] == 0 {
			t.Errorf("%d people have a shape that nobody had: %s", n, shape)
		}
	}
	for _, u := range copies {
		for _, a := range u.Attributes {
			if aws.ToString(a.Name) == "email" && !strings.HasSuffix(aws.ToString(a.Value), "example.com") {
				t.Errorf("an address is %s", aws.ToString(a.Value))
			}
		}
	}

	// The password that was printed lets people in.
	password := regexp.MustCompile(`password of everybody: (\S+)`).FindStringSubmatch(said)
	if password == nil || strings.Count(said, password[1]) != 1 {
		t.Fatalf("it says %s", said)
	}
	in := 0
	for _, u := range copies {
		if !u.Enabled || u.UserStatus != types.UserStatusTypeConfirmed {
			continue
		}
		_, err := local.AdminInitiateAuth(t.Context(), &cip.AdminInitiateAuthInput{UserPoolId: id, ClientId: aws.String("phone"), AuthFlow: types.AuthFlowTypeAdminUserPasswordAuth,
			AuthParameters: map[string]string{"USERNAME": aws.ToString(u.Username), "PASSWORD": password[1]}})
		must(err)
		in++
	}
	if in == 0 {
		t.Error("nobody came in")
	}
}
