package deploy

import (
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// tool builds a program of another module, once for this machine, and returns its path.
func tool(t *testing.T, at string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	pkg, version, _ := strings.Cut(at, "@")
	dir := filepath.Join(cache, "codegrant-tests", "tools", path.Base(pkg)+"-"+version)
	program := filepath.Join(dir, path.Base(pkg))
	if _, err := os.Stat(program); err == nil {
		return program
	}
	install := exec.CommandContext(t.Context(), "go", "install", "-ldflags=-s", at)
	install.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("go install %s: %v\n%s", at, err, out)
	}
	return program
}

const kubernetes = "k8s.io/kubernetes@v1.37.2"

// kubernetesSchemas writes what Kubernetes takes as JSON Schemas, from the description of its
// API that its own module has, and returns their folder.
func kubernetesSchemas(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", kubernetes).Output()
	var module struct{ Dir, Error string }
	if err2 := json.Unmarshal(out, &module); err != nil || err2 != nil {
		t.Fatalf("go mod download %s: %v %s", kubernetes, err, module.Error)
	}
	text, err := os.ReadFile(filepath.Join(module.Dir, "api", "openapi-spec", "swagger.json"))
	if err != nil {
		t.Fatal(err)
	}
	var api struct {
		Definitions map[string]map[string]any
	}
	if err := json.Unmarshal(text, &api); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, definition := range api.Definitions {
		if definition["format"] == "int-or-string" {
			delete(definition, "type")
			definition["type"] = []string{"integer", "string"}
		}
		if _, open := definition["additionalProperties"]; !open && definition["properties"] != nil {
			definition["additionalProperties"] = false
		}
	}
	wanted := []string{"Deployment", "Job", "Service", "ServiceAccount", "ConfigMap", "PodDisruptionBudget", "NetworkPolicy", "Ingress"}
	written := 0
	for name, definition := range api.Definitions {
		kinds, _ := definition["x-kubernetes-group-version-kind"].([]any)
		if len(kinds) != 1 {
			continue
		}
		group, version, kind := at(kinds[0], "group").(string), at(kinds[0], "version").(string), at(kinds[0], "kind").(string)
		for _, w := range wanted {
			if w != kind || version != "v1" {
				continue
			}
			if group == "" {
				group = version // as kubeconform names that of the core
			}
			schema, err := json.Marshal(map[string]any{"$schema": "http://json-schema.org/draft-07/schema#", "$ref": "#/definitions/" + name, "definitions": api.Definitions})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, strings.ToLower(kind)+"-"+group+"-"+version+".json"), schema, 0o600); err != nil {
				t.Fatal(err)
			}
			written++
		}
	}
	if written < len(wanted) {
		t.Fatalf("%d of %d kinds are described", written, len(wanted))
	}
	return dir
}
