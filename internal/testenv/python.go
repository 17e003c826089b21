package testenv

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Python returns the bin folder of a virtual environment that holds the named packages
// of the Python package index, each pinned as NAME==VERSION. Environments stay in the
// user's cache folder, one for each list, so that only the first test on a machine
// waits for the index. A test whose packages cannot be had is skipped by name, or
// fails where CODEGRANT_TEST_REQUIRE is set.
func Python(t testing.TB, packages ...string) string {
	t.Helper()
	packages = slices.Sorted(slices.Values(packages))
	for _, name := range packages {
		if !strings.Contains(name, "==") {
			t.Fatalf("%s names no version: pin it", name)
		}
	}
	what := strings.Join(packages, " ")
	python, err := exec.LookPath("python3")
	if err != nil {
		missing(t, "Python", "install python3 and python3-venv")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	sum := sha256.Sum256([]byte(python + "\n" + what))
	folder := filepath.Join(cache, "codegrant-test", "python-"+hex.EncodeToString(sum[:8]))
	done := filepath.Join(folder, "complete")
	defer lockFolder(t, folder)()
	if _, err := os.Stat(done); err == nil {
		return filepath.Join(folder, "bin")
	}

	install := [][]string{
		{python, "-m", "venv", "--clear", folder},
		append([]string{filepath.Join(folder, "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", "--no-input"}, packages...),
	}
	for _, command := range install {
		if output, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
			missing(t, what, "let pip install it: "+strings.TrimSpace(string(output)))
		}
	}
	if err := os.WriteFile(done, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(folder, "bin")
}

// lockFolder keeps other test processes away from a folder of the cache until the
// returned function is called.
func lockFolder(t testing.TB, folder string) (unlock func()) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(folder), 0o700); err != nil {
		t.Fatal(err)
	}
	held, err := os.OpenFile(folder+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := lock(held, true); err != nil {
		t.Fatal(err)
	}
	return func() { _ = held.Close() }
}
