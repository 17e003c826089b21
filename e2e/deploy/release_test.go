package deploy

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/internal/testenv"
)

// release makes one for this machine.
func release(t *testing.T, version string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "dist")
	command := exec.CommandContext(t.Context(), "../../scripts/release.sh", version, out)
	command.Env = append(os.Environ(), "CODEGRANT_RELEASE_TRIAL=1", "PLATFORMS=linux/"+runtime.GOARCH,
		"NFPM="+tool(t, "github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2"), "CYCLONEDX="+tool(t, "github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0"))
	if text, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

// one finds the file of a folder whose name has such an end.
func one(t *testing.T, folder, end string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(folder, "*"+end))
	if err != nil || len(found) != 1 {
		t.Fatalf("%q of %s: %v", found, end, err)
	}
	return found[0]
}

// TestRelease makes releases and installs them. It takes minutes, and needs root for its
// changed roots.
func TestRelease(t *testing.T) {
	if os.Getenv("CODEGRANT_TEST_RELEASE") == "" || runtime.GOOS != "linux" || os.Getuid() != 0 {
		return
	}
	first, next := release(t, "v1.0.0"), release(t, "v1.1.0")

	t.Run("the same twice", func(t *testing.T) {
		again := release(t, "v1.0.0")
		a, err := os.ReadFile(filepath.Join(first, "SHA256SUMS"))
		b, err2 := os.ReadFile(filepath.Join(again, "SHA256SUMS"))
		if err := errors.Join(err, err2); err != nil || string(a) != string(b) {
			t.Errorf("%v\n%s\n%s", err, a, b)
		}
	})
	t.Run("checksums", func(t *testing.T) {
		check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "SHA256SUMS")
		check.Dir = first
		if out, err := check.CombinedOutput(); err != nil || strings.Count(string(out), ": OK\n") != 6 {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("bill of materials", func(t *testing.T) {
		text, err := os.ReadFile(one(t, first, ".cdx.json"))
		if err != nil {
			t.Fatal(err)
		}
		var bill struct {
			Metadata struct {
				Component struct{ Name, Version string }
			}
			Components []struct{ Name string }
		}
		if err := json.Unmarshal(text, &bill); err != nil || bill.Metadata.Component.Version != "v1.0.0" || !strings.Contains(string(text), "github.com/alecthomas/kong") {
			t.Errorf("%v %v", err, bill)
		}
	})
	t.Run("deb", func(t *testing.T) {
		packages{
			first: one(t, first, ".deb"), next: one(t, next, ".deb"),
			install: func(root, file string) *exec.Cmd {
				return exec.CommandContext(t.Context(), testenv.Program(t, "dpkg"), "--root="+root, "--force-depends", "--force-confold", "--install", file)
			},
			remove: func(root string) *exec.Cmd {
				return exec.CommandContext(t.Context(), testenv.Program(t, "dpkg"), "--root="+root, "--purge", "codegrant")
			},
			purged: true,
		}.test(t)
	})
	t.Run("rpm", func(t *testing.T) {
		packages{
			first: one(t, first, ".rpm"), next: one(t, next, ".rpm"),
			install: func(root, file string) *exec.Cmd {
				return exec.CommandContext(t.Context(), testenv.Program(t, "rpm"), "--root="+root, "--nodeps", "--upgrade", file)
			},
			remove: func(root string) *exec.Cmd {
				return exec.CommandContext(t.Context(), testenv.Program(t, "rpm"), "--root="+root, "--erase", "codegrant")
			},
		}.test(t)
	})
	t.Run("image", func(t *testing.T) { testImage(t, one(t, first, "_image.tar.gz")) })
	t.Run("chart", func(t *testing.T) {
		out, err := exec.CommandContext(t.Context(), tool(t, "helm.sh/helm/v4/cmd/helm@v4.3.2"), "show", "chart", one(t, first, ".tgz")).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "\nversion: 1.0.0") || !strings.Contains(string(out), "appVersion: v1.0.0") {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// packages are two versions in one form.
type packages struct {
	first, next string
	install     func(root, file string) *exec.Cmd
	remove      func(root string) *exec.Cmd
	purged      bool // removing takes the configuration, too
}

// test installs the first, changes its configuration, installs the next, and removes it.
func (p packages) test(t *testing.T) {
	root := smallSystem(t)
	run := func(command *exec.Cmd) {
		t.Helper()
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	inside := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), "chroot", append([]string{root, name}, args...)...).CombinedOutput()
		if err != nil {
			t.Errorf("%s %q: %v %s", name, args, err, out)
		}
		return string(out)
	}
	run(p.install(root, p.first))
	if said := inside("/usr/bin/codegrant", "--version"); said != "codegrant v1.0.0\n" {
		t.Errorf("--version: %s", said)
	}
	users, err := os.ReadFile(filepath.Join(root, "etc", "passwd"))
	user := regexp.MustCompile(`(?m)^codegrant:[^:]*:(\d+):(\d+):`).FindStringSubmatch(string(users))
	if err != nil || user == nil || user[1] == "0" {
		t.Fatalf("there is no user: %v\n%s", err, users)
	}
	if got := inside("/bin/stat", "-c", "%n %a %u:%g", "/etc/codegrant", "/etc/codegrant/secrets", "/etc/codegrant/codegrant.yaml"); got !=
		"/etc/codegrant 750 0:"+user[2]+"\n/etc/codegrant/secrets 750 0:"+user[2]+"\n/etc/codegrant/codegrant.yaml 640 0:"+user[2]+"\n" {
		t.Errorf("the configuration is of\n%s", got)
	}
	for _, name := range []string{"usr/lib/systemd/system/codegrant.service", "usr/lib/systemd/system/codegrant-sync.service", "usr/share/man/man1/codegrant-serve.1.gz", "usr/share/bash-completion/completions/codegrant"} {
		if _, err := os.Stat(filepath.Join(root, name)); err != nil {
			t.Error(err)
		}
	}

	config, secret := filepath.Join(root, "etc/codegrant/codegrant.yaml"), filepath.Join(root, "etc/codegrant/secrets/keys")
	for _, name := range []string{config, secret} {
		if err := os.WriteFile(name, []byte("mine\n"), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	run(p.install(root, p.next))
	for _, name := range []string{config, secret} {
		if text, err := os.ReadFile(name); err != nil || string(text) != "mine\n" {
			t.Errorf("after an upgrade %s is %q, %v", name, text, err)
		}
	}
	run(p.remove(root))
	for name, stays := range map[string]bool{"usr/bin/codegrant": false, "usr/lib/systemd/system/codegrant.service": false, "etc/codegrant/secrets/keys": !p.purged} {
		if _, err := os.Stat(filepath.Join(root, name)); (err == nil) != stays {
			t.Errorf("after removal, %s: %v", name, err)
		}
	}
}

// smallSystem is a root with what packages' scripts run: a shell and a few programs of this
// machine, with their libraries.
func smallSystem(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"etc", "tmp", "var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/rpm", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "dev"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+link, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	files := []string{}
	for _, name := range []string{"sh", "chgrp", "stat", "rm", "getent", "systemd-sysusers"} {
		path := testenv.Program(t, name)
		libraries, err := exec.CommandContext(t.Context(), "ldd", path).Output()
		if err != nil {
			t.Fatalf("ldd %s: %v", path, err)
		}
		files = append(append(files, path), regexp.MustCompile(`/\S+`).FindAllString(string(libraries), -1)...)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, content, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range map[string]string{"etc/passwd": "root:x:0:0::/root:/bin/sh\n", "etc/group": "root:x:0:\n", "var/lib/dpkg/status": "", "dev/null": ""} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// testImage unpacks an image, and runs what is in it.
func testImage(t *testing.T, archive string) {
	layout, root := t.TempDir(), t.TempDir()
	unpack(t, archive, layout)
	type descriptor struct {
		MediaType, Digest string
		Platform          struct{ OS, Architecture string }
	}
	read := func(into any, path ...string) {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(append([]string{layout}, path...)...))
		if err == nil {
			err = json.Unmarshal(text, into)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	blob := func(d descriptor) string { return strings.TrimPrefix(d.Digest, "sha256:") }
	var index struct{ Manifests []descriptor }
	read(&index, "index.json")
	if len(index.Manifests) != 1 || index.Manifests[0].Platform.Architecture != runtime.GOARCH || index.Manifests[0].Platform.OS != "linux" {
		t.Fatalf("the index: %+v", index)
	}
	var manifest struct {
		Config descriptor
		Layers []descriptor
	}
	read(&manifest, "blobs", "sha256", blob(index.Manifests[0]))
	var config struct {
		Config struct {
			User            string
			Entrypoint, Cmd []string
		}
	}
	read(&config, "blobs", "sha256", blob(manifest.Config))
	if config.Config.User != "65532:65532" || len(config.Config.Entrypoint) != 1 || len(manifest.Layers) != 1 {
		t.Fatalf("the image: %+v %+v", config, manifest)
	}
	unpack(t, filepath.Join(layout, "blobs", "sha256", blob(manifest.Layers[0])), root)
	if roots, err := os.ReadFile(filepath.Join(root, "etc/ssl/certs/ca-certificates.crt")); err != nil || strings.Count(string(roots), "BEGIN CERTIFICATE") < 50 {
		t.Errorf("certificates: %d, %v", strings.Count(string(roots), "BEGIN CERTIFICATE"), err)
	}
	run := exec.CommandContext(t.Context(), "chroot", append([]string{"--userspec=" + config.Config.User, root, config.Config.Entrypoint[0]}, config.Config.Cmd...)...)
	// There is no configuration, and it says so.
	if out, err := run.CombinedOutput(); err == nil || !strings.Contains(string(out), "/etc/codegrant/codegrant.yaml") {
		t.Errorf("the image's own command: %v %s", err, out)
	}
	if out, err := exec.CommandContext(t.Context(), "chroot", "--userspec="+config.Config.User, root, config.Config.Entrypoint[0], "--version").CombinedOutput(); err != nil || string(out) != "codegrant v1.0.0\n" {
		t.Errorf("--version: %v %s", err, out)
	}
}

func unpack(t *testing.T, archive, to string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(to, filepath.Clean("/"+h.Name))
		if h.Typeflag == tar.TypeDir {
			err = os.MkdirAll(path, 0o755)
		} else {
			var content []byte
			if content, err = io.ReadAll(r); err == nil {
				err = os.WriteFile(path, content, os.FileMode(h.Mode)&0o777)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
