package awssecret

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
)

// API is the part of AWS's client that a [Source] uses. A *secretsmanager.Client
// fulfils it.
type API interface {
	GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error)
}

// Config configures a [Source]. ARN and Client are required.
type Config struct {
	// ARN names the secret: ClientSecretArn in the answer of DescribeUserPoolClient.
	// It is opaque: real ones do not fit the pattern of the API reference.
	ARN string
	// Client is AWS's client, with the Region of the secret and credentials that
	// may call secretsmanager:GetSecretValue on it.
	Client API
	// ClientID is the app client's id. A secret that says that it is of another app
	// client is refused. Defaults to no such check.
	ClientID string
	// Lifetime is how long a value counts before it is read again. One that the
	// pool refuses is read again at once, whatever its age. Defaults to 5 minutes.
	Lifetime time.Duration
	// Timeout bounds one call. Defaults to 3 s.
	Timeout time.Duration
	// Logger receives that the secret could not be read, or has changed; never a
	// value. Defaults to none.
	Logger *slog.Logger
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

// Source is a cognito.SecretSource. It is safe for concurrent use.
type Source struct {
	Config
	turn  chan struct{} // held by the one that reads or looks
	known []string      // current first
	read  time.Time     // when known was
	tried time.Time     // when the last call ended, good or not
}

const (
	// pauseAfterFault is how long a source leaves AWS alone after a call that failed,
	// where it knows a value.
	pauseAfterFault = 30 * time.Second
	// pauseBetween is the least time between two calls, however many requests find
	// that the pool refuses the secret.
	pauseBetween = time.Second
)

// New checks the configuration. It reads nothing.
func New(config Config) (*Source, error) {
	var faults []error
	if config.ARN == "" || strings.ContainsAny(config.ARN, " \t\r\n") {
		faults = append(faults, fmt.Errorf("ARN: %q is not the ARN of a secret", config.ARN))
	}
	if config.Client == nil {
		faults = append(faults, errors.New("no client is set (Client)"))
	}
	if config.Lifetime < 0 || config.Timeout < 0 {
		faults = append(faults, errors.New("a duration is below 0 (Lifetime, Timeout)"))
	}
	if faults != nil {
		return nil, fmt.Errorf("configure a client secret in Secrets Manager: %w", errors.Join(faults...))
	}
	s := &Source{Config: config, turn: make(chan struct{}, 1)}
	s.Lifetime, s.Timeout = cmp.Or(s.Lifetime, 5*time.Minute), cmp.Or(s.Timeout, 3*time.Second)
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	return s, nil
}

// Secrets returns the current value, and after it the former one. One call of AWS
// serves all who wait for it. While AWS does not answer, what was read before counts.
func (s *Source) Secrets(ctx context.Context, again bool) ([]string, error) {
	asked := s.Now()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the client secret: %w", context.Cause(ctx))
	}
	if s.fresh(asked, again) {
		return s.known, nil
	}
	if again && len(s.known) > 0 {
		if err := s.wait(ctx); err != nil {
			return s.known, nil
		}
	}
	current, former, err := s.fetch(ctx, again)
	if ctx.Err() == nil || err == nil {
		s.tried = s.Now()
	}
	if err != nil {
		s.Logger.LogAttrs(ctx, slog.LevelWarn, "client secret not read", slog.String("reason", err.Error()), slog.Bool("former value counts", len(s.known) > 0))
		if len(s.known) == 0 {
			return nil, err
		}
		return s.known, nil
	}
	s.keep(current, former)
	return s.known, nil
}

// fresh reports whether what is known will do for somebody who asked at a time.
func (s *Source) fresh(asked time.Time, again bool) bool {
	switch {
	case len(s.known) == 0:
		return false
	case again:
		return s.read.After(asked) // somebody else asked while this one waited
	case s.Now().Sub(s.read) < s.Lifetime:
		return true
	}
	return s.tried.After(s.read) && s.Now().Sub(s.tried) < pauseAfterFault
}

// wait keeps two calls apart.
func (s *Source) wait(ctx context.Context) error {
	left := pauseBetween - s.Now().Sub(s.tried)
	if left <= 0 {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// keep remembers what was read. A value that another takes the place of is kept as
// the former one: a pool that turns to the new one takes a moment.
func (s *Source) keep(current, former string) {
	if len(s.known) > 0 && s.known[0] != current {
		s.Logger.Info("client secret changed in Secrets Manager")
	}
	known := []string{current}
	for _, secret := range append([]string{former}, s.known...) {
		if secret != "" && !slices.Contains(known, secret) && len(known) < 3 {
			known = append(known, secret)
		}
	}
	s.known, s.read = known, s.Now()
}

// fetch reads the current value and, where it was refused, the former one.
func (s *Source) fetch(ctx context.Context, again bool) (current, former string, err error) {
	if current, err = s.get(ctx, "AWSCURRENT"); err != nil {
		return "", "", err
	}
	if again {
		former, _ = s.get(ctx, "AWSPREVIOUS") // there is none before the first rotation
	}
	return current, former, nil
}

func (s *Source) get(ctx context.Context, stage string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	out, err := s.Client.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &s.ARN, VersionStage: &stage})
	if err != nil {
		return "", fmt.Errorf("read %s of %s from Secrets Manager: %w", stage, s.ARN, advice(err))
	}
	secret, err := parse(aws.ToString(out.SecretString), s.ClientID)
	if err != nil {
		return "", fmt.Errorf("read %s of %s from Secrets Manager: %w", stage, s.ARN, err)
	}
	return secret, nil
}

// advice adds what to do to the faults that people meet.
func advice(err error) error {
	var missing *types.ResourceNotFoundException
	switch {
	case errors.As(err, &missing):
		return fmt.Errorf("there is no such secret; copy ClientSecretArn from aws cognito-idp describe-user-pool-client: %w", err)
	case strings.Contains(err.Error(), "AccessDenied"):
		return fmt.Errorf("allow secretsmanager:GetSecretValue on it, and kms:Decrypt where its key is your own: %w", err)
	}
	return err
}
