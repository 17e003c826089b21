package inspect

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/replica"
)

type Users struct {
	List usersList `cmd:"" default:"withargs" help:"List the people in the replica."`
	Show usersShow `cmd:"" help:"Show a person, with groups and sessions."`

	Duplicates usersDuplicates `cmd:"" help:"List people who may be the same person: several with one verified address. With Django: conflicting accounts."`
	Merge      usersMerge      `cmd:"" help:"Merge two people who are the same person."`
	Unlink     usersUnlink     `cmd:"" help:"Undo a merge: make an identity a separate person again."`
	Erase      usersErase      `cmd:"" help:"Remove a person from everything that Codegrant stores."`
	Erasures   usersErasures   `cmd:"" help:"List the receipts of erasures."`
	Relink     usersRelink     `cmd:"" help:"Link an account of a Django project to a person."`
}

// Help is shown by codegrant users --help.
func (Users) Help() string {
	return `Examples:
  codegrant users
  codegrant users --search ali
  codegrant users show alice@example.com
  codegrant users duplicates`
}

type usersList struct {
	parts.Inspection
	Search  string `env:"-" placeholder:"TEXT" help:"Only people whose username, e-mail address or name begins with this text."`
	Group   string `env:"-" placeholder:"NAME" help:"Only members of this group."`
	Deleted bool   `env:"-" help:"Include deleted people."`
	Limit   int    `env:"-" default:"50" help:"Maximum number of people."`
	After   string `env:"-" placeholder:"CURSOR" help:"Continue after the cursor that the previous page printed."`
}

// Help is shown by codegrant users list --help.
func (usersList) Help() string {
	return `Examples:
  codegrant users
  codegrant users --group admins
  codegrant users --search ali --json`
}

func (c usersList) Run(ctx context.Context, out *terminal.Streams) error {
	o, err := c.OpenPeople(ctx)
	if err != nil {
		return err
	}
	defer o.Close()
	page, err := o.Users.Users(ctx, replica.UserQuery{Issuer: o.Issuer, Search: c.Search, Group: c.Group, Deleted: c.Deleted, After: c.After, Limit: c.Limit})
	if err != nil {
		return err
	}
	people := make([]parts.Person, 0, len(page.Users))
	var rows [][]string
	for _, u := range page.Users {
		p := parts.NewPerson(u)
		people = append(people, p)
		rows = append(rows, []string{fmt.Sprint(p.ID), p.Username, p.Email, p.State(), strings.Join(p.Groups, " "), terminal.ShortTime(p.LastSignIn)})
	}
	if c.JSON {
		return terminal.PrintJSON(out.Stdout, map[string]any{"users": people, "next": page.Next})
	}
	if err := terminal.Table(out.Stdout, "ID\tUSERNAME\tEMAIL\tSTATE\tGROUPS\tLAST SIGN-IN", rows); err != nil {
		return err
	}
	if page.Next != "" {
		fmt.Fprintf(out.Stdout, "\nmore: --after %s\n", page.Next)
	}
	return nil
}

type usersShow struct {
	parts.Inspection
	Who  string `arg:"" help:"Row, sub, username or e-mail address, as it is now."`
	AsOf string `env:"-" placeholder:"TIME" help:"Show the person at this time: 2026-03-01T12:00:00Z, 2026-03-01 (start of the day, UTC), or how long ago, such as 36h."`
}

// Help is shown by codegrant users show --help.
func (usersShow) Help() string {
	return `--as-of needs the history (replica: {history: 720h} in the configuration) to reach back
that far.

Examples:
  codegrant users show alice@example.com
  codegrant users show alice@example.com --as-of 36h --json`
}

func (c usersShow) Run(ctx context.Context, out *terminal.Streams) error {
	o, err := c.OpenUsers(ctx)
	if err != nil {
		return err
	}
	defer o.Close()
	u, err := o.Find(ctx, c.Who)
	if err != nil {
		return err
	}
	if c.AsOf != "" {
		return c.asOf(ctx, out, o, u)
	}
	identities, err := o.Users.Identities(ctx, u.Person())
	if err != nil {
		return err
	}
	p, sessions := parts.NewPerson(u), []held{}
	if o.Sessions != nil {
		if sessions, err = listSessions(ctx, o, identities, maxListed); err != nil {
			return err
		}
	}
	if c.JSON {
		return terminal.PrintJSON(out.Stdout, map[string]any{"user": p, "sessions": sessions, "person": u.Person(), "identities": newIdentities(identities)})
	}
	printPerson(out.Stdout, p)
	if len(identities) > 1 {
		fmt.Fprintln(out.Stdout)
		if err := printIdentities(out.Stdout, identities); err != nil {
			return err
		}
	}
	if len(sessions) > 0 {
		fmt.Fprintln(out.Stdout)
		return terminal.Table(out.Stdout, heldHeader, heldRows(sessions))
	}
	return nil
}

func printPerson(w io.Writer, p parts.Person) {
	verified := ""
	if !p.EmailVerified {
		verified = " (not verified)"
	}
	for _, line := range [][2]string{
		{"ID", fmt.Sprint(p.ID)}, {"Subject", p.Subject}, {"Username", p.Username}, {"E-mail", p.Email + verified}, {"Name", p.Name},
		{"State", strings.TrimSpace(p.State() + " " + p.Status)}, {"Groups", strings.Join(p.Groups, ", ")}, {"Last sign-in", terminal.ShortTime(p.LastSignIn)},
	} {
		fmt.Fprintf(w, "%-13s %s\n", line[0], terminal.Printable(line[1]))
	}
}
