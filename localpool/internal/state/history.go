package state

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// past is what a user, or a group, was before a change.
type past struct {
	at    time.Time
	sub   string
	user  *User // nil: there was none
	group string
	was   *Group // nil: there was none
}

// maxHistory is how many changes a pool knows of. It knows none of before the start.
const maxHistory = 20_000

func (p *Pool) note(c past) {
	if p.history = append(p.history, c); len(p.history) > maxHistory {
		p.history = slices.Clone(p.history[len(p.history)-maxHistory/2:])
	}
}

// noteUser notes what a user was. The caller holds the lock.
func (s *State) noteUser(p *Pool, sub string, before *User) {
	p.note(past{at: s.now(), sub: sub, user: before})
}

func (s *State) noteGroup(p *Pool, name string) {
	c := past{at: s.now(), group: name}
	if g := p.group(name); g != nil {
		copied := *g
		c.was = &copied
	}
	p.note(c)
}

// then is what the users and groups that have changed since a time were at it.
func (p *Pool) then(at time.Time) (users map[string]*User, groups map[string]*Group) {
	users, groups = make(map[string]*User), make(map[string]*Group)
	for _, c := range slices.Backward(p.history) {
		switch {
		case !c.at.After(at):
			return users, groups
		case c.group != "":
			groups[c.group] = c.was
		default:
			users[c.sub] = c.user
		}
	}
	return users, groups
}

// Changes counts what a restoration would do to one kind of thing.
type Changes struct {
	Entity                                string
	CreateCount, UpdateCount, DeleteCount int
}

func (c *Changes) count(there, then, same bool) {
	switch {
	case there && !then:
		c.DeleteCount++
	case !there && then:
		c.CreateCount++
	case there && !same:
		c.UpdateCount++
	}
}

// Preview says what going back to a time would do.
func (s *State) Preview(poolID string, at time.Time) ([]Changes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return nil, err
	}
	all := []Changes{{Entity: "Users"}, {Entity: "Groups"}, {Entity: "User MFAs"}, {Entity: "Passkeys"}}
	users, groups := p.then(at)
	for sub, then := range users {
		now := p.index.subs[sub]
		all[0].count(now != nil, then != nil, now != nil && then != nil && alike(profile(now), profile(then)))
		hasMFA := func(u *User) bool { return u != nil && (u.Token != nil && u.Token.Secret != "" || len(u.MFA) > 0) }
		all[2].count(hasMFA(now), hasMFA(then), hasMFA(now) && hasMFA(then) && alike(now.Token, then.Token) && alike(now.MFA, then.MFA))
		hasKeys := func(u *User) bool { return u != nil && len(u.Passkeys) > 0 }
		all[3].count(hasKeys(now), hasKeys(then), hasKeys(now) && hasKeys(then) && alike(now.Passkeys, then.Passkeys))
	}
	for name, then := range groups {
		now := p.group(name)
		all[1].count(now != nil, then != nil, now != nil && then != nil && alike(now, then))
	}
	return all, nil
}

// profile is what of a user a restoration brings back, but for factors.
func profile(u *User) any {
	return []any{u.Attributes, u.Groups, u.Enabled, u.Status, u.Password}
}

func alike(a, b any) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

// GoBack has the users and groups of a pool be what they were at a time. Whoever has
// changed the password since keeps the new one; who was not there then is gone.
func (s *State) GoBack(poolID string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return err
	}
	users, groups := p.then(at)
	for name, then := range groups {
		p.Groups = slices.DeleteFunc(p.Groups, func(g *Group) bool { return g.Name == name })
		members := p.index.removeGroup(name)
		if then == nil {
			for _, u := range members {
				u.Groups = slices.DeleteFunc(u.Groups, func(g string) bool { return g == name })
			}
			continue
		}
		g := *then
		p.Groups = append(p.Groups, &g)
		p.index.addGroup(&g)
		for _, u := range members {
			p.index.join(u, name)
		}
	}
	// Those who go, first: their names may have been others' before.
	for sub, then := range users {
		if now := p.index.subs[sub]; now != nil {
			if then == nil {
				s.revokeAll(p, now)
			} else if now.Password != then.Password {
				kept := then.clone()
				kept.Password, kept.SRP, kept.Passwords, kept.Status = now.Password, now.SRP, now.Passwords, now.Status
				users[sub] = &kept
			}
			p.removeUser(now)
		}
	}
	for _, sub := range slices.Sorted(maps.Keys(users)) {
		then := users[sub]
		if then == nil {
			continue
		}
		u := then.clone()
		u.Groups = slices.DeleteFunc(u.Groups, func(g string) bool { return p.group(g) == nil })
		p.Users = insert(p.Users, &u)
		if err := p.index.addUser(p.key(u.Username), &u); err != nil {
			return err
		}
	}
	p.history = slices.DeleteFunc(p.history, func(c past) bool { return c.at.After(at) })
	return s.saveLocked()
}
