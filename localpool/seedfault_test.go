package localpool_test

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/localpool"
)

// TestS827_SeedsQuoteNoSecret: however a secret is written in a seed that is wrong, the error
// has no part of it. It has the line, and the key.
func TestS827_SeedsQuoteNoSecret(t *testing.T) {
	const hidden = "hunter2zz"
	places := map[string]string{
		"password":              "pools:\n  - id: local_Shop1\n    users:\n      - username: u\n        password: %s\n        disabled: 7\n",
		"password, in braces":   "pools: [{id: local_Shop1, users: [{username: u, password: %s, disabled: x}]}]\n",
		"secret":                "pools:\n  - id: local_Shop1\n    clients:\n      - id: web\n        secret: %s\n        rotation_grace: x\n",
		"secrets, in braces":    "pools: [{id: local_Shop1, clients: [{id: web, secret: %s, second_secret: %[1]s, nosuch: 1}]}]\n",
		"password of all":       "pools: [{id: local_Shop1, password: %s, users: [{username: u, status: x}]}]\n",
		"authenticator":         "pools: [{id: local_Shop1, users: [{username: u, password: Passw0rd!, authenticator: %s}]}]\n",
		"sender":                "sender_key: %s\npools: []\n",
		"events":                "events: [{url: x, secret: %s}]\npools: []\n",
		"address of events":     "events: [{url: 'ftp://u:%s@127.0.0.1/'}]\npools: []\n",
		"trigger":               "pools: [{id: local_Shop1, triggers: {pre_sign_up: {url: 'ftp://u:%s@127.0.0.1/'}}}]\n",
		"function":              "functions: {a: 'ftp://u:%s@127.0.0.1/'}\npools: []\n",
		"function, in braces":   "functions: {a: 'http://127.0.0.1:1/', b: http://u:ab%s@127.0.0.1/}\npools: []\n",
		"provider":              "pools:\n  - id: local_Shop1\n    configuration:\n      identity_providers:\n        Corp: {ProviderType: OIDC, ProviderDetails: {client_id: c, client_secret: %s}}\n",
		"number in its place":   "pools: [{id: local_Shop1, clients: [{id: web, rotation_grace: %s}]}]\n",
		"number, in its place":  "pools: [{id: local_Shop1, password_length: %s}]\n",
		"number is too large":   "pools: [{id: local_Shop1, password: p, groups: [{name: a, precedence: 99999999999999999999}]}] # %s\n",
		"group in its place":    "pools:\n  - id: local_Shop1\n    groups: %s\n",
		"attribute's own value": "pools: [{id: local_Shop1, users: [{username: u, attributes: {name: [%s]}}]}]\n",
	}
	for name, place := range places {
		for _, w := range []string{
			`S`, `*S`, `&S`, `!S x`, `!!int S`, `"S`, `'S`, `"S" S`, `"\S"`, `S: x`, `S: S`, `S:S: S`, `[S`, `[S]`, `[[S]]`, `{S`, `{S}`, `{S: S}`, `{a: S}`, `@S`, "`S", `%S`, `>S`, `|S`, "\tS",
			`- S`, `? S`, `S, S`, `a,S`, `,S`, `a,S: b`, `a},S`, `a],S`, `: S`, `, S`, `] S`, "S\n  S", "\n   S: S\n  S", "|\n S", "\"a\nS\"", "S\x01", `<<: S`, `"": S`, `"a" S: S`,
		} {
			seed, err := localpool.ParseSeed(fmt.Appendf(nil, place, strings.ReplaceAll(w, "S", hidden)))
			if err == nil {
				var s *localpool.Server
				if s, err = localpool.New(localpool.Config{Seed: seed, Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}); err == nil {
					_ = s.Close()
					continue
				}
			}
			if strings.Contains(err.Error(), hidden) {
				t.Errorf("%s: %q: %v", name, w, err)
			}
		}
	}
	for text, want := range map[string]string{
		"pools:\n  - id: local_Shop1\n    users:\n      - username: u\n        password: [hunter2zz]\n":        "[5:19] password: ",
		"pools: [{id: local_Shop1,\n users: [{username: u, password: [hunter2zz]}]}]\n":                        "[2:34] password: ",
		"pools:\n  - id: local_Shop1\n    users:\n      - username: u\n        pasword: hunter2zz\n":           `[5:9] there is no key "pasword"`,
		"pools:\n  - id: local_Shop1\n    password_length: 99999999999999999999999\n    password: hunter2zz\n": "[3:22] password_length: ",
	} {
		if _, err := localpool.ParseSeed([]byte(text)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), hidden) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}
