package backup_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"log"
	"time"

	"filippo.io/age"
	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/backup"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// Everybody of one database, in a file that only a holder of the key can read, and from
// there in another database.
func Example() {
	ctx := context.Background()
	open := func(name string) (*sql.DB, *sqlreplica.Store) { // with the tables of the replica
		db, err := sql.Open("sqlite", "file:"+name+"?mode=memory&cache=shared&_pragma=foreign_keys(1)")
		if err != nil {
			log.Fatal(err)
		}
		users, err := sqlreplica.New(db, sqlreplica.Config{Dialect: sqlreplica.SQLite})
		if err == nil {
			err = users.Migrate(ctx)
		}
		if err != nil {
			log.Fatal(err)
		}
		return db, users
	}
	here, users := open("here")
	defer here.Close()
	there, _ := open("there")
	defer there.Close()
	if _, err := users.Apply(ctx, replica.Snapshot{
		Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E", Subject: "s-1", Username: "alice", At: time.Now(),
	}); err != nil {
		log.Fatal(err)
	}

	key, err := age.GenerateX25519Identity()
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer
	if _, err := backup.Write(ctx, backup.Config{DB: here, Dialect: backup.SQLite}, &file, key.Recipient()); err != nil {
		log.Fatal(err)
	}
	read := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(file.Bytes())), nil }
	s, err := backup.Restore(ctx, backup.Config{DB: there, Dialect: backup.SQLite}, read, backup.Options{Identities: []age.Identity{key}})
	fmt.Println(s.Rows["people"], err)
	// Output: 1 <nil>
}
