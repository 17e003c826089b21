package clients

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/codegrant/codegrant/e2e/browser"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/localpool"
)

const passkeySeed = `
pools:
  - id: ` + poolID + `
    first_factors: [PASSWORD, EMAIL_OTP, WEB_AUTHN]
    clients: [{id: spa, callback_urls: ["HOME"]}]
    users: [{username: alice, email: alice@example.com, name: Alice, password: Passw0rd!}]
`

// TestPasskeys registers a passkey on the pool's pages in Chromium, and signs in with it.
// The authenticator is Chromium's own virtual one.
func TestPasskeys(t *testing.T) {
	testenv.Chromium(t)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Query().Get("code") != "" {
			_, _ = w.Write([]byte("<title>App</title>signed in"))
			return
		}
		_, _ = w.Write([]byte("<title>App</title>back"))
	}))
	t.Cleanup(app.Close)
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	seed, err := localpool.ParseSeed([]byte(strings.ReplaceAll(passkeySeed, "HOME", app.URL+"/")))
	if err != nil {
		t.Fatal(err)
	}
	pool, err := localpool.New(localpool.Config{Seed: seed, BaseURL: server.URL, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	mux.Handle("/", pool)

	b := browser.New(t)
	b.Do("plug a virtual authenticator in", func(ctx context.Context, tab *chromedp.Target) (void chromedp.Void, err error) {
		if _, err = cdp.Call(ctx, tab, webauthn.Enable, webauthn.EnableParams{}); err != nil {
			return void, err
		}
		_, err = cdp.Call(ctx, tab, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: "ctap2", Transport: "internal", HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}})
		return void, err
	})
	authorize := func(more string) string {
		q := url.Values{"client_id": {"spa"}, "response_type": {"code"}, "redirect_uri": {app.URL + "/"}}
		return server.URL + "/oauth2/authorize?" + q.Encode() + more
	}
	pictures := func(name string) {
		b.Screenshot(name + ", 1200")
		b.Phone()
		b.Screenshot(name + ", 390")
		b.Do("turn into a desk", chromedp.EmulateViewport(1200, 900))
	}
	b.Open(authorize(""))
	b.Fill("#username", "alice")
	b.Click("form button")
	b.See("Choose how to sign in")
	pictures("ways")
	b.Click("button[value=PASSWORD]")
	b.Fill("#password", "Passw0rd!")
	b.Click("form button")
	b.See("signed in")

	b.Open(server.URL + "/passkeys/add?" + url.Values{"client_id": {"spa"}, "redirect_uri": {app.URL + "/"}}.Encode())
	b.See("Add a passkey")
	pictures("add")
	b.Click("form button")
	b.See("back")

	b.Open(authorize("&prompt=login"))
	b.Fill("#username", "alice")
	b.Click("form button")
	b.See("Passkey")
	b.Click("button[value=WEB_AUTHN]")
	b.See("Sign in with a passkey")
	b.Click("form button")
	b.See("signed in")

	// In another language.
	b.Open(server.URL + "/signup?" + url.Values{"client_id": {"spa"}, "response_type": {"code"}, "redirect_uri": {app.URL + "/"}, "lang": {"de"}}.Encode())
	pictures("de")
}
