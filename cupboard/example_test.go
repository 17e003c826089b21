package cupboard_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/codegrant/codegrant/cupboard"
)

var invitations = cupboard.Kind{Name: "invitations", MaxRecords: 1000, MaxOfPerson: 10, MaxBytes: 256}

// Small records that end by themselves. Of all who take one, one gets it.
func ExampleStore() {
	ctx := context.Background()
	var store cupboard.Store = cupboard.NewMemory(nil)
	key := cupboard.Key("invitation", "k3vq7r2o") // a hash
	if err := store.Put(ctx, invitations, cupboard.Record{Key: key, Value: []byte("carol"), Until: time.Now().Add(time.Hour)}); err != nil {
		log.Fatal(err)
	}
	record, err := store.Take(ctx, invitations, key)
	fmt.Printf("%s %v\n", record.Value, err)
	_, err = store.Take(ctx, invitations, key)
	fmt.Println(errors.Is(err, cupboard.ErrNotFound))
	// Output:
	// carol <nil>
	// true
}
