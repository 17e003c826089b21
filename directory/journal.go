package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Journal keeps what a pass must not lose when its process ends: which process may make it,
// its progress, and the memberships that it has read. These may not fit into memory.
// Between passes you can lose the journal. If it is lost during a pass, the pass begins
// again.
//
// Its methods are safe for concurrent use by any number of goroutines and, if the journal
// is shared, processes. Names are those of leases, one for each kind of work on each pool.
// Strings are compared byte for byte.
type Journal interface {
	// Acquire gives the lease to holder alone, for ttl from now by the journal's clock. The
	// name of holder must be unique. It returns the number of the term, which is greater than
	// that of every term before, and the last state. If another holder has the lease, the
	// error is [ErrHeld].
	Acquire(ctx context.Context, name, holder string, ttl time.Duration) (term int64, state []byte, err error)

	// Renew extends a term to ttl from now. If another term has begun, it returns [ErrLost].
	Renew(ctx context.Context, name string, term int64, ttl time.Duration) error

	// Write replaces the state and extends the term, or returns [ErrLost].
	Write(ctx context.Context, name string, term int64, ttl time.Duration, state []byte) error

	// Release ends a term. Ending one that is over is not an error.
	Release(ctx context.Context, name string, term int64) error

	// AddMembers records, for a pass, that the subjects are members of a group.
	AddMembers(ctx context.Context, pass, group string, subjects []string) error

	// GroupsOf returns what was recorded for a pass: the groups of each of the subjects,
	// sorted.
	GroupsOf(ctx context.Context, pass string, subjects []string) (map[string][]string, error)

	// Forget removes what was recorded for a pass.
	Forget(ctx context.Context, pass string) error
}

// Faults of journals.
var (
	// ErrHeld: another process does the work at this time.
	ErrHeld = errors.New("another process holds the lease")

	// ErrLost: another process has taken the work over.
	ErrLost = errors.New("the lease was lost to another process")
)

// MemoryJournal is a [Journal] in this process, for tests and for applications with one
// process. If the process ends, a pass begins again.
type MemoryJournal struct {
	mu      sync.Mutex // guards the fields below
	now     func() time.Time
	leases  map[string]*lease
	members map[string]map[string][]string // by pass and subject
}

type lease struct {
	holder string
	term   int64
	until  time.Time
	state  []byte
}

var _ Journal = (*MemoryJournal)(nil)

// NewMemoryJournal returns an empty journal.
func NewMemoryJournal() *MemoryJournal {
	return &MemoryJournal{now: time.Now, leases: make(map[string]*lease), members: make(map[string]map[string][]string)}
}

// Acquire implements [Journal].
func (j *MemoryJournal) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (int64, []byte, error) {
	if err := ctx.Err(); err != nil {
		return 0, nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	l := j.leases[name]
	if l == nil {
		l = &lease{}
		j.leases[name] = l
	}
	if left := l.until.Sub(j.now()); left > 0 {
		return 0, nil, fmt.Errorf("%w, for %s more unless it is renewed", ErrHeld, left.Round(time.Millisecond))
	}
	l.holder, l.term, l.until = holder, l.term+1, j.now().Add(ttl)
	return l.term, slices.Clone(l.state), nil
}

// Renew implements [Journal].
func (j *MemoryJournal) Renew(ctx context.Context, name string, term int64, ttl time.Duration) error {
	return j.held(ctx, name, term, func(l *lease) { l.until = j.now().Add(ttl) })
}

// Write implements [Journal].
func (j *MemoryJournal) Write(ctx context.Context, name string, term int64, ttl time.Duration, state []byte) error {
	return j.held(ctx, name, term, func(l *lease) { l.until, l.state = j.now().Add(ttl), slices.Clone(state) })
}

func (j *MemoryJournal) held(ctx context.Context, name string, term int64, f func(*lease)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	l := j.leases[name]
	if l == nil || l.term != term {
		return ErrLost
	}
	f(l)
	return nil
}

// Release implements [Journal].
func (j *MemoryJournal) Release(_ context.Context, name string, term int64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if l := j.leases[name]; l != nil && l.term == term {
		l.until = time.Time{}
	}
	return nil
}

// AddMembers implements [Journal].
func (j *MemoryJournal) AddMembers(ctx context.Context, pass, group string, subjects []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.members[pass] == nil {
		j.members[pass] = make(map[string][]string)
	}
	for _, subject := range subjects {
		groups := j.members[pass][subject]
		if i, found := slices.BinarySearch(groups, group); !found {
			j.members[pass][subject] = slices.Insert(groups, i, group)
		}
	}
	return nil
}

// GroupsOf implements [Journal].
func (j *MemoryJournal) GroupsOf(ctx context.Context, pass string, subjects []string) (map[string][]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	of := make(map[string][]string, len(subjects))
	for _, subject := range subjects {
		if groups := j.members[pass][subject]; len(groups) > 0 {
			of[subject] = slices.Clone(groups)
		}
	}
	return of, nil
}

// Forget implements [Journal].
func (j *MemoryJournal) Forget(_ context.Context, pass string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.members, pass)
	return nil
}
