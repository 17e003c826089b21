package localpool_test

import (
	"os"
	"regexp"
	"testing"

	"github.com/codegrant/codegrant/localpool"
)

// The seeds that the documentation shows are ones.
func TestDocumentedSeeds(t *testing.T) {
	page, err := os.ReadFile("../docs/local-pool.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1)
	if len(blocks) == 0 {
		t.Fatal("docs/local-pool.md shows no seed")
	}
	for _, block := range blocks {
		seed, err := localpool.ParseSeed(block[1])
		if err != nil {
			t.Error(err)
			continue
		}
		if p := seed.Pools[0]; p.Triggers.PreSignUp == "" || len(seed.Functions) == 0 || len(seed.Events) == 0 || seed.Events[0].Secret == "" {
			t.Errorf("seed = %+v", seed)
		}
	}
}
