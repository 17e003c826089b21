package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/codegrant/codegrant/session"
	"github.com/codegrant/codegrant/session/redisstore"
)

func Example() {
	sessions, err := redisstore.New(redisstore.Config{URL: "redis://localhost:6379/0"})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sessions.Close()

	ctx := context.Background()
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

	switch record, err = sessions.Get(ctx, handle.RecordID()); {
	case errors.Is(err, session.ErrNotFound):
		fmt.Println("sign in")
	case errors.Is(err, session.ErrUnavailable):
		fmt.Println("try again:", err)
	default:
		content, err := handle.Open(record)
		fmt.Println(string(content), err)
	}
}

// A cluster, by some of its nodes, with a user of its own and an encrypted
// connection.
func ExampleNew_cluster() {
	sessions, err := redisstore.New(redisstore.Config{
		URL:      "rediss://one.example:6379,two.example:6379,three.example:6379",
		Username: "codegrant",
		Password: "from a file or a secret store",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sessions.Close()
	fmt.Println(sessions.Shared())
	// Output: true
}
