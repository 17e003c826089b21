package poolfile

import (
	"bytes"
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

// missingSecret is one that a provider needs, and what to do about it.
type missingSecret struct{ provider, remedy string }

// secretsFor finds the secrets of providers that a pool lacks: in a file of names and
// secrets, and in the environment. missing are those that are in neither. No error has a
// secret in it.
func secretsFor(path string, have, want *File) (found providerSecrets, missing []missingSecret, err error) {
	if found, err = secretFile(path); err != nil {
		return nil, nil, err
	}
	var lacking []string
	sharing := make(map[string]int)
	for _, name := range slices.Sorted(maps.Keys(want.Providers)) {
		if have.Providers[name] == nil && secretOf(want.Providers[name]) != "" {
			lacking = append(lacking, name)
			sharing[secretVariable(name)]++
		}
	}
	for _, name := range lacking {
		if value, ok := found[name]; ok && (value != "" || mayLackSecret(want.Providers[name])) {
			continue
		}
		variable := secretVariable(name)
		value := os.Getenv(variable)
		switch {
		case sharing[variable] > 1: // nobody knows whose it is
			missing = append(missing, missingSecret{name, "add it to the file of --secrets, because " + variable + " is that of another provider, too"})
		case value != "":
			found[name] = value
		case mayLackSecret(want.Providers[name]):
			missing = append(missing, missingSecret{name, "set " + variable + `, or add it to the file of --secrets ("" if it has no secret)`})
		default:
			missing = append(missing, missingSecret{name, "set " + variable + ", or add it to the file of --secrets"})
		}
	}
	return found, missing, nil
}

// mayLackSecret reports whether a provider can be without a secret.
func mayLackSecret(provider settings) bool { return provider["ProviderType"] == "OIDC" }

// secretFile reads a file of providers and their secrets. A secret that YAML takes as
// something else, such as the number 007, would become another: it has to be in quotes.
func secretFile(path string) (providerSecrets, error) {
	found := make(providerSecrets)
	if path == "" {
		return found, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all yaml.MapSlice
	if err := yaml.Unmarshal(content, &all); err != nil {
		return nil, fmt.Errorf("%s: write providers and their secrets, such as Google: secret", path)
	}
	for _, one := range all {
		name, ok := one.Key.(string)
		if !ok {
			return nil, fmt.Errorf("%s: write names of providers in quotes that are numbers or other values of YAML", path)
		}
		if one.Value == nil && bytes.ContainsAny(content, "{,") { // a comma may have cut a secret in two
			return nil, fmt.Errorf("%s: a name has no secret: write each secret in quotes", path)
		}
		if found[name], ok = one.Value.(string); !ok {
			return nil, fmt.Errorf("%s: %s: write the secret in quotes", path, name)
		}
	}
	return found, nil
}
