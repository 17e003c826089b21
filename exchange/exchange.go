package exchange

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/codegrant/codegrant"
)

// Config is what [New] needs. Audience and By are required.
type Config struct {
	// Audience is what tokens are for: the identifier of the service, such as
	// https://orders.example.com.
	Audience string
	// Scopes are those that the service needs, such as orders/read. A token has those of
	// them that the person's own has too; a session of the person's own, by an [Issuer],
	// gives all. None: those of the person's token.
	Scopes []string
	// Actor adds to tokens that this service acts for the person (act). Without it, a token
	// looks like a token of the person. Earlier actors are in the token in both cases.
	Actor bool
	// By issues them: a [Pool] or an [Issuer].
	By By

	// OnEvent hears what became of each wish for a token, for who counts. It is called while
	// somebody waits. A panic of it is logged, and changes nothing. Defaults to nobody.
	OnEvent func(context.Context, Event)
	// Logger gets exchanges, never a token. Defaults to [slog.Default].
	Logger *slog.Logger
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
}

// By issues tokens.
type By interface {
	// issue returns a token for somebody, and its end, which is at ends at most.
	issue(ctx context.Context, id *codegrant.Identity, want want) (token string, until time.Time, err error)
	// subject is what of somebody the token follows from.
	subject(id *codegrant.Identity) (any, error)
	check(c Config) error
}

// want is what is asked for.
type want struct {
	audience string
	scopes   []string
	actor    bool
	now      time.Time
	ends     time.Time // zero: no end is known
}

// Tokens are those for one service. It is safe for concurrent use. Make one with [New],
// for the whole process.
type Tokens struct {
	Config
	mu         sync.Mutex // guards what follows
	young, old map[[sha256.Size]byte]*entry
}

// entry is one exchange, under way or done.
type entry struct {
	done  chan struct{}
	token string
	until time.Time // from then on it is asked for again
	err   error
}

const (
	maxEntries  = 4 << 10 // of each generation
	maxLeeway   = 10 * time.Second
	askTimeout  = 30 * time.Second
	pauseAway   = time.Second      // for how long it is the answer that the pool is away
	pauseForbid = 10 * time.Second // or that it has refused
)

// New checks the configuration. It sends nothing.
func New(config Config) (*Tokens, error) {
	var faults []error
	if config.Audience == "" || !isVisible(config.Audience) || len(config.Audience) > 256 {
		faults = append(faults, fmt.Errorf("audience %.300q is not the identifier of a service, such as https://orders.example.com", config.Audience))
	}
	for _, s := range config.Scopes {
		if s == "" || !isVisible(s) || strings.ContainsAny(s, `"\`) {
			faults = append(faults, fmt.Errorf("scopes: %q is not a scope", s))
		}
	}
	if len(config.Scopes) > 50 {
		faults = append(faults, errors.New("scopes: there are more than 50"))
	}
	if config.By == nil {
		faults = append(faults, errors.New("By: it is missing; it is a Pool or an Issuer"))
	} else if err := config.By.check(config); err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("configure exchange: %w", errors.Join(faults...))
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	config.Scopes = slices.Clone(config.Scopes)
	return &Tokens{Config: config}, nil
}

// isVisible reports whether text is printable ASCII without blanks.
func isVisible(text string) bool {
	for _, c := range []byte(text) {
		if c <= ' ' || c > '~' {
			return false
		}
	}
	return true
}

// Token returns a token of a person for the service. The error is
// [codegrant.ErrForbidden] if the exchange was refused. It is
// [codegrant.ErrUnavailable] if the pool does not answer, or if an operator must fix the
// settings first. Token returns the same error for the same request for a moment.
func (t *Tokens) Token(ctx context.Context, id *codegrant.Identity) (string, error) {
	if id == nil || id.Machine || id.Subject == "" {
		t.event(ctx, Refused, 0)
		return "", fmt.Errorf("%w: the request has no person, and so no token to exchange", codegrant.ErrForbidden)
	}
	subject, err := t.By.subject(id)
	if err != nil {
		t.event(ctx, Refused, 0)
		return "", err
	}
	text, err := json.Marshal([]any{subject, id.Issuer, id.Subject, id.SessionID()})
	if err != nil {
		return "", fmt.Errorf("%w: %w", codegrant.ErrUnavailable, err)
	}
	key := sha256.Sum256(text)
	now := t.Now()
	ends := earliest(id.Expires, id.SessionEnds())
	if !ends.IsZero() && !now.Before(ends) {
		t.event(ctx, Unavailable, 0)
		return "", fmt.Errorf("%w: the person's own token has expired, and must be renewed first", codegrant.ErrUnavailable)
	}
	e, mine := t.entry(key, now)
	if !mine {
		t.event(ctx, Cached, 0)
	} else {
		go t.ask(context.WithoutCancel(ctx), e, id, now, ends)
	}
	select {
	case <-e.done:
		return e.token, e.err
	case <-ctx.Done():
		return "", fmt.Errorf("%w: wait for the exchange: %w", codegrant.ErrUnavailable, ctx.Err())
	}
}

// earliest is the earlier of two times, of which zero is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// entry finds what is known, or begins it: then it is the caller's to ask.
func (t *Tokens) entry(key [sha256.Size]byte, now time.Time) (e *entry, mine bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e = t.young[key]
	if e == nil {
		e = t.old[key]
	}
	if e != nil {
		select {
		case <-e.done:
			if now.Before(e.until) {
				return e, false
			}
		default:
			return e, false
		}
	}
	if t.young == nil || len(t.young) >= maxEntries {
		t.young, t.old = make(map[[sha256.Size]byte]*entry), t.young
	}
	e = &entry{done: make(chan struct{})}
	t.young[key] = e
	return e, true
}

// ask ends an exchange.
func (t *Tokens) ask(ctx context.Context, e *entry, id *codegrant.Identity, now, ends time.Time) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	defer close(e.done)
	defer func() {
		if v := recover(); v != nil { // of a transport: this is nobody's request, and would end the process
			e.err, e.until = fmt.Errorf("%w: exchange the token: internal fault", codegrant.ErrUnavailable), t.Now().Add(pauseAway)
			t.event(ctx, Unavailable, 0)
			t.Logger.LogAttrs(ctx, slog.LevelError, "token not exchanged: that panicked", slog.String("sub", id.Subject), slog.String("audience", t.Audience), slog.Any("panic", v))
		}
	}()
	begun := time.Now()
	token, until, err := t.By.issue(ctx, id, want{audience: t.Audience, scopes: t.Scopes, actor: t.Actor, now: now, ends: ends})
	attrs := []slog.Attr{slog.String("sub", id.Subject), slog.String("audience", t.Audience)}
	if id.Actor != nil {
		attrs = append(attrs, slog.String("actor", id.Actor.String()))
	}
	took, outcome := time.Since(begun), Exchanged
	switch {
	case errors.Is(err, codegrant.ErrUnavailable):
		outcome = Unavailable
		e.err, e.until = err, t.Now().Add(pauseAway)
	case err != nil:
		outcome = Refused
		e.err, e.until = err, t.Now().Add(pauseForbid)
	default:
		until = earliest(until, ends)
		e.err, e.token = nil, token
		// A service gets a token that is good when it arrives.
		e.until = until.Add(-min(maxLeeway, until.Sub(now)/5))
	}
	t.event(ctx, outcome, took)
	if err != nil {
		t.Logger.LogAttrs(ctx, slog.LevelWarn, "token not exchanged", append(attrs, slog.String("reason", err.Error()))...)
		return
	}
	t.Logger.LogAttrs(ctx, slog.LevelInfo, "token exchanged", attrs...)
}
