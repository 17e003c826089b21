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
func (a *API) recorded(r *http.Request, id, name string, op operation, of gist, body []byte) func(error) {
	if !a.trail.On(name) {
		return func(error) {}
	}
	c := events.Call{Operation: name, Anonymous: op.open, RequestID: id, UserAgent: r.UserAgent(), SourceIP: r.RemoteAddr}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		c.SourceIP = host
	}
	_ = json.Unmarshal(body, &c.Parameters) // what is wrong with it, the operation says
	c.PoolID = of.UserPoolId
	if client, ok := a.state.Client(of.ClientId); ok && c.PoolID == "" {
		c.PoolID = client.PoolID
	}
	if token, err := a.maker.Read(of.AccessToken); err == nil && c.PoolID == "" {
		c.PoolID, c.Sub = token.PoolID, token.Sub
	}
	find := func() {
		if c.Sub == "" && of.Username != "" {
			u, _ := a.state.User(c.PoolID, of.Username)
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
