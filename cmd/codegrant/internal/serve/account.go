package serve

import (
	"net/http"
	"slices"

	"github.com/codegrant/codegrant"
	accounts "github.com/codegrant/codegrant/account"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/organization"
)

// organizationPages are those on which people switch what they act for; nil: there is none.
func organizationPages(g *generation, pool *settings.Pool, st *stores, auth *codegrant.Auth, c codegrant.Config) (http.Handler, error) {
	if st.acting == nil {
		return nil, nil
	}
	config := organization.PagesConfig{Auth: auth, Store: st.acting, People: st.replica, Prefix: pool.Prefix, Logger: c.Logger}
	if smtp := g.Organizations.SMTP; smtp != nil {
		config.Send = parts.Invitations(*smtp)
	}
	if slices.Contains(g.Organizations.CreateUsers, pool.Name) {
		config.CreateUser = (&atPool{g: g, pool: pool}).createUser
	}
	return organization.NewPages(config)
}

// accountPages are those of a pool on which people change what is theirs; nil: none.
func accountPages(pool settings.Pool, auth *codegrant.Auth, c codegrant.Config) (http.Handler, error) {
	if pool.Account == nil {
		return nil, nil
	}
	config := *pool.Account
	config.Auth, config.Replica, config.HTTPClient, config.Logger = auth, c.Replica, c.HTTPClient, c.Logger
	return accounts.New(config)
}
