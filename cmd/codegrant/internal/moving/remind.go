package moving

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/internal/refused"
	"github.com/codegrant/codegrant/move/left"
	"github.com/codegrant/codegrant/replica"
	"github.com/codegrant/codegrant/webhook"
)

type remind struct {
	between
	Date string `required:"" placeholder:"YYYY-MM-DD" help:"Date of the reminder. Each person is reminded once per date."`
	Yes  bool   `env:"-" help:"Post the reminders. Without it, the command prints how many people it would remind."`
}

// Help is shown by codegrant move remind --help.
func (remind) Help() string {
	return `Posts a webhook for each person who has not arrived, to the endpoints whose events
have moves. You can stop the command and run it again: nobody is reminded twice.

Examples:
  codegrant move remind --date 2026-12-01
  codegrant move remind --date 2026-12-01 --yes`
}

// remembered is how long it is known who was reminded: longer than any move takes.
const remembered = 2 * 365 * 24 * time.Hour

// remindedAtOnce is how many people a transaction has.
const remindedAtOnce = 100

var errNoReminders = errors.New("no webhook gets reminders; add moves to the events of one, in webhooks")

// reminder is the data of a message.
type reminder struct {
	Issuer   string                `json:"issuer"` // of the old pool
	Subject  string                `json:"sub"`
	Username string                `json:"username"`
	To       string                `json:"to"` // the new pool
	Reminder string                `json:"reminder"`
	User     *replica.RecordedUser `json:"user,omitempty"`
}

func (c remind) Run(ctx context.Context, out *terminal.Streams) error {
	if _, err := time.Parse(time.DateOnly, c.Date); err != nil {
		return fmt.Errorf("--date %q is not a date such as 2026-12-01", c.Date)
	}
	r, err := c.reach(ctx, out)
	if err != nil {
		return err
	}
	m, err := c.open(ctx, out)
	if err != nil {
		return err
	}
	s, err := parts.Inspection{Config: c.Config}.Load(append([]string{"webhooks"}, parts.UsesPeople...))
	if err != nil {
		return err
	}
	if !webhook.Wanted(s.Webhooks, webhook.Moves) {
		return errNoReminders
	}
	opened, err := parts.Inspection{Config: c.Config, Pool: r.pool.Name}.OpenPeople(ctx)
	if err != nil {
		return err
	}
	defer opened.Close()
	if m.Left, err = left.New(opened.Users, r.pool.Moved.Tickets, r.pool.Moved.Issuer, r.pool.Issuer).All(ctx); err != nil {
		return err
	}
	queue, err := webhook.NewQueue(opened.DB.DB, opened.DB.Dialect)
	if err != nil {
		return err
	}
	people, posted := 0, 0
	var some []webhook.Event
	flush := func() error {
		n, err := queue.PostOnce(ctx, s.Webhooks, remembered, some...)
		posted, some = posted+n, nil
		return err
	}
	issuer := r.pool.Moved.Issuer
	_, err = m.Report(ctx, func(username, sub string) error {
		if people++; !c.Yes {
			return nil
		}
		data := reminder{Issuer: issuer, Subject: sub, Username: username, To: r.pool.Issuer, Reminder: c.Date}
		switch u, err := opened.Users.UserBySubject(ctx, issuer, sub); {
		case err == nil:
			row := replica.NewRecordedUser(u)
			data.User = &row
		case !errors.Is(err, replica.ErrNotFound):
			return err
		}
		some = append(some, webhook.Event{
			ID:   fmt.Sprintf("move reminder\x00%s\x00%s\x00%s\x00%s", issuer, r.pool.Issuer, c.Date, sub),
			Kind: webhook.Moves, Type: webhook.TypeMoveReminder, Issuer: issuer, Subject: sub, At: time.Now(), Data: data,
		})
		if len(some) < remindedAtOnce {
			return nil
		}
		return flush()
	})
	if err == nil && len(some) > 0 {
		err = flush()
	}
	if err == nil && c.Yes {
		err = queue.ForgetOnce(ctx, time.Now())
	}
	if refused.NoPool(err) {
		return c.missing(ctx, out, err)
	}
	if err != nil {
		return fmt.Errorf("%w (%d were reminded; run the command again)", err, posted)
	}
	if c.JSON {
		return terminal.PrintJSON(out.Stdout, map[string]int{"not_arrived": people, "reminded": posted})
	}
	if !c.Yes {
		_, err = fmt.Fprintf(out.Stdout, "%s would be reminded, but for those who were for this date (add --yes)\n", terminal.Plural(people, "user"))
		return err
	}
	_, err = fmt.Fprintf(out.Stdout, "reminded %d\nreminded before %d\n", posted, people-posted)
	return err
}
