package inspect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/session"
)

type Sessions struct {
	List sessionsList `cmd:"" default:"withargs" help:"List live sessions."`
	End  sessionsEnd  `cmd:"" help:"End one session, or all sessions of a person."`
}

type sessionsList struct {
	parts.Inspection
	User  string `env:"-" placeholder:"WHO" help:"Only sessions of this person: row, sub, username or e-mail address."`
	Limit int    `env:"-" default:"100" help:"Maximum number of sessions."`
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
		rows = append(rows, []string{s.ID, s.Subject, terminal.ShortTime(s.Created), terminal.ShortTime(s.LastSeen), terminal.ShortTime(s.Expires)})
	}
	return rows
}

// maxListed bounds what is listed of one person.
const maxListed = 1000

func listSessions(ctx context.Context, o *parts.Opened, subject string, limit int) ([]held, error) {
	records, err := o.Sessions.List(ctx, session.Query{Pool: o.Bound, Subject: subject, Limit: limit})
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
func subjectOf(ctx context.Context, o *parts.Opened, who string) (string, error) {
	if who == "" || o.Users == nil {
		return who, nil
	}
	u, err := o.Find(ctx, who)
	if err != nil && !o.Replicated {
		return who, nil // nobody keeps people there, perhaps not even tables: it is a sub
	}
	return u.Subject, err
}

func (c sessionsList) Run(ctx context.Context, out *terminal.Streams) error {
	o, err := c.OpenSessions(ctx)
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
		return terminal.PrintJSON(out.Stdout, sessions)
	}
	return terminal.Table(out.Stdout, heldHeader, heldRows(sessions))
}

type sessionsEnd struct {
	parts.Inspection
	ID   string `arg:"" optional:"" help:"Id of the session, from codegrant sessions list."`
	User string `env:"-" placeholder:"WHO" help:"All sessions of this person."`
}

// Help is shown by codegrant sessions end --help.
func (sessionsEnd) Help() string {
	return `It writes a log line to the standard error that says who ended which session, in the
format of the gateway's log.

Examples:
  codegrant sessions end --user alice@example.com     signs alice out everywhere, and revokes her refresh tokens at the pool
  codegrant sessions end 3q2-7wAAAAAA
  codegrant sessions end -- -q27wAAAAAAA      if the id begins with a dash`
}

func (c sessionsEnd) Run(ctx context.Context, out *terminal.Streams) error {
	if (c.ID == "") == (c.User == "") {
		return fmt.Errorf("name a session, or a person with --user")
	}
	o, err := c.OpenSessions(ctx)
	if err != nil {
		return err
	}
	defer o.Close()
	audit, by := auditLog(out.Stderr), parts.Operator()
	if c.ID != "" {
		record, err := o.Sessions.Get(ctx, c.ID)
		if errors.Is(err, session.ErrNotFound) || err == nil && record.Pool != o.Bound {
			return fmt.Errorf("there is no live session %s; codegrant sessions lists them", terminal.Printable(c.ID))
		}
		if err != nil {
			return err
		}
		if err := o.Sessions.Delete(ctx, c.ID); err != nil {
			return err
		}
		audit.InfoContext(ctx, "session ended", "sub", record.Subject, "session", c.ID, "reason", by)
		fmt.Fprintln(out.Stdout, "ended 1 session")
		return nil
	}
	subject, err := subjectOf(ctx, o, c.User)
	if err != nil {
		return err
	}
	markErr := o.Marks.Leave(ctx, o.Issuer, subject, time.Now(), by)
	n, err := o.Sessions.DeleteBySubject(ctx, o.Bound, subject)
	if n > 0 || err == nil || markErr == nil { // part of it is done, even where the rest failed
		audit.InfoContext(ctx, "sessions ended", "sub", subject, "sessions", n, "mark", markErr == nil, "reason", by)
	}
	if err = errors.Join(err, markErr); err != nil {
		return err
	}
	fmt.Fprintf(out.Stdout, "ended %s\n", terminal.Plural(n, "session"))
	if !o.Marks.Shared() {
		fmt.Fprintln(out.Stdout, "not done: tokens that were given before stay good here until they expire: the configuration has no database and no redis to tell other processes")
	}
	if err := parts.SignOutAtPool(ctx, o.Issuer, o.Region, subject, slog.New(slog.DiscardHandler)); err != nil {
		fmt.Fprintf(out.Stdout, "not done: refresh tokens stay good at the pool (AdminUserGlobalSignOut): %s\n", terminal.Printable(err.Error()))
	} else {
		fmt.Fprintln(out.Stdout, "revoked the refresh tokens at the pool")
	}
	fmt.Fprintln(out.Stdout, "not done: the sign-in pages may still know the person; the next sign-in here asks again (prompt=login)")
	return nil
}
