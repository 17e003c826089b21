package inspect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/codegrant/codegrant/broker"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
)

type Grants struct {
	List grantsList `cmd:"" default:"withargs" help:"List the grants that people gave to programs."`
	End  grantsEnd  `cmd:"" help:"End one grant, all grants of a person, or all grants of a program."`
}

// Help is shown by codegrant grants --help.
func (Grants) Help() string {
	return `Examples:
  codegrant grants --user alice@example.com
  codegrant grants end --client https://tool.example.com/client.json`
}

type grantsList struct {
	parts.Inspection
	User   string `env:"-" placeholder:"WHO" help:"Only grants of this person: row, sub, username or e-mail address."`
	Client string `env:"-" placeholder:"ID" help:"Only grants of this program: its client id, or the URL of its document."`
	Limit  int    `env:"-" default:"100" help:"Maximum number of grants."`
}

// Help is shown by codegrant grants --help.
func (grantsList) Help() string {
	return `Lists the grants that people gave to programs, if the gateway is the authorization
server (broker in its configuration). People see and end their own grants at
/oauth/grants.

Examples:
  codegrant grants --user alice@example.com
  codegrant grants end --user alice@example.com
  codegrant grants end --client https://tool.example.com/client.json`
}

const grantsHeader = "GRANT\tSUBJECT\tPROGRAM\tRESOURCE\tSCOPES\tENDS"

// found lists the grants of a pool's people, of one person and program where they are named.
func found(ctx context.Context, o *parts.Opened, who, client string, limit int) ([]broker.Grant, error) {
	subject, err := subjectOf(ctx, o, who)
	if err != nil {
		return nil, err
	}
	all := []broker.Grant{}
	err = broker.NewGrants(o.Shelves, o.Keys).List(ctx, subject, func(g broker.Grant) bool {
		if g.Issuer == o.Issuer && (client == "" || g.Client == client) {
			all = append(all, g)
		}
		return limit == 0 || len(all) < limit
	})
	return all, err
}

func (c grantsList) Run(ctx context.Context, out *terminal.Streams) error {
	o, err := c.OpenGrants(ctx)
	if err != nil {
		return err
	}
	defer o.Close()
	all, err := found(ctx, o, c.User, c.Client, c.Limit)
	if err != nil {
		return err
	}
	if c.JSON {
		return terminal.PrintJSON(out.Stdout, all)
	}
	var rows [][]string
	for _, g := range all {
		rows = append(rows, []string{g.Key, g.Subject, terminal.Printable(g.Client), terminal.Printable(g.Resource), terminal.Printable(strings.Join(g.Scopes, " ")), terminal.ShortTime(g.Ends)})
	}
	return terminal.Table(out.Stdout, grantsHeader, rows)
}

type grantsEnd struct {
	parts.Inspection
	Key    string `arg:"" optional:"" name:"grant" help:"Id of the grant, from codegrant grants list."`
	User   string `env:"-" placeholder:"WHO" help:"All grants of this person."`
	Client string `env:"-" placeholder:"ID" help:"All grants of this program, and the program itself if it has registered. With --user, only the grants of the person."`
}

// Help is shown by codegrant grants end --help.
func (grantsEnd) Help() string {
	return `All gateways refuse the tokens of an ended grant within a second. For each grant, it
writes a log line to the standard error that says who ended it, in the format of the
gateway's log.

A program can ask the person again. With --client alone, a program that has registered
(its id begins with r.) ends too: nobody can consent to it again, and it must register
again. A program of the configuration, or with a document, can still ask.

Examples:
  codegrant grants end --user alice@example.com
  codegrant grants end --user alice@example.com --client https://tool.example.com/client.json
  codegrant grants end -- -q27wAAAAAAA      if the id begins with a dash`
}

func (c grantsEnd) Run(ctx context.Context, out *terminal.Streams) error {
	if (c.Key == "") == (c.User == "" && c.Client == "") {
		return errors.New("name a grant, or a person with --user, or a program with --client")
	}
	o, err := c.OpenGrants(ctx)
	if err != nil {
		return err
	}
	defer o.Close()
	shelf := broker.NewGrants(o.Shelves, o.Keys)
	audit, by, ended := auditLog(out.Stderr), parts.Operator(), 0
	program := ""
	if c.Key == "" && c.User == "" {
		// Before its grants: no other comes after they were listed.
		switch err := shelf.EndClient(ctx, c.Client); {
		case err == nil:
			program = "the program and "
			audit.InfoContext(ctx, "client ended", "client", c.Client, "reason", by)
		case !errors.Is(err, broker.ErrNoClient):
			return err
		}
	}
	var all []broker.Grant
	if c.Key == "" {
		all, err = found(ctx, o, c.User, c.Client, 0)
	} else {
		var one broker.Grant
		one, err = shelf.Get(ctx, c.Key)
		if errors.Is(err, broker.ErrNoGrant) || err == nil && one.Issuer != o.Issuer {
			return fmt.Errorf("there is no live grant %s; codegrant grants lists them", terminal.Printable(c.Key))
		}
		all = append(all, one)
	}
	if err != nil {
		return err
	}
	for _, g := range all {
		err := shelf.End(ctx, g.Key)
		if errors.Is(err, broker.ErrNoGrant) {
			continue // somebody else has
		}
		if err != nil {
			return err
		}
		ended++
		audit.InfoContext(ctx, "grant ended", "sub", g.Subject, "client", g.Client, "resource", g.Resource, "reason", by)
	}
	fmt.Fprintf(out.Stdout, "ended %s%s\n", program, terminal.Plural(ended, "grant"))
	return nil
}

// auditLog writes lines as the gateway's log has them.
func auditLog(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
