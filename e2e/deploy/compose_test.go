package deploy

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	_ "github.com/jackc/pgx/v5/stdlib" // opens the database that the schema is made in

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/proxytest"
	"github.com/codegrant/codegrant/internal/testenv"
)

// TestComposeRuns: what the compose file starts runs, without a container engine: gateway and
// sync by their own commands, with the variables of .env, on a Redis and a PostgreSQL; the
// health checks are those of the file, and somebody signs in. Names of hosts and ports are all
// that is changed.
func TestComposeRuns(t *testing.T) {
	redis, database := testenv.Redis(t), testenv.PostgresSchema(t)
	folder := t.TempDir()
	program := filepath.Join(folder, "codegrant")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-C", "../..", "-o", program, "./cmd/codegrant").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	text, err := os.ReadFile("../../deploy/compose/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var compose struct {
		Services map[string]struct {
			Command     []string
			Healthcheck struct{ Test []string }
		}
	}
	if err := yaml.Unmarshal(text, &compose); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile("../../deploy/compose/codegrant.yaml")
	if err != nil {
		t.Fatal(err)
	}
	pool := codegranttest.NewPool(t, nil)
	address, operations, syncOperations := testenv.FreeAddress(t), testenv.FreeAddress(t), testenv.FreeAddress(t)
	client := pool.Register("http://" + address)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "hello ", r.Header.Get("X-Auth-Email")) }))
	t.Cleanup(app.Close)
	at, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	at.User = url.UserPassword("codegrant", "PASSWORD")
	changed := string(config)
	for _, change := range [][2]string{
		{"listen: :8080", "listen: " + address},
		{"ops_listen: :9090", "ops_listen: " + operations},
		{"redis: redis://redis:6379/0?insecure_plaintext=true", fmt.Sprintf("redis: %s?insecure_plaintext=true&prefix=compose-%d", redis, time.Now().UnixNano())},
		{"database: postgres://codegrant:${POSTGRES_PASSWORD}@postgres/codegrant", "database: " + strings.Replace(at.String(), "PASSWORD", "${POSTGRES_PASSWORD}", 1)},
		{"http://app:3000", app.URL},
		{"client_id: ${COGNITO_CLIENT_ID}", "client_id: ${COGNITO_CLIENT_ID}\n    issuer: " + client.Issuer},
	} {
		if strings.Count(changed, change[0]) != 1 {
			t.Fatalf("codegrant.yaml has %q %d times", change[0], strings.Count(changed, change[0]))
		}
		changed = strings.Replace(changed, change[0], change[1], 1)
	}
	file := filepath.Join(folder, "codegrant.yaml")
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{
		"COGNITO_REGION_POOL": client.ID, "COGNITO_DOMAIN": client.Domain, "COGNITO_CLIENT_ID": client.ClientID, "COGNITO_CLIENT_SECRET": client.ClientSecret.Reveal(),
		"BASE_URL": "http://" + address, "CODEGRANT_KEYS": "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXY=", "POSTGRES_PASSWORD": "not-asked-for",
	}
	environment := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder}
	for _, named := range regexp.MustCompile(`(?m)^#   (\w+)=`).FindAllStringSubmatch(string(text), -1) {
		value, ok := values[named[1]]
		if !ok {
			t.Errorf("the compose file names %s", named[1])
		}
		environment = append(environment, named[1]+"="+value)
		delete(values, named[1])
	}
	if len(values) > 0 {
		t.Errorf("the compose file does not name %v", values)
	}
	command := func(ctx context.Context, words []string) *exec.Cmd {
		words = slices.Clone(words)
		for i, word := range words {
			words[i] = map[string]string{"/etc/codegrant/codegrant.yaml": file, "127.0.0.1:9091": syncOperations}[word]
			if words[i] == "" {
				words[i] = word
			}
		}
		c := exec.CommandContext(ctx, program, words...)
		c.Env = environment
		return c
	}
	for _, name := range []string{"gateway", "sync"} {
		service := compose.Services[name]
		check := service.Healthcheck.Test
		if len(check) < 3 || check[0] != "CMD" || check[1] != "/codegrant" || len(service.Command) == 0 {
			t.Fatalf("%s: %+v", name, service)
		}
		defer proxytest.Run(t, "codegrant "+service.Command[0], command(context.Background(), service.Command))()
		var out []byte
		err := error(nil)
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
			if out, err = command(t.Context(), check[2:]).CombinedOutput(); err == nil {
				break
			}
		}
		if err != nil {
			t.Fatalf("%s is not healthy: %v\n%s", name, err, out)
		}
	}
	if page := codegranttest.NewBrowser(t).SignIn("http://"+address+"/", "alice@example.com", codegranttest.Password); page.Body != "hello alice@example.com" {
		t.Errorf("%d %s", page.Status, page.Body)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) { // its first pass may be under way
		out, err := command(t.Context(), []string{"sync", "--status", "--config", "/etc/codegrant/codegrant.yaml"}).CombinedOutput()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("codegrant sync --status: %v\n%s", err, out)
		}
	}
}
