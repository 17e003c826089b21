package serve

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/replica"
)

// TestPassesOfEveryPool: a journal that cannot be read for one pool hides no other pool's.
func TestPassesOfEveryPool(t *testing.T) {
	db, err := parts.OpenDatabase("sqlite:" + filepath.Join(t.TempDir(), "app.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	journal, err := directory.NewSQLJournal(db.DB, db.Dialect)
	if err != nil {
		t.Fatal(err)
	}
	if err := journal.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	write := func(issuer string, version int) {
		t.Helper()
		state, err := json.Marshal(map[string]any{"Version": version, "Report": map[string]any{"Phase": "done", "Finished": time.Now().Add(-time.Hour)}})
		if err != nil {
			t.Fatal(err)
		}
		term, _, err := journal.Acquire(t.Context(), "pass "+issuer, "a test", time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if err := journal.Write(t.Context(), "pass "+issuer, term, time.Minute, state); err != nil {
			t.Fatal(err)
		}
		if err := journal.Release(t.Context(), "pass "+issuer, term); err != nil {
			t.Fatal(err)
		}
	}
	write("https://first", 99)
	write("https://second", 1)
	log := new(bytes.Buffer)
	p := &process{log: slog.New(slog.NewTextHandler(log, nil))}
	g := &generation{
		Settings: &settings.Settings{PassMaxAge: time.Minute, Pools: []settings.Pool{{Name: "first", Issuer: "https://first"}, {Name: "second", Issuer: "https://second"}}},
		stores:   &stores{replica: struct{ replica.Store }{}, journal: journal},
	}
	if n := p.lookAtPasses(t.Context(), g); n != 1 || strings.Count(log.String(), "passes are overdue") != 1 || !strings.Contains(log.String(), "pool=second") {
		t.Errorf("%d pools: %s", n, log)
	}
	write("https://first", 1)
	if n := p.lookAtPasses(t.Context(), g); n != 2 || !strings.Contains(log.String(), "pool=first") {
		t.Errorf("%d pools: %s", n, log)
	}
	// What was known of a pool stays while it cannot be read, and is told once.
	write("https://first", 99)
	for range 2 {
		if n := p.lookAtPasses(t.Context(), g); n != 2 || strings.Count(log.String(), "passes are overdue") != 2 {
			t.Errorf("%d pools: %s", n, log)
		}
	}
}
