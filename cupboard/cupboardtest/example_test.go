package cupboardtest_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/cupboard/cupboardtest"
)

// The test of a cupboard of your own. Each case gets a store that is empty.
func ExampleRun() {
	test := func(t *testing.T) {
		cupboardtest.Run(t, func(_ *testing.T, clock *cupboardtest.Clock) cupboardtest.Harness {
			return cupboardtest.Harness{Store: cupboard.NewMemory(clock.Now), Clock: clock}
		})
	}
	_ = test // TestStore, in your package
}

// A clock that tests move: a record ends without waiting for it.
func ExampleClock() {
	ctx, clock := context.Background(), new(cupboardtest.Clock)
	store := cupboard.NewMemory(clock.Now)
	codes := cupboard.Kind{Name: "codes", MaxRecords: 1000, MaxOfPerson: 10, MaxBytes: 64}
	if err := store.Put(ctx, codes, cupboard.Record{Key: cupboard.Key("code", "1234"), Value: []byte("alice"), Until: clock.Now().Add(time.Minute)}); err != nil {
		fmt.Println(err)
	}
	record, err := store.Get(ctx, codes, cupboard.Key("code", "1234"))
	fmt.Println(string(record.Value), err)

	clock.Advance(2 * time.Minute)
	_, err = store.Get(ctx, codes, cupboard.Key("code", "1234"))
	fmt.Println(errors.Is(err, cupboard.ErrNotFound))
	// Output:
	// alice <nil>
	// true
}
