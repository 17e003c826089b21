package gateway

import (
	"errors"
	"net/http"
	"time"
)

// UpstreamAnswer is what became of a request that a server of an upstream was asked, once for each server that
// was tried.
type UpstreamAnswer struct {
	Route, Server string        // the server as host and port
	Status        int           // of its answer; 0: there was none
	Duration      time.Duration // until the answer began, or nobody waited any more
	Err           error         // why there was none
}

// Server is a server of an upstream, as last heard of.
type Server struct {
	Route, Address string
	// Up says that it gets requests: its health check succeeds, and it was not out of
	// reach just now.
	Up bool
}

// Servers are those of all routes, in the order of the routes.
func (g *Gateway) Servers() (all []Server) {
	now := g.now().UnixNano()
	for _, r := range g.table.routes {
		if r.servers == nil {
			continue
		}
		for _, one := range r.servers.all {
			all = append(all, Server{Route: r.Name, Address: one.url.Host, Up: !one.ill.Load() && one.rest.Load() <= now})
		}
	}
	return all
}

// start begins what goes on beside requests.
func (t *table) start(g *Gateway, observe func(UpstreamAnswer)) {
	for _, r := range t.routes {
		if r.servers != nil {
			r.servers.start(r.Name, g, observe)
		}
	}
}

// timed asks a server, and tells of it.
func (s *servers) timed(r *http.Request, one *server, ask func() (*http.Response, error)) (*http.Response, error) {
	if s.observe == nil {
		return ask()
	}
	begun := s.now()
	response, err := ask()
	if err != nil && r.Context().Err() != nil && !errors.Is(err, errSlow) {
		return response, err // whoever asked has gone, which says nothing of the server
	}
	asked := UpstreamAnswer{Route: s.route, Server: one.url.Host, Duration: s.now().Sub(begun), Err: err}
	if err == nil {
		asked.Status = response.StatusCode
	}
	s.observe(asked)
	return response, err
}
