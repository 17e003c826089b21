package organization_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	_ "modernc.org/sqlite"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/organization"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// People act for a company, and invoices are for those who are its admins.
func Example() {
	ctx := context.Background()
	db, err := sql.Open("sqlite", "file:example?mode=memory&cache=shared&_pragma=foreign_keys(1)")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	users, err := sqlreplica.New(db, sqlreplica.Config{Dialect: sqlreplica.SQLite})
	if err != nil {
		log.Fatal(err)
	}
	store, err := organization.New(organization.Config{DB: db, Dialect: organization.SQLite})
	if err != nil {
		log.Fatal(err)
	}
	if err := errors.Join(users.Migrate(ctx), store.Migrate(ctx)); err != nil {
		log.Fatal(err)
	}
	auth, err := codegrant.New(codegrant.Config{
		Pool:    cognito.Pool{ID: "eu-west-1_Ab12Cd34E", Domain: "acme.auth.eu-west-1.amazoncognito.com", ClientID: "1h57kf5cpq17m0eml12EXAMPLE"},
		BaseURL: "https://app.example.com", Replica: users, Organization: store.Active,
	})
	if err != nil {
		log.Fatal(err)
	}
	pages, err := organization.NewPages(organization.PagesConfig{Auth: auth, Store: store, People: users})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	auth.Mount(mux, "/auth")
	pages.Mount(mux) // at /auth/organization
	invoices := http.NotFoundHandler()
	mux.Handle("/invoices/", auth.Require(codegrant.InOrganization("admin"))(invoices))

	// An operator makes the company, with somebody who manages it.
	change, err := users.Apply(ctx, replica.Snapshot{
		Issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ab12Cd34E", Subject: "s-1", Username: "alice", Email: "alice@example.com", At: time.Now(),
	})
	if err != nil {
		log.Fatal(err)
	}
	acme, err := store.Create(ctx, "Acme", "operator")
	if err != nil {
		log.Fatal(err)
	}
	if err := store.Set(ctx, acme.ID, change.User.ID, "admin", "operator"); err != nil {
		log.Fatal(err)
	}
	members, err := store.Members(ctx, acme.ID, 0)
	for _, m := range members {
		fmt.Println("person", m.Person, "is", m.Role, "of", acme.Name, err)
	}
	// Output: person 1 is admin of Acme <nil>
}
