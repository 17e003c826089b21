package deploy

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestImageOfBothArchitectures: the index of an image has one for each architecture, and each
// unpacks to the program of that architecture, certificates and nothing else; all that it names
// has the digest and the size that it says. The programs are small ones: TestRelease has ours.
func TestImageOfBothArchitectures(t *testing.T) {
	if os.Getenv("CODEGRANT_TEST_RELEASE") == "" {
		return
	}
	folder := t.TempDir()
	source := filepath.Join(folder, "main.go")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() { println(\"here\") }\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	machines := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}
	args := []string{"-C", "../../internal/tools", "run", "./image", "-out", filepath.Join(folder, "image"), "-version", "v1.2.3", "-date", "1767225600"}
	programs := make(map[string][]byte)
	for architecture := range machines {
		program := filepath.Join(folder, architecture)
		build := exec.CommandContext(t.Context(), "go", "build", "-o", program, source)
		build.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+architecture, "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		text, err := os.ReadFile(program)
		if err != nil {
			t.Fatal(err)
		}
		programs[architecture] = text
		args = append(args, "linux/"+architecture+"="+program)
	}
	if out, err := exec.CommandContext(t.Context(), "go", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	layout := filepath.Join(folder, "image")
	type descriptor struct {
		Digest   string
		Size     int
		Platform struct{ OS, Architecture string }
	}
	blob := func(d descriptor, into any) string {
		t.Helper()
		name := filepath.Join(layout, "blobs", "sha256", strings.TrimPrefix(d.Digest, "sha256:"))
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha256.Sum256(text); "sha256:"+hex.EncodeToString(sum[:]) != d.Digest || len(text) != d.Size {
			t.Errorf("%s is not what it is called, or has %d bytes", d.Digest, len(text))
		}
		if into != nil {
			if err := json.Unmarshal(text, into); err != nil {
				t.Fatal(err)
			}
		}
		return name
	}
	text, err := os.ReadFile(filepath.Join(layout, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index struct{ Manifests []descriptor }
	if err := json.Unmarshal(text, &index); err != nil || len(index.Manifests) != len(machines) {
		t.Fatalf("%v: %s", err, text)
	}
	for _, d := range index.Manifests {
		architecture := d.Platform.Architecture
		if _, ok := machines[architecture]; !ok || d.Platform.OS != "linux" {
			t.Errorf("an image for %+v, or two of them", d.Platform)
			continue
		}
		var manifest struct {
			Config descriptor
			Layers []descriptor
		}
		blob(d, &manifest)
		var config struct {
			OS, Architecture string
			Config           struct {
				User       string
				Entrypoint []string
			}
		}
		blob(manifest.Config, &config)
		if config.OS != "linux" || config.Architecture != architecture || config.Config.User != "65532:65532" || len(config.Config.Entrypoint) != 1 || len(manifest.Layers) != 1 {
			t.Fatalf("%s: %+v with %d layers", architecture, config, len(manifest.Layers))
		}
		root := t.TempDir()
		unpack(t, blob(manifest.Layers[0], nil), root)
		program := filepath.Join(root, config.Config.Entrypoint[0])
		if got, err := os.ReadFile(program); err != nil || !bytes.Equal(got, programs[architecture]) {
			t.Errorf("%s: another program, %v", architecture, err)
		}
		file, err := elf.Open(program)
		if err != nil {
			t.Fatal(err)
		}
		if file.Machine != machines[architecture] {
			t.Errorf("%s: a program for %s", architecture, file.Machine)
		}
		_ = file.Close()
		if roots, err := os.ReadFile(filepath.Join(root, "etc/ssl/certs/ca-certificates.crt")); err != nil || strings.Count(string(roots), "BEGIN CERTIFICATE") < 50 {
			t.Errorf("%s: %d certificates, %v", architecture, strings.Count(string(roots), "BEGIN CERTIFICATE"), err)
		}
		delete(machines, architecture)
	}
}
