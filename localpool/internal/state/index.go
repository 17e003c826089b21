package state

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// index finds what a pool's lists have by name, so that neither a sign-in nor a
// page of users takes longer in a large pool. It is kept beside the lists and not
// saved. Who uses it holds the lock.
type index struct {
	next  int64 // the highest order that a user has
	names map[string]*User
	subs  map[string]*User
	// addresses are attributes that may stand for a username, by name and by value in
	// lower case; several users may have one.
	addresses map[string]map[string][]*User
	linked    map[identity]*User // by what they are at identity providers
	groups    map[string]*Group
	sorted    []string           // names of groups
	members   map[string][]*User // by group, in order

	grants   map[string]*Grant   // by hash
	families map[string][]*Grant // by origin_jti
	holders  map[string][]*Grant // by sub
	pruneAt  int                 // so many grants

	searches map[string]*search // by attribute, those that were asked for
}

const pruneGrants = 1000

// makeIndex makes the index of the pool's lists as they are.
func (p *Pool) makeIndex() error {
	if err := p.settle(); err != nil {
		return err
	}
	p.index = &index{
		names: make(map[string]*User, len(p.Users)), subs: make(map[string]*User, len(p.Users)), addresses: make(map[string]map[string][]*User),
		linked: make(map[identity]*User),
		groups: make(map[string]*Group), members: make(map[string][]*User),
	}
	for _, g := range p.Groups {
		p.index.addGroup(g)
	}
	for _, u := range p.Users {
		// Files of before have no orders: the list is in the order of creation.
		if u.Order <= p.index.next {
			u.Order = p.index.next + 1
		}
		p.index.next = u.Order
		if err := p.index.addUser(p.key(u.Username), u); err != nil {
			return err
		}
	}
	p.indexGrants()
	return nil
}

// key is how a username, or what stands for one, is compared.
func (p *Pool) key(name string) string {
	if p.CaseSensitive {
		return name
	}
	return strings.ToLower(name)
}

// user finds a user by username, sub, or e-mail address. The caller holds the lock.
func (p *Pool) user(name string) *User {
	if name == "" {
		return nil
	}
	if u := p.index.names[p.key(name)]; u != nil {
		return u
	}
	if u := p.index.subs[name]; u != nil {
		return u
	}
	return p.addressee(name)
}

// addressee finds the user whom an attribute stands for, the last one where there are
// several.
func (p *Pool) addressee(value string) *User {
	for _, name := range p.aliases() {
		for _, u := range slices.Backward(p.index.addresses[name][strings.ToLower(value)]) {
			if p.key(u.Attributes[name]) == p.key(value) && p.stands(u.Attributes, name) {
				return u
			}
		}
	}
	return nil
}

func byOrder(a, b *User) int { return cmp.Compare(a.Order, b.Order) }

func insert(list []*User, u *User) []*User {
	at, found := slices.BinarySearchFunc(list, u, byOrder)
	if found {
		return list
	}
	return slices.Insert(list, at, u)
}

func remove(list []*User, u *User) []*User {
	at, found := slices.BinarySearchFunc(list, u, byOrder)
	if !found {
		return list
	}
	return slices.Delete(list, at, at+1)
}

func (x *index) addUser(key string, u *User) error {
	if x.names[key] != nil || x.subs[u.Sub()] != nil {
		return fmt.Errorf("user %s is there twice", u.Username)
	}
	x.names[key], x.subs[u.Sub()] = u, u
	x.touch(u)
	x.readdress(u, nil)
	for _, g := range u.Groups {
		x.join(u, g)
	}
	return nil
}

// removeUser takes a user off the pool's list and out of the index.
func (p *Pool) removeUser(u *User) {
	p.Users = remove(p.Users, u)
	p.index.touch(u)
	delete(p.index.names, p.key(u.Username))
	delete(p.index.subs, u.Sub())
	for _, name := range indexed {
		p.index.unlist(u, name, u.Attributes[name])
	}
	p.index.relink(u, u.identityKeys(), nil)
	for _, g := range u.Groups {
		p.index.leave(u, g)
	}
}

// indexed are the attributes that users are found by.
var indexed = []string{"email", "phone_number", "preferred_username"}

// readdress notes that a user's attributes are others than they were; nil: a new user.
func (x *index) readdress(u, was *User) {
	var before map[string]string
	if was != nil {
		before = was.Attributes
	}
	x.relink(u, was.identityKeys(), u.identityKeys())
	for _, name := range indexed {
		now := u.Attributes[name]
		if now == before[name] {
			continue
		}
		x.unlist(u, name, before[name])
		key := strings.ToLower(now)
		if key == "" {
			continue
		}
		if x.addresses[name] == nil {
			x.addresses[name] = make(map[string][]*User)
		}
		x.addresses[name][key] = insert(x.addresses[name][key], u)
	}
}

func (x *index) unlist(u *User, name, value string) {
	key := strings.ToLower(value)
	if left := remove(x.addresses[name][key], u); len(left) > 0 {
		x.addresses[name][key] = left
	} else {
		delete(x.addresses[name], key)
	}
}

func (x *index) addGroup(g *Group) {
	x.groups[g.Name] = g
	if at, found := slices.BinarySearch(x.sorted, g.Name); !found {
		x.sorted = slices.Insert(x.sorted, at, g.Name)
	}
}

// removeGroup returns who was a member.
func (x *index) removeGroup(name string) []*User {
	members := x.members[name]
	delete(x.members, name)
	delete(x.groups, name)
	if at, found := slices.BinarySearch(x.sorted, name); found {
		x.sorted = slices.Delete(x.sorted, at, at+1)
	}
	return members
}

func (x *index) join(u *User, group string) { x.members[group] = insert(x.members[group], u) }

func (x *index) leave(u *User, group string) { x.members[group] = remove(x.members[group], u) }

// addGrant adds a grant, and drops those whose tokens are long past where there
// are many.
func (p *Pool) addGrant(g *Grant, now time.Time) {
	p.Grants = append(p.Grants, g)
	if len(p.Grants) < p.index.pruneAt {
		p.index.addGrant(g)
		return
	}
	// Access tokens may outlive the refresh token, by a day at most.
	p.Grants = slices.DeleteFunc(p.Grants, func(old *Grant) bool { return now.After(old.Expires.Add(24 * time.Hour)) })
	p.indexGrants()
}

func (p *Pool) indexGrants() {
	x := p.index
	x.grants, x.families, x.holders = make(map[string]*Grant), make(map[string][]*Grant), make(map[string][]*Grant)
	for _, g := range p.Grants {
		x.addGrant(g)
	}
	x.pruneAt = max(pruneGrants, 2*len(p.Grants))
}

func (x *index) addGrant(g *Grant) {
	x.grants[g.Hash] = g
	x.families[g.Family] = append(x.families[g.Family], g)
	x.holders[g.Sub] = append(x.holders[g.Sub], g)
}
