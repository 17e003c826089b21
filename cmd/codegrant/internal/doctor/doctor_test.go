package doctor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/codegranttest"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica"
)

func examine(t *testing.T, args ...string) (findings []finding, status int) {
	t.Helper()
	var stdout bytes.Buffer
	status = run(t.Context(), append([]string{"doctor", "--json"}, args...), &stdout, t.Output())
	if err := json.Unmarshal(stdout.Bytes(), &findings); err != nil {
		t.Fatalf("%v: %s", err, stdout.Bytes())
	}
	return findings, status
}

func TestDoctorFindsNothingWhereAllIsWell(t *testing.T) {
	commandtest.Healthy(t)
	database := filepath.Join(t.TempDir(), "app.db")
	if status := run(t.Context(), []string{"migrate", "--database", "sqlite:" + database}, t.Output(), t.Output()); status != 0 {
		t.Fatalf("migrate: %d", status)
	}
	findings, status := examine(t, "--database", "sqlite:"+database)
	for _, f := range findings {
		if f.Level != fine {
			t.Errorf("%+v", f)
		}
	}
	if status != 0 || len(findings) < 10 {
		t.Errorf("status %d, %d findings", status, len(findings))
	}
}

// TestDoctorWatchesTheOutbox: what waits there is told, and for too long is a warning.
func TestDoctorWatchesTheOutbox(t *testing.T) {
	db, err := parts.OpenDatabase("sqlite:" + filepath.Join(t.TempDir(), "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	users, err := db.Users(settings.Replica{Outbox: true})
	if err != nil {
		t.Fatal(err)
	}
	look := func(later time.Duration) []finding {
		e := examination{now: func() time.Time { return time.Now().Add(later) }}
		e.outbox(t.Context(), users)
		return e.findings
	}
	if found := look(0); len(found) != 0 {
		t.Errorf("without the table: %+v", found)
	}
	if err := users.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found := look(0); len(found) != 0 {
		t.Errorf("empty: %+v", found)
	}
	if _, err := users.Apply(t.Context(), replica.Snapshot{Issuer: "i", Subject: "s", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if found := look(0); len(found) != 1 || found[0].Level != fine || !strings.Contains(found[0].Found, "1 changes wait") {
		t.Errorf("of a moment ago: %+v", found)
	}
	if found := look(2 * time.Hour); len(found) != 1 || found[0].Level != warning || !strings.Contains(found[0].Found, "the oldest for 2h0m0s") {
		t.Errorf("of two hours ago: %+v", found)
	}
}

// TestDoctor has a row for each misconfiguration: what is said, and the fix.
func TestDoctor(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<h1>Welcome</h1>") }))
	t.Cleanup(elsewhere.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	set := func(name, value string) func(*testing.T, *codegranttest.Pool) {
		return func(t *testing.T, _ *codegranttest.Pool) { t.Setenv(name, value) }
	}
	for _, tt := range []struct {
		name, check string
		level       level
		found, fix  string
		seed        func(*testing.T, *codegranttest.Pool)
		args        []string
	}{
		{"a setting is missing", "settings", fault, "AUTH_COGNITO_CLIENT_ID: is not set", "then run codegrant doctor again", set("AUTH_COGNITO_CLIENT_ID", ""), nil},
		{"the token URL is not one", "settings", fault, "/oauth2/token", "then run codegrant doctor again", set("AUTH_COGNITO_CODE_GRANT_URL", "https://acme.auth.eu-west-1.amazoncognito.com/"), nil},
		{"plain http", "settings", fault, "must begin with https", "then run codegrant doctor again", set("CODEGRANT_BASE_URL", "http://app.example.com"), nil},
		{"the cookie domain is a public suffix", "settings", fault, "public suffix", "then run codegrant doctor again", func(t *testing.T, _ *codegranttest.Pool) {
			t.Setenv("SHARED_TOKENS", "True")
			t.Setenv("SHARED_TOKENS_DOMAIN", ".com")
		}, nil},
		{"the cookie domain does not hold the host", "settings", fault, "does not hold the host", "then run codegrant doctor again", set("CODEGRANT_COOKIE_DOMAIN", "example.org"), nil},
		{"the key for CloudFront is not one", "settings", fault, "CLOUDFRONT_SIGNED_COOKIES_PRIVATE_KEY", "then run codegrant doctor again", func(t *testing.T, _ *codegranttest.Pool) {
			t.Setenv("CLOUDFRONT_SIGNED_COOKIES", "1")
			t.Setenv("CLOUDFRONT_SIGNED_COOKIES_KEY_PAIR_ID", "K2JCJMDEHXQW5F")
			t.Setenv("CLOUDFRONT_SIGNED_COOKIES_RESOURCE", "assets.example.com/*")
			t.Setenv("CLOUDFRONT_SIGNED_COOKIES_PRIVATE_KEY", "oops")
		}, nil},
		{"the callback's path is none of ours", "callback", warning, "/welcome", "SITE_LOGIN_URL", func(t *testing.T, pool *codegranttest.Pool) {
			register(t, pool, "https://app.example.com/welcome")
			t.Setenv("SITE_LOGIN_URL", "https://app.example.com/welcome")
		}, nil},
		{"the callback is not registered", "callback", fault, "not registered", `.CallbackURLs += ["https://app.example.com/auth/login/"]`, set("SITE_LOGIN_URL", "https://app.example.com/auth/login/"), nil},
		{"the callback differs in a slash", "callback", fault, "https://app.example.com/auth/callback/ is not registered", "trailing slash", set("SITE_LOGIN_URL", "https://app.example.com/auth/callback/"), nil},
		{"the sign-out URL is not registered", "sign-out", fault, "https://app.example.com/bye is not registered", "allowed sign-out URLs", set("CODEGRANT_SIGN_OUT_URLS", "https://app.example.com/bye"), nil},
		{"a scope is not allowed", "scopes", fault, "phone", `.AllowedOAuthScopes + ["openid","phone","orders/write"]`, set("CODEGRANT_SCOPES", "openid phone orders/write"), nil},
		{"the secret is missing", "secret", fault, "the settings have none", "CODEGRANT_CLIENT_SECRET", set("CODEGRANT_CLIENT_SECRET", ""), nil},
		{"the secret is wrong", "secret", fault, "not the secret of the app client", "--query UserPoolClient.ClientSecret", set("CODEGRANT_CLIENT_SECRET", "another-secret-of-24-letters"), nil},
		{"the secret is superfluous", "secret", fault, "has none", "unset", func(t *testing.T, pool *codegranttest.Pool) {
			public := publicClient(t, pool)
			t.Setenv("AUTH_COGNITO_CLIENT_ID", public.ID)
		}, nil},
		{"one of two secrets is not accepted", "secret", warning, "of 2 secrets, the pool accepts only number 1", "while you rotate secrets", set("CODEGRANT_SECOND_CLIENT_SECRET", "another-secret-of-24-letters"), nil},
		{"a secret that stays, and Secrets Manager replaces it", "secret", fault, "every 7 days", "CODEGRANT_CLIENT_SECRET_ARN=arn:aws:secretsmanager", func(t *testing.T, pool *codegranttest.Pool) {
			if err := pool.KeepSecret(pool.ClientID); err != nil {
				t.Fatal(err)
			}
		}, nil},
		{"Secrets Manager keeps the secret, and the settings have none", "secret", fault, "in Secrets Manager, but the settings have no secret", "CODEGRANT_CLIENT_SECRET_ARN=arn", func(t *testing.T, pool *codegranttest.Pool) {
			if err := pool.KeepSecret(pool.ClientID); err != nil {
				t.Fatal(err)
			}
			t.Setenv("CODEGRANT_CLIENT_SECRET", "")
		}, nil},
		{"the ARN is wrong", "secret", fault, "cannot read the client secret", "CODEGRANT_CLIENT_SECRET_ARN", func(t *testing.T, pool *codegranttest.Pool) {
			t.Setenv("CODEGRANT_CLIENT_SECRET", "")
			t.Setenv("CODEGRANT_CLIENT_SECRET_ARN", "arn:aws:secretsmanager:local:000000000000:secret:nobodys")
		}, nil},
		{"the client is of another pool", "client", fault, "does not know", "AUTH_COGNITO_CLIENT_ID", set("AUTH_COGNITO_CLIENT_ID", "nobodysclient"), nil},
		{"the domain is something else", "domain", fault, "not the domain of a user pool", "AUTH_COGNITO_CODE_GRANT_URL", set("AUTH_COGNITO_CODE_GRANT_URL", elsewhere.URL+"/oauth2/token"), nil},
		{"the domain is of another pool", "domain", warning, "the domain of the pool is", "custom domain", set("AUTH_COGNITO_CODE_GRANT_URL", elsewhere.URL+"/oauth2/token"), nil},
		{"the domain does not answer", "domain", fault, "does not answer", "firewall", set("AUTH_COGNITO_CODE_GRANT_URL", gone.URL+"/oauth2/token"), nil},
		{"the pool's id is wrong", "pool", fault, "the pool eu-west-1_Nobody123 does not exist", "correct the pool id and the region", func(t *testing.T, pool *codegranttest.Pool) {
			t.Setenv("AUTH_COGNITO_JWKS_URL", pool.URL+"/eu-west-1_Nobody123/.well-known/jwks.json")
		}, nil},
		{"the issuer and the keys do not match", "issuer", fault, "the settings expect", "set AUTH_COGNITO_JWKS_URL to https://cognito-idp.eu-west-1", func(_ *testing.T, pool *codegranttest.Pool) {
			pool.Fault(localpool.Discovery, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, `{"issuer":"https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"}`)
			}))
		}, nil},
		{"S-156: the clock is off", "clock", fault, "is off by", "NTP", func(t *testing.T, pool *codegranttest.Pool) {
			offClock(t, pool, -time.Hour)
		}, nil},
		{"S-156: the clock is a little off", "clock", warning, "off by -", "NTP", func(t *testing.T, pool *codegranttest.Pool) {
			offClock(t, pool, 30*time.Second)
		}, nil},
		{"the database is not migrated", "database", fault, "not been migrated", "codegrant migrate", func(*testing.T, *codegranttest.Pool) {},
			[]string{"--database", "sqlite:" + filepath.Join(t.TempDir(), "new.db")}},
		{"the database is not Django's", "database", fault, "", "codegrant migrate", func(*testing.T, *codegranttest.Pool) {},
			[]string{"--django", "--database", "sqlite:" + filepath.Join(t.TempDir(), "empty.db")}},
		{"the database cannot be reached", "database", fault, "cannot connect", "--database", func(*testing.T, *codegranttest.Pool) {},
			[]string{"--database", "postgres://app:hunter2@127.0.0.1:1/app"}},
		{"the database is of no known kind", "database", fault, "sqlite:FILE", "--database", func(*testing.T, *codegranttest.Pool) {},
			[]string{"--database", "mongodb://app:hunter2@127.0.0.1/app"}},
		{"tokens are shared", "cookies", warning, "every host under", "session store", func(t *testing.T, _ *codegranttest.Pool) {
			t.Setenv("SHARED_TOKENS", "True")
			t.Setenv("SHARED_TOKENS_DOMAIN", ".example.com")
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pool := commandtest.Healthy(t)
			tt.seed(t, pool)
			findings, status := examine(t, tt.args...)
			said, faults := false, 0
			for _, f := range findings {
				if f.Level == fault {
					faults++
				}
				said = said || f.Check == tt.check && f.Level == tt.level && strings.Contains(f.Found, tt.found) && strings.Contains(f.Fix, tt.fix)
				if f.Level != fine && !exact.MatchString(f.Fix) {
					t.Errorf("no exact fix for %+v", f)
				}
				if strings.Contains(f.Found+f.Fix, "hunter2") {
					t.Errorf("a password is shown: %+v", f)
				}
			}
			if !said || (faults > 0) != (status == 1) {
				t.Errorf("status %d; want %s %q %q → %q in %+v", status, tt.level, tt.check, tt.found, tt.fix, findings)
			}
		})
	}
}

func register(t *testing.T, pool *codegranttest.Pool, callback string) {
	t.Helper()
	if err := pool.RegisterURLs(pool.ClientID, callback, "https://app.example.com/"); err != nil {
		t.Fatal(err)
	}
}

// publicClient is the demo's client without a secret.
func publicClient(t *testing.T, pool *codegranttest.Pool) localpool.Client {
	t.Helper()
	for _, c := range pool.Clients() {
		if c.Secret == "" {
			if err := pool.RegisterURLs(c.ID, "https://app.example.com/auth/callback", "https://app.example.com/"); err != nil {
				t.Fatal(err)
			}
			return c
		}
	}
	t.Fatal("the seed has no client without a secret")
	return localpool.Client{}
}

// offClock has the pool's keys come with a date as if this machine's clock was off.
func offClock(t *testing.T, pool *codegranttest.Pool, by time.Duration) {
	t.Helper()
	response, err := http.Get(os.Getenv("AUTH_COGNITO_JWKS_URL"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	keys, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	pool.Fault(localpool.JWKS, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(by).UTC().Format(http.TimeFormat))
		_, _ = w.Write(keys)
	}))
}

func TestDoctorSpeaksToPeople(t *testing.T) {
	commandtest.Healthy(t)
	t.Setenv("CODEGRANT_CLIENT_SECRET", "")
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"doctor"}, &stdout, &stderr); status != 1 {
		t.Errorf("status %d", status)
	}
	if !strings.Contains(stdout.String(), "FAULT") || !strings.Contains(stdout.String(), "→ set CODEGRANT_CLIENT_SECRET") || !strings.Contains(stderr.String(), "1 of ") {
		t.Errorf("%s\n%s", &stdout, &stderr)
	}
}

// TestDoctorReadsSecretsManager: a pool whose secret Secrets Manager keeps is fine
// with the ARN in place of the secret.
func TestDoctorReadsSecretsManager(t *testing.T) {
	pool := commandtest.Healthy(t)
	if err := pool.KeepSecret(pool.ClientID); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CODEGRANT_CLIENT_SECRET", "")
	t.Setenv("CODEGRANT_CLIENT_SECRET_ARN", pool.Clients()[0].SecretARN)
	findings, status := examine(t)
	if status != 0 || !slices.ContainsFunc(findings, func(f finding) bool { return f.Check == "secret" && f.Level == fine }) {
		t.Errorf("status %d, findings %+v", status, findings)
	}
}
