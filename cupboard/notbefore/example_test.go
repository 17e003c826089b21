package notbefore_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"time"

	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/cupboard/notbefore"
)

// A mark refuses what the pool gave to a person before a moment. Every process with the
// same store knows it within a second.
func Example() {
	marks := notbefore.New(notbefore.Config{Store: cupboard.NewMemory(nil), Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	defer marks.Close()
	ctx, issuer := context.Background(), "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E"
	if err := marks.Leave(ctx, issuer, "s-1", time.Now(), "an operator"); err != nil {
		log.Fatal(err)
	}
	for _, subject := range []string{"s-1", "s-2"} {
		at, err := marks.NotBefore(ctx, issuer, subject)
		fmt.Println(subject, !at.IsZero(), err)
	}
	// Output:
	// s-1 true <nil>
	// s-2 false <nil>
}
