package orgs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"strconv"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/organization"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/webhook"
)

// Command is the table of its commands.
type Command struct {
	List   list   `cmd:"" default:"withargs" help:"List organizations."`
	Show   show   `cmd:"" help:"Show the members and open invitations of an organization."`
	Create create `cmd:"" help:"Create an organization."`
	Rename rename `cmd:"" help:"Rename an organization."`
	Delete remove `cmd:"" help:"Delete an organization with its memberships and invitations."`
	Add    add    `cmd:"" help:"Add a person as a member, or change the role of a member."`
	Expel  expel  `cmd:"" help:"Remove a member. Codegrant refuses their next request."`
	Invite invite `cmd:"" help:"Invite an e-mail address, or invite it again."`
	Revoke revoke `cmd:"" help:"Revoke an invitation."`
}

// Help is shown by codegrant orgs --help.
func (Command) Help() string {
	return `Reads and changes the organizations in the database of a configuration. Each change is
written to the log, with the operator.

Examples:
  codegrant orgs
  codegrant orgs create Acme
  codegrant orgs add org_f2k7q3mx5tzyw4hbdn6sajrepc alice@example.com --role admin
  codegrant orgs invite org_f2k7q3mx5tzyw4hbdn6sajrepc bob@example.com`
}

// opened is a database with organizations.
type opened struct {
	*parts.Opened
	store    *organization.Store
	settings *settings.Settings
	pool     settings.Pool
	audit    *slog.Logger
	by       string
}

var errOff = errors.New("the configuration has no organizations; set organizations: true")

// uses are what the commands look at: links of invitations are on the site of a pool.
var uses = append([]string{"organizations", "webhooks", "base_url", "pools.base_url", "pools.prefix", "pools.callback_url"}, parts.UsesPeople...)

// need is what a command needs beside the organizations.
type need int

const (
	nothing need = iota
	aPool        // it is about a person, or a link
	tables       // it makes them where they are missing, unless the configuration forbids that
)

// open opens the organizations of a database that exists.
func open(ctx context.Context, c parts.Inspection, out *terminal.Streams, need need) (*opened, error) {
	s, err := c.Load(uses)
	if err != nil {
		return nil, err
	}
	if s.Organizations == nil {
		return nil, errOff
	}
	pool := s.Pools[0]
	if need == aPool || c.Pool != "" {
		if pool, err = parts.ChoosePool(s, c.Pool); err != nil {
			return nil, err
		}
	}
	o, err := parts.LookAtStores(s)
	if err != nil {
		return nil, err
	}
	o.Issuer = pool.Issuer
	store, err := organizations(ctx, o, s, need == tables)
	if err != nil {
		o.Close()
		return nil, err
	}
	name := "operator"
	if u, err := user.Current(); err == nil {
		name += " " + u.Username
	}
	if host, err := os.Hostname(); err == nil {
		name += " at " + host
	}
	return &opened{o, store, s, pool, slog.New(slog.NewJSONHandler(out.Stderr, nil)), name}, nil
}

// organizations are those of the database, whose tables are to be there.
func organizations(ctx context.Context, o *parts.Opened, s *settings.Settings, makes bool) (*organization.Store, error) {
	if o.Users == nil {
		return nil, parts.ErrNoReplica
	}
	endpoints := func() []webhook.Endpoint { return s.Webhooks }
	store, err := o.DB.OrganizationStore(s.Organizations, endpoints)
	if err != nil {
		return nil, err
	}
	if makes && s.Database.Migrate {
		queue, err := webhook.NewQueue(o.DB.DB, o.DB.Dialect)
		if err != nil {
			return nil, err
		}
		return store, errors.Join(o.Users.Migrate(ctx), store.Migrate(ctx), queue.Migrate(ctx))
	}
	if err := o.CheckPeople(ctx); err != nil {
		return nil, err
	}
	if _, err := store.List(ctx, ""); err != nil {
		return nil, fmt.Errorf("%w; if the tables of organizations are missing, run codegrant migrate", err)
	}
	return store, nil
}

// done writes who did something, without an address.
func (o *opened) done(event string, attrs ...any) {
	o.audit.Info("audit", append([]any{slog.String("event", event), slog.String("by", o.by)}, attrs...)...)
}

// organization as programs get it.
type listed struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
}

type list struct {
	parts.Inspection
	After string `env:"-" placeholder:"ID" help:"Continue after the last ID of the previous page."`
}

// Help is shown by codegrant orgs list --help.
func (list) Help() string {
	return `Examples:
  codegrant orgs list
  codegrant orgs list --after org_f2k7q3mx5tzyw4hbdn6sajrepc     the next page
  codegrant orgs list --json | jq -r '.organizations[].id'`
}

func (c list) Run(ctx context.Context, out *terminal.Streams) error {
	o, err := open(ctx, c.Inspection, out, nothing)
	if err != nil {
		return err
	}
	defer o.Close()
	found, err := o.store.List(ctx, c.After)
	if err != nil {
		return err
	}
	all := []listed{}
	var rows [][]string
	for _, one := range found {
		all = append(all, listed{one.ID, one.Name, one.Created})
		rows = append(rows, []string{one.ID, terminal.ShortTime(one.Created), one.Name})
	}
	if c.JSON {
		return terminal.PrintJSON(out.Stdout, map[string]any{"organizations": all})
	}
	if len(rows) == 0 {
		_, err := fmt.Fprintln(out.Stdout, "there are no organizations")
		return err
	}
	return terminal.Table(out.Stdout, "ID\tCREATED\tNAME", rows)
}

// one names an organization.
type one struct {
	parts.Inspection
	Organization string `arg:"" help:"ID of the organization, from codegrant orgs list."`
}

type show struct {
	one
	After int64 `env:"-" placeholder:"ID" help:"Continue after the last ID of the previous page of members."`
}

// Help is shown by codegrant orgs show --help.
func (show) Help() string {
	return `Examples:
  codegrant orgs show org_f2k7q3mx5tzyw4hbdn6sajrepc
  codegrant orgs show org_f2k7q3mx5tzyw4hbdn6sajrepc --after 4711     more members
  codegrant orgs show org_f2k7q3mx5tzyw4hbdn6sajrepc --json`
}

type member struct {
	Person   int64     `json:"id"`
	Username string    `json:"username,omitempty"`
	Email    string    `json:"email,omitempty"`
	Role     string    `json:"role"`
	Since    time.Time `json:"since"`
	By       string    `json:"added_by"`
}

type invitation struct {
	ID      string    `json:"id"`
	Email   string    `json:"email"`
	Role    string    `json:"role"`
	By      string    `json:"invited_by"`
	Expires time.Time `json:"expires"`
	Sent    int       `json:"sent"`
}

func (c show) Run(ctx context.Context, out *terminal.Streams) error {
	o, err := open(ctx, c.Inspection, out, nothing)
	if err != nil {
		return err
	}
	defer o.Close()
	found, err := o.store.Get(ctx, c.Organization)
	if err != nil {
		return err
	}
	members, err := o.store.Members(ctx, c.Organization, c.After)
	if err != nil {
		return err
	}
	waiting, err := o.store.Invitations(ctx, c.Organization)
	if err != nil {
		return err
	}
	people, invitations := []member{}, []invitation{}
	var rows, open [][]string
	for _, m := range members {
		u, err := o.Users.User(ctx, m.Person)
		if err != nil && !errors.Is(err, replica.ErrNotFound) {
			return err
		}
		people = append(people, member{m.Person, u.Username, u.Email, m.Role, m.Since, m.By})
		rows = append(rows, []string{strconv.FormatInt(m.Person, 10), m.Role, u.Username, u.Email, terminal.ShortTime(m.Since), m.By})
	}
	for _, i := range waiting {
		invitations = append(invitations, invitation{i.ID, i.Email, i.Role, i.By, i.Expires, i.Sent})
		open = append(open, []string{i.ID, i.Role, i.Email, terminal.ShortTime(i.Expires), strconv.Itoa(i.Sent), i.By})
	}
	if c.JSON {
		return terminal.PrintJSON(out.Stdout, map[string]any{"organization": listed{found.ID, found.Name, found.Created}, "members": people, "invitations": invitations})
	}
	fmt.Fprintf(out.Stdout, "%s\n\n", found.Name)
	if err := terminal.Table(out.Stdout, "PERSON\tROLE\tUSERNAME\tEMAIL\tSINCE\tADDED BY", rows); err != nil || len(open) == 0 {
		return err
	}
	fmt.Fprintln(out.Stdout)
	return terminal.Table(out.Stdout, "INVITATION\tROLE\tEMAIL\tEXPIRES\tSENT\tINVITED BY", open)
}

type create struct {
	parts.Inspection
	Name string `arg:"" help:"Name of the organization."`
}

// Help is shown by codegrant orgs create --help.
func (create) Help() string {
	return `Prints the id of the new organization. It has no members yet: add one, or invite one.

Examples:
  codegrant orgs create Acme
  id=$(codegrant orgs create "Acme Ltd") && codegrant orgs add "$id" alice@example.com --role admin`
}

func (c create) Run(ctx context.Context, out *terminal.Streams) error {
	o, err := open(ctx, c.Inspection, out, tables)
	if err != nil {
		return err
	}
	defer o.Close()
	made, err := o.store.Create(ctx, c.Name, o.by)
	if err != nil {
		return err
	}
	o.done(organization.Created, slog.String("organization", made.ID))
	if c.JSON {
		return terminal.PrintJSON(out.Stdout, listed{made.ID, made.Name, made.Created})
	}
	fmt.Fprintln(out.Stdout, made.ID)
	return nil
}

type rename struct {
	one
	Name string `arg:"" help:"New name of the organization."`
}

// Help is shown by codegrant orgs rename --help.
func (rename) Help() string {
	return `The id stays.

Examples:
  codegrant orgs rename org_f2k7q3mx5tzyw4hbdn6sajrepc "Acme Ltd"`
}

func (c rename) Run(ctx context.Context, out *terminal.Streams) error {
	return c.run(ctx, out, nothing, organization.Renamed, func(o *opened) error { return o.store.Rename(ctx, c.Organization, c.Name, o.by) })
}

// run opens the organizations, does something, and writes that down.
func (c one) run(ctx context.Context, out *terminal.Streams, need need, event string, do func(*opened) error) error {
	o, err := open(ctx, c.Inspection, out, need)
	if err != nil {
		return err
	}
	defer o.Close()
	if err := do(o); err != nil {
		return err
	}
	o.done(event, slog.String("organization", c.Organization))
	return nil
}

type remove struct {
	one
	Yes bool `env:"-" help:"Make the change. Without it, the command prints what it would do."`
}

// Help is shown by codegrant orgs delete --help.
func (remove) Help() string {
	return `Deletes an organization. The people who are in it stay in the replica. You cannot undo it.

Examples:
  codegrant orgs delete org_f2k7q3mx5tzyw4hbdn6sajrepc           what would be deleted
  codegrant orgs delete org_f2k7q3mx5tzyw4hbdn6sajrepc --yes`
}

func (c remove) Run(ctx context.Context, out *terminal.Streams) error {
	if c.Yes {
		return c.run(ctx, out, nothing, organization.Deleted, func(o *opened) error { return o.store.Delete(ctx, c.Organization, o.by) })
	}
	o, err := open(ctx, c.Inspection, out, nothing)
	if err != nil {
		return err
	}
	defer o.Close()
	found, err := o.store.Get(ctx, c.Organization)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out.Stdout, "%s would be deleted, with its memberships and invitations; nothing is done yet: add --yes\n", found.Name)
	return err
}

type add struct {
	one
	Who  string `arg:"" help:"Person: row, sub, username, or e-mail address that the pool has verified."`
	Role string `env:"-" placeholder:"ROLE" help:"Role of the member. Defaults to the last role in the configuration."`
}

// Help is shown by codegrant orgs add --help.
func (add) Help() string {
	return `Adds a person who has signed in or was synced, without an invitation. For somebody who is
not in the replica yet, use codegrant orgs invite.

Examples:
  codegrant orgs add org_f2k7q3mx5tzyw4hbdn6sajrepc alice@example.com
  codegrant orgs add org_f2k7q3mx5tzyw4hbdn6sajrepc alice@example.com --role admin     a member gets the new role`
}

// lastRole is the one that manages least.
func (o *opened) lastRole(role string) string {
	if role == "" {
		role = o.settings.Organizations.Roles[len(o.settings.Organizations.Roles)-1]
	}
	return role
}

func (c add) Run(ctx context.Context, out *terminal.Streams) error {
	var who replica.User
	var role string
	err := c.run(ctx, out, aPool, organization.MemberAdded, func(o *opened) (err error) {
		if who, err = o.person(ctx, c.Who); err != nil {
			return err
		}
		role = o.lastRole(c.Role)
		return o.store.Set(ctx, c.Organization, who.ID, role, o.by)
	})
	if err != nil {
		return err
	}
	return c.tell(out, who, role)
}

type expel struct {
	one
	Who string `arg:"" help:"Person: row, sub, username, or e-mail address that the pool has verified."`
}

// Help is shown by codegrant orgs expel --help.
func (expel) Help() string {
	return `Removes a member. The person stays in the replica and in other organizations.

Examples:
  codegrant orgs expel org_f2k7q3mx5tzyw4hbdn6sajrepc bob@example.com`
}

func (c expel) Run(ctx context.Context, out *terminal.Streams) error {
	var who replica.User
	err := c.run(ctx, out, aPool, organization.MemberRemoved, func(o *opened) (err error) {
		if who, err = o.person(ctx, c.Who); err != nil {
			return err
		}
		return o.store.Remove(ctx, c.Organization, who.ID, o.by)
	})
	if err != nil {
		return err
	}
	return c.tell(out, who, "")
}

type invite struct {
	one
	Email    string `arg:"" help:"E-mail address to invite."`
	Role     string `env:"-" placeholder:"ROLE" help:"Role of the member. Defaults to the last role in the configuration."`
	Language string `env:"-" default:"en" placeholder:"TAG" help:"Language of the mail, such as de: one of those that the pages have."`
	Print    bool   `env:"-" help:"Print the link instead of sending it. A person with the link and the address can accept."`
}

// Help is shown by codegrant orgs invite --help.
func (invite) Help() string {
	return `Sends an invitation to an address, through organizations.smtp of the configuration. An
address that was invited before gets a new link, and the earlier link stops working.

Examples:
  codegrant orgs invite org_f2k7q3mx5tzyw4hbdn6sajrepc bob@example.com
  codegrant orgs invite org_f2k7q3mx5tzyw4hbdn6sajrepc carol@example.com --role admin --print`
}

var errNoMail = errors.New("the configuration has no mail server for invitations; set organizations.smtp, or use --print and send the link yourself")

func (c invite) Run(ctx context.Context, out *terminal.Streams) error {
	return c.run(ctx, out, aPool, organization.InvitationCreated, func(o *opened) error {
		if o.settings.Organizations.SMTP == nil && !c.Print {
			return errNoMail
		}
		found, err := o.store.Get(ctx, c.Organization)
		if err != nil {
			return err
		}
		i, token, err := o.store.Invite(ctx, c.Organization, c.Email, o.lastRole(c.Role), o.by)
		if err != nil {
			return err
		}
		link := organization.Link(o.pool.Config.BaseURL, o.pool.Prefix, token)
		if c.Print {
			_, err = fmt.Fprintln(out.Stdout, link)
			return err
		}
		return parts.Invitations(*o.settings.Organizations.SMTP)(ctx, organization.NewMail(c.Language, i, found.Name, link))
	})
}

type revoke struct {
	one
	Invitation string `arg:"" help:"ID of the invitation, from codegrant orgs show."`
}

// Help is shown by codegrant orgs revoke --help.
func (revoke) Help() string {
	return `The link of the invitation stops working. Members who accepted it earlier stay.

Examples:
  codegrant orgs show org_f2k7q3mx5tzyw4hbdn6sajrepc             lists the invitations
  codegrant orgs revoke org_f2k7q3mx5tzyw4hbdn6sajrepc inv_4kq7zt3mx5tywb2hdn6sajrep5`
}

func (c revoke) Run(ctx context.Context, out *terminal.Streams) error {
	return c.run(ctx, out, nothing, organization.InvitationRevoked, func(o *opened) error { return o.store.Revoke(ctx, c.Organization, c.Invitation, o.by) })
}
