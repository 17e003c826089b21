package inspect

import (
	"context"
	"fmt"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/replica"
)

type Groups struct {
	List groupsList `cmd:"" default:"withargs" help:"List the groups in the replica."`
}

// Help is shown by codegrant groups --help.
func (Groups) Help() string {
	return `Examples:
  codegrant groups
  codegrant users --group admins     its members`
}

type groupsList struct {
	parts.Inspection
	Limit int    `env:"-" default:"100" help:"Maximum number of groups."`
	After string `env:"-" placeholder:"CURSOR" help:"Continue after the cursor that the previous page printed."`
}

// Help is shown by codegrant groups --help.
func (groupsList) Help() string {
	return `Examples:
  codegrant groups
  codegrant users --group admins     its members`
}

func (c groupsList) Run(ctx context.Context, out *terminal.Streams) error {
	o, err := c.OpenPeople(ctx)
	if err != nil {
		return err
	}
	defer o.Close()
	page, err := o.Users.Groups(ctx, replica.GroupQuery{Issuer: o.Issuer, After: c.After, Limit: c.Limit})
	if err != nil {
		return err
	}
	type group struct {
		ID     int64  `json:"id"`
		Name   string `json:"name"`
		Origin string `json:"origin"`
	}
	groups, rows := []group{}, [][]string{}
	for _, g := range page.Groups {
		groups = append(groups, group{g.ID, g.Name, string(g.Origin)})
		rows = append(rows, []string{fmt.Sprint(g.ID), g.Name, string(g.Origin)})
	}
	if c.JSON {
		return terminal.PrintJSON(out.Stdout, map[string]any{"groups": groups, "next": page.Next})
	}
	return terminal.Table(out.Stdout, "ID\tNAME\tORIGIN", rows)
}
