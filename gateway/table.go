package gateway

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// table is all routes, the most specific first.
type table struct {
	routes  []*route
	tenants []*tenant
	settled bool            // the paths of all routes are
	front   bool            // some have a front controller
	clears  bool            // some clear cookies
	passed  map[string]bool // PassHeaders of any route
}

func newTable(configured []Route, tenants []*tenant, signs bool) (*table, error) {
	var faults []error
	t := &table{tenants: tenants, settled: true, passed: make(map[string]bool)}
	for i, c := range configured {
		r, err := newRoute(c, tenants, signs)
		if err != nil {
			faults = append(faults, fmt.Errorf("[%d] %s: %w", i, r.Name, err))
			continue
		}
		t.routes = append(t.routes, r)
		t.settled = t.settled && isSettled(r.Path)
		t.clears = t.clears || len(r.ClearCookies) > 0
		t.front = t.front || indexFold(r.Path, frontController) >= 0
		maps.Copy(t.passed, r.passed)
	}
	slices.SortStableFunc(t.routes, specific)
	for i, r := range t.routes {
		if err := t.undecided(r); err != nil {
			faults = append(faults, err)
		}
		for _, before := range t.routes[:i] {
			if before.covers(r) {
				faults = append(faults, fmt.Errorf("%s can never match: %s takes all of its requests", r.Name, before.Name))
				break
			}
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return t, nil
}

// specific sorts the narrower route before the wider one.
func specific(a, b *route) int {
	return cmp.Or(
		cmp.Compare(boolean(b.Host != ""), boolean(a.Host != "")),
		cmp.Compare(len(strings.TrimSuffix(b.Path, "/")), len(strings.TrimSuffix(a.Path, "/"))),
		cmp.Compare(boolean(b.Exact), boolean(a.Exact)),
		cmp.Compare(boolean(len(b.Methods) > 0), boolean(len(a.Methods) > 0)),
	)
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// covers: every request that the other one could take, and that comes this far,
// is this one's.
func (r *route) covers(o *route) bool {
	if !r.equals(o) {
		return false
	}
	if len(r.Methods) == 0 {
		return true
	}
	return len(o.Methods) > 0 && !slices.ContainsFunc(o.Methods, func(m string) bool { return !r.takes(m) })
}

// findFor returns the route of a request: the most specific one, of equally specific
// ones that which takes the method. A wider route is no way around a narrower one's
// methods.
func (t *table) findFor(target target, method string) *route {
	var first *route
	for _, r := range t.routes {
		if !r.matches(target) || (first != nil && !first.equals(r)) {
			continue
		}
		if r.takes(method) {
			return r
		}
		if first == nil {
			first = r
		}
	}
	return first
}

// equals: both are for the same targets.
func (r *route) equals(o *route) bool {
	return r.Host == o.Host && strings.TrimSuffix(r.Path, "/") == strings.TrimSuffix(o.Path, "/") && r.Exact == o.Exact
}

func (t *table) stop() {
	for _, r := range t.routes {
		if r.servers != nil {
			r.servers.stop()
		}
	}
}
