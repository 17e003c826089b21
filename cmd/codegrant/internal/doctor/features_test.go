package doctor

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/mcp"
)

// has reports whether there is a finding of a check, at a level, with a text and a fix.
func has(findings []finding, check string, l level, found, fix string) bool {
	for _, f := range findings {
		if f.Check == check && f.Level == l && strings.Contains(f.Found, found) && strings.Contains(f.Fix, fix) {
			return true
		}
	}
	return false
}

// TestDoctorFeatures: what a pool and an app client have turned on, and the command for what
// is at odds with their use.
func TestDoctorFeatures(t *testing.T) {
	no := false
	type rotation = struct {
		Feature                 string
		RetryGracePeriodSeconds int
	}
	for _, tt := range []struct {
		name    string
		answers map[string]string // by operation
		client  clientFacts
		check   string
		level   level
		found   string
		fix     string
	}{
		{"Lite", map[string]string{"DescribeUserPool": `{"UserPool":{"UserPoolTier":"LITE"}}`}, clientFacts{}, "plan", warning, "ignores acr_values", `.UserPoolTier = "ESSENTIALS"`},
		{"Plus", map[string]string{"DescribeUserPool": `{"UserPool":{"UserPoolTier":"PLUS"}}`}, clientFacts{}, "plan", fine, "plus", ""},
		{"open registration", map[string]string{"DescribeUserPool": `{"UserPool":{"DcrConfiguration":{"EnableStatus":"Enabled","OpenDcrEnabled":true}}}`}, clientFacts{}, "registration", warning, "anybody can register", ".DcrConfiguration.OpenDcrEnabled = false"},
		{"registration by token", map[string]string{"DescribeUserPool": `{"UserPool":{"DcrConfiguration":{"EnableStatus":"Enabled"}}}`}, clientFacts{}, "registration", fine, "scope", ""},
		{"triggers", map[string]string{"DescribeUserPool": `{"UserPool":{"LambdaConfig":{"PreTokenGeneration":"arn:aws:lambda:eu-west-1:111122223333:function:claims","PreTokenGenerationConfig":{"LambdaArn":"arn:aws:lambda:eu-west-1:111122223333:function:claims","LambdaVersion":"V2_0"},"KMSKeyID":"arn:aws:kms:eu-west-1:111122223333:key/1"}}}`}, clientFacts{}, "triggers", fine, "function:claims for PreTokenGeneration; its log has the refusals: aws logs tail /aws/lambda/claims --since 1h --region eu-west-1", ""},
		{"may not be described", map[string]string{"DescribeUserPool": `!AccessDeniedException`}, clientFacts{}, "plan", warning, "AccessDeniedException", "cognito-idp:DescribeUserPool"},
		{"a policy on this client", map[string]string{
			"ListCIMDPolicies":   `{"CIMDPolicies":[{"CIMDPolicyId":"p1"}]}`,
			"DescribeCIMDPolicy": `{"CIMDPolicy":{"CIMDPolicyId":"p1","PolicyName":"agents","ClientId":"c1","URLPatterns":["https://*.example.com/*"]}}`,
		}, clientFacts{}, "documents", fault, "count as tokens of the application", "aws cognito-idp update-cimd-policy --user-pool-id eu-west-1_Ab12Cd34E --cimd-policy-id p1"},
		{"a recovery", map[string]string{"ListPointInTimeRecoveries": `{"Restorations":[{"RestoreId":"r1","RestoreStatus":"RESTORING"}]}`}, clientFacts{}, "recovery", warning, "accepts no changes", "codegrant sync --full"},
		{"rotation without grace", nil, clientFacts{RefreshTokenRotation: &rotation{"ENABLED", 0}}, "rotation", warning, "grace period of 0 s", "RetryGracePeriodSeconds: 60"},
		{"rotation with grace", nil, clientFacts{RefreshTokenRotation: &rotation{"ENABLED", 60}}, "rotation", fine, "grace period of 60 s", ""},
		{"no revocation", nil, clientFacts{EnableTokenRevocation: &no}, "revocation", warning, "cannot revoke", ".EnableTokenRevocation = true"},
		{"registered by itself", nil, clientFacts{ClientType: "DCR"}, "client", warning, "registered itself", "create-user-pool-client"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
				answer, ok := tt.answers[operation]
				if refusal, no := strings.CutPrefix(answer, "!"); no || !ok {
					w.WriteHeader(http.StatusBadRequest)
					answer = fmt.Sprintf(`{"__type":%q}`, refusal)
				}
				_, _ = io.WriteString(w, answer)
			}))
			defer server.Close()
			e := examination{now: time.Now, client: server.Client(), askAWS: true}
			e.features(t.Context(), codegrant.Config{Pool: cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "c1"}}, &cognitoAPI{
				client: server.Client(), url: server.URL + "/", region: "eu-west-1", poolID: "eu-west-1_Ab12Cd34E", clientID: "c1",
				credentials: credentials.NewStaticCredentialsProvider("local", "local", ""),
			}, tt.client)
			if !has(e.findings, tt.check, tt.level, tt.found, tt.fix) {
				t.Errorf("findings %+v", e.findings)
			}
		})
	}
}

// TestDoctorClients: what a pool can do for clients of MCP servers, and what is open.
func TestDoctorClients(t *testing.T) {
	both := `"registration_endpoint":"https://acme.example.com/oauth2/register","client_id_metadata_document_supported":true`
	for _, tt := range []struct {
		name, metadata, described string
		server                    mcp.Config
		level                     level
		found, fix                string
	}{
		{"nothing, in mode pool", ``, ``, mcp.Config{PoolClients: true}, fault, "no client of an MCP server can sign in", "mode: gateway"},
		{"nothing", ``, ``, mcp.Config{}, fine, "allows only broker.mode: gateway", ""},
		{"both", both, ``, mcp.Config{}, fine, "registers clients and accepts client ID metadata documents", ""},
		{"both, in mode pool", both, ``, mcp.Config{PoolClients: true}, warning, "asks nobody", "mode: gateway"},
		{"a scope that is not allowed", both, `{"OpenDcrEnabled":true,"AllowedScopes":["a/read"]}`, mcp.Config{PoolClients: true, Scopes: []string{"a/read"}, Tools: []mcp.Tool{{Scopes: []string{"a/write"}}}}, fault, "cannot request a/write:", "AllowedScopes"},
		{"by token alone", both, `{"AllowedScopes":["a/read"]}`, mcp.Config{PoolClients: true, Scopes: []string{"a/read"}}, warning, "only with an access token", "OpenDcrEnabled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// A pool of this machine, which the API is asked about without credentials.
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					fmt.Fprintf(w, `{%s}`, tt.metadata)
				} else {
					fmt.Fprintf(w, `{"UserPool":{"DcrConfiguration":%s}}`, cmp.Or(tt.described, "null"))
				}
			}))
			defer server.Close()
			pool := settings.Pool{Config: codegrant.Config{Pool: cognito.Pool{ID: "local_Demo12345", Domain: server.URL, Issuer: server.URL + "/local_Demo12345", ClientID: "c1"}}}
			endpoints, err := pool.Config.Pool.Endpoints()
			if err != nil {
				t.Fatal(err)
			}
			tt.server.Endpoints = endpoints
			e := examination{now: time.Now, client: server.Client()}
			e.unknownClients(t.Context(), &settings.Settings{MCP: []*mcp.Config{nil, &tt.server}}, pool)
			if !has(e.findings, "clients", tt.level, tt.found, tt.fix) {
				t.Errorf("findings %+v", e.findings)
			}
		})
	}
}

// TestDoctorCommandsKeepTheRest: the command that fixes an app client gives the API all that
// was there, and the one change.
func TestDoctorCommandsKeepTheRest(t *testing.T) {
	if _, err := exec.LookPath("jq"); err != nil {
		return // the command is for people who have it
	}
	dir := t.TempDir()
	aws := `#!/bin/sh
case "$2" in
describe-user-pool-client) echo '{"UserPoolId":"eu-west-1_Ab12Cd34E","ClientId":"c1","ClientSecret":"s","CreationDate":1,"LastModifiedDate":2,"CallbackURLs":["https://a/"],"RefreshTokenValidity":7}' ;;
update-user-pool-client) cat "${4#file://}" > sent.json ;;
esac
`
	if err := os.WriteFile(filepath.Join(dir, "aws"), []byte(aws), 0o700); err != nil {
		t.Fatal(err)
	}
	command := updateClient(cognito.Endpoints{Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"},
		codegrant.Config{Pool: cognito.Pool{ClientID: "c1"}}, `.CallbackURLs += ["https://b/"]`)
	shell := exec.CommandContext(t.Context(), "sh", "-c", command)
	shell.Dir, shell.Env = dir, append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	if out, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s\n%s", err, out, command)
	}
	sent, err := os.ReadFile(filepath.Join(dir, "sent.json"))
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(strings.Fields(string(sent)), "")
	if want := `{"UserPoolId":"eu-west-1_Ab12Cd34E","ClientId":"c1","CallbackURLs":["https://a/","https://b/"],"RefreshTokenValidity":7}`; got != want {
		t.Errorf("sent %s, want %s", got, want)
	}
}

// TestDoctorFront: proxies, cookies and sizes of a configuration.
func TestDoctorFront(t *testing.T) {
	pool := func(name, host, cookie string) settings.Pool {
		return settings.Pool{Name: name, Hosts: []string{host}, Config: codegrant.Config{BaseURL: "https://" + host, CookieName: cookie}}
	}
	headers := settings.Limits{HeaderBytes: 64 << 10}
	for _, tt := range []struct {
		name  string
		s     settings.Settings
		check string
		level level
		found string
		fix   string
	}{
		{"everybody is a proxy", settings.Settings{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}, "proxies", fault, "every client can claim", "trusted_proxies: ["},
		{"https ends somewhere", settings.Settings{Listen: ":8080", Pools: []settings.Pool{pool("a", "a.example.com", "")}}, "proxies", warning, "neither a certificate", "trusted_proxies: ["},
		{"a proxy", settings.Settings{Listen: ":8080", TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}, "proxies", fine, "1 networks", ""},
		{"one cookie for two", settings.Settings{Pools: []settings.Pool{pool("a", "a.example.com", "s"), pool("b", "A.example.com", "s")}}, "cookies", fault, "ends the sign-in at the other", "cookie_name: s_b"},
		{"tokens in small headers", settings.Settings{Sessions: settings.InCookies, Limits: settings.Limits{HeaderBytes: 8 << 10}, Pools: []settings.Pool{pool("a", "a", "")}}, "headers", fault, "431", "header_bytes: 64KiB"},
		{"tokens in headers", settings.Settings{Sessions: settings.InCookies, Limits: headers, Pools: []settings.Pool{pool("a", "a", "")}}, "headers", fine, "large_client_header_buffers", ""},
	} {
		var e examination
		e.front(&tt.s)
		if !has(e.findings, tt.check, tt.level, tt.found, tt.fix) {
			t.Errorf("%s: findings %+v", tt.name, e.findings)
		}
	}
}

// TestDoctorSync: passes that fail, are overdue, or were never made are told of, and tables
// that are missing are named.
func TestDoctorSync(t *testing.T) {
	url := "sqlite:" + filepath.Join(t.TempDir(), "app.db")
	db, err := parts.OpenDatabase(url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var e examination
	e.tables(t.Context(), db, "codegrant migrate")
	if !has(e.findings, "database", warning, "codegrant_passes, codegrant_pass_members", "codegrant migrate") {
		t.Errorf("without tables: %+v", e.findings)
	}
	sessions, users, err := db.Stores(settings.Replica{})
	if err == nil {
		err = errors.Join(sessions.Migrate(t.Context()), users.Migrate(t.Context())) // as an application does that has no codegrant sync
	}
	if err != nil {
		t.Fatal(err)
	}
	e = examination{}
	if e.tables(t.Context(), db, "codegrant migrate"); len(e.findings) != 1 || !has(e.findings, "database", fine, "before you use it", "") {
		t.Errorf("without sync: %+v", e.findings)
	}
	if status := run(t.Context(), []string{"migrate", "--database", url}, t.Output(), t.Output()); status != 0 {
		t.Fatal("not migrated")
	}
	const issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"
	s := &settings.Settings{Database: settings.Database{URL: settings.Secret(url)}, Pools: []settings.Pool{{Name: "a", Issuer: issuer}, {Name: "b", Issuer: issuer}}}
	journal, err := directory.NewSQLJournal(db.DB, db.Dialect)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().UTC()
	trusting := examination{now: func() time.Time { return at }}
	s.Pools[0].TrustedProviders = []string{"COGNITO", "Google"}
	trusting.sync(t.Context(), s)
	if !has(trusting.findings, "sync", warning, "trusted_providers is set, and there was no pass yet", "docs/identities.md") {
		t.Errorf("with trusted_providers: %+v", trusting.findings)
	}
	s.Pools[0].TrustedProviders = nil
	for _, tt := range []struct {
		name, state string
		level       level
		found, fix  string
	}{
		{"no pass", "", warning, "there was no pass yet", "codegrant sync --every 5m"},
		{"one just now", `{"Version":1,"Report":{"Pass":"p","Phase":"done","Finished":%q}}`, fine, "the last pass was 0s ago", ""},
		{"a failure", `{"Version":1,"Report":{"Pass":"p","Phase":"users"},"Fault":{"At":%q,"Text":"no answer"}}`, fault, "no answer", "--full"},
		{"too many", `{"Version":1,"Report":{"Pass":"p","Phase":"done","Finished":%q,"Withheld":7}}`, warning, "7 people", "--max-share"},
	} {
		term, _, err := journal.Acquire(t.Context(), "pass "+issuer, tt.name, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		state := tt.state
		if strings.Contains(state, "%q") {
			state = fmt.Sprintf(state, at.Format(time.RFC3339Nano))
		}
		if err := journal.Write(t.Context(), "pass "+issuer, term, time.Minute, []byte(state)); err != nil {
			t.Fatal(err)
		}
		if err := journal.Release(t.Context(), "pass "+issuer, term); err != nil {
			t.Fatal(err)
		}
		e := examination{now: func() time.Time { return at }}
		s.PassMaxAge = 3 * time.Hour
		e.sync(t.Context(), s)
		if len(e.findings) != 1 || !has(e.findings, "sync", tt.level, tt.found, tt.fix) {
			t.Errorf("%s: %+v", tt.name, e.findings)
		}
		if tt.level == fine {
			late := examination{now: func() time.Time { return at.Add(4 * time.Hour) }}
			late.file = "/etc/codegrant/codegrant.yaml"
			s.PassMaxAge = 3 * time.Hour
			late.sync(t.Context(), s)
			if !has(late.findings, "sync", fault, "the last pass was 4h0m0s ago", "codegrant sync --full --config /etc/codegrant/codegrant.yaml") {
				t.Errorf("later: %+v", late.findings)
			}
			s.PassMaxAge, late.findings = 5*time.Hour, nil
			late.sync(t.Context(), s)
			if !has(late.findings, "sync", fine, "the last pass was 4h0m0s ago", "") {
				t.Errorf("where a pass may be five hours old: %+v", late.findings)
			}
		}
	}
}
