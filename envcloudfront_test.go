package codegrant_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/codegrant/codegrant"
)

// TestCloudFrontResourceOfThePackage: the values that the Python package and its fork take.
func TestCloudFrontResourceOfThePackage(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	for _, tt := range []struct{ resource, domain, site, want string }{
		{"*", ".example.com", "https://api.example.com", "https://assets-v2.example.com/*"},
		{"*", "", "https://api.example.com", "https://assets-v2.example.com/*"},
		{"*", "", "https://api.eu.example.co.uk", "https://assets-v2.example.co.uk/*"},
		{"private/*", "example.com", "", "https://assets-v2.example.com/private/*"},
		{"/private/*", "example.com", "", "https://assets-v2.example.com/private/*"},
		{"assets.example.com/private/*", "", "https://api.example.com", "https://assets.example.com/private/*"},
		{"https://assets.example.com/private/*", "", "https://api.example.com", "https://assets.example.com/private/*"},
		{"*.jpg", "example.com", "", "https://assets-v2.example.com/*.jpg"},
		{"v1.0/*", ".Example.com", "", "https://assets-v2.example.com/v1.0/*"},
		{"private.pdf", "", "https://api.example.com", "https://assets-v2.example.com/private.pdf"},
		{"release-2.1/files/*", "", "https://api.example.com", "https://assets-v2.example.com/release-2.1/files/*"},
		{"files.example.test/private/*", ".example.test", "https://api.example.test", "https://files.example.test/private/*"},
		{"Assets.example.com/private/*", "", "https://api.example.com", "https://assets.example.com/private/*"},
		{"*", "", "", "CLOUDFRONT_SIGNED_COOKIES_RESOURCE=https://assets-v2.example.com/*"},
	} {
		for name, value := range map[string]string{
			"AUTH_COGNITO_CLIENT_ID": "client", "AUTH_COGNITO_CODE_GRANT_URL": "https://acme.auth.eu-west-1.amazoncognito.com/oauth2/token",
			"AUTH_COGNITO_JWKS_URL": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E/.well-known/jwks.json", "CODEGRANT_BASE_URL": tt.site,
			"CLOUDFRONT_SIGNED_COOKIES": "True", "CLOUDFRONT_SIGNED_COOKIES_KEY_PAIR_ID": "K2JCJMDEHXQW5F", "CLOUDFRONT_SIGNED_COOKIES_PRIVATE_KEY": string(text),
			"CLOUDFRONT_SIGNED_COOKIES_RESOURCE": tt.resource, "CLOUDFRONT_SIGNED_COOKIES_DOMAIN": tt.domain,
		} {
			t.Setenv(name, value)
		}
		config, err := codegrant.ConfigFromEnv()
		if err != nil {
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q: %v, want %s", tt.resource, err, tt.want)
			}
			continue
		}
		if got := config.CloudFront.Resources[0].URL; got != tt.want {
			t.Errorf("%q, domain %q, site %q: %s, want %s", tt.resource, tt.domain, tt.site, got, tt.want)
		}
		if tt.site != "" {
			if _, err := codegrant.New(config); err != nil {
				t.Errorf("%q: New: %v", tt.resource, err)
			}
		}
	}
}
