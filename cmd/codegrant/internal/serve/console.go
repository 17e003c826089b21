package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/console"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/replica"
)

// consoled has the route of the console answered by one, where the configuration has it.
func (p *process) consoled(g *generation, routes []gateway.Route) ([]gateway.Route, error) {
	if g.Console == nil {
		return routes, nil
	}
	config := console.Config{
		Auth: g.pools[g.Console.PoolName].auth, Groups: g.Console.Groups, Unsafe: g.Console.Unsafe, Prefix: g.Console.Prefix,
		State: p.state.get, Explain: g.explainTo, Journal: p.journal, Day: &p.day, Logger: p.log,
		ClientAddress: func(r *http.Request) string { return p.current.Load().addressFor(r).String() },
	}
	if g.stores.replica != nil {
		config.People = g.stores.replica
	}
	if g.stores.users != nil {
		config.MembershipsSince = g.stores.users.MembershipsSince
	}
	if g.stores.acting != nil {
		config.Organizations = organizationsOf{g, g.stores.acting}
	}
	if g.stores.queue != nil {
		config.Webhooks = webhooksOf{g, g.stores.queue}
	}
	for i := range g.Pools {
		at := &atPool{g: g, pool: &g.Pools[i]}
		pool := console.Pool{Name: at.pool.Name, Issuer: at.pool.Issuer, Auth: g.pools[at.pool.Name].auth, AtPool: at.says}
		if g.stores.replica != nil {
			pool.LookUp = at.lookUp
		}
		config.Pools = append(config.Pools, pool)
		if g.Pools[i].Name == g.Console.PoolName {
			config.SignOut = g.Pools[i].Prefix + "/logout"
		}
	}
	c, err := console.New(config)
	if err != nil {
		return nil, err
	}
	g.console = c
	for i := range routes {
		if routes[i].Name == g.Console.Route.Name && routes[i].Path == g.Console.Route.Path && routes[i].Handler != nil {
			routes[i].Handler = c
		}
	}
	return routes, nil
}

// explainTo answers operators by the rules of this configuration.
func (g *generation) explainTo(ctx context.Context, q console.Question) (console.Verdict, error) {
	pool, err := g.poolNamed(q)
	if err != nil {
		return console.Verdict{}, err
	}
	var out console.Verdict
	var who *codegrant.Identity
	if q.Who != "" {
		who = &codegrant.Identity{Issuer: pool.Issuer, Subject: q.Who, Username: q.Who, Method: codegrant.MethodSession}
		if strings.Contains(q.Who, "@") {
			who.Email, who.EmailVerified = q.Who, true
		}
		out.Person = q.Who + ", whom the replica does not know, in no group"
		if g.stores.replica == nil {
			out.Notes = append(out.Notes, "There is no replica: this answer assumes that the person is in no group.")
		} else if u, err := findPerson(ctx, g.stores.replica, pool.Issuer, q.Who); err == nil {
			who, out.Person = identityOf(u), described(u)
			if err := g.actsFor(ctx, q, who, &out); err != nil {
				return console.Verdict{}, err
			}
			if !u.Enabled || !u.Deleted.IsZero() {
				out.Notes = append(out.Notes, "The pool no longer lets this person sign in: whatever the rules say, they do not pass once their sessions have ended.")
			}
		} else if !errors.Is(err, replica.ErrNotFound) {
			return console.Verdict{}, err
		}
		who.AuthTime = time.Now()
		out.Notes = append(out.Notes, "This answer assumes that the person has just signed in, without scopes. Claims of a token that are not in the replica are unknown here.")
	}
	e, err := g.ExplainFor(q.Method+" "+q.URL, q.Pool, q.From, who)
	if err != nil {
		return console.Verdict{}, err
	}
	out.Decision, out.Reason, out.Route, out.Also, out.Pool, out.Servers = string(e.Decision), e.Reason, e.Route, e.Also, e.Tenant, e.Servers
	for _, a := range e.Asked {
		out.Asked = append(out.Asked, console.Asked{Route: a.Route, Permission: a.Permission, Has: a.Has, Why: a.Why})
	}
	switch e.Decision {
	case gateway.Passed:
		out.Level = console.Good
	case gateway.Unavailable:
		out.Level = console.Warning
	default:
		out.Level = console.Bad
	}
	return out, nil
}

// actsFor gives a person the organization that a question names, or the only one that they are
// in: what a session has chosen is not known here.
func (g *generation) actsFor(ctx context.Context, q console.Question, who *codegrant.Identity, out *console.Verdict) error {
	if g.stores.acting == nil {
		return nil
	}
	all, err := g.stores.acting.Of(ctx, who)
	if err != nil {
		return err
	}
	var names []string
	for _, m := range all {
		if len(names) < 20 {
			names = append(names, m.Name+" ("+m.Role+")")
		}
		if q.Organization == m.ID || q.Organization == m.Name || q.Organization == "" && len(all) == 1 {
			who.Organization = &codegrant.Organization{ID: m.ID, Name: m.Name, Role: m.Role}
		}
	}
	switch {
	case who.Organization != nil:
		out.Person += ", acting for " + who.Organization.Name + " as " + who.Organization.Role
	case q.Organization != "":
		out.Notes = append(out.Notes, "The person is not in the organization "+q.Organization+", and acts for none.")
	case len(all) > 1:
		out.Notes = append(out.Notes, fmt.Sprintf("The person is in %d organizations: %s. A session in which none is chosen acts for none; name one to ask for a session that has chosen it.", len(all), listed(names, "")))
	}
	return nil
}

// poolNamed is the one that a question names, or that decides on its request.
func (g *generation) poolNamed(q console.Question) (*settings.Pool, error) {
	name := q.Pool
	if name == "" {
		e, err := g.ExplainFor(q.Method+" "+q.URL, "", q.From, nil)
		if err != nil {
			return nil, err
		}
		name = e.Tenant
	}
	for i := range g.Pools {
		if g.Pools[i].Name == name {
			return &g.Pools[i], nil
		}
	}
	return &g.Pools[0], nil
}

// findPerson returns the one whom a name stands for: sub, username or e-mail address.
func findPerson(ctx context.Context, users replica.Store, issuer, name string) (replica.User, error) {
	u, err := users.UserBySubject(ctx, issuer, name)
	if errors.Is(err, replica.ErrNotFound) {
		u, err = users.UserByUsername(ctx, issuer, name)
	}
	if !errors.Is(err, replica.ErrNotFound) {
		return u, err
	}
	all, err := users.UsersByEmail(ctx, issuer, name)
	switch {
	case err != nil:
		return replica.User{}, err
	case len(all) == 0:
		return replica.User{}, replica.ErrNotFound
	case len(all) > 1:
		return replica.User{}, fmt.Errorf("%d people have this address: name one by sub", len(all))
	}
	return all[0], nil
}

// identityOf is somebody as a sign-in from now would make them known, as far as the
// replica knows that.
func identityOf(u replica.User) *codegrant.Identity {
	id := &codegrant.Identity{
		Issuer: u.Issuer, Subject: u.Subject, UserID: u.Person(), Username: u.Username, Email: u.Email, EmailVerified: u.EmailVerified, Name: u.Name,
		Method: codegrant.MethodSession,
	}
	for _, m := range u.Groups {
		if u.InGroup(m.Name) {
			id.Groups = append(id.Groups, m.Name)
		}
	}
	return id
}

func described(u replica.User) string {
	id := identityOf(u)
	return fmt.Sprintf("%s (%s), in %s", cmp.Or(u.Email, u.Username), u.Subject, listed(id.Groups, "no group"))
}
