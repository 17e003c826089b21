package keep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/codegrant/codegrant/internal/behind"
	"github.com/codegrant/codegrant/internal/fault"
	"github.com/codegrant/codegrant/internal/prove"
	"github.com/codegrant/codegrant/session"
)

// StoredConfig configures a [Stored].
type StoredConfig struct {
	Store          session.Store
	Cookie         session.Cookie
	Issuer, Client string // of the tokens, and what records are bound to
	Lifetimes      Lifetimes
	Now            func() time.Time
	Logger         *slog.Logger
	Behind         *behind.Work // where expired records are swept
}

// Stored keeps sign-ins in a store. The browser holds the name of the row and the key
// that opens it.
type Stored struct {
	store          session.Store
	cookie         session.Cookie
	issuer, client string
	binding        string
	life           Lifetimes
	clock          func() time.Time
	log            *slog.Logger
	behind         *behind.Work
	once           once
	swept          atomic.Int64 // when the store last let go of expired sessions
}

// NewStored returns a keeper.
func NewStored(c StoredConfig) *Stored {
	return &Stored{
		store: c.Store, cookie: c.Cookie, issuer: c.Issuer, client: c.Client, binding: Binding(c.Issuer, c.Client),
		life: c.Lifetimes, clock: c.Now, log: c.Logger, behind: c.Behind,
	}
}

// Binding is what a record says in [session.Record.Pool].
func Binding(issuer, client string) string { return issuer + " " + client }

var (
	// errUnreadable: there is a record, of another version perhaps.
	errUnreadable = fmt.Errorf("%w: its record does not open", ErrEnded)
	// ended is the content of a record that is about to be deleted.
	ended = []byte{0}
)

// Carried implements [Keeper]: the store has the state.
func (s *Stored) Carried() bool { return false }

// Cannot implements [Keeper].
func (s *Stored) Cannot() []Exception { return nil }

// Owns implements [Keeper].
func (s *Stored) Owns(cookie string) bool { return cookie == s.cookie.Name }

func isHandle(value string) bool {
	_, err := session.ParseHandle(value)
	return err == nil
}

// Find implements [Keeper].
func (s *Stored) Find(r *http.Request) (*Held, error) {
	values, err := s.cookie.Matching(r, isHandle, maxPresented)
	if err != nil {
		return nil, err
	}
	if len(values) == 0 {
		if junk, _ := s.cookie.Values(r); len(junk) > 0 {
			return nil, ErrEnded
		}
		return nil, nil
	}
	var found *Held
	for _, value := range values {
		handle, err := session.ParseHandle(value)
		if err != nil {
			continue
		}
		h, err := s.load(r.Context(), handle)
		if errors.Is(err, fault.SessionEnded) {
			continue
		}
		if err != nil {
			return nil, err
		}
		// A sibling host can plant a second cookie of our name. Which of two
		// people is meant cannot be known.
		if found != nil && found.Subject != h.Subject {
			return nil, fault.AmbiguousCookie
		}
		if found == nil {
			found = h
		}
	}
	if found == nil {
		return nil, ErrEnded
	}
	return found, nil
}

// All implements [Keeper]. It asks the store nothing.
func (s *Stored) All(r *http.Request) ([]*Held, error) {
	values, err := s.cookie.Matching(r, isHandle, maxPresented)
	var all []*Held
	for _, value := range values {
		if handle, err := session.ParseHandle(value); err == nil {
			all = append(all, &Held{Key: Key(handle.RecordID()), handle: handle})
		}
	}
	return all, err
}

// Create implements [Keeper].
func (s *Stored) Create(ctx context.Context, h *Held) (*Held, error) {
	own := *h
	own.handle = session.NewHandle()
	own.Record.ID, own.Record.Pool, own.Record.Subject = own.handle.RecordID(), s.binding, h.Subject
	own.Record.Expires = s.life.end(h.Record.Created, h.Record.LastSeen)
	own.Record.Sealed = own.seal(own.handle, own.Record)
	own.Key = Key(own.Record.ID)
	if err := s.store.Create(ctx, own.Record); err != nil {
		return nil, fault.Away("store the session", err)
	}
	s.sweepSometimes()
	return &own, nil
}

const (
	sweepInterval = 10 * time.Minute
	sweepBatch    = 1000
)

// sweepSometimes has the store let go of what has expired, beside a sign-in.
// Processes that share a store may do so at the same time.
func (s *Stored) sweepSometimes() {
	now, last := s.clock().UnixNano(), s.swept.Load()
	ago := now - last // below 0: the clock was set back
	if ago >= 0 && ago < int64(sweepInterval) || !s.swept.CompareAndSwap(last, now) {
		return
	}
	s.behind.Go("sweep of sessions", func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		for n := sweepBatch; n >= sweepBatch; {
			var err error
			if n, err = s.store.DeleteExpired(ctx, sweepBatch); err != nil {
				s.log.LogAttrs(ctx, slog.LevelWarn, "expired sessions not deleted", slog.String("reason", err.Error()))
				return
			}
		}
	})
}

// Now implements [Keeper].
func (s *Stored) Now(ctx context.Context, h *Held) (*Held, error) { return s.load(ctx, h.handle) }

// load reads and opens one record.
func (s *Stored) load(ctx context.Context, handle session.Handle) (*Held, error) {
	id := handle.RecordID()
	record, err := s.store.Get(ctx, id)
	switch {
	case errors.Is(err, session.ErrNotFound):
		return nil, ErrEnded
	case errors.Is(err, session.ErrDamaged):
		s.log.LogAttrs(ctx, slog.LevelWarn, "session record unreadable", slog.String("session", Key(id).Short()), slog.String("reason", err.Error()))
		return nil, errUnreadable
	case err != nil:
		return nil, fault.Away("read the session", err)
	case record.ID != id || record.Pool != s.binding || !s.clock().Before(record.Expires) || bytes.Equal(record.Sealed, ended):
		return nil, ErrEnded
	}
	return s.open(ctx, handle, record)
}

func (s *Stored) open(ctx context.Context, handle session.Handle, record session.Record) (*Held, error) {
	h, err := openIdentity(handle, record)
	if err != nil {
		// The id was right and the key or the format was not: tampering, or a
		// record of a newer version. Either way it proves nothing.
		s.log.LogAttrs(ctx, slog.LevelWarn, "session record unreadable", slog.String("session", Key(record.ID).Short()), slog.String("reason", err.Error()))
		return nil, errUnreadable
	}
	h.Issuer, h.Subject, h.ClientID, h.Method = s.issuer, record.Subject, s.client, prove.BySession
	h.handle, h.Record, h.Key = handle, record, Key(record.ID)
	return h, nil
}

// Swap implements [Keeper]. It seals the tokens of h where they are new.
func (s *Stored) Swap(ctx context.Context, h *Held) (*Held, error) {
	record := h.Record
	if h.set != nil {
		record.Sealed = h.seal(h.handle, record)
	}
	written, err := s.store.CompareAndSwap(ctx, record)
	switch {
	case err == nil:
		return s.open(ctx, h.handle, written)
	case errors.Is(err, session.ErrConflict):
		return nil, ErrChanged
	case errors.Is(err, session.ErrNotFound), errors.Is(err, session.ErrDamaged):
		return nil, ErrEnded
	}
	return nil, fault.Away("write the session", err)
}

// Refused implements [Keeper]: the sign-in is over, unless another process has rotated
// the token meanwhile.
func (s *Stored) Refused(ctx context.Context, h *Held, _ error) (*Held, error) {
	mine, err := h.Tokens()
	if err != nil {
		return nil, ErrEnded
	}
	now, err := s.load(ctx, h.handle)
	if err != nil {
		return nil, err
	}
	if others, err := now.Tokens(); err == nil && others.Refresh != mine.Refresh {
		return now, nil
	}
	return nil, ErrEnded
}

// maxEndTries bounds how often a row is read again that others write to.
const maxEndTries = 8

// End implements [Keeper]. It takes the content out of the record before it deletes
// that: a renewal elsewhere that came in between has then been seen, and its refresh
// token is the one that is returned.
func (s *Stored) End(ctx context.Context, h *Held) (*Held, error) {
	var last *Held
	var failed error
	for range maxEndTries {
		now, err := s.load(ctx, h.handle)
		if errors.Is(err, fault.SessionEnded) && !errors.Is(err, errUnreadable) {
			return last, nil
		}
		if err != nil {
			// Also one that cannot be read is deleted: it may be of another version, or
			// the store may be coming back.
			if !errors.Is(err, errUnreadable) {
				failed = err
			}
			break
		}
		last = now
		record := now.Record
		record.Sealed, record.LeaseUntil = ended, time.Time{}
		if _, err = s.store.CompareAndSwap(ctx, record); !errors.Is(err, session.ErrConflict) {
			break
		}
	}
	if err := s.store.Delete(ctx, h.handle.RecordID()); err != nil {
		return last, errors.Join(failed, fault.Away("delete the session", err))
	}
	return last, failed
}

// Hand implements [Keeper].
func (s *Stored) Hand(w http.ResponseWriter, h *Held) error {
	s.cookie.Set(w, h.handle.Encode(), s.life.Absolute)
	return nil
}

// Forget implements [Keeper].
func (s *Stored) Forget(w http.ResponseWriter) { s.cookie.Clear(w) }
