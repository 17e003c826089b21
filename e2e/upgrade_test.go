package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/proxytest"
	"github.com/codegrant/codegrant/internal/testenv"
)

// before is a commit with older tables of the replica and no tables of webhooks.
const before = "0f456d33b72c63286d28b08a71df3b67340514ff"

// older builds the program as it was.
func older(t *testing.T) string {
	t.Helper()
	testenv.Commit(t, before)
	folder := t.TempDir()
	source := filepath.Join(folder, "source")
	for _, step := range [][]string{
		{"sh", "-c", `mkdir "$1" && git -C "$(git rev-parse --show-toplevel)" archive "$0" | tar -x -C "$1"`, before, source},
		{"go", "build", "-C", source, "-buildvcs=false", "-o", filepath.Join(folder, "codegrant"), "./cmd/codegrant"},
	} {
		if out, err := exec.CommandContext(t.Context(), step[0], step[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", step, err, out)
		}
	}
	return filepath.Join(folder, "codegrant")
}

// upgrade is a service with two programs of it, one database and one pool.
type upgrade struct {
	t      *testing.T
	pool   *codegranttest.Pool
	folder string

	database string
	url      string // that browsers see: of whichever program serves
	addr     string
}

func (u *upgrade) run(program string, args ...string) string {
	u.t.Helper()
	command := exec.CommandContext(u.t.Context(), program, args...)
	command.Env = append(os.Environ(), "CODEGRANT_DATABASE="+u.database)
	out, err := command.CombinedOutput()
	if err != nil {
		u.t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
	return string(out)
}

// serve has a program serve until stop is called.
func (u *upgrade) serve(program string) (stop func()) {
	u.t.Helper()
	stop = proxytest.Run(u.t, "codegrant", exec.Command(program, "serve", "--config", filepath.Join(u.folder, "codegrant.yaml")))
	await(u.t, u.url+"/auth/user")
	return stop
}

// signIn is a browser in which somebody has signed in.
func (u *upgrade) signIn(email string) *codegranttest.Browser {
	u.t.Helper()
	b := codegranttest.NewBrowser(u.t)
	u.t.Cleanup(b.Client.CloseIdleConnections)
	if page := b.SignIn(u.url+"/", email, codegranttest.Password); page.Status != http.StatusOK {
		u.t.Fatalf("%s: status %d: %.300s", email, page.Status, page.Body)
	}
	return b
}

// are asks as each browser, and wants the row that the replica has of each.
func (u *upgrade) are(when string, browsers map[string]*codegranttest.Browser, rows map[string]string) {
	u.t.Helper()
	for email, b := range browsers {
		b.Client.CloseIdleConnections()
		response, err := b.Client.Get(u.url + "/")
		if err != nil {
			u.t.Errorf("%s: %s: %v", when, email, err)
			continue
		}
		response.Body.Close()
		got := response.Header.Get("Seen")
		if response.StatusCode != http.StatusOK || !strings.HasPrefix(got, email+" ") {
			u.t.Errorf("%s: %s: status %d at %s, seen as %q", when, email, response.StatusCode, response.Request.URL, got)
			continue
		}
		if was := rows[email]; was != "" && was != got {
			u.t.Errorf("%s: was %q, is %q", when, was, got)
		}
		rows[email] = got
	}
}

// TestUpgradeAndRollback: docs/versions.md holds. The older program makes the tables; the
// newer one migrates them, and each serves people whom the other has signed in, one after
// the other and at once.
func TestUpgradeAndRollback(t *testing.T) {
	old := older(t)
	now := buildCodegrant(t)
	for _, database := range []string{"SQLite", "PostgreSQL"} {
		t.Run(database, func(t *testing.T) {
			u := &upgrade{t: t, pool: codegranttest.NewPool(t, nil), folder: t.TempDir(), addr: testenv.FreeAddress(t)}
			u.url = "http://" + u.addr
			dsn := "sqlite:" + filepath.Join(u.folder, "app.db")
			if database == "PostgreSQL" {
				dsn = testenv.Postgres(t)
			}
			u.database = dsn
			app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Seen", r.Header.Get("X-Auth-Email")+" "+r.Header.Get("X-Auth-User-Id"))
			}))
			t.Cleanup(app.Close)
			client := u.pool.Clients()[0]
			if err := u.pool.RegisterURLs(client.ID, u.url+"/auth/callback", u.url+"/"); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"carol", "dave"} {
				u.pool.AddUser(name, name+"@example.com")
			}
			key := make([]byte, 32)
			_, _ = rand.Read(key)
			config := fmt.Sprintf("listen: %s\nbase_url: %s\nsessions: database\ndatabase: %q\nreplica: true\nkeys: [%s]\nlog: {level: warn}\n", u.addr, u.url, dsn, base64.StdEncoding.EncodeToString(key)) +
				fmt.Sprintf("pools: [{code_grant_url: %q, jwks_url: %q, client_id: %q, client_secret: %q}]\n",
					u.pool.URL+"/oauth2/token", u.pool.URL+"/"+u.pool.PoolID+"/.well-known/jwks.json", client.ID, client.Secret) +
				fmt.Sprintf("routes: [{path: /, upstream: %q}]\n", app.URL)
			if err := os.WriteFile(filepath.Join(u.folder, "codegrant.yaml"), []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			browsers, rows := make(map[string]*codegranttest.Browser), make(map[string]string)

			u.run(old, "migrate")
			stop := u.serve(old)
			browsers["alice@example.com"] = u.signIn("alice@example.com")
			u.are("with the older program", browsers, rows)

			// Migrated while the older one serves.
			u.run(now, "migrate", "--dry-run")
			u.run(now, "migrate")
			u.are("with the older program and newer tables", browsers, rows)
			browsers["bob@example.com"] = u.signIn("bob@example.com")
			stop()

			stop = u.serve(now)
			u.are("with the newer program", browsers, rows)
			browsers["carol@example.com"] = u.signIn("carol@example.com")
			u.are("with the newer program", browsers, rows)
			stop()

			stop = u.serve(old)
			u.are("back with the older program", browsers, rows)
			browsers["dave@example.com"] = u.signIn("dave@example.com")
			u.are("back with the older program", browsers, rows)
			stop()

			stop = u.serve(now)
			defer stop()
			u.are("forward once more", browsers, rows)
			if people := u.run(now, "users", "--config", filepath.Join(u.folder, "codegrant.yaml")); strings.Count(people, "@example.com") < len(browsers) {
				t.Errorf("codegrant users list:\n%s", people)
			}
		})
	}
}
