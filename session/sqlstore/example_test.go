package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/sqlstore"
)

func Example() {
	folder, err := os.MkdirTemp("", "codegrant")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)

	db, err := sql.Open("sqlite", "file:"+filepath.Join(folder, "app.db")+
		"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()

	sessions, err := sqlstore.New(db, sqlstore.Config{Dialect: sqlstore.SQLite})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := sessions.Migrate(ctx); err != nil {
		fmt.Println(err)
		return
	}

	handle := session.NewHandle() // what the browser is given
	now := time.Now()
	record := session.Record{
		ID: handle.RecordID(), Pool: "issuer and client", Subject: "alice", Created: now, LastSeen: now, Expires: now.Add(time.Hour),
	}
	record.Sealed = handle.Seal(record, []byte("her tokens"))
	if err := sessions.Create(ctx, record); err != nil {
		fmt.Println(err)
		return
	}

	record, err = sessions.Get(ctx, handle.RecordID())
	if err != nil {
		fmt.Println(err)
		return
	}
	content, err := handle.Open(record)
	fmt.Println(string(content), err)

	n, err := sessions.DeleteBySubject(ctx, "issuer and client", "alice")
	fmt.Println(n, err)
	_, err = sessions.Get(ctx, handle.RecordID())
	fmt.Println(errors.Is(err, session.ErrNotFound))
	// Output:
	// her tokens <nil>
	// 1 <nil>
	// true
}

// Expired rows stay until somebody deletes them. Every process may do this; what
// two of them do at once does no harm.
func ExampleStore_DeleteExpired() {
	sweep := func(ctx context.Context, sessions *sqlstore.Store) error {
		tick := time.NewTicker(time.Minute)
		defer tick.Stop()
		for {
			for { // in small bites, so that nobody waits for long
				n, err := sessions.DeleteExpired(ctx, 1000)
				if err != nil {
					slog.WarnContext(ctx, "expired sessions not deleted", "error", err)
				}
				if n < 1000 {
					break
				}
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	_ = sweep
}
