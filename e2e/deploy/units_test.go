package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/codegrant/codegrant/internal/testenv"
)

// TestUnits: systemd takes every line of the units, from the version of Debian 12 on, and
// both services are one user.
func TestUnits(t *testing.T) {
	analyze := testenv.Program(t, "systemd-analyze")
	paths, err := filepath.Glob("../../deploy/systemd/*.*")
	if err != nil || len(paths) != 4 {
		t.Fatalf("found %q, %v", paths, err)
	}
	dir := t.TempDir()
	args := []string{"verify", "--man=no", "--recursive-errors=no"}
	settings := make(map[string][]string) // Key=value of the services, by key
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(path) == ".sysusers" {
			if !strings.Contains(string(text), "\nu codegrant ") {
				t.Errorf("%s makes no user: %s", path, text)
			}
			continue
		}
		if filepath.Ext(path) == ".service" {
			for _, found := range regexp.MustCompile(`(?m)^(\w+)=(.*)$`).FindAllStringSubmatch(string(text), -1) {
				settings[found[1]] = append(settings[found[1]], found[2])
			}
		}
		// The program is not installed here.
		copied := filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(copied, []byte(strings.ReplaceAll(string(text), "/usr/bin/codegrant ", "/bin/true ")), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append(args, copied)
	}
	out, err := exec.CommandContext(t.Context(), analyze, args...).CombinedOutput()
	if err != nil || strings.Contains(string(out), "codegrant") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	if !slices.Equal(settings["User"], []string{"codegrant", "codegrant"}) || settings["DynamicUser"] != nil {
		t.Errorf("the services run as %q", settings["User"])
	}
	// Systemd 252 would take these for simple services, or hand over secrets that do not change.
	if slices.Contains(settings["Type"], "notify-reload") || settings["LoadCredential"] != nil {
		t.Errorf("Type=%q LoadCredential=%q", settings["Type"], settings["LoadCredential"])
	}
	for _, key := range []string{"NoNewPrivileges", "ProtectSystem", "RestrictSUIDSGID", "CapabilityBoundingSet", "SystemCallFilter"} {
		if len(settings[key]) != 2 {
			t.Errorf("%s is in %d of the services", key, len(settings[key]))
		}
	}
}

// TestCompose: the gateway is asked how it is, ends in its own time, and knows the proxy in
// front of it as the network shows it.
func TestCompose(t *testing.T) {
	var compose struct {
		Services map[string]struct {
			Command         []string
			StopGracePeriod string `yaml:"stop_grace_period"`
			Healthcheck     struct{ Test []string }
			Ports           []string
		}
		Networks map[string]struct {
			IPAM struct {
				Config []struct{ Gateway string }
			}
		}
	}
	var config struct {
		OpsListen      string   `yaml:"ops_listen"`
		TrustedProxies []string `yaml:"trusted_proxies"`
	}
	for path, into := range map[string]any{"../../deploy/compose/compose.yaml": &compose, "../../deploy/compose/codegrant.yaml": &config} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, into); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	gateway := compose.Services["gateway"]
	if len(gateway.Healthcheck.Test) < 3 || gateway.Healthcheck.Test[2] != "health" || config.OpsListen == "" {
		t.Errorf("the health check is %q, of %q", gateway.Healthcheck.Test, config.OpsListen)
	}
	if gateway.StopGracePeriod != "75s" || !slices.Contains(gateway.Command, "--drain-delay") || compose.Services["sync"].StopGracePeriod == "" {
		t.Errorf("it is given %s, with %q", gateway.StopGracePeriod, gateway.Command)
	}
	outside := compose.Networks["outside"].IPAM.Config
	if len(outside) != 1 || !slices.Equal(config.TrustedProxies, []string{outside[0].Gateway}) {
		t.Errorf("trusted are %q, and the proxy is seen as %v", config.TrustedProxies, outside)
	}
	for _, port := range gateway.Ports {
		if !strings.HasPrefix(port, "127.0.0.1:") {
			t.Errorf("%s can be reached past the proxy", port)
		}
	}
}
