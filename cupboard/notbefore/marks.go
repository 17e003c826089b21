package notbefore

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/codegrant/codegrant/cupboard"
)

// ErrUnavailable: the marks could not be read. It says nothing about anybody.
var ErrUnavailable = errors.New("not-before marks unavailable")

// Config configures [Marks]. Its zero value is useful.
type Config struct {
	// Store keeps the marks for all processes. Defaults to none: they hold in this
	// process alone.
	Store cupboard.Store
	// Keep is how long a mark counts: as long as anything that the pool gave before it
	// can be used. Defaults to 31 days, for a refresh token of Cognito's lives for 30
	// by default.
	Keep time.Duration
	// Now is the clock. Defaults to [time.Now].
	Now func() time.Time
	// Logger gets each new mark, who left it and when, and when marks can no
	// longer be read, and when they can be again.
	// Defaults to [slog.Default].
	Logger *slog.Logger
}

// Marks say from when on what proves a person counts. They are safe for concurrent
// use. Make them with [New].
type Marks struct {
	store cupboard.Store
	keep  time.Duration
	now   func() time.Time
	log   *slog.Logger

	count   atomic.Int64 // of known
	current atomic.Bool  // what is known is read every moment
	asked   atomic.Bool  // since the last read

	mu    sync.RWMutex
	known map[person]mark

	reader reader
}

// person names somebody.
type person struct{ issuer, subject string }

type mark struct {
	at, until time.Time
	by        string // who left it, for the log
}

// shelf is where marks are. A person of several pools has several.
var shelf = cupboard.Kind{Name: "not-before", MaxRecords: 1_000_000, MaxOfPerson: 256, MaxBytes: 1 << 10, Watched: true}

const (
	valueVersion = 1
	// putTries bounds how often a mark is put that others put, too.
	putTries = 8
	maxBy    = 128

	maxSubject = 255 // as package verify takes them
)

// New returns marks. It asks the store nothing yet; closing that is the caller's, after
// [Marks.Close].
func New(c Config) *Marks {
	m := &Marks{store: c.Store, keep: c.Keep, now: c.Now, log: c.Logger, known: make(map[person]mark)}
	if m.keep <= 0 {
		m.keep = 31 * 24 * time.Hour
	}
	if m.now == nil {
		m.now = time.Now
	}
	m.log = cmp.Or(m.log, slog.Default())
	m.reader.life, m.reader.end = context.WithCancel(context.Background())
	return m
}

// Shared reports whether other processes see what is left here.
func (m *Marks) Shared() bool { return m.store != nil }

// NotBefore returns the time of the last mark of a person of the issuer. Zero: never. A
// token or session that began earlier is not valid any more. The answer comes from
// memory. Only the first call, and a call after a minute without one, wait for a read,
// for at most half a second.
//
// An error means that the store has never answered. If it fails later, NotBefore
// continues to answer with the marks that it has read.
func (m *Marks) NotBefore(ctx context.Context, issuer, subject string) (time.Time, error) {
	if m.store != nil {
		if !m.current.Load() {
			if err := m.wake(ctx); err != nil {
				return time.Time{}, err
			}
		}
		if !m.asked.Load() {
			m.asked.Store(true)
		}
	}
	if m.count.Load() == 0 {
		return time.Time{}, nil
	}
	m.mu.RLock()
	known, ok := m.known[person{issuer, subject}]
	m.mu.RUnlock()
	if !ok || !m.now().Before(known.until) {
		return time.Time{}, nil
	}
	return known.at, nil
}

// Leave marks a person: what began before at, or in the same second, proves nothing any
// more. It holds here at once, whatever the error says: [ErrUnavailable] where others do
// not know yet. They will, as soon as the store answers, if this process lives to see it.
// A mark never goes back in time. by is who leaves it, for the log of every process.
func (m *Marks) Leave(ctx context.Context, issuer, subject string, at time.Time, by string) error {
	if issuer == "" || subject == "" {
		return fmt.Errorf("mark a person: issuer %.64q or subject %.64q is empty", issuer, subject)
	}
	if len(subject) > maxSubject || !utf8.ValidString(subject) || strings.ContainsRune(subject, 0) {
		return fmt.Errorf("mark a person: no pool has a subject such as %.64q", subject)
	}
	p, left := person{issuer, subject}, mark{at.Truncate(time.Microsecond), m.now().Add(m.keep), strings.ToValidUTF8(by[:min(len(by), maxBy)], "")}
	if m.learn(p, left) {
		m.tell(ctx, p, left)
	}
	if m.store == nil {
		return nil
	}
	err := m.put(ctx, p, left)
	if err == nil {
		return nil
	}
	if errors.Is(err, cupboard.ErrUnavailable) {
		m.reader.owe(p, left)
		return fmt.Errorf("mark a person: %w: other processes do not know yet: %w", ErrUnavailable, err)
	}
	return fmt.Errorf("mark a person: %w", err)
}

// tell says in the log whose earlier tokens are refused from now on.
func (m *Marks) tell(ctx context.Context, p person, left mark) {
	m.log.LogAttrs(ctx, slog.LevelInfo, "earlier tokens are refused", slog.String("sub", p.subject), slog.Time("before", left.at), slog.String("by", left.by))
}

// learn takes note of a mark, and reports whether it is later than the last.
func (m *Marks) learn(p person, left mark) (news bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old, ok := m.known[p]
	if !ok {
		m.count.Add(1)
	}
	if news = left.at.After(old.at); !news {
		left.at, left.by = old.at, old.by
	}
	if old.until.After(left.until) {
		left.until = old.until
	}
	m.known[p] = left
	return news
}

// sweep forgets marks that count no longer.
func (m *Marks) sweep() {
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for p, known := range m.known {
		if !now.Before(known.until) {
			delete(m.known, p)
			m.count.Add(-1)
		}
	}
}

// put puts a mark on the shelf, where there is no later one.
func (m *Marks) put(ctx context.Context, p person, left mark) error {
	r := cupboard.Record{Key: cupboard.Key(p.issuer, p.subject), Person: p.subject, Value: encode(p.issuer, left.at, left.by), Until: left.until}
	var err error
	for range putTries {
		if err = m.store.Put(ctx, shelf, r); !errors.Is(err, cupboard.ErrExists) {
			return err
		}
		old, getErr := m.store.Get(ctx, shelf, r.Key)
		if errors.Is(getErr, cupboard.ErrNotFound) {
			continue
		}
		if getErr != nil {
			return getErr
		}
		if _, at, _, ok := decode(old.Value); ok && !at.Before(left.at) {
			return nil
		}
		r.Version = old.Version
		if r.Until.Before(old.Until) {
			r.Until = old.Until
		}
		if _, err = m.store.Swap(ctx, shelf, r); !errors.Is(err, cupboard.ErrConflict) && !errors.Is(err, cupboard.ErrNotFound) {
			return err
		}
	}
	return err
}

// encode writes what a mark says: the version, the time, who left it, and the issuer.
func encode(issuer string, at time.Time, by string) []byte {
	b := binary.BigEndian.AppendUint64([]byte{valueVersion}, uint64(at.UnixMicro()))
	b = append(append(b, byte(len(by))), by...)
	return append(b, issuer...)
}

func decode(value []byte) (issuer string, at time.Time, by string, ok bool) {
	const head = 10
	if len(value) < head || value[0] != valueVersion {
		return "", time.Time{}, "", false
	}
	n := int(value[head-1])
	if len(value) <= head+n {
		return "", time.Time{}, "", false
	}
	return string(value[head+n:]), time.UnixMicro(int64(binary.BigEndian.Uint64(value[1:9]))), string(value[head : head+n]), true
}
