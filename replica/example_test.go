package replica_test

import (
	"fmt"
	"time"

	"github.com/codegrant/codegrant/replica"
)

// The policy decides what becomes of a user when the pool says something new: Mirror takes
// groups of the pool away, AddOnly does not.
func ExampleDecide() {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	said := replica.Snapshot{
		Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E", Subject: "s-1", Username: "alice",
		Groups: []replica.GroupRef{{Name: "editors"}}, GroupsKnown: true, At: at,
	}
	first := replica.Decide(replica.Mirror, nil, said, at)
	fmt.Println("created:", first.Created)

	said.Groups, said.At = []replica.GroupRef{{Name: "admins"}}, at.Add(time.Hour)
	for name, policy := range map[string]replica.Policy{"mirror": replica.Mirror, "add only": replica.AddOnly} {
		change := replica.Decide(policy, &first.User, said, said.At)
		names := make([]string, 0, 2)
		for _, m := range change.User.Groups {
			names = append(names, m.Name)
		}
		fmt.Println(name+":", names)
	}
	// Unordered output:
	// created: true
	// mirror: [admins]
	// add only: [admins editors]
}
