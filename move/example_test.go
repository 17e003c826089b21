package move_test

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log"

	"github.com/codegrant/codegrant/move"
)

// The trigger issues tickets, and the application opens them. Nobody else can make one.
func ExampleTickets() {
	key := make([]byte, move.KeySize) // in practice one that both have
	_, _ = rand.Read(key)
	tickets, err := move.NewTickets(key, "eu-west-1_Ab12Cd34E", "eu-central-1_Ef56Gh78I")
	if err != nil {
		log.Fatal(err)
	}
	subject, err := tickets.Open(tickets.Issue("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"))
	fmt.Println(subject, err)
	_, err = tickets.Open("aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee.forged")
	fmt.Println(errors.Is(err, move.ErrTicket))
	// Output:
	// aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee <nil>
	// true
}
