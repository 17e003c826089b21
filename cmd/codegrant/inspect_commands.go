package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

type usersCommand struct {
	List usersList `cmd:"" default:"withargs" help:"List the people in the replica."`
	Show usersShow `cmd:"" help:"Show one person, with groups and sessions."`

	Duplicates usersDuplicates `cmd:"" help:"List accounts of a Django project that are in people's way."`
	Relink     usersRelink     `cmd:"" help:"Say whose account one of a Django project is."`
}

type usersList struct {
	inspection
	Search  string `env:"-" placeholder:"TEXT" help:"Whose username, e-mail address or name begins with it."`
	Group   string `env:"-" placeholder:"NAME" help:"Members of a group."`
	Deleted bool   `env:"-" help:"Deleted people, too."`
	Limit   int    `env:"-" default:"50" help:"How many at most."`
	After   string `env:"-" placeholder:"CURSOR" help:"Go on after a page, with the cursor that it ended with."`
}

// Help is shown by codegrant users list --help.
func (usersList) Help() string {
	return `Examples:
  codegrant users
  codegrant users --group admins
  codegrant users --search ali --json
  codegrant users show alice@example.com`
}

// person is a user as programs get it.
type person struct {
	ID            int64     `json:"id"`
	Subject       string    `json:"sub"`
	Username      string    `json:"username"`
	Email         string    `json:"email,omitempty"`
	EmailVerified bool      `json:"email_verified"`
	Name          string    `json:"name,omitempty"`
	Enabled       bool      `json:"enabled"`
	Deleted       time.Time `json:"deleted,omitzero"`
	Status        string    `json:"status,omitempty"`
	Groups        []string  `json:"groups"`
	LastSignIn    time.Time `json:"last_sign_in,omitzero"`
}

func newPerson(u replica.User) person {
	p := person{
		ID: u.ID, Subject: u.Subject, Username: u.Username, Email: u.Email, EmailVerified: u.EmailVerified, Name: u.Name,
		Enabled: u.Enabled, Deleted: u.Deleted, Status: u.Status, Groups: []string{}, LastSignIn: u.LastSignIn,
	}
	for _, g := range u.Groups {
		p.Groups = append(p.Groups, g.Name)
	}
	return p
}

func (p person) state() string {
	switch {
	case !p.Deleted.IsZero():
		return "deleted"
	case !p.Enabled:
		return "disabled"
	}
	return "enabled"
}

func (c usersList) Run(ctx context.Context, out *streams) error {
	o, err := c.openUsers()
	if err != nil {
		return err
	}
	defer o.Close()
	page, err := o.users.Users(ctx, replica.UserQuery{Issuer: o.issuer, Search: c.Search, Group: c.Group, Deleted: c.Deleted, After: c.After, Limit: c.Limit})
	if err != nil {
		return err
	}
	people := make([]person, 0, len(page.Users))
	var rows [][]string
	for _, u := range page.Users {
		p := newPerson(u)
		people = append(people, p)
		rows = append(rows, []string{fmt.Sprint(p.ID), p.Username, p.Email, p.state(), strings.Join(p.Groups, " "), shortTime(p.LastSignIn)})
	}
	if c.JSON {
		return printJSON(out.stdout, map[string]any{"users": people, "next": page.Next})
	}
	if err := table(out.stdout, "ID\tUSERNAME\tEMAIL\tSTATE\tGROUPS\tLAST SIGN-IN", rows); err != nil {
		return err
	}
	if page.Next != "" {
		fmt.Fprintf(out.stdout, "\nmore: --after %s\n", page.Next)
	}
	return nil
}

type usersShow struct {
	inspection
	Who string `arg:"" help:"Row, sub, username or e-mail address."`
}

func (c usersShow) Run(ctx context.Context, out *streams) error {
	o, err := c.openUsers()
	if err != nil {
		return err
	}
	defer o.Close()
	u, err := o.find(ctx, c.Who)
	if err != nil {
		return err
	}
	p, sessions := newPerson(u), []held{}
	if o.sessions != nil {
		if sessions, err = listSessions(ctx, o, u.Subject, maxListed); err != nil {
			return err
		}
	}
	if c.JSON {
		return printJSON(out.stdout, map[string]any{"user": p, "sessions": sessions})
	}
	verified := ""
	if !p.EmailVerified {
		verified = " (not verified)"
	}
	for _, line := range [][2]string{
		{"ID", fmt.Sprint(p.ID)}, {"Subject", p.Subject}, {"Username", p.Username}, {"E-mail", p.Email + verified}, {"Name", p.Name},
		{"State", strings.TrimSpace(p.state() + " " + p.Status)}, {"Groups", strings.Join(p.Groups, ", ")}, {"Last sign-in", shortTime(p.LastSignIn)},
	} {
		fmt.Fprintf(out.stdout, "%-13s %s\n", line[0], printable(line[1]))
	}
	if len(sessions) > 0 {
		fmt.Fprintln(out.stdout)
		return table(out.stdout, heldHeader, heldRows(sessions))
	}
	return nil
}

type groupsCommand struct {
	List groupsList `cmd:"" default:"withargs" help:"List the groups in the replica."`
}

type groupsList struct {
	inspection
	Limit int    `env:"-" default:"100" help:"How many at most."`
	After string `env:"-" placeholder:"CURSOR" help:"Go on after a page."`
}

// Help is shown by codegrant groups --help.
func (groupsList) Help() string {
	return `Examples:
  codegrant groups
  codegrant users --group admins     its members`
}

func (c groupsList) Run(ctx context.Context, out *streams) error {
	o, err := c.openUsers()
	if err != nil {
		return err
	}
	defer o.Close()
	page, err := o.users.Groups(ctx, replica.GroupQuery{Issuer: o.issuer, After: c.After, Limit: c.Limit})
	if err != nil {
		return err
	}
	type group struct {
		ID     int64  `json:"id"`
		Name   string `json:"name"`
		Origin string `json:"origin"`
	}
	groups, rows := []group{}, [][]string{}
	for _, g := range page.Groups {
		groups = append(groups, group{g.ID, g.Name, string(g.Origin)})
		rows = append(rows, []string{fmt.Sprint(g.ID), g.Name, string(g.Origin)})
	}
	if c.JSON {
		return printJSON(out.stdout, map[string]any{"groups": groups, "next": page.Next})
	}
	return table(out.stdout, "ID\tNAME\tORIGIN", rows)
}

type sessionsCommand struct {
	List sessionsList `cmd:"" default:"withargs" help:"List live sessions."`
	End  sessionsEnd  `cmd:"" help:"End one session, or all of a person's."`
}

type sessionsList struct {
	inspection
	User  string `env:"-" placeholder:"WHO" help:"Of one person: row, sub, username or e-mail address."`
	Limit int    `env:"-" default:"100" help:"How many at most."`
}

// Help is shown by codegrant sessions --help.
func (sessionsList) Help() string {
	return `Examples:
  codegrant sessions --user alice@example.com
  codegrant sessions end --user alice@example.com     signs alice out everywhere
  codegrant sessions end 3q2-7wAAAAAA`
}

// held is a session as programs get it. Its id is a hash: of no use to take it over.
type held struct {
	ID       string    `json:"id"`
	Subject  string    `json:"sub"`
	Created  time.Time `json:"created"`
	LastSeen time.Time `json:"last_seen"`
	Expires  time.Time `json:"expires"`
	Stale    bool      `json:"stale"`
}

const heldHeader = "SESSION\tSUBJECT\tSIGNED IN\tLAST SEEN\tENDS"

func heldRows(sessions []held) (rows [][]string) {
	for _, s := range sessions {
		rows = append(rows, []string{s.ID, s.Subject, shortTime(s.Created), shortTime(s.LastSeen), shortTime(s.Expires)})
	}
	return rows
}

// maxListed bounds what is listed of one person.
const maxListed = 1000

func listSessions(ctx context.Context, o *opened, subject string, limit int) ([]held, error) {
	records, err := o.sessions.List(ctx, session.Query{Pool: o.bound, Subject: subject, Limit: limit})
	if err != nil {
		return nil, err
	}
	sessions := []held{}
	for _, r := range records {
		sessions = append(sessions, held{r.ID, r.Subject, r.Created, r.LastSeen, r.Expires, r.Stale})
	}
	return sessions, nil
}

// subjectOf is the person whom a flag names, also one whom no replica knows.
func subjectOf(ctx context.Context, o *opened, who string) (string, error) {
	if who == "" || o.users == nil {
		return who, nil
	}
	u, err := o.find(ctx, who)
	if err != nil && !o.replicated {
		return who, nil // nobody keeps people there, perhaps not even tables: it is a sub
	}
	return u.Subject, err
}

func (c sessionsList) Run(ctx context.Context, out *streams) error {
	o, err := c.openSessions()
	if err != nil {
		return err
	}
	defer o.Close()
	subject, err := subjectOf(ctx, o, c.User)
	if err != nil {
		return err
	}
	sessions, err := listSessions(ctx, o, subject, c.Limit)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(out.stdout, sessions)
	}
	return table(out.stdout, heldHeader, heldRows(sessions))
}

type sessionsEnd struct {
	inspection
	ID   string `arg:"" optional:"" help:"Session, as it is listed."`
	User string `env:"-" placeholder:"WHO" help:"All sessions of one person."`
}

// Help is shown by codegrant sessions end --help.
func (sessionsEnd) Help() string {
	return `Examples:
  codegrant sessions end --user alice@example.com
  codegrant sessions end 3q2-7wAAAAAA
  codegrant sessions end -- -q27wAAAAAAA      where the session begins with a dash`
}

func (c sessionsEnd) Run(ctx context.Context, out *streams) error {
	if (c.ID == "") == (c.User == "") {
		return fmt.Errorf("name a session, or a person with --user")
	}
	o, err := c.openSessions()
	if err != nil {
		return err
	}
	defer o.Close()
	if c.ID != "" {
		record, err := o.sessions.Get(ctx, c.ID)
		if errors.Is(err, session.ErrNotFound) || err == nil && record.Pool != o.bound {
			return fmt.Errorf("there is no live session %s; codegrant sessions lists them", printable(c.ID))
		}
		if err != nil {
			return err
		}
		if err := o.sessions.Delete(ctx, c.ID); err != nil {
			return err
		}
		fmt.Fprintln(out.stdout, "ended 1 session")
		return nil
	}
	subject, err := subjectOf(ctx, o, c.User)
	if err != nil {
		return err
	}
	n, err := o.sessions.DeleteBySubject(ctx, o.bound, subject)
	if err != nil {
		return err
	}
	fmt.Fprintf(out.stdout, "ended %s\n", plural(n, "session"))
	return nil
}
