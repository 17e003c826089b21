package codegrant

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/session"
)

func goodPool() cognito.Pool {
	return cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "c1"}
}

func TestConfigDefaults(t *testing.T) {
	a, err := New(Config{Pool: goodPool(), BaseURL: "https://App.Example.com:443/"})
	if err != nil {
		t.Fatal(err)
	}
	if a.gate.BaseURL != "https://app.example.com" || a.gate.callbackURL() != "https://app.example.com/auth/callback" || a.gate.cookie.Name != "__Host-codegrant" || !a.gate.cookie.Secure ||
		a.gate.SignOutURLs[0] != "https://app.example.com/" || a.gate.IdleTimeout != 12*time.Hour || a.gate.AbsoluteTimeout != 7*24*time.Hour {
		t.Errorf("defaults: %+v", a.gate.settings)
	}
	local, err := New(Config{Pool: goodPool()})
	if err != nil {
		t.Fatal(err)
	}
	if local.gate.BaseURL != "http://localhost:8080" || local.gate.cookie.Name != "codegrant-8080" || local.gate.cookie.Secure {
		t.Errorf("on localhost: %s, cookie %+v", local.gate.BaseURL, local.gate.cookie)
	}
	registered, err := New(Config{Pool: goodPool(), CallbackURL: "https://api.example.com/auth/login/"})
	if err != nil || registered.gate.BaseURL != "https://api.example.com" || registered.gate.callbackURL() != "https://api.example.com/auth/login/" {
		t.Errorf("from the callback URL: %v", err)
	}
}

// sharedStore says that other processes use it too.
type sharedStore struct{ session.Store }

func (sharedStore) Shared() bool { return true }

func TestConfigFaultsAreReportedTogether(t *testing.T) {
	_, err := New(Config{
		Pool: cognito.Pool{ID: "x"}, BaseURL: "http://app.example.com", CallbackURL: "https://other.example.com/cb", DefaultReturnURL: "//evil.example",
		ErrorURL: "javascript:alert(1)", AllowedReturnOrigins: []string{"https://ok.example", "http://evil.example"}, TrustedOrigins: []string{"x"},
		Scopes: []string{"email"}, IdleTimeout: time.Second, AbsoluteTimeout: time.Millisecond, RefreshLeeway: 2 * time.Hour,
		Authenticators: []Authenticator{nil}, CookieName: "__Host-x", InsecureCookieDomain: "example.com",
	})
	if err == nil {
		t.Fatal("no fault was found")
	}
	for _, field := range []string{"pool:", "BaseURL", "CallbackURL", "AllowedReturnOrigins", "Scopes", "IdleTimeout", "AbsoluteTimeout", "RefreshLeeway", "Authenticators", "CookieName"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("the error does not name %s: %v", field, err)
		}
	}
}

func TestS053_S137_InsecureConfigurations(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		fault  string
	}{
		{"plain http beyond localhost", func(c *Config) { c.BaseURL = "http://app.example.com" }, "https"},
		{"a path in the base URL", func(c *Config) { c.BaseURL = "https://app.example.com/app" }, "origin"},
		{"a user in the base URL", func(c *Config) { c.BaseURL = "https://x@app.example.com" }, "origin"},
		{"__Host- with a domain", func(c *Config) { c.CookieName, c.InsecureCookieDomain = "__Host-x", "example.com" }, "__Host-"},
		{"a domain that is not ours", func(c *Config) { c.InsecureCookieDomain = "other.com" }, "does not hold"},
		{"a domain by suffix of letters", func(c *Config) { c.InsecureCookieDomain = "ample.com" }, "does not hold"},
		{"a public suffix", func(c *Config) { c.InsecureCookieDomain = "com" }, "public suffix"},
		{"a shared store without keys", func(c *Config) { c.Sessions = sharedStore{session.NewMemoryStore(session.MemoryConfig{})} }, "Keys"},
		{"a trusted origin with a path", func(c *Config) { c.TrustedOrigins = []string{"https://www.example.com/x"} }, "TrustedOrigins"},
		{"http for a return origin", func(c *Config) { c.AllowedReturnOrigins = []string{"http://www.example.com"} }, "AllowedReturnOrigins"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Config{Pool: goodPool(), BaseURL: "https://app.example.com"}
			tt.change(&c)
			if _, err := New(c); err == nil || !strings.Contains(err.Error(), tt.fault) {
				t.Errorf("New() = %v, want a fault that names %s", err, tt.fault)
			}
		})
	}
}

func TestConfigFromEnv(t *testing.T) {
	three := map[string]string{
		"AUTH_COGNITO_CLIENT_ID":      "c1",
		"AUTH_COGNITO_CODE_GRANT_URL": "https://acme.auth.eu-west-1.amazoncognito.com/oauth2/token",
		"AUTH_COGNITO_JWKS_URL":       "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E/.well-known/jwks.json",
	}
	key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdefghijklmnopqrstuv"))
	secretFile := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secretFile, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(t.TempDir(), "keys")
	if err := errors.Join(os.Mkdir(keys, 0o700), os.WriteFile(filepath.Join(keys, "1"), []byte(key+"\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		more  map[string]string
		check func(Config) bool
		fault string
	}{
		{"three settings", nil, func(c Config) bool {
			return c.Pool.Issuer == "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E" && c.Pool.ClientID == "c1" && c.Pool.ClientSecret == ""
		}, ""},
		{"settings of the package", map[string]string{
			"AUTH_COGNITO_REDIRECT_URL": "https://www.example.com/home", "SITE_LOGIN_URL": "https://api.example.com/auth/login/", "LOGIN_FORM_VIEW_URL": "https://www.example.com/sign-in",
		}, func(c Config) bool {
			return c.CallbackURL == "https://api.example.com/auth/login/" && c.ErrorURL == "https://www.example.com/sign-in" && len(c.AllowedReturnOrigins) == 1
		}, ""},
		{"secret from a file", map[string]string{"CODEGRANT_CLIENT_SECRET_FILE": secretFile}, func(c Config) bool { return secretsOf(c) == "s3cret" }, ""},
		{"two secrets", map[string]string{"CODEGRANT_CLIENT_SECRET": "a", "CODEGRANT_SECOND_CLIENT_SECRET": "b"}, func(c Config) bool { return c.Pool.ClientSecret == "a" && c.Pool.SecondSecret == "b" }, ""},
		{"the second secret alone", map[string]string{"CODEGRANT_SECOND_CLIENT_SECRET": "b"}, nil, "CODEGRANT_SECOND_CLIENT_SECRET"},
		{"secret in Secrets Manager", map[string]string{"CODEGRANT_CLIENT_SECRET_ARN": "arn:aws:x"}, func(c Config) bool { return c.Pool.ClientSecretARN == "arn:aws:x" }, ""},
		{"secret in a file and in Secrets Manager", map[string]string{"CODEGRANT_CLIENT_SECRET_ARN": "arn:aws:x", "CODEGRANT_CLIENT_SECRET_FILE": secretFile}, nil, "set only one of"},
		{"our own", map[string]string{"CODEGRANT_KEYS": key, "CODEGRANT_SCOPES": "openid phone", "CODEGRANT_IDLE_TIMEOUT": "2h", "CODEGRANT_SIGN_OUT_URLS": "https://a.example/, https://b.example/"},
			func(c Config) bool {
				return c.Keys != nil && len(c.Scopes) == 2 && c.IdleTimeout == 2*time.Hour && len(c.SignOutURLs) == 2
			}, ""},
		{"keys of a directory", map[string]string{"CODEGRANT_KEYS_DIR": keys}, func(c Config) bool { return c.Keys != nil }, ""},
		{"no client", map[string]string{"AUTH_COGNITO_CLIENT_ID": ""}, nil, "AUTH_COGNITO_CLIENT_ID"},
		{"not a token URL", map[string]string{"AUTH_COGNITO_CODE_GRANT_URL": "https://x.example/login"}, nil, "AUTH_COGNITO_CODE_GRANT_URL"},
		{"secret twice", map[string]string{"CODEGRANT_CLIENT_SECRET_FILE": secretFile, "CODEGRANT_CLIENT_SECRET": "x"}, nil, "set only one of"},
		{"a file that is not there", map[string]string{"CODEGRANT_CLIENT_SECRET_FILE": secretFile + "x"}, nil, "CODEGRANT_CLIENT_SECRET_FILE"},
		{"a key that is none", map[string]string{"CODEGRANT_KEYS": "hunter2hunter2!"}, nil, "base64"},
		{"a short key", map[string]string{"CODEGRANT_KEYS": "aHVudGVyMg=="}, nil, "CODEGRANT_KEYS"},
		{"a directory of no keys", map[string]string{"CODEGRANT_KEYS_DIR": filepath.Dir(keys)}, nil, "CODEGRANT_KEYS_DIR"},
		{"keys and a directory", map[string]string{"CODEGRANT_KEYS_DIR": keys, "CODEGRANT_KEYS": key}, nil, "not both"},
		{"not a duration", map[string]string{"CODEGRANT_IDLE_TIMEOUT": "soon"}, nil, "CODEGRANT_IDLE_TIMEOUT"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := configFrom(func(name string) (string, bool) {
				if value, ok := tt.more[name]; ok {
					return value, true
				}
				value, ok := three[name]
				return value, ok
			})
			if tt.fault != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fault) {
					t.Errorf("configFrom() = %v, want a fault that names %s", err, tt.fault)
				}
				for _, secret := range []string{"hunter2", "aHVudGVyMg", "s3cret"} {
					if err != nil && strings.Contains(err.Error(), secret) {
						t.Errorf("the error tells a secret: %v", err)
					}
				}
				return
			}
			if err != nil || !tt.check(c) {
				t.Errorf("configFrom() = %+v, %v", c, err)
				return
			}
			if c.Pool.ClientSecretARN != "" {
				c.Pool.Secrets = arnSource{} // what the application adds
			}
			if _, err := New(c); err != nil {
				t.Errorf("New() = %v", err)
			}
		})
	}
}

// TestEveryVariableIsDocumented: what is read from the environment is in the table of
// the library's guide.
func TestEveryVariableIsDocumented(t *testing.T) {
	guide, err := os.ReadFile("docs/library.md")
	if err != nil {
		t.Fatal(err)
	}
	asked := make(map[string]bool)
	_, _ = configFrom(func(name string) (string, bool) {
		asked[name] = true
		if name == "SHARED_TOKENS" || name == "CLOUDFRONT_SIGNED_COOKIES" {
			return "true", true
		}
		return "", false
	})
	for name := range asked {
		if whole, ok := strings.CutSuffix(name, "_FILE"); ok {
			name = whole + "`, or `…_FILE"
		}
		if !strings.Contains(string(guide), "`"+name+"`") {
			t.Errorf("docs/library.md does not have `%s`", name)
		}
	}
	if len(asked) < 20 {
		t.Errorf("%d variables were asked for", len(asked))
	}
}

// secretsOf are the secrets of a source, as it returns them.
func secretsOf(c Config) string {
	if c.Pool.Secrets == nil {
		return ""
	}
	secrets, err := c.Pool.Secrets.Secrets(context.Background(), false)
	if err != nil {
		return err.Error()
	}
	return strings.Join(secrets, " ")
}

type arnSource struct{}

func (arnSource) Secrets(context.Context, bool) ([]string, error) { return []string{"a"}, nil }
