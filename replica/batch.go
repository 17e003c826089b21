package replica

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// BatchStore is a [Store] that can take a whole pool in passes. A pass reads everybody and
// applies it in batches. Each snapshot has the name of the pass. In the end, the pass
// sweeps the users that it did not find:
//
//	began := time.Now()
//	for each page of the pool {
//		store.ApplyBatch(ctx, page)                     // Snapshot.Pass: pass
//	}
//	store.Sweep(ctx, issuer, pass, SweepOptions{Began: began})
//
// A killed pass can continue anywhere under the same name, or begin again under another.
type BatchStore interface {
	Store

	// ApplyBatch applies the snapshots as Apply would, one after the other, only
	// faster. It returns what each has changed, in their order.
	//
	// The snapshot of one user happens completely or not at all. The batch does not: if it
	// fails, or the process ends, a part of it may have happened. The same batch again does
	// the rest. If a snapshot changes nothing, only its time and its pass are recorded. If it
	// is repeated, nothing is written.
	//
	// If Apply would refuse a snapshot, the others are still applied. The refused ones have an
	// empty change, and the error is a [*BatchError] that names them. After any other error,
	// the result has the changes so far.
	ApplyBatch(ctx context.Context, snapshots []Snapshot) ([]Change, error)

	// Sweep marks users of the issuer as deleted if the pass did not see them, by the rules of
	// [DecideGone]. It does not sweep a user with data that is newer than the start of the
	// pass.
	//
	// If this would be more than a set share of all users who are not deleted, it returns
	// [ErrSweepTooLarge] and sweeps nobody: a listing that ended early must not end
	// everybody's rights. Another sweep sweeps the rest, so you can repeat a killed sweep.
	//
	// If a hook refuses users, they stay as they are, and the error is a [*BatchError] that
	// names them.
	Sweep(ctx context.Context, issuer, pass string, o SweepOptions) (SweepResult, error)
}

// DefaultMaxShare is the share of users that a sweep may mark as deleted by default.
const DefaultMaxShare = 0.1

// SweepOptions say what a sweep may do.
type SweepOptions struct {
	// Began is when the pass began to read the pool. Required. A user with newer data is not
	// swept, and older data brings nobody back.
	Began time.Time

	// MaxShare is the largest share of the users that may be swept, 1 for any.
	// Defaults to DefaultMaxShare.
	MaxShare float64
}

// Validate returns what is wrong with a sweep, as an error that is [ErrInvalid],
// or nil.
func (o SweepOptions) Validate(issuer, pass string) error {
	var faults []error
	if issuer == "" {
		faults = append(faults, errors.New("the issuer is missing"))
	}
	if pass == "" {
		faults = append(faults, errors.New("the pass is missing"))
	}
	if err := checkText("pass", pass, MaxPassBytes, ""); err != nil {
		faults = append(faults, err)
	}
	if o.Began.IsZero() {
		faults = append(faults, errors.New("the time when the pass began, Began, is missing"))
	}
	if !(o.MaxShare >= 0 && o.MaxShare <= 1) {
		faults = append(faults, fmt.Errorf("MaxShare is %v, and not between 0 and 1", o.MaxShare))
	}
	if faults == nil {
		return nil
	}
	return fmt.Errorf("%w sweep: %w", ErrInvalid, errors.Join(faults...))
}

// Allow returns [ErrSweepTooLarge] if gone of known users are more than allowed.
func (o SweepOptions) Allow(known, gone int) error {
	share := o.MaxShare
	if share == 0 {
		share = DefaultMaxShare
	}
	if float64(gone) <= share*float64(known) {
		return nil
	}
	return fmt.Errorf("%w: the pass did not see %d of %d users, at most %.4g %% may go: "+
		"see whether it read the whole pool, and set MaxShare if it did", ErrSweepTooLarge, gone, known, share*100)
}

// SweepResult is what a sweep has found and done.
type SweepResult struct {
	Known   int      // users of the issuer who were not deleted before
	Unseen  int      // of those, the ones whom the pass did not see
	Changes []Change // of those who are deleted now
}

// BatchError names the users that an operation left out when it did the rest. errors.Is
// matches each of the causes.
type BatchError struct {
	Refused []Refusal
}

// Refusal is a user that an operation on many users left out.
type Refusal struct {
	Index   int // in the batch; -1 for a sweep
	Subject string
	Err     error
}

// maxNamed is how many users the text of an error names.
const maxNamed = 3

func (e *BatchError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d refused", len(e.Refused))
	for i, r := range e.Refused {
		if i == maxNamed {
			fmt.Fprintf(&b, "; and %d more", len(e.Refused)-maxNamed)
			break
		}
		fmt.Fprintf(&b, "; subject %.64q: %v", r.Subject, r.Err)
	}
	return b.String()
}

// Unwrap returns the causes.
func (e *BatchError) Unwrap() []error {
	errs := make([]error, len(e.Refused))
	for i, r := range e.Refused {
		errs[i] = r.Err
	}
	return errs
}
