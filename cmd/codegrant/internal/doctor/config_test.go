package doctor

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/internal/settings"
)

// TestDoctorConfiguration: a configuration is looked at with all that it names, and
// findings speak of its keys.
func TestDoctorConfiguration(t *testing.T) {
	pool := commandtest.Healthy(t)
	client := pool.Clients()[0]
	up := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(up.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	write := func(second, secret, upstream, redis string) string {
		file := filepath.Join(t.TempDir(), "codegrant.yaml")
		one := func(name, host, secret string) string {
			return fmt.Sprintf("  - {name: %s, hosts: %s, base_url: 'https://%s', code_grant_url: '%s/oauth2/token', jwks_url: '%s/.well-known/jwks.json', client_id: %s, client_secret: %s}\n", name, host, host, pool.URL, client.Issuer, client.ID, secret)
		}
		text := redis + "pools:\n" + one("shop", "app.example.com", client.Secret) + one("staff", second, secret) + "routes:\n  - {host: app.example.com, path: /, upstream: '" + upstream + "'}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	pool.Register("https://staff.example.com")
	findings, status := examine(t, "--config", write("staff.example.com", client.Secret, up.URL, ""))
	for _, f := range findings {
		if f.Level != fine {
			t.Errorf("%+v", f)
		}
	}
	if status != 0 || len(findings) < 14 {
		t.Errorf("status %d, %d findings", status, len(findings))
	}
	unset := "keys: [hxXwLHjJ2Xl4yjKb1o0pQ0b3Kc9yq6C3i8nV5tZr7sE=]\nsessions: redis\nredis: redis://127.0.0.1:1\n"
	findings, status = examine(t, "--config", write("other.example.com", "wrong", gone.URL, unset))
	got := make(map[string]bool)
	for _, f := range findings {
		if f.Level != fine {
			got[f.Check+" "+f.Pool] = true
		}
		if m := regexp.MustCompile(`CODEGRANT_|AUTH_COGNITO_|SITE_LOGIN`).FindString(f.Found + f.Fix); m != "" {
			t.Errorf("who wrote a file is told %s: %+v", m, f)
		}
	}
	for _, want := range []string{"callback staff", "sign-out staff", "secret staff", "upstream ", "redis "} {
		if !got[want] {
			t.Errorf("no fault of %q in %+v", want, findings)
		}
	}
	if got["callback shop"] || got["secret shop"] || status != 1 {
		t.Errorf("status %d, %+v", status, findings)
	}
	e := examination{now: time.Now}
	e.certificate(&settings.Certificate{Expires: time.Now().Add(-time.Hour)})
	e.certificate(&settings.Certificate{Expires: time.Now().Add(24 * time.Hour)})
	if e.findings[0].Level != fault || e.findings[1].Level != warning {
		t.Errorf("certificates: %+v", e.findings)
	}
}

// TestDoctorSpeaksOfVariables: whoever set variables is not told of fields of Go.
func TestDoctorSpeaksOfVariables(t *testing.T) {
	commandtest.Healthy(t)
	for _, set := range [][2]string{{"CODEGRANT_BASE_URL", "http://app.example.com"}, {"CODEGRANT_COOKIE_DOMAIN", "example.org"}, {"CODEGRANT_RETURN_ORIGINS", "nonsense"},
		{"CODEGRANT_SCOPES", "email"}, {"CODEGRANT_GROUPS", "foo"}, {"CODEGRANT_IDLE_TIMEOUT", "1s"}, {"CODEGRANT_ABSOLUTE_TIMEOUT", "1m"},
		{"SITE_LOGIN_URL", "https://elsewhere.example.net/auth/callback"}} {
		t.Run(set[0], func(t *testing.T) {
			t.Setenv(set[0], set[1])
			findings, _ := examine(t)
			for _, f := range findings {
				if m := regexp.MustCompile(`\b(Scopes:|ErrorURL|DefaultReturnURL|IdleTimeout|AbsoluteTimeout|CallbackURL|BaseURL|CookieDomain|InsecureCookieDomain|AllowedReturnOrigins|SignOutURLs|TrustedOrigins)\b`).FindString(f.Found); m != "" {
					t.Errorf("told of %s: %+v", m, f)
				}
			}
			if !strings.Contains(fmt.Sprint(findings), set[0]) {
				t.Errorf("%s is not named: %+v", set[0], findings)
			}
		})
	}
}

// TestDoctorSpeaksOfVariablesOfCloudFront: so does what is wrong with its cookies.
func TestDoctorSpeaksOfVariablesOfCloudFront(t *testing.T) {
	commandtest.Healthy(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CLOUDFRONT_SIGNED_COOKIES", "True")
	t.Setenv("CLOUDFRONT_SIGNED_COOKIES_KEY_PAIR_ID", "K2JCJMDEHXQW5F")
	t.Setenv("CLOUDFRONT_SIGNED_COOKIES_PRIVATE_KEY", string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})))
	t.Setenv("CLOUDFRONT_SIGNED_COOKIES_RESOURCE", "https://files.elsewhere.example/*")
	findings, _ := examine(t)
	for _, f := range findings {
		if f.Check == "settings" && f.Level == fault {
			if !strings.Contains(f.Found, "CLOUDFRONT_SIGNED_COOKIES") || strings.Contains(f.Found, "Resources[") || strings.Contains(f.Found, "set Domain") {
				t.Errorf("told: %+v", f)
			}
			return
		}
	}
	t.Errorf("no fault is told: %+v", findings)
}

// TestDoctorTakesGroupsOfTheReplica: the replica is set by the program, which doctor does not see.
func TestDoctorTakesGroupsOfTheReplica(t *testing.T) {
	commandtest.Healthy(t)
	for _, groups := range []string{"replica", "both"} {
		t.Setenv("CODEGRANT_GROUPS", groups)
		findings, _ := examine(t)
		for _, f := range findings {
			if f.Check == "settings" && f.Level == fault {
				t.Errorf("%s: %+v", groups, f)
			}
		}
	}
}
