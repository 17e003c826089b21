package gateway

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant"
)

// narrowing is what a proxy asks for beyond what a route does: a query, or its values
// where they did not come as one.
type narrowing struct {
	query  string
	values url.Values
}

// narrowedGuards remember what was made of queries: a proxy asks with the few that its
// configuration has, all the time. Others than proxies may ask too, so that the memory
// is bounded.
type narrowedGuards struct {
	inAny   func(names ...string) codegrant.Permission
	anyRole func(names ...string) (codegrant.Permission, error) // nil: there are no roles
	mu      sync.RWMutex
	kept    map[narrowedKey]http.Handler
}

type narrowedKey struct {
	tenant *tenant
	route  *route
	query  string
}

const (
	maxNarrowed      = 256 // beyond it, all begin anew
	maxNarrowedQuery = 256 // bytes of one
)

// of returns what asks the permissions of a route, and those that the proxy adds.
func (n *narrowedGuards) of(t *tenant, r *route, by narrowing) (http.Handler, error) {
	if by.query == "" && len(by.values) == 0 {
		return r.guards[t], nil
	}
	key := narrowedKey{t, r, by.query}
	keep := by.query != "" && len(by.query) <= maxNarrowedQuery && r.because == nil // others come again
	if keep {
		n.mu.RLock()
		guard := n.kept[key]
		n.mu.RUnlock()
		if guard != nil {
			return guard, nil
		}
	}
	values := by.values
	if by.query != "" {
		// A query that cannot be read asks for something, too: do not ignore it.
		var err error
		if values, err = url.ParseQuery(by.query); err != nil {
			return nil, fmt.Errorf("%w: %w", errQuery, err)
		}
	}
	more, err := n.permissionsOf(values)
	if err != nil {
		return nil, err
	}
	narrowed := *r
	if len(more) > 0 {
		narrowed.permissions = append(slices.Clone(narrowed.permissions), more...)
		narrowed.Public = false
	}
	guard := guardOf(t, &narrowed)
	if keep {
		n.mu.Lock()
		if n.kept == nil || len(n.kept) >= maxNarrowed {
			n.kept = make(map[narrowedKey]http.Handler)
		}
		n.kept[key] = guard
		n.mu.Unlock()
	}
	return guard, nil
}

// permissionsOf reads group=, any_group=, role=, any_role=, scope=, acr= and max_age=.
func (n *narrowedGuards) permissionsOf(query url.Values) ([]codegrant.Permission, error) {
	var all []codegrant.Permission
	var either, eitherRole []string
	for name, values := range query {
		for _, value := range values {
			// Lists may come separated by commas, as configuration files have them.
			for item := range strings.SplitSeq(value, ",") {
				if item = strings.TrimSpace(item); item == "" {
					return nil, fmt.Errorf("%w: %s is empty", errQuery, name)
				}
				switch name {
				case "group":
					all = append(all, n.inAny(item))
				case "any_group":
					either = append(either, item)
				case "role":
					p, err := n.role(item)
					if err != nil {
						return nil, err
					}
					all = append(all, p)
				case "any_role":
					eitherRole = append(eitherRole, item)
				case "scope":
					all = append(all, codegrant.HasScope(item))
				case "acr":
					all = append(all, codegrant.MinimumLevel(item))
				case "max_age":
					age, err := strconv.ParseUint(item, 10, 31)
					if err != nil || age == 0 {
						return nil, fmt.Errorf("%w: max_age is not a number of seconds", errQuery)
					}
					all = append(all, codegrant.SignedInWithin(time.Duration(age)*time.Second))
				default:
					return nil, fmt.Errorf("%w: %q is not known", errQuery, name)
				}
			}
		}
	}
	if len(either) > 0 {
		all = append(all, n.inAny(either...))
	}
	if len(eitherRole) > 0 {
		p, err := n.role(eitherRole...)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// role is a permission by roles. One that there is not is a fault of the proxy's
// configuration, and nobody passes.
func (n *narrowedGuards) role(names ...string) (codegrant.Permission, error) {
	if n.anyRole == nil {
		return nil, fmt.Errorf("%w: there are no roles", errQuery)
	}
	p, err := n.anyRole(names...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errQuery, err)
	}
	return p, nil
}
