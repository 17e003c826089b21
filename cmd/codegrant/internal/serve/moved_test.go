package serve

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/move"
)

// TestS779_AnotherPool: the gateway changes to another pool. Whoever signs in with the
// password that they have is the person that they were; whoever says so of themselves is
// refused.
func TestS779_AnotherPool(t *testing.T) {
	ctx := t.Context()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	g := newGate(t, "keys_file: keys\nsessions: database\ndatabase: sqlite:people.db\nreplica: true\n"+oneUpstream)
	g.writeFile("keys", newSealingKey())
	g.start()
	who := func(b *codegranttest.Browser, name string) (row, groups string) {
		t.Helper()
		if page := b.SignIn(g.url+"/", name, codegranttest.Password); page.Status != 200 {
			t.Fatalf("%s: %d %s", name, page.Status, page.Body)
		}
		if status, body := g.get(b.Client, "/"); status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		h := <-g.saw
		return h.Get("X-Auth-User-Id"), h.Get("X-Auth-Groups")
	}
	stays := codegranttest.NewBrowser(t)
	before, groups := who(stays, "alice@example.com")
	bob, _ := who(codegranttest.NewBrowser(t), "bob@example.com")
	if before == "" || groups == "" || bob == before {
		t.Fatalf("row %q, groups %q", before, groups)
	}
	former, err := os.ReadFile(g.config)
	ok(err)
	if status := g.end(); status != 0 {
		t.Fatalf("status %d", status)
	}

	// The new pool is empty, and calls the trigger.
	const id = "local_New000001"
	seed, err := localpool.ParseSeed(fmt.Appendf(nil, `
pools:
  - id: %s
    clients: [{id: web, callback_urls: ["%s/auth/callback"], logout_urls: ["%s/"], auth_flows: [ALLOW_USER_PASSWORD_AUTH]}]
`, id, g.url, g.url))
	ok(err)
	var pools *localpool.Server
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { pools.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	pools, err = localpool.New(localpool.Config{Seed: seed, BaseURL: server.URL})
	ok(err)
	t.Cleanup(func() { _ = pools.Close() })
	api := func(url string) *cip.Client {
		return cip.New(cip.Options{Region: "local", BaseEndpoint: &url, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	}
	now, old := api(server.URL), api(g.pool.URL)
	_, err = now.AddCustomAttributes(ctx, &cip.AddCustomAttributesInput{UserPoolId: aws.String(id), CustomAttributes: []types.SchemaAttributeType{
		{Name: aws.String(strings.TrimPrefix(move.Attribute, "custom:")), AttributeDataType: types.AttributeDataTypeString, Mutable: aws.Bool(true)},
	}})
	ok(err)
	client, err := old.CreateUserPoolClient(ctx, &cip.CreateUserPoolClientInput{
		UserPoolId: &g.pool.PoolID, ClientName: aws.String("move"), ExplicitAuthFlows: []types.ExplicitAuthFlowsType{types.ExplicitAuthFlowsTypeAllowAdminUserPasswordAuth},
	})
	ok(err)
	key := bytes.Repeat([]byte{5}, move.KeySize)
	tickets, err := move.NewTickets(key, g.pool.PoolID, id)
	ok(err)
	m, err := move.New(move.Config{Old: old, New: now, Tickets: tickets, Share: 1e6})
	ok(err)
	_, err = m.Groups(ctx, false)
	ok(err)
	arrival, err := move.NewArrival(move.ArrivalConfig{Old: old, New: now, Tickets: tickets, OldClientID: *client.UserPoolClient.ClientId})
	ok(err)
	for _, name := range []string{localpool.UserMigration, localpool.PreTokenGeneration} {
		ok(pools.SetTrigger(id, name, localpool.Trigger{Func: func(ctx context.Context, event map[string]any) error {
			in, err := json.Marshal(event)
			if err != nil {
				return err
			}
			out, err := arrival.Handle(ctx, in)
			if err != nil {
				return err
			}
			clear(event)
			return json.Unmarshal(out, &event)
		}}))
	}

	was := g.pool.Register(g.url)
	g.writeFile("codegrant.yaml", fmt.Sprintf(`
listen: %s
base_url: %s
log: {format: json, level: debug}
keys_file: keys
sessions: database
database: sqlite:people.db
replica: true
pools:
  - id: %s
    domain: %s
    issuer: %s/%s
    client_id: web
    moved_from: {id: %s, issuer: %s/%s, key: "%s", sessions: {domain: %s, client_id: %s, client_secret: %s}}
`, g.url[strings.LastIndexByte(g.url, '/')+1:], g.url, id, server.URL, server.URL, id, g.pool.PoolID, g.pool.URL, g.pool.PoolID,
		base64.StdEncoding.EncodeToString(key), was.Domain, was.ClientID, was.ClientSecret.Reveal())+strings.ReplaceAll(oneUpstream, "${UP}", g.up))
	g.start()
	// Whoever is signed in stays so.
	if status, body := g.get(stays.Client, "/"); status != 200 {
		t.Errorf("a session of the old pool: %d %s", status, body)
	} else if h := <-g.saw; h.Get("X-Auth-User-Id") != before || h.Get("X-Auth-Groups") != groups {
		t.Errorf("a session of the old pool: %v", h)
	}
	after, groupsAfter := who(codegranttest.NewBrowser(t), "alice@example.com")
	if after != before || groupsAfter != groups {
		t.Errorf("she was row %s in %s, and is row %s in %s", before, groups, after, groupsAfter)
	}
	if again, _ := who(codegranttest.NewBrowser(t), "alice@example.com"); again != before {
		t.Errorf("at the second sign-in she is row %s", again)
	}

	// Back at the old pool, forth and back again, in the midst of the move and after its end:
	// everybody gets in, and is who they were.
	latter, err := os.ReadFile(g.config)
	ok(err)
	change := func(to []byte) {
		t.Helper()
		if status := g.end(); status != 0 {
			t.Fatalf("status %d", status)
		}
		g.writeFile("codegrant.yaml", string(to))
		g.start()
	}
	for _, drained := range []bool{false, true} {
		if drained {
			d, err := m.Drain(ctx, false)
			ok(err)
			if d.Made == 0 || d.Failed != 0 {
				t.Errorf("drained: %+v", d)
			}
		}
		change(former)
		a, groupsThere := who(codegranttest.NewBrowser(t), "alice@example.com")
		b, _ := who(codegranttest.NewBrowser(t), "bob@example.com")
		if a != before || b != bob || groupsThere != groups {
			t.Errorf("rolled back, drained %t: alice is row %s in %s, was %s in %s; bob is row %s, was %s", drained, a, groupsThere, before, groups, b, bob)
		}
		change(latter)
		if a, _ := who(codegranttest.NewBrowser(t), "alice@example.com"); a != before {
			t.Errorf("forth again, drained %t: alice is row %s, was %s", drained, a, before)
		}
	}

	// Mallory has written into his attribute that he is her.
	alice, err := old.AdminGetUser(ctx, &cip.AdminGetUserInput{UserPoolId: &g.pool.PoolID, Username: aws.String("alice")})
	ok(err)
	sub := ""
	for _, at := range alice.UserAttributes {
		if aws.ToString(at.Name) == "sub" {
			sub = aws.ToString(at.Value)
		}
	}
	own := tickets.Issue("mallory")
	for i, ticket := range []string{sub, sub + own[strings.LastIndexByte(own, '.'):]} {
		name := fmt.Sprintf("mallory%d", i)
		_, err = now.AdminCreateUser(ctx, &cip.AdminCreateUserInput{UserPoolId: aws.String(id), Username: &name, MessageAction: types.MessageActionTypeSuppress,
			UserAttributes: []types.AttributeType{{Name: aws.String(move.Attribute), Value: &ticket}}})
		ok(err)
		_, err = now.AdminSetUserPassword(ctx, &cip.AdminSetUserPasswordInput{UserPoolId: aws.String(id), Username: &name, Password: aws.String(codegranttest.Password), Permanent: true})
		ok(err)
		if page := codegranttest.NewBrowser(t).SignIn(g.url+"/", name, codegranttest.Password); page.Status != 400 {
			t.Errorf("with %q: %d %s", ticket, page.Status, page.Body)
		}
	}
	g.logged("sign-in refused")
}
