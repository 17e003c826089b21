package state

import (
	"cmp"
	"slices"
	"strings"
)

// Filter selects users by one attribute. Its zero value selects all.
type Filter struct {
	Attribute string // username, status or a user's attribute
	Prefix    bool   // whether the value may go on
	Value     string
}

// Searchable lists the attributes that a filter may name.
var Searchable = []string{
	"username", "email", "phone_number", "name", "given_name", "family_name", "preferred_username", "cognito:user_status", "status", "sub",
}

// selects reports whether a user is one that the filter asks for. Usernames and
// status are compared to the letter, the rest in any case.
func (f Filter) selects(u *User) bool {
	if f.Attribute == "" {
		return true
	}
	value, has := comparable(f.Attribute, u)
	want := asCompared(f.Attribute, f.Value)
	if f.Prefix {
		return has && strings.HasPrefix(value, want)
	}
	return has && value == want
}

// comparable is what of a user an attribute of a filter is compared with.
func comparable(attribute string, u *User) (value string, has bool) {
	switch attribute {
	case "username":
		return u.Username, true
	case "status":
		if u.Enabled {
			return "Enabled", true
		}
		return "Disabled", true
	case "cognito:user_status":
		return strings.ToLower(u.Status), true
	}
	value, has = u.Attributes[attribute]
	return strings.ToLower(value), has
}

// asCompared is a filter's value as it is compared.
func asCompared(attribute, value string) string {
	if attribute == "username" || attribute == "status" {
		return value
	}
	return strings.ToLower(value)
}

// maxScan is how many users one page looks at: with a filter that selects few of
// many, pages are short or empty and there is more, as at Cognito.
const maxScan = 20_000

// ListUsers returns up to limit of the users that the filter selects and whose
// order is higher than after, and what to go on after: 0 at the end. Who goes on
// so sees nobody twice, and everybody who is there all the time.
func (s *State) ListUsers(poolID string, f Filter, after int64, limit int) (users []User, next int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return nil, 0, err
	}
	if list, few := p.candidates(f); few || f.Attribute == "" {
		users, next = page(list, f, after, limit)
	} else {
		users, next = p.found(f, after, limit)
	}
	return users, next, nil
}

// candidates are the users that a filter may select: few, where the index knows them.
func (p *Pool) candidates(f Filter) (list []*User, few bool) {
	one := func(u *User) ([]*User, bool) {
		if u == nil {
			return nil, true
		}
		return []*User{u}, true
	}
	switch {
	case f.Prefix:
		return p.Users, false
	case f.Attribute == "username":
		return one(p.index.names[p.key(f.Value)])
	case f.Attribute == "sub":
		return one(cmp.Or(p.index.subs[f.Value], p.index.subs[strings.ToLower(f.Value)]))
	case slices.Contains(indexed, f.Attribute):
		return p.index.addresses[f.Attribute][strings.ToLower(f.Value)], true
	}
	return p.Users, false
}

func page(list []*User, f Filter, after int64, limit int) (users []User, next int64) {
	at, found := slices.BinarySearchFunc(list, after, func(u *User, order int64) int { return cmp.Compare(u.Order, order) })
	if found {
		at++
	}
	users = make([]User, 0, min(limit, len(list)-at))
	var last int64
	for i, u := range list[at:] {
		selected := f.selects(u)
		if i >= maxScan || (selected && len(users) == limit) {
			return users, last
		}
		if selected {
			users = append(users, u.clone())
		}
		last = u.Order
	}
	return users, 0
}

// CountUsers says how many users a pool has.
func (s *State) CountUsers(poolID string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return 0, err
	}
	return len(p.Users), nil
}

// ListMembers returns up to limit members of a group whose order is higher than
// after, and what to go on after: 0 at the end.
func (s *State) ListMembers(poolID, group string, after int64, limit int) (users []User, next int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return nil, 0, err
	}
	if p.group(group) == nil {
		return nil, 0, errNoGroup
	}
	users, next = page(p.index.members[group], Filter{}, after, limit)
	return users, next, nil
}

// ListGroups returns up to limit groups whose name comes after the given one, and
// the name to go on after: empty at the end.
func (s *State) ListGroups(poolID, after string, limit int) (groups []Group, next string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return nil, "", err
	}
	groups, next = p.groupsAfter(p.index.sorted, after, limit)
	return groups, next, nil
}

// GroupsOf lists the groups of a user as ListGroups does those of the pool.
func (s *State) GroupsOf(poolID, name, after string, limit int) (groups []Group, next string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return nil, "", err
	}
	u := p.user(name)
	if u == nil {
		return nil, "", errNoUser
	}
	groups, next = p.groupsAfter(slices.Sorted(slices.Values(u.Groups)), after, limit)
	return groups, next, nil
}

func (p *Pool) groupsAfter(sorted []string, after string, limit int) (groups []Group, next string) {
	at, found := slices.BinarySearch(sorted, after)
	if found {
		at++
	}
	end := min(at+limit, len(sorted))
	for _, name := range sorted[at:end] {
		if g := p.group(name); g != nil {
			groups = append(groups, *g)
		}
	}
	if end < len(sorted) {
		next = sorted[end-1]
	}
	return groups, next
}
