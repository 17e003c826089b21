package pages

import (
	"net/http"
	"strings"

	"github.com/codegrant/codegrant/localpool/internal/place"
)

// setup shows what programs are told of the pools.
func (p *Pages) setup(w http.ResponseWriter, r *http.Request) {
	type client struct {
		ID, Name, PoolID, Secret, Issuer, Domain, Host, Callback, SignOut string
	}
	data := struct {
		Base, Region string
		Clients      []client
	}{Base: p.place.Here(r), Region: "eu-west-1"}
	first := func(urls []string) string {
		if len(urls) == 0 {
			return "http://localhost:8080/"
		}
		return urls[0]
	}
	for _, id := range p.state.Pools() {
		pool, err := p.state.Describe(id)
		if err != nil {
			continue
		}
		if region := place.Region(id); region != "" {
			data.Region = region
		}
		for _, c := range pool.Clients {
			shown := client{
				ID: c.ID, Name: c.Name, PoolID: id, Issuer: p.oauth.Issuer(id), Domain: p.place.Domain(id),
				Callback: first(c.CallbackURLs), SignOut: first(c.LogoutURLs),
			}
			_, shown.Host, _ = strings.Cut(shown.Domain, "://")
			if len(c.Secrets) > 0 {
				shown.Secret = c.Secrets[0]
			}
			data.Clients = append(data.Clients, shown)
		}
	}
	p.show(w, r, http.StatusOK, "setup.html", "Set up", &view{Data: data})
}
