package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/internal/testenv"
)

// maintainer has a small repository with the release script, and a key to sign with.
type maintainer struct {
	t    *testing.T
	dir  string
	home string
}

func newMaintainer(t *testing.T) *maintainer {
	t.Helper()
	testenv.Program(t, "git")
	m := &maintainer{t, t.TempDir(), t.TempDir()}
	key := filepath.Join(m.home, "key")
	if out, err := exec.CommandContext(t.Context(), testenv.Program(t, "ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"release.sh", "lib.sh"} {
		text, err := os.ReadFile("../../scripts/" + name)
		if err != nil {
			t.Fatal(err)
		}
		m.write("scripts/"+name, string(text), 0o755)
	}
	m.write("go.mod", "module example.com/small\n", 0o644)
	m.write("CHANGELOG.md", "# Changelog\n\n## Unreleased\n\n## v0.3.0 - 2026-12-01\n\n### Added\n\n- One thing.\n", 0o644)
	m.write(".gitignore", "dist\n", 0o644)
	m.git("init", "-q", "-b", "main")
	for name, value := range map[string]string{"user.name": "M", "user.email": "m@example.com", "gpg.format": "ssh", "user.signingkey": key} {
		m.git("config", name, value)
	}
	m.commit("changelog: v0.3.0")
	return m
}

func (m *maintainer) write(name, text string, mode os.FileMode) {
	m.t.Helper()
	file := filepath.Join(m.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		m.t.Fatal(err)
	}
}

// run runs a program in the repository, without the settings of this machine.
func (m *maintainer) run(name string, args ...string) (string, error) {
	c := exec.CommandContext(m.t.Context(), name, args...)
	c.Dir, c.Env = m.dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + m.home, "GIT_CONFIG_NOSYSTEM=1"}
	out, err := c.CombinedOutput()
	return string(out), err
}

func (m *maintainer) git(args ...string) string {
	m.t.Helper()
	out, err := m.run("git", args...)
	if err != nil {
		m.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(out)
}

func (m *maintainer) commit(message string) {
	m.t.Helper()
	m.git("add", "-A")
	m.git("commit", "-q", "-m", message)
}

// release runs the script, and compares whether it succeeds, and what it says.
func (m *maintainer) release(well bool, want string, args ...string) {
	m.t.Helper()
	out, err := m.run("scripts/release.sh", args...)
	if (err == nil) != well || !strings.Contains(out, want) {
		m.t.Errorf("release.sh %q: %v, want success %t and %q:\n%s", args, err, well, want, out)
	}
}

// TestReleaseTag: the release script makes a signed tag of a clean main whose changelog has the
// version, and builds only from such a tag. A dry run does neither.
func TestReleaseTag(t *testing.T) {
	m := newMaintainer(t)
	const usage = "usage: scripts/release.sh"
	for _, args := range [][]string{{}, {"0.3.0"}, {"v0.3"}, {"v0.03.0"}, {"--nonsense", "v0.3.0"}, {"--tag", "v0.3.0", "dist"}, {"v0.3.0", "dist", "more"}} {
		m.release(false, usage, args...)
	}

	// What keeps a tag from being made.
	m.release(false, "CHANGELOG.md has no heading: ## v0.4.0 - ", "--tag", "v0.4.0")
	m.release(false, "ends with /v2", "--tag", "v2.0.0")
	m.write("new.txt", "new\n", 0o644)
	m.release(false, "changes that are not committed", "--tag", "v0.3.0")
	m.release(false, "changes that are not committed", "--dry-run", "--tag", "v0.3.0")
	m.git("checkout", "-q", "-b", "other")
	m.commit("new")
	m.release(false, "not the newest of the branch main", "--tag", "v0.3.0")
	m.git("checkout", "-q", "main")
	changelog, err := os.ReadFile(filepath.Join(m.dir, "CHANGELOG.md"))
	if err != nil {
		t.Fatal(err)
	}
	m.write("CHANGELOG.md", strings.Replace(string(changelog), "## Unreleased\n", "## Unreleased\n\n### Fixed\n\n- A fault.\n", 1), 0o644)
	m.commit("fix")
	m.release(false, "has changes under Unreleased", "--tag", "v0.3.0")
	m.git("reset", "-q", "--hard", "HEAD~1")

	m.release(true, "would run: git tag -s v0.3.0", "--dry-run", "--tag", "v0.3.0")
	if tags := m.git("tag"); tags != "" {
		t.Errorf("after refusals and a dry run there are tags: %q", tags)
	}

	// What keeps a release from being built.
	m.release(false, "this commit has no tag v0.3.0", "v0.3.0")
	for _, kind := range [][]string{{"tag", "v0.3.0"}, {"tag", "-a", "v0.3.0", "-m", "v0.3.0"}, {"tag", "-a", "v0.3.0", "-m", "v0.3.0\n\n-----BEGIN PGP SIGNATURE-----"}} {
		m.git(kind...)
		m.release(false, "the tag v0.3.0 has no signature", "--dry-run", "v0.3.0")
		m.release(false, "there is a tag v0.3.0 already", "--tag", "v0.3.0")
		m.git("tag", "-d", "v0.3.0")
	}

	m.release(true, "git push origin main v0.3.0", "--tag", "v0.3.0")
	key, err := os.ReadFile(filepath.Join(m.home, "key.pub"))
	if err != nil {
		t.Fatal(err)
	}
	signers := filepath.Join(m.home, "signers")
	if err := os.WriteFile(signers, []byte("m@example.com "+string(key)), 0o600); err != nil {
		t.Fatal(err)
	}
	m.git("-c", "gpg.ssh.allowedSignersFile="+signers, "verify-tag", "v0.3.0")
	m.release(false, "there is a tag v0.3.0 already", "--tag", "v0.3.0")
	m.release(true, "would build v0.3.0", "--dry-run", "v0.3.0")
	m.release(false, "this commit has no tag v0.3.1", "--dry-run", "v0.3.1")
	m.git("update-ref", "refs/tags/v9.9.9", "refs/tags/v0.3.0")
	m.release(false, "the tag v9.9.9 was signed as another one", "--dry-run", "v9.9.9")
	m.git("tag", "-d", "v9.9.9")

	// What git hides, and the go command compiles.
	m.write("small/more.go", "package small\n", 0o644)
	m.git("config", "status.showUntrackedFiles", "no")
	m.release(false, "changes that are not committed", "--dry-run", "v0.3.0")
	m.write(".git/info/exclude", "more.go\n", 0o644)
	m.release(false, "that git ignores and the go command does not: small/more.go", "--dry-run", "v0.3.0")
	m.write(".git/info/exclude", "small\nscripts\n", 0o644)
	m.release(true, "would build v0.3.0", "--dry-run", "v0.3.0") // nothing that is committed is in that folder
	m.write("scripts/more.go", "package scripts\n", 0o644)
	m.release(false, "that git ignores and the go command does not: scripts/more.go", "--dry-run", "v0.3.0")
	for _, file := range []string{"small/more.go", "scripts/more.go"} {
		if err := os.Remove(filepath.Join(m.dir, file)); err != nil {
			t.Fatal(err)
		}
	}
	m.release(true, "would build v0.3.0", "--dry-run", "v0.3.0")

	m.write("new.txt", "new\n", 0o644)
	m.release(false, "changes that are not committed", "--dry-run", "v0.3.0")
	m.commit("new")
	m.release(false, "this commit has no tag v0.3.0", "--dry-run", "v0.3.0")
	if _, err := os.Stat(filepath.Join(m.dir, "dist")); err == nil {
		t.Error("a dry run built something")
	}

	// Without a key there is no tag.
	m.write("CHANGELOG.md", strings.Replace(string(changelog), "v0.3.0", "v0.4.0", 1), 0o644)
	m.commit("changelog: v0.4.0")
	m.git("config", "user.signingkey", filepath.Join(m.home, "missing"))
	m.release(false, "", "--tag", "v0.4.0") // some versions of git make a tag without a signature
	if tags := m.git("tag"); tags != "v0.3.0" {
		t.Errorf("tags: %q", tags)
	}
}
