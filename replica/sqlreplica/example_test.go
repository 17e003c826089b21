package sqlreplica_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

const issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"

// openDatabase opens a database of one file, as an application would.
func openDatabase(dir string) *sql.DB {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "users.db")+
		"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=foreign_keys(1)")
	if err != nil {
		log.Fatal(err)
	}
	return db
}

// What a sign-in states is applied; what changed comes back.
func ExampleStore_Apply() {
	dir, _ := os.MkdirTemp("", "example-")
	defer os.RemoveAll(dir)
	db := openDatabase(dir)
	defer db.Close()

	users, err := sqlreplica.New(db, sqlreplica.Config{Dialect: sqlreplica.SQLite})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if err := users.Migrate(ctx); err != nil {
		log.Fatal(err)
	}

	signIn := replica.Snapshot{
		Issuer: issuer, Subject: "5f1c…", Username: "alice", Email: "alice@example.com", EmailVerified: true,
		Groups: []replica.GroupRef{{Name: "admins"}, {Name: "analysts"}}, GroupsKnown: true,
		SignIn: true, At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
	change, err := users.Apply(ctx, signIn)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("created:", change.Created, "joined:", change.GroupsAdded)

	signIn.Groups = signIn.Groups[:1] // an hour later the pool has her in one group less
	signIn.At = signIn.At.Add(time.Hour)
	if change, err = users.Apply(ctx, signIn); err != nil {
		log.Fatal(err)
	}
	fmt.Println("changed:", change.Fields, "left:", change.GroupsRemoved)

	// Output:
	// created: true joined: [admins analysts]
	// changed: [groups last_sign_in] left: [analysts]
}

// The application's own rows are committed together with the replica's, or not at
// all: here everybody who is new has an empty profile.
func ExampleConfig_onChange() {
	dir, _ := os.MkdirTemp("", "example-")
	defer os.RemoveAll(dir)
	db := openDatabase(dir)
	defer db.Close()

	users, err := sqlreplica.New(db, sqlreplica.Config{
		Dialect: sqlreplica.SQLite,
		OnChange: func(ctx context.Context, tx *sql.Tx, change replica.Change) error {
			if !change.Created {
				return nil
			}
			_, err := tx.ExecContext(ctx, "INSERT INTO profiles (user_id, motto) VALUES (?, '')", change.User.ID)
			return err
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if err := users.Migrate(ctx); err != nil {
		log.Fatal(err)
	}
	if _, err := db.ExecContext(ctx, "CREATE TABLE profiles (user_id INTEGER PRIMARY KEY REFERENCES codegrant_users (id), motto TEXT NOT NULL)"); err != nil {
		log.Fatal(err)
	}

	if _, err := users.Apply(ctx, replica.Snapshot{Issuer: issuer, Subject: "5f1c…", Username: "alice", At: time.Now()}); err != nil {
		log.Fatal(err)
	}
	var username string
	if err := db.QueryRowContext(ctx, "SELECT u.username FROM codegrant_users u JOIN profiles p ON p.user_id = u.id").Scan(&username); err != nil {
		log.Fatal(err)
	}
	fmt.Println(username, "has a profile")

	// Output:
	// alice has a profile
}

// A pass over the whole pool: pages of the directory are applied in batches, and
// whom none of them named is swept.
func ExampleStore_Sweep() {
	dir, _ := os.MkdirTemp("", "example-")
	defer os.RemoveAll(dir)
	db := openDatabase(dir)
	defer db.Close()

	users, err := sqlreplica.New(db, sqlreplica.Config{Dialect: sqlreplica.SQLite})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if err := users.Migrate(ctx); err != nil {
		log.Fatal(err)
	}
	pass := func(name string, began time.Time, usernames ...string) {
		var page []replica.Snapshot
		for _, username := range usernames {
			page = append(page, replica.Snapshot{
				Issuer: issuer, Subject: "sub of " + username, Username: username,
				Groups: []replica.GroupRef{{Name: "staff"}}, GroupsKnown: true, Complete: true,
				Pass: name, At: began.Add(time.Second),
			})
		}
		if _, err := users.ApplyBatch(ctx, page); err != nil {
			log.Fatal(err)
		}
		result, err := users.Sweep(ctx, issuer, name, replica.SweepOptions{Began: began, MaxShare: 0.25})
		fmt.Printf("%s: %d unseen of %d, too many: %v\n", name, result.Unseen, result.Known, errors.Is(err, replica.ErrSweepTooLarge))
		for _, change := range result.Changes {
			fmt.Println(change.User.Username, "has left", change.GroupsRemoved)
		}
	}

	monday := time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)
	pass("monday", monday, "alice", "bob", "carol", "dave")
	pass("tuesday", monday.AddDate(0, 0, 1), "alice", "bob", "carol")
	pass("wednesday", monday.AddDate(0, 0, 2)) // the listing was empty

	// Output:
	// monday: 0 unseen of 4, too many: false
	// tuesday: 1 unseen of 4, too many: false
	// dave has left [staff]
	// wednesday: 3 unseen of 3, too many: true
}

// A group that only this application knows, and that the pool cannot take away.
func ExampleStore_GrantLocalGroup() {
	dir, _ := os.MkdirTemp("", "example-")
	defer os.RemoveAll(dir)
	db := openDatabase(dir)
	defer db.Close()

	users, err := sqlreplica.New(db, sqlreplica.Config{Dialect: sqlreplica.SQLite})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if err := users.Migrate(ctx); err != nil {
		log.Fatal(err)
	}
	change, err := users.Apply(ctx, replica.Snapshot{
		Issuer: issuer, Subject: "5f1c…", Username: "alice", Groups: []replica.GroupRef{{Name: "editors"}}, GroupsKnown: true, At: time.Now(),
	})
	if err != nil {
		log.Fatal(err)
	}
	if change, err = users.GrantLocalGroup(ctx, change.User.ID, "beta testers"); err != nil {
		log.Fatal(err)
	}
	for _, m := range change.User.Groups {
		fmt.Printf("%s: %s\n", m.Name, m.Origin)
	}

	// Output:
	// beta testers: local
	// editors: pool
}

// In the database of a Django project, beside the backends that stay in Python.
func ExampleDjango() {
	db, err := sql.Open("sqlite", "file:/srv/site/db.sqlite3?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)")
	if err != nil {
		log.Fatal(err)
	}
	users, err := sqlreplica.New(db, sqlreplica.Config{
		Dialect: sqlreplica.SQLite,
		Django:  &sqlreplica.Django{AdoptVerifiedEmail: true},
	})
	if err != nil {
		log.Fatal(err)
	}
	// Adds codegrant_users, codegrant_groups and codegrant_memberships; changes
	// no table of Django's.
	if err := users.Migrate(context.Background()); err != nil {
		log.Fatal(err)
	}
}
