package verify

import (
	"strings"
	"testing"
	"time"
)

func TestConfigFaultsAreReportedTogether(t *testing.T) {
	_, err := New(Config{
		ClientIDs: []string{"a", ""}, Resources: []string{""}, JWKSURL: "http://pool.example/keys",
		MaxKeyAge: time.Second, RefetchInterval: -1, Leeway: time.Hour,
	})
	if err == nil {
		t.Fatal("New() = nil")
	}
	for _, field := range []string{"Issuer", "ClientIDs", "Resources", "JWKSURL", "MaxKeyAge", "RefetchInterval", "Leeway"} {
		if strings.Count(err.Error(), field) != 1 {
			t.Errorf("New() = %v, want %s named once", err, field)
		}
	}
}

func TestConfig(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		want   string // in the error; empty: none
	}{
		{"the least", func(*Config) {}, ""},
		{"no issuer", func(c *Config) { c.Issuer = "" }, "set Issuer"},
		{"no clients", func(c *Config) { c.ClientIDs = nil }, "ClientIDs"},
		{"keys of one's own", func(c *Config) { c.Keys = staticKeys{} }, ""},
		{"keys and their URL", func(c *Config) { c.Keys, c.JWKSURL = staticKeys{}, "https://a.example" }, "Keys or JWKSURL"},
		{"an issuer that is not a URL, with keys", func(c *Config) { c.Keys, c.Issuer = staticKeys{}, "us" }, ""},
		{"an issuer that is not a URL", func(c *Config) { c.Issuer = "us" }, "JWKSURL"},
		{"the longest leeway", func(c *Config) { c.Leeway = 5 * time.Minute }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Config{Issuer: testIssuer, ClientIDs: []string{testClient}}
			tt.change(&c)
			v, err := New(c)
			switch {
			case tt.want == "" && (err != nil || v == nil):
				t.Errorf("New() = %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("New() = %v, want %s", err, tt.want)
			}
		})
	}
}

func TestS019_KeysComeByHTTPS(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://pool.example/keys":       true,
		"http://127.0.0.1:9229/p/keys":    true,
		"http://127.8.8.8/keys":           true,
		"http://[::1]:9229/keys":          true,
		"http://localhost:9229/keys":      true,
		"http://pool.localhost/keys":      true,
		"http://pool.example/keys":        false,
		"http://localhost.evil.example/":  false,
		"http://evil.example/?localhost":  false,
		"http://127.0.0.1.evil.example/":  false,
		"http://10.0.0.1/keys":            false,
		"http://169.254.169.254/latest":   false,
		"http://0.0.0.0/keys":             false,
		"https://user:pass@pool.example/": false,
		"http://evil@127.0.0.1/":          false,
		"https://pool.example/keys#part":  false,
		"HTTPS://pool.example/keys":       true,
		"https:pool.example":              false,
		"https:///keys":                   false,
		"//pool.example/keys":             false,
		"/keys":                           false,
		"file:///etc/passwd":              false,
		"ftp://pool.example/keys":         false,
		"https://pool.example/\x7f":       false,
		"":                                false,
	} {
		if err := checkURL(url); (err == nil) != ok {
			t.Errorf("checkURL(%q) = %v", url, err)
		}
	}
}

// TestConfigIsCopied: what the caller does with its slices later changes nothing.
func TestConfigIsCopied(t *testing.T) {
	clients := []string{testClient}
	v := testVerifier(t, func(c *Config) { c.ClientIDs = clients })
	clients[0] = "another"
	if _, err := verifyAs(t, v, idClaims()); err != nil {
		t.Errorf("IDToken() = %v", err)
	}
}
