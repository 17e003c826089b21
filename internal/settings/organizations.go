package settings

import (
	"net"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/internal/origins"
	"github.com/codegrant/codegrant/organization"
	"github.com/codegrant/codegrant/rule"
)

// Organizations are what people act for.
type Organizations struct {
	Roles []string
	Valid time.Duration
	SMTP  *SMTP // nil: nobody is sent anything
	// CreateUsers names the pools that make a user for whoever opens an invitation and asks for it.
	CreateUsers []string
}

// SMTP is the mail server that sends invitations.
type SMTP struct {
	Address  string // host and port
	Host     string
	TLS      bool // from the start
	Plain    bool // none at all: it is on this machine
	User     string
	Password Secret
	From     string
}

func (r *reader) organizations(f *file, s *Settings) {
	c := f.Organizations
	if c == nil || !c.Enabled && (r.has("organizations.enabled") || !r.hasBelow("organizations")) {
		return
	}
	out := &Organizations{Roles: c.Roles, Valid: c.InvitationValid}
	if !s.Replica.Enabled && r.uses("replica") && !r.faulty("replica") {
		r.fault("organizations", "organizations need the replica; set replica: true")
	}
	if out.Roles == nil {
		out.Roles = []string{"admin", "member"}
	}
	if err := organization.CheckRoles(out.Roles); err != nil {
		for _, leaf := range leaves(err) {
			r.fault("organizations.roles", "%w", leaf)
		}
	}
	if c.InvitationValid != 0 && (c.InvitationValid < time.Hour || c.InvitationValid > 90*24*time.Hour) {
		r.fault("organizations.invitation_valid", "it is not between 1h and 2160h")
	}
	if c.SMTP != nil {
		out.SMTP = r.smtp("organizations.smtp", *c.SMTP)
	}
	s.Organizations = out
}

// poolNames is a list of pools, or true or false.
type poolNames []string

// createUsers names the pools in which invited people become users: true is the only one.
func (r *reader) createUsers(names poolNames, s *Settings) {
	const key = "organizations.create_users"
	if s.Organizations == nil || !r.uses("pools") {
		return
	}
	for i, name := range names {
		switch {
		case len(names) == 1 && name == "false":
			return
		case len(names) == 1 && name == "true" && len(s.Pools) == 1:
			name = s.Pools[0].Name
		case len(names) == 1 && name == "true":
			r.fault(key, "there are several pools; name those in which an invited person may become a user")
			return
		case !slices.ContainsFunc(s.Pools, func(p Pool) bool { return p.Name == name }):
			r.fault(key, "there is no pool %q", name)
			return
		case slices.Contains(names[:i], name):
			r.fault(key, "%q is there twice", name)
			return
		}
		s.Organizations.CreateUsers = append(s.Organizations.CreateUsers, name)
	}
}

func (r *reader) smtp(key string, c mailServer) *SMTP {
	const form = "it is not of the form smtp://user:password@mail.example.com:587"
	from, err := mail.ParseAddress(c.From)
	if err != nil {
		r.fault(key+".from", "it is not an address such as Example <no-reply@example.com>")
	}
	raw := r.secret(key+".url", c.URL, c.URLFile)
	if r.faulty(key) {
		return nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		r.follow(key+".url", form)
		return nil
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"smtp": "587", "smtps": "465"}[u.Scheme]
	}
	out := &SMTP{Host: u.Hostname(), Address: net.JoinHostPort(u.Hostname(), port), TLS: u.Scheme == "smtps", From: from.String(), User: u.User.Username()}
	password, _ := u.User.Password()
	out.Password = Secret(password)
	out.Plain = !out.TLS && origins.IsLoopback(out.Host)
	return out
}

// actingFor is what a route asks of the organization that a person acts for.
func (r *reader) actingFor(key string, c route, s *Settings) []codegrant.Permission {
	at := key + ".organization"
	if len(c.OrganizationRoles) > 0 {
		at = key + ".organization_roles"
	} else if !c.Organization {
		return nil
	}
	if s.Organizations == nil {
		if r.uses("organizations") && !r.faulty("organizations") {
			r.fault(at, "there are no organizations, so nobody could pass; set organizations: true")
		}
		return nil
	}
	for _, role := range c.OrganizationRoles {
		if !slices.Contains(s.Organizations.Roles, role) {
			r.fault(at, "there is no role %q in organizations; there are %s", role, strings.Join(s.Organizations.Roles, ", "))
			return nil
		}
	}
	return []codegrant.Permission{codegrant.InOrganization(c.OrganizationRoles...)}
}

// emailProviders chooses an identity provider by the domain of an address; nil: nobody does.
func (r *reader) emailProviders(key string, list map[string]emailProvider) func(string) (string, string) {
	if len(list) == 0 {
		return nil
	}
	byDomain := make(map[string]rule.Provider, len(list))
	for domain, p := range list {
		byDomain[domain] = rule.Provider{Name: p.Name, Identifier: p.Identifier}
	}
	choose, err := rule.Providers(byDomain)
	if err != nil {
		for _, leaf := range leaves(err) {
			r.fault(key, "%w", leaf)
		}
	}
	return choose
}
