package sqlreplica

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// TestPlans asks the engines how they run each statement of this package. None
// may read a table from end to end, nor, on PostgreSQL, an index, and where an index
// is there for a statement, it is used.
func TestPlans(t *testing.T) {
	search := []string{
		"codegrant_users_search_username", "codegrant_users_search_email", "codegrant_users_search_name", "codegrant_users_search_family_name",
	}
	list := func(q replica.UserQuery) func(context.Context, *Store) error {
		return func(ctx context.Context, s *Store) error {
			q.Issuer, q.After = testIssuer, replica.Cursor(100)
			_, err := s.Users(ctx, q)
			return err
		}
	}
	type action struct {
		name string
		do   func(context.Context, *Store) error
		uses []string // indexes, by name, anywhere in what the action runs
	}
	actions := []action{
		{"by ID", func(ctx context.Context, s *Store) error { _, err := s.User(ctx, 10); return err }, nil},
		{"by subject", func(ctx context.Context, s *Store) error {
			_, err := s.UserBySubject(ctx, testIssuer, "subject-7")
			return err
		}, nil},
		{"unchanged", func(ctx context.Context, s *Store) error { _, err := s.Apply(ctx, asFilled(20, 0)); return err }, nil},
		{"said again", func(ctx context.Context, s *Store) error { _, err := s.Apply(ctx, asFilled(20, 1000)); return err }, nil},
		{"batch", func(ctx context.Context, s *Store) error {
			var all []replica.Snapshot
			for i := range 20 {
				p := asFilled(30+i, 1000) // said later
				switch i % 4 {
				case 1:
					p.Name, p.Groups = "Changed", p.Groups[5:] // changed
				case 2:
					p.Groups = append(p.Groups, replica.GroupRef{Name: "added"})
				case 3:
					p = person(6000+i, 0, "group-1", "newer") // new
				}
				all = append(all, inPass("pass", p))
			}
			_, err := s.ApplyBatch(ctx, all)
			return err
		}, nil},
		{"batch again", func(ctx context.Context, s *Store) error {
			_, err := s.ApplyBatch(ctx, []replica.Snapshot{inPass("pass", asFilled(30, 1000)), inPass("pass", asFilled(34, 1000))})
			return err
		}, nil},
		{"sweep", func(ctx context.Context, s *Store) error {
			_, err := s.Sweep(ctx, smallIssuer, "pass", replica.SweepOptions{Began: stated.Add(time.Second), MaxShare: 1})
			return err
		}, []string{"codegrant_users_issuer(_subject_key)?"}}, // either has the people of an issuer alone
		{"users, and the deleted", list(replica.UserQuery{Limit: 10, Deleted: true}), nil},
		{"check", func(ctx context.Context, s *Store) error { return s.Check(ctx) }, nil},
		{"changed user", func(ctx context.Context, s *Store) error {
			p := person(1, 1000, "group-1", "group-2", "added")
			p.Name = "Changed"
			_, err := s.Apply(ctx, p)
			return err
		}, nil},
		{"new user", func(ctx context.Context, s *Store) error {
			_, err := s.Apply(ctx, person(5000, 0, "group-1", "new"))
			return err
		}, nil},
		{"grant", func(ctx context.Context, s *Store) error { _, err := s.GrantLocalGroup(ctx, 10, "local"); return err }, nil},
		{"revoke", func(ctx context.Context, s *Store) error { _, err := s.RevokeLocalGroup(ctx, 10, "local"); return err }, nil},
		{"by username", func(ctx context.Context, s *Store) error {
			_, err := s.UserByUsername(ctx, testIssuer, "user-7")
			return err
		}, search[:1]},
		{"by e-mail", func(ctx context.Context, s *Store) error {
			_, err := s.UsersByEmail(ctx, testIssuer, "user-7@example.com")
			return err
		}, search[1:2]},
		{"page", list(replica.UserQuery{Limit: 10}), nil},
		{"search", list(replica.UserQuery{Limit: 10, Search: "user-17"}), search},
		{"members", list(replica.UserQuery{Limit: 10, Group: "group-1"}), []string{"codegrant_memberships_group"}},
		{"members found", list(replica.UserQuery{Limit: 10, Search: "user-17", Group: "group-1"}), search},
		{"groups", func(ctx context.Context, s *Store) error {
			_, err := s.Groups(ctx, replica.GroupQuery{Issuer: testIssuer, After: replica.Cursor(100)})
			return err
		}, nil},
	}
	actions = append(actions, action{"outbox", func(ctx context.Context, s *Store) error {
		_, err := s.Outbox(ctx, 20, func(context.Context, *sql.Tx, []Entry) error { return nil })
		return err
	}, nil}, action{"outbox size", func(ctx context.Context, s *Store) error { _, err := s.OutboxSize(ctx); return err }, nil})
	inspect := func(t *testing.T, s *Store, spy *spy) {
		fill(t, s, 3000)
		analyze(t, s)
		for _, action := range actions {
			spy.reset()
			if err := action.do(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			var plans strings.Builder
			for _, passed := range slices.Clone(spy.journal) {
				if passed.query == "" || strings.HasPrefix(passed.query, "INSERT") && s.engine != engines[PostgreSQL] {
					continue
				}
				var args []any
				for _, a := range passed.args {
					args = append(args, a.Value)
				}
				plan, scanned := explain(t, s, passed.query, args)
				plans.WriteString(plan)
				if strings.Contains(passed.query, "LOWER(a.email)") {
					scanned = nil // Django has no index on addresses
				}
				if strings.Contains(passed.query, versionTableName) {
					scanned = nil // it is goose's, and has a row for each version
				}
				if strings.HasPrefix(passed.query, "SELECT count(*)") && strings.HasSuffix(passed.query, " FROM codegrant_outbox") {
					scanned = nil // it counts
				}
				if strings.Contains(passed.query, " FROM codegrant_outbox ORDER BY id LIMIT ") && !sorts.MatchString(plan) {
					scanned = nil // it reads the beginning of an index
				}
				for _, table := range scanned {
					t.Errorf("%s: %s is read from end to end by\n\t%s\nwith %v", action.name, table, passed.query, args)
				}
			}
			for _, index := range action.uses {
				if s.tables.view() == &djangoView && strings.HasPrefix(index, "codegrant_memberships") {
					continue // Django has an index of its own, under another name on each engine
				}
				if !regexp.MustCompile(`\b` + index + `\b`).MatchString(plans.String()) {
					t.Errorf("%s does not use %s:\n%s", action.name, index, plans.String())
				}
			}
			if plans.Len() == 0 {
				t.Errorf("%s runs nothing: the spy is blind", action.name)
			}
		}
	}
	eachEngine(t, func(t *testing.T, e testEngine) {
		s, spy := e.store(t, Config{Outbox: &Outbox{}})
		inspect(t, s, spy)
	})
	t.Run("Django", func(t *testing.T) {
		eachEngine(t, func(t *testing.T, e testEngine) {
			s, spy := djangoStore(t, e, Config{Outbox: &Outbox{}})
			inspect(t, s, spy)
		})
	})
}

// asFilled is what fill has put in of a person.
func asFilled(number, seconds int) replica.Snapshot {
	p := person(number, seconds)
	for j := range 10 {
		p.Groups = append(p.Groups, replica.GroupRef{Name: fmt.Sprint("group-", number+j)})
	}
	return p
}

// sorts finds plans that read everything before they return the first row.
var sorts = regexp.MustCompile(`"Sort"|filesort|TEMP B-TREE`)

const smallIssuer = testIssuer + "y" // of few users in large tables

// fill adds people and groups without going through the store.
func fill(t *testing.T, s *Store, n int) {
	t.Helper()
	tx, err := s.db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	var written []*plan
	for i := range n {
		snapshot := person(i, 0)
		switch {
		case i >= 300 && i%3 == 0:
			snapshot.Issuer += "x"
		case i >= 300 && i%60 == 1:
			snapshot.Issuer = smallIssuer
		}
		if i < 300 {
			snapshot = asFilled(i, 0)
		}
		c := replica.Decide(replica.Mirror, nil, snapshot, stated)
		p := &plan{change: c}
		if err := s.write(context.WithoutCancel(t.Context()), tx, p); err != nil {
			t.Fatal(err)
		}
		written = append(written, p)
	}
	if err := s.record(context.WithoutCancel(t.Context()), tx, written...); err != nil {
		t.Fatal(err)
	}
	// A table of a few rows is read from end to end for good reason.
	if _, err := tx.ExecContext(t.Context(), "INSERT INTO codegrant_confirmations (user_id, as_of, groups_as_of, pass) SELECT id, as_of, groups_as_of, '' FROM codegrant_users"); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// analyze has the engine look at what is in the tables.
func analyze(t *testing.T, s *Store) {
	t.Helper()
	tables := []string{"codegrant_users", "codegrant_groups", "codegrant_memberships", "codegrant_confirmations", "codegrant_outbox"}
	if s.tables.view() == &djangoView {
		tables = append(tables, "codegrant_stated", "auth_user", "auth_group", "auth_user_groups")
	}
	for _, table := range tables {
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

// explain returns how the engine would run a statement, and the tables of ours
// that it would read from end to end.
func explain(t *testing.T, s *Store, query string, args []any) (plan string, scanned []string) {
	t.Helper()
	conn, err := s.db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	prefix, table := "EXPLAIN QUERY PLAN ", regexp.MustCompile(`SCAN (codegrant_\w+|auth_\w+|[uagm]|ug|ag|joined)\b`)
	switch s.engine {
	case engines[PostgreSQL]:
		// These tables are small enough to be read whole; the question is
		// whether they would have to be.
		for _, setting := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin"} {
			if _, err := conn.ExecContext(t.Context(), "SET "+setting+" = off"); err != nil {
				t.Fatal(err)
			}
			defer conn.ExecContext(context.WithoutCancel(t.Context()), "RESET "+setting)
		}
		prefix = "EXPLAIN (FORMAT JSON) "
	case engines[MySQL]:
		prefix = "EXPLAIN FORMAT=JSON "
	}
	rows, err := conn.QueryContext(t.Context(), prefix+query, args...)
	if err != nil {
		t.Fatalf("%s%s: %v", prefix, query, err)
	}
	defer rows.Close()
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
		plan += line + "\n"
		if m := table.FindStringSubmatch(line); m != nil && s.engine == engines[SQLite] {
			scanned = append(scanned, m[1])
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	switch s.engine {
	case engines[PostgreSQL]:
		scanned = eachNode(t, plan, scannedPostgreSQL)
	case engines[MySQL]:
		scanned = eachNode(t, plan, scannedMySQL)
	}
	return plan, scanned
}

// scannedPostgreSQL returns the table or index that a node of a plan reads whole.
func scannedPostgreSQL(node map[string]any) string {
	switch kind := node["Node Type"]; kind {
	case "Seq Scan":
		return fmt.Sprint(node["Relation Name"])
	case "Index Scan", "Index Only Scan", "Bitmap Index Scan":
		if node["Index Cond"] == nil {
			return fmt.Sprint(node["Index Name"], " (", kind, " without a condition)")
		}
	}
	return ""
}

func scannedMySQL(node map[string]any) string {
	name, _ := node["table_name"].(string)
	made := strings.HasPrefix(name, "<") || name == "page" || name == "found" // on the way
	if access := node["access_type"]; !made && (access == "ALL" || access == "index") {
		return fmt.Sprint(name, " (", access, ")")
	}
	return ""
}

// eachNode finds what is read whole in a plan in JSON.
func eachNode(t *testing.T, plan string, scanned func(map[string]any) string) []string {
	t.Helper()
	var tree any
	if err := json.Unmarshal([]byte(plan), &tree); err != nil {
		t.Fatal(err)
	}
	var found []string
	var walk func(any)
	walk = func(node any) {
		switch node := node.(type) {
		case map[string]any:
			if what := scanned(node); what != "" {
				found = append(found, what)
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
