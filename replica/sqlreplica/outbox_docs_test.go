package sqlreplica_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

func deliver(ctx context.Context, users *sqlreplica.Store, send func(sqlreplica.Entry) error) error {
	for {
		n, err := users.Outbox(ctx, 100, func(ctx context.Context, tx *sql.Tx, entries []sqlreplica.Entry) error {
			for _, entry := range entries {
				if err := send(entry); err != nil {
					return err // all of them stay, and come again
				}
			}
			return nil // they are gone
		})
		if n == 0 || err != nil {
			return err // nothing that others are not busy with: come back in a second, or when notified
		}
	}
}

func listen(ctx context.Context, url string, deliver func(context.Context) error) error {
	conn, err := pgx.Connect(ctx, url) // a connection of its own, not through a pooler of transactions
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "LISTEN codegrant_changes"); err != nil {
		return err
	}
	for {
		if err := deliver(ctx); err != nil { // first of all what came before LISTEN
			return err
		}
		wait, cancel := context.WithTimeout(ctx, time.Minute) // and now and then, whatever was heard
		_, err := conn.WaitForNotification(wait)
		cancel()
		if err != nil && wait.Err() == nil || ctx.Err() != nil {
			return err
		}
	}
}

// A worker takes changes out of the outbox, long after they were made.
func ExampleStore_Outbox() {
	dir, _ := os.MkdirTemp("", "example-")
	defer os.RemoveAll(dir)
	db := openDatabase(dir)
	defer db.Close()

	users, err := sqlreplica.New(db, sqlreplica.Config{Dialect: sqlreplica.SQLite, Outbox: &sqlreplica.Outbox{}})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if err := users.Migrate(ctx); err != nil {
		log.Fatal(err)
	}
	said := replica.Snapshot{
		Issuer: issuer, Subject: "5f1c…", Username: "alice", Groups: []replica.GroupRef{{Name: "staff"}}, GroupsKnown: true,
		At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	if _, err := users.Apply(ctx, said); err != nil {
		log.Fatal(err)
	}
	disabled := false
	said.Enabled, said.At = &disabled, said.At.Add(time.Hour)
	if _, err := users.Apply(ctx, said); err != nil {
		log.Fatal(err)
	}

	err = deliver(ctx, users, func(entry sqlreplica.Entry) error {
		fmt.Println(entry.Record.User.Username, entry.Record.Events, entry.Record.GroupsAdded)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// alice [created groups] [staff]
	// alice [disabled] []
}

const docs = "../../docs/changes.md"

// TestDocsAreTheCode: what the page on changes shows is what is tested here.
func TestDocsAreTheCode(t *testing.T) {
	page, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile("outbox_docs_test.go")
	if err != nil {
		t.Fatal(err)
	}
	functions := regexp.MustCompile("(?s)```go\n(func .*?)```").FindAllSubmatch(page, -1)
	for _, f := range functions {
		if !strings.Contains(string(code), string(f[1])) {
			t.Errorf("the page shows what is not here:\n%s", f[1])
		}
	}
	if len(functions) != 2 {
		t.Errorf("the page shows %d functions", len(functions))
	}
}

// TestDocsListen has the listener of the page hear of what is committed while it waits.
func TestDocsListen(t *testing.T) {
	users, db, url := sqlreplica.OutboxStore(t, sqlreplica.PostgreSQL)
	apply := func(subject string) {
		t.Helper()
		if _, err := users.Apply(t.Context(), replica.Snapshot{Issuer: issuer, Subject: subject, At: time.Unix(1_700_000_000, 0)}); err != nil {
			t.Fatal(err)
		}
	}
	apply("before")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second) // less than it waits when it hears nothing
	defer cancel()
	heard := make(chan string, 10)
	ended := make(chan error, 1)
	go func() {
		ended <- listen(ctx, url, func(ctx context.Context) error {
			err := deliver(ctx, users, func(entry sqlreplica.Entry) error {
				heard <- entry.Record.User.Subject
				return nil
			})
			heard <- "none left"
			return err
		})
	}()
	for _, want := range []string{"before", "none left", "later", "none left"} {
		if want == "later" {
			apply("later")
		}
		select {
		case got := <-heard:
			if got != want {
				t.Fatalf("heard %q, want %q", got, want)
			}
		case <-ctx.Done():
			t.Fatalf("waited for %q in vain", want)
		}
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("the listener ended without a reason")
	}
	_ = db
}

// TestDocsSQL runs the statements of the page as two workers would.
func TestDocsSQL(t *testing.T) {
	page, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	blocks := make(map[string][]string) // statements, by the words after -- at the start
	for _, block := range regexp.MustCompile("(?s)```sql\n-- (\\w+: \\w+)(.*?)```").FindAllStringSubmatch(string(page), -1) {
		for _, statement := range strings.Split(regexp.MustCompile(`(?m) ?-- .*$`).ReplaceAllString("-- "+block[1]+block[2], ""), ";\n") {
			if statement = strings.TrimSpace(statement); statement != "" {
				blocks[block[1]] = append(blocks[block[1]], statement)
			}
		}
	}
	for name, dialect := range map[string]sqlreplica.Dialect{"postgres": sqlreplica.PostgreSQL, "mysql": sqlreplica.MySQL} {
		t.Run(name, func(t *testing.T) {
			users, db, _ := sqlreplica.OutboxStore(t, dialect)
			for i, subject := range []string{"a", "b", "a", "c", "b"} {
				s := replica.Snapshot{Issuer: issuer, Subject: subject, Name: fmt.Sprint(i), At: time.Unix(1_700_000_000+int64(i), 0)}
				if _, err := users.Apply(t.Context(), s); err != nil {
					t.Fatal(err)
				}
			}
			worker := func(first int) (*sql.Conn, []string) {
				t.Helper()
				conn, err := db.Conn(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { conn.Close() })
				var ids, taken []string
				for _, statement := range blocks[name+": 1"] {
					list := func(ids []string) string { return strings.Join(ids[:min(first, len(ids))], ", ") }
					statement = strings.ReplaceAll(statement, ":first", list(ids))
					switch {
					case strings.HasPrefix(statement, "SELECT MIN"):
						ids = column(t, conn, statement)
					case strings.HasPrefix(statement, "SELECT"):
						taken = column(t, conn, statement)
					case strings.HasPrefix(statement, "DELETE"):
						return conn, taken
					default:
						if _, err := conn.ExecContext(t.Context(), statement); err != nil {
							t.Fatalf("%s: %v", statement, err)
						}
					}
				}
				t.Fatal("no DELETE on the page")
				return nil, nil
			}
			finish := func(conn *sql.Conn, taken []string) {
				t.Helper()
				statements := blocks[name+": 1"]
				for _, statement := range statements[len(statements)-2:] {
					lists := []string{strings.Join(taken, ", ")}
					if strings.Contains(statement, "= :taken") {
						lists = taken
					}
					for _, list := range lists {
						if _, err := conn.ExecContext(t.Context(), strings.ReplaceAll(statement, ":taken", list)); err != nil {
							t.Fatalf("%s: %v", statement, err)
						}
						if !strings.Contains(statement, ":taken") {
							break
						}
					}
				}
			}
			one, first := worker(2)    // a and b
			two, second := worker(100) // c, because the others' first changes are taken
			if len(first) != 2 || len(second) != 1 {
				t.Fatalf("the workers got %q and %q, want two and one", first, second)
			}
			finish(two, second)
			finish(one, first)
			three, third := worker(100)
			if len(third) != 2 {
				t.Errorf("then there are %q, want two", third)
			}
			finish(three, third)

			clean := blocks[name+": clean"]
			if len(clean) != 1 {
				t.Fatalf("the page cleans with %q", clean)
			}
			for _, age := range []string{"6", "8"} {
				insert := "INSERT INTO codegrant_outbox (created_at, issuer, subject, record) VALUES (" + map[string]string{
					"postgres": "now() - interval '" + age + " days'", "mysql": "UTC_TIMESTAMP() - INTERVAL " + age + " DAY",
				}[name] + ", 'i', 's', '{}')"
				for _, statement := range []string{insert, clean[0]} {
					if _, err := db.ExecContext(t.Context(), statement); err != nil {
						t.Fatalf("%s: %v", statement, err)
					}
				}
			}
			if size, err := users.OutboxSize(t.Context()); err != nil || size.Entries != 1 {
				t.Errorf("after cleaning there are %+v, %v", size, err)
			}
		})
	}
}

// column returns the first column of what a statement selects.
func column(t *testing.T, conn *sql.Conn, statement string) []string {
	t.Helper()
	rows, err := conn.QueryContext(t.Context(), statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer rows.Close()
	columns, _ := rows.Columns()
	var values []string
	for rows.Next() {
		row := make([]any, len(columns))
		for i := range row {
			row[i] = new(sql.RawBytes)
		}
		if err := rows.Scan(row...); err != nil {
			t.Fatal(err)
		}
		values = append(values, string(*row[0].(*sql.RawBytes)))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return values
}
