package sqlreplica

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/codegrant/codegrant/replica"
)

// TestPlans asks the engines how they run each statement of this package. None
// may read a table from end to end.
func TestPlans(t *testing.T) {
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, spy := e.store(t, Config{})
		fill(t, s, 3000)
		analyze(t, s)

		spy.reset()
		p := person(1, 1000, "group-1", "group-2", "added")
		p.Name = "Changed"
		id := apply(t, s, p).User.ID
		apply(t, s, person(5000, 0, "group-1", "new"))
		mustSucceed(t, func() error { _, err := s.GrantLocalGroup(t.Context(), id, "local"); return err })
		mustSucceed(t, func() error { _, err := s.RevokeLocalGroup(t.Context(), id, "local"); return err })
		mustSucceed(t, func() error { _, err := s.UserByUsername(t.Context(), testIssuer, "user-7"); return err })
		mustSucceed(t, func() error { _, err := s.UsersByEmail(t.Context(), testIssuer, "user-7@example.com"); return err })
		after := replica.Cursor(id)
		for _, q := range []replica.UserQuery{{}, {Search: "user-17"}, {Group: "group-1"}, {Search: "user-17", Group: "group-1"}} {
			q.Issuer, q.After = testIssuer, after
			mustSucceed(t, func() error { _, err := s.Users(t.Context(), q); return err })
		}
		mustSucceed(t, func() error {
			_, err := s.Groups(t.Context(), replica.GroupQuery{Issuer: testIssuer, After: after})
			return err
		})

		seen := make(map[string]bool)
		for _, passed := range spy.journal {
			if passed.query == "" || seen[passed.query] || strings.HasPrefix(passed.query, "INSERT") {
				continue
			}
			seen[passed.query] = true
			var args []any
			for _, a := range passed.args {
				args = append(args, a.Value)
			}
			for _, table := range scanned(t, s, passed.query, args) {
				t.Errorf("%s is read from end to end by\n\t%s\nwith %v", table, passed.query, args)
			}
		}
		if len(seen) < 12 {
			t.Errorf("%d statements were seen: the spy is blind", len(seen))
		}
	})
}

func mustSucceed(t *testing.T, f func() error) {
	t.Helper()
	if err := f(); err != nil {
		t.Fatal(err)
	}
}

// fill adds people and groups without going through the store.
func fill(t *testing.T, s *Store, n int) {
	t.Helper()
	tx, err := s.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	for i := range n {
		snapshot := person(i, 0)
		if i%3 == 0 {
			snapshot.Issuer += "x"
		}
		if i < 300 {
			for j := range 10 {
				snapshot.Groups = append(snapshot.Groups, replica.GroupRef{Name: fmt.Sprint("group-", i+j)})
			}
		}
		c := replica.Decide(replica.Mirror, nil, snapshot, stated)
		if err := s.write(context.WithoutCancel(t.Context()), tx, &c); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// analyze has the engine look at what is in the tables.
func analyze(t *testing.T, s *Store) {
	t.Helper()
	for _, table := range []string{"codegrant_users", "codegrant_groups", "codegrant_memberships"} {
		statement := "ANALYZE " + table
		if s.engine == engines[MySQL] {
			statement = "ANALYZE TABLE " + table
		}
		rows, err := s.db.QueryContext(t.Context(), statement)
		if err != nil {
			t.Fatal(err)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// scanned returns the tables of ours that the engine would read from end to end.
func scanned(t *testing.T, s *Store, query string, args []any) []string {
	t.Helper()
	conn, err := s.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	explain, table := "EXPLAIN QUERY PLAN ", regexp.MustCompile(`SCAN (codegrant_\w+|[ugm]|member)\b`)
	switch s.engine {
	case engines[PostgreSQL]:
		// These tables are small enough to be read whole; the question is
		// whether they would have to be.
		if _, err := conn.ExecContext(t.Context(), "SET enable_seqscan = off"); err != nil {
			t.Fatal(err)
		}
		defer conn.ExecContext(context.WithoutCancel(t.Context()), "RESET enable_seqscan")
		explain, table = "EXPLAIN ", regexp.MustCompile(`Seq Scan on (codegrant_\w+)`)
	case engines[MySQL]:
		return scannedMySQL(t, conn, query, args)
	}
	rows, err := conn.QueryContext(t.Context(), explain+query, args...)
	if err != nil {
		t.Fatalf("%s%s: %v", explain, query, err)
	}
	defer rows.Close()
	var found []string
	for rows.Next() {
		columns, _ := rows.Columns()
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(sql.NullString)
		}
		if err := rows.Scan(values...); err != nil {
			t.Fatal(err)
		}
		line := values[len(values)-1].(*sql.NullString).String
		if m := table.FindStringSubmatch(line); m != nil && !strings.Contains(line, "USING") {
			found = append(found, m[1]+" ("+line+")")
		}
	}
	return found
}

func scannedMySQL(t *testing.T, conn *sql.Conn, query string, args []any) []string {
	t.Helper()
	var plan string
	if err := conn.QueryRowContext(t.Context(), "EXPLAIN FORMAT=JSON "+query, args...).Scan(&plan); err != nil {
		t.Fatalf("EXPLAIN %s: %v", query, err)
	}
	var tree any
	if err := json.Unmarshal([]byte(plan), &tree); err != nil {
		t.Fatal(err)
	}
	var found []string
	var walk func(any)
	walk = func(node any) {
		switch node := node.(type) {
		case map[string]any:
			name, _ := node["table_name"].(string)
			if access := node["access_type"]; (access == "ALL" || access == "index") && !strings.HasPrefix(name, "<") && name != "page" && name != "found" {
				found = append(found, fmt.Sprint(name, " (", access, ")"))
			}
			for _, child := range node {
				walk(child)
			}
		case []any:
			for _, child := range node {
				walk(child)
			}
		}
	}
	walk(tree)
	return found
}
