package serve

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/hop"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/sessiontest"
)

// operations asks an endpoint that is not for the public.
func operations(t *testing.T, address, path string) (int, string) {
	t.Helper()
	r, err := http.Get("http://" + address + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(r.Body); err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, b.String()
}

func TestServeOperations(t *testing.T) {
	address := testenv.FreeAddress(t)
	g := newGate(t, oneUpstream+"keys_file: keys\nsessions: database\nreplica: {outbox: true}\ndatabase: sqlite:app.db\nops_listen: "+address+"\n")
	g.writeFile("keys", newSealingKey())
	g.start()
	if status, body := operations(t, address, "/healthz"); status != 200 || body != "ok\n" {
		t.Errorf("/healthz: %d %q", status, body)
	}
	g.until("it is ready, and has asked all", func() bool {
		status, body := operations(t, address, "/readyz")
		var ready report
		if err := json.Unmarshal([]byte(body), &ready); err != nil {
			t.Fatalf("/readyz: %v %s", err, body)
		}
		return status == 200 && ready.Ready && len(ready.Checks) == 5
	})

	alice := codegranttest.NewBrowser(t)
	alice.SignIn(g.url+"/orders", "alice@example.com", codegranttest.Password)
	for _, path := range []string{"/admin", "/nowhere/you%20know", "/a//b", "/auth/logout"} {
		g.get(alice.Client, path)
	}
	g.get(http.DefaultClient, "/admin")
	g.write(oneUpstream + "routes: []\nops_listen: " + address + "\n")
	g.logged("new configuration is wrong; the old one stays")

	status, text := operations(t, address, "/metrics")
	for _, want := range []string{
		`codegrant_requests_total{decision="passed",pool="default",route="/admin"} 1`,
		`codegrant_requests_total{decision="unauthorized",pool="default",route="/admin"} 1`,
		`codegrant_requests_total{decision="refused",pool="",route=""} 1`,
		`codegrant_sign_ins_total{outcome="started",pool="default"} 1`,
		`codegrant_sign_ins_total{outcome="signed_in",pool="default"} 1`,
		`codegrant_endpoint_requests_total{status="3xx"}`,
		`codegrant_session_store_duration_seconds_count{operation="create"} 2`,
		`codegrant_request_duration_seconds_count{route="/admin"} 2`,
		`codegrant_dependency_up{dependency="sessions"} 1`,
		`codegrant_dependency_up{dependency="keys_of_pool_default"} 1`,
		`codegrant_configurations_total{outcome="wrong"}`,
		`codegrant_sealing_key_age_seconds`,
		`codegrant_requests_in_flight 0`,
		`codegrant_build_info{goversion="go`,
		`codegrant_responses_total{code="200",route="/admin"} 1`,
		`codegrant_responses_total{code="502",route="/admin"} 0`,
		`codegrant_outbox_entries 1`,
		`codegrant_upstream_up{route="/admin",server="127.0.0.1:`,
		`codegrant_upstream_responses_total{code="2xx",route="/admin",server="127.0.0.1:`,
		`codegrant_upstream_faults_total{route="/admin",server="127.0.0.1:`,
		`codegrant_pool_responses_total{code="2xx",endpoint="token",pool="default"} 1`,
		`codegrant_pool_faults_total{endpoint="token",pool="default"} 0`,
		`codegrant_pool_response_duration_seconds_count{endpoint="keys",pool="default"} 1`,
		`codegrant_live_sessions `,
		`codegrant_revocations_owed{pool="default"} 0`,
		`codegrant_requests_total{decision="upstream_failed",pool="default",route="/admin"} 0`,
		`codegrant_endpoint_requests_total{status="5xx"} 0`,
		`codegrant_outbox_age_seconds`,
		`codegrant_database_connections{state="in_use"}`,
		`go_goroutines`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("/metrics, %d, lacks %s", status, want)
		}
	}
	if strings.Contains(text, "nowhere") {
		t.Error("a path of a request is in the metrics")
	}
	if t.Failed() {
		t.Log(text)
	}
	// The public gets none of this.
	for _, path := range []string{"/metrics", "/readyz"} {
		if status, _ := g.get(http.DefaultClient, path); status == 200 {
			t.Errorf("GET %s is public", path)
		}
	}
	if status := g.end(); status != 0 {
		t.Errorf("status %d", status)
	}
}

// TestS149_S151_Readiness names who does not answer, and since when.
func TestS149_S151_Readiness(t *testing.T) {
	address := testenv.FreeAddress(t)
	more := oneUpstream + "keys_file: keys\nsessions: redis\nops_listen: " + address + "\n"
	g := newGate(t, more+"redis: redis://"+testenv.FreeAddress(t)+"\n")
	g.writeFile("keys", newSealingKey())
	g.pool.Fault("jwks", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	start := time.Now()
	g.start()
	g.logged("dependency does not answer", "sessions")
	status, body := operations(t, address, "/readyz")
	var ready report
	if err := json.Unmarshal([]byte(body), &ready); err != nil || status != 503 || ready.Ready || len(ready.Checks) < 2 {
		t.Fatalf("/readyz: %d %v %s", status, err, body)
	}
	for _, check := range ready.Checks {
		if strings.HasPrefix(check.Name, "sign-ins at pool ") {
			continue // which does answer
		}
		if check.OK || check.Error == "" || check.Since.Before(start) || check.Since.After(time.Now()) {
			t.Errorf("%+v", check)
		}
	}
	if status, _ := operations(t, address, "/healthz"); status != 200 {
		t.Errorf("/healthz: %d, and nothing would be better after a restart", status)
	}

	g.pool.Fault("jwks", nil)
	g.write(oneUpstream + "ops_listen: " + address + "\n")
	g.until("it is ready", func() bool { status, _ := operations(t, address, "/readyz"); return status == 200 })
	g.logged("dependency answers again", "keys of pool default")
}

// TestReadinessKeepsSince: asking again changes nothing.
func TestReadinessKeepsSince(t *testing.T) {
	var r readiness
	at := func(minute int) time.Time { return time.Date(2026, 1, 1, 0, minute, 0, 0, time.UTC) }
	for i, tt := range []struct {
		ok             bool
		since, changed int
	}{{true, 0, 0}, {true, 0, 0}, {false, 2, 1}, {false, 2, 0}, {true, 4, 1}} {
		changed, _ := r.record([]dependency{{Name: "sessions", Needed: true, OK: tt.ok, Since: at(i)}})
		if got := r.report(); !got.Checks[0].Since.Equal(at(tt.since)) || len(changed) != tt.changed || got.Ready != tt.ok {
			t.Errorf("at %d: %+v, changed %v", i, got, changed)
		}
	}
	r.stop()
	if got := r.report(); got.Ready || got.Checks[1].Name != "process" {
		t.Errorf("stopping: %+v", got)
	}
}

// TestS154_AFaultOfAllDrainsNobody: who answered before is waited for, who never has
// is not, and the pool is not missed while its keys are at hand.
func TestS154_AFaultOfAllDrainsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r readiness
		say := func(sessions, replica bool) bool {
			r.record([]dependency{{Name: "sessions", Needed: true, OK: sessions, Since: time.Now()}, {Name: "replica", OK: replica, Since: time.Now()}})
			return r.report().Ready
		}
		for _, step := range []struct {
			sessions, replica, ready, degraded bool
		}{
			{false, true, false, false}, // it may be that they never answer
			{true, true, true, false},
			{false, true, true, true}, {false, true, true, true}, {false, true, true, true}, // for ten seconds
			{false, true, false, false}, // for fifteen
			{true, true, true, false},
			{false, true, true, true},
			// Of the replica no request needs anything of who is signed in.
			{true, false, true, true}, {true, false, true, true}, {true, false, true, true}, {true, false, true, true}, {true, false, true, true},
			{true, true, true, false},
		} {
			if got := say(step.sessions, step.replica); got != step.ready {
				t.Errorf("%+v: ready %t", step, got)
			}
			if got := r.report().Degraded; got != step.degraded {
				t.Errorf("%+v: degraded %t", step, got)
			}
			if got := r.report().Checks[0].OK; got != step.sessions {
				t.Errorf("%+v: the report says %t of the sessions", step, got)
			}
			time.Sleep(askEvery)
		}
	})

	pool := codegranttest.NewPool(t, nil)
	auth, err := codegrant.New(codegrant.Config{Pool: pool.Register("http://localhost:8080"), BaseURL: "http://localhost:8080"})
	if err != nil {
		t.Fatal(err)
	}
	if err := auth.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	pool.Fault(localpool.JWKS, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }))
	if err := auth.Warm(t.Context()); err != nil {
		t.Errorf("with keys at hand, while the pool is down: %v", err)
	}
}

// TestS169_LogsHoldNoSecret follows a sign-in, a bearer token and a sign-out through
// the log at its most talkative.
func TestS169_LogsHoldNoSecret(t *testing.T) {
	g := newGate(t, oneUpstream+"  - path: /pass\n    pass_access_token: true\n    upstream: ${UP}\n")
	g.start()
	alice := codegranttest.NewBrowser(t)
	var secrets []string
	watched := http.DefaultTransport
	alice.Client.Transport = roundTrip(func(r *http.Request) (*http.Response, error) {
		for _, name := range []string{"code", "state"} {
			secrets = append(secrets, r.URL.Query().Get(name))
		}
		response, err := watched.RoundTrip(r)
		if err == nil {
			for _, c := range response.Cookies() {
				secrets = append(secrets, c.Value)
			}
			if to, err := url.Parse(response.Header.Get("Location")); err == nil {
				for _, name := range []string{"code", "state", "nonce", "code_challenge"} {
					secrets = append(secrets, to.Query().Get(name))
				}
			}
		}
		return response, err
	})
	alice.SignIn(g.url+"/pass", "alice@example.com", codegranttest.Password)
	g.get(alice.Client, "/pass?token=canary-in-a-query")
	g.get(alice.Client, "/auth/callback?code=canary-in-a-query&state=canary-in-a-query&error=canary-in-a-query")
	r, err := http.NewRequestWithContext(t.Context(), "GET", g.url+"/pass", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer canary-in-a-header")
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	g.signOut(alice.Client)
	g.end()
	secrets = append(secrets, codegranttest.Password, "canary-in-a-query", "canary-in-a-header")
	log := g.log.String()
	if strings.Count(log, `"msg":"request"`) < 5 || !strings.Contains(log, `"path":"/auth/callback"`) || !strings.Contains(log, `"msg":"signed in"`) {
		t.Errorf("the log lacks requests: %s", log)
	}
	seen := 0
	for _, secret := range secrets {
		if len(secret) < 8 {
			continue
		}
		seen++
		if strings.Contains(log, secret) {
			t.Errorf("the log has %s", secret)
		}
	}
	if seen < 8 {
		t.Errorf("only %d secrets were looked for", seen)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestS170_LogsCannotBeForged is about what strangers choose.
func TestS170_LogsCannotBeForged(t *testing.T) {
	g := &generation{Settings: &settings.Settings{}}
	r := httptest.NewRequest("GET", "/"+url.PathEscape("a\nlevel=ERROR msg=forged\x1b[31m")+strings.Repeat("x", 10_000), nil)
	r.Host, r.Method = strings.Repeat("h", 10_000), strings.Repeat("M", 10_000)
	for _, format := range []func(*bytes.Buffer) slog.Handler{
		func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var b bytes.Buffer
		slog.New(format(&b)).LogAttrs(t.Context(), slog.LevelInfo, "request", g.requestAttrs(r)...)
		if line := b.String(); strings.Count(line, "\n") != 1 || strings.Contains(line, "\x1b") || len(line) > 1000 {
			t.Errorf("%d bytes: %.300s", len(line), line)
		}
	}
}

func TestS211_ClientOf(t *testing.T) {
	g := &generation{Settings: &settings.Settings{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}}
	for _, tt := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"no proxy", "203.0.113.9:1234", nil, "203.0.113.9"},
		{"a stranger's word", "203.0.113.9:1234", []string{"198.51.100.1"}, "203.0.113.9"},
		{"a proxy", "10.0.0.1:1234", []string{"198.51.100.1"}, "198.51.100.1"},
		{"what the client put before", "10.0.0.1:1234", []string{"1.2.3.4, 198.51.100.1"}, "198.51.100.1"},
		{"a chain of proxies", "10.0.0.1:1234", []string{"1.2.3.4, 198.51.100.1, 10.0.0.2", "fd00::7"}, "198.51.100.1"},
		{"proxies all the way", "10.0.0.1:1234", []string{"10.0.0.3,10.0.0.2"}, "10.0.0.3"},
		{"a proxy that says nothing", "10.0.0.1:1234", nil, "10.0.0.1"},
		{"a proxy that says nonsense", "10.0.0.1:1234", []string{"1.2.3.4, unknown"}, "10.0.0.1"},
		{"S-211: with a port", "10.0.0.1:1234", []string{"198.51.100.1:51234"}, "198.51.100.1"},
		{"S-211: a chain with ports", "10.0.0.1:1234", []string{"1.2.3.4:1, 198.51.100.1:2, 10.0.0.2:3", "[fd00::7]:4"}, "198.51.100.1"},
		{"S-211: IPv6", "10.0.0.1:1234", []string{"2001:db8::1"}, "2001:db8::1"},
		{"S-211: IPv6 in brackets", "10.0.0.1:1234", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{"S-211: IPv6 with a port", "10.0.0.1:1234", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{"S-211: a proxy in brackets", "10.0.0.1:1234", []string{"198.51.100.1, [fd00::7]"}, "198.51.100.1"},
		{"S-211: IPv4 in IPv6 with a port", "10.0.0.1:1234", []string{"[::ffff:198.51.100.1]:443"}, "198.51.100.1"},
		{"S-211: a port that is none", "10.0.0.1:1234", []string{"198.51.100.1:x"}, "10.0.0.1"},
		{"S-211: IPv4 in brackets", "10.0.0.1:1234", []string{"[198.51.100.1]"}, "10.0.0.1"},
		{"S-211: half a bracket", "10.0.0.1:1234", []string{"[2001:db8::1"}, "10.0.0.1"},
		{"S-211: an empty item", "10.0.0.1:1234", []string{"198.51.100.1,"}, "10.0.0.1"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:1234", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		{"IPv6 with a zone", "[fe80::1%eth0]:1234", nil, "fe80::1"},
		{"a socket", "@", []string{"198.51.100.1"}, "::"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tt.remote
		r.Header["X-Forwarded-For"] = tt.forwarded
		if got := g.clientOf(r).String(); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// TestS164_PanicsAreAnswered and do not end the process.
func TestS164_PanicsAreAnswered(t *testing.T) {
	var log bytes.Buffer
	auth, err := codegrant.New(codegrant.Config{Pool: cognito.Pool{Region: "eu-west-1", ID: "eu-west-1_Ab12Cd34E", Domain: "d.auth.eu-west-1.amazoncognito.com", ClientID: "c"}})
	if err != nil {
		t.Fatal(err)
	}
	g := &generation{
		Settings: &settings.Settings{Pools: []settings.Pool{{Name: "default"}}}, pools: map[string]runningPool{"default": {auth: auth}},
		process: &process{log: slog.New(slog.NewTextHandler(&log, nil))},
	}
	w := httptest.NewRecorder()
	func() {
		defer g.survive(w, httptest.NewRequest("GET", "/path?secret", nil))
		panic("a fault")
	}()
	if w.Code != 500 || !strings.Contains(log.String(), "a fault") || strings.Contains(log.String(), "secret") || strings.Contains(w.Body.String(), "a fault") || !strings.Contains(w.Body.String(), `"correlation":"`) {
		t.Errorf("%d %s: %s", w.Code, w.Body, log.String())
	}
	defer func() {
		if recover() != http.ErrAbortHandler {
			t.Error("an answer that is not whole looks whole")
		}
	}()
	defer g.survive(w, httptest.NewRequest("GET", "/", nil))
	panic(http.ErrAbortHandler)
}

// TestMeasuredStoreIsAStore: it says what the store that it measures says.
func TestMeasuredStoreIsAStore(t *testing.T) {
	m := newMetrics(new(process))
	sessiontest.Run(t, func(*testing.T) sessiontest.Harness {
		now := new(atomic.Int64)
		begin := time.Unix(1_800_000_000, 0)
		clock := func() time.Time { return begin.Add(time.Duration(now.Load())) }
		return sessiontest.Harness{
			Store: measured{session.NewMemoryStore(session.MemoryConfig{Now: clock}), m},
			Now:   clock, Advance: func(d time.Duration) { now.Add(int64(d)) },
		}
	})
}

// FuzzS211_ForwardedFor: whatever stands there, the client is the peer or one who is named,
// and nobody who stands before the last that is not a proxy.
func FuzzS211_ForwardedFor(f *testing.F) {
	for _, seed := range []string{"", "198.51.100.1", "1.2.3.4, 198.51.100.1:80, 10.0.0.2", "[2001:db8::1]:443,[fd00::7]", "unknown", ",,", "10.0.0.9", "[", "]:1", "1.2.3.4:70000", "::ffff:10.0.0.1", "fe80::1%eth0"} {
		f.Add(seed, "10.0.0.1:1")
		f.Add(seed, "203.0.113.9:1")
	}
	g := &generation{Settings: &settings.Settings{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}}
	f.Fuzz(func(t *testing.T, forwarded, remote string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = remote
		r.Header["X-Forwarded-For"] = []string{forwarded}
		got, peer := g.clientOf(r), addressOf(remote)
		if !got.IsValid() || got.Zone() != "" || got.Is4In6() {
			t.Fatalf("%q from %q: %v", forwarded, remote, got)
		}
		if got == peer {
			return
		}
		if !g.trusts(peer) {
			t.Fatalf("%q of the stranger %q counts: %v", forwarded, remote, got)
		}
		last := netip.Addr{} // the one that the items at the end, as far as they are proxies, lead to
		for _, item := range slices.Backward(strings.Split(forwarded, ",")) {
			address, ok := hop.Parse(item)
			if !ok {
				break
			}
			if last = address; !g.trusts(last) {
				break
			}
		}
		if got != last {
			t.Fatalf("%q from %q: %v, want %v", forwarded, remote, got, last)
		}
	})
}
