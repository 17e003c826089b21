package e2e

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/proxytest"
)

// askOperations asks what codegrant serve and codegrant sync show to operators, and sync's
// receiver of events.
func askOperations(t *testing.T, d *described) {
	t.Helper()
	pool := codegranttest.NewPool(t, nil)
	binary, folder := buildCodegrant(t), t.TempDir()
	var away atomic.Bool
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		pool.ServeHTTP(w, r)
	}))
	t.Cleanup(api.Close)
	port, operations, ofSync, events := freePort(t), freePort(t), freePort(t), freePort(t)
	base := "http://localhost:" + port
	client := pool.Register(base)
	file := filepath.Join(folder, "codegrant.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, `
listen: 127.0.0.1:%s
ops_listen: 127.0.0.1:%s
sync_ops_listen: 127.0.0.1:%s
base_url: %s
database: "sqlite:%s"
replica: true
events: {listen: "127.0.0.1:%s", secret: %s}
pools: [{code_grant_url: %s/oauth2/token, jwks_url: %s/.well-known/jwks.json, client_id: %s, client_secret: %s}]
routes: [{path: /, files: %s}]
`, port, operations, ofSync, base, filepath.Join(folder, "app.db"), events, eventSecret, pool.URL, client.Issuer, client.ClientID, client.ClientSecret.Reveal(), folder), 0o600); err != nil {
		t.Fatal(err)
	}
	proxytest.Run(t, "codegrant serve", exec.Command(binary, "serve", "--config", file))
	atServe, atSync, receiver := "http://127.0.0.1:"+operations, "http://127.0.0.1:"+ofSync, "http://127.0.0.1:"+events
	await(t, atServe+"/readyz")
	follow := exec.Command(binary, "sync", "--follow", "--config", file, "--endpoint", api.URL)
	follow.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY=none", "AWS_REGION=eu-west-1", "AWS_MAX_ATTEMPTS=1")
	proxytest.Run(t, "codegrant sync", follow)
	await(t, atSync+"/readyz")
	await(t, receiver+"/healthz")

	for _, at := range []string{atServe, atSync, receiver} {
		d.ours[strings.TrimPrefix(at, "http://")] = true
	}
	who := &http.Client{Transport: d}
	for _, at := range []string{atServe, atSync} {
		d.ask(at, []call{
			{who, "GET", "/healthz", 200, nil, ""},
			{who, "GET", "/readyz", 200, nil, ""},
			{who, "GET", "/metrics", 200, nil, ""},
			{who, "POST", "/readyz", 405, nil, ""},
			{who, "GET", "/debug/pprof/heap?gc=1", 200, nil, ""},
			{who, "GET", "/debug/pprof/profile?seconds=121", 400, nil, ""},
		}...)
	}
	// A gateway whose pool has never answered is not ready.
	lost := freePort(t)
	unready := filepath.Join(folder, "unready.yaml")
	if err := os.WriteFile(unready, fmt.Appendf(nil, `
listen: 127.0.0.1:%s
ops_listen: 127.0.0.1:%s
base_url: %s
pools: [{code_grant_url: http://127.0.0.1:1/oauth2/token, jwks_url: http://127.0.0.1:1/local/.well-known/jwks.json, client_id: %s, client_secret: %s}]
routes: [{path: /, files: %s}]
`, freePort(t), lost, base, client.ClientID, client.ClientSecret.Reveal(), folder), 0o600); err != nil {
		t.Fatal(err)
	}
	proxytest.Run(t, "a gateway without a pool", exec.Command(binary, "serve", "--config", unready))
	await(t, "http://127.0.0.1:"+lost+"/healthz")
	d.ours["127.0.0.1:"+lost] = true
	d.ask("http://127.0.0.1:"+lost, call{who, "GET", "/readyz", 503, nil, ""})

	// While a profile is being taken, there is no other.
	taking, stop := context.WithCancel(t.Context())
	defer stop()
	r, err := http.NewRequestWithContext(taking, http.MethodGet, atServe+"/debug/pprof/profile?seconds=120", nil)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for taking.Err() == nil { // refused, while the second one is taken
			if response, err := http.DefaultClient.Do(r); err == nil {
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
			}
		}
	}()
	var second *http.Response
	for deadline := time.Now().Add(time.Minute); (second == nil || second.StatusCode != http.StatusConflict) && time.Now().Before(deadline); {
		second, _ = d.ask(atServe, call{who, "GET", "/debug/pprof/profile?seconds=1", 0, nil, ""})
	}
	if second == nil || second.StatusCode != http.StatusConflict {
		t.Error("two profiles are taken at once")
	}
	d.ask(atServe, call{who, "GET", "/state", 200, nil, ""})

	event := `{"detail-type":"AWS API Call via CloudTrail","detail":{"eventName":"AdminDisableUser","eventSource":"cognito-idp.amazonaws.com",` +
		`"requestParameters":{"userPoolId":"` + pool.PoolID + `"},"additionalEventData":{"sub":"11111111-2222-4333-8444-555555555555"}}}`
	signed := func(body string) http.Header {
		return http.Header{"Content-Type": {"application/json"}, directory.SignatureHeader: {directory.Sign(directory.Secret(eventSecret), time.Now(), []byte(body))}}
	}
	d.ask(receiver, []call{
		{who, "GET", "/healthz", 200, nil, ""},
		{who, "GET", "/events", 405, nil, ""},
		{who, "POST", "/events", 204, signed(event), event},
		{who, "POST", "/events", 204, http.Header{"Content-Type": {"application/json"}, directory.SecretHeader: {eventSecret}}, event},
		{who, "POST", "/events", 401, asJSON, event},
		{who, "POST", "/events", 400, signed(`{}`), `{}`},
		{who, "POST", "/events", 413, http.Header{"Content-Type": {"application/json"}, directory.SecretHeader: {eventSecret}}, strings.Repeat(" ", 2<<20)},
	}...)
	away.Store(true)
	d.ask(receiver, call{who, "POST", "/events", 503, signed(event), event})
	away.Store(false)
}

// askWithout asks a gateway that has as little as it can, and keeps sessions in cookies.
func askWithout(t *testing.T, d *described) {
	t.Helper()
	pool := codegranttest.NewPool(t, nil)
	base := pool.App(func(config codegrant.Config) http.Handler {
		config.CookieSessions, config.SameSiteStrict, config.ErrorURL, config.Logger = true, true, "/sorry", slog.New(slog.DiscardHandler)
		auth, err := codegrant.New(config)
		if err != nil {
			t.Fatal(err)
		}
		g, err := gateway.New(gateway.Config{
			Tenants: []gateway.Tenant{{Name: "demo", Auth: auth}}, Logger: config.Logger,
			Routes: []gateway.Route{{Path: "/", Public: true, Exact: true, Handler: http.NotFoundHandler()}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return g
	})
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	d.ours[u.Host] = true
	b := codegranttest.NewBrowser(t)
	b.Client.Transport = d
	b.SignIn(base+"/auth/login", "alice@example.com", codegranttest.Password)
	stranger := codegranttest.NewBrowser(t).Client
	stranger.Transport, stranger.CheckRedirect, b.Client.CheckRedirect = d, stay, stay
	d.ask(base+"/auth", []call{
		{b.Client, "GET", "/account", 404, page, ""},
		{b.Client, "HEAD", "/account", 404, page, ""},
		{b.Client, "GET", "/organization", 404, page, ""},
		{b.Client, "HEAD", "/organization", 404, page, ""},
		{stranger, "GET", "/.well-known/jwks.json", 404, nil, ""},
		{stranger, "POST", "/session", 404, asJSON, `{"id_token": "a", "access_token": "b"}`},
		{stranger, "OPTIONS", "/session", 404, preflight, ""},
		{b.Client, "POST", "/sessions", 409, form, "end=others"},
	}...)
	d.ask(base, call{stranger, "POST", "/oauth/register", 404, asJSON, `{}`})
	begun, _ := d.ask(base+"/auth", call{stranger, "GET", "/login", 302, page, ""})
	to, err := url.Parse(begun.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	d.ask(base+"/auth", []call{
		{stranger, "GET", "/callback?" + query("error", "access_denied", "error_description", "no", "state", to.Query().Get("state")), 303, page, ""},
		{stranger, "GET", "/flash", 200, http.Header{"Sec-Fetch-Site": {"same-origin"}}, ""},
	}...)
}
