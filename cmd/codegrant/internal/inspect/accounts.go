package inspect

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/django"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/replica/sqlreplica"
)

// djangoInspection opens a replica in Django's tables, of a gateway's configuration or,
// for services that use the library, of a database and the settings in the environment.
type djangoInspection struct {
	parts.Inspection
	Database string `placeholder:"URL" help:"${databaseHelp} Instead of --config. The pool then comes from the settings in the environment."`
}

func (c djangoInspection) openDjango(ctx context.Context) (*parts.Opened, error) {
	if c.Database == "" {
		return c.OpenPeople(ctx)
	}
	config, err := codegrant.ConfigFromEnv()
	if err != nil {
		return nil, err
	}
	endpoints, err := config.Pool.Endpoints()
	if err != nil {
		return nil, err
	}
	db, err := parts.LookAtDatabase(c.Database)
	if err != nil {
		return nil, err
	}
	o := &parts.Opened{Issuer: endpoints.Issuer, Django: true, DB: db}
	o.Closers = append(o.Closers, db)
	if o.Users, err = db.Users(settings.Replica{Django: true}); err == nil {
		err = o.CheckPeople(ctx)
	}
	if err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

type usersDuplicates struct{ djangoInspection }

// Help is shown by codegrant users duplicates --help.
func (usersDuplicates) Help() string {
	return `Lists people who may be the same person: several with the same verified e-mail address,
in all pools of the configuration. codegrant users merge merges them.

With Django it lists conflicting accounts: several with the same address, and people who
have one account here and another one at Python backends. codegrant doctor --people
finds them before a move. It changes nothing.

Exit status: 0 if there are none, 1 if there are some.

Examples:
  codegrant users duplicates --database postgres://app@db.internal/app
  codegrant users duplicates --config codegrant.yaml --json`
}

func (c usersDuplicates) Run(ctx context.Context, out *terminal.Streams) error {
	o, err := c.openDjango(ctx)
	if err != nil {
		return err
	}
	defer o.Close()
	accounts, err := o.Users.DjangoAccounts(ctx)
	if errors.Is(err, replica.ErrInvalid) && c.Database == "" { // the replica is in tables of its own
		return c.people(ctx, out, o)
	}
	if err != nil {
		return notDjango(err)
	}
	found := django.Duplicates(accounts, o.Issuer)
	if c.JSON {
		err = terminal.PrintJSON(out.Stdout, map[string]any{"accounts": len(accounts), "duplicates": append([]django.InTheWay{}, found...)})
	} else {
		for _, d := range found {
			fmt.Fprintf(out.Stdout, "%-9s %s\n          → %s\n", d.Kind, terminal.Printable(d.Found), terminal.Printable(d.Fix))
		}
		_, err = fmt.Fprintf(out.Stdout, "%s, %d in somebody's way\n", terminal.Plural(len(accounts), "account"), len(found))
	}
	if err == nil && len(found) > 0 {
		return terminal.Exit(1, errors.New("accounts are in people's way"))
	}
	return err
}

type usersRelink struct {
	djangoInspection
	Account int64  `env:"-" required:"" placeholder:"ID" help:"Id of the account in auth_user."`
	Subject string `env:"-" required:"" placeholder:"SUB" help:"Sub of the person in the pool."`
	Yes     bool   `env:"-" help:"Make the change. Without it, the command prints what it would do."`
}

// Help is shown by codegrant users relink --help.
func (usersRelink) Help() string {
	return `Links an account of a Django project to a person of the pool, and replaces an earlier
link. Use it for people who were created again in the pool, and for people whose account
only you can identify. An account that a person leaves stays in Django unchanged. The
log line of a refused sign-in has both ids.

Make sure that you know the person: they get all rights of the account.

Examples:
  codegrant users relink --account 17 --subject 226f914a-3696-46da-8263-ee9e615dd8b4
  codegrant users relink --database postgres://app@db.internal/app --account 17 --subject … --yes`
}

func (c usersRelink) Run(ctx context.Context, out *terminal.Streams) error {
	o, err := c.openDjango(ctx)
	if err != nil {
		return err
	}
	defer o.Close()
	accounts, err := o.Users.DjangoAccounts(ctx)
	if err != nil {
		return notDjango(err)
	}
	var account, had *sqlreplica.DjangoAccount
	for i, a := range accounts {
		if a.ID == c.Account {
			account = &accounts[i]
		} else if a.Issuer == o.Issuer && a.Subject == c.Subject {
			had = &accounts[i]
		}
	}
	if account == nil {
		return fmt.Errorf("user %d: %w in auth_user", c.Account, replica.ErrNotFound)
	}
	say := func(format string, args ...any) {
		fmt.Fprintln(out.Stdout, terminal.Printable(fmt.Sprintf(format, args...)))
	}
	say("User %d of Django, %s, becomes the account of subject %s of %s.", account.ID, account.Username, c.Subject, o.Issuer)
	if account.Subject != "" && (account.Subject != c.Subject || account.Issuer != o.Issuer) {
		say("It is no longer that of subject %s.", account.Subject)
	}
	if had != nil {
		say("They leave user %d, %s, which stays in Django as it is.", had.ID, had.Username)
	}
	switch {
	case account.TurnedOff:
		say("The account is disabled, because the pool disabled or deleted its former person. The next sign-in of the person enables it.")
	case !account.Active:
		say("The account is turned off in Django (is_active), and stays so.")
	}
	if !c.Yes {
		say("Nothing is done yet: add --yes.")
		return nil
	}
	if err := o.Users.RelinkDjango(ctx, c.Account, o.Issuer, c.Subject); err != nil {
		return err
	}
	say("Done. The person's next sign-in finds the account; sessions see it within the service's UserMaxAge.")
	return nil
}

func notDjango(err error) error {
	if errors.Is(err, replica.ErrInvalid) && strings.Contains(err.Error(), "Django") {
		return errors.New("the replica of this configuration is not in Django's tables; set replica: {django: true}, or use --database")
	}
	return err
}
