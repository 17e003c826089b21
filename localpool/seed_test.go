package localpool_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/localpool"
)

// The seeds that the documentation shows are ones.
func TestDocumentedSeeds(t *testing.T) {
	page, err := os.ReadFile("../docs/local-pool.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1)
	if len(blocks) == 0 {
		t.Fatal("docs/local-pool.md shows no seed")
	}
	for _, block := range blocks {
		seed, err := localpool.ParseSeed(block[1])
		if err != nil {
			t.Error(err)
			continue
		}
		if p := seed.Pools[0]; p.Triggers.PreSignUp == "" || len(seed.Functions) == 0 || len(seed.Events) == 0 || seed.Events[0].Secret == "" {
			t.Errorf("seed = %+v", seed)
		}
	}
}

// A state that was kept has the triggers of the seed of this start, not of its first.
func TestTriggersOfAKeptState(t *testing.T) {
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "Closed", http.StatusForbidden) }))
	t.Cleanup(hook.Close)
	path := filepath.Join(t.TempDir(), "pool.json")
	signUp := func(trigger, username string) string {
		t.Helper()
		seed := localpool.DefaultSeed("http://localhost:8080")
		seed.Pools[0].Triggers.PreSignUp = trigger
		pool, err := localpool.New(localpool.Config{Seed: seed, StateFile: path, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer pool.Close()
		r := httptest.NewRequest("POST", "http://127.0.0.1:9229/", strings.NewReader(`{"ClientId":"`+localpool.DemoPublicID+`","Username":"`+username+`","Password":"Passw0rd!"}`))
		r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.SignUp")
		w := httptest.NewRecorder()
		pool.ServeHTTP(w, r)
		return w.Body.String()
	}
	if got := signUp("", "erin"); !strings.Contains(got, "UserSub") {
		t.Errorf("without a trigger: %s", got)
	}
	if got := signUp(hook.URL, "frank"); !strings.Contains(got, "PreSignUp failed with error Closed.") {
		t.Errorf("with one: %s", got)
	}
	if got := signUp("", "frank"); !strings.Contains(got, "UserSub") {
		t.Errorf("without it again: %s", got)
	}
}
