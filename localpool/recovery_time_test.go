package localpool_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant/localpool"
)

// TestS803_ARecoveryTakesTime: where the seed says how long, a recovery counts and goes back
// so long. Writes are refused from its beginning to its end, sign-ins go on, it is started
// only when it has counted, and cancelled only before it is started.
func TestS803_ARecoveryTakesTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seed, err := localpool.ParseSeed([]byte(`
pools:
  - id: local_Slow1
    recovery: 10m
    clients: [{id: app, auth_flows: [ALLOW_USER_PASSWORD_AUTH]}]
    users: [{username: carol, email: carol@example.com, password: Passw0rd!}]
`))
		if err != nil {
			t.Fatal(err)
		}
		pool, err := localpool.New(localpool.Config{Seed: seed, BaseURL: "http://localhost:9229", Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		ask := func(operation, rest string) (map[string]any, int) {
			t.Helper()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost:9229/", strings.NewReader(`{`+rest+`}`))
			r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService."+operation)
			w := httptest.NewRecorder()
			pool.ServeHTTP(w, r)
			var out map[string]any
			if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
				t.Fatal(err)
			}
			return out, w.Code
		}
		const on = `"UserPoolId":"local_Slow1"`
		create := func(name string) bool {
			_, code := ask("AdminCreateUser", on+`,"Username":"`+name+`","MessageAction":"SUPPRESS"`)
			return code == http.StatusOK
		}
		time.Sleep(time.Hour)
		at := time.Now().Unix()
		time.Sleep(time.Hour)
		if !create("later") {
			t.Fatal("nobody can be made")
		}
		begin := func() string {
			r, code := ask("InitiatePointInTimeRecovery", fmt.Sprintf(`%s,"RestoreTimestamp":%d`, on, at))
			if code != http.StatusOK {
				t.Fatal(r)
			}
			return r["Restoration"].(map[string]any)["RestoreId"].(string)
		}
		step := func(operation, id string) int {
			_, code := ask(operation, on+`,"RestoreId":"`+id+`"`)
			return code
		}
		holds := func(what, id, status string, preview, paused bool) {
			t.Helper()
			r, _ := ask("DescribePointInTimeRecovery", on+`,"RestoreId":"`+id+`"`)
			now, _ := r["Restoration"].(map[string]any)
			if _, shown := now["RestorePreview"]; now["RestoreStatus"] != status || shown != preview {
				t.Errorf("%s: it is %v", what, now)
			}
			if create(what) == paused {
				t.Errorf("%s: paused is %v", what, !paused)
			}
			if _, code := ask("InitiateAuth", `"ClientId":"app","AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"carol","PASSWORD":"Passw0rd!"}`); code != http.StatusOK {
				t.Errorf("%s: a sign-in is refused", what)
			}
			if !paused {
				return
			}
			if _, code := ask("InitiatePointInTimeRecovery", fmt.Sprintf(`%s,"RestoreTimestamp":%d`, on, at)); code == http.StatusOK {
				t.Errorf("%s: another begins", what)
			}
		}
		refused := func(what string, id string, operations ...string) {
			t.Helper()
			for _, operation := range operations {
				if step(operation, id) == http.StatusOK {
					t.Errorf("%s: %s is taken", what, operation)
				}
			}
		}
		const start, cancel = "StartPointInTimeRecovery", "CancelPointInTimeRecovery"

		id := begin()
		holds("counts", id, "PREVIEW_GENERATING", false, true)
		refused("counts", id, start)
		if step(cancel, id) != http.StatusOK {
			t.Error("it is not cancelled")
		}
		time.Sleep(time.Hour)
		r, _ := ask("DescribePointInTimeRecovery", on+`,"RestoreId":"`+id+`"`)
		if now := r["Restoration"].(map[string]any); now["RestoreStatus"] != "PREVIEW_CANCELLED" {
			t.Errorf("cancelled: it is %v", now)
		}
		refused("cancelled", id, start, cancel)

		id = begin()
		time.Sleep(10 * time.Minute)
		holds("counted", id, "PREVIEW_GENERATED", true, true)
		if step(start, id) != http.StatusOK {
			t.Fatal("it is not started")
		}
		holds("goes back", id, "RESTORING", false, true)
		refused("goes back", id, start, cancel)
		if list, _ := ask("ListPointInTimeRecoveries", on); len(list["Restorations"].([]any)) != 1 {
			t.Errorf("it is not listed: %v", list)
		}
		time.Sleep(9 * time.Minute)
		holds("still", id, "RESTORING", false, true)
		time.Sleep(time.Minute)
		if _, code := ask("AdminGetUser", on+`,"Username":"later"`); code == http.StatusOK {
			t.Error("who came after the time is there")
		}
		holds("done", id, "RESTORE_COMPLETED", false, false)
		refused("done", id, start, cancel)

		// What nobody takes up ends by itself.
		time.Sleep(20 * time.Minute)
		at = time.Now().Add(-16 * time.Minute).Unix()
		id = begin()
		time.Sleep(25 * time.Hour)
		holds("expired", id, "PREVIEW_EXPIRED", false, false)
		refused("expired", id, start, cancel)
	})
}
