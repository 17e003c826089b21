package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/goccy/go-yaml"

	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/session"
)

const chart = "../../deploy/helm/codegrant"

// values of somebody who uses all that the chart has.
const everything = `
image: {repository: registry.example.com/codegrant, tag: v1.2.3}
config:
  pools: [{id: eu-west-1_Ab12Cd34E, domain: acme.auth.eu-west-1.amazoncognito.com, client_id: 1h57kf5cpq17m0eml12EXAMPLE, client_secret_file: /run/secrets/codegrant/client-secret}]
  routes: [{path: /, upstream: "http://app.shop.svc:80"}]
drain: {delaySeconds: 7}
env: [{name: HTTPS_PROXY, value: "http://proxy:3128"}]
imagePullSecrets: [{name: registry}]
ingress: {enabled: true, className: nginx, hosts: [app.example.com], tls: [{secretName: app-tls, hosts: [app.example.com]}]}
networkPolicy:
  from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ingress}}}]
  metricsFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]
  egress: [{ports: [{port: 443}]}]
serviceMonitor: {enabled: true, labels: {release: prometheus}}
sync: {enabled: true, args: [--queue, "https://sqs.eu-west-1.amazonaws.com/111122223333/codegrant-events"], serviceAccountAnnotations: {eks.amazonaws.com/role-arn: "arn:aws:iam::111122223333:role/sync"}}
podLabels: {team: web}
nodeSelector: {kubernetes.io/os: linux}
`

// merge puts values over others, as Helm does.
func merge(under, over map[string]any) map[string]any {
	out := maps.Clone(under)
	for key, value := range over {
		if inner, ok := value.(map[string]any); ok {
			if below, ok := out[key].(map[string]any); ok {
				value = merge(below, inner)
			}
		}
		out[key] = value
	}
	return out
}

// render makes a chart's objects with as much of Helm as this chart uses. With
// CODEGRANT_TEST_RELEASE, TestChartByHelm compares it with Helm itself.
func render(t *testing.T, more string) map[string]map[string]any {
	t.Helper()
	var values, over map[string]any
	text, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(yaml.Unmarshal(text, &values), yaml.Unmarshal([]byte(more), &over)); err != nil {
		t.Fatal(err)
	}
	root := template.New("chart")
	root.Funcs(template.FuncMap{
		"include": func(name string, data any) (string, error) {
			var b strings.Builder
			err := root.ExecuteTemplate(&b, name, data)
			return b.String(), err
		},
		"toYaml": func(v any) (string, error) {
			b, err := yaml.Marshal(v)
			return strings.TrimSpace(string(b)), err
		},
		"nindent": func(n int, s string) string {
			pad := "\n" + strings.Repeat(" ", n)
			return pad + strings.ReplaceAll(s, "\n", pad)
		},
		"default": func(fallback, v any) any {
			if v == nil || v == "" {
				return fallback
			}
			return v
		},
		"required": func(message string, v any) (any, error) {
			if list, ok := v.([]any); v == nil || v == "" || ok && len(list) == 0 {
				return nil, errors.New(message)
			}
			return v, nil
		},
		"add": func(numbers ...any) (sum int) {
			for _, n := range numbers {
				var i int
				_, _ = fmt.Sscan(fmt.Sprint(n), &i)
				sum += i
			}
			return sum
		},
		"quote":      func(v any) string { return fmt.Sprintf("%q", fmt.Sprint(v)) },
		"trunc":      func(n int, s string) string { return s[:min(n, len(s))] },
		"trimSuffix": func(suffix, s string) string { return strings.TrimSuffix(s, suffix) },
		"replace":    func(old, new, s string) string { return strings.ReplaceAll(s, old, new) },
		"list":       func(items ...any) []any { return items },
		"concat":     func(lists ...[]any) []any { return slices.Concat(lists...) },
	})
	files, err := filepath.Glob(filepath.Join(chart, "templates", "*"))
	if err != nil || len(files) < 8 {
		t.Fatalf("found %q, %v", files, err)
	}
	if _, err := root.ParseFiles(files...); err != nil {
		t.Fatal(err)
	}
	data := map[string]any{
		"Values":  merge(values, over),
		"Release": map[string]any{"Name": "prod", "Service": "Helm"},
		"Chart":   map[string]any{"Name": "codegrant", "Version": "0.0.0", "AppVersion": "0.0.0"},
	}
	var all bytes.Buffer
	for _, file := range files {
		name := filepath.Base(file)
		if err := root.ExecuteTemplate(&all, name, data); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if strings.HasSuffix(name, ".txt") || strings.HasPrefix(name, "_") {
			all.Reset()
		}
		all.WriteString("\n---\n")
	}
	return objects(t, all.Bytes())
}

// objects are those of a text, by kind and name.
func objects(t *testing.T, text []byte) map[string]map[string]any {
	t.Helper()
	found := make(map[string]map[string]any)
	decoder := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	for {
		var object map[string]any
		err := decoder.Decode(&object)
		if errors.Is(err, io.EOF) {
			return found
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if len(object) == 0 {
			continue
		}
		key := fmt.Sprint(object["kind"], " ", at(object, "metadata", "name"))
		if found[key] != nil {
			t.Errorf("there are two of %s", key)
		}
		found[key] = object
	}
}

// at follows keys and indices.
func at(value any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := value.(map[string]any)
			value = m[step]
		case int:
			l, _ := value.([]any)
			if step >= len(l) {
				return nil
			}
			value = l[step]
		}
	}
	return value
}

// TestS721_TheChart: pods hold little and may do little, are probed and drained, their
// secrets are readable by no others, and the configuration is one that the gateway takes.
func TestS721_TheChart(t *testing.T) {
	all := render(t, everything)
	want := []string{
		"ConfigMap prod", "Deployment prod", "Deployment prod-sync", "Ingress prod", "Job prod-migrate", "NetworkPolicy prod", "PodDisruptionBudget prod",
		"Service prod", "Service prod-ops", "ServiceAccount prod-sync", "ServiceMonitor prod",
	}
	if got := slices.Sorted(maps.Keys(all)); !slices.Equal(got, want) {
		t.Fatalf("objects\n%q, want\n%q", got, want)
	}
	for _, name := range []string{"Deployment prod", "Deployment prod-sync", "Job prod-migrate"} {
		pod := at(all[name], "spec", "template", "spec")
		container := at(pod, "containers", 0)
		for _, tt := range []struct {
			got  any
			want string
		}{
			{at(pod, "securityContext", "runAsNonRoot"), "true"},
			{at(pod, "securityContext", "fsGroup"), "65532"},
			{at(pod, "securityContext", "seccompProfile", "type"), "RuntimeDefault"},
			{at(container, "securityContext", "allowPrivilegeEscalation"), "false"},
			{at(container, "securityContext", "readOnlyRootFilesystem"), "true"},
			{at(container, "securityContext", "capabilities", "drop"), "[ALL]"},
			{at(container, "image"), "registry.example.com/codegrant:v1.2.3"},
			{at(container, "resources", "limits", "memory") != nil, "true"},
		} {
			if fmt.Sprint(tt.got) != tt.want {
				t.Errorf("%s: %v, want %s", name, tt.got, tt.want)
			}
		}
		if name == "Job prod-migrate" {
			continue
		}
		// The gateway warns of secrets that everybody may read.
		if mode, _ := at(pod, "volumes", 1, "secret", "defaultMode").(uint64); mode == 0 || mode&0o007 != 0 || mode&0o040 == 0 {
			t.Errorf("%s: secrets have mode %o", name, mode)
		}
	}
	gateway := at(all["Deployment prod"], "spec", "template", "spec")
	for probe, path := range map[string]string{"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"} {
		if got := at(gateway, "containers", 0, probe, "httpGet", "path"); got != path {
			t.Errorf("%s asks %v", probe, got)
		}
	}
	sync := at(all["Deployment prod-sync"], "spec", "template", "spec", "containers", 0)
	for probe, path := range map[string]string{"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"} {
		if got := at(sync, probe, "httpGet", "path"); got != path || !strings.Contains(fmt.Sprint(at(sync, "args")), "--ops-listen :9090") {
			t.Errorf("%s of sync asks %v", probe, got)
		}
	}
	if args := fmt.Sprint(at(gateway, "containers", 0, "args")); !strings.Contains(args, "--drain-delay 7s --drain-timeout 30s") {
		t.Errorf("it is started with %s", args)
	}
	if grace := fmt.Sprint(at(gateway, "terminationGracePeriodSeconds")); grace != "72" {
		t.Errorf("it is given %s s", grace)
	}
	policy := all["NetworkPolicy prod"]
	if from, ports := at(policy, "spec", "ingress", 1, "from"), fmt.Sprint(at(policy, "spec", "ingress", 1, "ports")); from == nil || ports != "[map[port:ops]]" {
		t.Errorf("operations are for %v at %s", from, ports)
	}
	if dns := fmt.Sprint(at(policy, "spec", "egress", 0, "ports", 0, "port")); dns != "53" || fmt.Sprint(at(policy, "spec", "policyTypes")) != "[Ingress Egress]" {
		t.Errorf("egress: %v", at(policy, "spec"))
	}
	job := all["Job prod-migrate"]
	if hook := at(job, "metadata", "annotations", "helm.sh/hook"); hook != "pre-install,pre-upgrade" || fmt.Sprint(at(job, "spec", "template", "spec", "containers", 0, "args")) != "[migrate]" {
		t.Errorf("migration: %v %v", hook, at(job, "spec"))
	}

	// With little said, operations are for nobody but the node.
	few := render(t, "image: {repository: r}")
	if rules, _ := at(few["NetworkPolicy prod"], "spec", "ingress").([]any); len(rules) != 1 || fmt.Sprint(at(few["NetworkPolicy prod"], "spec", "policyTypes")) != "[Ingress]" {
		t.Errorf("with little said: %v", at(few["NetworkPolicy prod"], "spec"))
	}
	if few["Deployment prod-sync"] != nil || few["ServiceMonitor prod"] != nil {
		t.Error("what nobody asked for is there")
	}

	// The configuration.
	dir := t.TempDir()
	config := strings.ReplaceAll(at(all["ConfigMap prod"], "data", "codegrant.yaml").(string), "/run/secrets/codegrant", dir)
	for name, content := range map[string]string{
		"codegrant.yaml": config, "client-secret": "s3cret", "keys": "hxXwLHjJ2Xl4yjKb1o0pQ0b3Kc9yq6C3i8nV5tZr7sE=", "redis-url": "rediss://r", "database-url": "postgres://d/x",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o440); err != nil {
			t.Fatal(err)
		}
	}
	s, err := settings.Load(filepath.Join(dir, "codegrant.yaml"), settings.Options{Keys: session.RandomKeyring()})
	if err != nil || len(s.Warnings) > 0 {
		t.Errorf("the configuration: %v, %v\n%s", err, s, config)
	}
	for port, name := range map[string]string{s.Listen: "http", s.OpsListen: "ops"} {
		if !strings.Contains(fmt.Sprint(at(gateway, "containers", 0, "ports")), "containerPort"+port+" name:"+name) {
			t.Errorf("%s is on %s, and the pod says %v", name, port, at(gateway, "containers", 0, "ports"))
		}
	}
}

// TestS762_MetricsAreForPrometheus: a ServiceMonitor alone lets the pods of Prometheus come to
// operations, and nobody else; who is named in metricsFrom comes in their place.
func TestS762_MetricsAreForPrometheus(t *testing.T) {
	const monitored = "image: {repository: r}\nserviceMonitor: {enabled: true}\n"
	for _, tt := range []struct{ values, from string }{
		{monitored, "[map[namespaceSelector:map[] podSelector:map[matchLabels:map[app.kubernetes.io/name:prometheus]]]]"},
		{monitored + "networkPolicy: {metricsFrom: [{podSelector: {}}]}\n", "[map[podSelector:map[]]]"},
	} {
		all := render(t, tt.values)
		rules, _ := at(all["NetworkPolicy prod"], "spec", "ingress").([]any)
		if all["ServiceMonitor prod"] == nil || len(rules) != 2 || fmt.Sprint(at(rules[1], "ports")) != "[map[port:ops]]" || fmt.Sprint(at(rules[1], "from")) != tt.from {
			t.Errorf("%s: %v", tt.values, rules)
		}
		if fmt.Sprint(at(rules[0], "ports")) != "[map[port:http]]" {
			t.Errorf("%s: in front: %v", tt.values, rules)
		}
	}
	if os.Getenv("CODEGRANT_TEST_RELEASE") == "" {
		return
	}
	made, err := exec.CommandContext(t.Context(), tool(t, "helm.sh/helm/v4/cmd/helm@v4.3.2"), "template", "prod", chart, "--set", "image.repository=r,serviceMonitor.enabled=true").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(objects(t, made)["NetworkPolicy prod"]), fmt.Sprint(render(t, monitored)["NetworkPolicy prod"]); got != want {
		t.Errorf("by Helm\n%s, and here\n%s", got, want)
	}
}

// TestChartByHelm: Helm finds no fault, makes of the chart what the other test looks at, and
// Kubernetes would take it. Building Helm takes minutes.
func TestChartByHelm(t *testing.T) {
	if os.Getenv("CODEGRANT_TEST_RELEASE") == "" {
		return
	}
	helm, kubeconform := tool(t, "helm.sh/helm/v4/cmd/helm@v4.3.2"), tool(t, "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0")
	values := filepath.Join(t.TempDir(), "values.yaml")
	if err := os.WriteFile(values, []byte(everything), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), helm, "lint", "--strict", chart, "-f", values).CombinedOutput(); err != nil {
		t.Errorf("helm lint: %v\n%s", err, out)
	}
	made, err := exec.CommandContext(t.Context(), helm, "template", "prod", chart, "-f", values).Output()
	if err != nil {
		t.Fatal(err)
	}
	byHelm, byUs := objects(t, made), render(t, everything)
	for name := range byUs {
		if got, want := fmt.Sprint(byHelm[name]), fmt.Sprint(byUs[name]); got != want {
			t.Errorf("%s is by Helm\n%s, and here\n%s", name, got, want)
		}
	}
	if len(byHelm) != len(byUs) {
		t.Errorf("Helm makes %d objects, and the test %d", len(byHelm), len(byUs))
	}
	for _, wrong := range []string{"replica=1", "replicas=0", "image.digest=latest"} {
		if out, err := exec.CommandContext(t.Context(), helm, "template", "prod", chart, "-f", values, "--set", wrong).CombinedOutput(); err == nil {
			t.Errorf("--set %s is taken: %.100s", wrong, out)
		}
	}
	if out, err := exec.CommandContext(t.Context(), helm, "template", "prod", chart).CombinedOutput(); err == nil || !strings.Contains(string(out), "image.repository is missing") {
		t.Errorf("without an image: %v %s", err, out)
	}

	conform := exec.CommandContext(t.Context(), kubeconform, "-strict", "-summary", "-skip", "ServiceMonitor", "-schema-location", kubernetesSchemas(t)+"/{{.ResourceKind}}-{{.Group}}-{{.ResourceAPIVersion}}.json", "-")
	conform.Stdin = bytes.NewReader(made)
	if out, err := conform.CombinedOutput(); err != nil {
		t.Errorf("kubeconform: %v\n%s", err, out)
	} else {
		t.Logf("%s", out)
	}
}
