package blocks

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/session"
)

// base is the configuration that a fragment of one is put into.
const base = `
base_url: https://app.example.com
pools:
  - {id: eu-west-1_Ab12Cd34E, domain: acme.auth.eu-west-1.amazoncognito.com, client_id: 2example3client4}
routes:
  - {path: /, upstream: "http://127.0.0.1:3000"}
`

// beside are the files that configurations name.
var beside = map[string]string{
	"secrets/customers": "s3cret\n", "secrets/database": "postgres://codegrant@db.internal/app\n", "secrets/github": "s3cret\n",
	"secrets/keys/2026-01": key, "secrets/search": webhookSecret, "secrets/crm": webhookSecret, "secrets/audit": webhookSecret, "secrets/old-client": "s3cret\n", "secrets/move": key, "secrets/smtp": "smtp://mailer:s3cret@mail.example.com:587\n", "secrets/events": "made-with-openssl-rand-hex-32-once\n", "site/index.html": "<!doctype html>",
	"looks/logo.svg": `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><path d="M0 0h1v1z"/></svg>`, "looks/pages/denied.html": "<h1>{{.Title}}</h1><p>{{.Message}}</p>{{with .Correlation}}<code>{{.}}</code>{{end}}",
	"shop.cedar": `@id("all") permit (principal, action, resource);`, "shop.cedarschema": "namespace Shop { entity User in [UserGroup]; entity UserGroup; entity Url; entity Folder; action \"get /orders\", \"post /orders\", read appliesTo { principal: [User], resource: [Url, Folder] }; }",
}

var webhookSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("a secret of thirty-two bytes, ok.")) + "\n"

var key = base64.StdEncoding.EncodeToString([]byte("a key of thirty-two bytes, no le")) + "\n"

// within says where a fragment belongs that is no top level of a file.
var within = map[string]string{
	"docs/history.md: replica:":                                        "database: sqlite:app.db\n",
	"docs/changes.md: replica:":                                        "database: sqlite:app.db\n",
	"docs/sync.md: # codegrant.yaml; flags and environment come first": "database: sqlite:app.db\nreplica: true\n",
	"docs/delegation.md: exchange_issuer: {algorithm: RS256, lifetime: 5m}   # and issuer:, below base_url": "routes:\n  - {path: /, upstream: \"http://127.0.0.1:3000\", exchange: {audience: https://orders.example.com, by: gateway}}\n",
	"docs/mcp.md: broker: true":         "routes:\n  - {path: /mcp, upstream: \"http://127.0.0.1:9000\", mcp: true}\n",
	"docs/mcp.md: broker:":              "routes:\n  - {path: /mcp, upstream: \"http://127.0.0.1:9000\", mcp: true}\n",
	"docs/mcp.md: broker: {mode: pool}": "routes:\n  - {path: /mcp, upstream: \"http://127.0.0.1:9000\", mcp: true}\n",
	"docs/account.md: account:":         "database: sqlite:app.db\nreplica: true\npools:\n  - name: customers\n    scopes: [openid, email, profile, aws.cognito.signin.user.admin]\n",
	"docs/mcp.md: mcp:":                 "routes:\n  - path: /mcp\n    upstream: http://127.0.0.1:9000\n",
}

// isSeed reports whether a block is a seed of the local pool, and no configuration.
func isSeed(text string) bool {
	return strings.Contains(text, "clients:\n") && !strings.Contains(text, "routes:") && strings.Contains(text, "pools:")
}

// TestYAML loads every configuration, and every seed of the local pool.
func TestYAML(t *testing.T) {
	n := 0
	for _, b := range read(t) {
		if b.Language != "yaml" || elsewhere[b.Key()] != "" {
			continue
		}
		n++
		if isSeed(b.Text) {
			if _, err := localpool.ParseSeed([]byte(b.Text)); err != nil {
				t.Errorf("%s:%d: %v", b.Page, b.Line, err)
			}
			continue
		}
		text := within[b.Key()] + b.Text
		if !strings.Contains(text, "base_url:") {
			var err error
			if text, err = merged(base, text); err != nil {
				t.Errorf("%s:%d: %v", b.Page, b.Line, err)
				continue
			}
		}
		if err := load(t, text); err != nil {
			t.Errorf("%s:%d: %s\n%v", b.Page, b.Line, b.Key(), err)
		}
	}
	if n < 20 {
		t.Errorf("found %d", n)
	}
}

// merged puts the keys of a fragment in place of those of a whole configuration. Of pools,
// the first one keeps what the fragment does not have.
func merged(whole, fragment string) (string, error) {
	var all, part map[string]any
	if err := errors.Join(yaml.Unmarshal([]byte(whole), &all), yaml.Unmarshal([]byte(fragment), &part)); err != nil {
		return "", err
	}
	if pools, ok := part["pools"].([]any); ok && len(pools) == 1 {
		pool := maps.Clone(all["pools"].([]any)[0].(map[string]any))
		maps.Copy(pool, pools[0].(map[string]any))
		part["pools"] = []any{pool}
	}
	maps.Copy(all, part)
	text, err := yaml.Marshal(all)
	return string(text), err
}

func load(t *testing.T, text string) error {
	t.Helper()
	dir := t.TempDir()
	for name, content := range beside {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "codegrant.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{"COGNITO_CLIENT_ID": "2example3client4", "COGNITO_CLIENT_SECRET": "s3cret"}
	_, err := settings.Load(path, settings.Options{Keys: session.RandomKeyring(), Lookup: func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}})
	return err
}

// TestJSON parses every JSON document.
func TestJSON(t *testing.T) {
	n := 0
	for _, b := range read(t) {
		if b.Language != "json" || elsewhere[b.Key()] != "" {
			continue
		}
		n++
		var v any
		if err := json.Unmarshal([]byte(b.Text), &v); err != nil {
			t.Errorf("%s:%d: %v", b.Page, b.Line, err)
		}
	}
	if n < 5 {
		t.Errorf("found %d", n)
	}
}

// TestScripts has Node.js and Python parse what is in their language.
func TestScripts(t *testing.T) {
	python := testenv.Program(t, "python3")
	node := testenv.Program(t, "node")
	dir := t.TempDir()
	for i, b := range read(t) {
		if elsewhere[b.Key()] != "" {
			continue
		}
		var check *exec.Cmd
		switch b.Language {
		case "js":
			path := filepath.Join(dir, fmt.Sprintf("%d.mjs", i))
			if err := os.WriteFile(path, []byte(b.Text), 0o600); err != nil {
				t.Fatal(err)
			}
			check = exec.CommandContext(t.Context(), node, "--check", path)
		case "python":
			check = exec.CommandContext(t.Context(), python, "-c", "import ast, sys; ast.parse(sys.stdin.read())")
			check.Stdin = strings.NewReader(b.Text)
		default:
			continue
		}
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s:%d: %v\n%s", b.Page, b.Line, err, out)
		}
	}
}

// copied are languages of blocks that have to be, letter by letter, in a file that a test
// runs.
var copied = map[string]bool{"nginx": true, "haproxy": true, "sql": true, "cedar": true, "java": true, "html": true}

// TestCopied looks for each block of a language that nothing here parses in the files of the
// repository.
func TestCopied(t *testing.T) {
	blanks := regexp.MustCompile(`\s+`)
	squeeze := func(text string) string { return blanks.ReplaceAllString(strings.TrimSpace(text), " ") }
	var files []string
	list, err := exec.CommandContext(t.Context(), "git", "-C", root, "ls-files").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.Lines(string(list)) {
		name = strings.TrimSpace(name)
		if strings.HasSuffix(name, ".md") || strings.HasSuffix(name, ".json") || strings.HasPrefix(name, "e2e/blocks/") {
			continue
		}
		if text, err := os.ReadFile(filepath.Join(root, name)); err == nil {
			files = append(files, squeeze(string(text)))
		}
	}
	for _, b := range read(t) {
		if !copied[b.Language] || elsewhere[b.Key()] != "" || ran[b.Key()] != "" {
			continue
		}
		found := false
		for _, text := range files {
			found = found || strings.Contains(text, squeeze(b.Text))
		}
		if !found {
			t.Errorf("%s:%d is in no file that a test runs, and not in the list:\n%s", b.Page, b.Line, indent(b.Text))
		}
	}
}
