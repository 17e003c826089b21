package moving

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/awsapi"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/directory/recovery"
	"github.com/codegrant/codegrant/internal/refused"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/move"
	"github.com/codegrant/codegrant/move/left"
)

// Command is the table of its commands.
type Command struct {
	Plan     plan     `cmd:"" help:"Compare both pools: things that move, things that stay, and mistakes to fix before the move. Writes nothing."`
	Rehearse rehearse `cmd:"" help:"Do the move between two local pools, with stand-ins for the people, and show who would arrive. Writes to neither pool."`
	Groups   groups   `cmd:"" help:"Create the groups of the old pool in the new one."`
	Report   report   `cmd:"" help:"Show who has arrived in the new pool, and who has not."`
	Remind   remind   `cmd:"" help:"Tell your application, by webhooks, of the people who have not arrived, once per person and date."`
	Drain    drain    `cmd:"" help:"End the move: create the people in the new pool who have not arrived."`
}

// Help is shown by codegrant move --help.
func (Command) Help() string {
	return `Moves people to the pool of the configuration that has moved_from, while they sign in as
usual. See docs/move.md.

Examples, in the order of a move:
  codegrant move plan
  codegrant move rehearse
  codegrant move groups --yes
  codegrant move report
  codegrant move drain --yes`
}

// between says which pools, and how they are reached.
type between struct {
	Config      string  `default:"codegrant.yaml" type:"path" placeholder:"FILE" help:"Configuration with the new pool, which has moved_from. Defaults to codegrant.yaml."`
	Pool        string  `placeholder:"NAME" help:"Name of the new pool in the configuration. Defaults to the only one that has moved_from."`
	Profile     string  `placeholder:"NAME" help:"Profile of AWS's tools for the new pool. Defaults to the usual credentials."`
	OldProfile  string  `placeholder:"NAME" help:"Profile of AWS's tools for the old pool, such as one with the role_arn of another account. Defaults to moved_from.profile, and then to the usual credentials."`
	Endpoint    string  `placeholder:"URL" help:"Send API requests for the new pool to this URL instead of AWS, such as a local pool."`
	OldEndpoint string  `placeholder:"URL" help:"Send API requests for the old pool to this URL instead of AWS."`
	Share       float64 `default:"0.8" placeholder:"PART" help:"Share of Cognito's quotas to use. The rest is for people who sign in. Set it above 1 if you bought more than the default quotas. Defaults to 0.8."`
	Rate        float64 `placeholder:"N" help:"Maximum number of calls per second, of all kinds. Defaults to the quotas."`
	JSON        bool    `help:"Print JSON."`
}

var uses = []string{"log", "pools.moved_from"}

var errNobodyMoves = errors.New("no pool of the configuration has moved_from; write it at the new pool (see docs/move.md)")

// reached are both pools.
type reached struct {
	pool     settings.Pool
	old, now *cip.Client
	log      *slog.Logger
}

func (b between) reach(ctx context.Context, out *terminal.Streams) (*reached, error) {
	s, err := parts.Inspection{Config: b.Config}.Load(uses)
	if err != nil {
		return nil, err
	}
	var chosen []settings.Pool
	for _, p := range s.Pools {
		if p.Moved != nil && (b.Pool == "" || b.Pool == p.Name) {
			chosen = append(chosen, p)
		}
	}
	switch len(chosen) {
	case 0:
		return nil, errNobodyMoves
	case 1:
	default:
		return nil, errors.New("several pools have moved_from; say which one with --pool")
	}
	r := &reached{pool: chosen[0]}
	options := &slog.HandlerOptions{Level: s.Log.Level}
	r.log = slog.New(slog.NewTextHandler(out.Stderr, options))
	if s.Log.JSON {
		r.log = slog.New(slog.NewJSONHandler(out.Stderr, options))
	}
	region, _, _ := strings.Cut(r.id(), "_")
	r.now, err = awsapi.Way{Region: cmp.Or(r.pool.Config.Pool.Region, region), Endpoint: b.Endpoint, Issuer: r.pool.Issuer, Profile: b.Profile, Log: r.log}.Cognito(ctx)
	if err != nil {
		return nil, fmt.Errorf("the new pool: %w", err)
	}
	moved := r.pool.Moved
	r.old, err = awsapi.Way{Region: moved.Region, Endpoint: b.OldEndpoint, Issuer: moved.Issuer, Profile: cmp.Or(b.OldProfile, moved.Profile), Log: r.log}.Cognito(ctx)
	if err != nil {
		return nil, fmt.Errorf("the old pool: %w", err)
	}
	return r, nil
}

// id is that of the new pool.
func (r *reached) id() string { return r.pool.Issuer[strings.LastIndexByte(r.pool.Issuer, '/')+1:] }

// open returns the move, as it is without the replica.
func (b between) open(ctx context.Context, out *terminal.Streams) (*move.Move, error) {
	r, err := b.reach(ctx, out)
	if err != nil {
		return nil, err
	}
	return b.between(ctx, r)
}

// openWhole returns the move, with what the replica knows of those who have left, which it
// asks until it is closed.
func (b between) openWhole(ctx context.Context, out *terminal.Streams) (m *move.Move, done func(), err error) {
	r, err := b.reach(ctx, out)
	if err != nil {
		return nil, nil, err
	}
	if m, err = b.between(ctx, r); err != nil {
		return nil, nil, err
	}
	opened, err := parts.Inspection{Config: b.Config, Pool: r.pool.Name}.OpenPeople(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("the replica says who has left the new pool: %w", err)
	}
	leavers := left.New(opened.Users, r.pool.Moved.Tickets, r.pool.Moved.Issuer, r.pool.Issuer)
	if m.Left, err = leavers.All(ctx); err != nil {
		opened.Close()
		return nil, nil, err
	}
	tickets := *r.pool.Moved.Tickets
	tickets.Left = leavers.Has
	m.Tickets = &tickets
	return m, func() { opened.Close() }, nil
}

func (b between) between(ctx context.Context, r *reached) (*move.Move, error) {
	own, err := recovery.New(ctx, r.now, r.id())
	if err != nil {
		return nil, err
	}
	return move.New(move.Config{
		Paused: func(ctx context.Context) bool { return paused(ctx, own) },
		Old:    r.old, New: r.now, Tickets: r.pool.Moved.Tickets, OldClientID: r.pool.Moved.ClientID, NewClientIDs: []string{r.pool.Config.Pool.ClientID},
		Share: b.Share, Rate: b.Rate, Logger: r.log,
	})
}

// missing says which of the pools does not exist, if that is what err is about.
func (b between) missing(ctx context.Context, out *terminal.Streams, err error) error {
	if !refused.NoPool(err) {
		return err
	}
	r, unread := b.reach(ctx, out)
	if unread != nil {
		return err
	}
	for _, p := range []struct {
		which, id string
		api       *cip.Client
	}{{"old", r.pool.Moved.ID, r.old}, {"new", r.id(), r.now}} {
		_, asked := p.api.DescribeUserPool(ctx, &cip.DescribeUserPoolInput{UserPoolId: &p.id})
		if refused.NoPool(asked) {
			return fmt.Errorf("the %s pool: %w", p.which, parts.NoPool(asked, p.id))
		}
	}
	return err
}

// paused reports whether a recovery that was started has the pool refuse changes. One that
// only counts is in no listing.
func paused(ctx context.Context, own *recovery.Client) bool {
	latest, err := own.Latest(ctx)
	return err == nil && (latest.Running() || latest.Status == directory.RecoveryAborted)
}

type plan struct{ between }

// Help is shown by codegrant move plan --help.
func (plan) Help() string {
	return `Reads both pools. Exits with 1 if you must fix something before the move.

Examples:
  codegrant move plan
  codegrant move plan --old-profile old-account --json`
}

func (c plan) Run(ctx context.Context, out *terminal.Streams) error {
	m, done, err := c.openWhole(ctx, out)
	if err != nil {
		return err
	}
	defer done()
	p, err := m.Plan(ctx)
	if err != nil {
		return c.missing(ctx, out, err)
	}
	if c.JSON {
		err = terminal.PrintJSON(out.Stdout, struct {
			move.Plan
			Drain string `json:"drain"`
			Ready bool   `json:"ready"`
		}{p, p.Drain.Round(time.Second).String(), p.Ready()})
	} else {
		err = printPlan(out.Stdout, p)
	}
	if err == nil && !p.Ready() {
		return terminal.Exit(1, fmt.Errorf("%s to fix before the move", terminal.Plural(len(p.Faults), "thing")))
	}
	return err
}

func printPlan(w io.Writer, p move.Plan) error {
	var b strings.Builder
	printReport(&b, p.Report)
	fmt.Fprintf(&b, "groups to create     %s\n", cmp.Or(strings.Join(p.Groups.Created, ", "), "none"))
	fmt.Fprintf(&b, "drain takes          %s at least, if nobody arrives before\n", p.Drain.Round(time.Second))
	fmt.Fprintf(&b, "for the trigger      NEW_POOL_BY_ADDRESS=%t NEW_POOL_ATTRIBUTES=%s\n", p.ByAddress, strings.Join(p.Attributes, ","))
	fmt.Fprintf(&b, "                     PROVIDERS=%s\n", strings.Join(p.Providers, ","))
	if len(p.Faults) > 0 {
		fmt.Fprintln(&b, "\nTo fix before the move:")
		printFindings(&b, p.Faults)
	}
	fmt.Fprintln(&b, "\nDifferent afterwards:")
	printFindings(&b, p.Notes)
	_, err := io.WriteString(w, b.String())
	return err
}

func printFindings(b *strings.Builder, list []move.Finding) {
	for _, f := range list {
		fmt.Fprintf(b, "- %s\n", f.What)
		if f.Fix != "" {
			fmt.Fprintf(b, "  fix: %s\n", f.Fix)
		}
	}
}

func printReport(b *strings.Builder, r move.Report) {
	fmt.Fprintf(b, "people of the old pool %d\n", r.People)
	fmt.Fprintf(b, "  arrived            %d\n", r.Arrived)
	fmt.Fprintf(b, "  not arrived        %d\n", r.Waiting)
	for _, provider := range slices.Sorted(maps.Keys(r.Federated)) {
		fmt.Fprintf(b, "  with %-14s %d\n", provider, r.Federated[provider])
	}
	for _, provider := range slices.Sorted(maps.Keys(r.Linked)) {
		fmt.Fprintf(b, "  not arrived, linked to %s %d\n", provider, r.Linked[provider])
	}
	for _, provider := range slices.Sorted(maps.Keys(r.Unlinked)) {
		fmt.Fprintf(b, "  arrived without their account at %s %d\n", provider, r.Unlinked[provider])
	}
	fmt.Fprintf(b, "  disabled           %d\n", r.Disabled)
	fmt.Fprintf(b, "  never confirmed    %d\n", r.Unfit)
	fmt.Fprintf(b, "  left, on their own %d\n", r.Left)
	fmt.Fprintf(b, "others in the new pool %d\n", r.Others)
	for _, provider := range slices.Sorted(maps.Keys(r.Strangers)) {
		fmt.Fprintf(b, "  new, with %s %d\n", provider, r.Strangers[provider])
	}
	if r.Twice > 0 {
		fmt.Fprintf(b, "with another user's ticket %d\n", r.Twice)
	}
	if r.Unproven > 0 {
		fmt.Fprintf(b, "with a forged or foreign ticket %d\n", r.Unproven)
	}
}

type groups struct {
	between
	Yes bool `env:"-" help:"Make the changes. Without it, the command prints what it would do."`
}

// Help is shown by codegrant move groups --help.
func (groups) Help() string {
	return `Creates missing groups, with their description and precedence. Groups that the new pool has
stay as they are, and those that differ are listed. People get their groups when they
arrive, so create the groups before the move.

Examples:
  codegrant move groups           what would be created
  codegrant move groups --yes`
}

func (c groups) Run(ctx context.Context, out *terminal.Streams) error {
	m, err := c.open(ctx, out)
	if err != nil {
		return err
	}
	r, err := m.Groups(ctx, !c.Yes)
	if err != nil {
		return c.missing(ctx, out, err)
	}
	if c.JSON {
		return terminal.PrintJSON(out.Stdout, r)
	}
	verb := "created"
	if !c.Yes {
		verb = "would be created (add --yes)"
	}
	_, err = fmt.Fprintf(out.Stdout, "%s: %s\nthere already: %s\nthere, and different: %s\n", verb,
		cmp.Or(strings.Join(r.Created, ", "), "none"), cmp.Or(strings.Join(r.There, ", "), "none"), cmp.Or(strings.Join(r.Differ, ", "), "none"))
	return err
}

type report struct {
	between
	Waiting bool `xor:"list" help:"List the people who have not arrived: username and sub of the old pool."`
	Left    bool `xor:"list" help:"List the people who have left: they were deleted in the new pool. Username and sub of the old pool."`
	New     bool `xor:"list" help:"List the people who came to the new pool by a provider of moved_from.providers as somebody new: the old pool does not have their account. Username and sub of the new pool."`
}

// Help is shown by codegrant move report --help.
func (report) Help() string {
	return `Reads both pools and writes to neither. Run it as often as you like during the move.

Examples:
  codegrant move report
  codegrant move report --waiting
  codegrant move report --waiting --json | jq -r '.not_arrived[].username'`
}

func (c report) Run(ctx context.Context, out *terminal.Streams) error {
	m, done, err := c.openWhole(ctx, out)
	if err != nil {
		return err
	}
	defer done()
	var waiting func(username, sub string) error
	name := ""
	first := true
	list := func(username, sub string) error {
		if !c.JSON {
			_, err := fmt.Fprintf(out.Stdout, "%s\t%s\n", terminal.Printable(username), sub)
			return err
		}
		one, err := json.MarshalIndent(struct {
			Username string `json:"username"`
			Subject  string `json:"sub"`
		}{username, sub}, "    ", "  ")
		if err != nil {
			return err
		}
		before := ",\n    "
		if first {
			before, first = "{\n  \""+name+"\": [\n    ", false
		}
		_, err = out.Stdout.Write(append([]byte(before), one...))
		return err
	}
	switch {
	case c.Waiting:
		name, waiting = "not_arrived", list
	case c.Left:
		name, m.OnLeft = "have_left", list
	case c.New:
		name, m.OnStranger = "came_as_new", list
	}
	r, err := m.Report(ctx, waiting)
	if err != nil {
		return c.missing(ctx, out, err)
	}
	switch {
	case c.JSON && name == "":
		return terminal.PrintJSON(out.Stdout, r)
	case c.JSON: // as they come, since there can be a million: the figures follow
		rest, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		before := "\n  ],"
		if first {
			before = "{\n  \"" + name + "\": [],"
		}
		_, err = fmt.Fprintf(out.Stdout, "%s%s\n", before, rest[1:])
		return err
	}
	var b strings.Builder
	if name != "" {
		b.WriteByte('\n')
	}
	printReport(&b, r)
	_, err = io.WriteString(out.Stdout, b.String())
	return err
}

type drain struct {
	between
	WithoutSecondFactor bool     `help:"Also create people whose second factor does not move: an authenticator app, a passkey, or codes that the new pool does not offer."`
	Linked              bool     `help:"Create only the people who have a password and a linked account at a provider of moved_from.providers. Do this before the switch. Later, it also links the accounts of people who have arrived without them."`
	BringBack           []string `placeholder:"NAME" help:"Create only this person again, who was deleted in the new pool: a username or sub of the old pool. Repeat it for several."`
	Yes                 bool     `env:"-" help:"Make the changes. Without it, the command prints what it would do."`
}

// Help is shown by codegrant move drain --help.
func (drain) Help() string {
	return `Creates the people who have not arrived in the new pool, in their groups, with a
password that nobody knows. They choose "forgot password" at their first sign-in.
The command sends no messages. You can stop it and run it again. It leaves out people
whom the new pool has had, and who were deleted there, as the replica knows.

Examples:
  codegrant move drain
  codegrant move drain --bring-back alice --yes
  codegrant move drain --yes`
}

func (c drain) Run(ctx context.Context, out *terminal.Streams) error {
	m, done, err := c.openWhole(ctx, out)
	if err != nil {
		return err
	}
	defer done()
	m.WithoutSecondFactor, m.OnlyLinked = c.WithoutSecondFactor, c.Linked
	m.BringBack = c.BringBack
	d, err := m.Drain(ctx, !c.Yes)
	if err != nil {
		return c.missing(ctx, out, err)
	}
	if c.JSON {
		err = terminal.PrintJSON(out.Stdout, d)
	} else {
		var b strings.Builder
		printReport(&b, d.Report)
		if c.Yes {
			fmt.Fprintf(&b, "created              %d\nlinked afterwards    %d\nfailed               %d\nwith a second factor %d\n", d.Made, d.Relinked, d.Failed, d.SecondFactor)
		} else {
			fmt.Fprintf(&b, "%s would be created (add --yes)\n", terminal.Plural(d.Made, "user"))
		}
		if len(c.BringBack) > 0 && d.Made == 0 && len(d.NotBack) == 0 {
			b.WriteString("Nobody is created: they are back already.\n")
		}
		_, err = io.WriteString(out.Stdout, b.String())
	}
	if err == nil && len(d.NotBack) > 0 {
		var reasons []string
		for _, name := range slices.Sorted(maps.Keys(d.NotBack)) {
			reasons = append(reasons, fmt.Sprintf("%s is not brought back: %s", terminal.Printable(name), d.NotBack[name]))
		}
		return terminal.Exit(1, errors.New(strings.Join(reasons, "\n")))
	}
	if err == nil && d.Failed > 0 {
		return terminal.Exit(1, fmt.Errorf("%s could not be created; the log says why, run the command again", terminal.Plural(d.Failed, "user")))
	}
	return err
}
