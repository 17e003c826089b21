package sqlreplica

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/codegrant/codegrant/replica"
)

// djangoAccount is a row of auth_user.
type djangoAccount struct {
	id            int64
	email         string
	active        bool
	issuer, other string // of the person who is linked to it; empty: nobody is
}

// admits implements tables. It is asked before the accounts are looked at, which in
// tables without an index on the address is the dear part.
func (d djangoTables) admits(s replica.Snapshot) error {
	if d.Unverified == RefuseUnverified && s.Email != "" && !s.EmailVerified {
		return errUnverified(s.Subject, "an account in Django may be theirs, and another backend would take it")
	}
	return nil
}

func errUnverified(subject, cause string) error {
	return fmt.Errorf("%w: subject %q is new here and %s: have the pool verify the address (for an identity provider, map email_verified), "+
		"or link them by hand (codegrant users relink), or choose with trust_unverified_email", replica.ErrEmailNotVerified, subject, cause)
}

// wanted is the address that a newcomer's account is looked for by.
func (d djangoTables) wanted(newcomer replica.User) string {
	if d.Unverified != UnverifiedApart {
		newcomer.EmailVerified = true // or the account that has it is in the way
	}
	return address(newcomer)
}

// known is the address that an account made by us has.
func (d djangoTables) known(u replica.User) string {
	if d.Unverified == InsecureUnverifiedUntilFirstLink {
		u.EmailVerified = true
	}
	return address(u)
}

// adopt implements tables: it looks for accounts with the verified addresses of
// the newcomers.
func (d djangoTables) adopt(ctx context.Context, tx *sql.Tx, newcomers []replica.User) ([]*row, error) {
	adopted := make([]*row, len(newcomers))
	var emails []string
	for _, newcomer := range newcomers {
		if email := d.wanted(newcomer); email != "" {
			emails = append(emails, email)
		}
	}
	accounts, err := d.accountsOf(ctx, tx, emails)
	if err != nil {
		return nil, err
	}
	for i, newcomer := range newcomers {
		if adopted[i], err = d.adoptOne(ctx, tx, newcomer, withAddress(accounts, d.wanted(newcomer))); err != nil {
			return nil, err
		}
	}
	return adopted, nil
}

func (d djangoTables) adoptOne(ctx context.Context, tx *sql.Tx, newcomer replica.User, accounts []djangoAccount) (*row, error) {
	if len(accounts) == 0 {
		return nil, nil
	}
	if d.known(newcomer) == "" {
		return nil, errUnverified(newcomer.Subject, fmt.Sprintf("user %d of Django has their address", accounts[0].id))
	}
	if len(accounts) > 1 {
		return nil, fmt.Errorf("%w: the users %d and %d of Django both have the address of subject %q: leave it to one of them, or say whose it is with codegrant users relink",
			replica.ErrConflict, accounts[0].id, accounts[1].id, newcomer.Subject)
	}
	account := accounts[0]
	switch {
	case account.issuer == newcomer.Issuer && account.other == newcomer.Subject:
		return nil, errAgain
	case account.issuer != "":
		return nil, fmt.Errorf("%w: user %d of Django has the address of subject %q and is linked to subject %q: "+
			"if both are the same person, as after they were made anew in the pool, run codegrant users relink --account %d --subject %s",
			replica.ErrConflict, account.id, newcomer.Subject, account.other, account.id, newcomer.Subject)
	case !d.AdoptVerifiedEmail:
		return nil, fmt.Errorf("%w: user %d of Django has the verified address of subject %q: set Django.AdoptVerifiedEmail to link them",
			replica.ErrConflict, account.id, newcomer.Subject)
	}
	adopted := &row{inactive: !account.active, User: replica.User{
		ID: account.id, Issuer: newcomer.Issuer, Subject: newcomer.Subject, Email: account.email, EmailVerified: true,
		Enabled: true, Created: newcomer.Created,
	}}
	groups, err := d.readGroups(ctx, tx, newcomer.Issuer, d.engine.sql(" JOIN auth_user_groups ug ON ug.group_id = ag.id WHERE ug.user_id = ").bind(account.id))
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		adopted.Groups = append(adopted.Groups, replica.Membership{Group: g, Local: true})
		adopted.unclaim(g.Name)
	}
	sortGroups(adopted.Groups)
	return adopted, nil
}

// accountsOf returns the accounts with any of the addresses. Django has no index
// on them, so this reads all accounts, as cognito_code_grant does at every request.
func (d djangoTables) accountsOf(ctx context.Context, tx *sql.Tx, emails []string) ([]djangoAccount, error) {
	if len(emails) == 0 {
		return nil, nil
	}
	q := d.engine.sql("SELECT a.id, a.email, a.is_active, u.issuer, u.subject FROM auth_user a" +
		" LEFT JOIN codegrant_users u ON u.id = a.id WHERE LOWER(a.email) IN (")
	for i, email := range emails {
		if i > 0 {
			q.sql(", ")
		}
		q.sql("LOWER(").bind(email).sql(")")
	}
	var accounts []djangoAccount
	err := each(ctx, tx, q.sql(") ORDER BY a.id"), "a user of Django", func(rows *sql.Rows) error {
		var a djangoAccount
		var issuer, subject sql.NullString
		err := rows.Scan(&a.id, &a.email, &a.active, &issuer, &subject)
		a.issuer, a.other = issuer.String, subject.String
		accounts = append(accounts, a)
		return err
	})
	return accounts, err
}

// withAddress returns those of the accounts that have the address; nobody has the
// empty one.
func withAddress(accounts []djangoAccount, email string) []djangoAccount {
	var found []djangoAccount
	for _, a := range accounts {
		if email != "" && sameAddress(a.email, email) {
			found = append(found, a)
		}
	}
	return found
}

// writeMany implements tables: newcomers need an account each, which no statement
// makes many of.
func (d djangoTables) writeMany(ctx context.Context, tx *sql.Tx, plans []*plan, _ map[string]replica.Group) error {
	var confirmed []*plan
	for _, p := range plans {
		if p.change.Empty() {
			confirmed = append(confirmed, p)
			p.change.User.Groups = slices.Clone(p.change.User.Groups) // they are shared with what was decided
			if err := d.writeGroups(ctx, tx, &p.change.User, p.was().Groups); err != nil {
				return err
			}
		} else if err := d.write(ctx, tx, p); err != nil {
			return err
		}
	}
	return d.confirm(ctx, tx, confirmed)
}

func (d djangoTables) insertUser(ctx context.Context, tx *sql.Tx, u row) (id int64, err error) {
	username, email := u.Subject, d.known(u.User)
	if lower := strings.ToLower(email); email != "" && len([]rune(lower)) <= maxDjangoName {
		username = lower
	}
	if n := len([]rune(username)); n > maxDjangoName {
		return 0, fmt.Errorf("%w snapshot: the subject has %d characters, a username of Django's has at most %d", replica.ErrInvalid, n, maxDjangoName)
	}
	var taken int64
	var takenBy string
	err = d.engine.sql("SELECT id, email FROM auth_user WHERE username = ").bind(username).scan(ctx, tx, &taken, &takenBy)
	switch {
	case err == nil && email != "" && sameAddress(takenBy, email):
		return 0, errAgain // somebody made the account since we looked for it
	case err == nil:
		return 0, fmt.Errorf("%w: user %d of Django has the username that subject %q needs, and another address: rename that user, or if it is theirs run codegrant users relink --account %d --subject %s",
			replica.ErrConflict, taken, u.Subject, taken, u.Subject)
	case !errors.Is(err, sql.ErrNoRows):
		return 0, err
	}

	u.ID, err = d.insert(ctx, tx, d.engine.sql("INSERT INTO auth_user (password, last_login, is_superuser, username, first_name, last_name, "+
		"email, is_staff, is_active, date_joined) VALUES (").
		bind(unusablePassword(), u.LastSignIn, false, username, cut(u.Name, maxDjangoName), "", email, false, u.Enabled, u.Created).sql(")"))
	if err != nil {
		return 0, err
	}
	return u.ID, d.insertBeside(ctx, tx, u, !u.Enabled)
}

// unusablePassword returns one as Django makes it: an exclamation mark, which no
// hash starts with, and forty letters and digits by chance.
func unusablePassword() string { return "!" + (rand.Text() + rand.Text())[:40] }

// insertBeside adds our row beside that of Django.
func (d djangoTables) insertBeside(ctx context.Context, tx *sql.Tx, u row, deactivated bool) error {
	values, err := userValues(u)
	if err != nil {
		return err
	}
	return d.engine.sql("INSERT INTO codegrant_users (id, deactivated, "+strings.Join(userColumns, ", ")+") VALUES (").
		bind(append([]any{u.ID, deactivated}, values...)...).sql(")").exec(ctx, tx)
}

func (d djangoTables) linkUser(ctx context.Context, tx *sql.Tx, before *row, u row) error {
	if err := d.insertBeside(ctx, tx, u, before.turned(u.Enabled).deactivated); err != nil {
		return err
	}
	return d.follow(ctx, tx, before, u)
}

func (d djangoTables) updateUser(ctx context.Context, tx *sql.Tx, before *row, u row) error {
	values, err := userValues(u)
	if err != nil {
		return err
	}
	err = d.engine.sql("UPDATE codegrant_users SET deactivated = ").bind(before.turned(u.Enabled).deactivated).sql(", ").
		assign(userColumns, values).sql(" WHERE id = ").bind(u.ID).exec(ctx, tx)
	if err != nil {
		return err
	}
	return d.follow(ctx, tx, before, u)
}

// follow has the account of Django follow its user, in what is still as the store
// has left it.
func (d djangoTables) follow(ctx context.Context, tx *sql.Tx, before *row, u row) error {
	set := func(column string, value any, only string, values ...any) error {
		update := d.engine.sql("UPDATE auth_user SET " + column + " = ").bind(value).sql(" WHERE id = ").bind(u.ID)
		if only != "" {
			update.sql(" AND " + only + " ").bind(values...)
			update.sql(")")
		}
		return update.exec(ctx, tx)
	}
	var faults []error
	if name := cut(u.Name, maxDjangoName); name != "" && u.Name != before.Name {
		faults = append(faults, set("first_name", name, "first_name IN (", "", cut(before.Name, maxDjangoName)))
	}
	if email := address(u.User); email != "" && email != address(before.User) {
		// An address that another account has stays with it: a backend that looks
		// people up by address would find two.
		accounts, err := d.accountsOf(ctx, tx, []string{email})
		if err != nil {
			return err
		}
		if others := withAddress(accounts, email); len(others) == 0 || len(others) == 1 && others[0].id == u.ID {
			faults = append(faults, set("email", email, "email IN (", "", d.known(before.User)))
		}
	}
	if u.LastSignIn.After(before.LastSignIn) {
		faults = append(faults, set("last_login", u.LastSignIn, "(last_login IS NULL OR last_login <", u.LastSignIn))
	}
	if after := before.turned(u.Enabled); after.inactive != before.inactive {
		faults = append(faults, set("is_active", !after.inactive, ""))
	}
	return errors.Join(faults...)
}
