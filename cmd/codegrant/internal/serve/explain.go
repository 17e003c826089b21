package serve

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/replica"
)

// explainFlags ask what the rules decide.
type explainFlags struct {
	Request  []string      `env:"-" placeholder:"REQUEST" sep:"none" help:"With --check: print what the rules decide about this request, and why, such as 'GET https://app.example.com/admin'. May be repeated."`
	As       string        `env:"-" placeholder:"WHO" help:"Person who sends --request: e-mail address, username or sub. Defaults to nobody."`
	Groups   []string      `env:"-" placeholder:"GROUP" help:"Groups of the person, separated by commas. Defaults to the groups in the replica, if the configuration has one."`
	Scopes   []string      `env:"-" placeholder:"SCOPE" help:"Scopes of the person's access token."`
	ACR      string        `env:"-" placeholder:"LEVEL" help:"Level of the sign-in, such as urn:cognito:loa:4."`
	SignedIn time.Duration `env:"-" placeholder:"AGO" help:"Time since the person signed in, such as 20m. Defaults to just now."`
	Actor    string        `env:"-" placeholder:"WHO" help:"Actor that the token names, who acts for the person: sub or client_id. Defaults to nobody."`
	Machine  bool          `env:"-" help:"Treat --as as the app client of a service with a machine token. The token has the scopes of --scopes."`
	From     string        `env:"-" placeholder:"ADDRESS" help:"Client address of the request, for routes with networks. Defaults to unknown."`
	Pool     string        `env:"-" placeholder:"NAME" help:"Pool of the person. Defaults to the pool that decides about the request."`
}

func (f explainFlags) validate(check bool) error {
	switch {
	case len(f.Request) > 0 && !check:
		return errors.New("--request needs --check: add --check to see what the rules decide")
	case len(f.Request) == 0 && (f.As != "" || len(f.Groups) > 0 || len(f.Scopes) > 0 || f.ACR != "" || f.SignedIn != 0 || f.Actor != "" || f.Machine || f.From != "" || f.Pool != ""):
		return errors.New("--as, --groups, --scopes, --acr, --signed-in, --actor, --machine, --from and --pool describe the sender of --request: add --request")
	case f.Machine && f.As == "":
		return errors.New("--machine needs --as with the app client that sends the request")
	case f.Machine && (len(f.Groups) > 0 || f.ACR != "" || f.SignedIn != 0 || f.Actor != ""):
		return errors.New("--machine: a machine has only scopes: leave out --groups, --acr, --signed-in and --actor")
	}
	if _, err := netip.ParseAddr(f.From); err != nil && f.From != "" {
		return errors.New("--from is not an IP address: write one such as 10.1.2.3")
	}
	return nil
}

// explain answers every --request.
func (c Command) explain(ctx context.Context, s *settings.Settings, out *terminal.Streams) error {
	from, _ := netip.ParseAddr(c.From) // validate has looked at it
	for _, request := range c.Request {
		q := settings.Question{Request: request, As: c.As, Pool: c.Pool, Groups: c.Groups, Scopes: c.Scopes, ACR: c.ACR, Ago: c.SignedIn, Actor: c.Actor, Machine: c.Machine, From: from}
		e, err := s.Explain(q)
		if err != nil {
			return fmt.Errorf("--request: %w", err)
		}
		source := ""
		if c.As != "" && !c.Machine && len(c.Groups) == 0 && s.Replica.Enabled && len(e.Asked) > 0 {
			if source, q.Groups, err = groupsInReplica(ctx, s, e.Tenant, c.As); err != nil {
				return fmt.Errorf("groups of %s: %w; or set them with --groups", c.As, err)
			}
			if e, err = s.Explain(q); err != nil {
				return fmt.Errorf("--request: %w", err)
			}
		}
		c.print(out.Stdout, s, q, e, source)
	}
	return nil
}

func (c Command) print(w io.Writer, s *settings.Settings, q settings.Question, e gateway.Explanation, from string) {
	who := "nobody signed in"
	if q.As != "" {
		who = "the app client " + terminal.Printable(q.As)
		if !q.Machine {
			who = fmt.Sprintf("%s, in %s%s", terminal.Printable(q.As), terminal.Printable(listed(q.Groups, "no group")), from)
		}
		if len(q.Scopes) > 0 {
			who += ", with " + terminal.Printable(strings.Join(q.Scopes, ", "))
		}
		if q.ACR != "" {
			who += ", at " + terminal.Printable(q.ACR)
		}
		if q.Ago > 0 {
			who += ", " + q.Ago.String() + " ago"
		}
		if q.Actor != "" {
			who += ", for whom " + terminal.Printable(q.Actor) + " acts"
		}
	}
	if q.From.IsValid() {
		who += ", from " + q.From.String()
	}
	fmt.Fprintf(w, "%s, %s\n", terminal.Printable(q.Request), who)
	line := func(label, text string) { fmt.Fprintf(w, "  %-10s %s\n", label, terminal.Printable(text)) }
	at := func(route string) string {
		for i, r := range s.Routes {
			if name := r.Name; name == route || name == "" && r.Host+orRoot(r.Path) == route {
				return fmt.Sprintf("%s (%s:%d)", route, c.Config, s.RouteLines[i])
			}
		}
		return route
	}
	if e.Route != "" {
		line("route", at(e.Route))
	}
	for _, also := range e.Also {
		line("and", at(also)+", because an upstream could read the path as one of this route")
	}
	if e.Tenant != "" {
		line("pool", e.Tenant)
	}
	for _, asked := range e.Asked {
		has := "no"
		if asked.Has {
			has = "yes"
		} else if asked.Why != "" {
			has = "no: " + asked.Why
		}
		line("asks for", asked.Permission+": "+has)
	}
	line(settings.Word(e.Decision), e.Reason)
	if e.Decision == gateway.Passed && len(e.Servers) > 0 {
		line("goes to", strings.Join(e.Servers, ", "))
	}
}

func orRoot(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

func listed(list []string, none string) string {
	if len(list) == 0 {
		return none
	}
	return strings.Join(list, ", ")
}

// groupsInReplica are those that the copy of the people says, and words for where they
// come from.
func groupsInReplica(ctx context.Context, s *settings.Settings, pool, who string) (from string, groups []string, err error) {
	i := slices.IndexFunc(s.Pools, func(p settings.Pool) bool { return p.Name == pool })
	if i < 0 {
		return "", nil, nil
	}
	if path, ok := strings.CutPrefix(s.Database.URL.Reveal(), "sqlite:"); ok {
		if _, err := os.Stat(strings.TrimPrefix(path, "//")); err != nil {
			return "", nil, errors.New("the replica does not exist yet: run codegrant migrate") // and is not to be made
		}
	}
	db, err := parts.OpenDatabase(s.Database.URL.Reveal())
	if err != nil {
		return "", nil, err
	}
	defer db.Close()
	users, err := db.Users(s.Replica)
	if err != nil {
		return "", nil, err
	}
	o := &parts.Opened{Issuer: s.Pools[i].Issuer, Users: users}
	u, err := o.Find(ctx, who)
	if err != nil {
		return "", nil, err
	}
	for _, m := range u.Groups {
		if m.Origin != replica.OriginProvider && u.InGroup(m.Name) {
			groups = append(groups, m.Name)
		}
	}
	return " as the replica says", groups, nil
}
