package serve

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/doctor"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/syncing"
	"github.com/codegrant/codegrant/codegranttest"
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
	name      string
	config    string                    // beside oneUpstream, unless it has routes of its own
	configure func(g *faultGate) string // in its place, where it needs to know the gateway
	// before prepares what the gateway starts with, running what it runs beside; each may
	// be nil. cause makes the fault while the gateway runs and all is well.
	before, running, cause func(g *faultGate)
	lines                  []string // of the log
	metric                 string   // an expression that is true of /metrics while the fault lasts
	alert                  string
	doctor                 string             // check
	finds, fix             string             // by it
	shows                  [4]string          // by the console's State: panel, fact, level, and text or detail
	early                  bool               // metric and alert may be there before: it is a matter of time
	history                map[string]string  // what the console says has changed
	mended                 func(g *faultGate) // does what doctor says, and sees that it helps; nil: not asked
}

const stored = "keys_file: keys\nsessions: database\nreplica: true\ndatabase: sqlite:app.db\n"

// gone answers nothing.
var gone = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })

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
	execute := func(statement string) func(g *faultGate) {
		return func(g *faultGate) {
			db, err := parts.OpenDatabase("sqlite:" + filepath.Join(g.dir, "app.db"))
			if err != nil {
				g.t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(statement); err != nil {
				g.t.Fatal(err)
			}
		}
	}
	return []faultRow{
		{
			name: "pool down", cause: func(g *faultGate) {
				for _, endpoint := range []string{localpool.JWKS, localpool.Token, localpool.Discovery, localpool.Authorize} {
					g.pool.Fault(endpoint, gone)
				}
			},
			lines: []string{"dependency does not answer"}, metric: `codegrant_dependency_up{dependency="sign-ins_at_pool_default"} == 0`,
			alert: "CodegrantPoolUnreachable", doctor: "keys", finds: "does not answer",
			shows: [4]string{"Dependencies", "sign-ins at pool default", "bad", "does not answer"},
		},
		{
			name: "token endpoint slow", cause: func(g *faultGate) {
				var slow http.Handler
				slow = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					select { // longer than the alert bears, and then it answers as ever
					case <-time.After(2500 * time.Millisecond):
					case <-r.Context().Done():
					}
					g.pool.Fault(localpool.Token, nil)
					g.pool.ServeHTTP(w, r)
					g.pool.Fault(localpool.Token, slow)
				})
				g.pool.Fault(localpool.Token, slow)
				g.signIn()
			},
			lines: []string{"token endpoint is slow: sign-ins and refreshes wait for it"}, metric: `codegrant_pool_response_duration_seconds_sum{endpoint="token"} > 2`,
			alert: "CodegrantTokenEndpointSlow", doctor: "token", finds: "took",
			shows:   [4]string{"Dependencies", "token endpoint of default", "warning", "is slow"},
			history: map[string]string{"token endpoint of default": "is slow"},
		},
		{
			name: "Redis down", configure: func(g *faultGate) string {
				return fmt.Sprintf("keys_file: keys\nsessions: redis\nredis: %s?prefix=faults-%s\n", g.tappedURL(testenv.Redis(g.t)), rand.Text())
			}, cause: (*faultGate).takeAway,
			lines: []string{"dependency does not answer"}, metric: `codegrant_dependency_up{dependency="sessions"} == 0`,
			alert: "CodegrantNotReady", doctor: "redis", finds: "does not answer",
			shows: [4]string{"Dependencies", "sessions", "bad", "does not answer"},
		},
		{
			name: "database down", configure: func(g *faultGate) string {
				return "keys_file: keys\nsessions: database\ndatabase: " + g.tappedURL(testenv.PostgresSchema(g.t)) + "\n"
			}, cause: (*faultGate).takeAway,
			lines: []string{"dependency does not answer"}, metric: `codegrant_dependency_up{dependency="sessions"} == 0`,
			alert: "CodegrantNotReady", doctor: "database", finds: "cannot connect",
			shows: [4]string{"Dependencies", "sessions", "bad", "does not answer"},
		},
		{
			name: "replica's database down", configure: func(g *faultGate) string {
				return "keys_file: keys\nsessions: memory\nreplica: true\ndatabase: " + g.tappedURL(testenv.PostgresSchema(g.t)) + "\n"
			}, cause: (*faultGate).takeAway,
			lines: []string{"dependency does not answer", "degraded: something that is not needed by people who are signed in does not work"}, metric: `codegrant_dependency_up{dependency="replica"} == 0`,
			alert: "CodegrantDependencyDown", doctor: "database", finds: "cannot connect",
			shows: [4]string{"Dependencies", "replica", "bad", "does not answer"},
		},
		{
			name: "table of the replica missing", config: stored, cause: execute("ALTER TABLE codegrant_users RENAME TO away"),
			lines: []string{"dependency does not answer", "degraded: something that is not needed by people who are signed in does not work"}, metric: `codegrant_dependency_up{dependency="replica"} == 0`,
			alert: "CodegrantDependencyDown", doctor: "database", finds: "codegrant_users", fix: "GRANT SELECT",
			shows: [4]string{"Dependencies", "replica", "bad", "does not answer"},
		},
		{
			name: "certificate expired", config: "tls: {certificate_file: pair.pem, key_file: pair.pem}\n", early: true,
			before: func(g *faultGate) {
				g.expires = time.Now().Add(15 * time.Second).Truncate(time.Second)
				g.writeFile("pair.pem", expiring(g.t, g.expires))
			},
			cause: func(g *faultGate) {
				g.until("it expires", func() bool { return time.Now().After(g.expires) })
			},
			lines: []string{"certificate has expired"}, metric: "codegrant_certificate_expiry_timestamp_seconds - time() < 0",
			alert: "CodegrantCertificateExpires", doctor: "tls", finds: "expired at",
			shows: [4]string{"Dependencies", "certificate", "bad", "has expired"},
		},
		{
			name: "clock ten minutes ahead", cause: clock(10 * time.Minute),
			lines: []string{"the clock is off: tokens are refused"}, metric: `codegrant_clock_offset_seconds{pool="default"} > 590`,
			alert: "CodegrantClockOff", doctor: "clock", finds: "off by 10m",
			shows: [4]string{"Pools", "Clock against that of default", "bad", "ahead"},
		},
		{
			name: "clock ten minutes behind", cause: clock(-10 * time.Minute),
			lines: []string{"the clock is off: tokens are refused"}, metric: `codegrant_clock_offset_seconds{pool="default"} < 0 - 590`,
			alert: "CodegrantClockOff", doctor: "clock", finds: "off by -",
			shows: [4]string{"Pools", "Clock against that of default", "bad", "behind"},
		},
		{
			name: "wrong secret", cause: func(g *faultGate) {
				text, err := os.ReadFile(g.config)
				if err != nil {
					g.t.Fatal(err)
				}
				g.writeFile("codegrant.yaml", regexp.MustCompile(`client_secret: .*`).ReplaceAllString(string(text), "client_secret: of-another-client"))
				g.logged("new configuration is in use")
				g.signIn()
			},
			lines: []string{"sign-in failed"}, metric: `codegrant_sign_ins_total{outcome="failed",pool="default"} > 0`,
			alert: "CodegrantSignInsFail", doctor: "secret", finds: "not the secret of the app client", fix: "aws cognito-idp describe-user-pool-client",
			shows: [4]string{"Sign-ins", "Failed", "bad", "The last one: "},
		},
		{
			name: "callback not registered", cause: func(g *faultGate) {
				client := g.api("DescribeUserPoolClient", map[string]any{"UserPoolId": g.pool.PoolID, "ClientId": g.pool.ClientID})["UserPoolClient"].(map[string]any)
				for _, name := range []string{"CreationDate", "LastModifiedDate", "ClientSecret"} {
					delete(client, name)
				}
				client["CallbackURLs"] = []string{"https://elsewhere.example.com/auth/callback"}
				g.api("UpdateUserPoolClient", client)
			},
			lines: []string{"callback is not registered: nobody can sign in"}, metric: `codegrant_callback_registered{pool="default"} == 0`,
			alert: "CodegrantCallbackNotRegistered", doctor: "callback", finds: "/auth/callback is not registered", fix: "aws cognito-idp update-user-pool-client",
			shows: [4]string{"Pools", "Callback of default", "bad", "It is not registered"}, history: map[string]string{"callback of default": "is not registered"},
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
			lines: []string{"passes are overdue: a person who was disabled since the last one may still be signed in"}, metric: "codegrant_sync_last_success_age_seconds > codegrant_sync_max_age_seconds",
			alert: "CodegrantSyncOverdue", doctor: "sync", finds: "and replica.pass_max_age is 1s", fix: "codegrant sync --every 5m --config",
			shows: [4]string{"Synchronization", "default", "bad", "the last pass was long ago"},
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
			name: "trigger refuses", cause: func(g *faultGate) {
				if err := g.pool.SetTrigger(g.pool.PoolID, localpool.PreTokenGeneration, localpool.Trigger{Func: func(context.Context, map[string]any) error {
					return fmt.Errorf("not today")
				}}); err != nil {
					g.t.Fatal(err)
				}
				g.signIn()
			},
			lines: []string{"sign-in refused"}, metric: `codegrant_sign_ins_total{outcome="refused",pool="default"} > 0`,
			alert: "CodegrantSignInsRefused", doctor: "sign-ins", finds: "PreTokenGeneration failed with error not today", fix: "aws logs tail /aws/lambda/",
			shows: [4]string{"Sign-ins", "Refused", "warning", "The last one: "},
		},
		{
			name: "sync stuck", config: stored, running: (*faultGate).followWell, cause: func(g *faultGate) {
				g.instead(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					http.Error(w, `{"__type":"ResourceNotFoundException","message":"there is no such pool"}`, http.StatusBadRequest)
				}))
			},
			lines: []string{"sync: pass failed"}, metric: `codegrant_sync_failing{pool="default"} == 1`,
			alert: "CodegrantSyncFailing", doctor: "sync", finds: "the last pass failed", fix: "codegrant sync --full --config",
			shows: [4]string{"Synchronization", "default", "bad", "the last pass failed"},
		},
		{
			name: "sync hangs", config: strings.Replace(stored, "replica: true", "replica: {pass_max_age: 15s}", 1), running: (*faultGate).followWell, cause: func(g *faultGate) {
				g.instead(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
					_, _ = io.Copy(io.Discard, r.Body) // else nobody hears that the other end has gone
					<-r.Context().Done()
				}))
			},
			lines: []string{"passes are overdue: a person who was disabled since the last one may still be signed in"}, metric: "codegrant_sync_last_success_age_seconds > codegrant_sync_max_age_seconds",
			alert: "CodegrantSyncOverdue", doctor: "sync", finds: "and replica.pass_max_age is 15s", fix: "systemctl status codegrant-sync",
			shows: [4]string{"Synchronization", "default", "bad", "A pass is in progress"},
		},
		{
			name: "outbox not read", config: strings.Replace(stored, "replica: true", "replica: {outbox: true}", 1), running: (*faultGate).signIn,
			cause: execute("UPDATE codegrant_outbox SET created_at = '2026-01-01 00:00:00.000000'"),
			lines: []string{"outbox is not read"}, metric: "codegrant_outbox_age_seconds > 600",
			alert: "CodegrantOutboxNotRead", doctor: "outbox", finds: "no program takes them",
			shows: [4]string{"Outbox", "Changes that nobody has taken", "bad", "Nobody reads it"},
		},
		{
			name: "upstream down", configure: func(g *faultGate) string {
				return "routes:\n  - {path: /, public: true, upstream: {urls: ['" + g.tappedURL(g.up) + "'], health: /}}\n"
			}, cause: (*faultGate).takeAway,
			lines: []string{"server of an upstream is unhealthy: it gets no requests"}, metric: `codegrant_upstream_up{route="/"} == 0`,
			alert: "CodegrantUpstreamDown", doctor: "upstream", finds: "does not accept connections",
			shows: [4]string{"Upstreams", "/", "bad", "It does not answer"}, history: map[string]string{"upstream ": "gets no requests"},
		},
	}
}

// told is how long it may take from a fault until everybody tells of it: a minute, and as much
// again on a machine that does much else.
const told = 2 * time.Minute

// TestFaultsAreTold: each fault of the table in docs/runbook.md happens to a gateway that runs,
// and that has no fault. The log has the line, the metric is as the table says, the alert's
// expression is true, /state shows it, and doctor finds it, all within the time that the page says.
func TestFaultsAreTold(t *testing.T) {
	alerts := alertsOf(t)
	page, err := os.ReadFile("../../../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	if told != 2*time.Minute || !strings.Contains(string(page), "Within two minutes it must find what the row names") {
		t.Errorf("the page has another time than %s, or none", told)
	}
	for _, row := range faultRows() {
		t.Run(row.name, func(t *testing.T) {
			row.inTable(t, string(page))
			t.Parallel()
			g := &faultGate{gate: newGate(t, ""), address: testenv.FreeAddress(t)}
			config := row.config
			if row.configure != nil {
				config = row.configure(g)
			}
			if !strings.Contains(config, "routes:") {
				config += oneUpstream
			}
			g.write(config + "ops_listen: " + g.address + "\n")
			g.writeFile("keys", newSealingKey())
			if row.before != nil {
				row.before(g)
			}
			g.start()
			g.until("it is ready, and knows its pool", func() bool {
				text := g.metrics()
				return strings.Contains(text, "codegrant_ready 1") && strings.Contains(text, `codegrant_dependency_up{dependency="sign-ins_at_pool_default"} 1`)
			})
			if row.running != nil {
				row.running(g)
			}
			s := scraped{g.metrics(), g.metrics(), time.Now()}
			row.quiet(g, s, alerts[row.alert])
			row.cause(g)
			began := time.Now()
			for _, line := range row.lines {
				g.until("the log says "+line, func() bool { return g.said(line) })
			}
			g.until("the metrics have "+row.metric, func() bool { return len(evaluate(t, scraped{"", g.metrics(), time.Now()}, row.metric)) > 0 })
			g.until("the alert "+row.alert+" is raised", func() bool {
				s.after, s.now = g.metrics(), time.Now()
				return len(evaluate(t, s, alerts[row.alert])) > 0
			})
			g.until("the console shows it", func() bool { return g.shows(row.shows) })
			g.until("doctor finds it", func() bool { return g.found(row.doctor, row.finds, row.fix) })
			for what, how := range row.history {
				g.until("the console's history has "+what, func() bool { return g.hasChanged(what, how) })
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

// quiet holds that nothing tells of the fault while there is none.
func (row faultRow) quiet(g *faultGate, s scraped, alert string) {
	t := g.t
	t.Helper()
	if alert == "" {
		t.Fatalf("there is no alert %q", row.alert)
	}
	for _, line := range row.lines {
		if g.said(line) && !row.early {
			t.Errorf("before the fault, the log says %s", line)
		}
	}
	if !row.early {
		if got := evaluate(t, s, row.metric); len(got) > 0 {
			t.Errorf("before the fault: %s: %v", row.metric, got)
		}
		if got := evaluate(t, s, alert); len(got) > 0 {
			t.Errorf("before the fault, %s is raised: %v", row.alert, got)
		}
		if g.shows(row.shows) {
			t.Errorf("before the fault, the console shows %q", row.shows)
		}
		if g.found(row.doctor, row.finds, "") {
			t.Errorf("before the fault, doctor finds %s: %s", row.doctor, row.finds)
		}
	}
}

// inTable holds that the table in the runbook says what the test looks for.
func (row faultRow) inTable(t *testing.T, page string) {
	t.Helper()
	i := strings.Index(page, "\n| "+row.name+" |")
	if i < 0 {
		t.Error("the table lacks it")
		return
	}
	line, _, _ := strings.Cut(page[i+1:], "\n")
	cells := strings.Split(strings.Trim(line, "| "), " | ")
	if len(cells) != 7 {
		t.Errorf("the table has %d cells for it", len(cells))
		return
	}
	says := func(cell int, what string) {
		if !strings.Contains(cells[cell], what) {
			t.Errorf("the table says %q, not %q", cells[cell], what)
		}
	}
	for _, line := range row.lines {
		says(1, strings.TrimPrefix(line, "sync: "))
	}
	for _, m := range selected.FindAllStringSubmatch(row.metric, -1) {
		says(2, "`"+strings.TrimSuffix(m[1], "_sum"))
		for _, l := range labelPair.FindAllStringSubmatch(m[2], -1) {
			if l[1] != "pool" && l[1] != "route" {
				says(2, strings.ReplaceAll(l[3], "default", "…"))
			}
		}
	}
	says(3, row.alert)
	says(4, row.doctor)
	says(5, row.shows[0]+": ")
}
