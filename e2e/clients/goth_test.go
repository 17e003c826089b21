package clients

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gorilla/sessions"
	"github.com/markbates/goth"
	"github.com/markbates/goth/gothic"
	"github.com/markbates/goth/providers/cognito"
	"github.com/markbates/goth/providers/openidConnect"

	"github.com/codegrant/codegrant/codegranttest"
)

// TestGoth tells the story of goth with both of its providers that people use for Cognito.
func TestGoth(t *testing.T) {
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	home := strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/"
	mux.HandleFunc("GET /{$}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /auth/{provider}", func(w http.ResponseWriter, r *http.Request) {
		gothic.BeginAuthHandler(w, gothic.GetContextWithProvider(r, r.PathValue("provider")))
	})
	mux.HandleFunc("GET /auth/{provider}/callback", func(w http.ResponseWriter, r *http.Request) {
		user, err := gothic.CompleteUserAuth(w, gothic.GetContextWithProvider(r, r.PathValue("provider")))
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(user)
	})
	// Cognito's tokens are longer than what its cookies hold.
	store := sessions.NewFilesystemStore(t.TempDir(), []byte("made-with-openssl-rand-hex-32-on"))
	store.MaxLength(0)
	gothic.Store = store
	pool := thePool(t)

	for name, provider := range map[string]func(a *application) (goth.Provider, error){
		"cognito": func(a *application) (goth.Provider, error) {
			return cognito.New(a.id, a.secret, a.pool.url, a.callback, "openid", "email", "profile"), nil
		},
		"openid-connect": func(a *application) (goth.Provider, error) {
			return openidConnect.New(a.id, a.secret, a.callback, a.pool.issuer+"/.well-known/openid-configuration", "email", "profile")
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := pool.register(t, "goth-"+name, home+"auth/"+name+"/callback", home, true)
			p, err := provider(a)
			if err != nil {
				t.Fatal(err)
			}
			goth.UseProviders(p)
			b := codegranttest.NewBrowser(t)
			page := signsIn(t, b, b.Open(home+"auth/"+name), a.username)
			var user goth.User
			if err := json.Unmarshal([]byte(page.Body), &user); err != nil {
				t.Fatalf("at %s: %s", page.URL, page.Body)
			}
			if user.Email != a.email || user.FirstName != "Alice" || user.Name != "Alice of "+a.username || user.UserID == "" || user.RefreshToken == "" || user.ExpiresAt.IsZero() {
				t.Errorf("the user: %+v", user)
			}
			if name == "cognito" {
				// It asks userInfo alone, which has no groups.
				if user.RawData["EmailVerified"] != "true" {
					t.Errorf("what it was told: %v", user.RawData)
				}
			} else if groups, _ := json.Marshal(user.RawData["cognito:groups"]); string(groups) != `["admins","analysts"]` || user.RawData["email_verified"] != "true" {
				// What userInfo says takes the place of what the ID token says: the boolean has become a text.
				t.Errorf("what it was told: %v", user.RawData)
			}

			// The callback again, and with a state that is not this browser's.
			if again := b.Open(page.URL.String()); again.Status != http.StatusUnauthorized {
				t.Errorf("the callback a second time: %d %s", again.Status, again.Body)
			}
			for query, text := range map[string]string{"code=made-up&state=made-up": "state token mismatch", "error=access_denied&state=": "invalid_"} {
				begun := a.visitor(t)
				begun.Client.Jar = b.Client.Jar
				back := a.visit(t, begun, home+"auth/"+name) // signed in at the pool: straight back to a callback, which is not followed
				if strings.HasSuffix(query, "=") {
					query += url.QueryEscape(back.Query().Get("state"))
				}
				// It does not look for an error: it redeems a code that is not there.
				if refused := b.Open(a.callback + "?" + query); refused.Status != http.StatusUnauthorized || !strings.Contains(refused.Body, text) {
					t.Errorf("%s: %d %s", query, refused.Status, refused.Body)
				}
			}

			tokens, err := p.RefreshToken(user.RefreshToken)
			if err != nil || tokens.AccessToken == "" || tokens.AccessToken == user.AccessToken || tokens.RefreshToken != user.RefreshToken {
				t.Fatalf("refreshed: %v, %v", tokens, err)
			}
			a.signOutEverywhere(t)
			if _, err := p.RefreshToken(user.RefreshToken); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
				t.Errorf("a refresh after the person was signed out everywhere: %v", err)
			}
			if page := b.Open(a.logout()); page.URL.String() != home {
				t.Errorf("the pool's sign-out ended at %s", page.URL)
			}
			if page := b.Open(home + "auth/" + name); !strings.HasPrefix(page.URL.String(), pool.url+"/login?") {
				t.Errorf("after it the sign-in ended at %s", page.URL)
			}
		})
	}
}
