package replica

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// BatchStore is a [Store] that can be told of a whole pool at once, in passes. A
// pass reads everybody, applies what it reads in batches whose snapshots bear its
// name, and in the end sweeps those whom it did not find:
//
//	began := time.Now()
//	for each page of the pool {
//		store.ApplyBatch(ctx, page)                     // Snapshot.Pass: pass
//	}
//	store.Sweep(ctx, issuer, pass, SweepOptions{Began: began})
//
// A pass that was killed goes on where it likes under the same name, or begins
// anew under another.
type BatchStore interface {
	Store

	// ApplyBatch applies the snapshots as Apply would, one after the other, only
	// faster. It returns what each has changed, in their order.
	//
	// What is said of one user happens as a whole or not at all. The batch does
	// not: when it fails, or the process ends, some of it may have happened. The
	// same batch again does the rest. What has changed nothing is only put on
	// record: when it was said, and by which pass; repeated, it writes nothing.
	//
	// A snapshot that Apply would refuse does not keep the others: they are
	// applied, the refused ones have an empty change, and the error is a
	// [*BatchError] that names them. After any other error the changes are those
	// that were made until then.
	ApplyBatch(ctx context.Context, snapshots []Snapshot) ([]Change, error)

	// Sweep marks the users of the issuer whom the pass did not see as deleted,
	// as [DecideGone] has it. Nobody is swept of whom anything was stated since
	// the pass began.
	//
	// Where that would be more than a share of all users who are not deleted, it
	// returns [ErrSweepTooLarge] and sweeps nobody: a listing that ended early
	// must not end everybody's rights. Sweeping again sweeps who is left, so that
	// a sweep which was killed can be repeated.
	//
	// Users whom a hook refuses are left as they are, and the error is a
	// [*BatchError] that names them.
	Sweep(ctx context.Context, issuer, pass string, o SweepOptions) (SweepResult, error)
}

// DefaultMaxShare is the share of users that a sweep may mark as deleted unless it
// is told otherwise.
const DefaultMaxShare = 0.1

// SweepOptions say what a sweep may do.
type SweepOptions struct {
	// Began is when the pass began to read the pool. Required. A user of whom
	// something was stated since is not swept, and a statement from before does
	// not bring anybody back.
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
		faults = append(faults, errors.New("the time when the pass began (Began) is missing"))
	}
	if !(o.MaxShare >= 0 && o.MaxShare <= 1) {
		faults = append(faults, fmt.Errorf("MaxShare is %v, and not between 0 and 1", o.MaxShare))
	}
	if faults == nil {
		return nil
	}
	return fmt.Errorf("%w sweep: %w", ErrInvalid, errors.Join(faults...))
}

// Allow returns an error that is [ErrSweepTooLarge] where gone of known users are
// more than may be swept.
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

// BatchError names what an operation on many users left out, when it did the rest.
// It is what each of the causes is.
type BatchError struct {
	Refused []Refusal
}

// Refusal is one user whom an operation on many left out.
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
