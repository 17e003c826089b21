package examples

import (
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/localpool"
)

// build compiles the example in a folder.
func build(t *testing.T, folder string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), folder)
	c := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./"+folder)
	c.Stdout, c.Stderr = t.Output(), t.Output()
	if err := c.Run(); err != nil {
		t.Fatalf("build %s: %v", folder, err)
	}
	return binary
}

// run starts an example with settings in its environment and none of ours, and
// ends it with the test.
func run(t *testing.T, c *exec.Cmd, settings ...string) {
	t.Helper()
	c.Env = append([]string{"PATH=" + os.Getenv("PATH")}, settings...)
	c.Stdout, c.Stderr = t.Output(), t.Output()
	if err := c.Start(); err != nil {
		t.Fatalf("start %s: %v", c.Path, err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
}

// await waits until something listens on the address.
func await(t *testing.T, address string) {
	t.Helper()
	for range 200 {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			c.Close()
			return
		}
		<-time.After(25 * time.Millisecond)
	}
	t.Fatalf("nothing listens on %s", address)
}

// settings makes the site known to a pool, and returns what the README has a
// person export.
func settings(t *testing.T, pool *codegranttest.Pool, site string) []string {
	t.Helper()
	if err := pool.RegisterURLs(localpool.DemoPublicID, site+"/auth/callback", site+"/"); err != nil {
		t.Fatal(err)
	}
	return []string{
		"AUTH_COGNITO_CLIENT_ID=" + localpool.DemoPublicID,
		"AUTH_COGNITO_CODE_GRANT_URL=" + pool.URL + "/oauth2/token",
		"AUTH_COGNITO_JWKS_URL=" + pool.URL + "/" + pool.PoolID + "/.well-known/jwks.json",
		"CODEGRANT_BASE_URL=" + site,
	}
}

// accessToken is one that the pool signed for the client of the examples.
func accessToken(t *testing.T, pool *codegranttest.Pool, changes map[string]any) string {
	t.Helper()
	now := time.Now()
	claims := map[string]any{
		"iss": pool.URL + "/" + pool.PoolID, "sub": "5c9b2c9e-0001-7000-8000-000000000001", "username": "robin",
		"client_id": localpool.DemoPublicID, "token_use": "access", "scope": "openid profile",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	maps.Copy(claims, changes)
	token, err := pool.MintToken(pool.PoolID, claims)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestThreeSettings holds the README to its word: the three settings alone make a
// working service.
func TestThreeSettings(t *testing.T) {
	if l, err := net.Listen("tcp", "localhost:8080"); err != nil {
		t.Fatalf("the example listens on port 8080, and something else does: %v", err)
	} else {
		l.Close()
	}
	pool := codegranttest.NewPool(t, nil)
	const site = "http://localhost:8080"
	if err := pool.RegisterURLs(localpool.DemoPublicID, site+"/auth/callback", site+"/"); err != nil {
		t.Fatal(err)
	}
	run(t, exec.Command(build(t, "three-settings")),
		"AUTH_COGNITO_CLIENT_ID="+localpool.DemoPublicID,
		"AUTH_COGNITO_CODE_GRANT_URL="+pool.URL+"/oauth2/token",
		"AUTH_COGNITO_JWKS_URL="+pool.URL+"/"+pool.PoolID+"/.well-known/jwks.json",
	)
	await(t, "localhost:8080")

	b := codegranttest.NewBrowser(t)
	page := b.SignIn(site+"/", "alice@example.com", codegranttest.Password)
	if page.Status != http.StatusOK || !strings.Contains(page.Body, "Hello alice@example.com, you are in [admins analysts].") {
		t.Errorf("signed in to %s, status %d: %s", page.URL, page.Status, page.Body)
	}
}

// TestReadmeSettings holds the README to what codegrant pool serves.
func TestReadmeSettings(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, setting := range []string{
		"AUTH_COGNITO_CLIENT_ID=" + localpool.DemoPublicID,
		"AUTH_COGNITO_CODE_GRANT_URL=http://127.0.0.1:9229/oauth2/token",
		"AUTH_COGNITO_JWKS_URL=http://127.0.0.1:9229/" + localpool.DemoPoolID + "/.well-known/jwks.json",
	} {
		if !strings.Contains(string(readme), "\nexport "+setting+"\n") {
			t.Errorf("README.md does not export %s", setting)
		}
	}
}
