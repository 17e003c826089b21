package codegrant_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/codegranttest"
)

// A stranger uses up the fetches that tokens in requests may cause, while the pool
// begins to sign with a new key. Sign-ins and refreshes have fetches of their own.
func TestS310_AStrangersKeyIDs(t *testing.T) {
	a := newApp(t, nil)
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
	token, err := a.MintToken(a.PoolID, map[string]any{
		"token_use": "access", "client_id": a.ClientID, "sub": "x", "username": "x",
		"iat": a.now.Now().Unix(), "exp": a.now.Now().Add(3 * time.Hour).Unix(), "iss": a.Clients()[0].Issuer,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(token, ".")
	invented := func(keyID string) int {
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"` + keyID + `"}`))
		r, err := http.NewRequest("GET", a.url+"/auth/user", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+header+"."+rest)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		return response.StatusCode
	}
	a.now.Advance(61 * time.Minute)
	if status := invented("one"); status != 401 {
		t.Errorf("a key id that was looked for: status %d", status)
	}
	for _, keyID := range []string{"two", "three", "one"} {
		if status := invented(keyID); status != 503 {
			t.Errorf("a key id that was not looked for: status %d", status)
		}
	}
	if err := a.RotateKeys(a.PoolID); err != nil {
		t.Fatal(err)
	}
	page := codegranttest.NewBrowser(t).SignIn(a.url+"/reports/", "bob@example.com", codegranttest.Password)
	if page.Status >= 400 && page.Status != 403 {
		t.Errorf("a sign-in: status %d", page.Status)
	}
	if err := a.RotateKeys(a.PoolID); err != nil {
		t.Fatal(err)
	}
	if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 200 {
		t.Errorf("a refresh: status %d", r.StatusCode)
	}
}
