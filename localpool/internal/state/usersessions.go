package state

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// UserSession is what came of one sign-in: a refresh token, and those that took its place,
// or the session of a browser at the login pages.
type UserSession struct {
	ID       string
	Browser  bool
	ClientID string
	Family   string // of a refresh token
	Origin   string // the session of the browser that it came out of
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

const idLetters = "abcdefghijklmnopqrstuvwxyz0123456789"

// takeOver is for how long after a sign-in an app client lets a browser in without another.
func (p *Pool) takeOver(clientID string) time.Duration {
	if _, on := p.tracking(); !on {
		return sessionLifetime
	}
	sso := struct{ MaxValidityMinutes int }{60}
	if d, ok := p.Documents["client_sessions"][clientID]; ok {
		_ = json.Unmarshal(d.Members["SSOSession"], &sso) // checked when it was given
	}
	return time.Duration(sso.MaxValidityMinutes) * time.Minute
}

// track makes a new grant a session of its user, and ends those that were not used for
// longest where there are too many. The caller holds the lock.
func (s *State) track(p *Pool, g *Grant) {
	most, on := p.tracking()
	if !on {
		return
	}
	g.Session, g.Created, g.Active = "tkn"+letters(idLetters, 25), s.now(), s.now()
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
		list = append(list, UserSession{ID: id, ClientID: g.ClientID, Family: g.Family, Origin: g.Origin, Created: g.Created, Active: g.Active, Device: g.Device, IP: g.IP})
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
	return s.allSessions(p, u), nil
}

// allSessions are the live sessions of a user, those of browsers among them. The caller
// holds the lock.
func (s *State) allSessions(p *Pool, u *User) []UserSession {
	list := p.sessionsOf(u.Sub(), s.now())
	if _, on := p.tracking(); on {
		for _, x := range s.sessions {
			if x.PoolID == p.ID && x.Sub == u.Sub() && s.now().Before(x.expires) {
				list = append(list, UserSession{ID: x.ID, Browser: true, ClientID: x.ClientID, Created: x.AuthTime, Active: x.Active, Device: x.Device, IP: x.IP})
			}
		}
	}
	slices.SortFunc(list, func(a, b UserSession) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// endBrowser ends the session of a browser. The caller holds the lock.
func (s *State) endBrowser(poolID, id string) {
	for cookie, x := range s.sessions {
		if id != "" && x.ID == id && x.PoolID == poolID {
			delete(s.sessions, cookie)
		}
	}
}

// EndUserSession ends a session of a user; linked: with the browser's that it came out of,
// or with all that came out of it.
func (s *State) EndUserSession(poolID, name, id string, linked bool) error {
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
	all := s.allSessions(p, u)
	for _, session := range all {
		switch {
		case session.ID != id:
			continue
		case session.Browser:
			s.endBrowser(p.ID, id)
			for _, other := range all {
				if linked && other.Origin == id {
					p.endFamily(other.Family)
				}
			}
		default:
			if p.endFamily(session.Family); linked {
				s.endBrowser(p.ID, session.Origin)
			}
		}
		return s.saveLocked()
	}
	return refuse(ResourceNotFound, "Session does not exist.")
}
