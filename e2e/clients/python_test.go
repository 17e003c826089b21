package clients

import (
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
)

// large is whether stories are told whose clients take long to install.
func large(t *testing.T) bool {
	t.Helper()
	all := os.Getenv("CODEGRANT_TEST_CLIENTS") == "all"
	if !all {
		t.Log("only with CODEGRANT_TEST_CLIENTS=all")
	}
	return all
}

// TestBoto3 tells the story of boto3, and that of AWS's command line, which the package index
// has in version 1 alone.
func TestBoto3(t *testing.T) {
	if !large(t) {
		return
	}
	bin := testenv.Python(t, "boto3==1.44.8", "awscli==1.46.3")
	a := thePool(t).register(t, "boto3", "http://localhost:3000/callback", "http://localhost:3000/", true)
	story := exec.CommandContext(t.Context(), filepath.Join(bin, "python"), "python/boto_story.py")
	story.Env = append(os.Environ(), "SETTINGS="+a.settings(t, nil))
	if out, err := story.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "told" {
		t.Errorf("boto3: %v\n%s", err, out)
	}

	commandLine(t, a.pool, filepath.Join(bin, "aws"), "aws-cli")
}

// TestAWSCLI2 tells the story of version 2 of AWS's command line, which Debian has and the package
// index has not.
func TestAWSCLI2(t *testing.T) {
	program := testenv.File(t, "/usr/bin/aws", "awscli")
	if out, err := exec.CommandContext(t.Context(), program, "--version").Output(); err != nil || !strings.HasPrefix(string(out), "aws-cli/2.") {
		t.Logf("%s is not of version 2: %s", program, out)
		return
	}
	commandLine(t, thePool(t), program, "aws-cli-2")
}

// commandLine tells the story of AWS's command line.
func commandLine(t *testing.T, pool *local, program, name string) {
	t.Helper()
	aws := func(args ...string) (string, error) {
		c := exec.CommandContext(t.Context(), program, append([]string{"cognito-idp", "--endpoint-url", pool.url, "--region", region, "--output", "text"}, args...)...)
		c.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=none", "AWS_CONFIG_FILE=/nowhere", "AWS_PAGER=")
		out, err := c.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	public := pool.register(t, name, "http://localhost:3000/callback", "http://localhost:3000/", false)
	signIn := func(password string) (string, error) {
		return aws("initiate-auth", "--client-id", public.id, "--auth-flow", "USER_PASSWORD_AUTH", "--auth-parameters", "USERNAME="+name+",PASSWORD="+password, "--query", "AuthenticationResult.[AccessToken,RefreshToken]")
	}
	if out, err := signIn("Wr0ng-Passw0rd"); err == nil || !strings.Contains(out, "(NotAuthorizedException)") || !strings.Contains(out, "Incorrect username or password.") {
		t.Errorf("a wrong password: %v, %s", err, out)
	}
	out, err := signIn(password)
	access, refresh, ok := strings.Cut(out, "\t")
	if err != nil || !ok {
		t.Fatalf("initiate-auth: %v, %s", err, out)
	}
	for _, step := range []struct {
		want string
		args []string
	}{
		{name, []string{"get-user", "--access-token", access, "--query", "Username"}},
		{"admins\tanalysts", []string{"admin-list-groups-for-user", "--user-pool-id", pool.id, "--username", name, "--query", "Groups[].GroupName"}},
		{"3600", []string{"initiate-auth", "--client-id", public.id, "--auth-flow", "REFRESH_TOKEN_AUTH", "--auth-parameters", "REFRESH_TOKEN=" + refresh, "--query", "AuthenticationResult.ExpiresIn"}},
		{name, []string{"list-users", "--user-pool-id", pool.id, "--filter", `username = "` + name + `"`, "--page-size", "1", "--query", "Users[].Username"}},
		{"", []string{"revoke-token", "--token", refresh, "--client-id", public.id}},
	} {
		if out, err := aws(step.args...); err != nil || out != step.want {
			t.Errorf("%s: %v, %q", step.args[0], err, out)
		}
	}
	if out, err := aws("get-user", "--access-token", access); err == nil || !strings.Contains(out, "Access Token has been revoked") {
		t.Errorf("after revoke-token: %v, %s", err, out)
	}
}

// TestDjangoPackages tells the stories of social-auth-app-django and django-allauth.
func TestDjangoPackages(t *testing.T) {
	if !large(t) {
		return
	}
	bin := testenv.Python(t, "Django==5.2.19", "social-auth-app-django==8.0.0", "social-auth-core==7.0.0", "django-allauth[socialaccount]==65.22.1")
	for _, story := range []struct{ name, callback, begin string }{
		{"social-auth", "social/complete/cognito/", "start"},
		{"allauth", "accounts/amazon-cognito/login/callback/", "accounts/amazon-cognito/login/"},
	} {
		t.Run(story.name, func(t *testing.T) {
			home := site(t)
			a := thePool(t).register(t, story.name, home+story.callback, home, true)
			address, err := url.Parse(home)
			if err != nil {
				t.Fatal(err)
			}
			c := exec.Command(filepath.Join(bin, "python"), "python/site.py", address.Port())
			c.Env = append(os.Environ(), "SETTINGS="+a.settings(t, map[string]any{"database": filepath.Join(t.TempDir(), "db"), "logout": a.logout()}))
			serve(t, home, c)

			b := codegranttest.NewBrowser(t)
			begin := func() *codegranttest.Page {
				t.Helper()
				page := b.Open(home + story.begin)
				if form, ok := page.Form("csrfmiddlewaretoken"); ok {
					page = b.Submit(page, form, nil)
				}
				return page
			}
			type person struct {
				Username, Email, First, UID string
				Verified, Refresh           bool
			}
			read := func() (p person) {
				t.Helper()
				page := b.Open(home + "me")
				if err := json.Unmarshal([]byte(page.Body), &p); err != nil {
					t.Fatal(page.Body)
				}
				return p
			}
			// Cancelled: with the state of a sign-in that has begun, and with one that is made up.
			login := begin()
			state := login.URL.Query().Get("state")
			for _, query := range []string{"error=access_denied&error_description=cancelled&state=" + url.QueryEscape(state), "code=made-up&state=made-up"} {
				if page := b.Open(a.callback + "?" + query); page.Status >= 500 || read() != (person{}) {
					t.Errorf("%s: %d at %s", query, page.Status, page.URL)
				}
			}
			page := signsIn(t, b, begin(), a.username)
			p := read()
			if p.Email != a.email || p.First != "Alice" || p.UID == "" || p.Username == "" {
				t.Fatalf("the sign-in ended at %s: %+v", page.URL, p)
			}
			if story.name == "allauth" {
				if !p.Verified || !p.Refresh {
					t.Errorf("%+v", p)
				}
			} else {
				if page := b.Open(home + "refresh"); page.Body != "refreshed" {
					t.Errorf("a refresh: %s", page.Body)
				}
				a.signOutEverywhere(t)
				if page := b.Open(home + "refresh"); !strings.HasPrefix(page.Body, "AuthCredentialError:") {
					t.Errorf("a refresh after the person was signed out everywhere: %s", page.Body)
				}
			}
			if page := b.Open(home + "leave"); page.URL.String() != home || read() != (person{}) {
				t.Errorf("the sign-out ended at %s", page.URL)
			}
			if page := begin(); !strings.HasPrefix(page.URL.String(), a.pool.url+"/login?") {
				t.Errorf("after it the sign-in ended at %s", page.URL)
			}
		})
	}
}
