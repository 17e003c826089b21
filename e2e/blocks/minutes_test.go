package blocks

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/internal/testenv"
)

// goEnvironment has the folders in which Go keeps modules and what it has built.
func goEnvironment(t *testing.T) []string {
	t.Helper()
	names := []string{"GOMODCACHE", "GOCACHE", "GOPROXY", "GOPATH"}
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	all := []string{"GOSUMDB=off", "GOFLAGS=-mod=mod"} // go.sum begins empty
	for i, value := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		all = append(all, names[i]+"="+value)
	}
	return all
}

var anyVersion = regexp.MustCompile(`(\S+)@latest`)

// made runs the commands of a page that make a module, and returns its folder. The product is
// the one of this repository, and other modules have the versions that the tests have.
func made(t *testing.T, dir, commands string) string {
	t.Helper()
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	commands = anyVersion.ReplaceAllStringFunc(commands, func(asked string) string {
		return withVersion(t, strings.TrimSuffix(asked, "@latest"))
	})
	commands = strings.Replace(commands, "go get ", "go mod edit -replace "+module+"="+here+"\ngo get ", 1)
	return strings.TrimSpace(shell(t, dir, goEnvironment(t), "{ "+strings.TrimSpace(commands)+"\n} >&2\npwd"))
}

func withVersion(t *testing.T, path string) string {
	t.Helper()
	if path == module {
		return path + "@v0.0.0" // which nobody is asked for: it is replaced
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", path).Output()
	if err != nil {
		t.Fatalf("the tests have no module %s: %v", path, err)
	}
	return path + "@" + strings.TrimSpace(string(out))
}

// built is the program of a folder. go run would leave it to itself at the end.
func built(t *testing.T, folder string) string {
	t.Helper()
	shell(t, folder, goEnvironment(t), "go build -o program .")
	return filepath.Join(folder, "program")
}

// TestFirstMinutesGo is a newcomer who has Go and the first part of docs/getting-started.md:
// a module, a service, a pool, and a page of somebody who is signed in; then the store.
func TestFirstMinutesGo(t *testing.T) {
	const page = "docs/getting-started.md"
	p := newProgram(t)
	dir := t.TempDir()
	pool, site := testenv.FreeAddress(t), testenv.FreeAddress(t)
	_, port, _ := net.SplitHostPort(site)
	base := "http://localhost:" + port

	folder := made(t, dir, text(t, page, "mkdir hello && cd hello"))
	main := replaced(t, text(t, page, "package main\n\nimport (\n\t\"fmt\"\n"), "localhost:8080", site)
	write(t, folder, "main.go", main)
	commands := lines(Block{Language: "sh", Text: text(t, page, "go install github.com/codegrant/codegrant/cmd/codegrant@latest")})
	if len(commands) != 2 || commands[1] != "codegrant pool" {
		t.Fatalf("%s has other commands: %q", page, commands)
	}
	if _, err := os.Stat(filepath.Join(root, "cmd", "codegrant", "main.go")); err != nil {
		t.Error(err)
	}
	start(t, pool, dir, nil, p.binary, "pool", "--listen", pool, "--app", base)
	settings := replaced(t, text(t, page, "export AUTH_COGNITO_CLIENT_ID=1demo2public3client4only5"), "127.0.0.1:9229", pool, "go run .", "exec ./program")
	run := func(t *testing.T) {
		t.Helper()
		start(t, site, folder, []string{"CODEGRANT_BASE_URL=" + base}, "bash", "-c", settings)
	}

	built(t, folder)
	t.Run("in memory", func(t *testing.T) {
		run(t)
		if page := newBrowser(t).SignIn(base+"/", "alice@example.com", password); !strings.Contains(page.Body, "Hello alice@example.com.") {
			t.Errorf("alice sees %d %q at %s", page.Status, page.Body, page.URL)
		}
	})

	shell(t, folder, goEnvironment(t), "go get "+withVersion(t, strings.TrimSpace(strings.TrimPrefix(text(t, page, "go get modernc.org/sqlite"), "go get "))))
	write(t, folder, "store.go", text(t, page, "package main\n\nimport (\n\t\"context\"\n"))
	const before = "\tauth, err := codegrant.New(config)"
	write(t, folder, "main.go", replaced(t, main, before, text(t, page, "if err := keep(")+before, "import (", "import (\n\t\"context\""))
	built(t, folder)
	alice := newBrowser(t)
	for _, when := range []string{"in a file", "after a restart"} {
		t.Run(when, func(t *testing.T) {
			run(t)
			page := alice.Open(base + "/")
			if when == "in a file" {
				page = alice.SignIn(base+"/", "alice@example.com", password)
			}
			if !strings.Contains(page.Body, "Hello alice@example.com.") {
				t.Errorf("alice sees %d %q at %s", page.Status, page.Body, page.URL)
			}
		})
	}
}

// TestFirstMinutesGateway is a newcomer who has Node.js, codegrant and the first part of
// docs/gateway.md.
func TestFirstMinutesGateway(t *testing.T) {
	const page = "docs/gateway.md"
	node := testenv.Program(t, "node")
	p := newProgram(t)
	dir := t.TempDir()
	pool, service, gateway := testenv.FreeAddress(t), testenv.FreeAddress(t), testenv.FreeAddress(t)
	_, servicePort, _ := net.SplitHostPort(service)
	_, port, _ := net.SplitHostPort(gateway)
	base := "http://localhost:" + port
	write(t, dir, "service.mjs", replaced(t, text(t, page, `import { createServer } from "node:http"`), "listen(3000,", "listen("+servicePort+","))
	write(t, dir, "codegrant.yaml", replaced(t, text(t, page, "listen: 127.0.0.1:8080\nbase_url: http://localhost:8080"),
		"127.0.0.1:8080", gateway, "http://localhost:8080", base, "127.0.0.1:9229", pool, "127.0.0.1:3000", service))
	commands := lines(Block{Language: "sh", Text: text(t, page, "codegrant pool")})
	if len(commands) != 3 || commands[0] != "codegrant pool" || commands[1] != "node service.mjs" || commands[2] != "codegrant serve" {
		t.Fatalf("%s has other commands: %q", page, commands)
	}
	start(t, pool, dir, nil, p.binary, "pool", "--listen", pool, "--app", base)
	start(t, service, dir, nil, node, "service.mjs")
	start(t, gateway, dir, nil, p.binary, "serve")
	if page := newBrowser(t).SignIn(base+"/reports", "alice@example.com", password); page.Body != "Hello alice@example.com, you are in 2 groups.\n" {
		t.Errorf("alice sees %d %q at %s", page.Status, page.Body, page.URL)
	}
	bob := newBrowser(t)
	if page := bob.SignIn(base+"/", "bob@example.com", password); !strings.HasPrefix(page.Body, "Hello bob@example.com") {
		t.Errorf("bob sees %d %q at %s", page.Status, page.Body, page.URL)
	}
	if page := bob.Open(base + "/reports"); page.Status != http.StatusForbidden {
		t.Errorf("bob's reports: %d %q", page.Status, page.Body)
	}
}
