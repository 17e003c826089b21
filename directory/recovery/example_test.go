package recovery_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/directory/recovery"
	"github.com/codegrant/codegrant/localpool"
)

// A pool on this machine counts what a recovery to half an hour ago would change, and then
// takes changes again. Start in the place of Cancel would make the changes.
func Example() {
	ctx := context.Background()
	var handler http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	defer server.Close()
	clock := time.Now().Add(-time.Hour)
	pool, err := localpool.New(localpool.Config{
		Seed: localpool.DefaultSeed("http://localhost"), BaseURL: server.URL, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return clock },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	handler = pool
	id := pool.Clients()[0].PoolID
	clock = clock.Add(40 * time.Minute)
	if err := pool.DeleteUser(id, "bob"); err != nil {
		log.Fatal(err)
	}
	clock = clock.Add(20 * time.Minute)

	client := cip.New(cip.Options{Region: "local", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})
	own, err := recovery.New(ctx, client, id)
	if err != nil {
		log.Fatal(err)
	}
	r, err := own.Initiate(ctx, clock.Add(-30*time.Minute))
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range r.Preview {
		fmt.Println(c.Entity, c.Create, c.Update, c.Delete)
	}
	r, err = own.Cancel(ctx, r.ID)
	fmt.Println(r.Status == directory.RecoveryCancelled, err)
	// Output:
	// Users 1 0 0
	// Groups 0 0 0
	// User MFAs 0 0 0
	// Passkeys 0 0 0
	// true <nil>
}
