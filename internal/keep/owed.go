package keep

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/codegrant/codegrant/cognito"
	"github.com/codegrant/codegrant/cupboard"
	"github.com/codegrant/codegrant/session"
)

// Owed says where revocations are kept that the pool has not made. Without Store and
// Keys they end with the process.
type Owed struct {
	Store   cupboard.Store
	Keys    *session.Keyring // that seal them
	Binding string           // issuer and app client, as in [Binding]
}

const (
	owedPurpose = "revocation"
	// owedLife is how long a token is taken to live: Cognito's, unless it is told
	// otherwise. Then there is nothing left to revoke.
	owedLife = 30 * 24 * time.Hour
	// owedPause is the least time between two looks at what is owed, and the first
	// that one revocation waits; each further one is twice as long, up to owedMost.
	owedPause = 10 * time.Second
	owedMost  = time.Hour
	owedCall  = 30 * time.Second
)

// owed are revocations that are still to be made, on a shelf of the app client.
type owed struct {
	Owed
	kind  cupboard.Kind
	pool  Pool
	clock func() time.Time
	log   *slog.Logger
	seen  atomic.Int64 // when they were last looked at
}

// debt is what a record's value says, sealed.
type debt struct {
	Token cognitoToken `json:"token"`
	Tries int          `json:"tries"`
	Next  int64        `json:"next"` // not before; seconds since 1970
}

// cognitoToken is a secret where it must be written: within a seal.
type cognitoToken string

func newOwed(c Owed, pool Pool, clock func() time.Time, log *slog.Logger) *owed {
	if c.Store == nil || c.Keys == nil {
		return nil
	}
	return &owed{
		Owed: c, pool: pool, clock: clock, log: log,
		kind: cupboard.Kind{Name: "revocations." + cupboard.Key(c.Binding)[:16], MaxRecords: 100_000, MaxOfPerson: 1000, MaxBytes: 16 << 10},
	}
}

func (o *owed) data(key string) []byte { return []byte(o.Binding + " " + key) }

func (o *owed) seal(key string, d debt) []byte {
	plain, err := json.Marshal(d)
	if err != nil {
		panic(err) // a text and two numbers
	}
	return []byte(o.Keys.Seal(owedPurpose, plain, o.data(key)))
}

func (o *owed) open(r cupboard.Record) (d debt, err error) {
	plain, err := o.Keys.Open(owedPurpose, string(r.Value), o.data(r.Key))
	if err == nil {
		err = json.Unmarshal(plain, &d)
	}
	return d, err
}

// keep puts a revocation on the shelf. It reports whether it is there.
func (o *owed) keep(ctx context.Context, subject string, token cognito.Secret) bool {
	if o == nil {
		return false
	}
	now, key := o.clock(), cupboard.Key(token.Reveal())
	r := cupboard.Record{Key: key, Person: subject, Until: now.Add(owedLife), Value: o.seal(key, debt{Token: cognitoToken(token.Reveal()), Next: now.Add(owedPause).Unix()})}
	err := o.Store.Put(ctx, o.kind, r)
	if err == nil || errors.Is(err, cupboard.ErrExists) {
		return true
	}
	o.log.LogAttrs(ctx, slog.LevelWarn, "revocation not kept", slog.String("sub", subject), slog.String("reason", err.Error()))
	return false
}

// made takes one off the shelf that has been made.
func (o *owed) made(ctx context.Context, token cognito.Secret) {
	if _, err := o.Store.Take(ctx, o.kind, cupboard.Key(token.Reveal())); err != nil && !errors.Is(err, cupboard.ErrNotFound) {
		o.log.LogAttrs(ctx, slog.LevelDebug, "revocation made and still kept", slog.String("reason", err.Error()))
	}
}

// due reports whether it is time to look, and takes it that somebody does.
func (o *owed) due() bool {
	if o == nil {
		return false
	}
	now, seen := o.clock().UnixNano(), o.seen.Load()
	if ago := now - seen; ago >= 0 && ago < int64(owedPause) { // below 0: the clock was set back
		return false
	}
	return o.seen.CompareAndSwap(seen, now)
}

// retry has the pool make what is owed and due, until it is unavailable once more.
// Processes that do so at once share the work.
func (o *owed) retry(ctx context.Context) error {
	for q := (cupboard.Query{Limit: 100}); ; {
		page, err := o.Store.List(ctx, o.kind, q)
		if err != nil {
			return err
		}
		for _, r := range page {
			if err := o.once(ctx, r); err != nil {
				return err
			}
			q.After = r.Key
		}
		if len(page) < q.Limit {
			return nil
		}
	}
}

// once tries one that is due. The error says that others would not fare better.
func (o *owed) once(ctx context.Context, r cupboard.Record) error {
	d, err := o.open(r)
	if err != nil {
		// Of keys that are gone, or that another process has already. It goes by itself.
		o.log.LogAttrs(ctx, slog.LevelDebug, "revocation kept unreadable", slog.String("sub", r.Person), slog.String("reason", err.Error()))
		return nil
	}
	now := o.clock()
	if wait := d.Next - now.Unix(); wait > 0 && wait <= int64(owedMost/time.Second) { // more: the clock was set back
		return nil
	}
	d.Tries++
	wait := min(owedPause<<min(d.Tries, 10), owedMost)
	d.Next = now.Add(wait).Unix()
	last := !now.Add(wait).Before(r.Until)
	r.Value = o.seal(r.Key, d)
	if r, err = o.Store.Swap(ctx, o.kind, r); err != nil {
		if errors.Is(err, cupboard.ErrConflict) || errors.Is(err, cupboard.ErrNotFound) {
			return nil // another process sees to it
		}
		return err
	}
	call, cancel := context.WithTimeout(ctx, owedCall)
	defer cancel()
	token := cognito.Secret(d.Token)
	err = o.pool.Revoke(call, token)
	if err == nil {
		o.made(ctx, token)
		o.log.LogAttrs(ctx, slog.LevelInfo, "refresh token revoked", slog.String("sub", r.Person), slog.Int("tries", d.Tries))
		return nil
	}
	if last {
		o.made(ctx, token)
	}
	o.log.LogAttrs(ctx, slog.LevelWarn, "refresh token not revoked", slog.String("sub", r.Person), slog.String("reason", err.Error()),
		slog.Int("tries", d.Tries), slog.Bool("kept", !last))
	if errors.Is(err, cognito.ErrUnavailable) {
		return err
	}
	return nil
}

// RevokeOwed has the pool make revocations that it did not make before, where that is
// due, and says how many are left.
func (s *Sessions) RevokeOwed(ctx context.Context) (left int, err error) {
	if s.before != nil {
		old, oldErr := s.before.RevokeOwed(ctx)
		defer func() { left, err = left+old, errors.Join(oldErr, err) }()
	}
	o := s.revoke.owed
	if o == nil {
		return 0, nil
	}
	if o.due() {
		err = o.retry(ctx)
	}
	left, lenErr := o.Store.Len(ctx, o.kind)
	if errors.Is(err, cognito.ErrUnavailable) {
		err = nil // the log has said so
	}
	return left, errors.Join(err, lenErr)
}
