package state

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// UserSession is what came of one sign-in: a refresh token, and those that took its place.
type UserSession struct {
	ID       string
	ClientID string
	Family   string
	Created  time.Time
	Active   time.Time
	Device   string
	IP       string
}

// tracking is whether a pool counts the sessions of its users, and how many each may have.
func (p *Pool) tracking() (most int, on bool) {
	d, ok := p.Documents["sessions"]["ALL"]
	if !ok || d.Text("UserSessionTracking") != "ENABLED" {
		return 0, false
	}
	var tokens struct{ MaxPerUser int }
	_ = json.Unmarshal(d.Members["TokenSession"], &tokens) // checked when it was given
	return tokens.MaxPerUser, true
}

// track makes a new grant a session of its user, and ends those that were not used for
// longest where there are too many. The caller holds the lock.
func (s *State) track(p *Pool, g *Grant) {
	most, on := p.tracking()
	if !on {
		return
	}
	g.Session, g.Created, g.Active = "tkn"+letters("abcdefghijklmnopqrstuvwxyz0123456789", 25), s.now(), s.now()
	live := p.sessionsOf(g.Sub, s.now())
	slices.SortFunc(live, func(a, b UserSession) int { return cmp.Or(a.Active.Compare(b.Active), strings.Compare(a.ID, b.ID)) })
	for i := 0; i+most <= len(live); i++ {
		p.endFamily(live[i].Family)
	}
}

func (p *Pool) endFamily(family string) {
	for _, g := range p.index.families[family] {
		g.Revoked = true
	}
}

// sessionsOf are the live sessions of a user.
func (p *Pool) sessionsOf(sub string, now time.Time) (list []UserSession) {
	last := make(map[string]*Grant)
	for _, g := range p.index.holders[sub] {
		if g.Session != "" && !g.Revoked && now.Before(g.Expires) && (g.Replaced.IsZero() || now.Before(g.Replaced)) {
			last[g.Session] = g
		}
	}
	for id, g := range last {
		list = append(list, UserSession{id, g.ClientID, g.Family, g.Created, g.Active, g.Device, g.IP})
	}
	slices.SortFunc(list, func(a, b UserSession) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// Sessions returns the live sessions of a user, in the order of their ids.
func (s *State) Sessions(poolID, name string) ([]UserSession, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return nil, err
	}
	u := p.user(name)
	if u == nil {
		return nil, errNoUser
	}
	return p.sessionsOf(u.Sub(), s.now()), nil
}

// EndUserSession ends a session of a user.
func (s *State) EndUserSession(poolID, name, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := s.pool(poolID)
	if err != nil {
		return err
	}
	u := p.user(name)
	if u == nil {
		return errNoUser
	}
	for _, session := range p.sessionsOf(u.Sub(), s.now()) {
		if session.ID == id {
			p.endFamily(session.Family)
			return s.saveLocked()
		}
	}
	return refuse(ResourceNotFound, "Session does not exist.")
}
