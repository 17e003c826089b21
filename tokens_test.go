package codegrant_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/localpool"
)

// TestRefusedTokens has the pool answer with tokens that are well signed and not
// the ones that were asked for.
func TestRefusedTokens(t *testing.T) {
	type claims = map[string]any
	tests := []struct {
		name       string
		id, access claims // changes; nil removes
		reason     string
	}{
		{"S012 a swapped nonce", claims{"nonce": "another"}, nil, "nonce"},
		{"S012 no nonce", claims{"nonce": nil}, nil, "nonce"},
		{"S008 an ID token of another client", claims{"aud": "other"}, nil, "audience"},
		{"S008 an access token of another client", nil, claims{"client_id": "other"}, "audience"},
		{"S007 another pool", claims{"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Other1"}, nil, "issuer"},
		{"S011 tokens of two people", nil, claims{"sub": "mallory"}, fault.SubjectMismatch.Error()},
		{"S009 an access token for an ID token", claims{"token_use": "access"}, nil, "use"},
		{"S010 expired", claims{"exp": time.Now().Add(-time.Hour).Unix()}, nil, "expired"},
		{"S022 a token of the app client itself", nil, claims{"sub": localpool.DemoClientID, "username": nil}, codegrant.ErrMachineToken.Error()},
		{"S-613 an ID token for somebody else to act with", claims{"act": claims{"sub": "agent-1"}}, nil, "to act with"},
		{"S-613 an access token for somebody else to act with", nil, claims{"act": claims{"sub": "agent-1"}}, "to act with"},
		{"S-613 an act that names nobody", nil, claims{"act": claims{}}, "wrong type: act"},
		{"S011 an access token swapped for another", claims{"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}, nil, "access token"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := newApp(t, nil)
			browser := codegranttest.NewBrowser(t)
			start := get(t, browser.Client, a.url+"/auth/login?redirect_uri=/reports/")
			authorize, err := url.Parse(start.Header.Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			pool, now := a.Clients()[0], time.Now()
			mint := func(base, changes claims) string {
				c := maps.Clone(base)
				for k, v := range changes {
					if c[k] = v; v == nil {
						delete(c, k)
					}
				}
				token, err := a.MintToken(a.PoolID, c)
				if err != nil {
					t.Fatal(err)
				}
				return token
			}
			common := claims{"iss": pool.Issuer, "sub": "s-1", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "auth_time": now.Unix()}
			id, access := maps.Clone(common), maps.Clone(common)
			maps.Copy(id, claims{"token_use": "id", "aud": pool.ID, "cognito:username": "carol", "nonce": authorize.Query().Get("nonce")})
			maps.Copy(access, claims{"token_use": "access", "client_id": pool.ID, "username": "carol", "scope": "openid"})
			answer, err := json.Marshal(claims{
				"id_token": mint(id, tt.id), "access_token": mint(access, tt.access), "refresh_token": "the-refresh-token", "expires_in": 3600, "token_type": "Bearer",
			})
			if err != nil {
				t.Fatal(err)
			}
			a.Fault(localpool.Token, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json;charset=UTF-8")
				_, _ = w.Write(answer)
			}))
			page := browser.Open(a.url + "/auth/callback?code=c&state=" + url.QueryEscape(authorize.Query().Get("state")))
			if page.Status != 400 || !strings.Contains(page.Body, "Sign in again") {
				t.Errorf("status %d: %s", page.Status, page.Body)
			}
			if log := a.log.String(); !strings.Contains(log, tt.reason) || strings.Contains(log, "the-refresh-token") {
				t.Errorf("the log does not say %q, or too much:\n%s", tt.reason, log)
			}
			if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 401 {
				t.Errorf("a session came of it: status %d", r.StatusCode)
			}
			// S-033: what was received is given back.
			if a.Calls(localpool.Revoke) != 1 {
				t.Errorf("the refresh token was revoked %d times", a.Calls(localpool.Revoke))
			}
		})
	}
}

func TestS013_ARefreshForSomebodyElse(t *testing.T) {
	for name, change := range map[string]map[string]any{
		"another person": {"sub": "mallory"}, "another sign-in": {"auth_time": int64(1)}, "another nonce": {"nonce": "x"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newApp(t, nil)
			browser := codegranttest.NewBrowser(t)
			browser.SignIn(a.url+"/", "alice@example.com", codegranttest.Password)
			var user struct {
				Sub      string `json:"sub"`
				AuthTime int64  `json:"auth_time"`
			}
			if err := json.NewDecoder(get(t, browser.Client, a.url+"/auth/user").Body).Decode(&user); err != nil {
				t.Fatal(err)
			}
			a.now.Advance(61 * time.Minute)
			pool, now := a.Clients()[0], a.now.Now()
			base := map[string]any{"iss": pool.Issuer, "sub": user.Sub, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "auth_time": user.AuthTime}
			tokens := make(map[string]any)
			for use, more := range map[string]map[string]any{
				"id_token":     {"token_use": "id", "aud": pool.ID, "cognito:username": "alice"},
				"access_token": {"token_use": "access", "client_id": pool.ID, "username": "alice", "scope": "openid"},
			} {
				c := maps.Clone(base)
				maps.Copy(c, more)
				maps.Copy(c, change)
				token, err := a.MintToken(a.PoolID, c)
				if err != nil {
					t.Fatal(err)
				}
				tokens[use] = token
			}
			tokens["expires_in"], tokens["token_type"] = 3600, "Bearer"
			a.Fault(localpool.Token, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_ = json.NewEncoder(w).Encode(tokens)
			}))
			if r := get(t, browser.Client, a.url+"/auth/user"); r.StatusCode != 401 {
				t.Errorf("status %d, want the session to end", r.StatusCode)
			}
		})
	}
}

// What an app client got for itself (client_credentials) proves nobody, whatever
// scopes and groups a trigger put into it.
func TestS022_AMachineIsNobody(t *testing.T) {
	a := newApp(t, nil)
	now := time.Now()
	for name, tt := range map[string]struct {
		change map[string]any
		want   int
	}{
		"a person":                 {map[string]any{"sub": "s-1", "username": "carol"}, 200},
		"the app client":           {map[string]any{"sub": a.ClientID}, 401},
		"the app client, in group": {map[string]any{"sub": a.ClientID, "cognito:groups": []string{"analysts"}}, 401},
	} {
		claims := map[string]any{"iss": a.Clients()[0].Issuer, "token_use": "access", "client_id": a.ClientID, "scope": "orders/read openid", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
		maps.Copy(claims, tt.change)
		token, err := a.MintToken(a.PoolID, claims)
		if err != nil {
			t.Fatal(err)
		}
		if r := get(t, http.DefaultClient, a.url+"/", "Authorization", "Bearer "+token); r.StatusCode != tt.want {
			t.Errorf("%s: status %d, want %d", name, r.StatusCode, tt.want)
		}
	}
}

// The groups that Cognito makes for identity providers are in tokens, and say where
// somebody comes from, not what they may do.
func TestS116_ProviderGroupsOpenNothing(t *testing.T) {
	a := newApp(t, nil)
	provider := a.PoolID + "_Google"
	a.AddUser("carol", "carol@example.com", provider, "other_Google", "analysts")
	browser := codegranttest.NewBrowser(t)
	browser.SignIn(a.url+"/", "carol@example.com", codegranttest.Password)
	var token string
	handler := func(p codegrant.Permission) http.Handler {
		return a.auth.Require(p)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			id, _ := codegrant.From(r.Context())
			token = id.AccessToken().Reveal()
			if id.InGroup(provider) || slices.Contains(id.Groups, provider) || len(id.Groups) != 2 {
				t.Errorf("groups %q", id.Groups)
			}
		}))
	}
	cookie := sessionOf(t, browser, a.url)
	ask := func(group, header, value string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, a.url+"/", nil)
		r.Header.Set(header, value)
		w := httptest.NewRecorder()
		handler(codegrant.InGroup(group)).ServeHTTP(w, r)
		return w.Code
	}
	for _, proof := range []struct{ header, value string }{{"Cookie", cookie.Name + "=" + cookie.Value}, {"Authorization", ""}} {
		if proof.value == "" {
			proof.value = "Bearer " + token // of the session before
		}
		for group, want := range map[string]int{"analysts": 200, "other_Google": 200, provider: 403} {
			if status := ask(group, proof.header, proof.value); status != want {
				t.Errorf("%s, group %s: status %d, want %d", proof.header, group, status, want)
			}
		}
	}
}
