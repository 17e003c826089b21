package settings

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the schema to docs")

const docs = "../../docs/"

// TestSchema keeps the schema that editors load in step with the file.
func TestSchema(t *testing.T) {
	path := docs + "codegrant.schema.json"
	if *update {
		if err := os.WriteFile(path, Schema(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, Schema()) {
		t.Errorf("%s is not what the settings are: run go test ./internal/settings -run TestSchema -update", path)
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Error(err)
	}
}

// each calls f with every key of the file and its field.
func each(t reflect.Type, key string, f func(string, reflect.StructField)) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		if t.Kind() == reflect.Slice {
			key += "[]"
		}
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return
	}
	for i := range t.NumField() {
		field := t.Field(i)
		full := join(key, field.Tag.Get("yaml"))
		f(full, field)
		each(field.Type, full, f)
	}
}

// TestKeysAreExplained: editors have something to show, in whole sentences.
func TestKeysAreExplained(t *testing.T) {
	each(reflect.TypeFor[file](), "", func(key string, field reflect.StructField) {
		if help := field.Tag.Get("help"); !strings.HasSuffix(help, ".") {
			t.Errorf("%s: help %q", key, help)
		}
		if !regexp.MustCompile(`^[a-z_0-9]+$`).MatchString(field.Tag.Get("yaml")) {
			t.Errorf("%s: no key for %s", key, field.Name)
		}
	})
}

// examples are the YAML texts of the documentation that are whole configurations.
func examples(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(docs + "gateway.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, found := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if strings.Contains(found[1], "\npools:") || strings.HasPrefix(found[1], "pools:") {
			all = append(all, found[1])
		}
	}
	return all
}

// TestDocumentation loads the examples of docs/gateway.md. The longest one has every
// key that there is, if only in a comment.
func TestDocumentation(t *testing.T) {
	all := examples(t)
	if len(all) < 2 {
		t.Fatalf("found %d examples", len(all))
	}
	longest := ""
	for _, text := range all {
		path := write(t, text, map[string]string{
			"secrets/customers": "s3cret\n", "secrets/database": "postgres://codegrant@db.internal/app\n", "secrets/keys/2026-01": newKey(t), "site/index.html": "<!doctype html>",
		})
		if _, err := Load(path, Options{Lookup: environment(map[string]string{
			"COGNITO_CLIENT_ID": "1h57kf5cpq17m0eml12EXAMPLE", "CODEGRANT_KEY": newKey(t),
		}), Keys: processKeys}); err != nil {
			t.Errorf("an example of the documentation: %v", err)
		}
		if len(text) > len(longest) {
			longest = text
		}
	}
	plain := regexp.MustCompile(`(?m)^(\s*)# ?`).ReplaceAllString(longest, "$1")
	each(reflect.TypeFor[file](), "", func(key string, field reflect.StructField) {
		if name := field.Tag.Get("yaml"); !regexp.MustCompile(`(?m)(^|[\s{,])` + name + `:`).MatchString(plain) {
			t.Errorf("the example lacks %s", key)
		}
	})
}

// TestShippedConfigurations loads those of the examples and of deploy/.
func TestShippedConfigurations(t *testing.T) {
	values := environment(map[string]string{
		"BASE_URL": "https://app.example.com", "CODEGRANT_KEYS": newKey(t), "POSTGRES_PASSWORD": "s3cret", "COGNITO_REGION_POOL": "eu-west-1_Ab12Cd34E",
		"COGNITO_DOMAIN": "acme.auth.eu-west-1.amazoncognito.com", "COGNITO_CLIENT_ID": "1h57kf5cpq17m0eml12EXAMPLE", "COGNITO_CLIENT_SECRET": "s3cret",
	})
	placeholders := map[string]string{"<client id>": "1h57kf5cpq17m0eml12EXAMPLE", "<app>.<namespace>.svc": "app.shop.svc"}
	for _, name := range []string{"examples/gateway/codegrant.yaml", "examples/gateway/haproxy/codegrant.yaml", "deploy/compose/codegrant.yaml", "deploy/kubernetes/codegrant.yaml", "README.md"} {
		text, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Error(err)
			continue
		}
		config := string(text)
		if _, block, ok := strings.Cut(config, "# codegrant.yaml\n"); ok && strings.HasSuffix(name, ".md") {
			config, _, _ = strings.Cut(block, "```")
		}
		if _, block, ok := strings.Cut(config, "  codegrant.yaml: |\n"); ok {
			block, _, _ = strings.Cut(block, "\n---")
			config = strings.ReplaceAll("\n"+block, "\n    ", "\n")
			for placeholder, value := range placeholders {
				config = strings.ReplaceAll(config, placeholder, value)
			}
			config = regexp.MustCompile(`<([^>]*)>`).ReplaceAllString(config, "$1")
			config = strings.ReplaceAll(config, "/run/secrets/codegrant/", "secrets/")
		}
		path := write(t, config, map[string]string{
			"secrets/keys": newKey(t), "secrets/redis-url": "rediss://redis.internal", "secrets/database-url": "postgres://db.internal/app", "secrets/client-secret": "s3cret",
		})
		if _, err := Load(path, Options{Lookup: values, Keys: processKeys}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
