package api

import (
	"cmp"
	"context"
	"net"
	"net/http"

	"github.com/codegrant/codegrant/localpool/internal/state"
)

// untracked and unlimited are what there is where nobody has set anything (AWS, API
// reference).
func untracked(in about) map[string]any {
	return map[string]any{"UserPoolId": in.UserPoolId, "UserSessionTracking": "DISABLED", "TokenSession": map[string]int{"MaxPerUser": 20}}
}

func unlimited(in about) map[string]any {
	return map[string]any{"UserPoolId": in.UserPoolId, "ClientId": in.ClientId, "SSOSession": map[string]int{"MaxValidityMinutes": 60}}
}

// caller is whoever makes a request: what a session is known by.
type caller struct{ device, ip string }

type callerKey struct{}

const maxDeviceType = 1024

func withCaller(r *http.Request) context.Context {
	ip, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		ip = r.RemoteAddr
	}
	device := r.UserAgent()
	return context.WithValue(r.Context(), callerKey{}, caller{device[:min(len(device), maxDeviceType)], ip})
}

func callerOf(ctx context.Context) caller {
	c, _ := ctx.Value(callerKey{}).(caller)
	return c
}

type sessionType struct {
	SessionId        string
	SessionType      string
	ClientId         string
	CreateDate       epoch
	LastActiveDate   epoch
	DeviceType       string
	LastIPAddress    string `json:",omitempty"`
	LastLocation     struct{ City, Country string }
	OriginSessionId  string `json:",omitempty"`
	IsCurrentSession bool
}

type onSession struct {
	UserPoolId  string
	Username    string
	AccessToken string
	SessionId   string
	NextToken   string

	RevokeAssociatedSessions string
}

// linked has sessions end that others came out of, or that came out of them.
const linked = "LINKED"

const sessionPage = 125

// listSessions lists the sessions of a user, of which current is the caller's.
func (a *API) listSessions(pool, name, current string, in onSession) (any, error) {
	sessions, err := a.state.Sessions(pool, name)
	if err != nil {
		return nil, err
	}
	token := in.NextToken
	in.NextToken, in.AccessToken = "", ""
	page, next, err := pageOf(a, token, in, sessions, sessionPage, func(s state.UserSession) string { return s.ID })
	if err != nil {
		return nil, err
	}
	list := make([]sessionType, 0, len(page))
	for _, s := range page {
		t := sessionType{
			SessionId: s.ID, SessionType: "TOKEN", ClientId: s.ClientID, CreateDate: epoch(s.Created), LastActiveDate: epoch(s.Active),
			DeviceType: cmp.Or(s.Device, "unknown"), LastIPAddress: s.IP, OriginSessionId: s.Origin, IsCurrentSession: current != "" && s.Family == current,
		}
		if s.Browser {
			t.SessionType = "SSO"
		}
		t.LastLocation.City, t.LastLocation.Country = "unknown", "unknown"
		list = append(list, t)
	}
	return struct {
		Sessions  []sessionType
		NextToken string `json:",omitempty"`
	}{list, next}, nil
}

func (a *API) listUserSessions(in *onSession) (any, error) {
	pool, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	token, err := a.maker.Read(in.AccessToken)
	if err != nil {
		return nil, err
	}
	return a.listSessions(pool, u.Sub(), token.Family, *in)
}

func (a *API) adminListUserSessions(in *onSession) (any, error) {
	return a.listSessions(in.UserPoolId, in.Username, "", *in)
}

func (a *API) revokeUserSession(in *onSession) (any, error) {
	pool, u, err := a.own(in.AccessToken)
	if err != nil {
		return nil, err
	}
	token, err := a.maker.Read(in.AccessToken)
	if err != nil {
		return nil, err
	}
	sessions, err := a.state.Sessions(pool, u.Sub())
	if err != nil {
		return nil, err
	}
	for _, s := range sessions {
		if s.ID == in.SessionId && s.Family == token.Family {
			return nil, invalid("The current session cannot be revoked.")
		}
	}
	return empty, a.state.EndUserSession(pool, u.Sub(), in.SessionId, in.RevokeAssociatedSessions == linked)
}

func (a *API) adminRevokeUserSession(in *onSession) (any, error) {
	return empty, a.state.EndUserSession(in.UserPoolId, in.Username, in.SessionId, in.RevokeAssociatedSessions == linked)
}
