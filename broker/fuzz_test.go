package broker_test

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/broker"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/session"
)

// handlers of a broker whose pool nobody asks.
func handlers(t testing.TB) map[string]http.Handler {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	auth, err := codegrant.New(codegrant.Config{
		Pool: cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "c1"}, BaseURL: "https://app.example.com", Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := broker.New(broker.Config{
		Auth: auth, Keys: session.RandomKeyring(), Logger: quiet, Algorithm: "ES256", Wait: func(*http.Request) time.Duration { return 0 },
		Resources: []broker.Resource{{URL: "https://app.example.com/mcp", Scopes: []string{"read"}}},
		Clients:   []broker.Client{{ID: "fixed", RedirectURIs: []string{"http://127.0.0.1/cb"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Handlers()
}

// FuzzS698_Parameters: whatever strangers send to an endpoint, the answer is an error of
// OAuth or a sign-in, gives nothing, and sends nobody anywhere but to a registered address.
func FuzzS698_Parameters(f *testing.F) {
	for _, seed := range []string{
		"response_type=code&client_id=fixed&redirect_uri=http://127.0.0.1:7/cb&code_challenge_method=S256&code_challenge=" + challenge,
		"client_id=fixed&redirect_uri=http://127.0.0.1:7/cb&scope=x&state=y&resource=z",
		"client_id=fixed&redirect_uri=https://127.0.0.1@evil.example/cb", "client_id=https://app.example.com/client.json",
		"grant_type=refresh_token&refresh_token=cgr_a.1.b&client_id=fixed", "grant_type=authorization_code&code=cgc_.0.&client_id=fixed", "token=x&client_id=fixed",
		"%", "a=1&a=2", `{"redirect_uris":["http://localhost/cb"]}`, `{"redirect_uris":["https://claude.ai/cb"]}`, "question=x&answer=allow",
	} {
		f.Add(seed)
	}
	all := handlers(f)
	f.Fuzz(func(t *testing.T, raw string) {
		for path, h := range all {
			r := httptest.NewRequestWithContext(t.Context(), "POST", "https://app.example.com"+path, strings.NewReader(raw))
			switch path {
			case "/oauth/authorize":
				r = httptest.NewRequestWithContext(t.Context(), "GET", "https://app.example.com"+path, nil)
				r.URL.RawQuery = raw
				r.Header.Set("Accept", "text/html")
			case "/oauth/register":
				r.Header.Set("Content-Type", "application/json")
			default:
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			harmless(t, path, raw, w)
		}
	})
}

func harmless(t *testing.T, path, raw string, w *httptest.ResponseRecorder) {
	t.Helper()
	if to := w.Header().Get("Location"); to != "" {
		u, err := url.Parse(to)
		atHome := err == nil && u.Host == "" && strings.HasPrefix(to, "/auth/login?")
		client := err == nil && u.Scheme == "http" && u.Hostname() == "127.0.0.1" && u.User == nil && u.Path == "/cb" && u.Query().Get("error") != ""
		if path != "/oauth/authorize" || !atHome && !client {
			t.Errorf("%s %q leads to %s", path, raw, to)
		}
		return
	}
	if w.Code >= 500 || path != "/oauth/register" && path != "/oauth/revoke" && w.Code < 400 {
		t.Errorf("%s %q: %d %s", path, raw, w.Code, w.Body)
	}
	var said struct {
		Error   string `json:"error"`
		Access  string `json:"access_token"`
		Clients string `json:"client_id"`
	}
	if w.Header().Get("Content-Type") == "application/json" {
		if err := json.Unmarshal(w.Body.Bytes(), &said); err != nil || said.Access != "" || w.Code == 400 && said.Error == "" {
			t.Errorf("%s %q: %v %s", path, raw, err, w.Body)
		}
	}
}
