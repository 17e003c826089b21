package console

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
)

// Organizations are those that people act for. ErrNotThere says that there is no such
// organization, and ErrRefused that a change is not to be made; every other error says that
// nobody answered.
type Organizations interface {
	// Roles are those that members can have; the first one manages.
	Roles() []string
	// Invites reports whether invitations can be sent.
	Invites() bool
	// Find returns those that have a text in their name or as their id, after an id, in the
	// order of ids, 100 at most.
	Find(ctx context.Context, text, after string) ([]Organization, error)
	Organization(ctx context.Context, id string) (Organization, error)
	// Members returns those after one, in the order of Person, 100 at most.
	Members(ctx context.Context, id string, after int64) ([]Member, error)
	Invitations(ctx context.Context, id string) ([]Invitation, error)
	// Change makes a change, and returns the id of the organization.
	Change(ctx context.Context, change OrganizationChange) (string, error)
}

// ErrRefused says that what was asked for is not to be done.
var ErrRefused = errors.New("refused")

// Organization is one.
type Organization struct {
	ID, Name string
	Created  time.Time
}

// Member is a person in an organization.
type Member struct {
	Person        int64  // row of the replica
	Name          string // for people to read
	Pool, Subject string // empty: the person is of no pool that there is
	Role          string
	Since         time.Time
	By            string // who made them one
	Gone          bool   // disabled, or deleted
}

// Invitation waits to be accepted.
type Invitation struct {
	ID, Email, Role, By string
	Expires             time.Time
	Sent                int
}

// OrganizationChange is what an operator asks for.
type OrganizationChange struct {
	// Do is create, rename, delete, role, remove, invite, resend or revoke.
	Do           string
	Organization string // id
	Name         string
	Person       int64
	Email, Role  string
	Invitation   string // id
	By           string // who asks
}

// changes are what Do can be, with the fields that it needs.
var changes = map[string][]string{
	"create": {"name"}, "rename": {"id", "name"}, "delete": {"id"}, "role": {"id", "person", "role"}, "remove": {"id", "person"},
	"invite": {"id", "email", "role"}, "resend": {"id", "invitation"}, "revoke": {"id", "invitation"},
}

const pageOf = 100

type organizationsPage struct {
	Search, Action string
	Fault          string
	Found          []Organization
	More           string // URL
	Prefix         string
}

// URL is that of an organization.
func (p organizationsPage) URL(id string) string { return organizationURL(p.Prefix, id) }

func organizationURL(prefix, id string) string {
	return prefix + "/organization?" + url.Values{"id": {id}}.Encode()
}

func (c *Console) showOrganizations(w http.ResponseWriter, r *http.Request, id *codegrant.Identity) {
	q := r.URL.Query()
	page := organizationsPage{Search: strings.TrimSpace(q.Get("q")), Action: c.Prefix + "/organizations/act", Prefix: c.Prefix}
	status := http.StatusOK
	if len(page.Search) > maxSearch || plain(page.Search) != page.Search || len(q.Get("after")) > maxSubject || plain(q.Get("after")) != q.Get("after") {
		page.Search, page.Fault, status = "", "No organization is called that.", http.StatusUnprocessableEntity
	} else if found, err := c.Organizations.Find(r.Context(), page.Search, q.Get("after")); err != nil {
		page.Fault, status = "The database does not answer: "+plain(err.Error()), http.StatusServiceUnavailable
	} else {
		page.Found = found
		if len(found) >= pageOf {
			page.More = c.Prefix + "/organizations?" + url.Values{"q": {page.Search}, "after": {found[len(found)-1].ID}}.Encode()
		}
	}
	notice := map[string]string{"delete": "The organization is deleted."}[q.Get("done")]
	c.show(w, r, id, status, "organizations.html", frame{Title: "Organizations", Here: c.Prefix + "/organizations", Notice: notice, Page: page})
}

type organizationPage struct {
	Organization
	Action    string
	Roles     []string
	Members   []memberRow
	Waiting   []invitationRow
	More      string // URL
	CanInvite bool
	LastRole  string
}

type memberRow struct {
	Member
	URL string
}

type invitationRow struct {
	Invitation
	Expired bool
}

func (c *Console) showOrganization(w http.ResponseWriter, r *http.Request, id *codegrant.Identity) {
	q := r.URL.Query()
	after, _ := strconv.ParseInt(q.Get("after"), 10, 64)
	page := organizationPage{Action: c.Prefix + "/organizations/act", Roles: c.Organizations.Roles(), CanInvite: c.Organizations.Invites()}
	page.LastRole = page.Roles[len(page.Roles)-1]
	name := q.Get("id")
	if !subjectOf(name) {
		c.fail(w, r, id, http.StatusNotFound, "There is no organization at this address.")
		return
	}
	var err error
	var members []Member
	var open []Invitation
	if page.Organization, err = c.Organizations.Organization(r.Context(), name); err == nil {
		members, err = c.Organizations.Members(r.Context(), name, after)
	}
	if err == nil {
		open, err = c.Organizations.Invitations(r.Context(), name)
	}
	switch {
	case errors.Is(err, ErrNotThere):
		c.fail(w, r, id, http.StatusNotFound, "There is no organization at this address.")
		return
	case err != nil:
		c.fail(w, r, id, http.StatusServiceUnavailable, "The database does not answer: "+plain(err.Error()))
		return
	}
	for _, m := range members {
		row := memberRow{Member: m}
		if _, ok := c.pool(m.Pool); ok && m.Subject != "" {
			row.URL = c.personURL(m.Pool, m.Subject)
		}
		page.Members = append(page.Members, row)
	}
	if len(members) >= pageOf {
		page.More = c.Prefix + "/organization?" + url.Values{"id": {name}, "after": {strconv.FormatInt(members[len(members)-1].Person, 10)}}.Encode()
	}
	for _, i := range open {
		page.Waiting = append(page.Waiting, invitationRow{i, !c.Now().Before(i.Expires)})
	}
	c.show(w, r, id, http.StatusOK, "organization.html", frame{Title: "Organization", Here: c.Prefix + "/organizations", Notice: organizationDone[q.Get("done")], Page: page})
}

var organizationDone = map[string]string{
	"create": "The organization is created.", "rename": "The organization has another name.", "role": "The member has another role.",
	"remove": "The member is removed. Their next request is refused.", "invite": "The invitation is sent.", "resend": "The invitation is sent again.",
	"revoke": "The invitation is taken back.",
}

// actOnOrganization does what a form of these pages asks for. The log has ids, and no address
// and no name.
func (c *Console) actOnOrganization(w http.ResponseWriter, r *http.Request, id *codegrant.Identity) {
	form := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	do := form("do")
	person, _ := strconv.ParseInt(form("person"), 10, 64)
	needed, ok := changes[do]
	for _, field := range needed {
		ok = ok && form(field) != "" && len(form(field)) <= maxSearch && plain(form(field)) == form(field)
	}
	if !ok || slices.Contains(needed, "person") && person <= 0 {
		c.fail(w, r, id, http.StatusBadRequest, "The form is not one of ours. Nothing has been changed.")
		return
	}
	change := OrganizationChange{Do: do, By: clip(cmp.Or(id.Username, id.Subject), 128)}
	for _, field := range needed {
		switch field {
		case "id":
			change.Organization = form("id")
		case "name":
			change.Name = form("name")
		case "person":
			change.Person = person
		case "role":
			change.Role = form("role")
		case "email":
			change.Email = form("email")
		case "invitation":
			change.Invitation = form("invitation")
		}
	}
	tell := func(outcome, organization string, attrs ...slog.Attr) {
		all := []slog.Attr{slog.String("action", "organization "+do), slog.String("organization", clip(organization, 64))}
		if change.Person != 0 {
			all = append(all, slog.Int64("person", change.Person))
		}
		if change.Role != "" {
			all = append(all, slog.String("role", clip(change.Role, 64)))
		}
		if change.Invitation != "" {
			all = append(all, slog.String("invitation", clip(change.Invitation, 64)))
		}
		c.audit(r, id, outcome, append(all, attrs...)...)
	}
	made, err := c.Organizations.Change(context.WithoutCancel(r.Context()), change)
	switch {
	case errors.Is(err, ErrNotThere):
		tell("nothing to do", change.Organization)
		c.fail(w, r, id, http.StatusNotFound, "There is no such organization, member or invitation. Nothing has been changed.")
	case errors.Is(err, ErrRefused):
		tell("refused", change.Organization, slog.String("reason", err.Error()))
		c.fail(w, r, id, http.StatusConflict, "This is not done: "+plain(err.Error())+".")
	case err != nil:
		tell("failed", cmp.Or(made, change.Organization), slog.String("reason", err.Error()))
		c.fail(w, r, id, http.StatusServiceUnavailable, "This may not have been done, or not completely: "+plain(err.Error())+".")
	case do == "delete":
		tell("done", change.Organization)
		http.Redirect(w, r, c.Prefix+"/organizations?done=delete", http.StatusSeeOther)
	default:
		tell("done", made)
		http.Redirect(w, r, organizationURL(c.Prefix, made)+"&done="+do, http.StatusSeeOther)
	}
}
