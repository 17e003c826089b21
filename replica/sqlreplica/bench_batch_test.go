package sqlreplica

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/codegrant/codegrant/internal/testenv"
	"github.com/codegrant/codegrant/replica"
)

// benchUsers is how many users BenchmarkBatch brings to PostgreSQL, unless the
// environment says so in CODEGRANT_TEST_USERS.
const benchUsers = 10_000

// BenchmarkBatch reads a pool of so many users, with three groups each, into
// PostgreSQL: by ApplyBatch, a thousand at a time, and by hand, with one COPY into a
// temporary table and one INSERT … ON CONFLICT DO UPDATE for each kind of row,
// everything in one transaction and nothing judged. First the tables are empty;
// then the same is read again, and nobody has changed; then one in a hundred has.
// The ratios are of users per second, ours to the bare ones, side by side in each
// turn, and the median over the turns. At last two sweeps, for which there is nothing
// to compare with: one that finds nobody gone, and one that finds one in twenty. With
// CODEGRANT_TEST_OUTBOX=1 each of our changes is in the outbox, too.
//
//	CODEGRANT_TEST_USERS=1000000 scripts/with-servers.sh \
//		go test -run - -bench Batch -benchtime 3x -timeout 2h ./replica/sqlreplica
func BenchmarkBatch(b *testing.B) {
	users := benchUsers
	if size := os.Getenv("CODEGRANT_TEST_USERS"); size != "" {
		var err error
		if users, err = strconv.Atoi(size); err != nil || users < 100 {
			b.Fatalf("CODEGRANT_TEST_USERS is %q, and not a number of users, 100 at least", size)
		}
	}
	var sweeps [2][]float64
	names := []string{"new", "unchanged", "1%changed"}
	var bare, ours, ratios [3][]float64
	for turn := 0; b.Loop(); turn++ {
		byHand, s := newBareReplica(b), benchStore(b)
		for i := range names {
			pass := benchPool(users, i)
			rows, memberships := byHand.rows(b, pass)
			rate := func(f func() error) float64 {
				runtime.GC() // of what the other has left behind
				start := time.Now()
				if err := f(); err != nil {
					b.Fatal(err)
				}
				return float64(users) / time.Since(start).Seconds()
			}
			load := func() {
				bare[i] = append(bare[i], rate(func() error { return byHand.load(b.Context(), rows, memberships) }))
			}
			apply := func() {
				ours[i] = append(ours[i], rate(func() error { return benchApply(b, s, pass) }))
			}
			if turn%2 == 0 {
				load()
				apply()
			} else {
				apply()
				load()
			}
			ratios[i] = append(ratios[i], ours[i][turn]/bare[i][turn])
		}
		if got, want := benchCounts(b, s.db), benchCounts(b, byHand.db); got != want {
			b.Fatalf("there are %s, by hand %s", got, want)
		}
		if err := benchApply(b, s, benchPool(users, 3)[users/20:]); err != nil {
			b.Fatal(err)
		}
		for i, gone := range []int{0, users / 20} {
			began := stated.Add(time.Duration(2+i) * time.Hour)
			start := time.Now()
			result, err := s.Sweep(b.Context(), testIssuer, fmt.Sprint("pass-", 3), replica.SweepOptions{Began: began})
			sweeps[i] = append(sweeps[i], time.Since(start).Seconds())
			if err != nil || len(result.Changes) != gone {
				b.Fatalf("the sweep finds %d gone, want %d; %v", len(result.Changes), gone, err)
			}
		}
	}
	for i, name := range names {
		b.ReportMetric(median(bare[i]), name+"-bare-users/s")
		b.ReportMetric(median(ours[i]), name+"-users/s")
		b.ReportMetric(median(ratios[i]), name+"-ratio")
	}
	b.ReportMetric(median(sweeps[0]), "sweep-of-nobody-s")
	b.ReportMetric(median(sweeps[1]), "sweep-of-5%-s")
}

// benchApply applies a pass, as many at a time as a transaction takes.
func benchApply(b *testing.B, s *Store, pass []replica.Snapshot) error {
	for part := range slices.Chunk(pass, maxUsers) {
		if _, err := s.ApplyBatch(b.Context(), part); err != nil {
			return err
		}
	}
	return nil
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// benchPool is what a directory says in its pass of that number.
func benchPool(n, pass int) []replica.Snapshot {
	enabled := true
	users := make([]replica.Snapshot, n)
	for i := range users {
		u := person(i, pass*3600, fmt.Sprint("group-", i%50), fmt.Sprint("team-", i%7), "everybody")
		u.Subject = fmt.Sprintf("%08x-1111-4222-8333-%012x", uint32(i)*2654435761, i) // in no order
		u.GivenName, u.FamilyName = "Person", fmt.Sprint("Family-", i)
		u.Custom = map[string]string{"custom:department": "sales", "custom:number": fmt.Sprint(i)}
		u.Complete, u.Enabled, u.Status, u.Pass = true, &enabled, "CONFIRMED", fmt.Sprint("pass-", pass)
		if pass == 2 && i%100 == 0 {
			u.Name = "Changed"
		}
		users[i] = u
	}
	return users
}

func benchStore(b *testing.B) *Store {
	b.Helper()
	db, err := sql.Open("pgx", postgresSchema(b, nil))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	config := Config{Dialect: PostgreSQL}
	if os.Getenv("CODEGRANT_TEST_OUTBOX") != "" {
		config.Outbox = &Outbox{}
	}
	s, err := New(db, config)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	return s
}

func benchCounts(b *testing.B, db *sql.DB) string {
	b.Helper()
	var users, changed, groups, memberships int
	err := db.QueryRowContext(b.Context(), "SELECT count(*), count(CASE WHEN name = 'Changed' THEN 1 END),"+
		" (SELECT count(*) FROM codegrant_groups), (SELECT count(*) FROM codegrant_memberships) FROM codegrant_users").
		Scan(&users, &changed, &groups, &memberships)
	if err != nil {
		b.Fatal(err)
	}
	return fmt.Sprint(users, " users, ", changed, " changed, ", groups, " groups, ", memberships, " memberships")
}

// bareReplica fills the tables of a store without any judgement.
type bareReplica struct {
	db   *sql.DB
	conn *pgx.Conn
}

func newBareReplica(b *testing.B) *bareReplica {
	b.Helper()
	s := benchStore(b)
	var schema string
	if err := s.db.QueryRowContext(b.Context(), "SELECT current_schema()").Scan(&schema); err != nil {
		b.Fatal(err)
	}
	config, err := pgx.ParseConfig(testenv.Postgres(b))
	if err != nil {
		b.Fatal(err)
	}
	config.RuntimeParams["search_path"] = schema
	conn, err := pgx.ConnectConfig(b.Context(), config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close(context.Background()) })
	return &bareReplica{s.db, conn}
}

// rows are the very rows that a store would write.
func (r *bareReplica) rows(b *testing.B, pass []replica.Snapshot) (users, memberships [][]any) {
	b.Helper()
	for _, snapshot := range pass {
		c := replica.Decide(replica.Mirror, nil, snapshot, stated)
		values, err := userValues(row{User: c.User, pass: snapshot.Pass})
		if err != nil {
			b.Fatal(err)
		}
		for i, v := range values {
			if t, ok := v.(time.Time); ok && t.IsZero() {
				values[i] = nil
			}
		}
		users = append(users, values)
		for _, m := range c.User.Groups {
			memberships = append(memberships, []any{snapshot.Issuer, snapshot.Subject, m.Name})
		}
	}
	return users, memberships
}

func (r *bareReplica) load(ctx context.Context, users, memberships [][]any) error {
	tx, err := r.conn.Begin(ctx)
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	columns := strings.Join(userColumns, ", ")
	var set []string
	for _, c := range userColumns[2:] {
		set = append(set, c+" = excluded."+c)
	}
	run := func(statement string) {
		if err == nil {
			_, err = tx.Exec(ctx, statement)
		}
	}
	load := func(table string, columns []string, rows [][]any) {
		if err == nil {
			_, err = tx.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromRows(rows))
		}
	}
	run("CREATE TEMPORARY TABLE new_users ON COMMIT DROP AS SELECT " + columns + " FROM codegrant_users WITH NO DATA")
	run("CREATE TEMPORARY TABLE new_memberships (issuer text, subject text, name text) ON COMMIT DROP")
	load("new_users", userColumns, users)
	load("new_memberships", []string{"issuer", "subject", "name"}, memberships)
	run("INSERT INTO codegrant_users (" + columns + ") SELECT " + columns + " FROM new_users ON CONFLICT (issuer, subject) DO UPDATE SET " + strings.Join(set, ", "))
	run("INSERT INTO codegrant_groups (issuer, name, origin, created_at, updated_at) SELECT DISTINCT issuer, name, 'pool', now(), now() FROM new_memberships" +
		" ON CONFLICT (issuer, name) DO UPDATE SET origin = excluded.origin, updated_at = excluded.updated_at")
	run("INSERT INTO codegrant_memberships (user_id, group_id, from_pool, from_local) SELECT u.id, g.id, TRUE, FALSE FROM new_memberships n" +
		" JOIN codegrant_users u ON u.issuer = n.issuer AND u.subject = n.subject JOIN codegrant_groups g ON g.issuer = n.issuer AND g.name = n.name" +
		" ON CONFLICT (user_id, group_id) DO UPDATE SET from_pool = excluded.from_pool")
	if err != nil {
		return err
	}
	return tx.Commit(ctx)
}
