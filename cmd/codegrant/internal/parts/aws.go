package parts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/smithy-go/logging"
)

// AWS are the settings of AWS's tools. Somebody else than AWS is asked with
// credentials that are nobody's. more are further options, such as a profile.
func AWS(ctx context.Context, region, instead string, log *slog.Logger, more ...func(*config.LoadOptions) error) (aws.Config, error) {
	if instead != "" {
		region = cmp.Or(region, "local")
	}
	var options []func(*config.LoadOptions) error
	// Messages of the SDK belong in the log, in its form and at its level.
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
	found, err := config.LoadDefaultConfig(ctx, append(options, more...)...)
	if err != nil {
		return found, fmt.Errorf("read the settings of AWS's tools: %w", err)
	}
	if found.Region == "" {
		return found, errors.New("the region is not known; set AWS_REGION")
	}
	return found, nil
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

func Endpoint(url string) *string {
	if url == "" {
		return nil
	}
	return &url
}
