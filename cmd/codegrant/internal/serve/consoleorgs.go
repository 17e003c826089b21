package serve

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/console"
	"github.com/codegrant/codegrant/organization"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/webhook"
)

// organizationsOf are those that the console shows: the store's, with the people of the
// replica.
type organizationsOf struct {
	g     *generation
	store *organization.Store
}

func (o organizationsOf) Roles() []string { return o.store.Roles }
func (o organizationsOf) Invites() bool   { return o.g.Organizations.SMTP != nil }

// said is an error in the console's terms.
func said(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, organization.ErrNotFound), errors.Is(err, replica.ErrNotFound):
		return console.ErrNotThere
	case organization.IsRefusal(err):
		return fmt.Errorf("%w: %w", console.ErrRefused, err)
	}
	return err
}

func (o organizationsOf) Find(ctx context.Context, text, after string) ([]console.Organization, error) {
	found, err := o.store.Find(ctx, text, after)
	all := make([]console.Organization, len(found))
	for i, f := range found {
		all[i] = console.Organization(f)
	}
	return all, said(err)
}

func (o organizationsOf) Organization(ctx context.Context, id string) (console.Organization, error) {
	found, err := o.store.Get(ctx, id)
	return console.Organization(found), said(err)
}

func (o organizationsOf) Members(ctx context.Context, id string, after int64) (all []console.Member, err error) {
	found, err := o.store.Members(ctx, id, after)
	if err != nil {
		return nil, said(err)
	}
	for _, m := range found {
		row := console.Member{Person: m.Person, Name: "row " + strconv.FormatInt(m.Person, 10), Role: m.Role, Since: m.Since, By: m.By, Gone: true}
		u, err := o.g.stores.replica.User(ctx, m.Person)
		switch {
		case err == nil:
			row.Name, row.Subject, row.Gone = cmp.Or(u.Email, u.Username), u.Subject, !u.Enabled || !u.Deleted.IsZero()
			for i := range o.g.Pools {
				if o.g.Pools[i].Issuer == u.Issuer {
					row.Pool = o.g.Pools[i].Name
					break
				}
			}
		case !errors.Is(err, replica.ErrNotFound):
			return nil, err
		}
		all = append(all, row)
	}
	return all, nil
}

func (o organizationsOf) Invitations(ctx context.Context, id string) (all []console.Invitation, err error) {
	found, err := o.store.Invitations(ctx, id)
	for _, i := range found {
		all = append(all, console.Invitation{ID: i.ID, Email: i.Email, Role: i.Role, By: i.By, Expires: i.Expires, Sent: i.Sent})
	}
	return all, said(err)
}

var errNoMail = fmt.Errorf("%w: there is no mail server; set organizations.smtp", console.ErrRefused)

func (o organizationsOf) Change(ctx context.Context, c console.OrganizationChange) (string, error) {
	switch c.Do {
	case "create":
		made, err := o.store.Create(ctx, c.Name, c.By)
		return made.ID, said(err)
	case "rename":
		return c.Organization, said(o.store.Rename(ctx, c.Organization, c.Name, c.By))
	case "delete":
		return c.Organization, said(o.store.Delete(ctx, c.Organization, c.By))
	case "remove":
		return c.Organization, said(o.store.Remove(ctx, c.Organization, c.Person, c.By))
	case "role":
		return c.Organization, said(o.store.Change(ctx, c.Organization, c.Person, c.Role, c.By))
	case "revoke":
		return c.Organization, said(o.store.Revoke(ctx, c.Organization, c.Invitation, c.By))
	case "invite", "resend":
		return c.Organization, o.send(ctx, c)
	}
	return "", fmt.Errorf("%w: there is no such change", console.ErrRefused)
}

// send invites, and mails a link to the pool of the console.
func (o organizationsOf) send(ctx context.Context, c console.OrganizationChange) error {
	if !o.Invites() {
		return errNoMail
	}
	found, err := o.store.Get(ctx, c.Organization)
	if err != nil {
		return said(err)
	}
	var i organization.Invitation
	var token string
	if c.Do == "invite" {
		i, token, err = o.store.Invite(ctx, c.Organization, c.Email, c.Role, c.By)
	} else {
		i, token, err = o.store.Resend(ctx, c.Organization, c.Invitation, c.By)
	}
	if err != nil {
		return said(err)
	}
	prefix := ""
	for k := range o.g.Pools {
		if o.g.Pools[k].Name == o.g.Console.PoolName {
			prefix = o.g.Pools[k].Prefix
		}
	}
	link := organization.Link(o.g.pools[o.g.Console.PoolName].auth.Origin(), prefix, token)
	return parts.Invitations(*o.g.Organizations.SMTP)(ctx, organization.NewMail("en", i, found.Name, link))
}

// webhooksOf are the messages that the console shows.
type webhooksOf struct {
	g     *generation
	queue *webhook.Queue
}

func (o webhooksOf) Endpoints(ctx context.Context) (all []console.WebhookEndpoint, err error) {
	sizes, err := o.queue.Sizes(ctx)
	if err != nil {
		return nil, err
	}
	of := make(map[string]bool)
	for _, s := range sizes {
		of[s.Endpoint] = true
		all = append(all, console.WebhookEndpoint{Name: s.Endpoint, Waiting: s.Waiting, GivenUp: s.Dead, Oldest: s.Oldest})
	}
	for _, e := range o.g.Webhooks {
		if !of[e.Name] {
			all = append(all, console.WebhookEndpoint{Name: e.Name})
		}
	}
	return all, nil
}

func (o webhooksOf) GivenUp(ctx context.Context, endpoint string, after int64) (all []console.WebhookMessage, err error) {
	found, err := o.queue.Dead(ctx, webhook.DeadQuery{Endpoint: endpoint, After: after})
	for _, d := range found {
		all = append(all, console.WebhookMessage{ID: d.ID, Endpoint: d.Endpoint, Message: d.Message, Type: d.Type, About: d.Subject, Created: d.Created, Attempts: d.Attempts, Failure: d.Failure})
	}
	return all, err
}

func (o webhooksOf) which(endpoint string, id int64) webhook.DeadQuery {
	q := webhook.DeadQuery{Endpoint: endpoint}
	if id != 0 {
		q.IDs = []int64{id}
	}
	return q
}

func (o webhooksOf) Resend(ctx context.Context, endpoint string, id int64) (int64, error) {
	return o.queue.Resend(ctx, o.which(endpoint, id), time.Now())
}

func (o webhooksOf) Discard(ctx context.Context, endpoint string, id int64) (int64, error) {
	return o.queue.Discard(ctx, o.which(endpoint, id))
}
