package api

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"

	"github.com/codegrant/codegrant/localpool/internal/events"
	"github.com/codegrant/codegrant/localpool/internal/state"
)

// recorded begins to tell of a call. What it returns is called with what became of
// the call: the user may be gone by then, or be there only then.
func (a *API) recorded(r *http.Request, id, name string, op operation, body []byte) func(error) {
	if !a.trail.On(name) {
		return func(error) {}
	}
	c := events.Call{Operation: name, Anonymous: op.open, RequestID: id, UserAgent: r.UserAgent(), SourceIP: r.RemoteAddr}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		c.SourceIP = host
	}
	var about struct{ UserPoolId, ClientId, Username, AccessToken string }
	// What is wrong with a request, the operation says.
	_ = json.Unmarshal(body, &about)
	_ = json.Unmarshal(body, &c.Parameters)
	c.PoolID = about.UserPoolId
	if client, ok := a.state.Client(about.ClientId); ok && c.PoolID == "" {
		c.PoolID = client.PoolID
	}
	if token, err := a.maker.Read(about.AccessToken); err == nil && c.PoolID == "" {
		c.PoolID, c.Sub = token.PoolID, token.Sub
	}
	find := func() {
		if c.Sub == "" && about.Username != "" {
			u, _ := a.state.User(c.PoolID, about.Username)
			c.Sub = u.Sub()
		}
	}
	find()
	return func(err error) {
		find()
		if err != nil && !errors.As(err, &c.Error) {
			c.Error = &state.Error{Type: "InternalErrorException"}
		}
		a.trail.Record(c)
	}
}
