package localpool_test

import (
	"bytes"
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
		if bytes.HasPrefix(block[1], []byte("# codegrant.yaml\n")) {
			continue // what a gateway is told of the pool
		}
		seed, err := localpool.ParseSeed(block[1])
		if err != nil {
			t.Error(err)
			continue
		}
		pool, err := localpool.New(localpool.Config{Seed: seed, BaseURL: "http://127.0.0.1:9229", Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Error(err)
			continue
		}
		_ = pool.Close()
		if p := seed.Pools[0]; p.Triggers.PreSignUp == "" || len(seed.Functions) == 0 || len(seed.Events) == 0 || seed.Events[0].Secret == "" {
			t.Errorf("seed = %+v", seed)
		}
	}
}

// TestSeedWithoutPools: infrastructure tools begin with nothing, and make pools and clients
// themselves.
func TestSeedWithoutPools(t *testing.T) {
	if _, err := localpool.ParseSeed([]byte("quotas: {UserList: 3}")); err == nil || !strings.Contains(err.Error(), "there is no pool") {
		t.Errorf("a seed that does not speak of pools: %v", err)
	}
	c := newContractOf(t, "pools: []")
	if list, _ := c.ask("ListUserPools", `{"MaxResults":60}`)["UserPools"].([]any); len(list) != 0 {
		t.Errorf("pools = %v", list)
	}
	if a := c.do("GET", "/", nil); a.status != 200 {
		t.Errorf("the first page: status %d", a.status)
	}
	if a := c.do("GET", "/setup", nil); a.status != 200 {
		t.Errorf("the page of settings: status %d", a.status)
	}
	pool := c.made("")
	c.app(pool, "")
	c.ok(c.pool.Reset())
	if list, _ := c.ask("ListUserPools", `{"MaxResults":60}`)["UserPools"].([]any); len(list) != 0 {
		t.Errorf("pools after a reset = %v", list)
	}

	// And a pool has the clients that are made.
	c = newContractOf(t, "pools: [{id: local_Bare1}]")
	if list, _ := c.ask("ListUserPoolClients", `{"UserPoolId":"local_Bare1","MaxResults":60}`)["UserPoolClients"].([]any); len(list) != 0 {
		t.Errorf("clients = %v", list)
	}
	c.app(`"UserPoolId":"local_Bare1"`, "")
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

// TestSeededPeopleKeepTheirSub: a pool without a file, started again, has the people that
// an app's database knows by sub; somebody who is made while it runs is somebody new.
func TestSeededPeopleKeepTheirSub(t *testing.T) {
	seed := localpool.DefaultSeed("http://localhost:8080")
	seed.Pools[0].Users = append(seed.Pools[0].Users, localpool.UserSeed{Username: "Carol", Email: "carol@example.com", Password: "Passw0rd!"})
	seed.Pools = append(seed.Pools, localpool.PoolSeed{
		ID: "local_Other1", EmailAsUsername: true, Clients: []localpool.ClientSeed{{ID: "other"}},
		Users: []localpool.UserSeed{{Email: "alice@example.com", Password: "Passw0rd!"}, {Email: "dave@example.com", Password: "Passw0rd!", Attributes: map[string]string{"sub": "11111111-2222-4333-8444-555555555555"}}},
	})
	subs := func() map[string]string {
		s, err := localpool.New(localpool.Config{BaseURL: "http://127.0.0.1:9229", Seed: seed, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		found := make(map[string]string)
		for _, who := range [][2]string{{"local_Demo12345", "alice"}, {"local_Demo12345", "bob"}, {"local_Demo12345", "carol"}, {"local_Other1", "alice@example.com"}, {"local_Other1", "dave@example.com"}} {
			r := httptest.NewRequest("POST", "http://127.0.0.1:9229/", strings.NewReader(`{"UserPoolId":"`+who[0]+`","Username":"`+who[1]+`"}`))
			r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.AdminGetUser")
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			sub := regexp.MustCompile(`"Name":"sub","Value":"([^"]+)"`).FindStringSubmatch(w.Body.String())
			if sub == nil {
				t.Fatalf("%v: %s", who, w.Body)
			}
			found[who[0]+" "+who[1]] = sub[1]
		}
		return found
	}
	first, second := subs(), subs()
	seen := make(map[string]bool)
	for who, sub := range first {
		if second[who] != sub || seen[sub] || len(sub) != 36 || sub[14] != '4' {
			t.Errorf("%s is %s, and after a restart %s", who, sub, second[who])
		}
		seen[sub] = true
	}
	if first["local_Other1 dave@example.com"] != "11111111-2222-4333-8444-555555555555" {
		t.Error("a sub that the seed names is not kept")
	}
}
