//go:build unix

package e2e

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/jackc/pgx/v5"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/proxytest"
	"github.com/codegrant/codegrant/internal/testenv"
)

const eventSecret = "0123456789abcdef0123456789abcdef"

// cluster is two gateways that share sessions, and a process that follows events of
// the pool: each a process of its own.
type cluster struct {
	*testing.T
	pool     *codegranttest.Pool
	gateways []string
	events   string // URL
	admin    *cip.Client
	sync     func(args ...string) *exec.Cmd
	run      func(args ...string) *exec.Cmd // another command, with the configuration
}

// startCluster starts it with sessions in the given place of the configuration.
func startCluster(t *testing.T, binary, sessions string) *cluster {
	t.Helper()
	c := &cluster{T: t, pool: codegranttest.NewPool(t, nil)}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(seen{r.Method, r.RequestURI, r.Header})
	}))
	t.Cleanup(app.Close)
	c.admin = cip.New(cip.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(c.pool.URL),
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "administrator", SecretAccessKey: "none"}, nil
		}),
	})
	client := c.pool.Clients()[0]
	folder, events := t.TempDir(), freePort(t)
	base := ""
	for i := range 2 {
		port := freePort(t)
		c.gateways = append(c.gateways, "http://localhost:"+port)
		if i == 0 {
			base = c.gateways[0]
			if err := c.pool.RegisterURLs(client.ID, base+"/auth/callback", base+"/"); err != nil {
				t.Fatal(err)
			}
		}
		file := filepath.Join(folder, fmt.Sprintf("gateway%d.yaml", i))
		if err := os.WriteFile(file, fmt.Appendf(nil, `
listen: 127.0.0.1:%s
base_url: %s
keys: ["hxXwLHjJ2Xl4yjKb1o0pQ0b3Kc9yq6C3i8nV5tZr7sE="]
log: {access: false}
%s
replica: true
events: {listen: "127.0.0.1:%s", secret: %s}
pools: [{code_grant_url: %s/oauth2/token, jwks_url: %s/.well-known/jwks.json, client_id: %s, client_secret: %s}]
routes: [{path: /, upstream: %q}]
`, port, base, sessions, events, eventSecret, c.pool.URL, client.Issuer, client.ID, client.Secret, app.URL), 0o600); err != nil {
			t.Fatal(err)
		}
		proxytest.Run(t, "gateway", exec.Command(binary, "serve", "--config", file))
		await(t, "http://127.0.0.1:"+port+"/auth/user")
	}
	c.events = "http://127.0.0.1:" + events
	c.sync = func(args ...string) *exec.Cmd {
		program := exec.Command(binary, append([]string{"sync", "--config", filepath.Join(folder, "gateway0.yaml"), "--endpoint", c.pool.URL}, args...)...)
		program.Stdout, program.Stderr = t.Output(), t.Output()
		return program
	}
	c.run = func(args ...string) *exec.Cmd {
		return exec.Command(binary, append(args, "--config", filepath.Join(folder, "gateway0.yaml"))...)
	}
	return c
}

// newDatabase makes one in PostgreSQL and returns its URL.
func newDatabase(t *testing.T) string {
	t.Helper()
	server := testenv.Postgres(t)
	db, err := pgx.Connect(t.Context(), server)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	name := "follow_" + strings.ToLower(rand.Text())
	if _, err := db.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

// signIn signs a new person in, and checks that they get through both gateways.
func (c *cluster) signIn(name string) *codegranttest.Browser {
	c.Helper()
	c.pool.AddUser(name, name+"@example.com")
	b := codegranttest.NewBrowser(c.T)
	b.SignIn(c.gateways[0]+"/", name, codegranttest.Password)
	for _, gateway := range c.gateways {
		if status, got := c.ask(b, gateway); status != 200 || got.Header.Get("X-Auth-Username") != name {
			c.Fatalf("%s at %s: status %d, %v", name, gateway, status, got.Header)
		}
	}
	return b
}

// bearer is a program that has got an access token of its own, and got through with it.
func (c *cluster) bearer(name string) *codegranttest.Browser {
	c.Helper()
	p := &platform{t: c.T, pool: c.pool, url: c.gateways[0]}
	token := p.accessToken(name)
	b := codegranttest.NewBrowser(c.T)
	b.Client.Jar = nil
	b.Client.Transport = withToken(token)
	for _, gateway := range c.gateways {
		if status, _ := c.ask(b, gateway); status != 200 {
			c.Fatalf("the token of %s at %s: status %d", name, gateway, status)
		}
	}
	return b
}

// withToken sends a bearer token with each request.
type withToken string

func (token withToken) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(token))
	return http.DefaultTransport.RoundTrip(r)
}

// ask makes a request as a program does, with the cookies of a browser.
func (c *cluster) ask(b *codegranttest.Browser, gateway string) (int, seen) {
	r, err := http.NewRequestWithContext(c.Context(), http.MethodGet, gateway+"/page", nil)
	if err != nil {
		c.Error(err)
		return 0, seen{}
	}
	response, err := b.Client.Do(r)
	if err != nil {
		c.Error(err)
		return 0, seen{}
	}
	defer response.Body.Close()
	var got seen
	_ = json.NewDecoder(response.Body).Decode(&got)
	return response.StatusCode, got
}

// tell posts an event, as EventBridge does with a connection's secret.
func (c *cluster) tell(operation, subject, group string) {
	c.Helper()
	body := fmt.Sprintf(`{"version":"0","detail-type":"AWS API Call via CloudTrail","source":"aws.cognito-idp","detail":{"eventName":%q,"eventSource":"cognito-idp.amazonaws.com",`+
		`"eventTime":%q,"requestParameters":{"userPoolId":%q,"username":"HIDDEN_DUE_TO_SECURITY_REASONS","groupName":%q},"additionalEventData":{"sub":%q}}}`,
		operation, time.Now().UTC().Format(time.RFC3339), c.pool.PoolID, group, subject)
	r, err := http.NewRequestWithContext(c.Context(), http.MethodPost, c.events+"/events", strings.NewReader(body))
	if err != nil {
		c.Fatal(err)
	}
	r.Header.Set("X-Codegrant-Secret", eventSecret)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		c.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 204 {
		c.Fatalf("event %s: status %d", operation, response.StatusCode)
	}
}

func (c *cluster) subject(name string) string {
	c.Helper()
	out, err := c.admin.ListUsers(c.Context(), &cip.ListUsersInput{UserPoolId: &c.pool.PoolID, Filter: aws.String(fmt.Sprintf("username = %q", name))})
	if err != nil || len(out.Users) != 1 {
		c.Fatalf("look %s up: %v", name, err)
	}
	for _, a := range out.Users[0].Attributes {
		if *a.Name == "sub" {
			return *a.Value
		}
	}
	c.Fatalf("%s has no sub", name)
	return ""
}

func (c *cluster) disable(name string) {
	c.Helper()
	if _, err := c.admin.AdminDisableUser(c.Context(), &cip.AdminDisableUserInput{UserPoolId: &c.pool.PoolID, Username: &name}); err != nil {
		c.Fatal(err)
	}
}

// refused returns when every gateway has refused somebody, asking all the time.
func (c *cluster) refused(b *codegranttest.Browser) {
	c.Helper()
	deadline := time.Now().Add(30 * time.Second)
	var all sync.WaitGroup
	for _, gateway := range c.gateways {
		all.Go(func() {
			for {
				status, _ := c.ask(b, gateway)
				if status == 401 {
					return
				}
				if status != 200 || time.Now().After(deadline) {
					c.Errorf("%s: status %d, want 401 within 30 s", gateway, status)
					return
				}
			}
		})
	}
	all.Wait()
}

// TestFromDisabledToRefused: from AdminDisableUser, by AWS's own client, to a refused
// request on every gateway, it takes less than a second with events, and one pass
// without. Whoever is regrouped has the new groups at the next request.
func TestFromDisabledToRefused(t *testing.T) {
	binary := buildCodegrant(t)
	sqlite := func(t *testing.T) string { return "\ndatabase: sqlite:" + filepath.Join(t.TempDir(), "app.db") }
	for name, sessions := range map[string]func(t *testing.T) string{
		"Redis":      func(t *testing.T) string { return "sessions: redis\nredis: " + testenv.Redis(t) + sqlite(t) },
		"PostgreSQL": func(t *testing.T) string { return "sessions: database\ndatabase: " + newDatabase(t) },
		"SQLite":     func(t *testing.T) string { return "sessions: database" + sqlite(t) },
	} {
		t.Run(name, func(t *testing.T) {
			c := startCluster(t, binary, sessions(t))

			// Without events: one pass.
			dora := c.signIn("dora")
			token := c.bearer("dora")
			c.disable("dora")
			if err := c.sync().Run(); err != nil {
				t.Fatal(err)
			}
			known := time.Now() // another process has left the mark, and is gone
			c.refused(dora)
			c.refused(token)
			t.Logf("from the end of the pass to tokens refused on %d gateways: %s", len(c.gateways), time.Since(known))

			// An operator signs somebody out everywhere, who is not disabled.
			gina := c.signIn("gina")
			token = c.bearer("gina")
			if out, err := c.run("sessions", "end", "--user", "gina").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			known = time.Now()
			c.refused(gina)
			c.refused(token)
			if took := time.Since(known); took > 10*time.Second { // a second, and what a busy machine takes
				t.Errorf("the last gateway took a token for %s", took)
			}
			time.Sleep(time.Until(known.Add(time.Second))) // a token says no more of its time than the second
			c.bearer("gina")

			proxytest.Run(t, "sync", c.sync("--follow"))
			await(t, c.events+"/healthz")

			// With: a moment. What another process of this machine does at that time is
			// no fault of ours, so the middle one of several counts.
			var took []time.Duration
			for i := range 7 {
				who := fmt.Sprintf("person%d", i)
				b := c.signIn(who)
				subject := c.subject(who)
				begun := time.Now()
				c.disable(who)
				c.tell("AdminDisableUser", subject, "")
				c.refused(b)
				took = append(took, time.Since(begun))
			}
			slices.Sort(took)
			t.Logf("from AdminDisableUser to refused on %d gateways: median %s, best %s, worst %s of %d", len(c.gateways), took[len(took)/2], took[0], took[len(took)-1], len(took))
			if median := took[len(took)/2]; median > time.Second {
				t.Errorf("median %s, want less than a second", median)
			}

			// Regrouped: refreshed before the next use.
			erin := c.signIn("erin")
			if _, err := c.admin.AdminAddUserToGroup(t.Context(), &cip.AdminAddUserToGroupInput{UserPoolId: &c.pool.PoolID, Username: aws.String("erin"), GroupName: aws.String("editors")}); err != nil {
				t.Fatal(err)
			}
			if _, got := c.ask(erin, c.gateways[1]); got.Header.Get("X-Auth-Groups") != "" {
				t.Errorf("before anybody could know: groups %q", got.Header.Get("X-Auth-Groups"))
			}
			begun := time.Now()
			c.tell("AdminAddUserToGroup", c.subject("erin"), "editors")
			for _, gateway := range c.gateways {
				eventually(t, "erin's new group at "+gateway, func() bool {
					status, got := c.ask(erin, gateway)
					return status == 200 && got.Header.Get("X-Auth-Groups") == "editors"
				})
			}
			t.Logf("from the event of a new group to both gateways: %s", time.Since(begun))
		})
	}
}
