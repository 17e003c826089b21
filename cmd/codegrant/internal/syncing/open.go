package syncing

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/awsapi"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/ops"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/parts"
	"github.com/codegrant/codegrant/cmd/codegrant/internal/terminal"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/directory/recovery"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/webhook"
)

// syncing is a run of codegrant sync.
type syncing struct {
	Command
	*parts.Opened
	settings *settings.Settings
	pools    []*syncedPool
	log      *slog.Logger
	progress bool // somebody watches
	journal  *directory.SQLJournal
	seen     *operations     // nil: by nobody
	hooks    *ops.Webhooks   // nil: nobody is told of changes
	sender   *webhook.Sender // of webhooks; nil: nobody is
	out      *terminal.Streams
}

// syncedPool is a pool that is kept in line. Several of a configuration may be one:
// app clients of the same pool.
type syncedPool struct {
	*directory.Sync
	name string
	id   string
}

func (c Command) openSync(ctx context.Context, out *terminal.Streams) (_ *syncing, err error) {
	s := &syncing{Command: c, out: out}
	if s.settings, err = c.Load(parts.UsesSync); err != nil {
		return nil, err
	}
	chosen, err := c.Choose(s.settings)
	if err != nil {
		return nil, err
	}
	s.progress = isTerminal(out.Stderr) && !c.Follow
	level := s.settings.Log.Level
	if s.progress || len(c.User) > 0 {
		level = max(level, slog.LevelWarn)
	}
	options := &slog.HandlerOptions{Level: level}
	s.log = slog.New(slog.NewTextHandler(out.Stderr, options))
	if s.settings.Log.JSON {
		s.log = slog.New(slog.NewJSONHandler(out.Stderr, options))
	}
	if s.Opened, err = parts.OpenStores(s.settings); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.Users == nil {
		return nil, parts.ErrNoReplica
	}
	journal, err := directory.NewSQLJournal(s.DB.DB, s.DB.Dialect)
	if err != nil {
		return nil, err
	}
	s.journal = journal
	if s.settings.Database.Migrate && !c.DryRun {
		if err := s.migrate(ctx, journal); err != nil {
			return nil, err
		}
	}
	if len(s.settings.Webhooks) > 0 && (c.Follow || c.Every > 0) {
		if err := s.openWebhooks(ctx); err != nil {
			return nil, err
		}
	}
	for _, pool := range chosen {
		if err := s.add(ctx, pool, journal); err != nil {
			return nil, fmt.Errorf("pool %s: %w", pool.Name, err)
		}
	}
	return s, nil
}

// openWebhooks prepares to tell others of changes.
func (s *syncing) openWebhooks(ctx context.Context) error {
	queue, err := webhook.NewQueue(s.DB.DB, s.DB.Dialect)
	if err != nil {
		return err
	}
	if s.settings.Database.Migrate {
		if err := queue.Migrate(ctx); err != nil {
			return err
		}
	}
	s.hooks = ops.NewWebhooks(queue, s.settings.Webhooks)
	s.sender, err = webhook.NewSender(webhook.Config{Outbox: s.Users, Queue: queue, Endpoints: s.settings.Webhooks, Logger: s.log, Tried: s.hooks.Tried})
	return err
}

// sendWebhooks tells them until the context ends.
func (s *syncing) sendWebhooks(ctx context.Context, all *sync.WaitGroup) {
	if s.sender != nil {
		s.log.Info("sending webhooks", slog.Int("endpoints", len(s.settings.Webhooks)))
		all.Go(func() { s.sender.Run(ctx) })
	}
}

// migrate brings the tables up to date, as the gateway does.
func (s *syncing) migrate(ctx context.Context, journal *directory.SQLJournal) error {
	if err := s.Users.Migrate(ctx); err != nil {
		return err
	}
	if err := s.Tables.Migrate(ctx); err != nil {
		return err
	}
	return journal.Migrate(ctx)
}

// add adds a pool, or nothing where it is there for another app client.
func (s *syncing) add(ctx context.Context, pool settings.Pool, journal directory.Journal) error {
	for _, p := range s.pools {
		if p.Issuer == pool.Issuer {
			return nil
		}
	}
	// Their sessions end at every app client.
	var bound []string
	for _, p := range s.settings.Pools {
		if p.Issuer != pool.Issuer {
			continue
		}
		b, err := codegrant.SessionPool(p.Config.Pool)
		if err != nil {
			return err
		}
		bound = append(bound, b)
	}
	id := pool.Issuer[strings.LastIndexByte(pool.Issuer, '/')+1:]
	region, _, ok := strings.Cut(id, "_")
	if !ok {
		return fmt.Errorf("its issuer %s does not end in the id of a pool, such as eu-west-1_Ab12Cd34E", pool.Issuer)
	}
	log := s.log.With("pool", pool.Name)
	client, err := s.client(ctx, cmp.Or(pool.Config.Pool.Region, region), pool.Issuer)
	if err != nil {
		return err
	}
	recoveries, err := recovery.New(ctx, client, id)
	if err != nil {
		return err
	}
	var source directory.Source
	if source, err = newSource(client, id, log); err != nil {
		return err
	}
	if pool.SecondaryRegion != "" {
		client, err := s.client(ctx, pool.SecondaryRegion, pool.Issuer)
		if err != nil {
			return err
		}
		secondary, err := newSource(client, id, log.With("region", pool.SecondaryRegion))
		if err != nil {
			return err
		}
		if source, err = directory.NewReplicated(directory.ReplicatedConfig{Primary: source, Secondary: secondary, Logger: log}); err != nil {
			return err
		}
	}
	configuration := directory.Config{Source: source, Issuer: pool.Issuer, Replica: s.Users, Journal: journal, Recoveries: recoveries, Marks: s.Marks, MaxShare: s.MaxShare, BySubject: s.BySubject, Logger: log}
	if s.Sessions != nil {
		ends, err := s.Ends(s.settings)
		if err != nil {
			return err
		}
		configuration.Sessions, configuration.SessionPools = ends.Synced(s.Sessions, pool.Issuer, log), bound
	}
	sync, err := directory.New(configuration)
	if err != nil {
		return err
	}
	s.pools = append(s.pools, &syncedPool{sync, pool.Name, id})
	return nil
}

// client asks the pool in one Region.
func (s *syncing) client(ctx context.Context, region, issuer string) (*cognitoidentityprovider.Client, error) {
	return awsapi.Way{Region: region, Endpoint: s.Endpoint, Issuer: issuer, Log: s.log}.Cognito(ctx)
}

func newSource(client *cognitoidentityprovider.Client, id string, log *slog.Logger) (directory.Source, error) {
	return directory.NewCognito(directory.CognitoConfig{Client: client, PoolID: id, Logger: log})
}
