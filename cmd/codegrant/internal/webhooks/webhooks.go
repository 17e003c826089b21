package webhooks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/listen"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/ops"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/internal/sqldialect"
	"github.com/codegrant/codegrant/webhook"
)

// Command is the table of its commands.
type Command struct {
	Send    send    `cmd:"" help:"Send messages until it is stopped. codegrant sync with --every or --follow sends them, too."`
	List    list    `cmd:"" default:"withargs" help:"List messages that could not be delivered, and the number that wait."`
	Resend  resend  `cmd:"" help:"Send messages again that could not be delivered."`
	Discard discard `cmd:"" help:"Remove messages that could not be delivered."`
	Secret  secret  `cmd:"" help:"Print a new secret, for webhooks.NAME.secret_file and the receiver."`
}

// Help is shown by codegrant webhooks --help.
func (Command) Help() string {
	return `Sends changes of people to the endpoints of a configuration, and manages messages that
could not be delivered. See docs/webhooks.md.

Examples:
  codegrant webhooks                        messages that could not be delivered
  codegrant webhooks send
  codegrant webhooks resend --endpoint crm
  codegrant webhooks discard --endpoint crm --yes`
}

// at is where the messages are.
type at struct {
	Config string `default:"codegrant.yaml" type:"path" placeholder:"FILE" help:"Configuration file with database, replica and webhooks. Defaults to codegrant.yaml."`
}

var uses = append([]string{"log", "webhooks", "socket_mode"}, parts.UsesPeople...)

// look opens a database that exists and has our tables.
func (a at) look(ctx context.Context) (*settings.Settings, *parts.Opened, *webhook.Queue, error) {
	s, o, queue, err := a.open(parts.LookAtStores)
	if err != nil {
		return nil, nil, nil, err
	}
	err = o.CheckPeople(ctx)
	if err == nil {
		err = hasTable(ctx, o)
	}
	if err != nil {
		o.Close()
		return nil, nil, nil, err
	}
	return s, o, queue, nil
}

var errNoTables = errors.New("there are no tables of webhooks yet: run codegrant migrate")

func hasTable(ctx context.Context, o *parts.Opened) error {
	switch has, err := sqldialect.HasTable(ctx, o.DB.DB, o.DB.Dialect, "codegrant_webhooks"); {
	case err != nil:
		return fmt.Errorf("look for the tables of webhooks: %w", err)
	case !has:
		return errNoTables
	}
	return nil
}

func (a at) open(stores func(*settings.Settings) (*parts.Opened, error)) (*settings.Settings, *parts.Opened, *webhook.Queue, error) {
	s, err := parts.Inspection{Config: a.Config}.Load(uses)
	if err != nil {
		return nil, nil, nil, err
	}
	o, err := stores(s)
	if err != nil {
		return nil, nil, nil, err
	}
	if o.Users == nil {
		o.Close()
		return nil, nil, nil, parts.ErrNoReplica
	}
	queue, err := webhook.NewQueue(o.DB.DB, o.DB.Dialect)
	if err != nil {
		o.Close()
		return nil, nil, nil, err
	}
	return s, o, queue, nil
}

type send struct {
	at
	OpsListen string `placeholder:"ADDRESS" help:"Address of /healthz, /readyz and /metrics. Keep it off the public network."`
}

// Help is shown by codegrant webhooks send --help.
func (send) Help() string {
	return `Takes changes from the outbox and sends them to the endpoints of the
configuration. Any number of processes may run it at once.

Examples:
  codegrant webhooks send
  codegrant webhooks send --ops-listen 127.0.0.1:9092`
}

var errNobody = errors.New("the configuration has no webhooks; add webhooks: {NAME: {url: …, secret_file: …}}")

func (c send) Run(ctx context.Context, out *terminal.Streams) error {
	s, o, queue, err := c.open(parts.OpenStores)
	if err != nil {
		return err
	}
	defer o.Close()
	if len(s.Webhooks) == 0 {
		return errNobody
	}
	options := &slog.HandlerOptions{Level: s.Log.Level}
	log := slog.New(slog.NewTextHandler(out.Stderr, options))
	if s.Log.JSON {
		log = slog.New(slog.NewJSONHandler(out.Stderr, options))
	}
	if s.Database.Migrate {
		if err := errors.Join(o.Users.Migrate(ctx), queue.Migrate(ctx)); err != nil {
			return err
		}
	}
	metrics := ops.NewWebhooks(queue, s.Webhooks)
	sender, err := webhook.NewSender(webhook.Config{Outbox: o.Users, Queue: queue, Endpoints: s.Webhooks, Logger: log, Tried: metrics.Tried})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all sync.WaitGroup
	defer all.Wait()
	if c.OpsListen != "" {
		listener, err := listen.Here("--ops-listen", c.OpsListen, s.SocketMode)
		if err != nil {
			return err
		}
		registry := prometheus.NewRegistry()
		registry.MustRegister(ops.Program()...)
		registry.MustRegister(metrics)
		server := ops.Server(ops.Mux(func() (bool, any) {
			asking, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			defer cancel()
			_, err := queue.Sizes(asking)
			return err == nil, map[string]bool{"ready": err == nil}
		}, registry), log)
		log.Info("serving operations", slog.String("at", listener.Addr().String()))
		all.Go(func() {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				stop(fmt.Errorf("serve operations: %w", err))
			}
		})
		context.AfterFunc(ctx, func() { _ = server.Close() })
	}
	log.Info("sending webhooks", slog.Int("endpoints", len(s.Webhooks)))
	sender.Run(ctx)
	log.Info("stopped")
	return context.Cause(ctx)
}

type list struct {
	at
	Endpoint string `env:"-" placeholder:"NAME" help:"Only messages for this endpoint."`
	Limit    int    `env:"-" default:"50" help:"Maximum number of messages."`
	After    int64  `env:"-" placeholder:"ID" help:"Continue after the last id of the previous page."`
	JSON     bool   `name:"json" help:"Print JSON."`
}

// Help is shown by codegrant webhooks list --help.
func (list) Help() string {
	return `Examples:
  codegrant webhooks list
  codegrant webhooks list --endpoint crm --limit 200
  codegrant webhooks list --json | jq -r '.given_up[].failure'`
}

// dead is a message that was given up, as programs get it.
type dead struct {
	ID       int64     `json:"id"`
	Endpoint string    `json:"endpoint"`
	Message  string    `json:"message"`
	Type     string    `json:"type"`
	Issuer   string    `json:"issuer"`
	Subject  string    `json:"sub"`
	Created  time.Time `json:"created"`
	Died     time.Time `json:"given_up"`
	Attempts int       `json:"attempts"`
	Failure  string    `json:"failure"`
}

type waiting struct {
	Endpoint string    `json:"endpoint"`
	Waiting  int64     `json:"waiting"`
	Dead     int64     `json:"given_up"`
	Oldest   time.Time `json:"oldest,omitzero"`
}

func (c list) Run(ctx context.Context, out *terminal.Streams) error {
	s, o, queue, err := c.look(ctx)
	if err != nil {
		return err
	}
	defer o.Close()
	if err := known(ctx, s, queue, c.Endpoint); err != nil {
		return err
	}
	found, err := queue.Dead(ctx, webhook.DeadQuery{Endpoint: c.Endpoint, After: c.After, Limit: c.Limit})
	if err != nil {
		return err
	}
	sizes, err := queue.Sizes(ctx)
	if err != nil {
		return err
	}
	all, endpoints := []dead{}, []waiting{}
	var rows, counts [][]string
	for _, d := range found {
		all = append(all, dead{d.ID, d.Endpoint, d.Message, d.Type, d.Issuer, d.Subject, d.Created, d.Died, d.Attempts, d.Failure})
		rows = append(rows, []string{strconv.FormatInt(d.ID, 10), d.Endpoint, d.Type, d.Subject, terminal.ShortTime(d.Created), strconv.Itoa(d.Attempts), d.Failure})
	}
	for _, s := range sizes {
		endpoints = append(endpoints, waiting{s.Endpoint, s.Waiting, s.Dead, s.Oldest})
		counts = append(counts, []string{s.Endpoint, strconv.FormatInt(s.Waiting, 10), strconv.FormatInt(s.Dead, 10), terminal.ShortTime(s.Oldest)})
	}
	if c.JSON {
		return terminal.PrintJSON(out.Stdout, map[string]any{"given_up": all, "endpoints": endpoints})
	}
	if len(counts) == 0 {
		fmt.Fprintln(out.Stdout, "no message waits, and none was given up")
		return nil
	}
	if err := terminal.Table(out.Stdout, "ENDPOINT\tWAITING\tGIVEN UP\tOLDEST", counts); err != nil || len(rows) == 0 {
		return err
	}
	fmt.Fprintln(out.Stdout)
	return terminal.Table(out.Stdout, "ID\tENDPOINT\tTYPE\tSUBJECT\tCREATED\tTRIES\tWHY", rows)
}

// known reports an endpoint that neither the configuration nor any message has.
func known(ctx context.Context, s *settings.Settings, queue *webhook.Queue, endpoint string) error {
	if endpoint == "" {
		return nil
	}
	sizes, err := queue.Sizes(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range s.Webhooks {
		names = append(names, e.Name)
	}
	for _, size := range sizes {
		names = append(names, size.Endpoint) // of an endpoint that the configuration had before
	}
	slices.Sort(names)
	if names = slices.Compact(names); slices.Contains(names, endpoint) {
		return nil
	}
	return fmt.Errorf("there is no endpoint %q; there are: %s", endpoint, cmp.Or(strings.Join(names, ", "), "none"))
}

// which says what messages a command is for.
type which struct {
	at
	ID       []int64 `arg:"" optional:"" help:"Ids of messages, from codegrant webhooks list."`
	Endpoint string  `env:"-" placeholder:"NAME" help:"All messages for this endpoint."`
	All      bool    `env:"-" help:"All messages."`
}

var errWhich = errors.New("name the messages by ids, --endpoint or --all; codegrant webhooks lists them")

func (w which) query() (webhook.DeadQuery, error) {
	named := 0
	for _, is := range []bool{len(w.ID) > 0, w.Endpoint != "", w.All} {
		if is {
			named++
		}
	}
	if named != 1 {
		return webhook.DeadQuery{}, errWhich
	}
	return webhook.DeadQuery{IDs: w.ID, Endpoint: w.Endpoint}, nil
}

func (w which) run(ctx context.Context, out *terminal.Streams, done string, do func(*webhook.Queue, webhook.DeadQuery) (int64, error)) error {
	query, err := w.query()
	if err != nil {
		return err
	}
	s, o, queue, err := w.look(ctx)
	if err != nil {
		return err
	}
	defer o.Close()
	if err := known(ctx, s, queue, w.Endpoint); err != nil {
		return err
	}
	n, err := do(queue, query)
	if err != nil {
		return err
	}
	fmt.Fprintf(out.Stdout, "%s %s\n", done, terminal.Plural(int(n), "message"))
	if int(n) < len(w.ID) {
		return fmt.Errorf("%d of them are not in the list of messages that were given up; codegrant webhooks lists them", len(w.ID)-int(n))
	}
	return nil
}

type resend struct{ which }

// Help is shown by codegrant webhooks resend --help.
func (resend) Help() string {
	return `The endpoint gets a message that you resend after all newer messages about the same
person that were sent in the meantime.

Examples:
  codegrant webhooks resend 17 18
  codegrant webhooks resend --endpoint crm`
}

func (c resend) Run(ctx context.Context, out *terminal.Streams) error {
	return c.run(ctx, out, "to be sent again:", func(q *webhook.Queue, query webhook.DeadQuery) (int64, error) {
		return q.Resend(ctx, query, time.Now())
	})
}

type discard struct {
	which
	Yes bool `env:"-" help:"Remove them. Without it, the command prints how many it would remove."`
}

// Help is shown by codegrant webhooks discard --help.
func (discard) Help() string {
	return `You cannot undo it.

Examples:
  codegrant webhooks discard --endpoint crm
  codegrant webhooks discard --endpoint crm --yes
  codegrant webhooks discard 17 18 --yes`
}

func (c discard) Run(ctx context.Context, out *terminal.Streams) error {
	if !c.Yes {
		return c.run(ctx, out, "nothing is done yet; with --yes, this would discard", func(q *webhook.Queue, query webhook.DeadQuery) (int64, error) { return q.CountDead(ctx, query) })
	}
	return c.run(ctx, out, "discarded", func(q *webhook.Queue, query webhook.DeadQuery) (int64, error) { return q.Discard(ctx, query) })
}

type secret struct{}

// Help is shown by codegrant webhooks secret --help.
func (secret) Help() string {
	return `Prints a random secret, which signs the messages to one endpoint. Write it to the file that
webhooks.NAME.secret_file names, and give it to the receiver, which checks the signature.

Examples:
  (umask 077; codegrant webhooks secret > crm.secret)`
}

func (secret) Run(_ context.Context, out *terminal.Streams) error {
	_, err := fmt.Fprintln(out.Stdout, webhook.NewSecret())
	return err
}
