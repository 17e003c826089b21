package awsapi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	cip "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go/logging"
)

// Way is how an API is asked. The zero value asks as AWS's tools do.
type Way struct {
	// Region; empty: that of AWS's tools.
	Region string
	// Endpoint that a flag names.
	Endpoint string
	// Issuer of the pool that it is about.
	Issuer string
	// Profile of AWS's tools; empty: the usual one.
	Profile string
	// Log for messages of the SDK; nil: nowhere.
	Log *slog.Logger
}

// ErrNoCredentials: AWS's tools have none.
var ErrNoCredentials = errors.New("there are no AWS credentials; set AWS_PROFILE, or run it where a role allows it")

// Cognito returns a client of the API of user pools.
func (w Way) Cognito(ctx context.Context) (*cip.Client, error) {
	found, err := w.settings(ctx)
	if err != nil {
		return nil, err
	}
	return cip.NewFromConfig(found, func(o *cip.Options) { w.redirect(ctx, &o.BaseEndpoint) }), nil
}

// CognitoWithCredentials is [Way.Cognito], and reports whether AWS's tools have credentials
// before anything is asked: the error is [ErrNoCredentials].
func (w Way) CognitoWithCredentials(ctx context.Context) (*cip.Client, error) {
	client, err := w.Cognito(ctx)
	if err != nil {
		return nil, err
	}
	who := client.Options().Credentials
	if who == nil {
		return nil, ErrNoCredentials
	}
	if _, err := who.Retrieve(ctx); err != nil {
		return nil, ErrNoCredentials
	}
	return client, nil
}

// SecretsManager returns a client of AWS Secrets Manager.
func (w Way) SecretsManager(ctx context.Context) (*secretsmanager.Client, error) {
	found, err := w.settings(ctx)
	if err != nil {
		return nil, err
	}
	return secretsmanager.NewFromConfig(found, func(o *secretsmanager.Options) { w.redirect(ctx, &o.BaseEndpoint) }), nil
}

// SQS returns a client of Amazon SQS.
func (w Way) SQS(ctx context.Context) (*sqs.Client, error) {
	found, err := w.settings(ctx)
	if err != nil {
		return nil, err
	}
	return sqs.NewFromConfig(found, func(o *sqs.Options) { w.redirect(ctx, &o.BaseEndpoint) }), nil
}

// elsewhere is where somebody else than AWS is asked; empty: the SDK knows.
func (w Way) elsewhere() string { return cmp.Or(w.Endpoint, LocalEndpoint(w.Issuer)) }

// redirect leaves what the SDK has found in its settings alone, unless there is a place
// that comes before it. The log says once where they lead.
func (w Way) redirect(ctx context.Context, endpoint **string) {
	if instead := w.elsewhere(); instead != "" {
		*endpoint = &instead
		return
	}
	if *endpoint == nil || w.Log == nil {
		return
	}
	if _, said := told.LoadOrStore(message{w.Log, **endpoint}, true); !said {
		w.Log.Log(ctx, slog.LevelInfo, "settings of AWS's tools name another endpoint than AWS", slog.String("endpoint", **endpoint))
	}
}

// told has what was said already: a command has one log.
var told sync.Map

type message struct {
	log      *slog.Logger
	endpoint string
}

// Overridden is the endpoint of settings of AWS's tools that a client asks about a pool instead of
// whoever has the pool: AWS, or the pool on the host of its issuer. Empty: it asks that one.
func Overridden(client *cip.Client, issuer string) string {
	endpoint := aws.ToString(client.Options().BaseEndpoint)
	at, err := url.Parse(endpoint)
	own, wrong := url.Parse(issuer)
	if err == nil && wrong == nil && at.Host == own.Host {
		return ""
	}
	return endpoint
}

func (w Way) settings(ctx context.Context) (aws.Config, error) {
	log := w.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	options := []func(*config.LoadOptions) error{
		// Messages of the SDK belong in the log, in its form and at its level.
		config.WithLogger(logging.LoggerFunc(func(c logging.Classification, format string, v ...any) {
			level := slog.LevelDebug
			if c == logging.Warn {
				level = slog.LevelWarn
			}
			log.Log(ctx, level, fmt.Sprintf(format, v...), slog.String("by", "AWS SDK"))
		})),
	}
	region := w.Region
	if w.elsewhere() != "" {
		region = cmp.Or(region, "local")
		options = append(options, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider("local", "local", "")))
	}
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	if w.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(w.Profile))
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

// URL is where a client asks, with a slash at its end.
func URL(ctx context.Context, client *cip.Client) (string, error) {
	o := client.Options()
	at, err := o.EndpointResolverV2.ResolveEndpoint(ctx, cip.EndpointParameters{
		Region: &o.Region, Endpoint: o.BaseEndpoint,
		UseFIPS:      aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		UseDualStack: aws.Bool(o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
	})
	if err != nil {
		return "", fmt.Errorf("find the endpoint of the AWS API: %w", err)
	}
	return at.URI.JoinPath("/").String(), nil
}

// LocalEndpoint is where a pool of this machine is asked, or nothing for all others.
// Its issuer says where it is, and AWS does not know it.
func LocalEndpoint(issuer string) string {
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
