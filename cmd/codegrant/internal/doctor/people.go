package doctor

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/awsapi"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/django"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/settings"
)

// maxSplitsShown is how many findings of one kind are listed; codegrant users duplicates
// and --json list them all.
const maxSplitsShown = 20

// accounts looks for accounts of a Django project that are in people's way, before a move
// or after.
func (e *examination) accounts(ctx context.Context, c Command, config codegrant.Config) {
	db, err := parts.LookAtDatabase(c.Database)
	if err != nil {
		return // of which the check of the database tells
	}
	defer db.Close()
	users, err := db.Users(settings.Replica{Django: true})
	if err != nil {
		return
	}
	accounts, err := users.DjangoAccounts(ctx)
	if err != nil {
		e.warn("accounts", "GRANT SELECT ON auth_user TO <the user in --database>", "cannot read the accounts: %v", err)
		return
	}
	endpoints, err := config.Pool.Endpoints()
	if err != nil {
		return
	}
	e.inTheWay("accounts", django.Duplicates(accounts, endpoints.Issuer), c.JSON, "no two of %s conflict", terminal.Plural(len(accounts), "account"))
	if !c.People {
		e.warn("people", "run codegrant doctor --people before the move", "not checked: whether all people of the pool find their account")
		return
	}
	people, err := poolPeople(ctx, endpoints.Issuer, c.Endpoint)
	if err != nil {
		e.fault("people", "allow cognito-idp:ListUsers, as for codegrant sync, for the credentials that the AWS tools use", "cannot read the users of the pool: %v", err)
		return
	}
	e.inTheWay("people", django.Splits(people, accounts, endpoints.Issuer), c.JSON, "all of %s of the pool find their account, or get a new one", terminal.Plural(len(people), "user"))
}

func (e *examination) inTheWay(check string, found []django.InTheWay, all bool, format string, args ...any) {
	for i, f := range found {
		if i == maxSplitsShown && !all {
			e.warn(check, "--json lists them all", "and %d more", len(found)-i)
			break
		}
		e.warn(check, terminal.Printable(f.Fix), "%s", terminal.Printable(f.Found))
	}
	if len(found) == 0 {
		e.fine(check, format, args...)
	}
}

// poolPeople reads the users of a pool.
func poolPeople(ctx context.Context, issuer, endpointURL string) ([]django.Person, error) {
	id := issuer[strings.LastIndexByte(issuer, '/')+1:]
	region, _, ok := strings.Cut(id, "_")
	if !ok {
		return nil, fmt.Errorf("the issuer %s does not end in a pool id", issuer)
	}
	client, err := awsapi.Way{Region: region, Endpoint: endpointURL, Issuer: issuer, Log: slog.Default()}.Cognito(ctx)
	if err != nil {
		return nil, err
	}
	source, err := directory.NewCognito(directory.CognitoConfig{Client: client, PoolID: id, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	var people []django.Person
	for q := (directory.UserQuery{}); ; {
		page, err := source.Users(ctx, q)
		if err != nil {
			return nil, parts.NoPool(err, id)
		}
		for _, u := range page.Users {
			people = append(people, django.Person{Subject: u.Subject(), Email: u.Attributes["email"], Verified: strings.EqualFold(u.Attributes["email_verified"], "true")})
		}
		if page.Next == "" {
			return people, nil
		}
		q.After = page.Next
	}
}
