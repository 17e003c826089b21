package blocks

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
)

const password = "Passw0rd!"

// text is the block of a page that begins so.
func text(t *testing.T, page, begins string) string {
	t.Helper()
	b, ok := Find(root, page, begins)
	if !ok {
		t.Fatalf("%s has no block that begins with %q", page, begins)
	}
	return b.Text
}

// replaced puts the test's own values where the documentation has examples. Each of them
// has to be there.
func replaced(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the documentation does not have %q any more:\n%s", pairs[i], text)
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// start runs a program until the test ends, and waits until it listens.
func start(t *testing.T, address, dir string, environment []string, name string, args ...string) {
	t.Helper()
	c := exec.Command(name, args...)
	c.Dir, c.Env = dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, environment...)
	c.Stdout, c.Stderr = t.Output(), t.Output()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() {
		_ = c.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			_ = c.Process.Kill()
			<-ended
		}
	})
	for deadline := time.Now().Add(time.Minute); ; {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v", filepath.Base(name), err)
		case <-time.After(25 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen on %s", name, address)
		}
	}
}

// shell runs commands as a person who copies them, and returns what they print.
func shell(t *testing.T, dir string, environment []string, commands string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", commands)
	c.Dir, c.Env = dir, append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, environment...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v\n%s\n%s%s", err, commands, out, stderr.String())
	}
	return string(out)
}

// call sends a request of the JSON API to the local pool.
func call(t *testing.T, pool, operation string, in any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, pool+"/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if out, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s", operation, response.StatusCode, out)
	}
}

func addPerson(t *testing.T, pool, poolID, email string, groups ...string) {
	t.Helper()
	call(t, pool, "AdminCreateUser", map[string]any{"UserPoolId": poolID, "Username": email, "MessageAction": "SUPPRESS",
		"UserAttributes": []map[string]string{{"Name": "email", "Value": email}, {"Name": "email_verified", "Value": "true"}}})
	call(t, pool, "AdminSetUserPassword", map[string]any{"UserPoolId": poolID, "Username": email, "Password": password, "Permanent": true})
	for _, group := range groups {
		call(t, pool, "CreateGroup", map[string]any{"UserPoolId": poolID, "GroupName": group})
		call(t, pool, "AdminAddUserToGroup", map[string]any{"UserPoolId": poolID, "Username": email, "GroupName": group})
	}
}

// TestJourneyGo is a newcomer with Go: docs/getting-started.md makes the pool, README.md has
// the service, doctor looks at the settings.
func TestJourneyGo(t *testing.T) {
	aws := testenv.Python(t, "boto3==1.44.8", "awscli==1.46.3")
	p := newProgram(t)
	dir := t.TempDir()
	address, site := testenv.FreeAddress(t), testenv.FreeAddress(t)
	pool := "http://" + address
	_, port, _ := net.SplitHostPort(site)
	base := "http://localhost:" + port
	start(t, address, dir, nil, p.binary, "pool", "--listen", address, "--region", "eu-west-1", "--quiet")

	// Create a user pool. The package index has version 1 of AWS's command line alone.
	configured := filepath.Join(dir, "aws")
	if err := os.WriteFile(configured, []byte("[default]\ncli_follow_urlparam = false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const page = "docs/getting-started.md"
	printed := shell(t, dir, []string{
		"PATH=" + aws + ":" + os.Getenv("PATH"), "AWS_ENDPOINT_URL=" + pool, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=none", "AWS_CONFIG_FILE=" + configured,
	}, replaced(t, text(t, page, "REGION=eu-west-1"), "APP=https://app.example.com ", "APP="+base+" ")+"\necho $POOL\n")
	words := strings.Fields(printed)
	if len(words) < 3 {
		t.Fatalf("the commands print %q", printed)
	}
	client, secret, poolID := words[len(words)-3], words[len(words)-2], words[len(words)-1]
	addPerson(t, pool, poolID, "carol@example.com", "analysts")

	// The settings, in Go.
	const wanted = `Region: "eu-west-1", ID: "eu-west-1_Ab12Cd34E",`
	program := replaced(t, text(t, "README.md", "package main"),
		wanted, fmt.Sprintf("Region: %q, ID: %q, Issuer: %q,", "eu-west-1", poolID, pool+"/"+poolID),
		`"acme.auth.eu-west-1.amazoncognito.com"`, fmt.Sprintf("%q", pool),
		`"2example3client4"`, fmt.Sprintf("%q", client), `"from your secret store"`, fmt.Sprintf("%q", secret),
		`"https://app.example.com"`, fmt.Sprintf("%q", base), "localhost:8080", site)
	source, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "service")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, source).CombinedOutput(); err != nil {
		t.Fatalf("build the service of the documentation: %v\n%s\n%s", err, out, program)
	}
	start(t, site, dir, nil, binary)
	if page := codegranttest.NewBrowser(t).SignIn(base+"/reports/2026", "carol@example.com", password); page.Body != "reports for carol@example.com\n" {
		t.Errorf("carol sees %q at %s", page.Body, page.URL)
	}

	// From the environment, and doctor.
	secretFile := filepath.Join(dir, "secret")
	if err := os.WriteFile(secretFile, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := replaced(t, text(t, page, "export AUTH_COGNITO_CLIENT_ID=…"),
		"CLIENT_ID=…", "CLIENT_ID="+client, "https://acme-example.auth.eu-west-1.amazoncognito.com", pool,
		"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E", pool+"/"+poolID,
		"https://app.example.com", base, "/run/secrets/cognito", secretFile)
	doctor, _, _ := strings.Cut(text(t, page, "codegrant doctor"), "\n")
	out := shell(t, dir, nil, settings+strings.Replace(doctor, "codegrant", p.binary, 1))
	if strings.Contains(out, "FAULT") || !strings.Contains(out, base+"/auth/callback") {
		t.Errorf("doctor prints\n%s", out)
	}
}

// TestJourneyGateway is a newcomer with Node.js: the first part of docs/gateway.md.
func TestJourneyGateway(t *testing.T) {
	node := testenv.Program(t, "node")
	p := newProgram(t)
	dir := t.TempDir()
	pool := codegranttest.NewPool(t, nil)
	service, gateway := testenv.FreeAddress(t), testenv.FreeAddress(t)
	_, port, _ := net.SplitHostPort(gateway)
	base := "http://localhost:" + port
	registered := pool.Register(base)

	const page = "docs/gateway.md"
	_, servicePort, _ := net.SplitHostPort(service)
	program := replaced(t, text(t, page, `import { createServer } from "node:http"`), "listen(3000,", "listen("+servicePort+",")
	config := replaced(t, text(t, page, "listen: 127.0.0.1:8080\nbase_url: https://app.example.com\npools:"),
		"127.0.0.1:8080", gateway, "https://app.example.com", base,
		"id: eu-west-1_Ab12Cd34E", "code_grant_url: "+pool.URL+"/oauth2/token", "domain: acme.auth.eu-west-1.amazoncognito.com", "jwks_url: "+registered.Issuer+"/.well-known/jwks.json",
		"${COGNITO_CLIENT_ID}", "${COGNITO_CLIENT_ID}\n    client_secret: ${COGNITO_CLIENT_SECRET}", "127.0.0.1:3000", service)
	for name, text := range map[string]string{"service.mjs": program, "codegrant.yaml": config} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environment := []string{"COGNITO_CLIENT_ID=" + registered.ClientID, "COGNITO_CLIENT_SECRET=" + registered.ClientSecret.Reveal()}
	commands := strings.Split(strings.TrimSpace(text(t, page, "codegrant serve --check --config")), "\n")
	if len(commands) != 3 {
		t.Fatalf("the first part has %d commands", len(commands))
	}
	run := func(i int) string { return strings.Replace(commands[i], "codegrant", p.binary, 1) }
	if out := shell(t, dir, environment, run(0)); !strings.Contains(out, "codegrant.yaml is valid: 1 pool, 2 routes") {
		t.Errorf("--check prints %s", out)
	}
	shell(t, dir, environment, run(2))
	schema, err := os.ReadFile(filepath.Join(dir, "codegrant.schema.json"))
	if err != nil || !json.Valid(schema) {
		t.Errorf("--schema: %v, %d bytes", err, len(schema))
	}
	start(t, service, dir, nil, node, "service.mjs")
	start(t, gateway, dir, environment, p.binary, strings.Fields(commands[1])[1:]...)

	bob := codegranttest.NewBrowser(t)
	if page := bob.SignIn(base+"/", "bob@example.com", password); page.Body != "Hello bob@example.com, you are in 1 groups.\n" {
		t.Errorf("bob sees %q at %s", page.Body, page.URL)
	}
	if page := bob.Open(base + "/reports"); page.Status != http.StatusForbidden {
		t.Errorf("bob's reports: %d %s", page.Status, page.Body)
	}
	alice := codegranttest.NewBrowser(t)
	if page := alice.SignIn(base+"/reports", "alice@example.com", password); page.Body != "Hello alice@example.com, you are in 2 groups.\n" {
		t.Errorf("alice sees %q at %s", page.Body, page.URL)
	}
}

// TestJourneyDjango is a team that moves: the steps of the guide that are commands, and the
// Go backend that it shows, on a database of Django's.
func TestJourneyDjango(t *testing.T) {
	python := testenv.Django(t)
	p := newProgram(t)
	dir := t.TempDir()
	pool := codegranttest.NewPool(t, nil)
	site := testenv.FreeAddress(t)
	_, port, _ := net.SplitHostPort(site)
	base := "http://localhost:" + port
	registered := pool.Register(base)

	// Django's database, and an account in it.
	database := filepath.Join(dir, "django.db")
	settings, err := json.Marshal(map[string]any{
		"database": map[string]any{"ENGINE": "django.db.backends.sqlite3", "NAME": database}, "domain": ".example.test", "client_id": registered.ClientID, "client_secret": "",
		"token_url": pool.URL, "authorize_url": pool.URL, "jwks_url": pool.URL, "login_url": base, "after": base,
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "settings.json")
	if err := os.WriteFile(file, settings, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), python, "../django/site.py", file, "migrate").CombinedOutput(); err != nil {
		t.Fatalf("migrate Django's tables: %v\n%s", err, out)
	}
	db, err := sql.Open("sqlite", "file:"+database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tables := func() (n int) {
		t.Helper()
		if err := db.QueryRowContext(t.Context(), `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name LIKE 'codegrant%'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if _, err := db.ExecContext(t.Context(), `INSERT INTO auth_user (username, email, password, is_superuser, first_name, last_name, is_staff, is_active, date_joined)
		VALUES ('bob', 'bob@example.com', '!', 0, '', '', 0, 1, '2020-06-01 00:00:00')`); err != nil {
		t.Fatal(err)
	}

	// The commands of the guide, out of its text.
	guide, err := os.ReadFile(filepath.Join(root, "docs", "migrating-from-cognito-code-grant.md"))
	if err != nil {
		t.Fatal(err)
	}
	command := func(pattern string) string {
		t.Helper()
		found := regexp.MustCompile("`(codegrant " + pattern + ")`").FindStringSubmatch(string(guide))
		if found == nil {
			t.Fatalf("the guide has no command %q", pattern)
		}
		return strings.ReplaceAll(strings.Replace(found[1], "codegrant", p.binary, 1), "postgres://…", "sqlite:"+database)
	}
	environment := []string{
		"AUTH_COGNITO_CLIENT_ID=" + registered.ClientID, "AUTH_COGNITO_CODE_GRANT_URL=" + pool.URL + "/oauth2/token",
		"AUTH_COGNITO_JWKS_URL=" + registered.Issuer + "/.well-known/jwks.json", "CODEGRANT_CLIENT_SECRET=" + registered.ClientSecret.Reveal(),
		"SITE_LOGIN_URL=" + base + "/auth/login/",
	}
	if err := pool.RegisterURLs(registered.ClientID, base+"/auth/login/", base+"/"); err != nil {
		t.Fatal(err)
	}
	look := exec.CommandContext(t.Context(), "bash", "-c", command("doctor --database [^`]*"))
	look.Dir, look.Env = dir, append(environment, "PATH="+os.Getenv("PATH"), "AWS_ENDPOINT_URL="+pool.URL, "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=none", "AWS_REGION=eu-west-1")
	out, _ := look.CombinedOutput() // 1 where something is to be done, as it is here
	if !strings.Contains(string(out), "migrate") || tables() != 0 {
		t.Errorf("step 1: %d tables, and doctor prints\n%s", tables(), out)
	}
	shell(t, dir, environment, command("migrate --django --database [^`]*"))
	if tables() == 0 {
		t.Fatal("step 4 has made no tables")
	}

	// Step 5: the backend that the guide shows.
	const moving = "docs/migrating-from-cognito-code-grant.md"
	program := replaced(t, text(t, moving, "package main"), `sql.Open("pgx"`, `sql.Open("sqlite"`, "github.com/jackc/pgx/v5/stdlib", "modernc.org/sqlite",
		"sqlreplica.PostgreSQL", "sqlreplica.SQLite", "localhost:8080", site)
	folder := made(t, dir, replaced(t, text(t, moving, "mkdir boards && cd boards"), "github.com/jackc/pgx/v5@", "modernc.org/sqlite@"))
	write(t, folder, "main.go", program)
	binary := built(t, folder)
	t.Run("the Go backend", func(t *testing.T) {
		start(t, site, dir, append(environment, "DATABASE_URL=file:"+database+"?_pragma=busy_timeout(10000)&_txlock=immediate"), binary)
		if page := codegranttest.NewBrowser(t).SignIn(base+"/api/boards/1", "bob@example.com", password); page.Body != "account 1, bob@example.com" {
			t.Errorf("bob is not who he is in Django: %q at %s", page.Body, page.URL)
		}
	})

	// Going back.
	undo := command("migrate --django --undo --database [^`]*")
	shell(t, dir, environment, undo+" || true")
	if tables() == 0 {
		t.Error("--undo took the tables away before it was told --yes")
	}
	shell(t, dir, environment, undo+" --yes")
	var people int
	if err := db.QueryRowContext(context.Background(), `SELECT count(*) FROM auth_user`).Scan(&people); err != nil || people != 1 || tables() != 0 {
		t.Errorf("after --undo --yes: %d accounts, %d tables, %v", people, tables(), err)
	}
}

func newBrowser(t *testing.T) *codegranttest.Browser {
	t.Helper()
	return codegranttest.NewBrowser(t)
}

// until waits for what other processes do.
func until(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not happen")
		}
	}
}
