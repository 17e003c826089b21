package serve

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/redisstore"
)

// TestS153_EndsAreOnRecordBesideRedis brings a session back that somebody has ended,
// as a Redis does that forgets: by signing out, and by the command, which is another
// process. A copy of the cookie is worth nothing.
func TestS153_EndsAreOnRecordBesideRedis(t *testing.T) {
	redis := fmt.Sprintf("%s?prefix=ends-%d", testenv.Redis(t), time.Now().UnixNano())
	g := newGate(t, "")
	g.write(oneUpstream + "keys_file: keys\nsessions: redis\nredis: " + redis + "\nreplica: true\ndatabase: sqlite:" + filepath.Join(g.dir, "app.db") + "\n")
	g.writeFile("keys", newSealingKey())
	g.start()
	forgetful, err := redisstore.New(redisstore.Config{URL: redis, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	defer forgetful.Close()

	for name, end := range map[string]func(*http.Client){
		"signed out": func(client *http.Client) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, g.url+"/auth/logout", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			r.Header.Set("Sec-Fetch-Mode", "navigate")
			response, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
		},
		"by the command": func(*http.Client) {
			stdout, stderr, status := say(t, "sessions", "end", "--user", "alice@example.com", "--config", g.config)
			if status != 0 || !strings.HasPrefix(stdout, "ended 1 session\n") {
				t.Fatalf("%d %s%s", status, stdout, stderr)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			alice := codegranttest.NewBrowser(t)
			alice.SignIn(g.url+"/", "alice@example.com", codegranttest.Password)
			jar, _ := cookiejar.New(nil)
			at, _ := url.Parse(g.url)
			jar.SetCookies(at, alice.Client.Jar.Cookies(at))
			copied := &http.Client{Jar: jar}
			records, err := forgetful.List(t.Context(), session.Query{})
			if err != nil || len(records) != 1 {
				t.Fatalf("%d sessions, %v", len(records), err)
			}
			record, err := forgetful.Get(t.Context(), records[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			if status, body := g.get(copied, "/x"); status != 200 {
				t.Fatalf("before: %d %s", status, body)
			}
			end(alice.Client)
			if _, err := forgetful.Get(t.Context(), record.ID); err == nil {
				t.Fatal("it has not ended")
			}
			if err := forgetful.Create(t.Context(), record); err != nil {
				t.Fatal(err)
			}
			g.until("the session that is back is refused", func() bool { status, _ := g.get(copied, "/x"); return status == 401 })
			g.logged("the session store was back with a session that had ended; it stays ended")
		})
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
}
