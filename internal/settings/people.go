package settings

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
	"github.com/codegrant/codegrant/rule"
)

// roles reads which groups include others, and the roles. Where they are faulty, none is
// there: routes that name one are then not told of it too.
func (r *reader) roles(f *file, s *Settings) {
	config := rule.Config{Includes: f.GroupHierarchy, Roles: make(map[string]rule.Role)}
	for name, c := range f.Roles {
		config.Roles[name] = rule.Role{Groups: c.Groups, AnyGroups: c.AnyGroups, Scopes: c.Scopes}
	}
	try := func(key string, c rule.Config) {
		if r.faulty(key) {
			return
		}
		if _, err := rule.New(c); err != nil {
			for _, leaf := range leaves(err) {
				text := strings.TrimPrefix(strings.TrimPrefix(leaf.Error(), "configure rules: "), "Includes: ")
				r.fault(key, "%s", strings.TrimPrefix(text, "Roles: "))
			}
		}
	}
	try("group_hierarchy", rule.Config{Includes: config.Includes})
	for _, name := range slices.Sorted(maps.Keys(config.Roles)) {
		try("roles."+label(name), rule.Config{Roles: map[string]rule.Role{name: config.Roles[name]}})
	}
	s.People, _ = rule.New(config)
}

// named are the permissions by roles, which others may read without.
func (r *reader) named(key string, c route, s *Settings) (all []codegrant.Permission) {
	known := func(key string, names []string) bool {
		good := s.People != nil && len(names) > 0
		for i, name := range names {
			if name != "" && s.People != nil && !s.People.Has(name) {
				at := fmt.Sprintf("%s[%d]", key, i)
				if !r.has(at) {
					at = key // one needs no brackets
				}
				r.fault(at, "there is no role %q; define it under roles", name)
			}
			good = good && s.People.Has(name)
		}
		return good
	}
	if known(key+".roles", c.Roles) {
		for _, name := range c.Roles {
			all = append(all, s.People.Role(name))
		}
	}
	if known(key+".any_roles", c.AnyRoles) {
		all = append(all, s.People.AnyRole(c.AnyRoles...))
	}
	return all
}

// AnyRole is a permission by roles that a proxy asks for.
func (s *Settings) AnyRole(names ...string) (codegrant.Permission, error) {
	for _, name := range names {
		if !s.People.Has(name) {
			return nil, fmt.Errorf("there is no role %q; define it under roles", name)
		}
	}
	return s.People.AnyRole(names...), nil
}

// places are the permissions by address and network, which nobody is without.
func (r *reader) places(key string, c route) (all []codegrant.Permission) {
	if p := r.emails(key, c.AllowEmails, c.AllowEmailDomains); p != nil {
		all = append(all, p)
	}
	for i, network := range c.Networks {
		if _, err := rule.Networks([]string{network}, gateway.ClientAddress); err != nil && network != "" {
			r.fault(r.item(key+".networks", i), "%w", err)
		}
	}
	if len(c.Networks) > 0 && !r.faulty(key+".networks") {
		p, err := rule.Networks(c.Networks, gateway.ClientAddress)
		if err != nil {
			r.fault(key+".networks", "%w", err)
			return all
		}
		all = append(all, p)
	}
	return all
}

// emails is a permission by address; nil: there is none, or a fault was recorded.
func (r *reader) emails(key string, addresses, domains []string) codegrant.Permission {
	for i, address := range addresses {
		if _, err := rule.Emails([]string{address}, nil); err != nil && address != "" {
			r.fault(r.item(key+".allow_emails", i), "%w", err)
		}
	}
	for i, domain := range domains {
		if _, err := rule.Emails(nil, []string{domain}); err != nil && domain != "" {
			r.fault(r.item(key+".allow_email_domains", i), "%w", err)
		}
	}
	if len(addresses)+len(domains) == 0 || r.faulty(key+".allow_emails") || r.faulty(key+".allow_email_domains") {
		return nil
	}
	p, err := rule.Emails(addresses, domains)
	if err != nil {
		r.fault(key+".allow_emails", "%w", err)
		return nil
	}
	return p
}

// item is the key of one item of a list; a list of one needs no brackets.
func (r *reader) item(key string, i int) string {
	if at := fmt.Sprintf("%s[%d]", key, i); r.has(at) {
		return at
	}
	return key
}
