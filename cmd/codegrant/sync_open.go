package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/smithy-go/logging"

	"github.com/codegrant/codegrant"
	"github.com/codegrant/codegrant/directory"
	"github.com/codegrant/codegrant/internal/settings"
)

// syncing is a run of codegrant sync.
type syncing struct {
	syncCommand
	*opened
	settings *settings.Settings
	pools    []*syncedPool
	log      *slog.Logger
	progress bool // somebody watches
	out      *streams
}

// syncedPool is a pool that is kept in line. Several of a configuration may be one:
// app clients of the same pool.
type syncedPool struct {
	*directory.Sync
	name string
	id   string
}

func (c syncCommand) openSync(ctx context.Context, out *streams) (_ *syncing, err error) {
	s := &syncing{syncCommand: c, out: out}
	if s.settings, err = c.load(); err != nil {
		return nil, err
	}
	chosen, err := c.choose(s.settings)
	if err != nil {
		return nil, err
	}
	s.progress = isTerminal(out.stderr) && !c.Follow
	level := s.settings.Log.Level
	if s.progress || len(c.User) > 0 {
		level = max(level, slog.LevelWarn)
	}
	options := &slog.HandlerOptions{Level: level}
	s.log = slog.New(slog.NewTextHandler(out.stderr, options))
	if s.settings.Log.JSON {
		s.log = slog.New(slog.NewJSONHandler(out.stderr, options))
	}
	if s.opened, err = openInspected(s.settings); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if s.users == nil {
		return nil, errNoReplica
	}
	journal, err := directory.NewSQLJournal(s.db.DB, s.db.journal)
	if err != nil {
		return nil, err
	}
	if s.settings.Database.Migrate && !c.DryRun {
		if err := s.migrate(ctx, journal); err != nil {
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

// migrate brings the tables up to date, as the gateway does.
func (s *syncing) migrate(ctx context.Context, journal *directory.SQLJournal) error {
	if err := s.users.Migrate(ctx); err != nil {
		return err
	}
	if s.inDatabase != nil {
		if err := s.inDatabase.Migrate(ctx); err != nil {
			return err
		}
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
	// Whatever app client they signed in at, their sessions end.
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
	source, err := s.source(ctx, cmp.Or(pool.Config.Pool.Region, region), id, pool.Issuer, log)
	if err != nil {
		return err
	}
	if pool.SecondaryRegion != "" {
		secondary, err := s.source(ctx, pool.SecondaryRegion, id, pool.Issuer, log.With("region", pool.SecondaryRegion))
		if err != nil {
			return err
		}
		if source, err = directory.NewReplicated(directory.ReplicatedConfig{Primary: source, Secondary: secondary, Logger: log}); err != nil {
			return err
		}
	}
	configuration := directory.Config{Source: source, Issuer: pool.Issuer, Replica: s.users, Journal: journal, MaxShare: s.MaxShare, BySubject: s.BySubject, Logger: log}
	if s.sessions != nil {
		configuration.Sessions, configuration.SessionPools = s.sessions, bound
	}
	sync, err := directory.New(configuration)
	if err != nil {
		return err
	}
	s.pools = append(s.pools, &syncedPool{sync, pool.Name, id})
	return nil
}

// source reads the pool in one Region.
func (s *syncing) source(ctx context.Context, region, id, issuer string, log *slog.Logger) (directory.Source, error) {
	instead := cmp.Or(s.Endpoint, localEndpoint(issuer))
	aws, err := awsSettings(ctx, region, instead, s.log)
	if err != nil {
		return nil, err
	}
	client := cognitoidentityprovider.NewFromConfig(aws, func(o *cognitoidentityprovider.Options) { o.BaseEndpoint = endpoint(instead) })
	return directory.NewCognito(directory.CognitoConfig{Client: client, PoolID: id, Logger: log})
}

// awsSettings are the settings of AWS's tools. Somebody else than AWS is asked with
// credentials that are nobody's.
func awsSettings(ctx context.Context, region, instead string, log *slog.Logger) (aws.Config, error) {
	if instead != "" {
		region = cmp.Or(region, "local")
	}
	var options []func(*config.LoadOptions) error
	// What the SDK has to say belongs into the log, in its form and at its level.
	options = append(options, config.WithLogger(logging.LoggerFunc(func(c logging.Classification, format string, v ...any) {
		level := slog.LevelDebug
		if c == logging.Warn {
			level = slog.LevelWarn
		}
		log.Log(ctx, level, fmt.Sprintf(format, v...), slog.String("by", "AWS SDK"))
	})))
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	if instead != "" {
		options = append(options, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("local", "local", "")))
	}
	found, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return found, fmt.Errorf("read the settings of AWS's tools: %w", err)
	}
	if found.Region == "" {
		return found, errors.New("the region is not known; set AWS_REGION")
	}
	return found, nil
}

// localEndpoint is where a pool of this machine is asked, or nothing for all others.
// Its issuer says where it is, and AWS does not know it.
func localEndpoint(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	address, err := netip.ParseAddr(u.Hostname())
	if u.Hostname() != "localhost" && (err != nil || !address.IsLoopback()) {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func endpoint(url string) *string {
	if url == "" {
		return nil
	}
	return &url
}
