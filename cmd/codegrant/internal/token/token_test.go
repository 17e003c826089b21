package token

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
)

func TestToken(t *testing.T) {
	pool := codegranttest.NewPool(t, nil)
	client := pool.Clients()[0]
	configuration := filepath.Join(t.TempDir(), "codegrant.yaml")
	if err := os.WriteFile(configuration, fmt.Appendf(nil, `
base_url: http://localhost:8080
pools: [{code_grant_url: %s/oauth2/token, jwks_url: %s/.well-known/jwks.json, client_id: %s, client_secret: %s}]
`, pool.URL, client.Issuer, client.ID, client.Secret), 0o600); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	mint := func(changes map[string]any) string {
		t.Helper()
		claims := map[string]any{
			"iss": client.Issuer, "sub": "s-1", "client_id": client.ID, "token_use": "access", "scope": "openid", "username": "carol",
			"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		}
		for name, value := range changes {
			claims[name] = value
			if value == nil {
				delete(claims, name)
			}
		}
		raw, err := pool.MintToken(pool.PoolID, claims)
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	good := mint(nil)
	payload := strings.Split(good, ".")[1]
	for _, tt := range []struct {
		name, token string
		status      int
		want        []string
	}{
		{"good", good, 0, []string{"good: this access token is accepted", "username", "carol", "Z  in "}},
		{"as a header has it", "bearer  " + good + "\n", 0, []string{"good"}},
		{"ID token", mint(map[string]any{"token_use": "id", "aud": client.ID, "client_id": nil, "cognito:username": "carol", "username": nil}), 0,
			[]string{"good: this ID token", "APIs accept the access token"}},
		{"expired", mint(map[string]any{"iat": now.Add(-2 * time.Hour).Unix(), "exp": now.Add(-time.Hour).Unix()}), 1,
			[]string{"not accepted", "expired", "Get a new one", "Z  1h0m", " ago", "Claims, not verified"}},
		{"other app client", mint(map[string]any{"client_id": "2other"}), 1, []string{"another audience", "accept tokens of " + client.ID, "2other"}},
		{"other issuer", mint(map[string]any{"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other"}), 1, []string{"another issuer", "have the issuer " + client.Issuer}},
		{"machine", mint(map[string]any{"sub": client.ID, "username": nil}), 0, []string{"good: this machine token verifies", "client_credentials", "machines: true"}},
		{"changed", strings.Replace(good, payload, payload[:len(payload)-4]+"AAAA", 1), 1, []string{"not accepted"}},
		{"forged", good[:len(good)-8] + "AAAAAAAA", 1, []string{"bad signature", "or is forged"}},
		{"half of it", good[:len(good)/3], 1, []string{"three parts"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(file, []byte(tt.token), 0o600); err != nil {
				t.Fatal(err)
			}
			stdout, stderr, status := say(t, "token", "--config", configuration, file)
			if status != tt.status {
				t.Errorf("status %d, want %d: %s", status, tt.status, stderr)
			}
			for _, want := range tt.want {
				if !strings.Contains(stdout, want) {
					t.Errorf("it does not say %q:\n%s", want, stdout)
				}
			}
			if strings.Contains(stdout+stderr, good[len(good)-40:]) {
				t.Error("it shows the signature: whoever reads along has the token")
			}
			stdout, _, _ = say(t, "token", "--json", "--config", configuration, file)
			var verdict struct{ Good, Verified bool }
			if err := json.Unmarshal([]byte(stdout), &verdict); err != nil || verdict.Good != (tt.status == 0) {
				t.Errorf("as JSON: %v %s", err, stdout)
			}
		})
	}

	// What is not for the eyes of others, or not for this command.
	for _, tt := range []struct{ name, content, argument, want string }{
		{"on the command line", "", good, "others can see the command line"},
		{"refresh token", "eyJjdHkiOiJKV1QifQ.a.b.c.d", "", "only Cognito can read it"},
		{"nothing", " \n", "", "has no token in it"},
	} {
		argument := tt.argument
		if argument == "" {
			argument = filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(argument, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, stderr, status := say(t, "token", "--config", configuration, argument); status != 1 || !strings.Contains(stderr, tt.want) || strings.Contains(stderr, good) {
			t.Errorf("%s: status %d: %s", tt.name, status, stderr)
		}
	}

	// A pool that does not answer is not a verdict.
	t.Setenv("AUTH_COGNITO_CLIENT_ID", client.ID)
	t.Setenv("AUTH_COGNITO_CODE_GRANT_URL", "http://127.0.0.1:1/oauth2/token")
	t.Setenv("AUTH_COGNITO_JWKS_URL", "http://127.0.0.1:1/"+pool.PoolID+"/.well-known/jwks.json")
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(mint(map[string]any{"iss": "http://127.0.0.1:1/" + pool.PoolID})), 0o600); err != nil {
		t.Fatal(err)
	}
	if stdout, stderr, status := say(t, "token", file); status != 1 || !strings.Contains(stderr, "cannot check the token") || strings.Contains(stdout, "good: ") {
		t.Errorf("without a pool: status %d: %s%s", status, stdout, stderr)
	}
}

func TestTimesOfClaims(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 400e6, time.UTC)
	for at, want := range map[time.Duration]string{
		-400 * time.Millisecond: "just now", 0: "just now", 90 * time.Second: "in 1m30s", -time.Hour: "1h0m0s ago", 600 * time.Millisecond: "in 1s",
	} {
		if got := fromNow(now, now.Add(at)); got != want {
			t.Errorf("%v from now is %q, want %q", at, got, want)
		}
	}
}
