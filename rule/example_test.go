package rule_test

import (
	"context"
	"fmt"
	"log"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/rule"
)

// Roles name what several routes ask for. Here, everybody in admins is an editor, too.
func Example() {
	rules, err := rule.New(rule.Config{
		Includes: map[string][]string{"admins": {"editors"}},
		Roles:    map[string]rule.Role{"publisher": {AnyGroups: []string{"editors", "press"}}},
	})
	if err != nil {
		log.Fatal(err)
	}
	publisher := rules.Role("publisher") // for auth.Require
	for _, group := range []string{"admins", "press", "interns"} {
		may, err := publisher.Check(context.Background(), &codegrant.Identity{Groups: []string{group}}, nil)
		fmt.Println(group, may, err)
	}
	// Output:
	// admins true <nil>
	// press true <nil>
	// interns false <nil>
}
