package clients

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/codegrant/codegrant/e2e/browser"
	"github.com/codegrant/codegrant/internal/testenv"
)

// page serves a page with buttons and a program, bundled for browsers, and returns its
// address. Its settings are known once the application is registered.
func page(t *testing.T, program string, buttons ...string) (home string, settings *string) {
	t.Helper()
	node, programs := javaScript(t)
	file := filepath.Join(t.TempDir(), "bundle.js")
	bundle := exec.CommandContext(t.Context(), node, filepath.Join("node_modules", "esbuild", "bin", "esbuild"), program, "--bundle", "--format=esm", "--outfile="+file, "--log-level=error")
	bundle.Dir = programs
	if out, err := bundle.CombinedOutput(); err != nil {
		t.Fatalf("esbuild: %v\n%s", err, out)
	}
	settings = new(string)
	var html strings.Builder
	for _, name := range buttons {
		fmt.Fprintf(&html, `<button id=%q>%s</button>`, name, name)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /bundle.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) })
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<!doctype html><title>App</title><p id="status">loading</p>%s<script type="application/json" id="settings">%s</script><script type="module" src="/bundle.js"></script>`, html.String(), *settings)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL + "/", settings
}

// TestPages tells the stories of clients that run in browsers, in one Chromium.
func TestPages(t *testing.T) {
	testenv.Chromium(t)
	javaScript(t)
	pool := thePool(t)
	chromium := browser.New(t)

	t.Run("oidc-client-ts", func(t *testing.T) {
		// Beside the pool, as a page under the domain of the pool's own is: cookies go along in frames.
		home, settings := page(t, "oidc-client-ts.mjs", "in", "cancel", "renew", "frame", "revoke", "out")
		a := pool.register(t, "oidc-client-ts", home, home, false)
		*settings = a.settings(t, nil)
		b := chromium.Profile(t)
		b.Open(home)
		b.See("signed out")
		b.Click("#cancel")
		b.See("refused: ErrorResponse invalid_request invalid_scope")
		b.Open(home)
		b.Click("#in")
		b.Fill("#username", a.email)
		b.Fill("#password", "Wr0ng-Passw0rd")
		b.Click("form button")
		b.See("Incorrect username or password.")
		b.Fill("#password", password)
		b.Click("form button")
		// userInfo has its say after the ID token: the boolean has become a text.
		b.See("signed in for /orders: oidc-client-ts " + a.email + " admins,analysts string")
		b.Click("#renew")
		b.See("renewed: oidc-client-ts " + a.email + " admins,analysts")
		b.Click("#frame")
		b.See("renewed in a frame: oidc-client-ts " + a.email + " admins,analysts")
		b.Open(home)
		b.See("signed in: oidc-client-ts")
		b.Click("#revoke")
		b.See("revoke failed: ErrorResponse invalid_grant")
		b.Open(home)
		b.See("signed in")
		b.Click("#out")
		b.See("signed out")
		b.Click("#in")
		b.See("Sign in to your account")
	})

	t.Run("Amplify, SRP and a passkey", func(t *testing.T) {
		home, settings := page(t, "amplify-passkey.mjs", "wrong", "srp", "again", "add", "passkey", "choose", "remove", "out")
		home = strings.Replace(home, "127.0.0.1", "localhost", 1) // passkeys are for names
		a := pool.without().register(t, "amplify", home, home, false)
		*settings = a.settings(t, nil)
		b := chromium.Profile(t)
		b.Do("plug a virtual authenticator in", func(ctx context.Context, tab *chromedp.Target) (void chromedp.Void, err error) {
			if _, err = cdp.Call(ctx, tab, webauthn.Enable, webauthn.EnableParams{}); err != nil {
				return void, err
			}
			_, err = cdp.Call(ctx, tab, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
				Protocol: "ctap2", Transport: "internal", HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
			}})
			return void, err
		})
		b.Open(home)
		b.See("ready")
		for _, step := range []struct{ button, want string }{
			{"wrong", "wrong failed: NotAuthorizedException: Incorrect username or password."},
			{"srp", "by SRP: amplify " + a.email + " admins,analysts"},
			{"again", "refreshed"},
			{"add", "passkeys: 1 for localhost"},
			{"out", "out: UserUnAuthenticatedException"},
			{"passkey", "by passkey: amplify " + a.email + " admins,analysts"},
			{"out", "out: UserUnAuthenticatedException"},
			{"choose", "chosen of PASSWORD,PASSWORD_SRP,WEB_AUTHN: amplify " + a.email},
			{"remove", "passkeys: 0"},
		} {
			b.Click("#" + step.button)
			b.See(step.want)
		}
	})
}
