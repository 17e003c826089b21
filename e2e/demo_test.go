package e2e

import (
	"bufio"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/codegrant/codegrant/e2e/browser"
)

// startDemo builds and runs codegrant demo on free ports, as a newcomer would,
// and returns the addresses that it prints. It ends with the test, by the signal
// that Ctrl-C sends.
func startDemo(t *testing.T) (site, pool string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "codegrant")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/codegrant")
	build.Dir = ".."
	build.Stdout, build.Stderr = t.Output(), t.Output()
	if err := build.Run(); err != nil {
		t.Fatalf("build codegrant: %v", err)
	}
	demo := exec.Command(binary, "demo", "--listen", "localhost:0", "--pool-listen", "127.0.0.1:0")
	demo.Stderr = t.Output()
	stdout, err := demo.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := demo.Start(); err != nil {
		t.Fatalf("start the demo: %v", err)
	}
	t.Cleanup(func() {
		_ = demo.Process.Signal(syscall.SIGINT)
		if err := demo.Wait(); err != nil {
			t.Errorf("the demo ended with %v after Ctrl-C", err)
		}
	})
	address := regexp.MustCompile(`(Site|Local pool)\s+(http://\S+)`)
	lines := bufio.NewScanner(stdout)
	for (site == "" || pool == "") && lines.Scan() {
		if m := address.FindStringSubmatch(lines.Text()); m != nil {
			if m[1] == "Site" {
				site = m[2]
			} else {
				pool = m[2]
			}
		}
	}
	if site == "" || pool == "" {
		t.Fatal("the demo printed no addresses")
	}
	go func() {
		for lines.Scan() { // what else it says is of no interest
		}
	}()
	return site, pool
}

// TestDemo is the way of a newcomer: signing in, both backends, the replica, being
// one's own administrator, signing out and being out.
func TestDemo(t *testing.T) {
	site, pool := startDemo(t)
	b := browser.New(t)

	b.Open(site + "/replica")
	b.See("Sign in to your account")
	if !strings.HasPrefix(b.URL(), pool+"/login?") {
		t.Fatalf("the sign-in is at %s", b.URL())
	}
	b.Screenshot("login page")
	b.Fill("#username", "alice@example.com")
	b.Fill("#password", "wrong")
	b.Click("main button")
	b.See("Incorrect username or password.")
	b.Screenshot("wrong password")
	b.Fill("#password", "Passw0rd!")
	b.Click("main button")
	b.See("Latest changes")
	if b.URL() != site+"/replica" {
		t.Errorf("came back to %s, not to where the sign-in began", b.URL())
	}
	b.See("user created")
	b.Screenshot("replica")

	b.Open(site + "/")
	b.See("Hello, Alice Archer")
	if groups := b.Text("#groups"); !strings.Contains(groups, "admins") || !strings.Contains(groups, "analysts") {
		t.Errorf("groups: %s", groups)
	}
	b.Screenshot("home")
	b.Open(site + "/orders")
	b.See("A-1001")
	b.Screenshot("orders")
	b.Open(site + "/reports")
	b.See("Revenue")

	// A change in the pool takes effect at the next request, and in the replica.
	b.Open(site + "/")
	b.Click(`button[value="analysts"]`)
	b.See("Join analysts")
	b.Open(site + "/reports")
	b.See("Not allowed")
	b.Screenshot("not allowed")
	b.Open(site + "/replica")
	b.See("left analysts")

	b.Open(site + "/")
	b.Click("#sign-out")
	b.See("Sign in to your account")
	b.Open(site + "/auth/user")
	b.See("Not signed in")
	// The pool's own session is over as well.
	b.Open(site + "/orders")
	b.See("Sign in to your account")
}

// TestSignUp makes an account on the pool's pages, with the code that it shows in
// place of an e-mail, on a phone.
func TestSignUp(t *testing.T) {
	site, pool := startDemo(t)
	b := browser.New(t)
	b.Phone()

	b.Open(site + "/")
	b.See("Create an account")
	b.Click(`a[href^="/signup"]`)
	b.See("A code is sent to your address")
	b.Screenshot("sign-up")
	b.Fill("#username", "carol@example.com")
	b.Fill("#name", "Carol Clark")
	b.Fill("#password", "short")
	b.Click("main button")
	b.See("Password did not conform with policy")
	b.Fill("#password", "Passw0rd!")
	b.Click("main button")
	b.See("Enter the code that was sent to you")
	b.Screenshot("confirm")

	codes := b.Tab()
	codes.Open(pool + "/codes")
	codes.See("carol@example.com")
	code := codes.Text(".code")
	codes.Screenshot("codes")

	b.Fill("#code", "000000x")
	b.Click("main button")
	b.See("Invalid verification code")
	b.Fill("#code", code)
	b.Click("main button")
	b.See("Your account is confirmed")
	b.Fill("#username", "carol@example.com")
	b.Fill("#password", "Passw0rd!")
	b.Click("main button")
	b.See("Hello, Carol Clark")
	b.Screenshot("home")
	b.Open(site + "/orders")
	b.See("Not allowed")
	b.Screenshot("not allowed")
}
