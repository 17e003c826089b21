package moving

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/rehearsal"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/internal/refused"
)

type rehearse struct {
	between
	File                string `default:"rehearsal.jsonl" type:"path" placeholder:"FILE" help:"Keep what was read in this file, without names, addresses and passwords. Run again, the command continues. Defaults to rehearsal.jsonl."`
	FromReplica         bool   `help:"Read the people from the replica of the old pool, which does not know who has a second factor."`
	Sample              int    `placeholder:"N" help:"Rehearse with this many people, chosen by chance. Defaults to everybody."`
	WithoutSecondFactor bool   `help:"Let people arrive with their password alone, as CODEGRANT_WITHOUT_SECOND_FACTOR does."`
	ForgotPassword      bool   `help:"Let people arrive with a forgotten password, as CODEGRANT_FORGOT_PASSWORD does."`
}

// Help is shown by codegrant move rehearse --help.
func (rehearse) Help() string {
	return `Reads the people of the old pool, makes stand-ins of them, and moves these between two
local pools in this process: once as if everybody signs in, and once as if nobody does and
you drain the pool. Writes to neither pool. Exits with 1 if somebody would become a
stranger, or could not go back.

Examples:
  codegrant move rehearse
  codegrant move rehearse --from-replica --sample 5000`
}

func (c rehearse) Run(ctx context.Context, out *terminal.Streams) (err error) {
	if c.Sample < 0 {
		return errors.New("--sample is the number of people, from 1")
	}
	r, err := c.reach(ctx, out)
	if err != nil {
		return err
	}
	moved := r.pool.Moved
	say := func(format string, args ...any) { fmt.Fprintf(out.Stderr, format+"\n", args...) }
	masks := rehearsal.NewMasks([]byte(moved.Tickets.Issue("codegrant move rehearse")))
	file, err := rehearsal.OpenFile(c.File, moved.ID, masks, c.FromReplica)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	last := time.Now()
	reader := rehearsal.Reader{API: r.old, Pool: moved.ID, Masks: masks, Share: c.Share, Progress: func(people int) {
		if time.Since(last) > 10*time.Second {
			last = time.Now()
			say("%d people are read", people)
		}
	}}
	switch {
	case file.Complete():
		say("%s has everybody; delete it to read the old pool again", c.File)
	case c.FromReplica:
		opened, err := parts.Inspection{Config: c.Config, Pool: r.pool.Name}.OpenPeople(ctx)
		if err != nil {
			return err
		}
		defer opened.Close()
		if err := reader.ReadReplica(ctx, opened.Users, moved.Issuer, file); err != nil {
			return err
		}
	default:
		if err := reader.Read(ctx, file); refused.NoPool(err) {
			return c.missing(ctx, out, err)
		} else if err != nil {
			return fmt.Errorf("%w (run the command again: %s has %d people)", err, c.File, file.People())
		}
	}
	people, err := file.Sample(c.Sample)
	if err != nil {
		return err
	}
	report, err := rehearsal.Run(ctx, rehearsal.Config{
		Old: r.old, New: r.now, OldPool: moved.ID, NewPool: r.id(), NewClient: r.pool.Config.Pool.ClientID, Providers: moved.Tickets.Providers,
		WithoutSecondFactor: c.WithoutSecondFactor, ForgotPassword: c.ForgotPassword, Share: c.Share, Progress: func(step string) { say("%s", step) },
	}, people)
	if err != nil {
		return c.missing(ctx, out, err)
	}
	if c.JSON {
		err = terminal.PrintJSON(out.Stdout, struct {
			rehearsal.Report
			Read           int    `json:"read"`
			FactorsUnknown bool   `json:"factors_unknown"`
			Takes          string `json:"takes"`
			DrainTakes     string `json:"drain_takes"`
			Well           bool   `json:"well"`
		}{report, file.People(), file.FactorsUnknown(), report.Takes.Round(time.Second).String(), report.DrainTakes.Round(time.Second).String(), report.Well()})
	} else {
		err = printRehearsal(out.Stdout, report, file)
	}
	if err == nil && !report.Well() {
		return terminal.Exit(1, errors.New("fix what makes people strangers, or what must not be, before the move"))
	}
	return err
}

func printRehearsal(w io.Writer, r rehearsal.Report, file *rehearsal.File) error {
	var b strings.Builder
	line := func(indent, what string, n int) { fmt.Fprintf(&b, "%s%-*s %d\n", indent, 46-len(indent), what, n) }
	list := func(title string, of map[string]int) {
		if len(of) == 0 {
			return
		}
		fmt.Fprintf(&b, "  %s:\n", title)
		for _, what := range slices.Sorted(maps.Keys(of)) {
			line("    ", terminal.Printable(what), of[what])
		}
	}
	line("", "people of the old pool", file.People())
	line("", "people in the rehearsal", r.People)
	list("left out of the rehearsal", r.Unmade)
	b.WriteString("\nIf everybody signs in:\n")
	line("  ", "arrive, as who they were", r.Arrived)
	line("  ", "arrive, and have to choose a new password", r.Reset)
	line("  ", "arrive, and have to set up a second factor", r.SetUp)
	list("arrive by an identity provider, as who they were", r.Federated)
	list("cannot arrive", r.Cannot)
	list("would become strangers", r.Strangers)
	list("have a password, and a linked account at a provider by which they would come as somebody new before they arrive", r.Linked)
	list("must not be", r.Wrong)
	fmt.Fprintf(&b, "  %-44s %s\n", "quotas make necessary", r.Takes.Round(time.Second))
	b.WriteString("\nIf nobody signs in, and you drain the old pool:\n")
	line("  ", "created", r.Made)
	line("  ", "of these, unable to reset their password", r.Unreachable)
	line("  ", "left out, with a second factor", r.Left)
	list("cannot be created", r.NotMade)
	fmt.Fprintf(&b, "  %-44s %s\n", "quotas make necessary", r.DrainTakes.Round(time.Second))
	b.WriteString("\nAfterwards, at the old pool:\n")
	line("  ", "could sign in before", r.Before)
	line("  ", "of these, can sign in again", r.Back)
	if file.FactorsUnknown() {
		b.WriteString("\nThe replica does not know who has a second factor: the figures are those as if nobody had one.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
