package settings

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/gateway"
)

// stepUp is what a route asks of the sign-in. It is asked of those who may only read, too.
func (r *reader) stepUp(key string, c route) []codegrant.Permission {
	var all []codegrant.Permission
	if c.ACR != "" {
		all = append(all, codegrant.MinimumLevel(c.ACR))
	}
	switch {
	case c.MaxAge == 0:
	case c.MaxAge%time.Second != 0:
		r.fault(key+".max_age", "the pool counts whole seconds")
	default:
		all = append(all, codegrant.SignedInWithin(c.MaxAge))
	}
	return all
}

// levels finds routes whose level is none of a pool that they are for: nobody would pass.
func (r *reader) levels(f *file, s *Settings) {
	tenants, err := s.quietTenants()
	if err != nil {
		return // what is wrong with a pool has been said
	}
	for i, c := range f.Routes {
		if c.ACR == "" {
			continue
		}
		for _, t := range tenants {
			if !couldBeFor(c, t, tenants) {
				continue
			}
			if !hasLevel(t, c.ACR) {
				r.follow(fmt.Sprintf("routes[%d].acr", i), "pool %s has no such level; its levels say the values of acr that it has", t.Name)
			}
		}
	}
}

// hasLevel reports whether somebody could sign in at a level.
func hasLevel(t gateway.Tenant, acr string) bool {
	err := t.Auth.Authorize(context.Background(), &codegrant.Identity{}, new(http.Request), codegrant.MinimumLevel(acr))
	var again *codegrant.StepUpError
	return errors.As(err, &again)
}

// couldBeFor reports whether a route's people could be those of a pool.
func couldBeFor(c route, t gateway.Tenant, all []gateway.Tenant) bool {
	if c.Tenant != "" || c.Host == "" {
		return c.Tenant == "" || c.Tenant == t.Name
	}
	names := func(t gateway.Tenant) bool {
		return slices.ContainsFunc(t.Hosts, func(h string) bool { return strings.EqualFold(hostOf(h), hostOf(c.Host)) })
	}
	return names(t) || len(t.Hosts) == 0 && !slices.ContainsFunc(all, names)
}
