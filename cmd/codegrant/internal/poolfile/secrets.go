package poolfile

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// providerSecrets are those of identity providers, by the providers' names.
type providerSecrets map[string]string

// secretOf is the member of its details in which a provider has a secret, or nothing.
func secretOf(provider settings) string {
	switch provider["ProviderType"] {
	case "SAML":
		return ""
	case "SignInWithApple":
		return "private_key"
	}
	return "client_secret"
}

// secretVariable is the environment variable of a provider's secret.
func secretVariable(provider string) string {
	return "CODEGRANT_PROVIDER_SECRET_" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r - 'a' + 'A'
		}
		if r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, provider)
}

// secretsFor finds the secrets of providers that a pool lacks: in a file of names and
// secrets, and in the environment. missing are those that are in neither. No error has a
// secret in it.
func secretsFor(path string, have, want *File) (found providerSecrets, missing []string, err error) {
	found = make(providerSecrets)
	if path != "" {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, nil, err
		}
		if err := yaml.Unmarshal(content, &found); err != nil {
			return nil, nil, fmt.Errorf("%s: write providers and their secrets, such as Google: secret", path)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want.Providers)) {
		if have.Providers[name] != nil || secretOf(want.Providers[name]) == "" {
			continue
		}
		if value := os.Getenv(secretVariable(name)); value != "" && found[name] == "" {
			found[name] = value
		}
		if found[name] == "" {
			missing = append(missing, name)
		}
	}
	return found, missing, nil
}
