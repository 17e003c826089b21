package sqlstore

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/session"
)

// TestPlans asks the engines how they run each statement of this package. None may
// read every session.
func TestPlans(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, db := e.store(t, Config{})
		fill(t, e, s, 4000)
		now := micros(time.Now())
		list := func(q session.Query) (string, []any) { return s.engine.list(q, now) }
		check := func(name, query string, args ...any) {
			t.Helper()
			plan := explain(t, e, db, query, args)
			if reads := wholeTable(t, e, plan); reads != "" {
				t.Errorf("%s: %s\n%s", name, reads, plan)
			}
		}
		check("get", s.get, "00000017", now)
		check("swap", s.swap, now, now, 0, 0, []byte("x"), "00000017", 1, now)
		check("version", s.version, "00000017", now)
		check("delete", s.remove, "00000017")
		check("delete if expired", s.removeIfExpired, "00000017", now)
		check("delete by subject", s.removeSubject, "pool", "person 17", now)
		check("mark", s.mark, "pool", "person 17", now)
		check("delete expired", s.removeExpired, now-int64(time.Hour/time.Microsecond), 10)
		for _, q := range []session.Query{
			{Limit: 10}, {After: "00001000", Limit: 10}, {Pool: "pool", Subject: "person 17"}, {Pool: "pool", Subject: "person 17", After: "00000001"},
		} {
			query, args := list(q)
			check(fmt.Sprintf("list %+v", q), query, args...)
		}
	})
}

// fill adds sessions without going through the store, and has the engine count
// them.
func fill(t *testing.T, e testEngine, s *Store, n int) {
	t.Helper()
	tx, err := s.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	now := time.Now()
	for i := range n {
		_, err := tx.ExecContext(t.Context(), s.create, fmt.Sprintf("%08d", i), "pool", fmt.Sprint("person ", i%(n/4)), 1, micros(now), micros(now),
			micros(now.Add(time.Duration(i)*time.Second)), 0, 0, make([]byte, 300))
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	analyze := map[Dialect]string{SQLite: "ANALYZE", PostgreSQL: "ANALYZE codegrant_sessions", MySQL: "ANALYZE TABLE codegrant_sessions"}[e.dialect]
	if _, err := s.db.ExecContext(t.Context(), analyze); err != nil {
		t.Fatal(err)
	}
}

// explain returns an engine's plan as lines of columns.
func explain(t *testing.T, e testEngine, db *sql.DB, query string, args []any) string {
	t.Helper()
	prefix := map[Dialect]string{SQLite: "EXPLAIN QUERY PLAN ", PostgreSQL: "EXPLAIN (FORMAT JSON) ", MySQL: "EXPLAIN "}[e.dialect]
	rows, err := db.QueryContext(t.Context(), prefix+query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		dest := make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		var line []string
		for i, value := range values {
			line = append(line, columns[i]+"="+value.String)
		}
		lines = append(lines, strings.Join(line, "\t"))
	}
	if err := rows.Err(); err != nil || len(lines) == 0 {
		t.Fatalf("%s: no plan: %v", query, err)
	}
	return strings.Join(lines, "\n")
}

// wholeTable returns the part of a plan that reads every row, or sorts.
func wholeTable(t *testing.T, e testEngine, plan string) string {
	t.Helper()
	if e.dialect == PostgreSQL {
		_, text, _ := strings.Cut(plan, "=")
		var node any
		if err := json.Unmarshal([]byte(text), &node); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return wholeNode(node)
	}
	for line := range strings.Lines(plan) {
		switch {
		case e.dialect == SQLite && (strings.Contains(line, "SCAN codegrant_sessions") || strings.Contains(line, "TEMP B-TREE")):
			return line
		case e.dialect == MySQL:
			fields := strings.Split(strings.TrimSpace(line), "\t")
			if slices.Contains(fields, "type=ALL") || slices.Contains(fields, "type=index") && !strings.Contains(line, "key=PRIMARY") || strings.Contains(line, "filesort") {
				return line
			}
		}
	}
	return ""
}

func wholeNode(node any) string {
	switch node := node.(type) {
	case []any:
		for _, child := range node {
			if found := wholeNode(child); found != "" {
				return found
			}
		}
	case map[string]any:
		if kind, _ := node["Node Type"].(string); kind == "Seq Scan" || kind == "Sort" {
			return kind
		}
		for _, child := range node {
			if found := wholeNode(child); found != "" {
				return found
			}
		}
	}
	return ""
}
