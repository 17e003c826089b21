package inspect

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/session"
)

type Sessions struct {
	List sessionsList `cmd:"" default:"withargs" help:"List live sessions."`
	End  sessionsEnd  `cmd:"" help:"End one session, or all sessions of a person."`
}

// Help is shown by codegrant sessions --help.
func (Sessions) Help() string {
	return `Examples:
  codegrant sessions --user alice@example.com
  codegrant sessions end --user alice@example.com     signs alice out everywhere`
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

// listSessions lists those of identities, or of everybody at the pool where there are none.
func listSessions(ctx context.Context, o *parts.Opened, identities []replica.User, limit int) ([]held, error) {
	if len(identities) == 0 {
		identities = []replica.User{{Issuer: o.Issuer}}
	}
	sessions := []held{}
	for _, u := range identities {
		for _, bound := range o.BoundTo(u.Issuer) {
			if len(sessions) >= limit && limit > 0 {
				return sessions, nil
			}
			records, err := o.Sessions.List(ctx, session.Query{Pool: bound, Subject: u.Subject, Limit: max(0, limit-len(sessions))})
			if err != nil {
				return nil, err
			}
			for _, r := range records {
				sessions = append(sessions, held{r.ID, r.Subject, r.Created, r.LastSeen, r.Expires, r.Stale})
			}
		}
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
	var identities []replica.User
	if c.User != "" {
		if identities, err = o.Identities(ctx, c.User); err != nil {
			return err
		}
	}
	sessions, err := listSessions(ctx, o, identities, c.Limit)
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
		if errors.Is(err, session.ErrNotFound) || err == nil && !o.Binds(record.Pool) {
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
		tellOfEnds(out, c.Inspection, o, func(e *parts.Ends) error {
			return e.One(ctx, record.Pool, o.IssuerOf(record.Pool), record.Subject, c.ID[:min(len(c.ID), 12)], by)
		})
		return nil
	}
	identities, err := o.Identities(ctx, c.User)
	if err != nil {
		return err
	}
	return c.endAll(ctx, out, o, identities, audit, by)
}

// endAll signs a person out everywhere, by whatever identity.
func (c sessionsEnd) endAll(ctx context.Context, out *terminal.Streams, o *parts.Opened, identities []replica.User, audit *slog.Logger, by string) error {
	ended, now := 0, time.Now()
	var faults []error
	for _, u := range identities {
		markErr := o.Marks.Leave(ctx, u.Issuer, u.Subject, now, by)
		n, err := 0, error(nil)
		for _, bound := range o.BoundTo(u.Issuer) {
			more, endErr := o.Sessions.DeleteBySubject(ctx, bound, u.Subject)
			n, err = n+more, errors.Join(err, endErr)
		}
		if n > 0 || err == nil || markErr == nil { // part of it is done, even where the rest failed
			audit.InfoContext(ctx, "sessions ended", "sub", u.Subject, "sessions", n, "mark", markErr == nil, "reason", by)
		}
		ended, faults = ended+n, append(faults, err, markErr)
	}
	tellOfEnds(out, c.Inspection, o, func(e *parts.Ends) (err error) {
		for _, u := range identities {
			err = errors.Join(err, e.All(ctx, "", u.Issuer, u.Subject, by))
		}
		return err
	})
	if err := errors.Join(faults...); err != nil {
		return err
	}
	fmt.Fprintf(out.Stdout, "ended %s\n", terminal.Plural(ended, "session"))
	if !o.Marks.Shared() {
		fmt.Fprintln(out.Stdout, "not done: tokens that were given before stay good here until they expire: the configuration has no database and no redis to tell other processes")
	}
	for _, u := range identities {
		if !u.Deleted.IsZero() {
			continue
		}
		region := ""
		if u.Issuer == o.Issuer {
			region = o.Region
		}
		if err := parts.SignOutAtPool(ctx, u.Issuer, region, u.Subject, slog.New(slog.DiscardHandler)); err != nil {
			fmt.Fprintf(out.Stdout, "not done: refresh tokens%s stay valid at the pool (AdminUserGlobalSignOut): %s\n", ofWhom(u, identities), terminal.Printable(err.Error()))
			continue
		}
		fmt.Fprintf(out.Stdout, "revoked the refresh tokens%s at the pool\n", ofWhom(u, identities))
	}
	fmt.Fprintln(out.Stdout, "not done: the sign-in pages may still know the person; the next sign-in here asks again (prompt=login)")
	return nil
}

// tellOfEnds has the receivers of webhooks hear of sessions that have ended. They have, whatever
// becomes of it.
func tellOfEnds(out *terminal.Streams, c parts.Inspection, o *parts.Opened, tell func(*parts.Ends) error) {
	ends, err := c.Ends(o)
	if err == nil {
		err = tell(ends)
	}
	sayUntold(out, err)
}

// sayUntold says that the receivers of webhooks were not notified.
func sayUntold(out *terminal.Streams, err error) {
	if err != nil {
		fmt.Fprintf(out.Stderr, "not done: the receivers of webhooks are not notified: %s\n", terminal.Printable(err.Error()))
	}
}

// ofWhom names an identity where there are several.
func ofWhom(u replica.User, identities []replica.User) string {
	if len(identities) == 1 {
		return ""
	}
	return " of " + terminal.Printable(u.Subject)
}
