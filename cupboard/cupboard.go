package cupboard

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

var (
	// ErrNotFound: there is no such live record.
	ErrNotFound = errors.New("record not found")
	// ErrExists: there is a live record under the key.
	ErrExists = errors.New("record exists already")
	// ErrConflict: the record was changed meanwhile. Read it again.
	ErrConflict = errors.New("record changed meanwhile")
	// ErrFull: the shelf, or the person's part of it, holds as much as it may.
	ErrFull = errors.New("shelf is full")
	// ErrTooLarge: the record does not fit the shelf, and never will.
	ErrTooLarge = errors.New("record is too large")
	// ErrUnavailable: the cupboard did not answer. It says nothing about any record.
	ErrUnavailable = errors.New("cupboard unavailable")
)

// Kind is one shelf. Declare it as a variable, once, and give it to every call.
type Kind struct {
	// Name is unique, and up to 64 bytes of letters, digits, '-', '_' and '.'.
	Name string
	// MaxRecords, MaxOfPerson and MaxBytes bound the shelf: records on it, those of
	// one person, and the value of each. Processes that put at the same moment may
	// go beyond the first two by as many as they are. A store may count a shelf with
	// room for 10,000 more only once a second. Required.
	MaxRecords, MaxOfPerson, MaxBytes int
	// Watched keeps for [Store.Watch] what changed, also of records that are gone.
	Watched bool
}

// Record is one of them.
type Record struct {
	Key     string // see [Key]
	Person  string // empty: nobody's
	Version int64  // counts changes, from 1
	Value   []byte
	Until   time.Time // from then on it is missing
}

// Change is what became of a record.
type Change struct {
	Number int64 // later ones are higher
	Gone   bool  // it was taken or ended; Record has no more than its Key and Person
	Record
}

// Query selects records.
type Query struct {
	Person string // empty: of everybody
	After  string // the key to go on after; empty: from the start
	Limit  int    // at most this many; 0: 100
}

// DefaultLimit is how many records a query without Limit lists.
const DefaultLimit = 100

// MaxKey and MaxPerson are the longest that a key and a person may be, in bytes.
const (
	MaxKey    = 64
	MaxPerson = 255
)

// Store keeps records. Its methods may be called concurrently, by any number of
// processes. Every error that is none of the others has [ErrUnavailable] in its chain.
// Times are kept by the microsecond, and strings compared byte for byte.
type Store interface {
	// Put adds a record, with Version 1, where there is no live one under its key.
	Put(ctx context.Context, kind Kind, r Record) error
	// Get returns a live record, and leaves it.
	Get(ctx context.Context, kind Kind, key string) (Record, error)
	// Take returns a live record and removes it. Of all who take it, one gets it.
	Take(ctx context.Context, kind Kind, key string) (Record, error)
	// Swap replaces Value and Until of a live record whose Version is r's, and
	// returns it with the next Version. It never brings back one that is gone.
	Swap(ctx context.Context, kind Kind, r Record) (Record, error)
	// List returns live records, ordered by key.
	List(ctx context.Context, kind Kind, q Query) ([]Record, error)
	// EndAll removes every record of a person, and says how many.
	EndAll(ctx context.Context, kind Kind, person string) (int, error)
	// Len says how many live records are on the shelf.
	Len(ctx context.Context, kind Kind) (int, error)
	// Watch returns what changed after a number, in order, the last change of each
	// record, at most limit of them (0: 100). Kinds that are not watched have none.
	Watch(ctx context.Context, kind Kind, since int64, limit int) ([]Change, error)
}

// Key makes the key of a record out of what names it, which cannot be told from it.
func Key(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// Check reports what is wrong with a kind, all at once.
func (k Kind) Check() error {
	var faults []error
	if k.Name == "" || len(k.Name) > 64 {
		faults = append(faults, errors.New("give it a Name of 1 to 64 bytes"))
	}
	for _, c := range []byte(k.Name) {
		if c != '-' && c != '_' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			faults = append(faults, errors.New("make its Name of letters, digits, '-', '_' and '.'"))
			break
		}
	}
	if k.MaxRecords <= 0 || k.MaxOfPerson <= 0 || k.MaxBytes <= 0 {
		faults = append(faults, errors.New("set MaxRecords, MaxOfPerson and MaxBytes"))
	}
	if len(faults) > 0 {
		return fmt.Errorf("kind %q: %w", k.Name, errors.Join(faults...))
	}
	return nil
}

// Fits is for implementations: it refuses what no shelf of the kind takes.
func (k Kind) Fits(r Record) error {
	if err := k.Check(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	switch {
	case r.Key == "" || len(r.Key) > MaxKey:
		return fmt.Errorf("%w: its key has %d bytes, and has 1 to %d", ErrTooLarge, len(r.Key), MaxKey)
	case len(r.Person) > MaxPerson:
		return fmt.Errorf("%w: its person has %d bytes, and may have %d", ErrTooLarge, len(r.Person), MaxPerson)
	case len(r.Value) > k.MaxBytes:
		return fmt.Errorf("%w: its value has %d bytes, and %s may have %d", ErrTooLarge, len(r.Value), k.Name, k.MaxBytes)
	}
	return nil
}
