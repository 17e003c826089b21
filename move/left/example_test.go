package left_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"strings"
	"time"

	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/move"
	"github.com/codegrant/codegrant/move/left"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// The replica has heard that alice was in the new pool, and that she was deleted there.
func ExampleLeavers() {
	const old, now = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E", "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Ef56Gh78I"
	ctx := context.Background()
	db, err := sql.Open("sqlite", "file:leavers?mode=memory&cache=shared")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	users, err := sqlreplica.New(db, sqlreplica.Config{Dialect: sqlreplica.SQLite})
	if err != nil {
		log.Fatal(err)
	}
	if err := users.Migrate(ctx); err != nil {
		log.Fatal(err)
	}
	tickets, err := move.NewTickets([]byte(strings.Repeat("k", move.KeySize)), "eu-west-1_Ab12Cd34E", "eu-central-1_Ef56Gh78I")
	if err != nil {
		log.Fatal(err)
	}
	at := time.Now().Add(-time.Hour)
	for _, u := range []replica.Snapshot{
		{Issuer: old, Subject: "alice-there", Username: "alice", At: at},
		{Issuer: now, Subject: "alice-here", Username: "alice", At: at, SignIn: true, Of: &replica.Of{Issuer: old, Subject: "alice-there", By: "sign-in"}},
	} {
		if _, err := users.Apply(ctx, u); err != nil {
			log.Fatal(err)
		}
	}
	leavers := left.New(users, tickets, old, now)
	fmt.Println(leavers.Has(ctx, "alice-there", ""))
	// A pass over the new pool does not find her.
	if _, err := users.Sweep(ctx, now, "a pass", replica.SweepOptions{Began: time.Now(), MaxShare: 1}); err != nil {
		log.Fatal(err)
	}
	tickets.Left = leavers.Has // the ticket of the move does not bring her back
	fmt.Println(leavers.Has(ctx, "alice-there", ""))
	// Output:
	// false <nil>
	// true <nil>
}
