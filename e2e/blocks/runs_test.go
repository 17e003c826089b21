package blocks

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
)

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestKeysForCloudFront runs the commands that make a pair of keys.
func TestKeysForCloudFront(t *testing.T) {
	testenv.Program(t, "openssl")
	dir := t.TempDir()
	shell(t, dir, nil, text(t, "docs/cloudfront.md", "openssl ecparam"))
	if pem, err := os.ReadFile(filepath.Join(dir, "public_key.pem")); err != nil || !strings.HasPrefix(string(pem), "-----BEGIN PUBLIC KEY-----") {
		t.Errorf("%v: %s", err, pem)
	}
}

// TestLocalPoolCommands runs what docs/local-pool.md shows of the pool: the command with the
// page's own seed, and the requests for tests.
func TestLocalPoolCommands(t *testing.T) {
	testenv.Program(t, "curl")
	p := newProgram(t)
	const page = "docs/local-pool.md"
	dir := t.TempDir()
	write(t, dir, "pool.yaml", text(t, page, "pools:"))
	address := testenv.FreeAddress(t)
	requests := replaced(t, text(t, page, "curl -X POST http://127.0.0.1:9229/_pool/clock"), "127.0.0.1:9229", address, "curl ", "curl -sSf ")
	commands := lines(Block{Language: "sh", Text: text(t, page, "codegrant pool --state")})
	if len(commands) != 3 {
		t.Fatalf("the page has %d commands", len(commands))
	}
	for i, command := range commands {
		t.Run(command, func(t *testing.T) {
			words := strings.Fields(command)[1:]
			own := t.TempDir()
			write(t, own, "pool.yaml", text(t, page, "pools:"))
			start(t, address, own, nil, p.binary, append(words, "--listen", address)...)
			if i == 1 { // the seed of the page, which has carol
				shell(t, own, nil, requests)
				if _, err := os.Stat(filepath.Join(own, "before.json")); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestConsoles compares what codegrant prints with what the documentation says that it
// prints.
func TestConsoles(t *testing.T) {
	p := newProgram(t)
	for _, c := range []struct{ page, begins, config string }{
		{"docs/gateway.md", "$ codegrant serve --check --as", "routes:\n  - path: /\n    upstream: http://127.0.0.1:3000\n  - path: /admin"},
		{"docs/rules.md", "$ codegrant serve --check --as", "group_hierarchy:"},
	} {
		t.Run(c.page, func(t *testing.T) {
			dir := t.TempDir()
			config, err := merged(base, text(t, c.page, c.config))
			if err != nil {
				t.Fatal(err)
			}
			write(t, dir, "codegrant.yaml", config)
			block := text(t, c.page, c.begins)
			command, want, _ := strings.Cut(block, "\n")
			got := shell(t, dir, nil, strings.Replace(strings.TrimPrefix(command, "$ "), "codegrant", p.binary, 1)+" || true")
			normal := func(s string) string { // lines of the file, and where the file is
				return regexp.MustCompile(`codegrant\.yaml:\d+`).ReplaceAllString(strings.ReplaceAll(s, dir+"/", ""), "codegrant.yaml:N")
			}
			if c.page == "docs/rules.md" { // leaves the first line out
				_, got, _ = strings.Cut(got, "\n")
			}
			if normal(got) != normal(want) {
				t.Errorf("prints\n%s\nand the page has\n%s", normal(got), normal(want))
			}
		})
	}
}

// TestPolicyCases asks the policy of docs/rules.md about the cases there.
func TestPolicyCases(t *testing.T) {
	p := newProgram(t)
	const page = "docs/rules.md"
	dir := t.TempDir()
	config, err := merged(base, text(t, page, "cedar:"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "codegrant.yaml", config)
	write(t, dir, "shop.cedar", text(t, page, `@id("editors write")`))
	write(t, dir, "shop.cedarschema", text(t, page, "namespace Shop {"))
	write(t, dir, "cases.yaml", text(t, page, "- {name: editors place orders"))
	command := strings.Replace(text(t, page, "codegrant policy test"), "codegrant", p.binary, 1)
	shell(t, dir, nil, command)
	write(t, dir, "shop.cedar", strings.Replace(text(t, page, `@id("editors write")`), "|editors", "|others", 1))
	if out := shell(t, dir, nil, command[:strings.Index(command, "#")]+"|| echo decided otherwise"); !strings.Contains(out, "decided otherwise") {
		t.Errorf("another policy passes the cases:\n%s", out)
	}
}

// TestSyncHere runs docs/sync.md's tour on one machine: a pool, the gateway, sync that
// follows, and an administrator who disables somebody.
func TestSyncHere(t *testing.T) {
	testenv.Program(t, "curl")
	p := newProgram(t)
	const page = "docs/sync.md"
	dir := t.TempDir()
	pool, gateway, events, app := testenv.FreeAddress(t), testenv.FreeAddress(t), testenv.FreeAddress(t), testenv.FreeAddress(t)
	_, gatewayPort, _ := net.SplitHostPort(gateway)
	here := strings.NewReplacer("127.0.0.1:9229", pool, "localhost:8080", "localhost:"+gatewayPort, "127.0.0.1:9081", events, "127.0.0.1:3000", app)
	write(t, dir, "pool.yaml", here.Replace(text(t, page, "# pool.yaml")))
	write(t, dir, "codegrant.yaml", "listen: "+gateway+"\n"+here.Replace(text(t, page, "# codegrant.yaml\nbase_url")))
	commands := lines(Block{Language: "sh", Text: text(t, page, "codegrant pool --seed pool.yaml")})
	if len(commands) != 4 {
		t.Fatalf("the page has %d terminals", len(commands))
	}
	words := func(i int) []string { return strings.Fields(commands[i])[1:] }
	start(t, pool, dir, nil, p.binary, append(words(0), "--listen", pool)...)
	start(t, gateway, dir, nil, p.binary, words(1)...)
	aws := []string{"AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=none"}
	start(t, events, dir, aws, p.binary, words(2)...)
	_, appPort, _ := net.SplitHostPort(app)
	start(t, app, dir, nil, testenv.Program(t, "python3"), "-m", "http.server", "--bind", "127.0.0.1", appPort)

	b := newBrowser(t)
	base := "http://localhost:" + gatewayPort
	if page := b.SignIn(base+"/", "carol", password); page.Status != http.StatusOK {
		t.Fatalf("carol: %d at %s", page.Status, page.URL)
	}
	whole := here.Replace(text(t, page, "aws() {"))
	define, _, _ := strings.Cut(whole, "\n")
	disable, _, _ := strings.Cut(strings.TrimPrefix(whole, define+"\n"), "\n")
	shell(t, dir, nil, define+"\n"+disable)
	until(t, func() bool {
		return strings.Contains(shell(t, dir, nil, p.binary+" users"), "disabled") && b.Open(base+"/").URL.Host == pool
	})
	shell(t, dir, nil, whole[:strings.Index(whole, "\n")]+"\n"+strings.Join(lines(Block{Language: "sh", Text: whole})[3:], "\n"))
	until(t, func() bool { return !strings.Contains(shell(t, dir, nil, p.binary+" users"), "disabled") })

	// An event that somebody posts by hand, about a person whom the pool does not have.
	secret := regexp.MustCompile(`(?m)^  secret: (\S+)$`).FindStringSubmatch(text(t, page, "# codegrant.yaml\nbase_url"))
	if secret == nil {
		t.Fatal("docs/sync.md has no secret of events")
	}
	post := replaced(t, here.Replace(text(t, page, "body='")), "eu-west-1_Ab12Cd34E", "local_Shop1", "<sub>", "11111111-2222-4333-8444-555555555555", "curl -i ", "curl -si ")
	if out := shell(t, dir, []string{"SECRET=" + secret[1]}, post); !strings.HasPrefix(out, "HTTP/1.1 204") {
		t.Errorf("the event of docs/sync.md is answered with\n%s", out)
	}
}

// TestAccountHere runs docs/account.md's try on one machine: a person changes the password on the
// pages, signs in with it, and asks for another address, whose code is where the page says.
func TestAccountHere(t *testing.T) {
	p := newProgram(t)
	const page = "docs/account.md"
	dir := t.TempDir()
	pool, gateway := testenv.FreeAddress(t), testenv.FreeAddress(t)
	_, gatewayPort, _ := net.SplitHostPort(gateway)
	here := strings.NewReplacer("127.0.0.1:9229", pool, "localhost:8080", "localhost:"+gatewayPort)
	write(t, dir, "pool.yaml", here.Replace(text(t, page, "# pool.yaml")))
	write(t, dir, "codegrant.yaml", "listen: "+gateway+"\n"+here.Replace(text(t, page, "# codegrant.yaml")))
	commands := lines(Block{Language: "sh", Text: text(t, page, "codegrant pool --seed pool.yaml")})
	if len(commands) != 2 {
		t.Fatalf("the page has %d terminals", len(commands))
	}
	start(t, pool, dir, nil, p.binary, append(strings.Fields(commands[0])[1:], "--listen", pool)...)
	start(t, gateway, dir, nil, p.binary, strings.Fields(commands[1])[1:]...)

	account := "http://localhost:" + gatewayPort + "/auth/account"
	b := newBrowser(t)
	if first := b.SignIn(account, "carol", password); first.Status != http.StatusOK || first.URL.Path != "/auth/account" || !strings.Contains(first.Body, "carol@example.com") {
		t.Fatalf("%d at %s: %s", first.Status, first.URL, first.Body)
	}
	submit := func(path, field string, values map[string]string) *codegranttest.Page {
		at := b.Open(account + path)
		form, ok := at.Form(field)
		if !ok {
			t.Fatalf("%s has no field %s: %d: %s", path, field, at.Status, at.Body)
		}
		return b.Submit(at, form, values)
	}
	const another = "An0ther-Passw0rd!"
	submit("/password", "new", map[string]string{"current": password, "new": another, "again": another})
	newBrowser(t).SignIn(account, "carol", another)
	submit("/email", "to", map[string]string{"to": "carol@example.net"})
	if codes := b.Open("http://" + pool + "/codes"); !strings.Contains(codes.Body, "carol@example.net") {
		t.Errorf("no code for the new address: %s", codes.Body)
	}
}

// TestOperatorsCommands runs what docs/runbook.md and docs/console.md tell operators to run, beside
// a gateway.
func TestOperatorsCommands(t *testing.T) {
	testenv.Program(t, "curl")
	p := newProgram(t)
	dir := t.TempDir()
	pool := codegranttest.NewPool(t, nil)
	gateway, operations := testenv.FreeAddress(t), testenv.FreeAddress(t)
	_, port, _ := net.SplitHostPort(gateway)
	registered := pool.Register("http://localhost:" + port)
	write(t, dir, "codegrant.yaml", "listen: "+gateway+"\nops_listen: "+operations+"\nbase_url: http://localhost:"+port+`
database: "sqlite:`+filepath.Join(dir, "app.db")+`"
replica: true
pools: [{code_grant_url: `+pool.URL+`/oauth2/token, jwks_url: `+registered.Issuer+`/.well-known/jwks.json, client_id: `+registered.ClientID+`, client_secret: `+registered.ClientSecret.Reveal()+`}]
routes: [{path: /, files: `+dir+`}]
`)
	start(t, operations, dir, nil, p.binary, "serve", "--config", "codegrant.yaml")
	until(t, func() bool {
		return strings.Contains(shell(t, dir, nil, "curl -s http://"+operations+"/readyz"), `"ready":true`)
	})
	here := strings.NewReplacer("127.0.0.1:9090", operations, "curl -s ", "curl -sf ", "codegrant doctor", p.binary+" doctor", "codegrant sync", p.binary+" sync")
	commands := lines(Block{Language: "sh", Text: here.Replace(text(t, "docs/runbook.md", "curl -s http://127.0.0.1:9090/readyz"))})
	if len(commands) != 4 {
		t.Fatalf("the runbook has %d commands", len(commands))
	}
	shell(t, dir, nil, p.binary+" migrate --config codegrant.yaml && "+p.binary+" sync --config codegrant.yaml --full")
	for i, want := range []string{`"checks":[`, `"panels":[`, "callback", "last pass done"} {
		command := commands[i]
		if i >= 2 { // the exit status says what is to be done, which is not nothing here
			command += " 2>&1 || true"
		}
		if out := shell(t, dir, nil, command); !strings.Contains(out, want) {
			t.Errorf("%s prints no %q:\n%s", commands[i], want, out)
		}
	}
	if out := shell(t, dir, nil, here.Replace(text(t, "docs/console.md", "curl -s http://127.0.0.1:9090/state"))); !strings.Contains(out, `"title":"Service"`) {
		t.Errorf("docs/console.md: the state is %s", out)
	}
}

// TestTemplateOfThePages shows the page of docs/pages.md in place of codegrant's own, to
// somebody without the permission.
func TestTemplateOfThePages(t *testing.T) {
	pool := codegranttest.NewPool(t, nil)
	site := pool.App(func(config codegrant.Config) http.Handler {
		config.Pages.Templates = fstest.MapFS{"denied.html": {Data: []byte(text(t, "docs/pages.md", "<h1>{{.Title}}</h1>"))}}
		auth, err := codegrant.New(config)
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		auth.Mount(mux, "/auth")
		mux.Handle("/reports", auth.Require(codegrant.InGroup("analysts"))(http.NotFoundHandler()))
		return mux
	})
	page := newBrowser(t).SignIn(site+"/reports", "bob@example.com", password)
	if page.Status != http.StatusForbidden || !strings.Contains(page.Body, "the help desk") || !strings.Contains(page.Body, "<code>") {
		t.Errorf("%d: %s", page.Status, page.Body)
	}
}
