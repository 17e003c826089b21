package serve

import (
	"net/http"
	"time"

	"github.com/codegrant/codegrant/broker"
)

// newBroker joins the authorization server of a configuration to the rest; nil: there is
// none. Where keys or records end with the process, so does what it has given.
func (p *process) newBroker(g *generation) (*broker.Broker, error) {
	if g.Broker == nil {
		return nil, nil
	}
	c := *g.Broker
	c.Auth, c.Logger, c.Cupboard = g.pools[g.BrokerPool].auth, p.log, p.records
	if g.KeysGiven && g.stores.cupboard != nil {
		c.Cupboard = g.stores.cupboard
	}
	c.Wait = func(r *http.Request) time.Duration { return p.signIns.wait(network(g.addressFor(r)), time.Now()) }
	c.OnEvent = p.metrics.programs.broker
	return broker.New(c)
}
