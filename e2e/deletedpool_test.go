//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/proxytest"
)

// deletedChapter is what docs/restore.md says of a pool that was deleted: its configuration,
// and its commands.
func deletedChapter(t *undoing) (config string, commands []string) {
	t.Helper()
	text, err := os.ReadFile("../docs/restore.md")
	t.must(err)
	_, chapter, ok := strings.Cut(string(text), "\n## A pool was deleted\n")
	if !ok {
		t.Fatal("docs/restore.md has no such chapter")
	}
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	for _, block := range regexp.MustCompile("(?s)```(sh|yaml)\n(.*?)```").FindAllStringSubmatch(chapter, -1) {
		if block[1] == "yaml" {
			config = block[2]
			continue
		}
		for line := range strings.Lines(block[2]) {
			line, _, _ = strings.Cut(line, " #")
			commands = append(commands, strings.TrimSpace(line))
		}
	}
	return config, commands
}

// TestS821_ADeletedPool: a pool is deleted by mistake. By the commands of docs/restore.md, its
// people are in another pool, with their attributes and groups; they choose a new password, and
// the service knows them as who they were.
func TestS821_ADeletedPool(t *testing.T) { onEachEngine(t, testDeletedPool) }

func testDeletedPool(base *testing.T, database string) {
	pool := codegranttest.NewPool(base, nil)
	t := newUndoing(base, database, pool.URL, pool.Clients()[0])
	old := t.pool
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"id": r.Header.Get("X-Auth-User-Id"), "email": r.Header.Get("X-Auth-Email"), "groups": r.Header.Get("X-Auth-Groups")})
	}))
	defer app.Close()
	port := freePort(base)
	site := "http://localhost:" + port
	folder := base.TempDir()
	// serve runs the gateway with an app client.
	serve := func(id, client, secret string) (stop func()) {
		t.Helper()
		file := filepath.Join(folder, "codegrant.yaml")
		t.must(os.WriteFile(file, fmt.Appendf(nil, `
listen: 127.0.0.1:%s
base_url: %s
keys: ["hxXwLHjJ2Xl4yjKb1o0pQ0b3Kc9yq6C3i8nV5tZr7sE="]
log: {access: false}
database: %q
sessions: database
replica: {history: 24h}
pools: [{id: %q, issuer: %q, domain: %q, client_id: %q, client_secret: %q}]
routes: [{path: /, upstream: %q}]
`, port, site, database, id, pool.URL+"/"+id, pool.URL, client, secret, app.URL), 0o600))
		stop = proxytest.Run(base, "codegrant serve", exec.Command(t.program, "serve", "--config", file))
		await(base, site+"/auth/user")
		return stop
	}
	signIn := func(name, password string) string {
		t.Helper()
		return strings.TrimSpace(codegranttest.NewBrowser(base).SignIn(site+"/", name, password).Body)
	}

	// People, with what only an administrator gives them.
	_, err := t.api.AddCustomAttributes(t.Context(), &cip.AddCustomAttributesInput{UserPoolId: &old, CustomAttributes: []types.SchemaAttributeType{
		{Name: aws.String("plan"), AttributeDataType: types.AttributeDataTypeString, Mutable: aws.Bool(true)},
	}})
	t.must(err)
	_, err = t.api.CreateGroup(t.Context(), &cip.CreateGroupInput{UserPoolId: &old, GroupName: aws.String("payers"), Description: aws.String("They pay"), Precedence: aws.Int32(3)})
	t.must(err)
	for n := range 6 {
		name := fmt.Sprint("person", n)
		_, err := t.api.AdminCreateUser(t.Context(), &cip.AdminCreateUserInput{UserPoolId: &old, Username: &name, MessageAction: types.MessageActionTypeSuppress, UserAttributes: []types.AttributeType{
			{Name: aws.String("email"), Value: aws.String(name + "@example.com")}, {Name: aws.String("email_verified"), Value: aws.String("true")},
			{Name: aws.String("custom:plan"), Value: aws.String(fmt.Sprint("plan ", n))}, {Name: aws.String("name"), Value: aws.String("P " + name)},
		}})
		t.must(err)
		_, err = t.api.AdminSetUserPassword(t.Context(), &cip.AdminSetUserPasswordInput{UserPoolId: &old, Username: &name, Password: aws.String(codegranttest.Password), Permanent: true})
		t.must(err)
		if n%2 == 0 {
			_, err := t.api.AdminAddUserToGroup(t.Context(), &cip.AdminAddUserToGroupInput{UserPoolId: &old, Username: &name, GroupName: aws.String("payers")})
			t.must(err)
		}
	}
	_, err = t.api.AdminDisableUser(t.Context(), &cip.AdminDisableUserInput{UserPoolId: &old, Username: aws.String("person5")})
	t.must(err)
	first, err := t.api.CreateUserPoolClient(t.Context(), &cip.CreateUserPoolClientInput{
		UserPoolId: &old, ClientName: aws.String("shop"), GenerateSecret: true, CallbackURLs: []string{site + "/auth/callback"}, LogoutURLs: []string{site + "/"},
		AllowedOAuthFlows: []types.OAuthFlowType{types.OAuthFlowTypeCode}, AllowedOAuthScopes: []string{"openid", "email", "profile"}, AllowedOAuthFlowsUserPoolClient: true,
		SupportedIdentityProviders: []string{"COGNITO"},
	})
	t.must(err)
	stop := serve(old, aws.ToString(first.UserPoolClient.ClientId), aws.ToString(first.UserPoolClient.ClientSecret))
	before := make(map[string]string)
	for _, name := range []string{"person0", "person1"} {
		before[name] = signIn(name, codegranttest.Password)
	}
	if !strings.Contains(before["person0"], `"groups":"payers"`) || strings.Contains(before["person0"], `"id":""`) {
		t.Fatalf("the service sees %s", before["person0"])
	}
	t.run("sync", "--config", t.config, "--full")
	want, who := t.people(old), t.persons()

	// The commands of the chapter, with these pools.
	config, commands := deletedChapter(t)
	if len(commands) != 7 || !strings.HasPrefix(commands[1], "aws cognito-idp create-user-pool ") {
		t.Fatalf("the chapter has the commands %q", commands)
	}
	again := ""
	say := func(command string) (string, error) {
		t.Helper()
		for from, to := range map[string]string{"eu-west-1_Ab12Cd34E": old, "eu-west-1_Ef56Gh78I": again} {
			command = strings.ReplaceAll(command, "--pool-id "+from, "--pool-id "+to+" --endpoint "+pool.URL)
		}
		shell := exec.CommandContext(t.Context(), "sh", "-c", t.program+strings.TrimPrefix(command, "codegrant"))
		shell.Dir = folder
		out, err := shell.CombinedOutput()
		return string(out), err
	}
	do := func(command string) string {
		t.Helper()
		out, err := say(command)
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		return out
	}
	do(commands[0])

	// The mistake.
	stop()
	described, err := t.api.DescribeUserPool(t.Context(), &cip.DescribeUserPoolInput{UserPoolId: &old})
	t.must(err)
	if domain := described.UserPool.Domain; aws.ToString(domain) != "" {
		_, err := t.api.DeleteUserPoolDomain(t.Context(), &cip.DeleteUserPoolDomainInput{UserPoolId: &old, Domain: domain})
		t.must(err)
	}
	_, err = t.api.DeleteUserPool(t.Context(), &cip.DeleteUserPoolInput{UserPoolId: &old})
	t.must(err)
	t.refused("sync", "--config", t.config, "--full", "--max-share", "1")
	if now := t.persons(); fmt.Sprint(now) != fmt.Sprint(who) {
		t.Fatalf("a pass over a pool that does not exist leaves %v of %v", now, who)
	}
	if said := t.refused("restore", "--config", t.config, "--everybody", "--as-of", "1s", "--yes"); !strings.Contains(said, "does not exist") || !strings.Contains(said, "--into") {
		t.Fatalf("a restore into a pool that does not exist: %s", said)
	}

	// The way back.
	made, err := t.api.CreateUserPool(t.Context(), &cip.CreateUserPoolInput{PoolName: aws.String("shop"), UsernameAttributes: described.UserPool.UsernameAttributes, AliasAttributes: described.UserPool.AliasAttributes})
	t.must(err)
	again = aws.ToString(made.UserPool.Id)
	do(commands[2])
	do(commands[3])
	clients := make(map[string]*types.UserPoolClientType)
	listed, err := t.api.ListUserPoolClients(t.Context(), &cip.ListUserPoolClientsInput{UserPoolId: &again})
	t.must(err)
	for _, c := range listed.UserPoolClients {
		one, err := t.api.DescribeUserPoolClient(t.Context(), &cip.DescribeUserPoolClientInput{UserPoolId: &again, ClientId: c.ClientId})
		t.must(err)
		clients[aws.ToString(c.ClientName)] = one.UserPoolClient
	}
	web := clients["shop"]
	if web == nil || aws.ToString(web.ClientSecret) == "" {
		t.Fatalf("the new pool has the app clients %v", clients)
	}
	config = strings.ReplaceAll(config, "postgres://codegrant@db.internal/app", database)
	for from, to := range map[string]string{"eu-west-1_Ab12Cd34E": old, "eu-west-1_Ef56Gh78I": again} {
		config = strings.ReplaceAll(config, "id: "+from, "id: "+to+"\n    issuer: "+pool.URL+"/"+to)
	}
	t.must(os.WriteFile(filepath.Join(folder, "restore.yaml"), []byte(strings.ReplaceAll(config, "domain: shop.auth.eu-west-1.amazoncognito.com", "domain: "+pool.URL)), 0o600))
	count := fmt.Sprintf("made again: %d\n", len(want))
	eventually(base, "they were there a second ago", func() bool {
		return strings.Contains(do(commands[4]), "would be "+count)
	})
	if out := do(commands[5]); !strings.Contains(out, count) {
		t.Fatalf("the restore says %s", out)
	}
	do(commands[6])
	if got := t.people(again); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the new pool has\n%v\nand the old one had\n%v", got, want)
	}
	if now := t.persons(); fmt.Sprint(now) != fmt.Sprint(who) {
		t.Errorf("they are\n%v\nand were\n%v", now, who)
	}
	if out := do(commands[4]); !strings.Contains(out, "would be made again: 0\n") {
		t.Errorf("after it there is to do: %s", out)
	}

	// People come back.
	serve(again, aws.ToString(web.ClientId), aws.ToString(web.ClientSecret))
	forgot, err := t.api.CreateUserPoolClient(t.Context(), &cip.CreateUserPoolClientInput{
		UserPoolId: &again, ClientName: aws.String("forgot"), ExplicitAuthFlows: []types.ExplicitAuthFlowsType{"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"},
	})
	t.must(err)
	client := forgot.UserPoolClient.ClientId
	for name, was := range before {
		if _, err := t.api.InitiateAuth(t.Context(), &cip.InitiateAuthInput{ClientId: client, AuthFlow: types.AuthFlowTypeUserPasswordAuth, AuthParameters: map[string]string{"USERNAME": name, "PASSWORD": codegranttest.Password}}); err == nil {
			t.Errorf("%s has the old password", name)
		}
		_, err := t.api.ForgotPassword(t.Context(), &cip.ForgotPasswordInput{ClientId: client, Username: &name})
		t.must(err)
		_, err = t.api.ConfirmForgotPassword(t.Context(), &cip.ConfirmForgotPasswordInput{
			ClientId: client, Username: &name, ConfirmationCode: aws.String(lastCode(base, pool.Server, name+"@example.com")), Password: aws.String("N3w-Passw0rd!"),
		})
		t.must(err)
		if is := signIn(name, "N3w-Passw0rd!"); is != was {
			t.Errorf("the service sees %s as %s, and saw %s", name, is, was)
		}
	}
}
