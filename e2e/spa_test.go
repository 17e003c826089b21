package e2e

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/e2e/blocks"
	"github.com/codegrant/codegrant/e2e/browser"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/localpool"
)

// spa is examples/spa, with ports of the test's own in place of 5173 and 8080.
type spa struct {
	site    string // what browsers open
	service string // address that the Go service listens on
	vite    string // address that the dev server listens on
}

// ofSPA are the commands of the block of docs/spa.md that begins so.
func ofSPA(t *testing.T, begins string) []string {
	t.Helper()
	b, ok := blocks.Find("..", "docs/spa.md", begins)
	if !ok {
		t.Fatalf("docs/spa.md has no block that begins with %q", begins)
	}
	return strings.Split(strings.TrimSpace(strings.ReplaceAll(b.Text, " && ", "\n")), "\n")
}

// startSPA runs the example's service beside the example's pool, with the settings of
// docs/spa.md. The dev server is for startVite.
func startSPA(t *testing.T, binary string, behindVite bool, flags ...string) *spa {
	t.Helper()
	s := &spa{service: testenv.FreeAddress(t), vite: testenv.FreeAddress(t)}
	_, servicePort, _ := net.SplitHostPort(s.service)
	_, vitePort, _ := net.SplitHostPort(s.vite)
	ports := strings.NewReplacer("5173", vitePort, "8080", servicePort)
	s.site = ports.Replace("http://localhost:8080")
	if behindVite {
		s.site = ports.Replace("http://localhost:5173")
	}
	_, file, ok := strings.Cut(ofSPA(t, "go run ./cmd/codegrant pool --seed examples/spa/pool.yaml")[0], " --seed ")
	if !ok {
		t.Fatal("docs/spa.md gives the pool no seed")
	}
	text, err := os.ReadFile(filepath.Join("..", filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	seed, err := localpool.ParseSeed([]byte(ports.Replace(string(text))))
	if err != nil {
		t.Fatal(err)
	}
	var pool *localpool.Server
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { pool.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	if pool, err = localpool.New(localpool.Config{Seed: seed, BaseURL: server.URL, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	for i := range flags {
		flags[i] = ports.Replace(flags[i])
	}
	commands := ofSPA(t, "export AUTH_COGNITO_CLIENT_ID=spa")
	if !behindVite { // what the page says later counts
		commands = append(commands, ofSPA(t, "export CODEGRANT_BASE_URL=http://localhost:8080")...)
	}
	var settings []string
	for _, command := range commands {
		if setting, ok := strings.CutPrefix(command, "export "); ok {
			settings = append(settings, ports.Replace(strings.ReplaceAll(setting, "http://127.0.0.1:9229", server.URL)))
		} else if !strings.HasPrefix(command, "go -C examples run ./spa") {
			t.Fatalf("docs/spa.md has another command: %s", command)
		}
	}
	s.run(t, exec.Command(binary, append(flags, "--listen", s.service)...), s.service, settings...)
	return s
}

// startVite runs the dev server of a copy of the front end.
func (s *spa) startVite(t *testing.T, node, web string, settings ...string) {
	t.Helper()
	_, port, _ := net.SplitHostPort(s.vite)
	vite := exec.Command(node, filepath.Join("node_modules", "vite", "bin", "vite.js"), "--host", "127.0.0.1", "--port", port)
	vite.Dir = web
	s.run(t, vite, s.vite, append(settings, "SERVICE=http://"+s.service)...)
}

// run runs a program until the test ends, and waits until it listens.
func (s *spa) run(t *testing.T, c *exec.Cmd, address string, settings ...string) {
	t.Helper()
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, settings...)
	c.Stdout, c.Stderr = t.Output(), t.Output()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() {
		_ = c.Process.Kill()
		<-ended
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
			t.Fatalf("%s ended: %v", filepath.Base(c.Path), err)
		case <-time.After(25 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen on %s", filepath.Base(c.Path), address)
		}
	}
}

// TestSinglePageApplication follows a person through the React example in each of the
// three ways that docs/spa.md shows: behind Vite's dev server, with the service on another
// origin, and built.
func TestSinglePageApplication(t *testing.T) {
	testenv.Chromium(t)
	node, web := testenv.Node(t, filepath.Join("..", "examples", "spa", "web"))
	binary := filepath.Join(t.TempDir(), "spa")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./spa")
	build.Dir = filepath.Join("..", "examples")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the service: %v\n%s", err, out)
	}
	for begins, want := range map[string]string{
		"cd examples/spa/web\n":                             "cd examples/spa/web; npm ci; npm run dev",
		"cd examples/spa/web && npm ci && npm run build":    "cd examples/spa/web; npm ci; npm run build",
		"export CODEGRANT_BASE_URL=http://localhost:8080\n": "export CODEGRANT_BASE_URL=http://localhost:8080; go -C examples run ./spa --dist spa/web/dist",
	} {
		if got := strings.Join(ofSPA(t, begins), "; "); got != want {
			t.Errorf("docs/spa.md says %q, and this test does %q", got, want)
		}
	}
	chromium := browser.New(t)

	t.Run("behind the dev server", func(t *testing.T) {
		s := startSPA(t, binary, true)
		s.startVite(t, node, web)
		s.follow(t, chromium.Profile(t))
	})
	t.Run("service on another origin", func(t *testing.T) {
		s := startSPA(t, binary, false, "--frontend", "http://localhost:5173")
		s.startVite(t, node, web, "VITE_API="+s.site)
		_, port, _ := net.SplitHostPort(s.vite)
		s.site = "http://localhost:" + port
		b := chromium.Profile(t)
		s.follow(t, b)
		s.refuseOthers(t, b)
	})
	t.Run("built", func(t *testing.T) {
		build := exec.CommandContext(t.Context(), node, filepath.Join("node_modules", "vite", "bin", "vite.js"), "build")
		build.Dir = web
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build the front end: %v\n%s", err, out)
		}
		s := startSPA(t, binary, false, "--dist", filepath.Join(web, "dist"))
		s.follow(t, chromium.Profile(t))
	})
}

// follow signs bob in, has his session end while he writes, and signs him out.
func (s *spa) follow(t *testing.T, b *browser.Browser) {
	signIn := func() {
		t.Helper()
		b.See("Sign in to your account")
		b.Fill("#username", "bob@example.com")
		b.Fill("#password", "Passw0rd!")
		b.Click("main button")
	}
	b.Open(s.site + "/?from=mail#notes")
	b.See("You are not signed in.")
	b.Click("#in")
	signIn()
	b.See("Hello bob@example.com")
	if got, want := b.URL(), s.site+"/?from=mail#notes"; got != want {
		t.Errorf("the sign-in came back to %s, want %s", got, want)
	}
	b.Fill("#draft", "buy milk")
	b.Click("#add")
	b.See("buy milk")

	// Another tab signs out. The next request of this one is 401, and nothing that was
	// written is lost on the way to the login page and back.
	other := b.Tab()
	other.Open(s.site + "/")
	other.See("Hello bob@example.com")
	other.Click("#out")
	other.See("You are not signed in.")
	b.Fill("#draft", "call Alice")
	b.Click("#add")
	signIn()
	b.See("Hello bob@example.com")
	b.Click("#add")
	b.See("call Alice")

	// 403 is shown and leads to no login page.
	b.Open(s.site + "/reports")
	b.See("Not allowed")
	b.Screenshot("403")
	b.Open(s.site + "/")
	b.See("call Alice")
	b.Click("#out")
	b.See("You are not signed in.")
	if got, want := b.URL(), s.site+"/"; got != want {
		t.Errorf("the sign-out ended at %s, want %s", got, want)
	}
	b.Click("#in")
	b.See("Sign in to your account") // the pool's login session has ended, too
}

// refuseOthers has a page of an origin that is not listed call the service of a person who
// is signed in: it reads nothing, and changes nothing.
func (s *spa) refuseOthers(t *testing.T, b *browser.Browser) {
	b.Fill("#username", "bob@example.com")
	b.Fill("#password", "Passw0rd!")
	b.Click("main button")
	b.See("call Alice")

	_, port, _ := net.SplitHostPort(s.service)
	service := "http://localhost:" + port
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, `<!doctype html><p id="read">…</p><p id="write">…</p><script>
fetch(%[1]q + "/api/notes", {credentials: "include"}).then(() => read.textContent = "read", () => read.textContent = "not read");
fetch(%[1]q + "/api/notes", {method: "POST", mode: "no-cors", credentials: "include", body: '{"text": "planted"}'}).then(() => write.textContent = "sent");
</script>`, service)
	}))
	t.Cleanup(page.Close)
	_, foreign, _ := net.SplitHostPort(page.Listener.Addr().String())
	other := b.Tab()
	other.Open("http://localhost:" + foreign + "/") // the same site, so that the cookie goes along
	other.See("not read")
	other.See("sent")
	b.Open(s.site + "/")
	b.See("call Alice")
	if text := b.Text("main"); strings.Contains(text, "planted") {
		t.Errorf("a page of another origin wrote a note:\n%s", text)
	}
}
