//go:build unix

package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// hooked is a receiver that verifies with the library of Standard Webhooks, and answers
// as it likes.
type hooked struct {
	*testing.T
	hook *standardwebhooks.Webhook

	mu   sync.Mutex
	seen map[string]bool     // by id
	got  map[string][]string // names, by person, in the order of their first arrival
}

func (h *hooked) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // they were killed
	}
	if err := h.hook.Verify(body, r.Header); err != nil {
		h.Errorf("the library of Standard Webhooks says: %v", err)
	}
	forged := r.Header.Clone()
	forged.Set("Webhook-Id", "msg_other")
	if h.hook.Verify(body, forged) == nil {
		h.Error("the signature is good for another message")
	}
	var m struct {
		Type string
		Data struct {
			User struct{ Subject, Name string }
		}
	}
	if err := json.Unmarshal(body, &m); err != nil || !strings.HasPrefix(m.Type, "user.") {
		h.Errorf("%s: %v", body, err)
	}
	if rand.IntN(10) == 0 {
		time.Sleep(50 * time.Millisecond)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if id := r.Header.Get("Webhook-Id"); !h.seen[id] {
		h.seen[id] = true
		h.got[m.Data.User.Subject] = append(h.got[m.Data.User.Subject], m.Data.User.Name)
	}
}

func (h *hooked) count() (n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.seen)
}

// TestS750_KilledInTheMidst: codegrant webhooks send is killed (SIGKILL) again and again
// while it sends, and each message comes all the same, in order.
func TestS750_KilledInTheMidst(t *testing.T) {
	const people, changes, kills = 20, 5, 6
	binary := buildCodegrant(t)
	for _, engine := range []string{"SQLite", "PostgreSQL"} {
		t.Run(engine, func(t *testing.T) {
			driver, url, dialect := "pgx", "", sqlreplica.PostgreSQL
			dsn := ""
			if engine == "SQLite" {
				file := filepath.Join(t.TempDir(), "app.db")
				driver, url, dialect = "sqlite", "sqlite:"+file, sqlreplica.SQLite
				dsn = "file:" + file + "?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)&_txlock=immediate"
			} else {
				url = newDatabase(t)
				dsn = url
			}
			db, err := sql.Open(driver, dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			users, err := sqlreplica.New(db, sqlreplica.Config{Dialect: dialect, Outbox: &sqlreplica.Outbox{}})
			if err != nil {
				t.Fatal(err)
			}
			if err := users.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}

			secret, err := exec.Command(binary, "webhooks", "secret").Output()
			if err != nil {
				t.Fatal(err)
			}
			hook, err := standardwebhooks.NewWebhook(strings.TrimSpace(string(secret)))
			if err != nil {
				t.Fatal(err)
			}
			h := &hooked{T: t, hook: hook, seen: make(map[string]bool), got: make(map[string][]string)}
			server := httptest.NewServer(h)
			defer server.Close()
			config := filepath.Join(t.TempDir(), "codegrant.yaml")
			if err := os.WriteFile(config, fmt.Appendf(nil, "database: %q\nreplica: {outbox: true}\nwebhooks: {crm: {url: %q, secret: %q}}\npools: [{id: eu-west-1_Ab12Cd34E, client_id: c1}]\n",
				url, server.URL, strings.TrimSpace(string(secret))), 0o600); err != nil {
				t.Fatal(err)
			}
			send := func() *exec.Cmd {
				program := exec.Command(binary, "webhooks", "send", "--config", config)
				program.Stdout, program.Stderr = t.Output(), t.Output()
				if err := program.Start(); err != nil {
					t.Fatal(err)
				}
				return program
			}

			var writing sync.WaitGroup
			writing.Go(func() {
				for change := range changes {
					for person := range people {
						_, err := users.Apply(t.Context(), replica.Snapshot{
							Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E", Subject: fmt.Sprint("sub-", person),
							Username: fmt.Sprint("user-", person), Name: fmt.Sprint(change), At: time.Now(),
						})
						if err != nil {
							t.Errorf("a change: %v", err)
						}
						time.Sleep(3 * time.Millisecond)
					}
				}
			})
			for range kills {
				before := h.count()
				program := send()
				for deadline := time.Now().Add(30 * time.Second); h.count() < before+5 && h.count() < people*changes && time.Now().Before(deadline); {
					time.Sleep(time.Millisecond)
				}
				_ = program.Process.Kill()
				_ = program.Wait()
				// What it held is anybody's a minute later: now.
				if _, err := db.ExecContext(t.Context(), "UPDATE codegrant_webhooks SET held_until = 0"); err != nil {
					t.Fatal(err)
				}
			}
			writing.Wait()
			program := send()
			defer func() { _ = program.Process.Kill(); _ = program.Wait() }()
			for deadline := time.Now().Add(time.Minute); h.count() < people*changes; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("%d messages of %d have come", h.count(), people*changes)
				}
			}
			var want []string
			for change := range changes {
				want = append(want, fmt.Sprint(change))
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			for person := range people {
				if got := h.got[fmt.Sprint("sub-", person)]; !slices.Equal(got, want) {
					t.Errorf("about sub-%d: %v, want %v", person, got, want)
				}
			}
		})
	}
}
