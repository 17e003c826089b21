package state

import (
	"math"
	"slices"
)

func (p *Pool) group(name string) *Group { return p.index.groups[name] }

// CreateGroup makes a group.
func (s *State) CreateGroup(poolID string, g Group) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return err
	}
	if p.group(g.Name) != nil {
		return refuse(GroupExists, "A group with the name already exists.")
	}
	g.Created, g.Modified = s.now(), s.now()
	s.noteGroup(p, g.Name)
	p.Groups = append(p.Groups, &g)
	p.index.addGroup(&g)
	return s.saveLocked()
}

// Group finds a group.
func (s *State) Group(poolID, name string) (Group, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return Group{}, err
	}
	if g := p.group(name); g != nil {
		return *g, nil
	}
	return Group{}, errNoGroup
}

// UpdateGroup changes a group. Its name stays.
func (s *State) UpdateGroup(poolID, name string, change func(*Group)) (Group, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return Group{}, err
	}
	g := p.group(name)
	if g == nil {
		return Group{}, errNoGroup
	}
	s.noteGroup(p, name)
	change(g)
	g.Name, g.Modified = name, s.now()
	return *g, s.saveLocked()
}

// DeleteGroup removes a group; its members lose it.
func (s *State) DeleteGroup(poolID, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return err
	}
	if p.group(name) == nil {
		return errNoGroup
	}
	s.noteGroup(p, name)
	p.Groups = slices.DeleteFunc(p.Groups, func(g *Group) bool { return g.Name == name })
	for _, u := range p.index.removeGroup(name) {
		was := u.clone()
		s.noteUser(p, u.Sub(), &was)
		u.Groups = slices.DeleteFunc(u.Groups, func(g string) bool { return g == name })
	}
	return s.saveLocked()
}

// AddToGroup makes a user a member. Doing it again is not an error.
func (s *State) AddToGroup(poolID, name, group string) error {
	return s.change(poolID, name, func(p *Pool, u *User) error {
		if p.group(group) == nil {
			return errNoGroup
		}
		if !slices.Contains(u.Groups, group) {
			u.Groups = append(u.Groups, group)
			p.index.join(u, group)
		}
		return nil
	})
}

// RemoveFromGroup ends a membership. Doing it again is not an error.
func (s *State) RemoveFromGroup(poolID, name, group string) error {
	return s.change(poolID, name, func(p *Pool, u *User) error {
		if p.group(group) == nil {
			return errNoGroup
		}
		u.Groups = slices.DeleteFunc(u.Groups, func(g string) bool { return g == group })
		p.index.leave(u, group)
		return nil
	})
}

// Roles lists the roles of groups, and the one that goes before: that of the group
// with the lowest precedence. There is none where groups of the same precedence
// disagree.
func (s *State) Roles(poolID string, groups []string) (roles []string, preferred string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return nil, ""
	}
	lowest, first := 0, true
	for _, name := range groups {
		g := p.group(name)
		if g == nil || g.RoleARN == "" {
			continue
		}
		if !slices.Contains(roles, g.RoleARN) {
			roles = append(roles, g.RoleARN)
		}
		precedence := math.MaxInt
		if g.Precedence != nil {
			precedence = *g.Precedence
		}
		switch {
		case first || precedence < lowest:
			lowest, preferred, first = precedence, g.RoleARN, false
		case precedence == lowest && preferred != g.RoleARN:
			preferred = ""
		}
	}
	return roles, preferred
}
