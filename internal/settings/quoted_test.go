package settings

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// hidden is a secret, written in many ways that are wrong.
const hidden = "hunter2zz"

var written = []string{
	`*S`, `&S`, `&a S`, `!S x`, `!!int S`, `${S`, `${S x}`, `${A:-S`, `"S`, `'S`, `"S" S`, `"\S"`, `S: x`, `S: S`, `a: S`, `S:S: S`,
	`[S`, `[S]`, `[S, S]`, `[[S]]`, `{S`, `{S}`, `{S: S}`, `{a: S}`, `{a, S}`, `@S`, "`S", `%S`, `>S`, `|S`, `>S${A}`, `|S${A}`, `a${S}b`, "\tS", "S\tS: S", `- S`, `? S`, `S, S`, `a,S`, `a,S: b`, `a},S`, `a],S`,
	`S #S`, `: S`, `, S`, `] S`, `} S`, "S\n  S", "\n   S: S\n  S", "|\n S", `"a` + "\n" + `S"`, "S\x01", "\"S\\u0007\"", `~S: ~`, `=S`, `<<: S`, `"": S`, `-S`, `9S`, `"a" S: S`,
}

// TestS827_FaultsQuoteNoSecret: however a secret is written, and wherever a file may have one,
// faults say where it is and why it is wrong, and quote nothing of it.
func TestS827_FaultsQuoteNoSecret(t *testing.T) {
	places := map[string]string{
		"keys":                 "keys: %s\n",
		"keys, in a list":      "keys: [%s, b]\n",
		"database":             "database: %s\n",
		"database url":         "database: {url: %s, migrate: true}\n",
		"redis":                "redis:\n  url: %s\n",
		"events":               "events: {listen: 127.0.0.1:1, secret: %s}\n",
		"webhooks":             "webhooks:\n  - url: https://crm.example.com/hooks\n    secret: %s\n    events: [user.created]\n",
		"mail":                 "mail: {url: %s, from: a@example.com}\n",
		"client":               "pools:\n  main:\n    client_secret: %s\n    client_id: web\n",
		"client, in braces":    "pools: {main: {client_id: web, client_secret: %s, second_client_secret: %[1]s}}\n",
		"CloudFront":           "pools:\n  main:\n    cloudfront: {key_pair_id: a, private_key: %s}\n",
		"headers, in braces":   "tracing: {endpoint: 'http://127.0.0.1:4318', headers: %s}\n",
		"headers, in a list":   "tracing: {headers: [authorization=Basic a, %s]}\n",
		"in the wrong place":   "console: {secret: %s}\n",
		"another service":      "upstream_oauth: {github: {client_id: a, client_secret: %s, scopes: [a]}}\n",
		"another, on its line": "upstream_oauth:\n  github:\n    client_id: a\n    client_secret: %s\n    scopes: [a]\n",
	}
	dir := t.TempDir()
	for name, place := range places {
		for i, w := range written {
			text := strings.ReplaceAll(w, "S", hidden)
			path := filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
			if err := os.WriteFile(path, fmt.Appendf(nil, place, text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Load(path, Options{Lookup: environment(nil), Keys: processKeys})
			if err == nil {
				continue // it is no fault here
			}
			if strings.Contains(err.Error(), hidden) || strings.Contains(fmt.Sprintf("%+v", err), hidden) {
				t.Errorf("%s: %q: %v", name, w, err)
			}
		}
	}
}
