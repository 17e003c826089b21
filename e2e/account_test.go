package e2e

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	bigendian "encoding/binary"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/e2e/browser"
	"github.com/codegrant/codegrant/internal/proxytest"
	"github.com/codegrant/codegrant/localpool"
)

// startAccountPages runs codegrant serve with account pages beside a pool, both at localhost:
// browsers take passkeys there.
func startAccountPages(t *testing.T) (pool *localpool.Server, url string) {
	t.Helper()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	port := freePort(t)
	url = "http://localhost:" + port
	seed := localpool.DefaultSeed(url)
	own := &seed.Pools[0]
	own.MFA, own.FirstFactors = "OPTIONAL", []string{"PASSWORD", "WEB_AUTHN"}
	own.Clients[0].Scopes = []string{"openid", "email", "profile", "phone", "aws.cognito.signin.user.admin"}
	own.Clients[0].CallbackURLs = append(own.Clients[0].CallbackURLs, url+"/auth/account/passkeys")
	at := strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
	pool, err := localpool.New(localpool.Config{Seed: seed, BaseURL: at, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close() })
	handler = pool
	client := pool.Clients()[0]
	file := filepath.Join(t.TempDir(), "codegrant.yaml")
	if err := os.WriteFile(file, []byte(`listen: 127.0.0.1:`+port+`
base_url: `+url+`
pools:
  - name: customers
    id: `+client.PoolID+`
    issuer: `+client.Issuer+`
    domain: `+at+`
    client_id: `+client.ID+`
    client_secret: `+client.Secret+`
    scopes: [openid, email, profile, phone, aws.cognito.signin.user.admin]
    account:
      attributes: [email, phone_number, name, nickname, birthdate]
      passkey_return: `+url+`/auth/account/passkeys
routes:
  - files: `+t.TempDir()+`
`), 0o600); err != nil {
		t.Fatal(err)
	}
	proxytest.Run(t, "codegrant", exec.Command(buildCodegrant(t), "serve", "--config", file))
	await(t, "http://127.0.0.1:"+port+"/auth/user")
	return pool, url
}

// appCode is what an authenticator app shows (RFC 6238).
func appCode(t *testing.T, key string) string {
	t.Helper()
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, raw)
	_ = bigendian.Write(mac, bigendian.BigEndian, uint64(time.Now().Unix()/30))
	sum := mac.Sum(nil)
	return fmt.Sprintf("%06d", bigendian.BigEndian.Uint32(sum[sum[19]&15:])&0x7fffffff%1_000_000)
}

// otherThan is a code that is wrong.
func otherThan(code string) string {
	if code[0] == '9' {
		return "8" + code[1:]
	}
	return "9" + code[1:]
}

// plugPasskeysIn gives a browser something to keep passkeys in.
func plugPasskeysIn(b *browser.Browser) {
	b.Do("plug a virtual authenticator in", func(ctx context.Context, tab *chromedp.Target) (void chromedp.Void, err error) {
		if _, err = cdp.Call(ctx, tab, webauthn.Enable, webauthn.EnableParams{}); err != nil {
			return void, err
		}
		_, err = cdp.Call(ctx, tab, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: "ctap2", Transport: "internal", HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}})
		return void, err
	})
}

// signIn signs Alice in at the pool's page.
func signIn(b *browser.Browser, password string) {
	b.See("Sign in to your account")
	b.Fill("#username", "alice")
	b.Click("form button") // how to sign in depends on who it is
	b.Fill("#password", password)
	b.Click("form button")
}

// lastCode is the one that was sent last.
func lastCode(t *testing.T, pool *localpool.Server, to string) string {
	t.Helper()
	code, ok := pool.LastCode(to)
	if !ok {
		t.Fatalf("nothing was sent to %s", to)
	}
	return code
}

// uncheck has a browser send forms without checks of its own: what the pool refuses is to be seen.
func uncheck(b *browser.Browser) {
	b.Do("turn the browser's checks off", chromedp.Evaluate[chromedp.Void](`for (const f of document.forms) f.noValidate = true`))
}

// formThat selects the form that does something.
func formThat(do string) string { return `form:has([value="` + do + `"]) ` }

// TestS710_AccountInABrowser has somebody do in Chromium all that the account pages offer,
// and be refused each of it once, at a running codegrant serve.
func TestS710_AccountInABrowser(t *testing.T) {
	b := browser.New(t)
	pool, url := startAccountPages(t)
	plugPasskeysIn(b)
	password := codegranttest.Password

	b.Open(url + "/auth/account")
	signIn(b, password)
	b.See("Alice Archer")
	b.See("alice@example.com")
	b.Screenshot("account")
	b.Phone()
	b.Screenshot("account, 390")
	b.Open(url + "/auth/account?lang=de")
	b.See("Ihr Konto")

	// Profile.
	b.Open(url + "/auth/account/profile")
	b.Fill("[name=name]", "Alice Baker")
	b.Click("form button")
	b.See("Your changes are saved.")
	b.Do("make a text of the date", chromedp.Evaluate[chromedp.Void](`document.querySelector("[name=birthdate]").type = "text"`))
	b.Fill("[name=birthdate]", "long ago")
	b.Click("form button")
	b.See("does not accept one of these values")

	// E-mail address, by keyboard.
	b.Open(url + "/auth/account/email")
	b.Fill("[name=to]", "new@example.com")
	b.PressIn("[name=to]", "\r")
	b.See("A code was sent.")
	b.Screenshot("e-mail")
	b.Fill("[name=code]", otherThan(lastCode(t, pool, "new@example.com")))
	b.Click(formThat("confirm") + "button")
	b.See("The code is not correct.")
	b.Fill("[name=code]", lastCode(t, pool, "new@example.com"))
	b.Click(formThat("confirm") + "button")
	b.See("It is confirmed.")
	b.Open(url + "/auth/account/phone")
	uncheck(b)
	b.Fill("[name=to]", "12")
	b.Click(formThat("change") + "button")
	b.See("Enter a phone number with the country code")

	// Password.
	b.Open(url + "/auth/account/password")
	change := func(current, next string) {
		b.Fill("[name=current]", current)
		b.Fill("[name=new]", next)
		b.Fill("[name=again]", next)
		b.Click("form button")
	}
	change("Wr0ng-one!", "An0ther-one")
	b.See("The current password is not correct.")
	change(password, "short")
	b.See("The new password is too short.")
	change(password, "An0ther-one")
	b.See("Your password is changed.")
	password = "An0ther-one"

	// Authenticator app.
	b.Open(url + "/auth/account/authenticator")
	b.See("It is turned off.")
	b.Click(formThat("begin") + "button")
	b.See("Scan this with the app")
	b.Screenshot("authenticator")
	key := b.Text("main code")
	b.Fill("[name=code]", otherThan(appCode(t, key)))
	b.Click(formThat("confirm") + "button")
	b.See("that the clock of your phone is correct")
	b.Fill("[name=code]", appCode(t, key))
	b.Click(formThat("confirm") + "button")
	b.See("The authenticator app is set up.")
	b.Click(formThat("off") + "button")
	b.See("The authenticator app is turned off.")

	// Passkeys: added at the pool's own page, removed here.
	b.Open(url + "/auth/account/passkeys")
	b.See("You have no passkeys.")
	b.Click("section a")
	b.See("Add a passkey")
	b.Click("form button")
	b.See("Added on")
	b.Screenshot("passkeys")
	other := b.Tab()
	other.Open(url + "/auth/account/passkeys")
	other.See("Added on")
	b.Click("li button")
	b.See("The passkey is removed.")
	other.Click("li button")
	other.See("It was already removed.")

	// The end of it.
	b.Open(url + "/auth/account/delete")
	uncheck(b)
	b.Click("form button")
	b.See("Tick the box if you want that.")
	b.Screenshot("delete")
	b.Click("[name=sure]")
	b.Click("form button")
	b.See("Your account is deleted")
	b.Click("main a.button")
	other.Open(url + "/auth/account")
	signIn(other, password)
	other.See("Incorrect username or password")
}
