package restore_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/localpool"
	"github.com/codegrant/codegrant/replica/sqlreplica"
	"github.com/codegrant/codegrant/restore"
)

// A pool on this machine loses a person, and they are made again as they were. Without the
// call of Do it is a plan.
func Example() {
	ctx := context.Background()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	defer server.Close()
	pool, err := localpool.New(localpool.Config{Seed: localpool.DefaultSeed("http://localhost"), BaseURL: server.URL, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	handler = pool
	id, issuer := pool.Clients()[0].PoolID, pool.Clients()[0].Issuer
	client := cip.New(cip.Options{Region: "local", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})

	db, err := sql.Open("sqlite", "file:restored?mode=memory&cache=shared&_pragma=foreign_keys(1)")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	users, err := sqlreplica.New(db, sqlreplica.Config{Dialect: sqlreplica.SQLite, History: &sqlreplica.History{Keep: 24 * time.Hour}})
	if err != nil {
		log.Fatal(err)
	}
	if err := users.Migrate(ctx); err != nil {
		log.Fatal(err)
	}
	source, err := directory.NewCognito(directory.CognitoConfig{PoolID: id, Client: client})
	if err != nil {
		log.Fatal(err)
	}
	sync, err := directory.New(directory.Config{Source: source, Issuer: issuer, Replica: users, Journal: directory.NewMemoryJournal()})
	if err != nil {
		log.Fatal(err)
	}
	pass := func() { // as codegrant sync --full makes them
		if _, err := sync.Run(ctx, directory.Options{Full: true, Fresh: true, MaxShare: 1}); err != nil {
			log.Fatal(err)
		}
	}
	pass()
	before := time.Now()
	time.Sleep(2 * time.Millisecond) // the history counts in milliseconds
	if err := pool.DeleteUser(id, "bob"); err != nil {
		log.Fatal(err)
	}
	pass()

	r, err := restore.New(restore.Config{Client: client, PoolID: id, Issuer: issuer, Replica: users, At: before, By: "operator on call"})
	if err != nil {
		log.Fatal(err)
	}
	err = r.Plan(ctx, func(step restore.Step) error {
		fmt.Println(step.Kind, step.Then.Username, step.Then.Email)
		step, err := r.Do(ctx, step)
		fmt.Println("made:", step.Subject != "")
		return err
	})
	fmt.Println(err)
	// Output:
	// make bob bob@example.com
	// made: true
	// <nil>
}
