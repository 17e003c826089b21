package localpool_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/codegrant/codegrant/localpool"
)

// A user pool in this process, with what a seed says. It answers as Cognito's endpoints do.
func Example() {
	seed, err := localpool.ParseSeed([]byte(`
pools:
  - id: local_Shop1
    clients:
      - {id: web, callback_urls: ["http://localhost:8080/auth/callback"]}
    users: [{username: carol, email: carol@example.com, password: Passw0rd!}]
`))
	if err != nil {
		log.Fatal(err)
	}
	var pool *localpool.Server
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { pool.ServeHTTP(w, r) }))
	defer server.Close()
	if pool, err = localpool.New(localpool.Config{Seed: seed, BaseURL: server.URL}); err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	for _, client := range pool.Clients() {
		fmt.Println(client.ID, client.PoolID, client.Issuer == server.URL+"/local_Shop1")
	}
	answer, err := http.Get(server.URL + "/local_Shop1/.well-known/jwks.json")
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	fmt.Println(answer.Status)
	// Output:
	// web local_Shop1 true
	// 200 OK
}
