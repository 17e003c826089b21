package clients

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
)

const (
	storiesID = region + "_Stories1"
	withoutID = region + "_Without1" // where people need no password
	password  = "Passw0rd!"
)

const storiesSeed = `
pools:
  - id: ` + storiesID + `
    name: stories
    clients: [{id: nobody}]
    resource_servers: [{identifier: orders, scopes: [read]}]
    groups: [{name: admins, precedence: 1}, {name: analysts}]
  - id: ` + withoutID + `
    name: passkeys
    first_factors: [PASSWORD, WEB_AUTHN]
    clients: [{id: nobody2}]
    resource_servers: [{identifier: orders, scopes: [read]}]
    groups: [{name: admins, precedence: 1}, {name: analysts}]
`

// local is the program codegrant pool, which the stories share. Each story has an app
// client and a person of its own there.
type local struct {
	url    string
	id     string // of the pool among those of the program
	issuer string
	api    *cognitoidentityprovider.Client
	ended  func() error
}

var started struct {
	sync.Mutex
	pool    *local
	err     error
	folders []string
	node    string
	program string // the folder of the JavaScript programs
}

func TestMain(m *testing.M) {
	code := m.Run()
	if started.pool != nil {
		if err := started.pool.ended(); err != nil {
			fmt.Fprintln(os.Stderr, "the pool:", err)
			code = max(code, 1)
		}
	}
	for _, folder := range started.folders {
		_ = os.RemoveAll(folder)
	}
	os.Exit(code)
}

// folder is one that stays until all tests have ended.
func folder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "codegrant-clients")
	if err != nil {
		t.Fatal(err)
	}
	started.folders = append(started.folders, folder)
	return folder
}

// javaScript is Node.js, and the programs of this folder with their packages, which are
// installed once.
func javaScript(t *testing.T) (node, programs string) {
	t.Helper()
	started.Lock()
	defer started.Unlock()
	if started.node == "" {
		programs := folder(t)
		started.node, started.program = testenv.NodeIn(t, ".", programs), programs
	}
	return started.node, started.program
}

func thePool(t *testing.T) *local {
	t.Helper()
	started.Lock()
	defer started.Unlock()
	if started.pool == nil && started.err == nil {
		started.pool, started.err = startPool(folder(t))
	}
	if started.err != nil {
		t.Fatal(started.err)
	}
	return started.pool
}

// without is the pool whose people need no password.
func (p *local) without() *local {
	other := *p
	other.id, other.issuer = withoutID, p.url+"/"+withoutID
	return &other
}

func startPool(folder string) (*local, error) {
	binary, seed := filepath.Join(folder, "codegrant"), filepath.Join(folder, "pool.yaml")
	build := exec.Command("go", "build", "-o", binary, "./cmd/codegrant")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build codegrant: %w\n%s", err, out)
	}
	if err := os.WriteFile(seed, []byte(storiesSeed), 0o600); err != nil {
		return nil, err
	}
	pool := exec.Command(binary, "pool", "--seed", seed, "--listen", "127.0.0.1:0", "--region", region)
	out, err := pool.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := pool.Start(); err != nil {
		return nil, err
	}
	end := func() error { return errors.Join(pool.Process.Signal(syscall.SIGINT), pool.Wait()) }
	address := regexp.MustCompile(`Local pool\s+(http://\S+)`)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if m := address.FindStringSubmatch(lines.Text()); m != nil {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return &local{
				url: m[1], id: storiesID, issuer: m[1] + "/" + storiesID, ended: end,
				api: cognitoidentityprovider.New(cognitoidentityprovider.Options{
					Region: region, BaseEndpoint: aws.String(m[1]),
					Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
						return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "none"}, nil
					}),
				}),
			}, nil
		}
	}
	return nil, errors.Join(errors.New("the pool printed no address"), end())
}

// An application is registered with the pool, and has a person who signs in to it.
type application struct {
	pool            *local
	id, secret      string
	callback, home  string
	username, email string
}

// register makes an app client with those URLs, and a person of that name, who is in both
// groups.
func (p *local) register(t *testing.T, name, callback, home string, confidential bool) *application {
	t.Helper()
	created, err := p.api.CreateUserPoolClient(t.Context(), &cognitoidentityprovider.CreateUserPoolClientInput{
		UserPoolId: aws.String(p.id), ClientName: aws.String(name), GenerateSecret: confidential,
		CallbackURLs: []string{callback}, LogoutURLs: []string{home},
		AllowedOAuthFlows: []types.OAuthFlowType{types.OAuthFlowTypeCode}, AllowedOAuthFlowsUserPoolClient: true,
		AllowedOAuthScopes:         []string{"openid", "email", "profile", "aws.cognito.signin.user.admin", "orders/read"},
		SupportedIdentityProviders: []string{"COGNITO"},
		ExplicitAuthFlows:          []types.ExplicitAuthFlowsType{types.ExplicitAuthFlowsTypeAllowUserSrpAuth, types.ExplicitAuthFlowsTypeAllowUserAuth, types.ExplicitAuthFlowsTypeAllowUserPasswordAuth, types.ExplicitAuthFlowsTypeAllowRefreshTokenAuth},
	})
	if err != nil {
		t.Fatal(err)
	}
	a := &application{pool: p, id: *created.UserPoolClient.ClientId, callback: callback, home: home, username: name, email: name + "@example.com"}
	if confidential {
		a.secret = *created.UserPoolClient.ClientSecret
	}
	if _, err := p.api.AdminCreateUser(t.Context(), &cognitoidentityprovider.AdminCreateUserInput{
		UserPoolId: aws.String(p.id), Username: aws.String(name), MessageAction: types.MessageActionTypeSuppress,
		UserAttributes: []types.AttributeType{
			{Name: aws.String("email"), Value: aws.String(a.email)}, {Name: aws.String("email_verified"), Value: aws.String("true")}, {Name: aws.String("name"), Value: aws.String("Alice of " + name)},
			{Name: aws.String("given_name"), Value: aws.String("Alice")}, {Name: aws.String("family_name"), Value: aws.String("Adams")},
		},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.api.AdminSetUserPassword(t.Context(), &cognitoidentityprovider.AdminSetUserPasswordInput{
		UserPoolId: aws.String(p.id), Username: aws.String(name), Password: aws.String(password), Permanent: true,
	}); err != nil {
		t.Fatal(err)
	}
	for _, group := range []string{"admins", "analysts"} {
		if _, err := p.api.AdminAddUserToGroup(t.Context(), &cognitoidentityprovider.AdminAddUserToGroupInput{UserPoolId: aws.String(p.id), Username: aws.String(name), GroupName: aws.String(group)}); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

// logout is where a person leaves the pool.
func (a *application) logout() string {
	return a.pool.url + "/logout?" + url.Values{"client_id": {a.id}, "logout_uri": {a.home}}.Encode()
}

// signOutEverywhere ends what the person's refresh tokens are good for.
func (a *application) signOutEverywhere(t *testing.T) {
	t.Helper()
	if _, err := a.pool.api.AdminUserGlobalSignOut(t.Context(), &cognitoidentityprovider.AdminUserGlobalSignOutInput{UserPoolId: aws.String(a.pool.id), Username: aws.String(a.username)}); err != nil {
		t.Fatal(err)
	}
}

// settings are what a program is told as SETTINGS.
func (a *application) settings(t *testing.T, more map[string]any) string {
	t.Helper()
	all := map[string]any{
		"url": a.pool.url, "issuer": a.pool.issuer, "region": region, "pool": a.pool.id, "client": a.id, "secret": a.secret, "callback": a.callback, "home": a.home,
		"username": a.username, "email": a.email, "password": password,
	}
	for name, value := range more {
		all[name] = value
	}
	b, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// visitor is a browser that stops where it is sent back to the application, which is a
// program without pages.
func (a *application) visitor(t *testing.T) *codegranttest.Browser {
	b := codegranttest.NewBrowser(t)
	b.Client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if at := r.URL.Scheme + "://" + r.URL.Host; strings.HasPrefix(a.callback, at) || strings.HasPrefix(a.home, at) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return b
}

// visit opens an address and signs in where that is asked for: once with a wrong password,
// of which the page says so, then with the right one. It returns where the person arrives.
func (a *application) visit(t *testing.T, b *codegranttest.Browser, address string) *url.URL {
	t.Helper()
	page := signsIn(t, b, b.Open(address), a.username)
	location, err := page.URL.Parse(page.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	return location
}

func signsIn(t *testing.T, b *codegranttest.Browser, page *codegranttest.Page, username string) *codegranttest.Page {
	t.Helper()
	for _, secret := range []string{"Wr0ng-Passw0rd", password} {
		form, ok := page.Form("password")
		if !ok {
			return page
		}
		page = b.Submit(page, form, map[string]string{"username": username, "password": secret})
		if secret != password && !strings.Contains(page.Body, "Incorrect username or password.") {
			t.Fatalf("a wrong password ended at %s:\n%s", page.URL, page.Body)
		}
	}
	return page
}

// tell runs a program to its end. It prints "open ADDRESS" for each address that it has a
// person open, and reads where that ended.
func (a *application) tell(t *testing.T, b *codegranttest.Browser, c *exec.Cmd) {
	t.Helper()
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.Stderr = t.Output()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	visits := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		address, ok := strings.CutPrefix(lines.Text(), "open ")
		if !ok {
			t.Log(lines.Text())
			continue
		}
		visits++
		fmt.Fprintln(in, a.visit(t, b, address))
	}
	if err := c.Wait(); err != nil {
		t.Errorf("%s: %v", filepath.Base(c.Args[len(c.Args)-1]), err)
	}
	if visits < 2 {
		t.Errorf("it had %d addresses opened", visits)
	}
}
