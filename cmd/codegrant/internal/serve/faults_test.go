package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/doctor"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/syncing"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/console"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/localpool"
)

// operator's commands, beside the gateway.
type operatorsCommands struct {
	Doctor doctor.Command  `cmd:""`
	Sync   syncing.Command `cmd:""`
}

// faultRow is a row of the table "Where each fault appears" in docs/runbook.md.
type faultRow struct {
	name   string
	config string // beside oneUpstream, unless it has routes of its own
	// before prepares, cause makes the fault while the gateway runs; either may be nil.
	before, cause func(g *faultGate)
	lines         []string // of the log
	metric        string   // a pattern of a line of /metrics
	alert         string
	doctor        string             // check
	found, fix    string             // by it
	shows         [4]string          // by the console's State: panel, fact, level, and text or detail
	mended        func(g *faultGate) // does what doctor says, and sees that it helps; nil: not asked
}

type faultGate struct {
	*gate
	address string // of operations
	sync    string // of those of codegrant sync; empty: none
	synced  *lockedBuffer
	person  *codegranttest.Browser // who is signed in
}

// pass has codegrant sync make one pass.
func (g *faultGate) pass() { g.passOf(0) }

// passOf has it end with a status.
func (g *faultGate) passOf(want int, flags ...string) {
	g.t.Helper()
	var out lockedBuffer
	if status := terminal.Run(g.t.Context(), append([]string{"sync", "--full", "--config", g.config}, flags...), &out, &out, new(operatorsCommands)); status != want {
		g.t.Fatalf("codegrant sync --full %q: %d %s", flags, status, &out)
	}
}

// signIn tries to sign in as alice; whether that succeeds is the fault's business.
func (g *faultGate) signIn() {
	b := codegranttest.NewBrowser(g.t)
	page := b.Open(g.url + "/")
	if len(page.Forms) == 0 {
		return
	}
	b.Submit(page, page.Forms[0], map[string]string{"username": "alice@example.com", "password": codegranttest.Password})
}

// follow has codegrant sync make passes, one soon after another unless flags say otherwise.
func (g *faultGate) follow(endpoint string, flags ...string) {
	ctx, cancel := context.WithCancel(context.Background())
	g.sync, g.synced = testenv.FreeAddress(g.t), new(lockedBuffer)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		terminal.Run(ctx, append([]string{"sync", "--every", "200ms", "--full", "--config", g.config, "--ops-listen", g.sync, "--endpoint", endpoint}, flags...), io.Discard, g.synced, new(operatorsCommands))
	}()
	g.t.Cleanup(func() { cancel(); <-ended })
}

func (g *faultGate) metrics() string {
	text := ""
	for _, address := range []string{g.address, g.sync} {
		if address == "" {
			continue
		}
		if r, err := http.Get("http://" + address + "/metrics"); err == nil {
			body, _ := io.ReadAll(r.Body)
			r.Body.Close()
			text += string(body)
		}
	}
	return text
}

// shows reports whether the state that the console shows has a fact.
func (g *faultGate) shows(want [4]string) bool {
	r, err := http.Get("http://" + g.address + "/state")
	if err != nil {
		return false
	}
	defer r.Body.Close()
	var state console.State
	if err := json.NewDecoder(r.Body).Decode(&state); err != nil {
		g.t.Fatalf("%d %v", r.StatusCode, err)
	}
	for _, panel := range state.Panels {
		for _, f := range panel.Facts {
			if panel.Title == want[0] && f.Name == want[1] && string(f.Level) == want[2] && strings.Contains(f.Text+" "+f.Detail, want[3]) {
				return true
			}
		}
	}
	return false
}

func refusing(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "away", status) })
}

const stored = "keys_file: keys\nsessions: database\nreplica: true\ndatabase: sqlite:app.db\n"

func faultRows() []faultRow {
	clock := func(ahead time.Duration) func(g *faultGate) {
		return func(g *faultGate) {
			r, err := http.Get(g.pool.Clients()[0].Issuer + "/.well-known/jwks.json")
			if err != nil {
				g.t.Fatal(err)
			}
			keys, _ := io.ReadAll(r.Body)
			r.Body.Close()
			g.pool.Fault(localpool.JWKS, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", time.Now().Add(-ahead).UTC().Format(http.TimeFormat))
				_, _ = w.Write(keys)
			}))
			g.pool.Fault(localpool.Authorize, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Date", time.Now().Add(-ahead).UTC().Format(http.TimeFormat))
				w.Header().Set("Location", "/login")
				w.WriteHeader(http.StatusFound)
			}))
		}
	}
	return []faultRow{
		{
			name: "pool down", before: func(g *faultGate) {
				for _, endpoint := range []string{localpool.JWKS, localpool.Token, localpool.Discovery, localpool.Authorize} {
					g.pool.Fault(endpoint, refusing(503))
				}
			},
			lines: []string{"dependency does not answer"}, metric: `codegrant_dependency_up{dependency="keys_of_pool_default"} 0`,
			alert: "CodegrantDependencyDown", doctor: "keys", found: "no signing keys",
			shows: [4]string{"Dependencies", "keys of pool default", "bad", "does not answer"},
		},
		{
			name: "token endpoint slow", before: func(g *faultGate) {
				g.pool.Fault(localpool.Token, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					select { // longer than the alert bears
					case <-time.After(2500 * time.Millisecond):
					case <-r.Context().Done():
					}
					http.Error(w, `{"error":"invalid_grant"}`, http.StatusBadRequest)
				}))
			}, cause: (*faultGate).signIn,
			lines: []string{"sign-in failed"}, metric: `codegrant_pool_response_duration_seconds_count{endpoint="token",pool="default"} [1-9]`,
			alert: "CodegrantTokenEndpointSlow", doctor: "token", found: "took",
			shows: [4]string{"Sign-ins", "Failed", "bad", "The last one: "},
		},
		{
			name: "Redis down", config: "keys_file: keys\nsessions: redis\nredis: redis://127.0.0.1:1\n",
			lines: []string{"dependency does not answer"}, metric: `codegrant_dependency_up{dependency="sessions"} 0`,
			alert: "CodegrantNotReady", doctor: "redis", found: "does not answer",
			shows: [4]string{"Dependencies", "sessions", "bad", "does not answer"},
		},
		{
			name: "database down", config: "keys_file: keys\nsessions: database\ndatabase: postgres://app@127.0.0.1:1/app\n",
			lines: []string{"dependency does not answer", "tables not brought up to date"}, metric: `codegrant_dependency_up{dependency="sessions"} 0`,
			alert: "CodegrantNotReady", doctor: "database", found: "cannot connect",
			shows: [4]string{"Dependencies", "sessions", "bad", "does not answer"},
		},
		{
			name: "replica's database down", config: stored, cause: func(g *faultGate) {
				g.until("it is ready", func() bool { return strings.Contains(g.metrics(), "codegrant_ready 1") })
				db, err := parts.OpenDatabase("sqlite:" + filepath.Join(g.dir, "app.db"))
				if err != nil {
					g.t.Fatal(err)
				}
				defer db.Close()
				if _, err := db.Exec("ALTER TABLE codegrant_users RENAME TO away"); err != nil {
					g.t.Fatal(err)
				}
			},
			lines: []string{"dependency does not answer", "degraded: something that is not needed by people who are signed in does not work"}, metric: `codegrant_dependency_up{dependency="replica"} 0`,
			alert: "CodegrantDependencyDown", doctor: "database", found: "replica",
			shows: [4]string{"Dependencies", "replica", "bad", "does not answer"},
		},
		{
			name: "certificate expired", config: "tls: {certificate_file: pair.pem, key_file: pair.pem}\n",
			before: func(g *faultGate) { g.writeFile("pair.pem", expiring(g.t, time.Now().Add(-time.Hour))) },
			lines:  []string{"certificate has expired"}, metric: `codegrant_dependency_up{dependency="certificate"} 0`,
			alert: "CodegrantCertificateExpires", doctor: "tls", found: "expired at",
			shows: [4]string{"Dependencies", "certificate", "bad", "has expired"},
		},
		{
			name: "clock ten minutes ahead", before: clock(10 * time.Minute),
			lines: []string{"the clock is off: tokens are refused"}, metric: `codegrant_clock_offset_seconds{pool="default"} (59\d|60\d)`,
			alert: "CodegrantClockOff", doctor: "clock", found: "off by 10m",
			shows: [4]string{"Pools", "Clock against that of default", "bad", "ahead"},
		},
		{
			name: "clock ten minutes behind", before: clock(-10 * time.Minute),
			lines: []string{"the clock is off: tokens are refused"}, metric: `codegrant_clock_offset_seconds{pool="default"} -(59\d|60\d)`,
			alert: "CodegrantClockOff", doctor: "clock", found: "off by -",
			shows: [4]string{"Pools", "Clock against that of default", "bad", "behind"},
		},
		{
			name: "wrong secret", before: func(g *faultGate) {
				text, err := os.ReadFile(g.config)
				if err != nil {
					g.t.Fatal(err)
				}
				g.writeFile("codegrant.yaml", regexp.MustCompile(`client_secret: .*`).ReplaceAllString(string(text), "client_secret: of-another-client"))
			}, cause: (*faultGate).signIn,
			lines: []string{"sign-in failed"}, metric: `codegrant_sign_ins_total{outcome="failed",pool="default"} 1`,
			alert: "CodegrantSignInsFail", doctor: "secret", found: "not the secret of the app client",
			shows: [4]string{"Sign-ins", "Failed", "bad", "The last one: "},
		},
		{
			name: "callback not registered", config: "    prefix: /elsewhere\n",
			lines: []string{"callback is not registered: nobody can sign in"}, metric: `codegrant_callback_registered{pool="default"} 0`,
			alert: "CodegrantCallbackNotRegistered", doctor: "callback", found: "/elsewhere/callback is not registered",
			shows: [4]string{"Pools", "Callback of default", "bad", "It is not registered"},
		},
		{
			name: "user disabled and still signed in", config: strings.Replace(stored, "replica: true", "replica: {pass_max_age: 1s}", 1), cause: func(g *faultGate) {
				// One pass, and no other: whoever makes them has stopped.
				g.pass()
				g.person = codegranttest.NewBrowser(g.t)
				g.person.SignIn(g.url+"/", "alice@example.com", codegranttest.Password)
				if err := g.pool.DisableUser(g.pool.PoolID, "alice"); err != nil {
					g.t.Fatal(err)
				}
			},
			lines: []string{"passes are overdue: who was disabled since the last one may still be signed in"}, metric: `codegrant_sync_last_success_age_seconds{pool="default"} [1-9]`,
			alert: "CodegrantSyncOverdue", doctor: "sync", found: "and replica.pass_max_age is 1s", fix: "codegrant sync --every 5m --config",
			shows: [4]string{"Synchronisation", "default", "bad", "the last pass was long ago"},
			mended: func(g *faultGate) {
				if status, _ := g.get(g.person.Client, "/"); status != http.StatusOK {
					g.t.Errorf("who is disabled gets %d before any pass: it is not this fault", status)
				}
				g.pass() // as doctor says
				g.person.Client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				if status, _ := g.get(g.person.Client, "/auth/user"); status != http.StatusUnauthorized {
					g.t.Errorf("after the pass that doctor asks for: %d", status)
				}
			},
		},
		{
			name: "trigger refuses", before: func(g *faultGate) {
				if err := g.pool.SetTrigger(g.pool.PoolID, localpool.PreTokenGeneration, localpool.Trigger{Func: func(context.Context, map[string]any) error {
					return fmt.Errorf("not today")
				}}); err != nil {
					g.t.Fatal(err)
				}
			}, cause: (*faultGate).signIn,
			lines: []string{"sign-in refused"}, metric: `codegrant_sign_ins_total{outcome="refused",pool="default"} 1`,
			alert: "CodegrantSignInsRefused", doctor: "sign-ins", found: "PreTokenGeneration failed with error not today", fix: "aws logs tail /aws/lambda/",
			shows: [4]string{"Sign-ins", "Refused", "warning", "The last one: "},
		},
		{
			name: "sync stuck", config: stored, cause: func(g *faultGate) {
				aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					http.Error(w, `{"__type":"ResourceNotFoundException","message":"there is no such pool"}`, http.StatusBadRequest)
				}))
				g.t.Cleanup(aws.Close)
				g.follow(aws.URL)
			},
			lines: []string{"sync: pass failed"}, metric: `codegrant_sync_failing{pool="default"} 1`,
			alert: "CodegrantSyncFailing", doctor: "sync", found: "the last pass failed",
			shows: [4]string{"Synchronisation", "default", "bad", "the last pass failed"},
		},
		{
			name: "outbox not read", config: strings.Replace(stored, "replica: true", "replica: {outbox: true}", 1), before: func(g *faultGate) {
				g.start()
				g.signIn()
				g.end()
				db, err := parts.OpenDatabase("sqlite:" + filepath.Join(g.dir, "app.db"))
				if err != nil {
					g.t.Fatal(err)
				}
				defer db.Close()
				if _, err := db.Exec("UPDATE codegrant_outbox SET created_at = '2026-01-01 00:00:00.000000'"); err != nil {
					g.t.Fatal(err)
				}
			},
			lines: []string{"outbox is not read"}, metric: `codegrant_outbox_entries [1-9]`,
			alert: "CodegrantOutboxNotRead", doctor: "outbox", found: "no program takes them",
			shows: [4]string{"Outbox", "Changes that nobody has taken", "bad", "Nobody reads it"},
		},
		{
			name: "upstream down", config: "routes:\n  - {path: /, public: true, upstream: {urls: ['http://127.0.0.1:1'], health: /}}\n",
			lines: []string{"server of an upstream is ill: it gets no requests"}, metric: `codegrant_upstream_up{route="/",server="127.0.0.1:1"} 0`,
			alert: "CodegrantUpstreamDown", doctor: "upstream", found: "does not accept connections",
			shows: [4]string{"Upstreams", "/", "bad", "It does not answer"},
		},
	}
}

// told is how long it may take from a fault until everybody tells of it.
const told = time.Minute

// TestFaultsAreTold: for each fault of the table in docs/runbook.md, the log has the line, the
// metrics the series, the alert's expression is true, the console shows it, and doctor finds
// it, all within a minute.
// Without the fault, the alert is quiet.
func TestFaultsAreTold(t *testing.T) {
	alerts := alertsOf(t)
	page, err := os.ReadFile("../../../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range faultRows() {
		t.Run(row.name, func(t *testing.T) {
			for line := range strings.Lines(string(page)) {
				if !strings.HasPrefix(line, "| "+row.name+" |") {
					continue
				}
				for _, says := range append(row.lines, row.alert, row.doctor, row.shows[0]+": ") {
					if !strings.Contains(line, strings.TrimPrefix(says, "sync: ")) {
						t.Errorf("the table says %snot %q", line, says)
					}
				}
			}
			if !strings.Contains(string(page), "\n| "+row.name+" |") {
				t.Error("the table lacks it")
			}
			t.Parallel()
			g := &faultGate{gate: newGate(t, ""), address: testenv.FreeAddress(t)}
			config := row.config
			if !strings.Contains(config, "routes:") {
				config += oneUpstream
			}
			g.write(config + "ops_listen: " + g.address + "\n")
			g.writeFile("keys", newSealingKey())
			if row.before != nil {
				row.before(g)
			}
			g.start()
			s, began := scraped{before: g.metrics()}, time.Now()
			if row.cause != nil {
				row.cause(g)
			}
			for _, line := range row.lines {
				if ours, ok := strings.CutPrefix(line, "sync: "); ok {
					g.until("sync says "+ours, func() bool { return strings.Contains(g.synced.String(), ours) })
					continue
				}
				g.logged(line)
			}
			pattern := regexp.MustCompile(`(?m)^` + strings.ReplaceAll(row.metric, `{`, `\{`))
			g.until("the metrics have "+row.metric, func() bool { return pattern.MatchString(g.metrics()) })
			if row.alert != "" {
				expr := alerts[row.alert]
				if got := evaluate(t, scraped{"", "", time.Now()}, expr); expr == "" || len(got) > 0 {
					t.Fatalf("%s: %q is raised by nothing: %v", row.alert, expr, got)
				}
				g.until("the alert "+row.alert+" is raised", func() bool {
					s.after, s.now = g.metrics(), time.Now()
					return len(evaluate(t, s, expr)) > 0
				})
			}
			g.until("the console shows it", func() bool { return g.shows(row.shows) })
			if row.doctor != "" {
				g.until("doctor finds it", func() bool {
					var out strings.Builder
					terminal.Run(t.Context(), []string{"doctor", "--json", "--config", g.config, "--timeout", "30s"}, &out, io.Discard, new(operatorsCommands))
					var findings []struct{ Check, Found, Fix string }
					if err := json.Unmarshal([]byte(out.String()), &findings); err != nil {
						t.Fatalf("%v: %s", err, out.String())
					}
					for _, f := range findings {
						if f.Check == row.doctor && strings.Contains(f.Found, row.found) && strings.Contains(f.Fix, row.fix) {
							return true
						}
					}
					t.Logf("doctor: %+v", findings)
					return false
				})
			}
			if took := time.Since(began); took > told {
				t.Errorf("it took %s until all told of it", took)
			}
			if row.mended != nil {
				row.mended(g)
			}
			g.end()
		})
	}
}
