package poolfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestS827_SecretFilesQuoteNoSecret: however a secret is written, the error about a file of
// secrets, or about the configuration of a pool that has one, has no part of it.
func TestS827_SecretFilesQuoteNoSecret(t *testing.T) {
	const hidden = "hunter2zz"
	path := filepath.Join(t.TempDir(), "secrets.yaml")
	for _, place := range []string{
		"Google: %s\n", "{Google: %s, Other: x}\n", "Other: 7\nGoogle:\n  %s\n",
		"pool: {Name: a}\nidentity_providers: {Google: {ProviderDetails: {client_secret: %s}}}\n",
		"pool: {Name: a}\nidentity_providers:\n  Google:\n    ProviderDetails:\n      client_secret: %s\n",
		"pool: {Name: a}\nclients: {web: {ClientSecret: %s}}\n",
		`{"pool": {"Name": "a"}, "clients": %s}`, "{pool: {Name: a}, clients: {}, secret: %s}\n",
	} {
		for _, w := range []string{
			`S`, `*S`, `&S`, `!S x`, `!!int S`, `"S`, `'S`, `"S" S`, `"\S"`, `[S`, `[S]`, `{S`, `{S}`, `@S`, "`S", `%S`, `>S`, `|S`, "\tS", `- S`,
			`S, S`, `a,S`, `,S`, `,S: b`, `a},S`, `a],S`, `: S`, `, S`, `] S`, "|\n S", "\"a\nS\"", "S\x01", `<<: S`, `"": S`,
		} {
			text := fmt.Appendf(nil, place, strings.ReplaceAll(w, "S", hidden))
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := secretFile(path)
			if err != nil && strings.Contains(err.Error(), hidden) {
				t.Errorf("%q, as secrets: %v", text, err)
			}
			if _, err := parse(text); err != nil && strings.Contains(err.Error(), hidden) && strings.Contains(place, "pool") {
				t.Errorf("%q, as a pool: %v", text, err)
			}
		}
	}
}
