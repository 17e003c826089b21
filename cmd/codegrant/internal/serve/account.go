package serve

import (
	"net/http"

	"github.com/codegrant/codegrant"
	accounts "github.com/codegrant/codegrant/account"
	"github.com/codegrant/codegrant/internal/settings"
)

// accountPages are those of a pool on which people change what is theirs; nil: none.
func accountPages(pool settings.Pool, auth *codegrant.Auth, c codegrant.Config) (http.Handler, error) {
	if pool.Account == nil {
		return nil, nil
	}
	config := *pool.Account
	config.Auth, config.Replica, config.HTTPClient, config.Logger = auth, c.Replica, c.HTTPClient, c.Logger
	return accounts.New(config)
}
