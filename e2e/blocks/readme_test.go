package blocks

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
)

// example builds one of the examples, as go run would.
func example(t *testing.T, folder string) (binary string) {
	t.Helper()
	binary = filepath.Join(t.TempDir(), filepath.Base(folder))
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, folder)
	build.Dir = filepath.Join(root, "examples")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", folder, err, out)
	}
	return binary
}

// TestReadmeGateway is a newcomer who has only README.md: its configuration, its commands,
// and the headers that it names.
func TestReadmeGateway(t *testing.T) {
	p := newProgram(t)
	dir := t.TempDir()
	pool := codegranttest.NewPool(t, nil)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s asked for %s", r.Header.Get("X-Auth-Email"), r.URL.Path)
	}))
	t.Cleanup(service.Close)
	gateway := testenv.FreeAddress(t)
	_, port, _ := net.SplitHostPort(gateway)
	base := "http://localhost:" + port
	registered := pool.Register(base)
	config := replaced(t, text(t, "README.md", "# codegrant.yaml\nbase_url: https://app.example.com"),
		"https://app.example.com", base, "id: eu-west-1_Ab12Cd34E", "jwks_url: "+registered.Issuer+"/.well-known/jwks.json",
		"domain: acme.auth.eu-west-1.amazoncognito.com", "code_grant_url: "+pool.URL+"/oauth2/token",
		"2example3client4", registered.ClientID, "http://127.0.0.1:3000", service.URL)
	write(t, dir, "codegrant.yaml", "listen: "+gateway+"\n"+config)

	commands := lines(Block{Language: "sh", Text: replaced(t, text(t, "README.md", "go install ./cmd/codegrant"), "COGNITO_CLIENT_SECRET=…", "COGNITO_CLIENT_SECRET="+registered.ClientSecret.Reveal())})
	if len(commands) != 4 || commands[0] != "go install ./cmd/codegrant" {
		t.Fatalf("README.md has other commands: %q", commands)
	}
	_, secret, _ := strings.Cut(commands[1], " ")
	if out := shell(t, dir, []string{secret}, strings.Replace(commands[2], "codegrant", p.binary, 1)); !strings.Contains(out, "valid: 1 pool, 2 routes") {
		t.Errorf("%s prints %s", commands[2], out)
	}
	start(t, gateway, dir, []string{secret}, p.binary, strings.Fields(commands[3])[1:]...)
	bob, alice := newBrowser(t), newBrowser(t)
	if page := bob.SignIn(base+"/orders", "bob@example.com", password); page.Body != "bob@example.com asked for /orders" {
		t.Errorf("bob sees %d %q at %s", page.Status, page.Body, page.URL)
	}
	if page := bob.Open(base + "/reports"); page.Status != http.StatusForbidden {
		t.Errorf("bob's reports: %d %q", page.Status, page.Body)
	}
	if page := alice.SignIn(base+"/reports", "alice@example.com", password); page.Body != "alice@example.com asked for /reports" {
		t.Errorf("alice sees %d %q at %s", page.Status, page.Body, page.URL)
	}
}

// TestExamplesReadme runs the commands of examples/README.md: the pool, an example, and the
// request of a program.
func TestExamplesReadme(t *testing.T) {
	testenv.Program(t, "curl")
	const page = "examples/README.md"
	p := newProgram(t)
	dir := t.TempDir()
	pool, site := testenv.FreeAddress(t), testenv.FreeAddress(t)
	_, port, _ := net.SplitHostPort(site)
	base := "http://localhost:" + port

	command := lines(Block{Language: "sh", Text: text(t, page, "go -C .. run ./cmd/codegrant pool")})[0]
	start(t, pool, dir, nil, p.binary, append(strings.Fields(strings.TrimPrefix(command, "go -C .. run ./cmd/codegrant ")), "--listen", pool, "--app", base)...)
	settings := replaced(t, text(t, page, "export AUTH_COGNITO_CLIENT_ID=1demo2public3client4only5"),
		"127.0.0.1:9229", pool, "go run ./chi ", "exec "+example(t, "./chi")+" --listen "+site+" ")
	start(t, site, dir, []string{"CODEGRANT_BASE_URL=" + base}, "bash", "-c", settings)
	answer := shell(t, dir, nil, replaced(t, text(t, page, "curl -i http://localhost:8080/reports/"), "curl -i ", "curl -si ", "localhost:8080", "localhost:"+port))
	if !strings.HasPrefix(answer, "HTTP/1.1 401") || !strings.Contains(answer, "login_url") {
		t.Errorf("the request of a program is answered with\n%s", answer)
	}
	if page := newBrowser(t).SignIn(base+"/reports/", "alice@example.com", password); page.Status != http.StatusOK {
		t.Errorf("alice: %d at %s", page.Status, page.URL)
	}
	if page := newBrowser(t).SignIn(base+"/reports/", "bob@example.com", password); page.Status != http.StatusForbidden {
		t.Errorf("bob: %d at %s", page.Status, page.URL)
	}
}

// TestMCPReadme runs the command of examples/mcp/README.md, and asks the server behind it.
func TestMCPReadme(t *testing.T) {
	command := lines(Block{Language: "sh", Text: text(t, "examples/mcp/README.md", "go run ./mcp")})[0]
	if command != "go run ./mcp" {
		t.Fatalf("examples/mcp/README.md has another command: %q", command)
	}
	gateway, pool := testenv.FreeAddress(t), testenv.FreeAddress(t)
	start(t, gateway, t.TempDir(), nil, example(t, "./mcp"), "-listen", gateway, "-pool-listen", pool)
	response, err := http.Post("http://"+gateway+"/mcp", "application/json", strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"tools/list"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != http.StatusUnauthorized || !strings.Contains(response.Header.Get("WWW-Authenticate"), "resource_metadata=") {
		t.Errorf("a client without a token: %d %v %s", response.StatusCode, response.Header, body)
	}
}
