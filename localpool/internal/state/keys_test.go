package state

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"
)

// TestS141_KeysAreOfOnePool: keys serve again once their pool is closed, and never
// two pools at a time; a pool that is kept has keys that no other has had.
func TestS141_KeysAreOfOnePool(t *testing.T) {
	open := func(path string) (*State, string) {
		t.Helper()
		s, err := New(Config{Now: time.Now, Logger: slog.New(slog.DiscardHandler), Path: path}, []*Pool{{ID: "local_One1"}})
		if err != nil {
			t.Fatal(err)
		}
		keys, err := s.keys("local_One1")
		if err != nil {
			t.Fatal(err)
		}
		return s, keys.id.kid
	}
	file := filepath.Join(t.TempDir(), "pool.json")
	first, a := open("")
	second, b := open("")
	if a == b {
		t.Fatal("two pools have the same keys at a time")
	}
	for _, s := range []*State{first, first, second} { // more than once does no harm
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	kept, k := open(file)
	if k == a || k == b {
		t.Error("a pool that is kept has keys that another one had")
	}
	_, c := open("")
	_, d := open("")
	if c == d || (c != a && c != b) || (d != a && d != b) {
		t.Errorf("closed pools had keys %s and %s, the next ones have %s and %s", a, b, c, d)
	}
	if err := kept.Close(); err != nil {
		t.Fatal(err)
	}
	if _, e := open(""); e == k {
		t.Error("keys of a pool that is kept serve another one")
	}
}
