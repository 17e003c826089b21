package testenv

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// GoProgram returns the path of a program that the go command builds from a module, named
// as PATH@VERSION. It stays in the user's cache folder, so that only the first test on a
// machine waits for it. A test that cannot have it is skipped by name, or fails where
// CODEGRANT_TEST_REQUIRE is set.
func GoProgram(t testing.TB, pinned string) string {
	t.Helper()
	path, version, ok := strings.Cut(pinned, "@v")
	if !ok || version == "" {
		t.Fatalf("%s names no version: pin it", pinned)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	sum := sha256.Sum256([]byte(pinned))
	folder := filepath.Join(cache, "codegrant-test", "go-"+hex.EncodeToString(sum[:8]))
	program := filepath.Join(folder, filepath.Base(path))
	defer lockFolder(t, folder)()
	if _, err := os.Stat(program); err == nil {
		return program
	}
	install := exec.CommandContext(t.Context(), "go", "install", pinned)
	install.Dir = os.TempDir()
	install.Env = append(os.Environ(), "GOBIN="+folder, "GOWORK=off", "GOFLAGS=", "CGO_ENABLED=0")
	if output, err := install.CombinedOutput(); err != nil {
		missing(t, pinned, "let the go command reach a module proxy: "+strings.TrimSpace(string(output)))
	}
	return program
}
