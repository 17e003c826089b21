package sqlreplica_test

import (
	"database/sql"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// TestTablesAreAsDocumented compares docs/tables.md with the tables that the migrations
// make, and runs the query that it shows.
func TestTablesAreAsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/tables.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	db := openDatabase(t.TempDir())
	defer db.Close()
	users, err := sqlreplica.New(db, sqlreplica.Config{Dialect: sqlreplica.SQLite, Outbox: &sqlreplica.Outbox{}})
	if err != nil {
		t.Fatal(err)
	}
	if err := users.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, table := range firstColumn(t, db, `SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'codegrant%' ORDER BY name`) {
		_, section, ok := strings.Cut(page, "\n## "+table+"\n")
		if !ok {
			if !strings.Contains(page, "`"+table+"`") {
				t.Errorf("docs/tables.md does not have the table %s", table)
			}
			continue
		}
		section, _, _ = strings.Cut(section, "\n## ")
		var documented []string
		for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*`) \\|").FindAllStringSubmatch(section, -1) {
			for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[1], -1) {
				documented = append(documented, name[1])
			}
		}
		slices.Sort(documented)
		columns := firstColumn(t, db, `SELECT name FROM pragma_table_info('`+table+`') ORDER BY name`)
		if !slices.Equal(documented, columns) {
			t.Errorf("%s: the page has the columns\n%v, and the table\n%v", table, documented, columns)
		}
	}

	if _, err := users.Apply(t.Context(), replica.Snapshot{
		Issuer: issuer, Subject: "s-1", Username: "alice", Email: "alice@example.com", Groups: []replica.GroupRef{{Name: "editors"}}, GroupsKnown: true,
		At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}); err != nil {
		t.Fatal(err)
	}
	_, query, _ := strings.Cut(page, "```sql\n")
	query, _, _ = strings.Cut(query, "```")
	var id int64
	var email, group string
	if err := db.QueryRowContext(t.Context(), query).Scan(&id, &email, &group); err != nil || email != "alice@example.com" || group != "editors" {
		t.Errorf("the query of the page finds %d, %s, %s, %v", id, email, group, err)
	}
}

// firstColumn returns the only column of a query.
func firstColumn(t *testing.T, db *sql.DB, query string) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
