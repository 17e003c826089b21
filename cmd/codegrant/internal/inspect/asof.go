package inspect

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/replica"
)

// asOf shows how a person was at a time.
func (c usersShow) asOf(ctx context.Context, out *terminal.Streams, o *parts.Opened, u replica.User) error {
	at, err := parts.ParseMoment(c.AsOf, time.Now())
	if err != nil {
		return err
	}
	then, err := o.Users.AsOf(ctx, []replica.User{u}, at)
	if err != nil {
		return err
	}
	if len(then) == 0 {
		return fmt.Errorf("the replica did not know %s at %s: their row was made at %s", terminal.Printable(c.Who), at.Format(time.RFC3339), u.Created.Format(time.RFC3339))
	}
	was := then[0]
	if c.JSON {
		return terminal.PrintJSON(out.Stdout, map[string]any{"as_of": at, "user": replica.NewRecordedUser(was)})
	}
	fmt.Fprintf(out.Stdout, "%-13s %s\n", "As of", at.Format(time.RFC3339))
	printPerson(out.Stdout, parts.NewPerson(was))
	for _, name := range slices.Sorted(maps.Keys(was.Custom)) {
		fmt.Fprintf(out.Stdout, "%-13s %s\n", terminal.Printable(name), terminal.Printable(was.Custom[name]))
	}
	return nil
}
