package parts

import (
	"cmp"
	"context"
	"log/slog"
	"regexp"
	"strings"
	"sync"

	"github.com/codegrant/codegrant/cmd/codegrant/internal/awsapi"
	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/internal/settings"
	"github.com/codegrant/codegrant/secret/awssecret"
)

// clientSecrets are the client secrets in Secrets Manager that the process reads. A
// configuration that takes the place of another finds what the one before has read, so
// that it works while AWS is away.
var clientSecrets sync.Map // settings.SecretAt: *awssecret.Source

// OpenClientSecret makes the source of a client secret. It sends nothing.
func OpenClientSecret(at settings.SecretAt) (cognito.SecretSource, error) {
	if known, ok := clientSecrets.Load(at); ok {
		return known.(*awssecret.Source), nil
	}
	region := cmp.Or(regionOf(at.ARN), at.Region, "local")
	client, err := awsapi.Way{Region: region, Issuer: at.Issuer, Log: slog.Default()}.SecretsManager(context.Background())
	if err != nil {
		return nil, err
	}
	source, err := awssecret.New(awssecret.Config{
		ARN: at.ARN, ClientID: at.ClientID, Logger: slog.Default(), Client: client,
	})
	if err != nil {
		return nil, err
	}
	kept, _ := clientSecrets.LoadOrStore(at, source)
	return kept.(*awssecret.Source), nil
}

var regionPattern = regexp.MustCompile(`^[a-z]{2,}(-[a-z]+)+-[0-9]+$`)

// regionOf is the Region that an ARN names, if it has the usual form:
// arn:partition:service:region:account:resource.
func regionOf(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 || !regionPattern.MatchString(parts[3]) {
		return ""
	}
	return parts[3]
}

// WithClientSecret gives a pool that names an ARN what reads it.
func WithClientSecret(pool *cognito.Pool) error {
	if pool.ClientSecretARN == "" || pool.Secrets != nil {
		return nil
	}
	at := settings.SecretAt{ARN: pool.ClientSecretARN, ClientID: pool.ClientID, Region: pool.Region, Issuer: pool.Issuer}
	source, err := OpenClientSecret(at)
	pool.Secrets = source
	return err
}
