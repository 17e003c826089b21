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

// Java returns the program, and a folder of the libraries that a pom.xml names with
// their versions. Maven fetches them into the user's cache folder, so that only the
// first test on a machine waits for it. A test that cannot have them is skipped by name,
// or fails where CODEGRANT_TEST_REQUIRE is set.
func Java(t testing.TB, pom string) (java, libraries string) {
	t.Helper()
	java, mvn := Program(t, "java"), Program(t, "mvn")
	text, err := os.ReadFile(pom)
	if err != nil {
		t.Fatal(err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		cache = os.TempDir()
	}
	sum := sha256.Sum256(text)
	folder := filepath.Join(cache, "codegrant-test", "java-"+hex.EncodeToString(sum[:8]))
	done := filepath.Join(folder, "complete")
	defer lockFolder(t, folder)()
	if _, err := os.Stat(done); err == nil {
		return java, folder
	}
	command := exec.CommandContext(t.Context(), mvn, "-q", "-B", "-f", pom, "dependency:copy-dependencies", "-DoutputDirectory="+folder)
	if output, err := command.CombinedOutput(); err != nil {
		missing(t, "what "+pom+" names", "let Maven fetch it: "+strings.TrimSpace(string(output)))
	}
	if err := os.WriteFile(done, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return java, folder
}
