package localpool_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/localpool"
)

// TestStateFile_Large: with many users, no change waits for the file, and a pool that
// is closed has lost none. CODEGRANT_TEST_POOL_USERS has it made with as many.
func TestStateFile_Large(t *testing.T) {
	n := 3000
	if set, err := strconv.Atoi(os.Getenv("CODEGRANT_TEST_POOL_USERS")); err == nil {
		n = set
	}
	seed := localpool.DefaultSeed("http://localhost:8080")
	for i := range n {
		name := fmt.Sprintf("user%06d", i)
		seed.Pools[0].Users = append(seed.Pools[0].Users, localpool.UserSeed{Username: name, Email: name + "@example.com"})
	}
	config := localpool.Config{Seed: seed, StateFile: filepath.Join(t.TempDir(), "pool.json"), Logger: slog.New(slog.DiscardHandler)}
	pool, err := localpool.New(config)
	if err != nil {
		t.Fatal(err)
	}
	began, longest := time.Now(), time.Duration(0)
	for i := range 200 {
		at := time.Now()
		if err := pool.DisableUser(localpool.DemoPoolID, fmt.Sprintf("user%06d", i)); err != nil {
			t.Fatal(err)
		}
		longest = max(longest, time.Since(at))
	}
	t.Logf("%d users: 200 changes in %v, the longest in %v", n, time.Since(began), longest)
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(config.StateFile)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(string(kept), `"enabled": false`); got != 200 {
		t.Errorf("%d changes are in the file", got)
	}
}
