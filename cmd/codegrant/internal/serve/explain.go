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
	Request  []string      `env:"-" placeholder:"REQUEST" sep:"none" help:"With --check: say what becomes of this request, and why, such as 'GET https://app.example.com/admin'. May be repeated."`
	As       string        `env:"-" placeholder:"WHO" help:"Who asks for --request: e-mail address, username or sub. Nobody unless set."`
	Groups   []string      `env:"-" placeholder:"GROUP" help:"Groups that the person is in, separated by commas. Without it, those of the replica, if the configuration has one."`
	Scopes   []string      `env:"-" placeholder:"SCOPE" help:"Scopes that the person's access token has."`
	ACR      string        `env:"-" placeholder:"LEVEL" help:"Level that the person has signed in at, such as urn:cognito:loa:4."`
	SignedIn time.Duration `env:"-" placeholder:"AGO" help:"How long ago the person has signed in, such as 20m. Just now unless set."`
	Actor    string        `env:"-" placeholder:"WHO" help:"Who acts for the person, by a token that says so: sub or client_id. Nobody unless set."`
	Machine  bool          `env:"-" help:"--as is no person: it is the app client of a service that asks with a token of its own, and of --scopes."`
	From     string        `env:"-" placeholder:"ADDRESS" help:"Address that the request comes from, for routes with networks. Unknown unless set."`
	Pool     string        `env:"-" placeholder:"NAME" help:"Pool that the person is of. Defaults to the one that decides."`
}

func (f explainFlags) validate(check bool) error {
	switch {
	case len(f.Request) > 0 && !check:
		return errors.New("--request goes with --check: it asks what the rules decide, and starts nothing")
	case len(f.Request) == 0 && (f.As != "" || len(f.Groups) > 0 || len(f.Scopes) > 0 || f.ACR != "" || f.SignedIn != 0 || f.Actor != "" || f.Machine || f.From != "" || f.Pool != ""):
		return errors.New("--as, --groups, --scopes, --acr, --signed-in, --actor, --machine, --from and --pool say who asks for --request, which is missing")
	case f.Machine && f.As == "":
		return errors.New("--machine goes with --as, which is then the app client that asks")
	case f.Machine && (len(f.Groups) > 0 || f.ACR != "" || f.SignedIn != 0 || f.Actor != ""):
		return errors.New("--machine: a machine has scopes, and nothing else: no --groups, --acr, --signed-in and --actor")
	}
	if _, err := netip.ParseAddr(f.From); err != nil && f.From != "" {
		return errors.New("--from is no address such as 10.1.2.3")
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
				return fmt.Errorf("groups of %s: %w; say them with --groups", c.As, err)
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
		line("and", at(also)+", for whose path a server could take this one")
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
	line(string(e.Decision), e.Reason)
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
			return "", nil, errors.New("the replica is not there yet") // and is not to be made
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
