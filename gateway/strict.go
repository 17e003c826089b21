package gateway

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/codegrant/codegrant"
)

// find returns the route of a request, and has it ask for what every other route asks
// for that a server could take its path for. An error says that the request is refused
// whatever the route; no route, that there is none.
func (t *table) find(target target, method string) (*route, error) {
	found := t.findFor(target, method)
	if target.doubt != nil && (found == nil || !found.EncodedPaths) {
		return nil, fmt.Errorf("%w: %w", errTarget, target.doubt)
	}
	if found == nil || target.settled && t.settled {
		return found, nil
	}
	return t.judged(found, target, method)
}

func (t *table) judged(found *route, target target, method string) (*route, error) {
	one := [1]string{target.path}
	readings := target.readings
	if len(readings) == 0 {
		readings = one[:]
		if !t.hasAnother(target) {
			return found, nil
		}
	}
	var others []*route
	for _, reading := range readings {
		var kept [foldPlain + 1]string
		for by := range foldAll + 1 {
			if by&found.keeps != 0 {
				continue
			}
			level := t.level(target.host, reading, by, &kept, method)
			if len(level) == 0 {
				return nil, nil
			}
			for _, r := range level {
				if r != found && !slices.Contains(others, r) {
					others = append(others, r)
				}
			}
		}
	}
	return t.joined(found, others, method)
}

// hasAnother reports whether the path, folded, may be of other routes than it is itself.
// Each fold makes a path match more, but for that of front controllers.
func (t *table) hasAnother(target target) bool {
	if t.front || indexFold(target.path, frontController) >= 0 {
		return true
	}
	var kept [foldPlain + 1]string
	return slices.ContainsFunc(t.routes, func(r *route) bool {
		return r.takesHost(target.host) && r.matches(target) != r.matchesFolded(target.path, foldAll, &kept)
	})
}

// level is the most specific routes of a path as a server with these folds reads it; of
// those with the very same path, the one that takes the method. Kept are the forms of
// the path that were made before.
func (t *table) level(host, path string, by folds, kept *[foldPlain + 1]string, method string) []*route {
	var best []*route
	for _, r := range t.routes {
		if !r.takesHost(host) || !r.matchesFolded(path, by, kept) {
			continue
		}
		if len(best) > 0 {
			switch order := compareFolded(r, best[0], by); {
			case order > 0:
				continue
			case order < 0:
				best = best[:0]
			}
		}
		// Of the same path, the first that takes the method counts, or the first.
		i := slices.IndexFunc(best, r.equals)
		if i < 0 {
			best = append(best, r)
		} else if !best[i].takes(method) && r.takes(method) {
			best[i] = r
		}
	}
	return best
}

// compareFolded is below 0 where a is for less than b, to a server with these folds.
func compareFolded(a, b *route, by folds) int {
	if order := boolean(b.Host != "") - boolean(a.Host != ""); order != 0 {
		return order
	}
	if order := len(b.folded(by)) - len(a.folded(by)); order != 0 {
		return order
	}
	return boolean(b.Exact) - boolean(a.Exact)
}

func (r *route) takesHost(host string) bool { return r.Host == "" || r.Host == host }

func (r *route) folded(by folds) string { return r.canonical[by&^r.keeps&foldPlain] }

// matchesFolded reports whether a server with these folds takes the path for one of the
// route's.
func (r *route) matchesFolded(path string, by folds, kept *[foldPlain + 1]string) bool {
	by &^= r.keeps
	if kept[by&foldPlain] == "" {
		kept[by&foldPlain] = canonical(path, by&foldPlain)
	}
	path, own := kept[by&foldPlain], r.folded(by)
	if by&foldExtension != 0 {
		if plain := withoutExtension(path); plain != "" && plain == own {
			return true
		}
	}
	if r.Exact {
		return path == own
	}
	rest, ok := strings.CutPrefix(path, own)
	return ok && (rest == "" || rest[0] == '/')
}

// fold prepares a route for what is asked about it above.
func (r *route) fold() {
	for _, one := range [...]struct {
		is   bool
		fold folds
	}{{r.CaseSensitive, foldCase}, {r.DotSensitive, foldDots}, {r.SlashSensitive, foldSlash}, {r.ExtensionSensitive, foldExtension}} {
		if one.is {
			r.keeps |= one.fold
		}
	}
	for by := range foldPlain + 1 {
		r.canonical[by] = canonical(r.Path, by)
		if !r.Exact {
			r.canonical[by] = strings.TrimSuffix(r.canonical[by], "/")
		}
	}
}

var errPeople = errors.New("its path can be read as that of people of another pool")

var errGuarded = errors.New("its path can be read as that of a route with a guard of its own")

// joined is the route found, which asks for what the others ask for, too.
func (t *table) joined(found *route, others []*route, method string) (*route, error) {
	out, changed := *found, false
	out.permissions = slices.Clip(out.permissions)
	some, none, people := false, false, false
	for _, o := range append([]*route{found}, others...) {
		if !o.Public && o.takes(method) {
			some, none = some || len(o.Actors) > 0, none || len(o.Actors) == 0
			people = people || len(o.Machines) == 0
		}
	}
	if some && none {
		out.permissions = append(out.permissions, codegrant.AllowActors()) // what one does not allow, nor do they together
	}
	if people && slices.ContainsFunc(append(slices.Clip(others), found), func(o *route) bool { return len(o.Machines) > 0 }) {
		out.permissions = append(out.permissions, codegrant.SignedIn()) // no machine
	}
	for _, o := range others {
		switch {
		case !o.takes(method):
			out.Methods, changed = o.Methods, true // which do not have it
			out.because = append(out.because, o)
			continue
		case o.Guard != nil && o.Guard != found.Guard:
			return nil, fmt.Errorf("%w: %w", errTarget, errGuarded)
		case o.Public:
			continue
		case out.Public:
			out.Public, out.tenant = false, o.tenant
		case out.tenant != o.tenant && len(t.tenants) > 1:
			return nil, fmt.Errorf("%w: %w", errTarget, errPeople)
		}
		out.permissions, changed = append(out.permissions, o.permissions...), true
		out.because = append(out.because, o)
	}
	if !changed {
		return found, nil
	}
	out.guards = make(map[*tenant]http.Handler, len(t.tenants))
	for _, tenant := range t.tenants {
		out.guards[tenant] = guardOf(tenant, &out)
	}
	return &out, nil
}
