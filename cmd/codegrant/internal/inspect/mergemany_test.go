package inspect

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/commandtest"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/replica"
)

// TestMergeManyByCommand: one run merges all duplicates, with a mark and a line for each.
// Ten thousand take minutes (CODEGRANT_TEST_DUPLICATES, fifty by default).
func TestMergeManyByCommand(t *testing.T) {
	many := 50
	if text := os.Getenv("CODEGRANT_TEST_DUPLICATES"); text != "" {
		var err error
		if many, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, engine := range []string{"SQLite", "PostgreSQL"} {
		t.Run(engine, func(t *testing.T) {
			database := ""
			if engine == "PostgreSQL" {
				database = testenv.PostgresSchema(t)
			}
			config := commandtest.Stores(t)
			if database != "" {
				text, err := os.ReadFile(config)
				if err != nil {
					t.Fatal(err)
				}
				text = regexp.MustCompile(`(?m)^database: .*$`).ReplaceAllLiteral(text, []byte("database: "+database))
				if err := os.WriteFile(config, text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			o, err := parts.Inspection{Config: config}.Open()
			if err != nil {
				t.Fatal(err)
			}
			defer o.Close()
			if err := o.Users.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := o.InDatabase.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			var batch []replica.Snapshot
			for n := range 2 * many {
				batch = append(batch, replica.Snapshot{
					Issuer: o.Issuer, Subject: fmt.Sprintf("many-%d", n), Username: fmt.Sprintf("many-%d", n),
					Email: fmt.Sprintf("many-%d@example.com", n/2), EmailVerified: true, At: time.Now(),
				})
			}
			for some := range slices.Chunk(batch, 1000) {
				if _, err := o.Users.ApplyBatch(t.Context(), some); err != nil {
					t.Fatal(err)
				}
			}
			began := time.Now()
			stdout, stderr, status := say(t, "users", "merge", "--verified-email", "--yes", "--config", config)
			if status != 0 || !strings.Contains(stdout, fmt.Sprintf("merged %d duplicates", many)) {
				t.Fatalf("status %d\n%.1000s%.1000s", status, stdout, stderr)
			}
			t.Logf("%d duplicates merged in %s", many, time.Since(began).Round(time.Millisecond))
			if lines := strings.Count(stderr, `"event":"merged"`); lines != many {
				t.Errorf("%d lines of the audit", lines)
			}
			if found, err := o.Users.Duplicates(t.Context()); err != nil || len(found) != 0 {
				t.Errorf("%d duplicates at the end, %v", len(found), err)
			}
			for _, n := range []int{1, 2*many - 1} {
				if at, err := o.Marks.NotBefore(t.Context(), o.Issuer, fmt.Sprintf("many-%d", n)); err != nil || at.IsZero() {
					t.Errorf("many-%d has the mark %s, %v", n, at, err)
				}
			}
		})
	}
}
