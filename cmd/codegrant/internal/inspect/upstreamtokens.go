package inspect

import (
	"context"
	"errors"
	"fmt"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/upstream"
)

type UpstreamTokens struct {
	List tokensList `cmd:"" default:"withargs" help:"List the tokens that people have at other services."`
	End  tokensEnd  `cmd:"" help:"End and revoke one token, all tokens of a person, or all tokens of a service."`
}

// Help is shown by codegrant upstream-tokens --help.
func (UpstreamTokens) Help() string {
	return `Examples:
  codegrant upstream-tokens --user alice@example.com
  codegrant upstream-tokens end --service github`
}

type tokensList struct {
	parts.Inspection
	User    string `env:"-" placeholder:"WHO" help:"Only tokens of this person: row, sub, username or e-mail address."`
	Service string `env:"-" placeholder:"NAME" help:"Only tokens of this service: its name in upstream_oauth."`
	Limit   int    `env:"-" default:"100" help:"Maximum number of tokens."`
}

// Help is shown by codegrant upstream-tokens --help.
func (tokensList) Help() string {
	return `Lists the tokens that people have at other services (upstream_oauth in the gateway's
configuration). It never prints a token.

Examples:
  codegrant upstream-tokens --user alice@example.com
  codegrant upstream-tokens end --user alice@example.com
  codegrant upstream-tokens end --service github`
}

const tokensHeader = "TOKEN\tSUBJECT\tSERVICE\tSIGNED IN\tEXPIRES\tREFRESHED"

// listTokens lists the tokens of a pool's people, of one person and service where they are named.
func listTokens(ctx context.Context, o *parts.Opened, shelf *upstream.Tokens, who, service string, limit int) ([]upstream.Token, error) {
	subject, err := subjectOf(ctx, o, who)
	if err != nil {
		return nil, err
	}
	all := []upstream.Token{}
	err = shelf.List(ctx, subject, func(t upstream.Token) bool {
		if t.Issuer == o.Issuer && (service == "" || t.Upstream == service) {
			all = append(all, t)
		}
		return limit == 0 || len(all) < limit
	})
	return all, err
}

func (c tokensList) Run(ctx context.Context, out *terminal.Streams) error {
	o, err := c.OpenTokens(ctx)
	if err != nil {
		return err
	}
	defer o.Close()
	shelf, err := upstream.NewTokens(o.Shelves, o.Keys, o.Upstreams...)
	if err != nil {
		return err
	}
	all, err := listTokens(ctx, o, shelf, c.User, c.Service, c.Limit)
	if err != nil {
		return err
	}
	if c.JSON {
		return terminal.PrintJSON(out.Stdout, all)
	}
	var rows [][]string
	for _, t := range all {
		renewed := "no"
		if t.Renewable {
			renewed = "yes"
		}
		rows = append(rows, []string{t.Key, t.Subject, t.Upstream, terminal.ShortTime(t.SignedInAt), terminal.ShortTime(t.Expires), renewed})
	}
	return terminal.Table(out.Stdout, tokensHeader, rows)
}

type tokensEnd struct {
	parts.Inspection
	Key     string `arg:"" optional:"" name:"token" help:"Token, from codegrant upstream-tokens list."`
	User    string `env:"-" placeholder:"WHO" help:"All tokens of this person."`
	Service string `env:"-" placeholder:"NAME" help:"All tokens of this service; with --user, only those of the person."`
}

// Help is shown by codegrant upstream-tokens end --help.
func (tokensEnd) Help() string {
	return `Ends tokens. Within a second, every gateway stops using them, and asks the person
again. If revoke_url is set, the other service revokes the token. If it cannot, the token
still works there, and the exit status is not zero. The command writes one line for each
token to the standard error, with the operator's name, in the form of the gateway's log.

Examples:
  codegrant upstream-tokens end --user alice@example.com
  codegrant upstream-tokens end --user alice@example.com --service github
  codegrant upstream-tokens end -- -q27wAAAAAAA      if the token begins with a dash`
}

func (c tokensEnd) Run(ctx context.Context, out *terminal.Streams) error {
	if (c.Key == "") == (c.User == "" && c.Service == "") {
		return errors.New("name a token, or a person with --user, or a service with --service")
	}
	o, err := c.OpenTokens(ctx)
	if err != nil {
		return err
	}
	defer o.Close()
	shelf, err := upstream.NewTokens(o.Shelves, o.Keys, o.Upstreams...)
	if err != nil {
		return err
	}
	var all []upstream.Token
	if c.Key == "" {
		all, err = listTokens(ctx, o, shelf, c.User, c.Service, 0)
	} else {
		var one upstream.Token
		one, err = shelf.Get(ctx, c.Key)
		if errors.Is(err, upstream.ErrNoToken) || err == nil && one.Issuer != o.Issuer {
			return fmt.Errorf("there is no token %s; codegrant upstream-tokens lists them", terminal.Printable(c.Key))
		}
		all = append(all, one)
	}
	if err != nil {
		return err
	}
	audit, by, ended, kept := auditLog(out.Stderr), parts.Operator(), 0, 0
	for _, t := range all {
		err := shelf.End(ctx, t.Key)
		switch {
		case errors.Is(err, upstream.ErrNoToken):
			continue // somebody else has
		case errors.Is(err, upstream.ErrNotRevoked):
			kept++
			audit.WarnContext(ctx, "upstream token not revoked", "upstream", t.Upstream, "sub", t.Subject, "reason", err.Error())
		case err != nil:
			return err
		}
		ended++
		audit.InfoContext(ctx, "upstream token ended", "upstream", t.Upstream, "sub", t.Subject, "reason", by)
	}
	fmt.Fprintf(out.Stdout, "ended %s\n", terminal.Plural(ended, "token"))
	if kept > 0 {
		return fmt.Errorf("%s not revoked at the other service, which still accepts it; the lines above say why", terminal.Plural(kept, "token"))
	}
	return nil
}
