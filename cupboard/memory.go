package cupboard

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Memory is a [Store] in the memory of this process: for tests, and for what need not
// outlive it.
type Memory struct {
	now func() time.Time

	mu      sync.Mutex // guards what follows
	shelves map[string]*shelf
	number  int64
}

type shelf struct {
	records map[string]Change // live ones, and those that are gone or over, until they are swept
	puts    int
}

var _ Store = (*Memory)(nil)

// NewMemory returns an empty one. now is the clock; nil: [time.Now].
func NewMemory(now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{now: now, shelves: make(map[string]*shelf)}
}

// enter begins a call. leave ends it.
func (m *Memory) enter(ctx context.Context, kind Kind) (*shelf, time.Time, error) {
	if err := ctx.Err(); err != nil {
		return nil, time.Time{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if err := kind.Check(); err != nil {
		return nil, time.Time{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	m.mu.Lock()
	s := m.shelves[kind.Name]
	if s == nil {
		s = &shelf{records: make(map[string]Change)}
		m.shelves[kind.Name] = s
	}
	return s, m.now(), nil
}

func (s *shelf) live(key string, now time.Time) (Record, bool) {
	c, ok := s.records[key]
	return c.Record, ok && !c.Gone && now.Before(c.Until)
}

func (m *Memory) set(kind Kind, s *shelf, r Record, gone bool) {
	if gone && !kind.Watched {
		delete(s.records, r.Key)
		return
	}
	m.number++
	if gone {
		r.Value = nil
	}
	s.records[r.Key] = Change{Number: m.number, Gone: gone, Record: r}
}

// Put implements [Store].
func (m *Memory) Put(ctx context.Context, kind Kind, r Record) error {
	if err := kind.Fits(r); err != nil {
		return fmt.Errorf("put %s: %w", kind.Name, err)
	}
	s, now, err := m.enter(ctx, kind)
	if err != nil {
		return err
	}
	defer m.mu.Unlock()
	if s.puts++; s.puts%64 == 0 || len(s.records) >= kind.MaxRecords {
		for key, c := range s.records {
			if !now.Before(c.Until) {
				delete(s.records, key)
			}
		}
	}
	if _, ok := s.live(r.Key, now); ok {
		return fmt.Errorf("put %s: %w", kind.Name, ErrExists)
	}
	all, own := 0, 0
	for _, c := range s.records {
		if !c.Gone && now.Before(c.Until) {
			all++
			if c.Person == r.Person {
				own++
			}
		}
	}
	if all >= kind.MaxRecords || r.Person != "" && own >= kind.MaxOfPerson {
		return fmt.Errorf("put %s: %w", kind.Name, ErrFull)
	}
	r.Version, r.Value, r.Until = 1, slices.Clone(r.Value), r.Until.Truncate(time.Microsecond)
	m.set(kind, s, r, false)
	return nil
}

// Get implements [Store].
func (m *Memory) Get(ctx context.Context, kind Kind, key string) (Record, error) {
	s, now, err := m.enter(ctx, kind)
	if err != nil {
		return Record{}, err
	}
	defer m.mu.Unlock()
	r, ok := s.live(key, now)
	if !ok {
		return Record{}, fmt.Errorf("get %s: %w", kind.Name, ErrNotFound)
	}
	return r, nil
}

// Take implements [Store].
func (m *Memory) Take(ctx context.Context, kind Kind, key string) (Record, error) {
	s, now, err := m.enter(ctx, kind)
	if err != nil {
		return Record{}, err
	}
	defer m.mu.Unlock()
	r, ok := s.live(key, now)
	if !ok {
		return Record{}, fmt.Errorf("take %s: %w", kind.Name, ErrNotFound)
	}
	m.set(kind, s, r, true)
	return r, nil
}

// Swap implements [Store].
func (m *Memory) Swap(ctx context.Context, kind Kind, r Record) (Record, error) {
	if err := kind.Fits(r); err != nil {
		return Record{}, fmt.Errorf("swap %s: %w", kind.Name, err)
	}
	s, now, err := m.enter(ctx, kind)
	if err != nil {
		return Record{}, err
	}
	defer m.mu.Unlock()
	old, ok := s.live(r.Key, now)
	switch {
	case !ok:
		return Record{}, fmt.Errorf("swap %s: %w", kind.Name, ErrNotFound)
	case old.Version != r.Version:
		return Record{}, fmt.Errorf("swap %s: %w", kind.Name, ErrConflict)
	}
	old.Version, old.Value, old.Until = old.Version+1, slices.Clone(r.Value), r.Until.Truncate(time.Microsecond)
	m.set(kind, s, old, false)
	return old, nil
}

// List implements [Store].
func (m *Memory) List(ctx context.Context, kind Kind, q Query) ([]Record, error) {
	s, now, err := m.enter(ctx, kind)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	var found []Record
	for key := range s.records {
		if r, ok := s.live(key, now); ok && key > q.After && (q.Person == "" || r.Person == q.Person) {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b Record) int { return cmp.Compare(a.Key, b.Key) })
	return found[:min(len(found), limit(q.Limit))], nil
}

func limit(n int) int {
	if n <= 0 {
		return DefaultLimit
	}
	return n
}

// EndAll implements [Store].
func (m *Memory) EndAll(ctx context.Context, kind Kind, person string) (int, error) {
	s, now, err := m.enter(ctx, kind)
	if err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	n := 0
	for key := range s.records {
		if r, ok := s.live(key, now); ok && r.Person == person && person != "" {
			m.set(kind, s, r, true)
			n++
		}
	}
	return n, nil
}

// Len implements [Store].
func (m *Memory) Len(ctx context.Context, kind Kind) (int, error) {
	s, now, err := m.enter(ctx, kind)
	if err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	n := 0
	for key := range s.records {
		if _, ok := s.live(key, now); ok {
			n++
		}
	}
	return n, nil
}

// Watch implements [Store].
func (m *Memory) Watch(ctx context.Context, kind Kind, since int64, most int) ([]Change, error) {
	s, now, err := m.enter(ctx, kind)
	if err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	if !kind.Watched {
		return nil, nil
	}
	var found []Change
	for _, c := range s.records {
		if c.Number > since && now.Before(c.Until) {
			found = append(found, c)
		}
	}
	slices.SortFunc(found, func(a, b Change) int { return cmp.Compare(a.Number, b.Number) })
	return found[:min(len(found), limit(most))], nil
}
