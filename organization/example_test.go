package organization_test

import (
	"context"
	"database/sql"
	"errors"
	"net/http"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/organization"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// People act for a company, and invoices are for those who are its admins.
func Example() {
	serve := func(ctx context.Context, db *sql.DB, users *sqlreplica.Store, config codegrant.Config, invoices http.Handler) (http.Handler, error) {
		store, err := organization.New(organization.Config{DB: db, Dialect: organization.PostgreSQL})
		if err != nil {
			return nil, err
		}
		if err := errors.Join(users.Migrate(ctx), store.Migrate(ctx)); err != nil {
			return nil, err
		}
		config.Replica, config.Organization = users, store.Active
		auth, err := codegrant.New(config)
		if err != nil {
			return nil, err
		}
		pages, err := organization.NewPages(organization.PagesConfig{Auth: auth, Store: store, People: users})
		if err != nil {
			return nil, err
		}
		mux := http.NewServeMux()
		auth.Mount(mux, "/auth")
		pages.Mount(mux)
		mux.Handle("/invoices/", auth.Require(codegrant.InOrganization("admin"))(invoices))
		return mux, nil
	}
	_ = serve // call it as the program starts
}
