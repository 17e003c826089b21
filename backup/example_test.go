package backup_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log"
	"os"

	"filippo.io/age"

	"github.com/codegrant/codegrant/backup"
)

// Everybody of one database, in a file that only a holder of the key can read, and from
// there in another database.
func Example() {
	var here, there *sql.DB // the tables of both are migrated
	ctx := context.Background()

	run := func() error {
		key, err := age.GenerateX25519Identity()
		if err != nil {
			return err
		}
		file, err := os.Create("people.backup")
		if err != nil {
			return err
		}
		if _, err := backup.Write(ctx, backup.Config{DB: here, Dialect: backup.PostgreSQL}, file, key.Recipient()); err != nil {
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
		open := func() (io.ReadCloser, error) { return os.Open("people.backup") }
		s, err := backup.Restore(ctx, backup.Config{DB: there, Dialect: backup.SQLite}, open, backup.Options{Identities: []age.Identity{key}})
		if err == nil {
			fmt.Println(s.Rows["people"], "people")
		}
		return err
	}
	if here != nil {
		if err := run(); err != nil {
			log.Fatal(err)
		}
	}
}
