package parts

import (
	"context"
	"slices"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/replica"
)

// boundElsewhere is what sessions of other issuers are bound to: of the pool that people of
// this one come from, and of the other pools of the configuration.
func boundElsewhere(s *settings.Settings, pool settings.Pool) (map[string][]string, error) {
	pools := make([]cognito.Pool, 0, len(s.Pools)+1)
	if pool.Config.OldPool != nil {
		pools = append(pools, *pool.Config.OldPool)
	}
	for _, p := range s.Pools {
		pools = append(pools, p.Config.Pool)
	}
	all := make(map[string][]string)
	for _, p := range pools {
		endpoints, err := p.Endpoints()
		if err != nil {
			return nil, err
		}
		bound, err := codegrant.SessionPool(p)
		if err != nil {
			return nil, err
		}
		if issuer := endpoints.Issuer; issuer != pool.Issuer && !slices.Contains(all[issuer], bound) {
			all[issuer] = append(all[issuer], bound)
		}
	}
	return all, nil
}

// BoundTo is what sessions of an issuer are bound to.
func (o *Opened) BoundTo(issuer string) []string {
	if issuer == o.Issuer {
		return []string{o.Bound}
	}
	return o.Others[issuer]
}

// Binds reports whether sessions that are bound to this are of the configuration, and of this
// app client where they are of the pool.
func (o *Opened) Binds(bound string) bool {
	if bound == o.Bound {
		return true
	}
	for _, others := range o.Others {
		if slices.Contains(others, bound) {
			return true
		}
	}
	return false
}

// IssuerOf is the issuer of sessions that are bound to this.
func (o *Opened) IssuerOf(bound string) string {
	for issuer, others := range o.Others {
		if slices.Contains(others, bound) {
			return issuer
		}
	}
	return o.Issuer
}

// Identities returns every identity of the person whom a name stands for, the one that is
// named first. Whom no replica knows is named by their sub.
func (o *Opened) Identities(ctx context.Context, who string) ([]replica.User, error) {
	unknown := []replica.User{{Issuer: o.Issuer, Subject: who}}
	if o.Users == nil {
		return unknown, nil
	}
	u, err := o.Find(ctx, who)
	if err != nil && !o.Replicated {
		return unknown, nil // nobody keeps people there, perhaps not even tables
	}
	var all []replica.User
	if err == nil {
		all, err = o.Users.Identities(ctx, u.Person())
	}
	if err != nil {
		return nil, err
	}
	all = slices.DeleteFunc(all, func(other replica.User) bool { return other.ID == u.ID })
	return slices.Insert(all, 0, u), nil
}
