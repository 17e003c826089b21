package orgs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/replica"
)

// person finds who is to be made a member, or none any more. An address stands for whom the
// pool has verified it for: anybody can sign up with somebody else's.
func (o *opened) person(ctx context.Context, name string) (replica.User, error) {
	if !strings.Contains(name, "@") {
		return o.Find(ctx, name)
	}
	all, err := o.Users.UsersByEmail(ctx, o.Issuer, name)
	if err != nil {
		return replica.User{}, err
	}
	all = slices.DeleteFunc(all, func(u replica.User) bool { return !u.EmailVerified })
	switch len(all) {
	case 0:
		return replica.User{}, fmt.Errorf("the replica has no person whose address %s is verified; use the sub of the person, or a username that is not an address: codegrant users list --search %s", name, name)
	case 1:
		return all[0], nil
	}
	return replica.User{}, fmt.Errorf("%d people have the address %s; use the sub of one of them: codegrant users list --search %s", len(all), name, name)
}

// changed is what became of a person, as programs get it.
type changed struct {
	Organization string `json:"organization"`
	Person       int64  `json:"id"`
	Username     string `json:"username,omitempty"`
	Subject      string `json:"sub"`
	Role         string `json:"role,omitempty"` // empty: none any more
}

// tell says whom a command made what.
func (c one) tell(out *terminal.Streams, who replica.User, role string) error {
	if c.JSON {
		return terminal.PrintJSON(out.Stdout, changed{c.Organization, who.ID, who.Username, who.Subject, role})
	}
	what := "is not a member of " + c.Organization + " any more"
	if role != "" {
		what = "is " + role + " in " + c.Organization
	}
	_, err := fmt.Fprintf(out.Stdout, "row %d, username %s, sub %s: %s\n", who.ID, terminal.Printable(who.Username), who.Subject, what)
	return err
}
