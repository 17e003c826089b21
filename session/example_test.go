package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/codegrant/codegrant/session"
)

// A store keeps a hash and ciphertext. Two processes that change a session at the same
// moment do not overwrite each other.
func ExampleStore() {
	ctx := context.Background()
	var store session.Store = session.NewMemoryStore(session.MemoryConfig{})
	handle := session.NewHandle() // what the cookie carries
	record := session.Record{
		ID: handle.RecordID(), Pool: "eu-west-1_Ab12Cd34E web", Subject: "s-1",
		Created: time.Now(), LastSeen: time.Now(), Expires: time.Now().Add(time.Hour), Sealed: []byte("ciphertext"),
	}
	if err := store.Create(ctx, record); err != nil {
		log.Fatal(err)
	}
	read, err := store.Get(ctx, record.ID)
	if err != nil {
		log.Fatal(err)
	}
	changed, err := store.CompareAndSwap(ctx, read)
	fmt.Println("version", changed.Version, err)
	_, err = store.CompareAndSwap(ctx, read) // who read the same version comes too late
	fmt.Println(errors.Is(err, session.ErrConflict))
	// Output:
	// version 2 <nil>
	// true
}

// A ring of keys seals small values for the browser. A new key goes to the front; values
// of the old one can still be opened.
func ExampleKeyring() {
	old, next := []byte("kD8s0fQ2mXv7Lr4tYb1nHc6wZe9jUa3p"), []byte("Tq5xGm2vRk8bNd1hWc7yLs4fJz0pEa6u") // openssl rand, of your own
	before, err := session.NewKeyring(old)
	if err != nil {
		log.Fatal(err)
	}
	sealed := before.Seal("flash", []byte("hello"), nil)
	after, err := session.NewKeyring(next, old)
	if err != nil {
		log.Fatal(err)
	}
	opened, err := after.Open("flash", sealed, nil)
	fmt.Printf("%s %v\n", opened, err)
	_, err = after.Open("another purpose", sealed, nil)
	fmt.Println(errors.Is(err, session.ErrSealed))
	// Output:
	// hello <nil>
	// true
}
