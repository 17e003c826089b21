package machine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"github.com/codegrant/codegrant/cognito"
)

// Config is what [New] needs. Pool is required.
type Config struct {
	// Pool is the user pool, and the app client whose tokens these are, with its secret,
	// or two of them while one takes the place of the other. Without a Domain, tokens come
	// from the API of user pools (GetClientToken), for app clients with the flow
	// ALLOW_CLIENT_TOKEN_AUTH.
	Pool cognito.Pool
	// Scopes to ask for, such as orders/read. Defaults to all that the app client may have.
	Scopes []string
	// HTTPClient speaks to Cognito. Defaults to one with timeouts of its own.
	HTTPClient *http.Client
	// Logger gets when a token could not be renewed in time, and which of several
	// secrets the pool accepts; never a secret. Defaults to [slog.Default].
	Logger *slog.Logger
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

// Source fetches tokens of an app client, and keeps each for as long as it is good: one
// call of the pool, however many ask at once. It is an [oauth2.TokenSource], and safe for
// concurrent use. Make one with [New], for the whole process.
type Source struct {
	client *cognito.Client
	scopes []string
	log    *slog.Logger
	now    func() time.Time

	mu     sync.Mutex // guards what follows
	token  *oauth2.Token
	renew  time.Time // when another one is fetched, beside the calls that have this one
	failed error     // of the last fetch
	until  time.Time // for how long failed holds
	flight *flight   // nil: none is under way
}

// flight is one fetch.
type flight struct {
	done  chan struct{}
	token *oauth2.Token
	err   error
}

const (
	// leeway is how long before its end a token is no longer sent: it has to be good when
	// it arrives.
	leeway = 10 * time.Second
	// earlyAtMost is how long before its end a token is renewed, beside the calls. Of a
	// short one, a fifth of its life.
	earlyAtMost = 5 * time.Minute
	// fetchTimeout bounds a fetch with its tries.
	fetchTimeout = 30 * time.Second
	// pauseUnavailable and pauseRefused are for how long a fault is the answer to all.
	pauseUnavailable = time.Second
	pauseRefused     = 10 * time.Second
)

// New checks the configuration. It sends nothing.
func New(config Config) (*Source, error) {
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	client, err := cognito.NewForMachine(cognito.Config{Pool: config.Pool, HTTPClient: config.HTTPClient, Logger: config.Logger})
	if err != nil {
		return nil, fmt.Errorf("configure tokens of a machine: %w", err)
	}
	if slices.Contains(config.Scopes, "") {
		return nil, errors.New("configure tokens of a machine: one of Scopes is empty")
	}
	return &Source{client: client, scopes: slices.Clone(config.Scopes), log: config.Logger, now: config.Now}, nil
}

// Token is [Source.TokenContext] for who has no context.
func (s *Source) Token() (*oauth2.Token, error) { return s.TokenContext(context.Background()) }

// TokenContext returns a valid token. If there is none yet, it waits for one.
//
// An error that is [cognito.ErrUnavailable] means that the pool did not answer: try again.
// After a [cognito.ErrMisconfigured] or a [cognito.ErrInvalid], an operator must fix the
// settings. All callers get the same error for a moment, so that they do not all ask a
// pool that has trouble.
func (s *Source) TokenContext(ctx context.Context) (*oauth2.Token, error) {
	s.mu.Lock()
	now := s.now()
	good := s.token != nil && now.Before(s.token.Expiry.Add(-leeway))
	if good && now.Before(s.renew) {
		token := *s.token
		s.mu.Unlock()
		return &token, nil
	}
	failed := s.failed != nil && now.Before(s.until)
	if s.flight == nil && !failed {
		s.flight = &flight{done: make(chan struct{})}
		go s.fetch(context.WithoutCancel(ctx), s.flight)
	}
	f, err := s.flight, s.failed
	if good {
		token := *s.token
		s.mu.Unlock()
		return &token, nil
	}
	s.mu.Unlock()
	if f == nil {
		return nil, err
	}
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a token of the app client: %w: %w", cognito.ErrUnavailable, ctx.Err())
	}
	if f.err != nil {
		return nil, f.err
	}
	token := *f.token
	return &token, nil
}

// fetch ends a flight.
func (s *Source) fetch(ctx context.Context, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	begun := s.now()
	defer func() {
		if v := recover(); v != nil { // of the transport: this is nobody's request, and would end the process
			s.log.LogAttrs(ctx, slog.LevelError, "token of the app client not fetched: that panicked", slog.Any("panic", v))
			f.err = fmt.Errorf("fetch a token of the app client: internal fault: %w", cognito.ErrUnavailable)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.flight = nil
		if s.failed = f.err; f.err == nil {
			s.token = f.token
			life := f.token.Expiry.Sub(begun)
			s.renew = f.token.Expiry.Add(-min(earlyAtMost, life/5))
		} else {
			s.until = s.now().Add(pauseAfter(f.err))
			if s.token != nil {
				s.log.LogAttrs(ctx, slog.LevelWarn, "token of the app client not renewed", slog.String("reason", f.err.Error()), slog.Time("good_until", s.token.Expiry))
			}
		}
		close(f.done)
	}()
	tokens, err := s.client.ClientToken(ctx, s.scopes...)
	if f.err = err; err == nil {
		f.token = &oauth2.Token{AccessToken: tokens.AccessToken.Reveal(), TokenType: "Bearer", Expiry: begun.Add(tokens.ExpiresIn), ExpiresIn: int64(tokens.ExpiresIn / time.Second)}
	}
}

func pauseAfter(err error) time.Duration {
	var u *cognito.UnavailableError
	switch {
	case errors.As(err, &u):
		return min(cmp.Or(u.RetryAfter, pauseUnavailable), time.Minute)
	case errors.Is(err, cognito.ErrUnavailable):
		return pauseUnavailable
	}
	return pauseRefused
}

// drop forgets a token that a server has refused, unless a newer one is there: the next
// call fetches another. It does so once for a token, and not within a moment of its fetch.
func (s *Source) drop(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token != nil && s.token.AccessToken == token && s.now().Sub(s.token.Expiry.Add(-time.Duration(s.token.ExpiresIn)*time.Second)) > leeway {
		s.token = nil
	}
}
